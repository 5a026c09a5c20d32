"""Writes test/golden/weights/: small weight files by the programs that own the formats, and their values as JSON.

Run: /usr/bin/python3 scripts/weight-fixtures.py   (Debian 12: python3-torch 1.13, python3-h5py 3.7, python3-scipy 1.10, python3-sklearn 1.2, python3-protobuf 4.21, protobuf-compiler)
"""
import collections
import json
import os
import subprocess
import sys
import tempfile
import zipfile

import h5py
import numpy as np
import scipy.io
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


CAFFE_PROTO = """
syntax = "proto2"; package caffe;
message BlobShape { repeated int64 dim = 1 [packed = true]; }
message BlobProto {
  optional BlobShape shape = 7;
  repeated float data = 5 [packed = true];
  repeated double double_data = 8 [packed = true];
  optional int32 num = 1; optional int32 channels = 2; optional int32 height = 3; optional int32 width = 4;
}
message LayerParameter {
  optional string name = 1; optional string type = 2; repeated string bottom = 3; repeated string top = 4;
  repeated BlobProto blobs = 7;
}
message V1LayerParameter {
  enum LayerType { NONE = 0; CONVOLUTION = 4; INNER_PRODUCT = 14; RELU = 18; }
  optional string name = 4; optional LayerType type = 5; repeated string bottom = 2; repeated string top = 3;
  repeated BlobProto blobs = 6;
}
message NetParameter {
  optional string name = 1; repeated string input = 3; repeated LayerParameter layer = 100;
  repeated V1LayerParameter layers = 2;
}
"""


def caffe_files():
    """Messages of BVLC's caffe.proto (the fields that hold weights), encoded by protoc and Google's runtime."""
    with tempfile.TemporaryDirectory() as folder:
        with open(os.path.join(folder, "caffe_weights.proto"), "w") as file:
            file.write(CAFFE_PROTO)
        subprocess.run(["protoc", "--python_out", folder, "-I", folder, "caffe_weights.proto"], check=True)
        sys.path.insert(0, folder)
        import caffe_weights_pb2 as caffe

    rng = np.random.default_rng(3)
    numbers = {}

    def blob(layer, value, shape=None, form="float"):
        target = layer.blobs.add()
        if form == "older":
            target.num, target.channels, target.height, target.width = shape or value.shape
        else:
            target.shape.dim.extend(shape or value.shape)
        if form == "double":
            target.double_data.extend(value.ravel().tolist())
        else:
            target.data.extend(value.ravel().tolist())

    net = caffe.NetParameter(name="current")
    net.input.append("data")

    def layer(name, kind, bottom, top):
        return net.layer.add(name=name, type=kind, bottom=[bottom], top=[top])

    weight, bias = rng.normal(size=(4, 3, 3, 3)).astype("f4"), rng.normal(size=4).astype("f4")
    conv = layer("conv1", "Convolution", "data", "conv1")
    blob(conv, weight)
    blob(conv, bias)
    mean, variance = rng.normal(size=4).astype("f4"), rng.uniform(size=4).astype("f4")
    gamma, beta = rng.normal(size=4), rng.normal(size=4)
    norm = layer("bn_conv1", "BatchNorm", "conv1", "conv1")
    blob(norm, mean * np.float32(4))
    blob(norm, variance * np.float32(4))
    blob(norm, np.array([4.0], "f4"))
    scale = layer("scale_conv1", "Scale", "conv1", "conv1")
    blob(scale, gamma, form="double")
    blob(scale, beta, form="double")
    layer("relu", "ReLU", "conv1", "conv1")
    bare = layer("bn_bare", "BatchNorm", "conv1", "bare")
    blob(bare, mean)
    blob(bare, variance)
    blob(bare, np.array([0.0], "f4"))
    fc = layer("fc", "InnerProduct", "bare", "fc")
    blob(fc, weight.reshape(4, 27))
    with open(path("current.caffemodel"), "wb") as file:
        file.write(net.SerializeToString())
    remember(
        "current.caffemodel",
        {
            "conv1.weight": weight,
            "conv1.bias": bias,
            "bn_conv1.running_mean": mean,
            "bn_conv1.running_var": variance,
            "bn_conv1.weight": gamma,
            "bn_conv1.bias": beta,
            "bn_bare.running_mean": mean * 0,
            "bn_bare.running_var": variance * 0,
            "bn_bare.weight": np.ones(4),
            "bn_bare.bias": np.zeros(4),
            "fc.weight": weight.reshape(4, 27),
        },
    )

    old = caffe.NetParameter(name="older")
    conv = old.layers.add(name="conv1_1", type=4, bottom=["data"], top=["conv1_1"])
    blob(conv, weight, form="older")
    blob(conv, bias, (1, 1, 1, 4), "older")
    fc = old.layers.add(name="fc6", type=14, bottom=["conv1_1"], top=["fc6"])
    blob(fc, weight, (1, 1, 4, 27), "older")
    with open(path("older.caffemodel"), "wb") as file:
        file.write(old.SerializeToString())
    remember(
        "older.caffemodel",
        {"conv1_1.weight": weight, "conv1_1.bias": bias, "fc6.weight": weight.reshape(4, 27)},
    )


def matlab_files():
    """MatConvNet's layouts (vl_simplenn, dagnn) in version 5 by scipy, and in 7.3 as Matlab lays it out in HDF5."""
    rng = np.random.default_rng(4)
    f = lambda *shape: rng.normal(size=shape).astype("f4")
    cell = lambda *items: np.array([*items, None], dtype=object)[:-1].reshape(1, -1)
    filters, biases, gamma, beta, mean = f(3, 3, 3, 4), f(1, 4), f(4, 1), f(4, 1), f(4, 1)
    variance = rng.uniform(0.1, 1, size=(4, 1)).astype("f4")
    moments = np.concatenate([mean, np.sqrt(variance + 1e-5)], 1).astype("f4")
    average = rng.uniform(90, 130, size=(2, 2, 3)).astype("f4")
    last = f(1, 1, 4)  # one output: Matlab drops the axis
    simple = cell(
        {"type": "conv", "name": "conv1_1", "weights": cell(filters, biases), "stride": [1, 1]},
        {"type": "bnorm", "name": "bn1", "weights": cell(gamma, beta, moments)},
        {"type": "relu", "name": "relu1"},
        {"type": "conv", "name": "old", "filters": last, "biases": f(1, 1)},
    )
    old_bias = simple[0, 3]["biases"]
    meta = {"normalization": {"averageImage": average, "imageSize": [224, 224, 3]}}
    norm = {
        "bn1.weight": gamma.ravel(),
        "bn1.bias": beta.ravel(),
        "bn1.running_mean": mean.ravel(),
        "bn1.running_var": np.maximum(0, moments[:, 1].astype("f8") ** 2 - 1e-5),
    }
    conv = {"conv1_1.weight": filters.transpose(3, 2, 0, 1), "conv1_1.bias": biases.ravel()}
    old = {"old.weight": last[..., None].transpose(3, 2, 0, 1), "old.bias": old_bias.ravel()}
    average = {"averageImage": average.mean((0, 1))}
    scipy.io.savemat(path("simple.mat"), {"layers": simple, "meta": meta}, do_compression=True)
    remember("simple.mat", {**conv, **norm, **old})
    remember("simple.mat average", average)

    def structs(*rows):
        array = np.zeros((1, len(rows)), dtype=[(key, object) for key in rows[0]])
        for i, row in enumerate(rows):
            array[0, i] = tuple(row.values())
        return array

    dag = {
        "layers": structs(
            {"name": "conv1_1", "type": "dagnn.Conv", "params": cell("conv1_1f", "conv1_1b")},
            {"name": "bn1", "type": "dagnn.BatchNorm", "params": cell("m", "b", "x")},
        ),
        "params": structs(
            *({"name": name, "value": value} for name, value in
              [("conv1_1f", filters), ("conv1_1b", biases), ("m", gamma), ("b", beta), ("x", moments)])
        ),
        "meta": meta,
    }
    scipy.io.savemat(path("dag.mat"), {"net": dag}, do_compression=False)
    remember("dag.mat", {**conv, **norm})

    with h5py.File(path("hdf5.mat"), "w", userblock_size=512) as file:
        refs = file.create_group("#refs#")

        def put(group, name, value):
            if isinstance(value, str):
                data = group.create_dataset(name, data=np.array([[ord(c)] for c in value], "u2"))
                data.attrs["MATLAB_class"] = np.bytes_("char")
            elif isinstance(value, dict):
                inner = group.create_group(name)
                inner.attrs["MATLAB_class"] = np.bytes_("struct")
                for key, item in value.items():
                    put(inner, key, item)
            elif isinstance(value, list):
                targets = []
                for item in value:
                    key = f"r{len(refs)}"
                    put(refs, key, item)
                    targets.append(refs[key].ref)
                data = group.create_dataset(name, data=np.array(targets, dtype=h5py.ref_dtype).reshape(-1, 1))
                data.attrs["MATLAB_class"] = np.bytes_("cell")
            else:
                data = group.create_dataset(name, data=value.T, compression="gzip", chunks=value.T.shape)
                data.attrs["MATLAB_class"] = np.bytes_("single")

        put(
            file,
            "layers",
            [
                {"type": "conv", "name": "conv1_1", "weights": [filters, biases]},
                {"type": "bnorm", "name": "bn1", "weights": [gamma, beta, moments]},
            ],
        )
    with open(path("hdf5.mat"), "r+b") as file:
        file.write(b"MATLAB 7.3 MAT-file".ljust(124) + bytes([0, 2]) + b"IM")
    remember("hdf5.mat", {**conv, **norm})


def retrieval_files():
    """Checkpoints as cnnimageretrieval-pytorch and deep-image-retrieval save them, cut behind the first convolution, and
    the descriptors of one image by the same torch modules in the order of their forward functions."""
    torch.manual_seed(5)
    mean, std = [0.485, 0.456, 0.406], [0.229, 0.224, 0.225]
    pixels = torch.randint(0, 256, (1, 3, 17, 23), generator=torch.Generator().manual_seed(6)).float()
    x = (pixels / 255 - torch.tensor(mean).view(1, 3, 1, 1)) / torch.tensor(std).view(1, 3, 1, 1)
    expected["image"] = {"image": {"shape": [1, 17, 23, 3], "data": pixels.permute(0, 2, 3, 1).ravel().tolist()}}
    nn, F = torch.nn, torch.nn.functional

    def gem(v, p):
        return F.avg_pool2d(v.clamp(min=1e-6).pow(p), (v.size(-2), v.size(-1))).pow(1.0 / p)

    def l2n(v):
        return v / (torch.norm(v, p=2, dim=1, keepdim=True) + 1e-6)

    # cirtorch: features -> pool -> norm -> whiten -> norm
    features = nn.Sequential(nn.Conv2d(3, 64, 3, padding=1), nn.ReLU())
    for parameter in features.parameters():
        parameter.data = parameter.data.half().float()
    p = nn.Parameter(torch.ones(1) * 2.7)
    whiten = nn.Linear(64, 64)
    state = collections.OrderedDict((f"features.{key}", value.half()) for key, value in features.state_dict().items())
    meta = {"architecture": "vgg16", "local_whitening": False, "pooling": "gem", "regional": False, "whitening": True,
            "mean": mean, "std": std, "outputdim": 64}
    m, P = np.random.default_rng(7).normal(size=(64, 1)) * 0.1, np.random.default_rng(8).normal(size=(8, 64))
    meta["Lw"] = {"retrieval-SfM-120k": {"ss": {"m": m, "P": P}}}
    full = collections.OrderedDict(state)
    full["pool.p"] = p
    full["whiten.weight"], full["whiten.bias"] = whiten.weight, whiten.bias
    torch.save({"meta": meta, "state_dict": full, "epoch": 1}, path("cirtorch.pth"))
    pooled = l2n(gem(features(x), p)).squeeze(-1).squeeze(-1)
    remember("cirtorch.pth", {"whiten": l2n(whiten(pooled)).detach().numpy()})
    lw = (torch.tensor(P) @ (pooled.t().double() - torch.tensor(m))).t()
    expected["cirtorch.pth"]["Lw"] = {"shape": [1, 8], "data": l2n(lw).detach().ravel().tolist()}

    # dirtorch: conv1 bn1 relu -> adpool -> fc -> l2, then the PCA of its test program
    trunk = nn.Sequential(nn.Conv2d(3, 64, 7, 2, 3, bias=False), nn.BatchNorm2d(64), nn.ReLU()).eval()
    trunk[0].weight.data = trunk[0].weight.data.half().float()
    trunk[1].running_mean.uniform_(-0.5, 0.5)
    trunk[1].running_var.uniform_(0.5, 2)
    fc = nn.Linear(64, 16)
    state = collections.OrderedDict([("module.conv1.weight", trunk[0].weight.data.half())])
    state.update((f"module.bn1.{key}", value) for key, value in trunk[1].state_dict().items())
    state["module.adpool.p"] = torch.ones(1) * 3.5
    state["module.fc.weight"], state["module.fc.bias"] = fc.weight, fc.bias
    pca = PCA(n_components=8, svd_solver="full", whiten=True)
    pca.fit(np.random.default_rng(9).normal(size=(50, 16)) * np.linspace(0.2, 1, 16))
    torch.save(
        {
            "state_dict": state,
            "model_options": {"arch": "resnet50_rmac", "out_dim": 16, "pooling": "gem", "gemp": 3},
            "preprocess": {"mean": mean, "std": std, "input_size": (3, 224, 224)},
            "pca": {"Landmarks_clean": pca},
        },
        path("dirtorch.pt"),
        _use_new_zipfile_serialization=False,
    )
    y = F.normalize(fc(F.adaptive_avg_pool2d(trunk(x).clamp(min=1e-6).pow(3.5), 1).pow(1 / 3.5).flatten(1)), dim=-1)
    y = y.detach().numpy()
    z = (y - pca.mean_) @ pca.components_.T / pca.explained_variance_**0.25
    remember("dirtorch.pt", {"none": y, "Landmarks_clean": z / np.linalg.norm(z, axis=1, keepdims=True)})


torch_files()
keras_files()
caffe_files()
matlab_files()
retrieval_files()
with open(path("expected.json"), "w") as file:
    json.dump(expected, file)
    file.write("\n")
