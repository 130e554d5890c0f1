"""Pilots: short runs of the whole schedule show where the best LR lies, then two LRs around it train to the end.

Where a schedule decays, or its LR still rises, early values of a long run mean little: with one-cycle and linear schedules nearly
all runs had to train to the end. A pilot trains the whole schedule over a ninth of the length. Its best LR lies from a quarter
of a decade below to three quarters above that of a full run, so two finalists train to the end: at the interpolated top of the
pilots, and half a decade below it.

Order-free and replay-equal, as halving is: the pilots are judged together, and the finalists follow from what the journal says of
them. A pilot is never continued and never compared with a full run. docs/decisions/pilots.md has the figures.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from lrtui.search.halving import (
    STEP_DECADES,
    Judged,
    compared,
    is_judged,
    nth,
    prune,
    seed_finalists,
    value_at,
)
from lrtui.search.rounding import rounded
from lrtui.search.strategy import Decision, Space, at, find, start
from lrtui.sweep.events import RungClosed, Setting
from lrtui.sweep.state import MOST_LR, Run, State, Sweep, group_of
from lrtui.text.format import lr_rounded

FIRST = 3
"""So many LRs begin, above the valley: the pilots' best lay 0.3 to 1.7 decades above it in 9 of 10 searches."""
BELOW = 0.5
"""How far the second finalist lies below the interpolated top of the pilots, in decades. Above it some fall off the cliff."""
STEEPEST = 4.0
"""A neighbour of the top counts as at most so many times as far below it as the other one: a cliff says little of where the top is."""
LOWER = 2
"""So often a lower LR is tried where both finalists died."""
_INSIDE = 0.02
"""Decades that a finalist keeps from the user's bounds, which pilots have taken."""
NARROWEST = 1.5
"""Bounds closer than this factor leave no room for finalists beside the pilots."""


@dataclass(frozen=True, slots=True)
class Reach:
    """Which LRs a search may try."""

    rates: tuple[float, ...]
    """To begin with, ascending; without bounds those around the valley of the range test."""
    ceiling: float
    """The LR that none that joins may reach."""
    most: int
    """So many pilots at most: what the plan announced."""
    bounded: bool
    """Whether the first and the last are bounds that the user gave."""

    @property
    def first(self) -> tuple[float, ...]:
        """The LRs that begin: all between bounds; else those above the middle, others as the best lies at an edge."""
        if self.bounded or len(self.rates) <= FIRST:
            return self.rates
        above = (len(self.rates) + 1) // 2
        return self.rates[min(above, len(self.rates) - FIRST) :][:FIRST]


def search_by_pilots(sweep: Sweep, space: Space, cell: Setting, reach: Reach) -> list[Decision]:
    """Return what a group needs next: pilots, more of them at an edge, the finalists, further seeds."""
    length = space.pilots[cell.schedule]
    closed = sweep.rung(group_of(cell), length)
    if closed is None:
        return _pilots(sweep, space, cell, reach)
    decisions: list[Decision] = [
        prune(sweep, run, closed, f"pilot, {place} of {len(closed.pruned)}")
        for run, place in _leaving(sweep, cell, closed)
    ]
    named = [sweep.runs[run] for run in closed.pruned if run in sweep.runs]
    top = _top(sweep, space, cell, named, by_loss=bool(closed.metric))
    rates = _finalists(top, named, reach)
    return decisions + _to_the_end(sweep, space, cell, rates, _lowest(reach))


# ---------------------------------------------------------------- pilots


def _pilots(sweep: Sweep, space: Space, cell: Setting, reach: Reach) -> list[Decision]:
    """Return the pilots that are missing; once all are judged and none is at an edge, the decision."""
    length = space.pilots[cell.schedule]

    def begin(rates: Sequence[float]) -> list[Decision]:
        return [start(at(cell, lr), space.seed, length, pilot=True) for lr in rates]

    missing = [lr for lr in reach.first if find(sweep, at(cell, lr), space.seed) is None]
    if missing:
        return begin(missing)
    racing = _of(sweep, cell)
    if not all(is_judged(run, length) for run in racing):
        return []
    sound, judged, unseen, metric = compared(sweep, length, racing)
    more = beyond(racing, sound, reach)
    if more is not None and find(sweep, at(cell, more), space.seed) is None:
        return begin([more])
    if not any(run.state is State.WAITING for run in racing):
        return []  # nothing to compare: the rung stays open for failed runs that are restarted
    order = [each.run for each in sound]
    order += [run for run in (*judged, *unseen) if run not in order]
    top = _top(sweep, space, cell, order, by_loss=bool(metric))
    rates = _finalists(top, order, reach)
    said = " and ".join(lr_rounded(lr) for lr in rates)
    why = f"{len(order)} pilots of the whole schedule; around their top {said} train to the end"
    if metric:
        why += f"; by {metric}, the metric was not there yet"
    group = group_of(cell)
    pruned = tuple(run.id for run in order)
    closed = RungClosed(group=group, level=length, kept=(), pruned=pruned, why=why, metric=metric)
    ended = [
        prune(sweep, run, closed, f"pilot, {nth(place)} of {len(order)}")
        for place, run in enumerate(order, 1)
        if run.state is State.WAITING
    ]
    begun = _to_the_end(sweep, space, cell, rates, _lowest(reach))
    return [closed, *ended, *begun]  # in one go: a sweep in which nothing is left to do ends


def _of(sweep: Sweep, cell: Setting) -> list[Run]:
    group = group_of(cell)
    return [run for run in sweep.trained() if run.pilot and group_of(run.setting) == group]


def _leaving(sweep: Sweep, cell: Setting, closed: RungClosed) -> list[tuple[Run, str]]:
    """Return the pilots that still wait although they are decided, each with its place."""
    waiting = [run for run in _of(sweep, cell) if run.state is State.WAITING]
    places = {run: nth(place) for place, run in enumerate(closed.pruned, 1)}
    return [(run, places.get(run.id, "joined late")) for run in waiting]


def beyond(racing: list[Run], sound: list[Judged], reach: Reach) -> float | None:
    """Return the LR to try next: beyond the edge at which the best pilot lies, or below where all of them died."""
    rates = [run.setting.lr for run in racing]
    if reach.bounded or len(rates) >= reach.most or not rates:
        return None
    step = 10**STEP_DECADES
    if not sound:
        return rounded(min(rates) / step) if all(map(_died, racing)) else None
    best = sound[0].run.setting.lr
    if best >= max(rates):
        wanted = rounded(best * step)
        return wanted if wanted < reach.ceiling else None
    return rounded(best / step) if best <= min(rates) else None


# ---------------------------------------------------------------- finalists


def _finalists(top: float, pilots: list[Run], reach: Reach) -> list[float]:
    """Return the LRs that train to the end, around the top of the pilots (log10); none is a pilot's."""
    taken = {run.setting.lr for run in pilots}
    low, high = 1 / MOST_LR, min(MOST_LR, reach.ceiling)
    if reach.bounded:
        inside = 10**_INSIDE
        low, high = reach.rates[0] * inside, reach.rates[-1] / inside
    rates: list[float] = []
    for step in (0.0, -BELOW):
        rate = rounded(min(max(10 ** (top + step), low), high), 3)
        while rate in taken:
            rate = rounded(rate / 1.02, 3)
        rates.append(rate)
        taken.add(rate)
    return rates


def _lowest(reach: Reach) -> float:
    return reach.rates[0] if reach.bounded else 0.0


def _to_the_end(
    sweep: Sweep, space: Space, cell: Setting, rates: list[float], lowest: float
) -> list[Decision]:
    """Return the full runs that are missing, lower ones where all of them died, then further seeds."""
    rates = list(rates)
    for _ in range(LOWER + 1):
        runs = {lr: find(sweep, at(cell, lr), space.seed) for lr in rates}
        missing = [lr for lr, run in runs.items() if run is None]
        if missing:
            return [start(at(cell, lr), space.seed, space.horizon) for lr in missing]
        lower = rounded(min(rates) / 10**STEP_DECADES)
        if not all(run is not None and _died(run) for run in runs.values()) or lower < lowest:
            break
        rates.append(lower)
    over = all(run is not None and run.state is State.ENDED for run in runs.values())
    return seed_finalists(sweep, space, cell) if over else []


def _died(run: Run) -> bool:
    """Tell whether an LR was too high: it did not fail for another reason, and the user did not end it."""
    return run.ending is not None and run.ending.kind in {"diverged", "pruned"}


def _top(sweep: Sweep, space: Space, cell: Setting, pilots: list[Run], *, by_loss: bool) -> float:
    """Return log10 of the LR at which the parabola through the best pilot and its neighbours is highest."""
    low = by_loss or (sweep.plan is not None and sweep.plan.goal == "min")
    values: dict[float, float] = {}
    for run in pilots:
        reached = value_at(run, space.pilots[cell.schedule])
        value = None if reached is None else reached.loss if by_loss else reached.value
        values[math.log10(run.setting.lr)] = (
            -math.inf if value is None else -value if low else value
        )
    return vertex(values)


def vertex(values: Mapping[float, float]) -> float:
    """Return where the parabola through the highest value and its neighbours is highest, at most half a step beside it.

    Values by their places; -inf stands for one that died. At an edge, or where nothing is known, the place itself.
    """
    places = sorted(values)
    best = max(places, key=lambda x: (values[x], -x))
    i = places.index(best)
    if not 0 < i < len(places) - 1 or not math.isfinite(values[best]):
        return best
    below, above = places[i - 1], places[i + 1]
    left, right = values[best] - values[below], values[best] - values[above]
    if math.isinf(left) and math.isinf(right):
        return best
    left, right = min(left, STEEPEST * right), min(right, STEEPEST * left)
    a, b = best - below, above - best
    curved = a * right + b * left
    if curved <= 0:
        return best
    found = best + (b * b * left - a * a * right) / (2 * curved)
    return min(max(found, best - a / 2), best + b / 2)
