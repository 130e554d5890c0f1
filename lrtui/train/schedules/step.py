"""Step decay: times gamma at equal distances."""

from __future__ import annotations

from typing import TYPE_CHECKING

from torch.optim.lr_scheduler import LRScheduler, StepLR

if TYPE_CHECKING:
    from torch.optim import Optimizer


def step(optimizer: Optimizer, steps: int, gamma: float = 0.1, every: float = 1 / 3) -> LRScheduler:
    """Return a schedule that multiplies the LR by `gamma` after each `every` of `steps`.

    Raises:
        ValueError: `gamma` or `every` not in 0..1, or 0.

    """
    if not 0 < gamma <= 1:
        raise ValueError(f"gamma multiplies the LR, above 0 to 1 (found {gamma})")
    if not 0 < every <= 1:
        raise ValueError(f"every is a share of the horizon, above 0 to 1 (found {every})")
    return StepLR(optimizer, step_size=max(1, round(every * steps)), gamma=gamma)
