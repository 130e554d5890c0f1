"""Step decay: times gamma at places of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING

from torch.optim.lr_scheduler import LRScheduler, MultiStepLR

if TYPE_CHECKING:
    from torch.optim import Optimizer


def multi_step(
    optimizer: Optimizer, steps: int, at: tuple[float, ...] = (0.5, 0.75), gamma: float = 0.1
) -> LRScheduler:
    """Return a schedule that multiplies the LR by `gamma` at each share of `steps` in `at`."""
    places = sorted(max(1, round(share * steps)) for share in at)
    return MultiStepLR(optimizer, milestones=places, gamma=gamma)
