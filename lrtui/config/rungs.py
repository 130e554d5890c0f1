"""The lengths at which settings are compared, from the horizon, the schedule and the grace."""

from __future__ import annotations

import math

from lrtui.sweep.choice import choice_of
from lrtui.sweep.events import Unit
from lrtui.train.schedules import SCHEDULES

ETA = 3
"""The ratio between the lengths of two consecutive rungs."""


def rungs(horizon: float, unit: Unit, grace: float, *, resumes: bool = True) -> tuple[float, ...]:
    """Return the rungs R/9, R/3 and R in whole epochs, steps or tokens.

    A rung below twice the grace is left out. If none is left, as with a one-cycle schedule that warms up for 0.3 R, they lie at
    R/3, R/2 and R, those below the grace left out: without them each LR trains to the end (76 % of a grid of 8 on digits instead of
    46 %, with the same picks in 9 of 9 searches). Runs that cannot resume start again after each rung; so late that costs more than
    it saves, and all train to the end.
    """
    made = [_whole(horizon / ETA**power, unit) for power in (2, 1)]
    kept = [rung for rung in made if 2 * grace <= rung < horizon]
    if not kept and resumes:
        late = [_whole(horizon * share, unit) for share in (1 / 3, 1 / 2)]
        kept = [rung for rung in late if grace <= rung < horizon]
    return (*dict.fromkeys(kept), horizon)


def pilot_lengths(horizon: float) -> tuple[float, ...]:
    """Return the lengths R/9 and R/3, rounded up, over which pilots train a whole schedule: () if the first is over a third of the
    horizon, one if both are the same.
    """
    first, second = (float(math.ceil(horizon / ETA**power - 1e-9)) for power in (2, 1))
    return tuple(dict.fromkeys((first, second))) if first * ETA <= horizon else ()


def decays(schedule: str) -> bool:
    """Return whether a schedule lowers the LR; True if it is unknown."""
    known = SCHEDULES.get(choice_of(schedule).name)
    return known is None or known.decays


def warmup(schedule: str) -> float:
    """Return the share of the horizon in which a schedule's LR rises; 0 if it has no warm-up."""
    chosen = choice_of(schedule)
    known = SCHEDULES.get(chosen.name)
    share = chosen.options.get("warmup", known.warmup if known else 0)
    return float(share) if isinstance(share, int | float) and 0 <= share < 1 else 0.0


def share_of(keep: str) -> float:
    """Return a share from read_keep as a number: 1 for "all"."""
    if keep == "all":
        return 1.0
    over, _, under = keep.partition("/")
    return float(over) / float(under or 1)


def _whole(length: float, unit: Unit) -> float:
    """Return a length at which an evaluation takes place: whole epochs, unless the run is shorter than one."""
    return float(math.ceil(length - 1e-9)) if unit != "epoch" or length >= 1 else length
