#!/usr/bin/env python3
"""Keypoints and descriptors of OpenCV's SIFT: writes test/golden/sift/*.png and opencv-sift.json.

Images: two generated photographs (rmac data synthesize, seed 5) and one of seeded Gaussian blobs, grey. Keypoints: the 500
strongest as x, y, size, angle, response; descriptors of the first 100 as bytes in base64.

Needs OpenCV 4.6 (Debian: python3-opencv) and a built project. Run from the project root:

    /usr/bin/python3 scripts/reference-opencv-sift.py
"""
import base64
import json
import os
import subprocess
import tempfile

import cv2
import numpy

FOLDER = "test/golden/sift"
KEYPOINTS, DESCRIPTORS = 500, 100


def photographs():
    with tempfile.TemporaryDirectory() as folder:
        out = os.path.join(folder, "photographs")
        command = "node dist/cli.js data synthesize --landmarks 3 --photos 3 --noise 0 --size 320 --seed 5 --out"
        subprocess.run([*command.split(), out], check=True)
        files = sorted(os.path.join(at, name) for at, _, names in os.walk(out) for name in names if name.endswith(".jpg"))
        return [cv2.imread(files[i], cv2.IMREAD_GRAYSCALE) for i in (0, -1)]


def blobs():
    random = numpy.random.RandomState(5)
    y, x = numpy.mgrid[0:200, 0:240]
    image = numpy.full((200, 240), 128.0)
    for _ in range(120):
        cx, cy, sigma = random.uniform(0, 240), random.uniform(0, 200), 1.2 * 8 ** random.uniform()
        wide, turn, level = random.uniform(1, 2), random.uniform(0, numpy.pi), random.uniform(-90, 90)
        u = (x - cx) * numpy.cos(turn) + (y - cy) * numpy.sin(turn)
        v = (y - cy) * numpy.cos(turn) - (x - cx) * numpy.sin(turn)
        image += level * numpy.exp(-(u**2 + (v * wide) ** 2) / (2 * sigma**2))
    return numpy.clip(numpy.round(image), 0, 255).astype(numpy.uint8)


def main():
    os.makedirs(FOLDER, exist_ok=True)
    first, second = photographs()
    golden = {"opencv": cv2.__version__, "command": "scripts/reference-opencv-sift.py", "images": []}
    for name, image in (("photograph-1", first), ("photograph-2", second), ("blobs", blobs())):
        cv2.imwrite(f"{FOLDER}/{name}.png", image, [cv2.IMWRITE_PNG_COMPRESSION, 9])
        keypoints, descriptors = cv2.SIFT_create(KEYPOINTS).detectAndCompute(image, None)
        order = sorted(range(len(keypoints)), key=lambda i: -keypoints[i].response)
        rows = [(*keypoints[i].pt, keypoints[i].size, keypoints[i].angle, keypoints[i].response) for i in order]
        chosen = descriptors[order[:DESCRIPTORS]].astype(numpy.uint8)
        golden["images"].append(
            {
                "name": name,
                "keypoints": [[float(f"{value:.6g}") for value in row] for row in rows],
                "descriptors": base64.b64encode(chosen.tobytes()).decode(),
            }
        )
    with open(f"{FOLDER}/opencv-sift.json", "w") as file:
        json.dump(golden, file, separators=(",", ":"))
        file.write("\n")


if __name__ == "__main__":
    main()
