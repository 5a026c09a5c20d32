"""Writes test/golden/classifier.json: torchvision's layout of fully connected layers behind a map, in small, by torch itself.

Weights and maps are sines of their index, so that the test makes them again; only outputs are stored.

  /usr/bin/python3 scripts/reference-classifier.py
"""
import json
import math
import torch
from torch import nn


def wave(shape, scale, phase):
    values = [scale * math.sin(phase + 2.3 * i) for i in range(math.prod(shape))]
    return torch.tensor(values, dtype=torch.float32).reshape(shape)


def scores(classifier, channels, height, width):
    """`classifier` as torchvision's VGG or AlexNet have it, on one map of [channels, height, width]."""
    state = classifier.state_dict()
    for i, (name, value) in enumerate(state.items()):
        state[name] = wave(value.shape, 0.1, i)
    classifier.load_state_dict(state)
    x = wave((1, channels, height, width), 1.0, 9)
    with torch.no_grad():
        return classifier.eval()(torch.flatten(x, 1))[0].tolist()


def vgg(inputs):
    return nn.Sequential(
        nn.Linear(inputs, 8), nn.ReLU(), nn.Dropout(), nn.Linear(8, 5), nn.ReLU(), nn.Dropout(), nn.Linear(5, 4)
    )


def alexnet(inputs):
    return nn.Sequential(
        nn.Dropout(), nn.Linear(inputs, 8), nn.ReLU(), nn.Dropout(), nn.Linear(8, 5), nn.ReLU(), nn.Linear(5, 4)
    )


golden = {
    'torch': torch.__version__,
    'vgg16': {'map': [512, 2, 3], 'scores': scores(vgg(512 * 6), 512, 2, 3)},
    'alexnet-tv': {'map': [256, 3, 2], 'scores': scores(alexnet(256 * 6), 256, 3, 2)},
}
with open('test/golden/classifier.json', 'w') as file:
    json.dump(golden, file)
    file.write('\n')
