"""At which lengths settings are compared, from the horizon, the schedule and the grace."""

from __future__ import annotations

import json
import math

from lrtui.sweep.events import Unit
from lrtui.train.schedules import SCHEDULES

ETA = 3
"""Each rung is so many times as long as the one before."""


def rungs(horizon: float, unit: Unit, grace: float) -> tuple[float, ...]:
    """Return the rungs R/9, R/3 and R, as far as they are sensible; in whole epochs, steps or tokens.

    None lies before twice the grace.
    """
    made = [_whole(horizon / ETA**power, unit) for power in (2, 1)]
    kept = [rung for rung in made if 2 * grace <= rung < horizon]
    return (*dict.fromkeys(kept), horizon)


def decays(schedule: str) -> bool:
    """Tell whether a schedule lowers the LR, or nothing is known of it."""
    known = SCHEDULES.get(_named(schedule)[0])
    return known is None or known.decays


def warmup(schedule: str) -> float:
    """Return the share of the horizon in which a schedule's LR rises; 0 where nothing says so."""
    name, options = _named(schedule)
    share = options.get("warmup", SCHEDULES[name].warmup if name in SCHEDULES else 0)
    return float(share) if isinstance(share, int | float) and 0 <= share < 1 else 0.0


def share_of(keep: str) -> float:
    """Return what read_keep returned as a number: 1 for "all"."""
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
    except ValueError:  # of a script of the user's own, and no table
        return schedule, {}
    return str(name), options if isinstance(options, dict) else {}


def _whole(length: float, unit: Unit) -> float:
    """Return a length that evaluations fall on: an epoch is not split, unless a run has none."""
    return float(math.ceil(length - 1e-9)) if unit != "epoch" or length >= 1 else length
