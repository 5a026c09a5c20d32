#!/usr/bin/env python3
"""Reference maps of networks with seeded random weights: writes test/golden/torchvision.*.

The networks are torchvision's; what it does not have (Krizhevsky's AlexNet of Caffe, MobileNet of Keras) is written out here
in single operations from the frameworks' own definitions.

Weights and image come from an integer hash that test/models/torchvision.test.ts computes too, so nothing large is stored.
Per network and size: sum, sum of squares and positional sum of the last map; for the first size also, per channel,
maximum, mean and mean weighted by position, float32 rows of a .npy file.

Needs PyTorch, torchvision and numpy (Debian: python3-torch python3-torchvision). Run from the project root:

    /usr/bin/python3 scripts/reference-torchvision.py [NETWORK...]
"""
import json
import os
import sys

import numpy
import torch
import torchvision

SIZES = [(97, 131), (75, 64)]  # height, width
WIDE = [(97, 131), (75, 545)]  # positions of a transformer both shrink and grow
RGB_MEAN, RGB_STD = [0.485, 0.456, 0.406], [0.229, 0.224, 0.225]
BGR_MEAN = [103.939, 116.779, 123.68]
BVLC_MEAN = [104.00698793, 116.66876762, 122.67891434]


def uniform(name, count):
    """count float64 values in [-1, 1): FNV-1a of the name, plus a golden-ratio stride, through the lowbias32 mixer."""
    seed = 0x811C9DC5
    for byte in name.encode():
        seed = ((seed ^ byte) * 0x01000193) & 0xFFFFFFFF
    x = (numpy.arange(count, dtype=numpy.uint64) * 0x9E3779B9 + seed).astype(numpy.uint32)
    x ^= x >> numpy.uint32(16)
    x *= numpy.uint32(0x7FEB352D)
    x ^= x >> numpy.uint32(15)
    x *= numpy.uint32(0x846CA68B)
    x ^= x >> numpy.uint32(16)
    return x.astype(numpy.float64) / 2**31 - 1


def value(name, shape):
    """Tensor by its name in its framework: He-uniform kernels, positive variances, gamma around 1, small shifts."""
    u = uniform(name, int(numpy.prod(shape))).reshape(shape)
    if name.endswith("depthwise_kernel"):  # [height, width, in, 1]
        u = u * numpy.sqrt(6 / numpy.prod(shape[:2]))
    elif name.endswith("/kernel"):  # [height, width, in, out]
        u = u * numpy.sqrt(6 / numpy.prod(shape[:3]))
    elif len(shape) in (2, 4):  # [out, in], [out, in, height, width]
        u = u * numpy.sqrt(6 / numpy.prod(shape[1:]))
    elif name.endswith(("layer_scale", ".gamma")):
        u = u / 2 + 0.5
    elif name.endswith(("running_var", "moving_variance")):
        u = 1 + u / 2
    elif name.endswith((".weight", "/gamma")):
        u = 1 + u / 4
    else:
        u = u / 10
    return torch.from_numpy(u.astype(numpy.float32))


def image(height, width):
    return numpy.floor((uniform(f"image {height}x{width}", height * width * 3).reshape(height, width, 3) + 1) * 128)


def fill(net, rename=lambda name: name):
    for name, tensor in net.state_dict().items():
        if tensor.dtype == torch.float32:
            tensor.copy_(value(rename(name), tuple(tensor.shape)))
    return net.eval()


def densenet(build):
    net = fill(build())
    return lambda x: torch.relu(net.features(x))


def features(build, layers):
    net = fill(build())
    return lambda x: net.features[:layers](x)


def convnext(build):
    """All stages, and the layer norm of the classifier in every cell."""
    net = fill(build())
    return lambda x: net.classifier[0](net.features(x))


def interpolated(position, height, width, antialias):
    """[1, 1 + N, C] for a map of height x width patches: DINOv2's interpolate_pos_encoding, with registers and without."""
    side = int((position.shape[1] - 1) ** 0.5)
    if height == width == side:
        return position
    if antialias:
        size = {"size": (height, width)}
    else:
        size = {"scale_factor": (float(height + 0.1) / side, float(width + 0.1) / side)}
    grid = position[:, 1:].reshape(1, side, side, -1).permute(0, 3, 1, 2)
    grid = torch.nn.functional.interpolate(grid, mode="bicubic", antialias=antialias, **size)
    assert grid.shape[2:] == (height, width)
    return torch.cat((position[:, :1], grid.flatten(2).transpose(1, 2)), 1)


def vit_torchvision(build):
    """Its modules, on images of any size."""
    net = fill(build())

    def run(x):
        patches = net.conv_proj(x)
        height, width = patches.shape[2:]
        tokens = torch.cat((net.class_token, patches.flatten(2).transpose(1, 2)), 1)
        tokens = tokens + interpolated(net.encoder.pos_embedding, height, width, False)
        tokens = net.encoder.ln(net.encoder.layers(tokens))
        return tokens[:, 1:].transpose(1, 2).reshape(1, -1, height, width)

    return run


def vit(channels, patch, side, scaled, registers=0, part="patches"):
    """The network of DINO and DINOv2 (vision_transformer.py), small or base, in single operations."""
    F = torch.nn.functional
    heads = channels // 64

    def norm(x, name):
        shape = (channels,)
        return F.layer_norm(x, shape, value(f"{name}.weight", shape), value(f"{name}.bias", shape), 1e-6)

    def linear(x, name, out):
        return F.linear(x, value(f"{name}.weight", (out, x.shape[-1])), value(f"{name}.bias", (out,)))

    def scale(x, name):
        return x * value(f"{name}.gamma", (channels,)) if scaled else x

    def attention(x, name):
        query, key, content = linear(x, f"{name}.qkv", 3 * channels).reshape(-1, 3, heads, 64).permute(1, 2, 0, 3)
        shares = torch.softmax(query @ key.transpose(1, 2) / 8, -1)
        return linear((shares @ content).transpose(0, 1).reshape(1, -1, channels), f"{name}.proj", channels)

    def run(x):
        weight = value("patch_embed.proj.weight", (channels, 3, patch, patch))
        patches = F.conv2d(x, weight, value("patch_embed.proj.bias", (channels,)), stride=patch)
        height, width = patches.shape[2:]
        x = torch.cat((value("cls_token", (1, 1, channels)), patches.flatten(2).transpose(1, 2)), 1)
        x = x + interpolated(value("pos_embed", (1, 1 + side**2, channels)), height, width, registers > 0)
        if registers:
            x = torch.cat((x[:, :1], value("register_tokens", (1, registers, channels)), x[:, 1:]), 1)
        for i in range(12):
            name = f"blocks.{i}"
            x = x + scale(attention(norm(x, f"{name}.norm1"), f"{name}.attn"), f"{name}.ls1")
            inner = F.gelu(linear(norm(x, f"{name}.norm2"), f"{name}.mlp.fc1", 4 * channels))
            x = x + scale(linear(inner, f"{name}.mlp.fc2", channels), f"{name}.ls2")
        x = norm(x, "norm").transpose(1, 2)
        if part == "class":
            return x[:, :, :1, None]
        return x[:, :, 1 + registers :].reshape(1, channels, height, width)

    return run


def resnet_trunk(net, pad_stem=lambda x: x):
    def run(x):
        x = net.maxpool(torch.relu(net.bn1(net.conv1(pad_stem(x)))))
        return net.layer4(net.layer3(net.layer2(net.layer1(x))))

    return run


def resnet_keras(epsilon, build=torchvision.models.resnet50):
    """torchvision's ResNet changed into Keras': stride in the first 1x1, biases, another epsilon."""
    net = build()
    for module in net.modules():
        if isinstance(module, torchvision.models.resnet.Bottleneck):
            module.conv1.stride, module.conv2.stride = module.conv2.stride, (1, 1)
        if isinstance(module, torch.nn.Conv2d):
            module.bias = torch.nn.Parameter(torch.zeros(module.out_channels))
        if isinstance(module, torch.nn.BatchNorm2d):
            module.eps = epsilon
    return fill(net)


def resnet_old_keras():
    """TensorFlow's "same" padding in conv1 and no padding in the pool."""
    net = resnet_keras(1e-3)
    net.conv1.padding = (0, 0)
    net.maxpool.padding = 0

    def same(length):
        total = max((-(-length // 2) - 1) * 2 + 7 - length, 0)
        return total // 2, total - total // 2

    return resnet_trunk(net, lambda x: torch.nn.functional.pad(x, (*same(x.shape[3]), *same(x.shape[2]))))


def resnet_caffe(build, numbered):
    """torchvision's ResNet changed into Caffe's: stride in the first 1x1, a pool that rounds up, Caffe's names."""
    net = build()
    for module in net.modules():
        if isinstance(module, torchvision.models.resnet.Bottleneck):
            module.conv1.stride, module.conv2.stride = module.conv2.stride, (1, 1)
    net.maxpool = torch.nn.MaxPool2d(3, 2, ceil_mode=True)
    if not numbered:  # ResNet-50
        net.conv1.bias = torch.nn.Parameter(torch.zeros(64))

    def rename(name):
        *path, suffix = name.split(".")
        if len(path) == 1:  # conv1, bn1, fc
            return {"bn1": "bn_conv1"}.get(path[0], path[0]) + "." + suffix
        stage, block, part = int(path[0][5:]) + 1, int(path[1]), path[2:]
        letter = f"b{block}" if numbered and stage in (3, 4) and block > 0 else "abcdef"[block]
        if part[0] == "downsample":
            return f"{('res', 'bn')[int(part[1])]}{stage}{letter}_branch1.{suffix}"
        kind = "res" if part[0].startswith("conv") else "bn"
        return f"{kind}{stage}{letter}_branch2{'abc'[int(part[0][-1]) - 1]}.{suffix}"

    return resnet_trunk(fill(net, rename))


def alexnet_caffe(x):
    """bvlc_alexnet up to pool5."""
    F = torch.nn.functional

    def conv(x, name, out, size, groups=1, **options):
        weight = value(f"{name}.weight", (out, x.shape[1] // groups, size, size))
        return torch.relu(F.conv2d(x, weight, value(f"{name}.bias", (out,)), groups=groups, **options))

    def response_norm(x, size=5, alpha=1e-4, beta=0.75):
        squares = F.pad(x * x, (0, 0, 0, 0, size // 2, size // 2))
        total = sum(squares[:, i : i + x.shape[1]] for i in range(size))
        return x / (1 + alpha / size * total) ** beta

    def pool(x):
        return F.max_pool2d(x, 3, 2, ceil_mode=True)

    x = pool(response_norm(conv(x, "conv1", 96, 11, stride=4)))
    x = pool(response_norm(conv(x, "conv2", 256, 5, groups=2, padding=2)))
    x = conv(x, "conv3", 384, 3, padding=1)
    x = conv(x, "conv4", 384, 3, groups=2, padding=1)
    return pool(conv(x, "conv5", 256, 3, groups=2, padding=1))


def mobilenet_keras(x):
    """keras_applications.mobilenet, alpha 1, without top: weights as Keras stores them."""
    F = torch.nn.functional

    def norm_relu6(x, name):
        shape = (x.shape[1],)
        x = F.batch_norm(
            x,
            value(f"{name}_bn/moving_mean", shape),
            value(f"{name}_bn/moving_variance", shape),
            value(f"{name}_bn/gamma", shape),
            value(f"{name}_bn/beta", shape),
            eps=1e-3,
        )
        return torch.clamp(x, 0, 6)

    def conv(x, name, out, size, **options):
        kernel = value(f"{name}/kernel", (size, size, x.shape[1], out))
        return norm_relu6(F.conv2d(x, kernel.permute(3, 2, 0, 1), **options), name)

    def depthwise(x, name, stride):
        channels = x.shape[1]
        kernel = value(f"{name}/depthwise_kernel", (3, 3, channels, 1)).permute(2, 3, 0, 1)
        if stride == 1:
            x = F.conv2d(x, kernel, groups=channels, padding=1)
        else:
            x = F.conv2d(F.pad(x, (0, 1, 0, 1)), kernel, groups=channels, stride=2)
        return norm_relu6(x, name)

    x = conv(F.pad(x, (0, 1, 0, 1)), "conv1", 32, 3, stride=2)
    blocks = [(64, 1), (128, 2), (128, 1), (256, 2), (256, 1), (512, 2)] + 5 * [(512, 1)] + [(1024, 2), (1024, 1)]
    for i, (out, stride) in enumerate(blocks, 1):
        x = conv(depthwise(x, f"conv_dw_{i}", stride), f"conv_pw_{i}", out, 1)
    return x


models = torchvision.models
NETWORKS = {
    "convnext-tiny": ("torch", lambda: convnext(models.convnext_tiny)),
    "convnext-small": ("torch", lambda: convnext(models.convnext_small)),
    **{
        f"efficientnet-b{i}-tv": ("torch", lambda build=build: features(build, 9))
        for i, build in enumerate(
            [models.efficientnet_b0, models.efficientnet_b1, models.efficientnet_b2, models.efficientnet_b3]
        )
    },
    "alexnet": ("bvlc", lambda: alexnet_caffe),
    "alexnet-tv": ("torch", lambda: features(models.alexnet, 12)),
    "mobilenet": ("tf", lambda: mobilenet_keras),
    "mobilenet-v2-tv": ("torch", lambda: features(models.mobilenet_v2, 19)),
    "densenet121": ("torch", lambda: densenet(models.densenet121)),
    "densenet169": ("torch", lambda: densenet(models.densenet169)),
    "densenet201": ("torch", lambda: densenet(models.densenet201)),
    "vgg16": ("torch", lambda: features(models.vgg16, 30)),
    "vgg16-pool5": ("torch", lambda: features(models.vgg16, 31)),
    "vgg19": ("torch", lambda: features(models.vgg19, 36)),
    "resnet18-tv": ("torch", lambda: resnet_trunk(fill(models.resnet18()))),
    "resnet34-tv": ("torch", lambda: resnet_trunk(fill(models.resnet34()))),
    "resnet50-tv": ("torch", lambda: resnet_trunk(fill(models.resnet50()))),
    "resnet101-tv": ("torch", lambda: resnet_trunk(fill(models.resnet101()))),
    "resnet152-tv": ("torch", lambda: resnet_trunk(fill(models.resnet152()))),
    "resnet50-keras": ("caffe", lambda: resnet_trunk(resnet_keras(1.001e-5))),
    "resnet101-keras": ("caffe", lambda: resnet_trunk(resnet_keras(1.001e-5, models.resnet101))),
    "resnet50-caffe": ("caffe", lambda: resnet_caffe(models.resnet50, numbered=False)),
    "resnet101-caffe": ("caffe", lambda: resnet_caffe(models.resnet101, numbered=True)),
    "resnet50": ("caffe", resnet_old_keras),
    "vit-s16": ("torch", lambda: vit(384, 16, 14, False)),
    "vit-b16": ("torch", lambda: vit_torchvision(models.vit_b_16)),
    "dinov2-s14": ("torch", lambda: vit(384, 14, 37, True)),
    "dinov2-s14-reg": ("torch", lambda: vit(384, 14, 37, True, 4)),
    "dinov2-s14-reg-class": ("torch", lambda: vit(384, 14, 37, True, 4, "class")),
    "dinov2-b14-reg": ("torch", lambda: vit(768, 14, 37, True, 4)),
}


def preprocess(pixels, kind):
    if kind == "torch":
        x = (pixels / 255 - RGB_MEAN) / RGB_STD
    elif kind == "tf":
        x = pixels / 127.5 - 1
    else:
        x = pixels[:, :, ::-1] - (BVLC_MEAN if kind == "bvlc" else BGR_MEAN)
    return torch.from_numpy(numpy.ascontiguousarray(x.transpose(2, 0, 1)[None]).astype(numpy.float32))


def main():
    torch.set_num_threads(2)
    torch.manual_seed(0)
    folder = os.path.join(os.path.dirname(__file__), "..", "test", "golden")
    os.makedirs(folder, exist_ok=True)
    report = {
        "command": "python3 scripts/reference-torchvision.py",
        "python": sys.version.split()[0],
        "torch": torch.__version__,
        "torchvision": torchvision.__version__,
        "networks": {},
    }
    if len(sys.argv) > 1:
        with open(os.path.join(folder, "torchvision.json")) as file:
            report["networks"] = json.load(file)["networks"]
    for name, (kind, build) in NETWORKS.items():
        if len(sys.argv) > 1 and name not in sys.argv:
            continue
        run = build()
        sizes = []
        for i, (height, width) in enumerate(WIDE if name.startswith(("vit", "dino")) else SIZES):
            with torch.no_grad():
                m = run(preprocess(image(height, width), kind))[0].double().numpy()  # [C, h, w]
            channels, rows, columns = m.shape
            position = (numpy.arange(rows * columns).reshape(rows, columns) + 1) / (rows * columns)
            sizes.append({
                "image": [height, width],
                "map": [rows, columns, channels],
                "sum": m.sum(),
                "sumOfSquares": (m * m).sum(),
                "positionalSum": (m * position).sum(),
            })
            if i == 0:
                table = numpy.stack([m.max((1, 2)), m.mean((1, 2)), (m * position).mean((1, 2))]).astype(numpy.float32)
                numpy.save(os.path.join(folder, f"torchvision.{name}.npy"), table)
        report["networks"][name] = sizes
    with open(os.path.join(folder, "torchvision.json"), "w") as file:
        json.dump(report, file, indent=1)
        file.write("\n")


main()
