"""Step decay: times gamma at equal distances."""

from __future__ import annotations

from typing import TYPE_CHECKING

from torch.optim.lr_scheduler import LRScheduler, StepLR

if TYPE_CHECKING:
    from torch.optim import Optimizer


def step(optimizer: Optimizer, steps: int, gamma: float = 0.1, every: float = 1 / 3) -> LRScheduler:
    """Return a schedule that multiplies the LR by `gamma` after each `every` of `steps`."""
    return StepLR(optimizer, step_size=max(1, round(every * steps)), gamma=gamma)
