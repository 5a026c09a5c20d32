"""The peer's side of bench:update in PyTorch: describe all images without a graph, the loss's gradient by every descriptor, then
each image forward and backward against its share, and one step of SGD (see update-worker.ts)."""
import json
import math
import resource
import sys
import time

import torch
import torchvision

triplets, height, width, threads = map(int, sys.argv[1:5])
device = sys.argv[5] if len(sys.argv) > 5 else "cpu"
torch.set_num_threads(threads)
torch.manual_seed(1)
resnet = torchvision.models.resnet50()
for name, weight in resnet.named_parameters():
    if name.endswith("bn3.weight"):
        torch.nn.init.constant_(weight, 0.2)  # as ranking-parts.ts, which says why
trunk = torch.nn.Sequential(*list(resnet.children())[:-2]).eval().to(device)
optimizer = torch.optim.SGD(trunk.parameters(), lr=1e-6, momentum=0.9, weight_decay=5e-5)
mean = torch.tensor([0.485, 0.456, 0.406]).view(1, 3, 1, 1).to(device)
std = torch.tensor([0.229, 0.224, 0.225]).view(1, 3, 1, 1).to(device)
pictures = [torch.randint(0, 256, (1, 3, height, width), dtype=torch.uint8).to(device) for _ in range(8)]


def regions(h, w, levels=3):
    """Rigid grid of Tolias et al. 2016."""
    steps = torch.tensor([2, 3, 4, 5, 6, 7], dtype=torch.float32)
    side = min(h, w)
    b = (max(h, w) - side) / (steps - 1)
    best = int(torch.argmin(torch.abs((side**2 - side * b) / side**2 - 0.4)))
    extra_h, extra_w = (best + 1, 0) if h > w else ((0, best + 1) if w > h else (0, 0))
    for level in range(1, levels + 1):
        size = math.floor(2 * side / (level + 1))
        rows, columns = level + extra_h, level + extra_w
        for y in range(rows):
            for x in range(columns):
                top = math.floor(y * (h - size) / (rows - 1)) if rows > 1 else 0
                left = math.floor(x * (w - size) / (columns - 1)) if columns > 1 else 0
                yield top, left, size


def describe(picture):
    maps = trunk((picture.float() / 255 - mean) / std)
    pooled = [maps[:, :, y : y + s, x : x + s].amax((2, 3)) for y, x, s in regions(*maps.shape[2:])]
    rows = torch.nn.functional.normalize(torch.stack(pooled, 1), dim=-1)
    return torch.nn.functional.normalize(rows.sum(1), dim=-1)


def update():
    start, cpu_start = time.perf_counter(), time.process_time()
    optimizer.zero_grad(set_to_none=False)
    images = [pictures[i % 8] for i in range(3 * triplets)]
    with torch.inference_mode():
        descriptors = torch.cat([describe(image) for image in images])
    rows = descriptors.clone().requires_grad_()
    q, p, n = rows[0::3], rows[1::3], rows[2::3]
    loss = 0.5 * torch.relu(4 + ((q - p) ** 2).sum(-1) - ((q - n) ** 2).sum(-1)).mean()
    loss.backward()
    for image, share in zip(images, rows.grad):
        (describe(image) * share).sum().backward()
    optimizer.step()
    if device == "cuda":
        torch.cuda.synchronize()
    return {"ms": (time.perf_counter() - start) * 1000, "cpuMs": (time.process_time() - cpu_start) * 1000}


print(json.dumps("ready"), flush=True)
for line in sys.stdin:
    command, *rest = line.split()
    if command == "run":
        print(json.dumps([update() for _ in range(int(rest[0]))]), flush=True)
    else:
        print(json.dumps({"peakMB": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024}), flush=True)
        break
