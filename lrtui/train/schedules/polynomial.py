"""Polynomial decay to nothing, as DeepLab and BERT have it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from torch.optim.lr_scheduler import LRScheduler, PolynomialLR

if TYPE_CHECKING:
    from torch.optim import Optimizer


def polynomial(optimizer: Optimizer, steps: int, power: float = 2.0) -> LRScheduler:
    """Return a schedule of the LR times (1 - share of `steps` done) to the power of `power`."""
    return PolynomialLR(optimizer, total_iters=steps, power=power)
