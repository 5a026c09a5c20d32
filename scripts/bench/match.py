"""The peer's side of match.ts: a JSON list of pairs a line -> wall and CPU milliseconds to match and verify them, and how many were verified.

One process per core, each with one thread: faster here than OpenCV's own threads in one process.
"""

import json
import multiprocessing
import sys
import time

import cv2
import numpy as np

folder, cores = sys.argv[1], int(sys.argv[2])
images = json.load(open(f"{folder}/images.json"))
descriptors = [np.fromfile(f"{folder}/{n}.descriptors", np.uint8).reshape(-1, 128).astype(np.float32) for n in range(images)]
positions = [np.fromfile(f"{folder}/{n}.frames", np.float32).reshape(-1, 6)[:, :2].copy() for n in range(images)]


def compare(pairs):
    cv2.setNumThreads(1)
    started = time.process_time()
    matcher = cv2.BFMatcher(cv2.NORM_L2)
    verified = 0
    for a, b in pairs:
        matches = [m for m, n in matcher.knnMatch(descriptors[a], descriptors[b], k=2) if m.distance < 0.8 * n.distance]
        if len(matches) < 3:
            continue
        source = positions[a][[m.queryIdx for m in matches]]
        target = positions[b][[m.trainIdx for m in matches]]
        _, inliers = cv2.estimateAffine2D(source, target, method=cv2.RANSAC, ransacReprojThreshold=8)
        verified += inliers is not None and int(inliers.sum()) >= 15
    return (time.process_time() - started) * 1000, verified


with multiprocessing.Pool(cores) as pool:
    pool.map(compare, [[[0, 1]]] * cores, 1)
    print(json.dumps(f"opencv {cv2.__version__}"), flush=True)
    for line in sys.stdin:
        pairs = json.loads(line)
        start = time.perf_counter()
        parts = pool.map(compare, [pairs[i : i + 8] for i in range(0, len(pairs), 8)], 1)
        wall = (time.perf_counter() - start) * 1000
        print(json.dumps({"wall": wall, "cpu": sum(p[0] for p in parts), "verified": sum(p[1] for p in parts)}), flush=True)
