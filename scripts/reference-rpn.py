#!/usr/bin/env python3
"""Reference values for test/rpn from torchvision: writes test/golden/rpn.json.

    python3 scripts/reference-rpn.py

Boxes are drawn in whole and half pixels, so that float32 holds them exactly. Rows are x1, y1, x2, y2 as torchvision has them."""
import json
from pathlib import Path

import numpy as np
import torch
import torchvision
from torchvision.models.detection import _utils

rng = np.random.default_rng(7)


def boxes(count, size=320.0):
    start = np.round(rng.uniform(0, size * 0.6, (count, 2)) * 2) / 2
    sides = np.round(rng.uniform(20, size * 0.4, (count, 2)) * 2) / 2
    return torch.tensor(np.concatenate([start, start + sides], 1), dtype=torch.float32)


anchors, targets = boxes(160), boxes(4)
scores = torch.tensor(rng.permutation(160).astype(np.float32))
order = scores.argsort(descending=True)
overlap = torchvision.ops.box_iou(targets, anchors)
matches = _utils.Matcher(0.7, 0.3, allow_low_quality_matches=True)(overlap)
labels = torch.where(matches >= 0, 1, torch.where(matches == -1, 0, -1))
coder = _utils.BoxCoder((1.0, 1.0, 1.0, 1.0))
matched = targets[overlap.argmax(0)]
deltas = coder.encode([matched], [anchors])[0]
noise = torch.tensor(rng.normal(0, 0.5, (160, 4)), dtype=torch.float32)
decoded = coder.decode(noise, [anchors])[:, 0]

odds = torch.tensor(rng.normal(0, 2, 12), dtype=torch.float32)
wanted = torch.tensor(rng.integers(0, 2, 12), dtype=torch.float32)
difference = torch.tensor(rng.normal(0, 0.3, (12, 4)), dtype=torch.float32)
zeros = torch.zeros_like(difference)
result = {
    "provenance": f"scripts/reference-rpn.py, torch {torch.__version__}, torchvision {torchvision.__version__}",
    "anchors": anchors.tolist(),
    "targets": targets.tolist(),
    "scores": scores.tolist(),
    "labels": labels.tolist(),
    "bestTarget": overlap.argmax(0).tolist(),
    "bestOverlap": overlap.max(0).values.tolist(),
    "kept": {t: torchvision.ops.nms(anchors, scores, float(t)).tolist() for t in ("0.3", "0.5", "0.7")},
    "order": order.tolist(),
    "deltas": deltas.tolist(),
    "noise": noise.tolist(),
    "decoded": decoded.tolist(),
    "odds": odds.tolist(),
    "wanted": wanted.tolist(),
    "logLoss": torch.nn.functional.binary_cross_entropy_with_logits(odds, wanted).item(),
    "difference": difference.tolist(),
    "smoothL1": torch.nn.functional.smooth_l1_loss(difference, zeros, beta=1 / 9, reduction="none").tolist(),
}
path = Path(__file__).parent.parent / "test" / "golden" / "rpn.json"
path.write_text(json.dumps(result) + "\n")
