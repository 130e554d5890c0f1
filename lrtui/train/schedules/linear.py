"""Linear decay."""

from __future__ import annotations

from typing import TYPE_CHECKING

from torch.optim.lr_scheduler import LinearLR, LRScheduler

if TYPE_CHECKING:
    from torch.optim import Optimizer


def linear(optimizer: Optimizer, steps: int, end: float = 0.0) -> LRScheduler:
    """Return a schedule that falls in a straight line to `end` times the LR over `steps`."""
    return LinearLR(optimizer, start_factor=1.0, end_factor=end, total_iters=steps)
