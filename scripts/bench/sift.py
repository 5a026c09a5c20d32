"""OpenCV's SIFT on one thread for scripts/bench/sift.ts: a line `FILE WIDTH HEIGHT KEYPOINTS` of raw grey in, `{ms, keypoints}` out."""
import json
import sys
import time

import cv2
import numpy

cv2.setNumThreads(1)
print(json.dumps({"opencv": cv2.__version__}), flush=True)
for line in sys.stdin:
    if line.strip() == "end":
        break
    file, width, height, maximum = line.split()
    image = numpy.fromfile(file, numpy.uint8).reshape(int(height), int(width))
    sift = cv2.SIFT_create(int(maximum))
    started = time.perf_counter()
    keypoints, _ = sift.detectAndCompute(image, None)
    print(json.dumps({"ms": 1e3 * (time.perf_counter() - started), "keypoints": len(keypoints)}), flush=True)
