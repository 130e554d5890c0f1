"""Half a cosine: SGDR without restarts (Loshchilov and Hutter 2017, section 3)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from torch.optim.lr_scheduler import CosineAnnealingLR, LRScheduler

if TYPE_CHECKING:
    from torch.optim import Optimizer


def cosine(optimizer: Optimizer, steps: int, end: float = 0.0) -> LRScheduler:
    """Return a schedule that falls from the LR to `end` times the LR over `steps`."""
    lr: float = optimizer.param_groups[0]["initial_lr"]
    return CosineAnnealingLR(optimizer, T_max=steps, eta_min=end * lr)
