"""The lengths at which settings are compared, from the horizon, the schedule and the grace."""

from __future__ import annotations

import json
import math

from lrtui.sweep.events import Unit
from lrtui.train.schedules import SCHEDULES

ETA = 3
"""The ratio between the lengths of two consecutive rungs."""


def rungs(horizon: float, unit: Unit, grace: float) -> tuple[float, ...]:
    """Return the rungs R/9, R/3 and R in whole epochs, steps or tokens.

    A rung below twice the grace is left out.
    """
    made = [_whole(horizon / ETA**power, unit) for power in (2, 1)]
    kept = [rung for rung in made if 2 * grace <= rung < horizon]
    return (*dict.fromkeys(kept), horizon)


def decays(schedule: str) -> bool:
    """Return whether a schedule lowers the LR; True if it is unknown."""
    known = SCHEDULES.get(_named(schedule)[0])
    return known is None or known.decays


def warmup(schedule: str) -> float:
    """Return the share of the horizon in which a schedule's LR rises; 0 if it has no warm-up."""
    name, options = _named(schedule)
    share = options.get("warmup", SCHEDULES[name].warmup if name in SCHEDULES else 0)
    return float(share) if isinstance(share, int | float) and 0 <= share < 1 else 0.0


def share_of(keep: str) -> float:
    """Return a share from read_keep as a number: 1 for "all"."""
    if keep == "all":
        return 1.0
    over, _, under = keep.partition("/")
    return float(over) / float(under or 1)


def _named(schedule: str) -> tuple[str, dict[str, object]]:
    """Return the name and the options of a schedule as Setting spells it."""
    if not schedule.startswith("{"):
        return schedule, {}
    try:
        name, options = next(iter(json.loads(schedule).items()), ("", {}))
    except ValueError:  # a custom script's name that is not JSON
        return schedule, {}
    return str(name), options if isinstance(options, dict) else {}


def _whole(length: float, unit: Unit) -> float:
    """Return a length at which an evaluation takes place: whole epochs, unless the run is shorter than one."""
    return float(math.ceil(length - 1e-9)) if unit != "epoch" or length >= 1 else length
