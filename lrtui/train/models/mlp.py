"""A multilayer perceptron."""

from __future__ import annotations

from itertools import pairwise

from torch import nn


def mlp(channels: int, size: int, classes: int, width: int = 256, depth: int = 2) -> nn.Module:
    """Return `depth` hidden layers of `width` rectified units, then a linear layer.

    Raises:
        ValueError: `width` or `depth` below 1.

    """
    if width < 1 or depth < 1:
        raise ValueError(f"mlp needs width and depth of at least 1 (found {width}, {depth})")
    widths = [channels * size * size, *([width] * depth)]
    hidden = [
        layer
        for inputs, outputs in pairwise(widths)
        for layer in (nn.Linear(inputs, outputs), nn.ReLU(inplace=True))
    ]
    return nn.Sequential(nn.Flatten(), *hidden, nn.Linear(width, classes))
