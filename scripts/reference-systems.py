"""Writes test/golden/systems.json: pieces of the published systems by numpy, from the definitions and not from this code.

    python3 scripts/reference-systems.py
"""
import json
import math
import pathlib

import numpy as np


def wave(shape, a=7, b=3, m=23):
    """A map the test rebuilds exactly: integers in 0..m-1."""
    n = int(np.prod(shape))
    i = np.arange(n)
    return ((a * i + b * (i // 5) + (i * i) % 11) % m).astype(np.float64).reshape(shape)


def unit(v, axis=-1):
    return v / np.linalg.norm(v, axis=axis, keepdims=True)


# --- R-MAC+: 15 regions per resolution, all in one list; scatter not divided, ZCA ---


def plus_regions(rows, cols):
    regions = [(0, rows, 0, cols)]
    side = min(rows, cols)
    for size, nr, nc in [
        (side, *((1, 2) if rows < cols else (2, 1))),
        (math.ceil(2 * side / 3), 2, 3),
        (math.ceil(2 * side / 4), 3, 2),
    ]:
        h = math.ceil(rows / nr) if size * nr < rows else size
        w = math.ceil(cols / nc) if size * nc < cols else size
        for r in range(nr):
            for c in range(nc):
                r0, c0 = round(r * rows / nr), round(c * cols / nc)  # half to even
                r0, c0 = r0 - max(0, r0 + h - rows), c0 - max(0, c0 + w - cols)
                regions.append((r0, r0 + h, c0, c0 + w))
    return regions


def plus_rows(maps):
    return np.concatenate(
        [[unit(m[a:b, c:d].max((0, 1))) for a, b, c, d in plus_regions(*m.shape[:2])] for m in maps]
    )


plus_shapes = [[(6, 8, 4), (4, 6, 4), (7, 10, 4)], [(9, 5, 4), (7, 4, 4), (11, 6, 4)], [(5, 5, 4), (4, 4, 4), (6, 6, 4)]]
plus_images = [[wave(s, 7 + i, 3 + j) for j, s in enumerate(shapes)] for i, shapes in enumerate(plus_shapes)]
plus = [plus_rows(image) for image in plus_images]
X = np.concatenate(plus)
m = X.mean(0)
w, V = np.linalg.eigh((X - m).T @ (X - m))
zca = V @ np.diag(1 / np.sqrt(w + 1e-18)) @ V.T
whitened = [unit((x - m) @ zca) for x in plus]
vectors = [unit(x.sum(0)) for x in whitened]
# nearest region of every image to every image's vector
distances = [[float(np.linalg.norm(v - r, axis=1).min()) for r in whitened] for v in vectors]
best = [[int(np.argmin(np.linalg.norm(v - r, axis=1))) for r in whitened] for v in vectors]

# --- OS-RMAC: maps of two resolutions resized to the largest and added, sliding windows, two layers joined ---


def resize(x, rows, cols, corners):
    def axis(n, to):
        i = np.arange(to, dtype=np.float64)
        at = (i * (n - 1) / (to - 1) if to > 1 else 0 * i) if corners else (i + 0.5) * n / to - 0.5
        matrix = np.zeros((to, n))
        for row, p in enumerate(np.clip(at, 0, n - 1)):
            low = int(np.floor(p))
            matrix[row, low] += 1 - (p - low)
            matrix[row, min(low + 1, n - 1)] += p - low
        return matrix

    return np.einsum("ar,bc,rck->abk", axis(x.shape[0], rows), axis(x.shape[1], cols), x)


def sliding(x):
    rows, cols, channels = x.shape
    total = np.zeros(channels)
    for level in (1, 2, 3):
        side = max(1, math.ceil(2 * min(rows, cols) / (level + 1)))
        step = max(1, math.floor(0.4 * side))
        windows = np.lib.stride_tricks.sliding_window_view(x, (side, side), axis=(0, 1))[::step, ::step]
        total += np.sqrt((windows.max((3, 4)) ** 2).sum((0, 1)))
    return total


last = [wave((6, 8, 3), 5, 2), wave((4, 6, 3), 11, 4), wave((8, 11, 3), 3, 7)]
before = [wave((12, 16, 2), 5, 3), wave((8, 11, 2), 9, 4), wave((16, 22, 2), 2, 7)]
fused = {}
for name, corners in (("half-pixel", False), ("corners", True)):
    parts = []
    for maps in (last, before):
        rows, cols = maps[2].shape[:2]
        parts.append(unit(sliding(sum(resize(x, rows, cols, corners) for x in maps))))
    fused[name] = np.concatenate(parts).tolist()

# --- class activation mask ---
kernel = wave((3, 5), 3, 1, 7) - 3
bias = np.array([0.5, -1, 0, 2, 1])
scores = last[0].mean((0, 1)) @ kernel + bias
heat = last[0] @ kernel[:, int(np.argmax(scores))]
mask = (heat > 0.9 * heat.mean()).astype(int)

# --- principal feature analysis with fixed centres ---
data = wave((40, 9), 13, 5, 31)
data = unit(data - 11)
covariance = np.cov(data.T, bias=True)
values, basis = np.linalg.eigh(covariance)
rows = np.abs(basis[:, ::-1][:, :3])  # one row per value, q = 3
centres = np.array([[0.1, 0.4, 0.2], [0.5, 0.1, 0.3], [0.3, 0.3, 0.6], [0.2, 0.2, 0.1]])
d = ((rows[:, None] - centres[None]) ** 2).sum(2)
owner = d.argmin(1)
kept = sorted(int(np.flatnonzero(owner == k)[d[owner == k, k].argmin()]) for k in range(4) if (owner == k).any())

# --- Caffe ROI pooling of Gordo's regions, 800 x 600 px on a map of 19 x 25 at 1/32, L = 2 ---


def half_away(x):
    return math.floor(x + 0.5)


def caffe_pool(x, boxes, scale):
    rows, cols, channels = x.shape
    out = []
    for x1, y1, x2, y2 in boxes:
        c0, r0, c1, r1 = (half_away(v * scale) for v in (x1, y1, x2, y2))
        w, h = max(c1 - c0 + 1, 1), max(r1 - r0 + 1, 1)
        a, b = min(max(r0, 0), rows), min(max(r0 + h, 0), rows)
        c, d = min(max(c0, 0), cols), min(max(c0 + w, 0), cols)
        out.append(x[a:b, c:d].max((0, 1)) if b > a and d > c else np.zeros(channels))
    return np.array(out)


boxes = [
    (0, 0, 599, 599), (200, 0, 799, 599), (0, 0, 399, 399), (200, 0, 599, 399),
    (400, 0, 799, 399), (0, 200, 399, 599), (200, 200, 599, 599), (400, 200, 799, 599),
]  # fmt: skip
# distinct values, so that a maximum tells which cells were seen
roi_map = (np.arange(19 * 25 * 2).reshape(19, 25, 2) * 37 % (19 * 25 * 2)).astype(np.float64)
roi = caffe_pool(roi_map, boxes, 1 / 32)

golden = {
    "provenance": f"numpy {np.__version__}, scripts/reference-systems.py",
    "rmacPlus": {
        "shapes": plus_shapes,
        "rows": [x.tolist() for x in plus],
        "whitened": [x.tolist() for x in whitened],
        "vectors": [x.tolist() for x in vectors],
        "distances": distances,
        "best": best,
    },
    "osRmac": {"last": [x.shape for x in last], "before": [x.shape for x in before], "joined": fused},
    "mask": {"kernel": kernel.tolist(), "bias": bias.tolist(), "class": int(np.argmax(scores)), "cells": mask.tolist()},
    "pfa": {"rows": rows.tolist(), "centres": centres.tolist(), "features": kept, "eigenvalues": values[::-1][:3].tolist()},
    "caffe": {"rows": roi.tolist(), "vector": unit(unit(roi).sum(0)).tolist()},
}
path = pathlib.Path(__file__).parent.parent / "test/golden/systems.json"
path.write_text(json.dumps(golden) + "\n")
