"""Writes test/golden/opencv-affine.json: inliers and maps that OpenCV's estimateAffine2D finds in made-up correspondences.

    python3 scripts/reference-affine.py    (needs opencv and numpy)
"""

import json
import pathlib

import cv2
import numpy as np

random = np.random.default_rng(11)
width, height = 640, 480


def similarity(angle, scale):
    return scale * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])


scenes = []
for inliers, outliers, noise in [(30, 0, 0), (30, 30, 1), (60, 60, 3), (40, 80, 2), (20, 60, 1), (100, 50, 4), (25, 25, 2), (200, 200, 3)]:
    linear = similarity(random.uniform(-0.6, 0.6), random.uniform(0.8, 1.25)) @ (np.eye(2) + random.uniform(-0.2, 0.2, (2, 2)))
    shift = random.uniform(-80, 80, 2)
    count = inliers + outliers
    a = random.uniform(0, 1, (count, 2)) * [width, height]
    b = np.concatenate([a[:inliers] @ linear.T + shift + random.normal(0, noise, (inliers, 2)), random.uniform(0, 1, (outliers, 2)) * [width, height]])
    frames = [[], []]
    for k in range(count):
        frame = similarity(random.uniform(-np.pi, np.pi), random.uniform(2, 12))
        # what a detector would find in b: right but for a few degrees and a tenth of the scale, and never sheared
        turned = linear @ frame
        measured = similarity(np.arctan2(turned[1, 0], turned[0, 0]) + random.normal(0, 0.05), np.sqrt(np.linalg.det(turned)) * np.exp(random.normal(0, 0.05)))
        if k >= inliers:
            measured = similarity(random.uniform(-np.pi, np.pi), random.uniform(2, 12))
        frames[0].append([*a[k], *frame.ravel()])
        frames[1].append([*b[k], *measured.ravel()])
    frames = np.array(frames, np.float32)
    affine, _ = cv2.estimateAffine2D(frames[0, :, :2].copy(), frames[1, :, :2].copy(), method=cv2.RANSAC, ransacReprojThreshold=8)
    # its mask is of the best sample, before the last refinement: count anew
    error = np.linalg.norm(frames[0, :, :2] @ affine[:, :2].T + affine[:, 2] - frames[1, :, :2], axis=1)
    scenes.append(
        {
            "a": frames[0].astype(float).round(2).tolist(),
            "b": frames[1].astype(float).round(2).tolist(),
            "inliers": int((error <= 8).sum()),
            "affine": affine.round(6).ravel().tolist(),
        }
    )
golden = {"provenance": f"scripts/reference-affine.py, OpenCV {cv2.__version__}", "width": width, "height": height, "scenes": scenes}
path = pathlib.Path(__file__).parent.parent / "test/golden/opencv-affine.json"
path.write_text(json.dumps(golden, separators=(",", ":")) + "\n")
print([scene["inliers"] for scene in scenes])
