"""Trains the tables: every LR with every value of a second axis, eight seeds each, all of a table at the same time.

    python -m tests.benchmarks.axes.train AW      # or AC, SM; about two minutes on two cores

Digits of scikit-learn (900 to train, 400 for validation, 497 to test), an MLP with 128 hidden units, batches of 32, 27 epochs. A
table is `tables/NAME.json`: lrs, axis (its values), levels, seeds, and for each seed and cell [seed][value][lr] the validation accuracy
and loss at each level and the test accuracy at the end; null where the loss was not finite.
"""

from __future__ import annotations

import json
import math
import sys
from pathlib import Path
from typing import Any

import torch
from sklearn.datasets import load_digits
from torch import Tensor

TABLES = Path(__file__).parent / "tables"
LEVELS = (3, 9, 27)
SEEDS = 8
BATCH, HIDDEN, EPOCHS = 32, 128, 27


def decades(low: float, high: float, each: int) -> list[float]:
    """Return values that are even on the logarithm, `each` in a decade."""
    count = round((high - low) * each)
    return [float(f"{10 ** (low + i / each):.3g}") for i in range(count + 1)]


WORKLOADS: dict[str, dict[str, Any]] = {
    "AW": {
        "title": "AdamW, a quarter of the labels wrong",
        "optimizer": "adamw",
        "schedule": "constant",
        "noise": 0.25,
        "name": "weight_decay",
        "scale": "log",
        "axis": decades(-2, 1.5, 2),
        "lrs": decades(-4, -0.5, 4),
    },
    "AC": {
        "title": "AdamW, cosine, a quarter of the labels wrong",
        "optimizer": "adamw",
        "schedule": "cosine",
        "noise": 0.25,
        "name": "weight_decay",
        "scale": "log",
        "axis": decades(-2, 1.5, 2),
        "lrs": decades(-4, -0.5, 4),
    },
    "SM": {
        "title": "SGD with momentum",
        "optimizer": "sgd",
        "schedule": "constant",
        "noise": 0.0,
        "name": "momentum",
        "scale": "complement",
        "axis": [round(1 - 10 ** (-k / 4), 4) for k in range(9)],
        "lrs": decades(-3.5, 0.5, 4),
    },
}


def train(workload: dict[str, Any]) -> dict[str, Any]:
    """Return the table of a workload."""
    images, labels = load_digits(return_X_y=True)
    order = torch.randperm(len(labels), generator=torch.Generator().manual_seed(0))
    x = torch.tensor(images, dtype=torch.float32)[order] / 16
    y = torch.tensor(labels)[order]
    parts = [(x[a:b], y[a:b]) for a, b in ((0, 900), (900, 1300), (1300, 1797))]
    lrs, axis = workload["lrs"], workload["axis"]
    cells = [(lr, value) for value in axis for lr in lrs]
    lr = torch.tensor([cell[0] for cell in cells]).view(1, -1, 1, 1)
    other = torch.tensor([cell[1] for cell in cells]).view(1, -1, 1, 1)
    seeds = [torch.Generator().manual_seed(seed) for seed in range(SEEDS)]
    weights = [
        torch.stack(each).requires_grad_() for each in zip(*map(initial, seeds), strict=True)
    ]
    weights = [
        w.detach().unsqueeze(1).repeat(1, len(cells), 1, 1).requires_grad_() for w in weights
    ]
    noisy = torch.stack([wrong(parts[0][1], workload["noise"], seed) for seed in seeds])
    state = [(torch.zeros_like(w), torch.zeros_like(w)) for w in weights]
    per_epoch = math.ceil(len(parts[0][1]) / BATCH)
    steps, step = EPOCHS * per_epoch, 0
    value, loss, test = [], [], None
    for epoch in range(1, EPOCHS + 1):
        orders = torch.stack([torch.randperm(len(parts[0][1]), generator=seed) for seed in seeds])
        for begin in range(0, orders.shape[1], BATCH):
            at = orders[:, begin : begin + BATCH]
            targets = noisy.gather(1, at)
            losses = cross_entropy(forward(weights, parts[0][0][at]), targets)
            gradients = torch.autograd.grad(losses.mean(-1).sum(), weights)
            share = (
                0.5 * (1 + math.cos(math.pi * step / steps))
                if workload["schedule"] == "cosine"
                else 1.0
            )
            step += 1
            with torch.no_grad():
                update(workload["optimizer"], weights, gradients, state, lr * share, other, step)
        if epoch in LEVELS:
            accuracy, val_loss = judge(weights, *parts[1])
            value.append(accuracy)
            loss.append(val_loss)
            print(epoch, f"{accuracy.nan_to_num().amax():.4f}", flush=True)
    test, _ = judge(weights, *parts[2])
    shape = (SEEDS, len(axis), len(lrs))
    return {
        **workload,
        "levels": LEVELS,
        "made_with": f"torch {torch.__version__}, CPU",
        "value": numbers(torch.stack(value, -1).view(*shape, -1)),
        "val_loss": numbers(torch.stack(loss, -1).view(*shape, -1)),
        "test": numbers(test.view(shape)),
    }


def initial(seed: torch.Generator) -> list[Tensor]:
    """Return a model's weights, as torch.nn.Linear begins: (64, H), (1, H), (H, 10), (1, 10)."""
    made = []
    for fan_in, fan_out in ((64, HIDDEN), (HIDDEN, 10)):
        bound = 1 / math.sqrt(fan_in)
        made += [
            (torch.rand(rows, fan_out, generator=seed) * 2 - 1) * bound for rows in (fan_in, 1)
        ]
    return made


def wrong(labels: Tensor, share: float, seed: torch.Generator) -> Tensor:
    """Return labels of which a share is drawn anew."""
    drawn = torch.randint(0, 10, labels.shape, generator=seed)
    return torch.where(torch.rand(labels.shape, generator=seed) < share, drawn, labels)


def forward(weights: list[Tensor], x: Tensor) -> Tensor:
    """Return the logits (seeds, cells, batch, 10) of images (seeds, batch, 64)."""
    first, bias, second, last = weights
    hidden = torch.einsum("sbi,scih->scbh", x, first) + bias
    return torch.matmul(hidden.relu(), second) + last


def cross_entropy(logits: Tensor, targets: Tensor) -> Tensor:
    """Return the losses (seeds, cells, batch)."""
    chosen = logits.gather(-1, targets[:, None, :, None].expand(*logits.shape[:3], 1))
    return logits.logsumexp(-1) - chosen[..., 0]


def update(  # noqa: PLR0917
    optimizer: str,
    weights: list[Tensor],
    gradients: tuple[Tensor, ...],
    state: list[tuple[Tensor, Tensor]],
    lr: Tensor,
    other: Tensor,
    step: int,
) -> None:
    """Make one step as torch.optim does, with an LR and a second value for each cell."""
    for weight, gradient, (one, two) in zip(weights, gradients, state, strict=True):
        if optimizer == "sgd":
            one.mul_(other).add_(gradient)
            weight.sub_(lr * one)
            continue
        weight.mul_(1 - lr * other)
        one.mul_(0.9).add_(gradient, alpha=0.1)
        two.mul_(0.999).addcmul_(gradient, gradient, value=0.001)
        scaled = (two / (1 - 0.999**step)).sqrt_().add_(1e-8)
        weight.sub_(lr * (one / (1 - 0.9**step)) / scaled)


@torch.no_grad()
def judge(weights: list[Tensor], x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
    """Return accuracy and mean loss (seeds, cells); nan where the loss is not finite."""
    count = weights[0].shape[0]
    right, losses = [], []
    for begin in range(0, len(y), 100):
        some = y[begin : begin + 100]
        logits = forward(weights, x[None, begin : begin + 100].expand(count, -1, -1))
        right.append((logits.argmax(-1) == some).float())
        losses.append(cross_entropy(logits, some[None].expand(count, -1)))
    loss = torch.cat(losses, -1).mean(-1)
    accuracy = torch.cat(right, -1).mean(-1)
    return torch.where(loss.isfinite(), accuracy, torch.nan), loss


def numbers(values: Tensor) -> Any:
    """Return nested lists with four digits; null for what is not finite."""
    if values.dim():
        return [numbers(each) for each in values]
    return float(f"{values.item():.4g}") if math.isfinite(values.item()) else None


if __name__ == "__main__":
    for name in sys.argv[1:]:
        table = train(WORKLOADS[name])
        TABLES.mkdir(exist_ok=True)
        (TABLES / f"{name}.json").write_text(json.dumps(table, separators=(",", ":")) + "\n")
