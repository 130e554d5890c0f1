"""Cosines one after the other: SGDR (Loshchilov and Hutter 2017)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from torch.optim.lr_scheduler import CosineAnnealingWarmRestarts, LRScheduler

if TYPE_CHECKING:
    from torch.optim import Optimizer


def cosine_restarts(
    optimizer: Optimizer, steps: int, cycles: int = 3, longer: int = 1, end: float = 0.0
) -> LRScheduler:
    """Return a schedule of `cycles` cosines down to `end` times the LR, each `longer` times as long as the one before.

    They fill `steps`; where that does not divide, the last is cut short by a few steps.
    """
    lr: float = optimizer.param_groups[0]["initial_lr"]
    units = sum(longer**i for i in range(cycles))
    return CosineAnnealingWarmRestarts(
        optimizer, T_0=-(-steps // units), T_mult=longer, eta_min=end * lr
    )
