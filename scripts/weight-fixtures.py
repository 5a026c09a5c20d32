"""Writes test/golden/weights/: small weight files by the programs that own the formats, and their values as JSON.

Run: /usr/bin/python3 scripts/weight-fixtures.py   (Debian 12: python3-torch 1.13, python3-h5py 3.7, python3-sklearn 1.2, python3-numpy)
"""
import collections
import io
import json
import os
import pickle
import struct
import zipfile

import h5py
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


def keras_files():
    """The layouts of Keras' save_weights and model.save (keras/saving/hdf5_format.py), written by h5py."""
    rng = np.random.default_rng(2)
    layers = {
        "input_1": {},
        "conv1": {"kernel:0": rng.normal(size=(3, 3, 3, 4)), "bias:0": rng.normal(size=4)},
        "bn_conv1": {
            "gamma:0": rng.normal(size=4),
            "beta:0": rng.normal(size=4),
            "moving_mean:0": rng.normal(size=4),
            "moving_variance:0": rng.uniform(size=4),
        },
    }

    def save(group, dtype="f4", **options):
        names = [name.encode() for name in layers]
        group.attrs["layer_names"] = names
        group.attrs["backend"] = "tensorflow"
        group.attrs["keras_version"] = np.bytes_("2.11.0")
        for layer, weights in layers.items():
            inner = group.create_group(layer)
            inner.attrs["weight_names"] = [f"{layer}/{name}".encode() for name in weights]
            for name, value in weights.items():
                inner.create_dataset(f"{layer}/{name}", data=value.astype(dtype), **options)

    numbers = {f"{layer}/{name[:-2]}": value for layer, weights in layers.items() for name, value in weights.items()}
    with h5py.File(path("save_weights.h5"), "w") as file:
        save(file)
    with h5py.File(path("model_save.h5"), "w") as file:
        file.attrs["model_config"] = "{}"
        save(file.create_group("model_weights"), "f8")
        file.create_group("optimizer_weights").attrs["weight_names"] = [b"Adam/m:0"]
    with h5py.File(path("chunked.h5"), "w") as file:
        save(file, ">f4", compression="gzip", shuffle=True, chunks=True, fletcher32=True)
    with h5py.File(path("half_chunks.h5"), "w") as file:
        file.attrs["layer_names"] = ["w"]  # texts of variable length
        group = file.create_group("w")
        group.attrs["weight_names"] = ["w/kernel:0"]
        half = rng.normal(size=(5, 7)).astype("f2")
        group.create_dataset("w/kernel:0", data=half, chunks=(2, 3), compression="gzip")
    with h5py.File(path("keras1.h5"), "w") as file:
        file.attrs["layer_names"] = [b"block1_conv1", b"bn_conv1"]
        old = {"block1_conv1": ["W_1", "b_1"], "bn_conv1": ["gamma", "beta", "running_mean", "running_std"]}
        for layer, kinds in old.items():
            group = file.create_group(layer)
            group.attrs["weight_names"] = [f"{layer}_{kind}:0".encode() for kind in kinds]
            for i, kind in enumerate(kinds):
                group.create_dataset(f"{layer}_{kind}:0", data=np.full((1, 2), i, "f4"))
    remember(
        "keras1.h5",
        {
            "block1_conv1/kernel": [[0, 0]],
            "block1_conv1/bias": [[1, 1]],
            "bn_conv1/gamma": [[0, 0]],
            "bn_conv1/beta": [[1, 1]],
            "bn_conv1/moving_mean": [[2, 2]],
            "bn_conv1/moving_variance": [[3, 3]],
        },
    )
    remember("save_weights.h5", {key: value.astype("f4") for key, value in numbers.items()})
    remember("model_save.h5", numbers)
    remember("chunked.h5", numbers)
    remember("half_chunks.h5", {"w/kernel": half})


torch_files()
keras_files()
with open(path("expected.json"), "w") as file:
    json.dump(expected, file)
    file.write("\n")
