"""OpenCV's SIFT for scripts/repeatability/run.ts: rows of x, y, a11, a12, a21, a22, response and 128 descriptor values,
float32, strongest first.

    /usr/bin/python3 scripts/repeatability/opencv.py FILE MAXIMUM OUT
"""
import sys

import cv2
import numpy

file, maximum, out = sys.argv[1:]
image = cv2.imread(file, cv2.IMREAD_COLOR)
keypoints, descriptors = cv2.SIFT_create(int(maximum)).detectAndCompute(cv2.cvtColor(image, cv2.COLOR_BGR2GRAY), None)
# doubling moves keypoints by a quarter pixel in OpenCV 4.6
rows = []
for k in keypoints:
    cos, sin = k.size / 2 * numpy.cos(numpy.deg2rad(k.angle)), k.size / 2 * numpy.sin(numpy.deg2rad(k.angle))
    rows.append((k.pt[0] - 0.25, k.pt[1] - 0.25, cos, -sin, sin, cos, k.response))
table = numpy.hstack([numpy.array(rows, numpy.float32).reshape(-1, 7), descriptors.astype(numpy.float32)])
table[numpy.argsort(-table[:, 6], kind="stable")][: int(maximum)].tofile(out)
