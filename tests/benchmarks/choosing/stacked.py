"""Many trainings as one: the parameters of R runs side by side in one tensor, each with its own LR. For `bank.py`.

Runs of one net share every kernel call, so that 84 small trainings cost about what the arithmetic does. They do not touch
each other: the sum of their losses has each run's own gradient, and a run that diverges stays alone with its nan.
`tests/train/test_stacked.py` compares every optimizer with that of torch on one run.

A net is one line: `mlp 64 64`, with `tanh`, `sigmoid` or `norm` (each hidden layer normalised over its units, without scale and
shift); `deep 12 32` (twelve such layers); `linear`; `conv 8 16` (3x3, each followed by a 2x2 maximum; images 8x8); `ngram 16 128` (embedding, hidden units);
`attention 32` (one block, two heads, causal).
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

LETTERS = 96
"""Characters that text consists of."""


# ---------------------------------------------------------------- nets


@dataclass(frozen=True, slots=True)
class Net:
    """What computes outputs (R, B, K) from inputs (R, B, ...) and parameters (R, P)."""

    shapes: tuple[tuple[int, int], ...]
    """Of each parameter: (inputs, outputs) of a weight, (1, outputs) of a bias."""
    scales: tuple[float, ...]
    """Each begins uniform between minus and plus this, as torch.nn.Linear does; embeddings normal with it."""
    compute: Callable[[list[Tensor], Tensor], Tensor]

    @property
    def size(self) -> int:
        return sum(rows * columns for rows, columns in self.shapes)

    def start(self, seed: int) -> Tensor:
        """Return the parameters (P) that a seed begins with."""
        draw = torch.Generator().manual_seed(1_000_003 * seed + 17)
        parts = [
            torch.empty(rows * columns).uniform_(-scale, scale, generator=draw)
            for (rows, columns), scale in zip(self.shapes, self.scales, strict=True)
        ]
        return torch.cat(parts)

    def parts(self, flat: Tensor) -> list[Tensor]:
        """Return the parameters one by one, each (R, rows, columns)."""
        sizes = [rows * columns for rows, columns in self.shapes]
        return [
            part.unflatten(1, shape)
            for part, shape in zip(flat.split(sizes, 1), self.shapes, strict=True)
        ]

    def __call__(self, flat: Tensor, inputs: Tensor) -> Tensor:
        return self.compute(self.parts(flat), inputs)


def build(line: str, inputs: int, outputs: int) -> Net:
    """Return the net of a line."""
    name, *words = line.split()
    widths = [int(word) for word in words if word.isdigit()]
    if name == "conv":
        return _conv(widths, inputs, outputs)
    if name == "ngram":
        return _ngram(widths[0], widths[1], inputs)
    if name == "attention":
        return _attention(widths[0], inputs)
    if name == "deep":
        widths = [widths[1]] * widths[0]
    bends = {"tanh": torch.tanh, "sigmoid": torch.sigmoid}
    bend = next((bends[word] for word in words if word in bends), functional.relu)
    return _mlp([inputs, *widths, outputs], bend, norm="norm" in words)


def _dense(sizes: Sequence[tuple[int, int]]) -> tuple[list[tuple[int, int]], list[float]]:
    """Return shapes and scales of linear layers with biases."""
    shapes = [shape for rows, columns in sizes for shape in ((rows, columns), (1, columns))]
    return shapes, [1 / math.sqrt(rows) for rows, _ in sizes for _ in range(2)]


def _mlp(widths: Sequence[int], bend: Callable[[Tensor], Tensor], *, norm: bool) -> Net:
    shapes, scales = _dense(list(itertools.pairwise(widths)))

    def compute(parts: list[Tensor], x: Tensor) -> Tensor:
        for weight, bias in zip(parts[:-2:2], parts[1:-2:2], strict=True):
            x = torch.baddbmm(bias, x, weight)
            x = bend(functional.layer_norm(x, x.shape[-1:]) if norm else x)
        return torch.baddbmm(parts[-1], x, parts[-2])

    return Net(tuple(shapes), tuple(scales), compute)


def _conv(widths: Sequence[int], inputs: int, outputs: int) -> Net:
    side = math.isqrt(inputs)
    channels = [1, *widths]
    end = side >> len(widths)
    sizes = [(9 * a, b) for a, b in itertools.pairwise(channels)]
    shapes, scales = _dense([*sizes, (end * end * widths[-1], outputs)])

    def compute(parts: list[Tensor], x: Tensor) -> Tensor:
        runs, batch = x.shape[:2]
        x = x.transpose(0, 1).reshape(batch, runs, side, side)  # each run a group of channels
        for weight, bias in zip(parts[:-2:2], parts[1:-2:2], strict=True):
            kernels = weight.transpose(1, 2).reshape(runs * weight.shape[2], -1, 3, 3)
            made = functional.conv2d(x, kernels, bias.flatten(), padding=1, groups=runs)
            x = functional.relu(functional.max_pool2d(made, 2))
        seen = x.view(batch, runs, -1).transpose(0, 1)
        return torch.baddbmm(parts[-1], seen, parts[-2])

    return Net(tuple(shapes), tuple(scales), compute)


def _embed(table: Tensor, letters: Tensor) -> Tensor:
    """Return the rows (R, ..., E) of each run's own table (R, LETTERS, E) for letters (R, ...)."""
    runs = torch.arange(len(table)).view(-1, *[1] * (letters.ndim - 1))
    return functional.embedding(letters + LETTERS * runs, table.flatten(0, 1))


def _ngram(size: int, hidden: int, inputs: int) -> Net:
    shapes, scales = _dense([(inputs * size, hidden), (hidden, LETTERS)])

    def compute(parts: list[Tensor], x: Tensor) -> Tensor:
        seen = _embed(parts[0], x).flatten(2)
        inner = functional.relu(torch.baddbmm(parts[2], seen, parts[1]))
        return torch.baddbmm(parts[4], inner, parts[3])

    return Net(((LETTERS, size), *shapes), (1.0, *scales), compute)


def _attention(size: int, length: int) -> Net:
    sizes = [(size, 3 * size), (size, size), (size, 4 * size), (4 * size, size), (size, LETTERS)]
    shapes, scales = _dense(sizes)

    def compute(parts: list[Tensor], x: Tensor) -> Tensor:
        letters, places, *dense = parts
        runs, batch = x.shape[:2]
        layers = list(zip(dense[::2], dense[1::2], strict=True))

        def layer(number: int, values: Tensor) -> Tensor:
            weight, bias = layers[number]
            return torch.baddbmm(bias, values, weight)

        def norm(values: Tensor) -> Tensor:
            return functional.layer_norm(values, values.shape[-1:])

        stream = (_embed(letters, x) + places[:, None, : x.shape[2]]).flatten(1, 2)
        three = layer(0, norm(stream)).view(runs * batch, -1, 3, 2, size // 2)
        query, key, value = (three[:, :, i].transpose(1, 2) for i in range(3))
        seen = functional.scaled_dot_product_attention(query, key, value, is_causal=True)
        stream = stream + layer(1, seen.transpose(1, 2).reshape(runs, -1, size))
        stream = stream + layer(3, functional.relu(layer(2, norm(stream))))
        return layer(4, norm(stream))

    return Net(((LETTERS, size), (length, size), *shapes), (0.5, 0.5, *scales), compute)


# ---------------------------------------------------------------- optimizers


@dataclass(slots=True)
class Optimizer:
    """One of torch's optimizers on stacked runs: the same update, with the LR of each run."""

    name: str
    net: Net
    options: dict[str, Any]
    steps: int = 0
    kept: dict[str, Tensor] = field(default_factory=dict)
    """Running means, (R, P) each."""
    product: float = 1.0
    """Of NAdam's momenta so far."""

    @torch.no_grad()
    def step(self, flat: Tensor, grad: Tensor, lr: Tensor) -> None:
        """Change the parameters (R, P) in place; lr: (R, 1)."""
        self.steps += 1
        _UPDATES[self.name](self, flat, grad, lr)

    def mean(self, name: str, like: Tensor) -> Tensor:
        if name not in self.kept:
            self.kept[name] = torch.zeros_like(like)
        return self.kept[name]


def _sgd(of: Optimizer, flat: Tensor, grad: Tensor, lr: Tensor) -> None:
    momentum, decay = of.options.get("momentum", 0.0), of.options.get("weight_decay", 0.0)
    if decay:
        grad = grad + decay * flat
    if momentum:
        velocity = of.mean("velocity", flat).mul_(momentum).add_(grad)
        grad = grad + momentum * velocity if of.options.get("nesterov") else velocity
    flat.sub_(grad * lr)


def _adam(of: Optimizer, flat: Tensor, grad: Tensor, lr: Tensor) -> None:
    beta1, beta2 = of.options.get("betas", (0.9, 0.999))
    first = of.mean("first", flat).lerp_(grad, 1 - beta1)
    second = of.mean("second", flat).mul_(beta2).addcmul_(grad, grad, value=1 - beta2)
    size = second.sqrt().div_(math.sqrt(1 - beta2**of.steps)).add_(1e-8)
    flat.sub_((first / size).mul_(lr / (1 - beta1**of.steps)))


def _adamw(of: Optimizer, flat: Tensor, grad: Tensor, lr: Tensor) -> None:
    flat.mul_(1 - lr * of.options.get("weight_decay", 0.01))
    _adam(of, flat, grad, lr)


def _nadam(of: Optimizer, flat: Tensor, grad: Tensor, lr: Tensor) -> None:
    beta1, beta2 = of.options.get("betas", (0.9, 0.999))
    decay = of.options.get("momentum_decay", 4e-3)
    now, after = (beta1 * (1 - 0.5 * 0.96 ** (step * decay)) for step in (of.steps, of.steps + 1))
    of.product *= now
    first = of.mean("first", flat).lerp_(grad, 1 - beta1)
    second = of.mean("second", flat).mul_(beta2).addcmul_(grad, grad, value=1 - beta2)
    size = second.div(1 - beta2**of.steps).sqrt_().add_(1e-8)
    wanted = grad * ((1 - now) / (1 - of.product)) + first * (after / (1 - of.product * after))
    flat.sub_(wanted.div_(size).mul_(lr))


def _radam(of: Optimizer, flat: Tensor, grad: Tensor, lr: Tensor) -> None:
    beta1, beta2 = of.options.get("betas", (0.9, 0.999))
    first = of.mean("first", flat).lerp_(grad, 1 - beta1)
    second = of.mean("second", flat).mul_(beta2).addcmul_(grad, grad, value=1 - beta2)
    wanted = first / (1 - beta1**of.steps)
    longest = 2 / (1 - beta2) - 1
    length = longest - 2 * of.steps * beta2**of.steps / (1 - beta2**of.steps)
    if length > 5:
        share = (length - 4) * (length - 2) * longest / ((longest - 4) * (longest - 2) * length)
        wanted.mul_(math.sqrt(share * (1 - beta2**of.steps))).div_(second.sqrt().add_(1e-8))
    flat.sub_(wanted.mul_(lr))


def _rmsprop(of: Optimizer, flat: Tensor, grad: Tensor, lr: Tensor) -> None:
    alpha = of.options.get("alpha", 0.99)
    square = of.mean("square", flat).mul_(alpha).addcmul_(grad, grad, value=1 - alpha)
    flat.sub_((grad / square.sqrt().add_(1e-8)).mul_(lr))


def _adagrad(of: Optimizer, flat: Tensor, grad: Tensor, lr: Tensor) -> None:
    total = of.mean("total", flat).addcmul_(grad, grad)
    flat.sub_((grad / total.sqrt().add_(1e-10)).mul_(lr))


def _muon(of: Optimizer, flat: Tensor, grad: Tensor, lr: Tensor) -> None:
    """As lrtui's `muon`: hidden weights by Muon, all others by AdamW, decay 0.1; in float32 where torch takes bfloat16."""
    velocity = of.mean("velocity", flat).lerp_(grad, 0.05)
    wanted = grad.lerp(velocity, 0.95)
    matrices = [i for i, (rows, _) in enumerate(of.net.shapes) if rows > 1][:-1]
    before = flat.clone()
    _adamw(Optimizer("adamw", of.net, {"weight_decay": 0.1}, of.steps, of.kept), flat, grad, lr)
    parts, olds, wishes = of.net.parts(flat), of.net.parts(before), of.net.parts(wanted)
    each = lr[:, :, None]
    for i in matrices:
        scale = 0.2 * math.sqrt(max(of.net.shapes[i]))
        parts[i].copy_(olds[i] * (1 - 0.1 * each) - each * scale * _orthogonal(wishes[i]))


def _orthogonal(matrix: Tensor) -> Tensor:
    """Return Newton and Schulz' five steps towards the nearest orthogonal matrix."""
    tall = matrix.shape[1] > matrix.shape[2]
    x = matrix.transpose(1, 2) if tall else matrix
    x = x / x.flatten(1).norm(dim=1).clamp(min=1e-7)[:, None, None]
    for _ in range(5):
        gram = x @ x.transpose(1, 2)
        x = 3.4445 * x + (-4.775 * gram + 2.0315 * gram @ gram) @ x
    return x.transpose(1, 2) if tall else x


_UPDATES: dict[str, Callable[[Optimizer, Tensor, Tensor, Tensor], None]] = {
    "sgd": _sgd,
    "adam": _adam,
    "adamw": _adamw,
    "nadam": _nadam,
    "radam": _radam,
    "rmsprop": _rmsprop,
    "adagrad": _adagrad,
    "muon": _muon,
}
