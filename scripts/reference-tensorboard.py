"""TensorBoard's own reading and writing of event files, for test/train/event-file.test.ts.

    python scripts/reference-tensorboard.py --golden     # writes test/golden/events.json (tensorboard 2.21.0)
    python scripts/reference-tensorboard.py --read DIR   # what TensorBoard finds in a folder, as JSON
"""
import argparse
import base64
import io
import json
from pathlib import Path

import tensorboard
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.compat.proto.event_pb2 import Event, SessionLog
from tensorboard.compat.proto.summary_pb2 import HistogramProto, Summary
from tensorboard.summary.writer.record_writer import RecordWriter

golden = Path(__file__).parent.parent / "test" / "golden" / "events.json"


def write_golden():
    values = [-1.5, -0.25, 0.0, 0.125, 0.5, 2.5]
    limits = [-0.5, 0.5, 1.5, 2.5]
    counts = [1.0, 3.0, 1.0, 1.0]
    picture = bytes(range(200))
    histogram = HistogramProto(
        min=min(values), max=max(values), num=len(values), sum=sum(values), sum_squares=sum(v * v for v in values),
        bucket_limit=limits, bucket=counts)
    image = Summary.Image(height=3, width=300, colorspace=3, encoded_image_string=picture)
    events = [
        Event(wall_time=1700000000.25, file_version="brain.Event:2"),
        Event(wall_time=1700000000.25, step=17, session_log=SessionLog(status=SessionLog.START)),
        Event(wall_time=1700000001.5, step=0, summary=Summary(value=[Summary.Value(tag="train/loss", simple_value=0.0)])),
        Event(wall_time=1700000001.5, step=3000000000, summary=Summary(value=[Summary.Value(tag="grösse", simple_value=-0.1)])),
        Event(wall_time=1700000001.5, step=17, summary=Summary(value=[Summary.Value(tag="weights/a", histo=histogram)])),
        Event(wall_time=1700000001.5, step=17, summary=Summary(value=[Summary.Value(tag="mining/hardest", image=image)])),
    ]
    file = io.BytesIO()
    file.flush = lambda: None
    writer = RecordWriter(file)
    for event in events:
        writer.write(event.SerializeToString())
    golden.write_text(json.dumps({
        "source": f"scripts/reference-tensorboard.py, tensorboard {tensorboard.__version__}",
        "histogram": {"values": values, "limits": limits, "counts": counts},
        "base64": base64.b64encode(file.getvalue()).decode(),
    }) + "\n")


def read(folder):
    events = EventAccumulator(folder, size_guidance={"scalars": 0, "images": 0, "histograms": 0}).Reload()
    tags = events.Tags()
    print(json.dumps({
        "scalars": {tag: [[e.step, e.value] for e in events.Scalars(tag)] for tag in tags["scalars"]},
        "histograms": {
            tag: [[e.step, e.histogram_value.num, sum(e.histogram_value.bucket)] for e in events.Histograms(tag)]
            for tag in tags["histograms"]},
        "images": {tag: [[e.step, e.width, e.height] for e in events.Images(tag)] for tag in tags["images"]},
    }))


parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("--golden", action="store_true")
parser.add_argument("--read", metavar="DIR")
arguments = parser.parse_args()
if arguments.golden:
    write_golden()
if arguments.read:
    read(arguments.read)
