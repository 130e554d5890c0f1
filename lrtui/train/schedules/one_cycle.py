"""One cycle: up, then far down (Smith and Topin 2018)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from torch.optim.lr_scheduler import LRScheduler, OneCycleLR

if TYPE_CHECKING:
    from torch.optim import Optimizer


def one_cycle(
    optimizer: Optimizer,
    steps: int,
    *,
    warmup: float = 0.3,
    start: float = 0.04,
    end: float = 4e-6,
    shape: str = "cos",
) -> LRScheduler:
    """Return a schedule that rises from `start` times the LR to the LR in the share `warmup` of `steps`, then falls to `end` times.

    The momentum stays what the file says, which torch would cycle too: only so do all optimizers take this schedule, and
    nothing but the LR differs between runs.
    """
    rise = max(warmup * steps, 1.5) / max(steps, 2)  # torch divides by the rise less one step
    return OneCycleLR(
        optimizer,
        max_lr=[group["initial_lr"] for group in optimizer.param_groups],
        total_steps=max(steps, 3),
        pct_start=min(rise, 0.99),
        anneal_strategy="linear" if shape == "linear" else "cos",
        cycle_momentum=False,
        div_factor=1 / start,
        final_div_factor=start / end,
    )
