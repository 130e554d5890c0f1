"""Exponential decay: times the same factor at every step."""

from __future__ import annotations

from typing import TYPE_CHECKING

from torch.optim.lr_scheduler import ExponentialLR, LRScheduler

if TYPE_CHECKING:
    from torch.optim import Optimizer


def exponential(optimizer: Optimizer, steps: int, end: float = 0.01) -> LRScheduler:
    """Return a schedule that reaches `end` times the LR after `steps`."""
    return ExponentialLR(optimizer, gamma=end ** (1 / steps))
