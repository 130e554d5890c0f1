"""Any schedule, with a linear warm-up before it: what the loop calls."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

from torch.optim.lr_scheduler import LinearLR, LRScheduler, SequentialLR

if TYPE_CHECKING:
    from torch.optim import Optimizer

    from lrtui.train.table import Schedule


def build_schedule(
    entry: Schedule, optimizer: Optimizer, steps: int, options: dict[str, Any]
) -> LRScheduler:
    """Return the schedule over all `steps` of the horizon (never only those of this attempt).

    With `warmup = w` the first `round(w * steps)` steps use LR/(n+1), 2 LR/(n+1), ... so that neither the first
    step has an LR of 0 nor the last the full one.

    Raises:
        ValueError: an option out of its range.

    """
    rest = {name: value for name, value in options.items() if name != "warmup"}
    share = options.get("warmup", 0)
    if not 0 <= share < 1:
        raise ValueError(f"warmup is a share of the horizon, 0 to below 1 (found {share})")
    rise = round(share * steps)
    for group in optimizer.param_groups:
        group.setdefault("initial_lr", group["lr"])
    if not rise:
        schedule: LRScheduler = entry.load()(optimizer, steps, **rest)
        return schedule
    warm = LinearLR(optimizer, start_factor=1 / (rise + 1), total_iters=rise)
    main = entry.load()(optimizer, max(1, steps - rise), **rest)
    return SequentialLR(optimizer, [warm, main], milestones=[rise])


def advance(schedule: LRScheduler) -> None:
    """Take one step, without torch's warning about the step that its own SequentialLR takes."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        schedule.step()
