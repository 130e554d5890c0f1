"""The same learning rate throughout."""

from __future__ import annotations

from typing import TYPE_CHECKING

from torch.optim.lr_scheduler import ConstantLR, LRScheduler

if TYPE_CHECKING:
    from torch.optim import Optimizer


def constant(optimizer: Optimizer, steps: int) -> LRScheduler:
    """Return a schedule that leaves the LR as it is over `steps`."""
    return ConstantLR(optimizer, factor=1.0, total_iters=steps)
