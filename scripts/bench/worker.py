"""The peer's side of a benchmark: the same network, pass and protocol in PyTorch (see worker.ts)."""
import json
import resource
import sys
import time

import torch
import torchvision

network, which, height, width, threads = sys.argv[1], sys.argv[2], *map(int, sys.argv[3:6])
device = sys.argv[6] if len(sys.argv) > 6 else "cpu"
torch.set_num_threads(threads)
torch.manual_seed(1)
if network == "resnet50":
    trunk = torch.nn.Sequential(*list(torchvision.models.resnet50().children())[:-2])
elif network == "densenet121":
    trunk = torch.nn.Sequential(torchvision.models.densenet121().features, torch.nn.ReLU())
elif network == "vgg16":
    trunk = torchvision.models.vgg16().features[:-1]
elif network == "mobilenet-v2":
    trunk = torchvision.models.mobilenet_v2().features
else:
    sys.exit(f"unknown network {network}")
trunk.eval().to(device)
mean = torch.tensor([0.485, 0.456, 0.406]).view(1, 3, 1, 1).to(device)
std = torch.tensor([0.229, 0.224, 0.225]).view(1, 3, 1, 1).to(device)


def once():
    x = torch.rand(1, 3, height, width) * 255
    start = time.perf_counter()
    x = (x.to(device) / 255 - mean) / std
    if which == "forward":
        with torch.inference_mode():
            trunk(x).cpu()  # our side reads the map too
    else:
        trunk.zero_grad(set_to_none=True)
        loss = trunk(x).mean()
        loss.backward()
        loss.item()
    if device == "cuda":
        torch.cuda.synchronize()
    return (time.perf_counter() - start) * 1000


print(json.dumps("ready"), flush=True)
for line in sys.stdin:
    command, *rest = line.split()
    if command == "run":
        print(json.dumps([once() for _ in range(int(rest[0]))]), flush=True)
    else:
        print(json.dumps({"peakMB": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024}), flush=True)
        break
