"""Writes test/golden/weights/: small weight files by the programs that own the formats, and their values as JSON.

Run: /usr/bin/python3 scripts/weight-fixtures.py   (Debian 12: python3-torch 1.13, python3-sklearn 1.2, python3-numpy)
"""
import collections
import io
import json
import os
import pickle
import struct
import zipfile

import numpy as np
import torch
from sklearn.decomposition import PCA

OUT = os.path.join(os.path.dirname(__file__), "..", "test", "golden", "weights")
os.makedirs(OUT, exist_ok=True)
expected = {}


def path(name):
    return os.path.join(OUT, name)


def remember(name, tensors):
    expected[name] = {
        key: {"shape": list(np.shape(value)), "data": np.asarray(value, dtype="f8").astype("f4").ravel().tolist()}
        for key, value in tensors.items()
    }


def torch_files():
    torch.manual_seed(1)
    base = torch.randn(4, 6)
    state = collections.OrderedDict(
        [
            ("float", torch.randn(2, 3, 1, 2)),
            ("half", torch.randn(3).half()),
            ("bfloat16", torch.randn(3).bfloat16()),
            ("double", torch.randn(2, 2).double()),
            ("long", torch.tensor(7)),
            ("int8", torch.tensor([-1, 2], dtype=torch.int8)),
            ("bool", torch.tensor([True, False])),
            ("transposed", base.t()),
            ("slice", base[1:3, ::2]),
            ("empty", torch.zeros(0, 3)),
        ]
    )
    state["parameter"] = torch.nn.Parameter(torch.randn(2))
    numbers = {key: value.detach().float().numpy() for key, value in state.items()}
    torch.save(state, path("zip.pth"))
    torch.save(state, path("legacy.pth"), _use_new_zipfile_serialization=False)
    torch.save({"epoch": 3, "state_dict": state, "best": 0.5}, path("wrapped.pth.tar"), pickle_protocol=4)
    with zipfile.ZipFile(path("zip.pth")) as source, zipfile.ZipFile(path("deflated.pth"), "w", zipfile.ZIP_DEFLATED) as to:
        for name in source.namelist():
            to.writestr(zipfile.ZipInfo(name), source.read(name), zipfile.ZIP_DEFLATED)
    for name in ["zip.pth", "legacy.pth", "wrapped.pth.tar", "deflated.pth"]:
        remember(name, numbers)

    class Evil:
        def __reduce__(self):
            return os.system, ("touch /tmp/pwned",)

    torch.save({"state_dict": state, "hook": Evil()}, path("calls.pth"))
    torch.save(torch.nn.Conv2d(1, 1, 1), path("module.pth"))


torch_files()
with open(path("expected.json"), "w") as file:
    json.dump(expected, file)
    file.write("\n")
