"""Pilots: short runs of the whole schedule show where the best LR lies, then one LR trains to the end.

While a schedule decays, or its LR still rises, early values of a long run mean little: with one-cycle and linear schedules nearly
all runs had to train to the end. A pilot trains the whole schedule over a ninth of the length. Two more around the best one train
it over a third: they show how far the best LR falls as training gets longer. The full run takes the LR that is expected to be best.
If it dies, or ends worse than the pilots, an LR half a decade lower trains as well.

Order-free and replay-equal, as halving is: the pilots of one length are judged together, and the next decision depends only on the
journal. A pilot is never continued and never compared with a full run. docs/decisions/one-full-run.md has the figures.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from lrtui.analysis.fall import FALL
from lrtui.metrics.deciding import is_accuracy
from lrtui.search.halving import (
    STEP_DECADES,
    Judged,
    compared,
    is_judged,
    nth,
    prune,
    sampling_error,
    seed_finalists,
    value_at,
)
from lrtui.search.rounding import rounded
from lrtui.search.strategy import Decision, Space, at, find, start
from lrtui.sweep.events import RungClosed, Setting
from lrtui.sweep.state import MOST_LR, Run, State, Sweep, group_of
from lrtui.text.format import lr_rounded

FIRST = 3
"""Number of first LRs, all above the valley: the pilots' best lay 0.3 to 1.7 decades above it in 9 of 10 searches."""
PAIR = (0.1, -0.4)
"""Places of the two longer pilots (a third of the length), in decades from the interpolated top of the shorter ones: around their
own expected top."""
DOUBT = 0.5
"""Standard deviation of the place of the longer pilots' top before they are seen, in decades."""
STILL = 0.1
"""The part of it that more pilots do not reduce, because curves are not parabolas."""
FURTHEST = 0.25
"""The longer pilots' top lies at most this many decades above the higher one, and never below the lower one: a steep fall to the
higher one can be a cliff."""
CALM = 0.5
"""The noise of a run as a multiple of the usual noise: the middle of the bank's workloads."""
FELL = 2.0
"""A full run worse than a pilot by more than this many times the usual noise has too high an LR, or trains for too long."""
STEEPEST = 4.0
"""A neighbour of the top counts as at most this many times as far below it as the other one: a cliff says little about the top."""
LOWER = 2
"""Number of attempts with a lower LR if all pilots died."""
_INSIDE = 0.02
"""Distance, in decades, of other runs from the user's bounds (which pilots have tried) and from the exclusive upper bound."""
NARROWEST = 1.5
"""Bounds closer than this factor leave no room for further runs beside the pilots."""


@dataclass(frozen=True, slots=True)
class Reach:
    """The LRs that a search may try."""

    rates: tuple[float, ...]
    """To begin with, ascending; without bounds those around the valley of the range test."""
    ceiling: float
    """The upper bound (exclusive) for LRs that join later."""
    most: int
    """The largest number of pilots: what the plan announced."""
    bounded: bool
    """Whether the first and the last are bounds that the user gave."""

    @property
    def first(self) -> tuple[float, ...]:
        """The LRs that begin: all between bounds; else those above the middle, others as the best lies at an edge."""
        if self.bounded or len(self.rates) <= FIRST:
            return self.rates
        above = (len(self.rates) + 1) // 2
        return self.rates[min(above, len(self.rates) - FIRST) :][:FIRST]


@dataclass(frozen=True, slots=True)
class Stage:
    """The judged pilots of one length."""

    length: float
    runs: tuple[Run, ...]
    by_loss: bool
    """Whether the training loss decided, because the metric was still missing."""

    def values(self, sweep: Sweep) -> dict[float, float]:
        """Return the pilots' values by log10 of their LR, higher is better; -inf for a pilot that died."""
        low = self.by_loss or (sweep.plan is not None and sweep.plan.goal == "min")
        found: dict[float, float] = {}
        for run in self.runs:
            reached = value_at(run, self.length)
            value = None if reached is None else reached.loss if self.by_loss else reached.value
            found[math.log10(run.setting.lr)] = (
                -math.inf if value is None else -value if low else value
            )
        return found


def search_by_pilots(sweep: Sweep, space: Space, cell: Setting, reach: Reach) -> list[Decision]:
    """Return a group's next decisions: pilots, more of them at an edge, two longer ones, the full run, further seeds."""
    decisions: list[Decision] = []
    stages: list[Stage] = []
    for length in space.pilots[cell.schedule]:
        closed = sweep.rung(group_of(cell), length)
        if closed is None:
            return decisions + _pilots(sweep, space, cell, reach, stages)
        decisions += [
            prune(sweep, run, closed, f"pilot, {place} of {len(closed.pruned)}")
            for run, place in _leaving(sweep, cell, closed)
        ]
        named = tuple(sweep.runs[run] for run in closed.pruned if run in sweep.runs)
        stages.append(Stage(length, named, by_loss=bool(closed.metric)))
    return decisions + _to_the_end(sweep, space, cell, reach, stages)


# ---------------------------------------------------------------- pilots


def _pilots(
    sweep: Sweep, space: Space, cell: Setting, reach: Reach, stages: list[Stage]
) -> list[Decision]:
    """Return the pilots of the next length that are missing; once all are judged and none is at an edge, the decision."""
    lengths = space.pilots[cell.schedule]
    length = lengths[len(stages)]
    missing = _missing_pilots(sweep, space, cell, reach, stages)
    if missing:
        return missing
    racing = _of(sweep, cell, length)
    if not all(is_judged(run, length) for run in racing):
        return []
    sound, judged, unseen, metric = compared(sweep, length, racing)
    more = _lower(racing, reach) if stages else beyond(racing, sound, reach)
    if more is not None and find(sweep, at(cell, more), space.seed) is None:
        return [start(at(cell, more), space.seed, length, pilot=True)]
    if not any(run.state is State.WAITING for run in racing):
        return []  # nothing to compare: the rung stays open for restarted failed runs
    order = [each.run for each in sound]
    order += [run for run in (*judged, *unseen) if run not in order]
    known = [*stages, Stage(length, tuple(order), by_loss=bool(metric))]
    over = len(known) == len(lengths)
    begun = (
        _to_the_end(sweep, space, cell, reach, known)
        if over
        else _missing_pilots(sweep, space, cell, reach, known)
    )
    rates = [_full_lr(sweep, known, reach)] if over else _pair(sweep, known, reach)
    said = " and ".join(map(lr_rounded, rates))
    what = f"{said} trains to the end" if over else f"{said} train it for longer"
    why = f"{len(order)} pilots of the whole schedule; by their top {what}"
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
    return [closed, *ended, *begun]  # in one batch: a sweep without anything left to do ends


def _missing_pilots(
    sweep: Sweep, space: Space, cell: Setting, reach: Reach, stages: list[Stage]
) -> list[Decision]:
    """Return the pilots of the length after these stages that the sweep does not have."""
    length = space.pilots[cell.schedule][len(stages)]
    wanted = _pair(sweep, stages, reach) if stages else reach.first
    return [
        start(at(cell, lr), space.seed, length, pilot=True)
        for lr in wanted
        if find(sweep, at(cell, lr), space.seed) is None
    ]


def _of(sweep: Sweep, cell: Setting, length: float) -> list[Run]:
    group = group_of(cell)
    return [
        run
        for run in sweep.trained()
        if run.pilot and run.until == length and group_of(run.setting) == group
    ]


def _leaving(sweep: Sweep, cell: Setting, closed: RungClosed) -> list[tuple[Run, str]]:
    """Return the endings of pilots that still wait although their length is decided, each with its place."""
    waiting = [run for run in _of(sweep, cell, closed.level) if run.state is State.WAITING]
    places = {run: nth(place) for place, run in enumerate(closed.pruned, 1)}
    return [(run, places.get(run.id, "joined late")) for run in waiting]


def beyond(racing: list[Run], sound: list[Judged], reach: Reach) -> float | None:
    """Return the LR to try next: beyond the edge at which the best pilot lies, or below all if all died."""
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


def _lower(racing: list[Run], reach: Reach) -> float | None:
    """Return the LR to try next if all longer pilots died."""
    wanted = rounded(min(run.setting.lr for run in racing) / 10**STEP_DECADES, 3)
    room = len(racing) < len(PAIR) + LOWER and wanted > _lowest(reach)
    return wanted if room and all(map(_died, racing)) else None


# ---------------------------------------------------------------- where the next ones train


def _pair(sweep: Sweep, stages: list[Stage], reach: Reach) -> list[float]:
    """Return the LRs of the longer pilots, around their expected top."""
    top = vertex(stages[0].values(sweep))
    return _free([top + step for step in PAIR], stages, reach)


def _full_lr(sweep: Sweep, stages: list[Stage], reach: Reach) -> float:
    """Return the LR that is expected to be the best of full runs."""
    values = [stage.values(sweep) for stage in stages]
    top = vertex(values[0])
    if len(values) > 1:
        same = stages[0].by_loss is stages[1].by_loss
        bend = curvature(values[0]) if same else 0.0
        noise = CALM * _usual_noise(sweep, max(values[0].values()))
        top = longer_top(top, values[1], bend, noise)
    (lr,) = _free([top - FALL], stages, reach)
    return lr


def longer_top(top: float, values: Mapping[float, float], bend: float, noise: float) -> float:
    """Return log10 of the LR at which the longer pilots are expected to be best.

    A parabola with the curvature of the shorter ones goes through the two; the noisier they are and the smaller the curvature, the
    more the usual place counts.

    Args:
        top: that of the shorter ones.
        values: of the longer ones by their places, the higher the better; -inf stands for one that died.
        bend: a in y = -a x² of the shorter ones; 0 if it is not known.
        noise: standard deviation of a value.

    """
    alive = [x for x in values if math.isfinite(values[x])]
    expected = top - FALL
    if not alive:
        return min(values) - STEP_DECADES
    best = max(alive, key=lambda x: (values[x], -x))
    if len(alive) < len(values):
        return min(best, expected)
    low, high = min(values), max(values)
    if bend <= 0 or high <= low:
        return best
    steep = 2 * bend * (high - low)
    seen = (low + high) / 2 + (values[high] - values[low]) / steep
    variance = 2 * (noise / steep) ** 2 + STILL**2
    place = (seen / variance + expected / DOUBT**2) / (1 / variance + 1 / DOUBT**2)
    return min(max(place, low), high + FURTHEST)


def _free(places: Sequence[float], stages: Sequence[Stage], reach: Reach) -> list[float]:
    """Return places (log10) as LRs that no pilot has, within the bounds."""
    taken = {run.setting.lr for stage in stages for run in stage.runs}
    inside = 10**_INSIDE
    low, high = 1 / MOST_LR, min(MOST_LR, reach.ceiling / inside)
    if reach.bounded:
        low, high = reach.rates[0] * inside, reach.rates[-1] / inside
    rates: list[float] = []
    for place in places:
        rate = rounded(min(max(10**place, low), high), 3)
        while rate in taken:
            rate = rounded(rate / 1.02, 3)
        rates.append(rate)
        taken.add(rate)
    return rates


def _lowest(reach: Reach) -> float:
    return reach.rates[0] if reach.bounded else 0.0


# ---------------------------------------------------------------- full runs


def _to_the_end(
    sweep: Sweep, space: Space, cell: Setting, reach: Reach, stages: list[Stage]
) -> list[Decision]:
    """Return the missing full run, a lower one if it died or ended worse than the pilots, then further seeds."""
    rates = [_full_lr(sweep, stages, reach)]
    for _ in range(LOWER + 1):
        run = find(sweep, at(cell, rates[-1]), space.seed)
        if run is None:
            return [start(at(cell, rates[-1]), space.seed, space.horizon)]
        if run.state is not State.ENDED:
            return []
        lower = rounded(rates[-1] / 10**STEP_DECADES, 3)
        falls = len(rates) == 1 and _falls(sweep, space, run, stages[-1])
        if not (_died(run) or falls) or lower <= _lowest(reach):
            break
        rates.append(lower)
    last = find(sweep, at(cell, rates[-1]), space.seed)
    if last is None:
        return [start(at(cell, rates[-1]), space.seed, space.horizon)]
    return seed_finalists(sweep, space, cell) if last.state is State.ENDED else []


def _died(run: Run) -> bool:
    """Return whether an LR was too high: it did not fail for another reason, and the user did not end it."""
    return run.ending is not None and run.ending.kind in {"diverged", "pruned"}


def _falls(sweep: Sweep, space: Space, run: Run, stage: Stage) -> bool:
    """Return whether a full run ended worse than the best pilot of the last length by more than noise explains."""
    reached = value_at(run, space.horizon)
    if not run.finished or reached is None or reached.value is None or stage.by_loss:
        return False
    best = max(stage.values(sweep).values(), default=-math.inf)
    low = sweep.plan is not None and sweep.plan.goal == "min"
    value = -reached.value if low else reached.value
    return value < best - FELL * _usual_noise(sweep, best)


def _usual_noise(sweep: Sweep, value: float) -> float:
    """Return the usual standard deviation of one run's value; 0 if unknown for the metric. Losses are passed negated."""
    from lrtui.analysis.verdict.noise import USUAL  # not before the first paint

    plan = sweep.plan
    if plan is None or not math.isfinite(value):
        return 0.0
    if plan.goal == "min":
        return USUAL["log"] * abs(value)
    if not is_accuracy(plan.metric):
        return 0.0
    whole = 100.0 if value > 1 else 1.0
    share = value / whole
    usual = USUAL["logit"] * whole * share * (1 - share) if 0 <= share <= 1 else 0.0
    return sampling_error(sweep, value) or usual


def vertex(values: Mapping[float, float]) -> float:
    """Return the top of the parabola through the highest value and its neighbours, at most half a step away from it.

    Values by their places; -inf for one that died. At an edge, or without neighbours, the place itself.
    """
    around = _around(values)
    if around is None:
        return max(values, key=lambda x: (values[x], -x))
    best, (a, left), (b, right) = around
    curved = a * right + b * left
    if curved <= 0:
        return best
    found = best + (b * b * left - a * a * right) / (2 * curved)
    return min(max(found, best - a / 2), best + b / 2)


def curvature(values: Mapping[float, float]) -> float:
    """Return a of the parabola y = -a x² through the same three; 0 at an edge, or where nothing is known."""
    around = _around(values)
    if around is None:
        return 0.0
    _, (a, left), (b, right) = around
    return (a * right + b * left) / (a * b * (a + b))


def _around(
    values: Mapping[float, float],
) -> tuple[float, tuple[float, float], tuple[float, float]] | None:
    """Return the place of the highest value, and for each neighbour how far it lies from it and below it."""
    places = sorted(values)
    best = max(places, key=lambda x: (values[x], -x))
    i = places.index(best)
    if not 0 < i < len(places) - 1 or not math.isfinite(values[best]):
        return None
    below, above = places[i - 1], places[i + 1]
    left, right = values[best] - values[below], values[best] - values[above]
    if math.isinf(left) and math.isinf(right):
        return None
    left, right = min(left, STEEPEST * right), min(right, STEEPEST * left)
    return best, (best - below, left), (above - best, right)
