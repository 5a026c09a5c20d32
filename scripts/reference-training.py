"""Writes test/golden/training.json: losses and gradients by PyTorch's automatic differentiation, and updates by its Adam.

    python3 scripts/reference-training.py
"""
import json
import pathlib

import torch

torch.manual_seed(7)
torch.set_default_dtype(torch.float64)


def unit(*shape):
    x = torch.nn.functional.normalize(torch.randn(*shape), dim=-1).float().double()
    return x.requires_grad_()


def contrastive(a, b, matching, margin):
    # Radenovic et al. 2018, eq. 3; sums and epsilon as in the published code.
    distance = ((a - b + 1e-6) ** 2).sum(-1).sqrt()
    near = 0.5 * matching * distance**2
    far = 0.5 * (1 - matching) * torch.clamp(margin - distance, min=0) ** 2
    return (near + far).sum()


def average_precision(similarities, relevant, bins):
    # Revaud et al. 2019, eq. 6-9, with the two straight halves of each triangle as the published code has them.
    slope = bins - 1
    k = torch.arange(bins, dtype=torch.float64).view(1, bins, 1)
    x = similarities.unsqueeze(1)
    falling = -slope * x + (bins - k)
    rising = slope * x + (2 - bins + k)
    falling = torch.where(k == 0, torch.ones_like(falling), falling)
    rising = torch.where(k == bins - 1, torch.ones_like(rising), rising)
    q = torch.minimum(falling, rising).clamp(min=0)  # [Q, B, N]
    count = q.sum(-1)
    positive = (q * relevant.unsqueeze(1)).sum(-1)
    precision = positive.cumsum(-1) / (1e-16 + count.cumsum(-1))
    recall = positive / positive.sum(-1, keepdim=True)
    return 1 - (precision * recall).sum(-1).mean()


a, b = unit(6, 8), unit(6, 8)
matching = torch.tensor([1.0, 0, 1, 0, 0, 1])
contrastive_loss = contrastive(a, b, matching, 1.3)
contrastive_loss.backward()

x = unit(7, 12)
labels = torch.tensor([0, 0, 1, 1, 1, 2, 2])
relevant = (labels[:, None] == labels[None, :]).double()
similarities = (0.93 * x @ x.T).detach()  # no similarity of exactly 1: there the loss has a kink
similarities = similarities.float().double().requires_grad_()
ap_loss = average_precision(similarities, relevant, 20)
ap_loss.backward()

# Adam with weight decay: three updates of two weights by given gradients.
weights = torch.tensor([1.0, -2.0], requires_grad=True)
adam = torch.optim.Adam([weights], lr=0.1, weight_decay=0.1)
adam_gradients, adam_weights = [[3.0, 0.5], [-1.0, 0.25], [0.0, 2.0]], []
for gradient in adam_gradients:
    weights.grad = torch.tensor(gradient)
    adam.step()
    adam_weights.append(weights.tolist())

golden = {
    "provenance": f"PyTorch {torch.__version__} autograd in float64, scripts/reference-training.py",
    "contrastive": {
        "margin": 1.3,
        "a": a.tolist(),
        "b": b.tolist(),
        "matching": matching.tolist(),
        "loss": contrastive_loss.item(),
        "gradientA": a.grad.tolist(),
        "gradientB": b.grad.tolist(),
    },
    "averagePrecision": {
        "bins": 20,
        "similarities": similarities.tolist(),
        "relevant": relevant.tolist(),
        "loss": ap_loss.item(),
        "gradient": similarities.grad.tolist(),
    },
    "adam": {"start": [1.0, -2.0], "gradients": adam_gradients, "weights": adam_weights},
}
target = pathlib.Path(__file__).parent.parent / "test" / "golden" / "training.json"
target.write_text(json.dumps(golden) + "\n")
