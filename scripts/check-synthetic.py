#!/usr/bin/env python3
"""Measures how hard a generated collection is, with programs that are not ours.

Off-the-shelf retrieval: torchvision's DenseNet-121 with ImageNet weights (Keras names, safetensors), MAC, GeM and R-MAC
(Tolias grid, L = 3, no whole-image region, no whitening) on groundtruth.json, trapezoid AP as Oxford/Paris define it.
Keypoints: OpenCV SIFT, RootSIFT, ratio 0.8, RANSAC affine at 8 px, on right photographs of all landmarks.

Needs Debian's python3-torch, python3-torchvision, python3-opencv:
  /usr/bin/python3 scripts/check-synthetic.py DIR [--weights densenet121.safetensors] [--no-sift]
"""
import argparse
import collections
import itertools
import json
import os
import random
import struct

import cv2
import numpy as np


def load_safetensors(path):
    with open(path, "rb") as file:
        size = struct.unpack("<Q", file.read(8))[0]
        header = json.loads(file.read(size))
        body = file.read()
    kinds = {"F32": np.float32, "F16": np.float16}
    return {
        name: np.frombuffer(body[slice(*entry["data_offsets"])], kinds[entry["dtype"]]).reshape(entry["shape"]).astype(np.float32)
        for name, entry in header.items()
        if name != "__metadata__"
    }


def densenet(path):
    import torch
    import torchvision

    arrays = load_safetensors(path)
    model = torchvision.models.densenet121()
    state = {}

    def norm(ours, theirs):
        for a, b in (("gamma", "weight"), ("beta", "bias"), ("moving_mean", "running_mean"), ("moving_variance", "running_var")):
            state[f"{theirs}.{b}"] = torch.from_numpy(arrays[f"{ours}/{a}"].copy())

    def conv(ours, theirs):
        state[f"{theirs}.weight"] = torch.from_numpy(arrays[f"{ours}/kernel"].transpose(3, 2, 0, 1).copy())

    conv("conv1/conv", "features.conv0")
    norm("conv1/bn", "features.norm0")
    for block, layers in enumerate((6, 12, 24, 16), 1):
        for layer in range(1, layers + 1):
            ours, theirs = f"conv{block + 1}_block{layer}", f"features.denseblock{block}.denselayer{layer}"
            norm(f"{ours}_0_bn", f"{theirs}.norm1")
            conv(f"{ours}_1_conv", f"{theirs}.conv1")
            norm(f"{ours}_1_bn", f"{theirs}.norm2")
            conv(f"{ours}_2_conv", f"{theirs}.conv2")
        if block < 4:
            norm(f"pool{block + 1}_bn", f"features.transition{block}.norm")
            conv(f"pool{block + 1}_conv", f"features.transition{block}.conv")
    norm("bn", "features.norm5")
    state["classifier.weight"] = torch.from_numpy(arrays["fc1000/kernel"].T.copy())
    state["classifier.bias"] = torch.from_numpy(arrays["fc1000/bias"].copy())
    missing = model.load_state_dict(state, strict=False)
    assert not missing.unexpected_keys and all("num_batches" in key for key in missing.missing_keys), missing
    for module in model.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.eps = 1.001e-5
    return model.eval()


def regions(width, height, levels=3):
    short = min(width, height)
    overlaps = [(max(width, height) - short) / (n - 1) for n in range(2, 8)]
    steps = int(np.argmin([abs((short * short - short * b) / short / short - 0.4) for b in overlaps])) + 1
    extra_w, extra_h = (steps, 0) if height < width else (0, steps) if height > width else (0, 0)
    for level in range(1, levels + 1):
        side = 2 * short // (level + 1)
        if side == 0:
            continue
        columns, rows = level + extra_w, level + extra_h
        for j in range(rows):
            for i in range(columns):
                x = int(i * (width - side) / (columns - 1)) if columns > 1 else 0
                y = int(j * (height - side) / (rows - 1)) if rows > 1 else 0
                yield x, y, side


def describe(model, path, size):
    import torch

    image = cv2.imread(path)
    scale = size / max(image.shape[:2])
    image = cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR)
    x = torch.from_numpy(image[:, :, ::-1].copy()).float().permute(2, 0, 1) / 255
    x = (x - torch.tensor([0.485, 0.456, 0.406])[:, None, None]) / torch.tensor([0.229, 0.224, 0.225])[:, None, None]
    with torch.no_grad():
        features = torch.relu(model.features(x[None]))[0].numpy()
    unit = lambda v: v / max(1e-12, np.linalg.norm(v))
    parts = [unit(features[:, y : y + s, x : x + s].max((1, 2))) for x, y, s in regions(features.shape[2], features.shape[1])]
    return {
        "mac": unit(features.max((1, 2))),
        "gem": unit((np.maximum(features, 1e-6) ** 3).mean((1, 2)) ** (1 / 3)),
        "rmac": unit(np.sum(parts, 0)),
    }


def average_precision(ranked, positives, junk):
    """Trapezoid rule over recall, junk left out."""
    found, seen, total, before = 0, 0, 0.0, 1.0
    for item in ranked:
        if item in junk:
            continue
        seen += 1
        if item in positives:
            found += 1
            total += (before + found / seen) / 2 / len(positives)
        before = found / seen
    return total


def check_retrieval(folder, name, weights, size):
    with open(os.path.join(folder, name)) as file:
        truth = json.load(file)
    model = densenet(weights)
    images = {entry["id"]: entry["image"] for entry in truth["database"] + truth["queries"]}
    descriptors = {key: describe(model, os.path.join(folder, path), size) for key, path in images.items()}
    ids = [entry["id"] for entry in truth["database"]]
    for kind in ("mac", "gem", "rmac"):
        database = np.stack([descriptors[key][kind] for key in ids])
        per_landmark = collections.defaultdict(list)
        first = []
        for query in truth["queries"]:
            order = np.argsort(-(database @ descriptors[query["id"]][kind]), kind="stable")
            ranked = [ids[i] for i in order]
            per_landmark[query["id"].split("/")[0]].append(average_precision(ranked, set(query["positives"]), set(query["junk"])))
            first.append(next(item for item in ranked if item not in query["junk"]) in query["positives"])
        values = [value for group in per_landmark.values() for value in group]
        print(f"{name} densenet121 {size} px {kind}: mAP {np.mean(values):.3f}  P@1 {np.mean(first):.3f}  " + " ".join(f"{k} {np.mean(v):.2f}" for k, v in per_landmark.items()))


def check_keypoints(folder, cross_pairs):
    with open(os.path.join(folder, "truth.jsonl")) as file:
        records = [json.loads(line) for line in file]
    sift = cv2.SIFT_create(1500)
    features = {}
    for record in records:
        image = cv2.imread(os.path.join(folder, record["path"]), cv2.IMREAD_GRAYSCALE)
        scale = 640 / max(image.shape)
        keys, values = sift.detectAndCompute(cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_CUBIC), None)
        if values is None:
            values = np.zeros((0, 128), np.float32)
        values = np.sqrt(values / np.maximum(values.sum(1, keepdims=True), 1e-7))
        features[record["id"]] = (np.float32([key.pt for key in keys]).reshape(-1, 2), values)
    matcher = cv2.BFMatcher()

    def inliers(a, b):
        (pa, da), (pb, db) = features[a], features[b]
        if len(da) < 3 or len(db) < 2:
            return 0
        pairs = [m[0] for m in matcher.knnMatch(da, db, 2) if m[0].distance < 0.8 * m[1].distance]
        if len(pairs) < 3:
            return 0
        _, mask = cv2.estimateAffine2D(pa[[m.queryIdx for m in pairs]], pb[[m.trainIdx for m in pairs]], method=cv2.RANSAC, ransacReprojThreshold=8, maxIters=2000)
        if mask is None:
            return 0
        # Several keypoints may match one: count distinct targets.
        return len({pairs[i].trainIdx for i in np.flatnonzero(mask)})

    right = collections.defaultdict(list)
    for record in records:
        if not record["wrong"]:
            right[record["landmark"]].append(record["id"])
    verified, pairs, connected, images = 0, 0, 0, 0
    for landmark, ids in right.items():
        parent = {key: key for key in ids}

        def find(key):
            while parent[key] != key:
                key = parent[key]
            return key

        good = 0
        for a, b in itertools.combinations(ids, 2):
            if inliers(a, b) >= 15:
                good += 1
                parent[find(a)] = find(b)
        largest = collections.Counter(find(key) for key in ids).most_common(1)[0][1]
        count = len(ids) * (len(ids) - 1) // 2
        print(f"  {landmark}: {good}/{count} pairs verified, largest component {largest}/{len(ids)}")
        verified, pairs, connected, images = verified + good, pairs + count, connected + largest, images + len(ids)
    print(f"same landmark: {verified / pairs:.3f} of {pairs} pairs have >= 15 inliers; {connected / images:.3f} of {images} images in their largest component")
    source = random.Random(1)
    names = [record["id"] for record in records]
    label = {record["id"]: record["landmark"] for record in records}
    sibling = lambda a, b: a[:-1] == b[:-1]
    wrong = {record["id"] for record in records if record["wrong"]}
    worst = collections.Counter()
    for kind in ("random", "sibling"):
        done, most, over = 0, 0, 0
        while done < cross_pairs:
            a, b = source.sample(names, 2)
            if label[a] == label[b] and a not in wrong and b not in wrong:
                continue
            if kind == "sibling" and (label[a] == label[b] or not sibling(label[a], label[b]) or a in wrong or b in wrong):
                continue
            n = inliers(a, b)
            done, most, over = done + 1, max(most, n), over + (n >= 15)
            worst[(a, b)] = n
        print(f"cross-landmark ({kind}): {done} pairs, at most {most} inliers, {over} with >= 15")
    print("  most:", worst.most_common(5))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder")
    parser.add_argument("--weights")
    parser.add_argument("--groundtruth", default="groundtruth.json")
    parser.add_argument("--size", type=int, default=320)
    parser.add_argument("--cross-pairs", type=int, default=500)
    parser.add_argument("--no-sift", action="store_true")
    args = parser.parse_args()
    if args.weights:
        check_retrieval(args.folder, args.groundtruth, args.weights, args.size)
    if not args.no_sift:
        check_keypoints(args.folder, args.cross_pairs)
