"""Any schedule, with a linear warm-up before it: what the loop calls."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

from torch.optim.lr_scheduler import LinearLR, LRScheduler, SequentialLR

from lrtui.train.schedules.plateau import Plateau

if TYPE_CHECKING:
    from torch.optim import Optimizer

    from lrtui.train.registry import Schedule


def build_schedule(
    entry: Schedule, optimizer: Optimizer, steps: int, options: dict[str, Any]
) -> LRScheduler:
    """Return the schedule over all `steps` of the horizon (never only those of this attempt).

    With `warmup = w` the first n = `round(w * steps)` steps use 1/(n+1), 2/(n+1), ... of the LR with which the schedule
    proper begins, so that neither the first step has an LR of 0 nor the last the full one.

    Raises:
        ValueError: torch refuses an option.

    """
    if entry.own_warmup:
        return _proper(entry, optimizer, steps, options)
    rest = {name: value for name, value in options.items() if name != "warmup"}
    rise = round(options.get("warmup", entry.warmup) * steps)
    main = _proper(entry, optimizer, max(1, steps - rise), rest)
    if not rise:
        return main
    first = optimizer.param_groups[0]["lr"] / optimizer.param_groups[0]["initial_lr"]
    for group in optimizer.param_groups:
        group["lr"] = group["initial_lr"]
    warm = LinearLR(optimizer, start_factor=first / (rise + 1), end_factor=first, total_iters=rise)
    return SequentialLR(optimizer, [warm, main], milestones=[rise])


def _proper(
    entry: Schedule, optimizer: Optimizer, steps: int, options: dict[str, Any]
) -> LRScheduler:
    for group in optimizer.param_groups:
        group.setdefault("initial_lr", group["lr"])
    try:
        schedule: LRScheduler = entry.load()(optimizer, steps, **options)
    except (ValueError, TypeError, ArithmeticError) as error:
        raise ValueError(str(error)) from error
    return schedule


def advance(schedule: LRScheduler) -> None:
    """Take one step, without torch's warning about the step that its own SequentialLR takes."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        schedule.step()


def observe(schedule: LRScheduler, loss: float) -> None:
    """Hand a validation loss to a schedule that goes by it; the others do not mind."""
    for each in getattr(schedule, "_schedulers", [schedule]):  # SequentialLR's
        if isinstance(each, Plateau):
            each.observe(loss)
