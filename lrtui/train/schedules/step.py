"""Step decay: times gamma at equal distances."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

from torch.optim.lr_scheduler import LRScheduler, MultiStepLR

if TYPE_CHECKING:
    from torch.optim import Optimizer

_CLOSE = 1e-9
"""Three times 1/3 is the end of the run, not a decay just before it."""


def step(optimizer: Optimizer, steps: int, gamma: float = 0.1, every: float = 1 / 3) -> LRScheduler:
    """Return a schedule that multiplies the LR by `gamma` after each `every` of `steps`.

    Each decay is rounded to a step by itself: a rounded distance (StepLR) would add up, and decay once more in the last steps
    of 10, 16 or 100.
    """
    shares = itertools.takewhile(
        lambda share: share < 1 - _CLOSE, (every * k for k in itertools.count(1))
    )
    return MultiStepLR(optimizer, [max(1, round(share * steps)) for share in shares], gamma=gamma)
