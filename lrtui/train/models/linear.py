"""Softmax regression: convex, so that what a learning rate does is not hidden by the model."""

from __future__ import annotations

from torch import nn


def linear(channels: int, size: int, classes: int) -> nn.Module:
    """Return one linear layer over the pixels."""
    return nn.Sequential(nn.Flatten(), nn.Linear(channels * size * size, classes))
