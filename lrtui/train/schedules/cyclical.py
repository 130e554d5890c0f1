"""Cyclical learning rates: up and down in triangles (Smith 2017)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from torch.optim.lr_scheduler import CyclicLR, LRScheduler

if TYPE_CHECKING:
    from torch.optim import Optimizer


def cyclical(
    optimizer: Optimizer, steps: int, cycles: int = 4, low: float = 0.1, halve: bool = False
) -> LRScheduler:
    """Return a schedule of `cycles` triangles from `low` times the LR up to it and back; with `halve` each half as high as the last.

    The momentum is not cycled (`one_cycle.py` says why).
    """
    rates = [group["initial_lr"] for group in optimizer.param_groups]
    for group in optimizer.param_groups:
        group["initial_lr"] *= low  # where it begins: torch takes its first step from here
    return CyclicLR(
        optimizer,
        base_lr=[low * rate for rate in rates],
        max_lr=rates,
        step_size_up=steps / cycles / 2,  # type: ignore[arg-type] # torch makes it a float itself
        mode="triangular2" if halve else "triangular",
        cycle_momentum=False,
    )
