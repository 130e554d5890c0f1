"""The verdict of a search with axes beside the LR: the pair to use, the interval of the LR there, and whether the axes interact.

`recommend` comes here instead of `pick` and `interval` if the plan has axes; `search/surface_search.py` asks `surface_of` what is known so far.

The interval of the LR holds with the axes where they are recommended. What is said of an axis itself, and of the interaction, comes
from surfaces drawn for every slope in proportion to its likelihood, so that a slope that the results leave open is not reported as
known.
"""

from __future__ import annotations

import functools
import itertools
import math
import random
from collections.abc import Sequence
from dataclasses import dataclass, replace
from statistics import median

from lrtui.analysis import surface
from lrtui.analysis.averages import mean, quantile
from lrtui.analysis.surface import Place, Seen
from lrtui.analysis.verdict.answer import Reason, Side, Verdict, Why
from lrtui.analysis.verdict.case import Case, case_of
from lrtui.analysis.verdict.equal import equal_lrs, equal_range, tolerance
from lrtui.analysis.verdict.noise import doubt_of, known_from, of_one_run
from lrtui.analysis.verdict.points import Point, cliff
from lrtui.analysis.verdict.scale import Scale, scale_of
from lrtui.sweep.axis_places import decades_of, share_of, value_of
from lrtui.sweep.choice import choice_of
from lrtui.sweep.events import Axis, GroupKey, Plan, Setting
from lrtui.sweep.state import Sweep
from lrtui.text.clean import clean
from lrtui.text.format import factor, setting_value
from lrtui.train.schedules import SCHEDULES

_FEWEST = 3
_DRAWS = 160
_LRS = 25
_STEPS = {1: 9, 2: 4}
"""Number of LRs to evaluate; _STEPS: number of places on an axis, by the number of axes, each evaluated with half of the LRs."""
_OPEN = 2.0
"""A pair with more seeds than others is picked unless it is this many standard deviations of the noise behind one of them."""
_BELOW, _ABOVE = 0.25, 0.75
"""The places on an axis between which the best LR's move is measured: beyond them the surface is little known."""
_SHORTEST = 9.0
"""The length of the first rung is the horizon by this."""
_LITTLE = 1.15
"""A factor of the LR that counts as no change."""
_USELESS = 2.0
"""Decades between the ends of a move of the LR beyond which nothing is known of it."""


def surface_of(sweep: Sweep, group: GroupKey) -> tuple[tuple[Seen, ...], surface.Surface | None]:
    """Return what a group's settings attained, and the surface through it; None if too little is known."""
    plan = sweep.plan
    if plan is None:
        return (), None
    case = case_of(sweep, plan, scale_of(sweep, plan), group)
    seen = _seen(case)
    if len({each.place for each in seen}) < _FEWEST:
        return seen, None
    return seen, surface.fit(seen, lean_of(group), doubt_of(case))


def lean_of(group: GroupKey) -> float:
    """Return by how many decades the best LR is expected to be higher early in a training; 0 if the schedule lowers it later."""
    known = SCHEDULES.get(choice_of(group.schedule).name)
    return surface.LEAN if known is not None and not known.decays else 0.0


def place_of(plan: Plan, setting: Setting, level: float | None) -> Place:
    """Return where a result lies: log10(lr), the shares along the axes (the middle of one that it does not name), and its length.

    The length is an axis too, from 0 at the horizon to 1 at a ninth of it: the best LR of a short training is often higher.
    """
    shares = (
        share_of(a, setting.axes[a.name]) if a.name in setting.axes else 0.5 for a in plan.axes
    )
    short = math.log(plan.horizon / level) / math.log(_SHORTEST) if level else 0.0
    return math.log10(setting.lr), *shares, short


def on_surface(
    case: Case, blank: Verdict, candidates: list[Point]
) -> tuple[Verdict, Point, list[Reason]]:
    """Return the recommendation, its point, and what is said of the axes."""
    seen, doubt, lean = _seen(case), doubt_of(case), lean_of(blank.group)
    fitted = surface.fit(seen, lean, doubt)
    best = _pick(case, candidates, seen, fitted)
    within = tolerance(case, best)
    found = best.named_in(blank, within)
    if len({each.place for each in seen}) < _FEWEST:
        return found, best, []
    if case.sweep.alive() or case.sweep.queued():
        return found, best, []
    axes = case.plan.axes
    here = place_of(case.plan, best.setting, case.level)
    view = _view(seen, lean, doubt, axes, here, case.scale, within)
    variance = next(each.variance for each in seen if each.place == here)
    found = replace(
        found,
        low=10**view.low,
        high=10**view.high,
        noise=known_from(case, best, variance),
        scatter=math.sqrt(fitted.shape.times * variance) / case.scale.slope(best.mean or 0.0),
        open_sides=view.open_sides,
        optimum=10**view.optimum,
        equal=equal_lrs(best.lr, view.equal),
    )
    return found, best, [*_axis_reasons(axes, best.setting, view), *_interactions(axes, view)]


# ---------------------------------------------------------------- what was seen


def _seen(case: Case) -> tuple[Seen, ...]:
    """Return what each run attained at each length, moved by what the others gained from there to the compared one.

    What died or fell off a cliff counts as the worst of the others; of seeds that repeat themselves the first counts.
    """
    level, scale, by_run = case.level, case.scale, case.results.by_run
    if level is None:
        return ()
    found: list[tuple[Place, float | None, Point]] = []
    bar = cliff(case.sweep, case.plan, scale, [p for p in case.points if case.is_deep(p)])
    lengths = sorted({at for run in by_run.values() for at in run if at <= level})
    gains = {at: _gain(case, at) for at in lengths}
    for point in case.points:
        if point.dead not in ("", "failed"):
            found.append((place_of(case.plan, point.setting, level), None, point))
            continue
        runs = point.runs[:1] if case.identical else point.runs
        for run, at in itertools.product(runs, lengths):
            if at not in by_run[run]:
                continue
            y = scale.score(by_run[run][at].value) + gains[at]
            sound = scale.plain(scale.value(y)) >= bar
            found.append((place_of(case.plan, point.setting, at), y if sound else None, point))
    ys = [y for _, y, _ in found if y is not None]
    if not ys:
        return ()
    worst, middle = min(ys), mean(ys)
    spread = mean([(y - middle) ** 2 for y in ys])

    def seen(place: Place, y: float, point: Point) -> Seen:
        return Seen(place, y, of_one_run(case, point, scale.value(y), spread))

    return tuple(seen(place, worst if y is None else y, point) for place, y, point in found)


def _gain(case: Case, length: float) -> float:
    """Return by how much the score usually rose from a length to the compared one; 0 if no run shows it."""
    gains = [
        case.scale.score(run[case.level].value) - case.scale.score(run[length].value)
        for run in case.results.by_run.values()
        if case.level is not None and case.level in run and length in run
    ]
    return median(gains) if gains else 0.0


def _pick(
    case: Case, candidates: list[Point], seen: tuple[Seen, ...], fitted: surface.Surface
) -> Point:
    """Return the setting with the best mean of those with the most seeds, unless others lead it by more than the noise explains.

    The surface smooths over what is peculiar to a place: on the measured tables a second seed of three finalists chose better.
    """
    means = {id(p): mean([case.scale.score(value) for value in p.values]) for p in candidates}
    noise = fitted.shape.times * min(each.variance for each in seen)
    bar = max(means.values()) - _OPEN * math.sqrt(2 * noise)
    open_ones = [point for point in candidates if means[id(point)] >= bar]
    return max(open_ones, key=lambda p: (len(p.values), means[id(p)], -(p.val_loss or 0.0), -p.lr))


# ---------------------------------------------------------------- what the surfaces say


@dataclass(frozen=True, slots=True)
class _View:
    """What the surfaces say; LRs are log10."""

    optimum: float
    low: float
    high: float
    open_sides: tuple[Side, ...]
    equal: tuple[float, float] | None
    axes: tuple[tuple[float, float], ...]
    """Of each axis the shares between which the best place lies."""
    slopes: tuple[tuple[float, float, float], ...]
    """Of each axis the decades that the best LR moves over the whole of it: the likeliest, and the ends of 90 %."""


@functools.lru_cache(maxsize=32)
def _view(  # noqa: PLR0917  # the key of a cache
    seen: tuple[Seen, ...],
    lean: float,
    doubt: float,
    axes: tuple[Axis, ...],
    here: Place,
    scale: Scale,
    within: float | None,
) -> _View:
    lrs = sorted(each.place[0] for each in seen)
    margin = (lrs[-1] - lrs[0]) / 12
    bottom, top = lrs[0] - margin, lrs[-1] + margin
    count = _STEPS[len(axes)]
    rates = [bottom + (top - bottom) * i / (_LRS - 1) for i in range(_LRS)]
    steps = [i / (count - 1) for i in range(count)]
    corners = list(itertools.product(steps, repeat=len(axes)))
    line = [(x, *here[1:]) for x in rates]
    fewer = rates[::2]
    plane = [(x, *corner, here[-1]) for corner in corners for x in fewer]
    drawn = _draws(seen, lean, doubt, [*line, *plane], len(axes))
    along = [each[:_LRS] for each in drawn]
    tops = sorted(rates[_highest(each)] for each in along)
    fitted = surface.fit(seen, lean, doubt)
    optimum = rates[_highest([fitted.height(place) for place in line])]
    low = min(quantile(tops, 0.05), here[0] - margin / 2)
    high = max(quantile(tops, 0.95), here[0] + margin / 2)
    sides: list[Side] = []
    if low <= lrs[0]:
        sides.append("below")
    if high >= lrs[-1]:
        sides.append("above")
    equal = None if within is None else equal_range(rates, along, optimum, scale, within)
    planes = [each[_LRS:] for each in drawn]
    places = [corners[_highest(each) // len(fewer)] for each in planes]
    ridges = [_ridge(each, fewer, corners) for each in planes]
    return _View(
        optimum=optimum,
        low=low,
        high=high,
        open_sides=tuple(sides),
        equal=equal,
        axes=tuple(_middle([place[i] for place in places])[1:] for i in range(len(axes))),
        slopes=tuple(_middle([_slope(ridge, i) for ridge in ridges]) for i in range(len(axes))),
    )


def _draws(
    seen: tuple[Seen, ...], lean: float, doubt: float, places: list[Place], axes: int
) -> list[list[float]]:
    """Return surfaces drawn for every slope, as many for each as it is likely."""
    rng, drawn = random.Random(0), []
    for axis in range(axes):
        made = surface.by_slope(seen, axis, lean, doubt)
        for each, weight in zip(made, surface.weights(made), strict=True):
            count = round(weight * _DRAWS / axes)
            drawn += each.draws(places, count, rng) if count else []
    return drawn


def _ridge(
    heights: list[float], rates: list[float], corners: list[tuple[float, ...]]
) -> list[tuple[tuple[float, ...], float]]:
    """Return for each place on the axes the best LR there."""
    count = len(rates)
    return [
        (corner, rates[_highest(heights[i * count : (i + 1) * count])])
        for i, corner in enumerate(corners)
    ]


def _slope(ridge: list[tuple[tuple[float, ...], float]], axis: int) -> float:
    """Return by how many decades the best LR moves over an axis, from its inner half."""
    inner = [(at[axis], lr) for at, lr in ridge if _BELOW <= at[axis] <= _ABOVE]
    centre = sum(x for x, _ in inner) / len(inner)
    spread = sum((x - centre) ** 2 for x, _ in inner)
    return sum((x - centre) * y for x, y in inner) / spread


def _middle(values: list[float]) -> tuple[float, float, float]:
    ordered = sorted(values)
    return quantile(ordered, 0.5), quantile(ordered, 0.05), quantile(ordered, 0.95)


def _highest(heights: Sequence[float]) -> int:
    return max(range(len(heights)), key=heights.__getitem__)


# ---------------------------------------------------------------- words


def _axis_reasons(axes: tuple[Axis, ...], setting: Setting, view: _View) -> list[Reason]:
    """Say between which values the best one of each axis lies, and at which ends nothing is known beyond."""
    said = []
    for axis, (low, high) in zip(axes, view.axes, strict=True):
        name, value = clean(axis.name), f"{setting_value(setting.axes.get(axis.name, math.nan))}"
        if low <= 0 and high >= 1:
            words = f"{name} {value}: the best one may lie anywhere from {setting_value(axis.low)} to {setting_value(axis.high)}"
        elif low <= 0:
            words = f"{name} {value}: the best one is at most {setting_value(value_of(axis, high))}, not bounded below {setting_value(axis.low)}"
        elif high >= 1:
            words = f"{name} {value}: the best one is at least {setting_value(value_of(axis, low))}, not bounded above {setting_value(axis.high)}"
        else:
            words = f"{name} {value}: the best one lies from {setting_value(value_of(axis, low))} to {setting_value(value_of(axis, high))}"
        said.append(Reason(Why.AXIS, words))
    return said


def _interactions(axes: tuple[Axis, ...], view: _View) -> list[Reason]:
    """Say for each axis by how much the best LR moves with it."""
    return [
        Reason(Why.INTERACTION, interaction(axis, slope))
        for axis, slope in zip(axes, view.slopes, strict=True)
    ]


def interaction(axis: Axis, slope: tuple[float, float, float]) -> str:
    """Return in words how the best LR moves along an axis: the decades over all of it, likeliest and the ends of 90 %.

    On a log axis of a decade or more for a tenfold value, else for the whole axis.
    """
    likely, low, high = slope
    name, decades = clean(axis.name), decades_of(axis) or 0.0
    tenfold = axis.scale == "log" and decades >= 1
    when = (
        f"when {name} is ten times as large"
        if tenfold
        else f"from {name} {setting_value(axis.low)} to {setting_value(axis.high)}"
    )
    if (high - low) / (decades if tenfold else 1) > _USELESS and low <= 0 <= high:
        return f"how the best LR changes {when} is unknown: it takes more places on {name}, or more seeds"
    factors = [10 ** (each / decades if tenfold else each) for each in (likely, low, high)]
    if low <= 0 <= high or max(factors[0], 1 / factors[0]) < _LITTLE:
        between = f"{factor(factors[1])} to {factor(factors[2])}"
        return (
            f"no interaction was seen: {when} the best LR changes by a factor of {between} (90 %)"
        )
    return f"the best LR {_moves(factors[0])} {when}"


def _moves(times: float) -> str:
    size = max(times, 1 / times)
    if 1.8 <= size <= 2.2:
        return "doubles" if times > 1 else "halves"
    return f"{'rises' if times > 1 else 'falls'} by a factor of {factor(size)}"
