# Descriptors of photographs by an exported model, without rmac: pip install onnxruntime pillow numpy
#   python read-python.py EXPORTED PHOTOGRAPH...     one line each: the file, and the values of a unit vector
import json
import sys

import numpy
import onnxruntime
from PIL import Image, ImageOps

folder, *photographs = sys.argv[1:]
with open(f"{folder}/descriptor-model.json") as file:
    manifest = json.load(file)
session = onnxruntime.InferenceSession(f"{folder}/{manifest['files'][0]['file']}")
for path in photographs:
    image = ImageOps.exif_transpose(Image.open(path)).convert("RGB")
    scale = manifest["resize"]["longestSide"] / max(image.size)
    if scale < 1 or manifest["resize"]["enlarge"]:
        image = image.resize([max(1, round(side * scale)) for side in image.size], Image.LANCZOS)
    (descriptor,) = session.run(["descriptor"], {"image": numpy.float32(image)[None]})
    print(path, *descriptor[0])
