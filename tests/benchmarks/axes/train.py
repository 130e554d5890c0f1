"""Trains the tables: every LR with every value of a second axis, eight seeds each, and ten further seeds of the places near the best one.

    python -m tests.benchmarks.axes.train AW      # or AC, SM; about three minutes of one core's time

Digits of scikit-learn (900 to train, 400 for validation, 497 to test), an MLP with 128 hidden units, batches of 32, 27 epochs. A
table is `tables/NAME.json`: lrs, axis (its values), levels, and for each of the eight seeds and each cell [seed][value][lr] the
validation accuracy and loss at each level and the test accuracy at the end; null where the loss was not finite. `truth` [value][lr] is
the mean validation accuracy at the end over all seeds of a cell.
"""

from __future__ import annotations

import json
import math
import sys
from pathlib import Path
from statistics import fmean
from typing import Any

import torch
from sklearn.datasets import load_digits
from torch import Tensor

TABLES = Path(__file__).parent / "tables"
LEVELS = (3, 9, 27)
SEEDS, FURTHER = 8, 10
NEAR = 0.015
"""Cells whose accuracy is within this of the best are trained with FURTHER seeds."""
TOGETHER = 15
BATCH, HIDDEN, EPOCHS = 32, 128, 27
CHANCE = 0.1
Cell = tuple[float, float]
"""LR and second value."""


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
        "axis": sorted([*decades(-2, 1.5, 2), 0.178, 0.562]),
        "lrs": decades(-4, -0.5, 4),
    },
    "AC": {
        "title": "AdamW, cosine, a quarter of the labels wrong",
        "optimizer": "adamw",
        "schedule": "cosine",
        "noise": 0.25,
        "name": "weight_decay",
        "scale": "log",
        "axis": sorted([*decades(-2, 1.5, 2), 0.178, 0.562]),
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
        "slope": -2.0,
        "lrs": decades(-3.5, 0.5, 4),
    },
}


def train(workload: dict[str, Any]) -> dict[str, Any]:
    """Return the table of a workload."""
    lrs, axis = workload["lrs"], workload["axis"]
    cells = [(lr, value) for value in axis for lr in lrs]
    made = [numbered(workload, seed, cells) for seed in range(SEEDS)]
    ends = [dict(zip(cells, (level[-1] for level in each["value"]), strict=True)) for each in made]
    means = {cell: fmean(each[cell] or CHANCE for each in ends) for cell in cells}
    near = [cell for cell in cells if means[cell] > max(means.values()) - NEAR]
    for seed in range(SEEDS, SEEDS + FURTHER):
        accuracy = some_cells(workload, seed, near)[0][:, -1]
        ends.append(dict(zip(near, numbers(accuracy), strict=True)))
    means = truth(ends, near)

    def square(flat: list[Any]) -> list[list[Any]]:
        return [flat[i : i + len(lrs)] for i in range(0, len(flat), len(lrs))]

    return {
        **workload,
        "levels": LEVELS,
        "made_with": f"torch {torch.__version__}, CPU",
        **{what: [square(each[what]) for each in made] for what in made[0]},
        "truth": square([round(means[cell], 5) for cell in cells]),
    }


def truth(ends: list[dict[Cell, float | None]], near: list[Cell]) -> dict[Cell, float]:
    """Return each cell's mean over its seeds, without what a seed is better or worse by in all cells near the best: not all cells have all seeds."""
    usual = {cell: fmean(each[cell] or CHANCE for each in ends[:SEEDS]) for cell in ends[0]}
    off = [fmean((each[cell] or CHANCE) - usual[cell] for cell in near) for each in ends]
    return {
        cell: fmean(
            (each[cell] or CHANCE) - more
            for each, more in zip(ends, off, strict=True)
            if cell in each
        )
        for cell in ends[0]
    }


def numbered(workload: dict[str, Any], seed: int, cells: list[Cell]) -> dict[str, list[Any]]:
    """Return what each cell attains with one seed."""
    found = some_cells(workload, seed, cells)
    return dict(zip(("value", "val_loss", "test"), map(numbers, found), strict=True))


def some_cells(
    workload: dict[str, Any], seed: int, cells: list[Cell]
) -> tuple[Tensor, Tensor, Tensor]:
    """Return validation accuracy and loss (cells, levels) and test accuracy (cells,) of pairs of LR and second value.

    A few cells at a time, which fit into a processor's cache.
    """
    parts = [
        together(workload, seed, cells[i : i + TOGETHER]) for i in range(0, len(cells), TOGETHER)
    ]
    value, val_loss, test = (torch.cat(each) for each in zip(*parts, strict=True))
    return value, val_loss, test


def together(
    workload: dict[str, Any], seed: int, cells: list[Cell]
) -> tuple[Tensor, Tensor, Tensor]:
    """Return the same of cells that are trained at the same time."""
    images, labels = load_digits(return_X_y=True)
    order = torch.randperm(len(labels), generator=torch.Generator().manual_seed(0))
    x = torch.tensor(images, dtype=torch.float32)[order] / 16
    y = torch.tensor(labels)[order]
    parts = [(x[a:b], y[a:b]) for a, b in ((0, 900), (900, 1300), (1300, 1797))]
    lr = torch.tensor([cell[0] for cell in cells]).view(-1, 1, 1)
    other = torch.tensor([cell[1] for cell in cells]).view(-1, 1, 1)
    drawn = torch.Generator().manual_seed(seed)
    weights = [w.repeat(len(cells), 1, 1).requires_grad_() for w in initial(drawn)]
    targets = wrong(parts[0][1], workload["noise"], drawn)
    state = [(torch.zeros_like(w), torch.zeros_like(w)) for w in weights]
    steps, step = EPOCHS * math.ceil(len(targets) / BATCH), 0
    value, loss = [], []
    for epoch in range(1, EPOCHS + 1):
        for at in torch.randperm(len(targets), generator=drawn).split(BATCH):
            losses = cross_entropy(forward(weights, parts[0][0][at]), targets[at])
            gradients = torch.autograd.grad(losses.mean(-1).sum(), weights)
            cosine = 0.5 * (1 + math.cos(math.pi * step / steps))
            share = cosine if workload["schedule"] == "cosine" else 1.0
            step += 1
            with torch.no_grad():
                update(workload["optimizer"], weights, gradients, state, lr * share, other, step)
        if epoch in LEVELS:
            accuracy, val_loss = judge(weights, *parts[1])
            value.append(accuracy)
            loss.append(val_loss)
    return torch.stack(value, -1), torch.stack(loss, -1), judge(weights, *parts[2])[0]


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
    """Return the logits (cells, images, 10) of images (images, 64)."""
    first, bias, second, last = weights
    return torch.matmul((torch.matmul(x, first) + bias).relu(), second) + last


def cross_entropy(logits: Tensor, targets: Tensor) -> Tensor:
    """Return the losses (cells, images)."""
    chosen = logits.gather(-1, targets[None, :, None].expand(*logits.shape[:2], 1))
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
    """Return accuracy and mean loss (cells,); nan where the loss is not finite."""
    logits = forward(weights, x)
    loss = cross_entropy(logits, y).mean(-1)
    accuracy = (logits.argmax(-1) == y).float().mean(-1)
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
