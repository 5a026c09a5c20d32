"""The peer's side of extract.ts: a JSON list of paths a line -> milliseconds to decode, resize and describe them."""
import json
import sys
import time

import torch
import torchvision
from PIL import Image

longest, threads = int(sys.argv[1]), int(sys.argv[2])
torch.set_num_threads(threads)
trunk = torch.nn.Sequential(torchvision.models.densenet121().features, torch.nn.ReLU()).eval()
mean = torch.tensor([0.485, 0.456, 0.406]).view(3, 1, 1)
std = torch.tensor([0.229, 0.224, 0.225]).view(3, 1, 1)


class Photographs(torch.utils.data.Dataset):
    def __init__(self, paths):
        self.paths = paths

    def __len__(self):
        return len(self.paths)

    def __getitem__(self, i):
        image = Image.open(self.paths[i]).convert("RGB")
        scale = longest / max(image.size)
        image = image.resize([max(1, round(side * scale)) for side in image.size], Image.BILINEAR)
        return (torchvision.transforms.functional.to_tensor(image) - mean) / std


print(json.dumps("ready"), flush=True)
for line in sys.stdin:
    start = time.perf_counter()
    loader = torch.utils.data.DataLoader(Photographs(json.loads(line)), batch_size=1, num_workers=1)
    with torch.inference_mode():
        for x in loader:
            torch.nn.functional.normalize(trunk(x).amax((2, 3)))
    print(json.dumps((time.perf_counter() - start) * 1000), flush=True)
