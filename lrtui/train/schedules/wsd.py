"""Warm-up, stable, decay: the LR is held and falls only at the end (Hu et al. 2024, MiniCPM)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from torch.optim.lr_scheduler import LambdaLR, LRScheduler

if TYPE_CHECKING:
    from torch.optim import Optimizer


def wsd(optimizer: Optimizer, steps: int, decay: float = 0.2, end: float = 0.0) -> LRScheduler:
    """Return a schedule that holds the LR and falls in a straight line to `end` times it in the last share `decay` of `steps`."""
    fall = max(1, round(decay * steps))

    def factor(step: int) -> float:
        return 1 - (1 - end) * min(1.0, max(0, step - (steps - fall)) / fall)

    return LambdaLR(optimizer, factor)
