"""Writes test/golden/opencv-matches.json: OpenCV's brute-force matches with ratio test of generated descriptors.

    python3 scripts/reference-matches.py    (needs opencv and numpy)
"""

import base64
import json
import pathlib

import cv2
import numpy as np

random = np.random.default_rng(7)


def root_sift(histograms):
    return np.minimum(255, np.rint(512 * np.sqrt(histograms / histograms.sum(1, keepdims=True)))).astype(np.uint8)


# 60 descriptors of which 40 come again, disturbed more and more, among 50 others
base = random.gamma(0.5, 1, (60, 128))
noise = np.linspace(0.05, 3, 40)[:, None] * random.gamma(0.5, 1, (40, 128))
a = root_sift(base)
b = root_sift(np.concatenate([random.gamma(0.5, 1, (50, 128)), base[:40] + noise]))
ratio = 0.8
matches = [
    (first.queryIdx, first.trainIdx, round(first.distance, 4))
    for first, second in cv2.BFMatcher(cv2.NORM_L2).knnMatch(a.astype(np.float32), b.astype(np.float32), k=2)
    if first.distance < ratio * second.distance
]
golden = {
    "provenance": f"scripts/reference-matches.py, OpenCV {cv2.__version__}",
    "ratio": ratio,
    "a": base64.b64encode(a.tobytes()).decode(),
    "b": base64.b64encode(b.tobytes()).decode(),
    "matches": matches,
}
path = pathlib.Path(__file__).parent.parent / "test/golden/opencv-matches.json"
path.write_text(json.dumps(golden) + "\n")
print(f"{len(matches)} matches")
