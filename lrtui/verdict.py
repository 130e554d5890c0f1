"""Which learning rate to use, how sure that is, and why: a pure function of the sweep.

Supervisor, monitor, log mode and report all call `verdict`. Of each group (the settings that differ only in their LR) it
takes the results at the full length, or at the deepest complete rung while nothing has come further; fits a Gaussian process to
them over log10(lr); and recommends an LR that was tried, that came to the end, and of which no seed died.

Seed-bootstrap and quadratic-fit intervals at a nominal 90 % covered 7-47 % of the true optima; the coverage of these is printed by
`python -m tests.benchmarks.calibration`.
"""

from __future__ import annotations

import functools
import json
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from statistics import median

from lrtui import gp
from lrtui.events import Plan, Setting
from lrtui.ranking import shown_state
from lrtui.sweep import Reached, Run, State, Sweep, besides_lr, group_of, lr_text
from lrtui.text import clean

SURE = 0.8
"""LRs are called equal that are, with this probability, no worse than `within`."""
WITHIN_ACCURACY = 0.005
"""What counts as equal where the user did not say: half a percentage point."""
OPEN = 2.0
"""The curve may prefer an LR to the one that measured best where it is behind by so many standard deviations at most."""
NEAR = 1.0
"""An LR beside the cliff gives way to one that is no worse by more than so many standard deviations."""
TIE = 0.25
"""Two LRs are tied, and val_loss decides, below so many standard deviations of their difference."""
GAIN_DOUBT = 1 / 3
"""A result of a shorter rung is moved by what the others gained from there on, with so much of that as its standard deviation. With
all of it the intervals after halving were about 2.6 decades wide on digits and 1.5 on Fashion-MNIST, with a third 1.2 and 0.8, and
both held the optimum in every one of 150 sweeps."""
_CLOSE = 1e-6
_DRAWS = 400
_PLACES = 48
_FREE_NOISES = (0.0, 0.003, 0.01, 0.03, 0.1)
"""Shares of the variance among the results that are tried as noise where it is not known."""


@dataclass(frozen=True, slots=True)
class Point:
    """What became of one LR of a group: a point of the sensitivity chart."""

    lr: float
    setting: Setting
    runs: tuple[str, ...]
    """One per seed, the first seed first."""
    values: tuple[float, ...]
    """Of all seeds that came to `level`."""
    mean: float | None
    """Without the seed that selected it, where it has further ones."""
    se: float | None
    """Standard error of the mean, from two seeds on."""
    seeds: int
    """How many seeds count in the mean."""
    level: float | None
    """The length at which the values were measured, in the plan's unit."""
    full: bool
    """Whether that is the full length."""
    dead: str = ""
    """Why it is not to be recommended, in a word: diverged, collapsed, chance, failed, nan; "" where no seed died."""
    val_loss: float | None = None
    state: str = ""
    """Of its first run."""

    @property
    def selected(self) -> bool:
        """Whether the seed that selected it is left out of the mean."""
        return self.seeds < len(self.values)


@dataclass(frozen=True, slots=True)
class Verdict:
    """A recommendation."""

    lr: float | None = None
    """None where nothing can be recommended; the reasons then say what to try."""
    group: str = ""
    """What its setting has besides the LR, in words."""
    setting: Setting | None = None
    runs: tuple[str, ...] = ()
    value: float | None = None
    value_at: float | None = None
    """The length at which the value was measured."""
    seeds: int = 0
    """How many seeds the value is the mean of."""
    low: float | None = None
    high: float | None = None
    """Where the best LR lies with a probability of 90 %; None where one LR alone was tried."""
    by_noise: bool = False
    """Whether the interval rests on known noise; else on the distance between the LRs alone, and has no probability."""
    optimum: float | None = None
    """The interpolated best LR, which need not have been tried."""
    equal: tuple[float, float] | None = None
    """The LRs that are as good, within `within`."""
    within: float | None = None
    """In the metric's unit; None where neither the user nor any noise says what is equal."""
    spent: float = 0.0
    grid: float = 0.0
    """What training every LR to the end with as many seeds costs, in the plan's unit."""
    provisional: bool = True
    """Whether runs are left that could change it."""
    reasons: tuple[str, ...] = ()
    not_tested: tuple[str, ...] = ()

    def headline(self, plan: Plan) -> str:
        """Return the verdict in one line."""
        if self.lr is None:
            if self.equal is not None:
                return f"the learning rates from {_range(self.equal)} cannot be told apart"
            return "no learning rate to recommend yet"
        so_far = "so far: " if self.provisional else ""
        if self.low is not None and self.high is not None:
            between = _range((self.low, self.high))
            about = f"90 %: {between}" if self.by_noise else f"{between}: noise unknown"
        else:
            about = f"{clean(plan.metric)} {number(self.value)}"
        return f"{so_far}use lr = {lr_text(self.lr)} ({about})"

    def sentence(self, plan: Plan) -> str:
        """Return all of it in one line: interval, equal range, seeds, cost, reasons, what was not tested."""
        first = [reason for reason in self.reasons if reason.startswith("equal within")]
        parts = [self.headline(plan), *first, *(r for r in self.reasons if r not in first)]
        if self.not_tested:
            parts.append(f"not tested: {', '.join(self.not_tested)}")
        return clean("; ".join(parts))


def verdict(sweep: Sweep) -> Verdict:
    """Return the recommendation over all groups; of a study, for the settings that it starts from."""
    found = verdicts(sweep)
    if sweep.plan is None or not found:
        return Verdict(reasons=("nothing was started",))
    best = found[0]
    if sweep.plan.study:
        base = groups(sweep)[0]
        best = next(each for each in found if each.group == base)
    reasons = list(best.reasons)
    if best.lr is not None and len(found) > 1 and not sweep.plan.study:
        reasons[1:1] = _other_groups(sweep.plan, best, found)
    spent, grid = sweep.spent, sum(each.grid for each in found)
    if len(found) > 1:
        reasons = [r for r in reasons if r != _cost(sweep.plan, best.spent, best.grid)]
    cost = _cost(sweep.plan, spent, grid)
    if cost and cost not in reasons:
        reasons.append(cost)
    return replace(best, spent=spent, grid=grid, reasons=tuple(reasons))


def verdicts(sweep: Sweep) -> list[Verdict]:
    """Return the recommendation of each group, the best first; those without an answer last."""
    plan = sweep.plan
    if plan is None:
        return []
    scale = _scale(sweep, plan)
    found = [_judge(sweep, plan, scale, group) for group in groups(sweep)]

    def order(each: Verdict) -> tuple[bool, float, float]:
        if each.lr is None or each.value is None:
            return True, 0.0, 0.0
        return False, -(each.value_at or 0.0), -scale.score(each.value)

    return sorted(found, key=order)


def groups(sweep: Sweep) -> list[str]:
    """Return what the settings of each group share besides their LR, in the order in which they were queued."""
    return list(dict.fromkeys(group_of(run.setting) for run in sweep.trained()))


def sensitivity(sweep: Sweep, group: str) -> list[Point]:
    """Return what became of each LR of a group, the lowest first; dead ones and those without a result included."""
    plan = sweep.plan
    return [] if plan is None else _points(sweep, plan, _scale(sweep, plan), _of(sweep, group))


def number(value: float | None) -> str:
    """Return a metric's value as people read it: 0.4123, 3.1e-05, nan, "-" where there is none."""
    if value is None:
        return "-"
    return f"{value:.4g}" if value == 0 or not 1e-3 <= abs(value) < 1e4 else f"{value:.4f}"[:7]


def length(plan: Plan, level: float | None) -> str:
    """Return a length of training in the plan's unit: "epoch 4", "step 12000"."""
    return f"{plan.unit} {0 if level is None else level:.10g}"


# ---------------------------------------------------------------- points


@dataclass(frozen=True, slots=True)
class _Result:
    """What one run was measured at, at one length."""

    level: float
    value: float
    val_loss: float | None


def _of(sweep: Sweep, group: str) -> list[Run]:
    return [run for run in sweep.trained() if group_of(run.setting) == group]


def _points(sweep: Sweep, plan: Plan, scale: _Scale, runs: list[Run]) -> list[Point]:
    results = {run.id: _results(sweep, plan, run) for run in runs}
    level = _compared_at(sweep, plan, runs, results)
    by_lr: dict[float, list[Run]] = {}
    for run in sorted(runs, key=lambda run: (run.setting.lr, run.seed, not _finished(run), run.id)):
        known = by_lr.setdefault(run.setting.lr, [])
        if not known or known[-1].seed != run.seed:
            known.append(run)
    selecting = _selecting_seed(by_lr.values())
    points = [_point(plan, each, results, level, selecting) for each in by_lr.values()]
    return _at_chance(sweep, plan, scale, _dead_by_value(sweep, plan, scale, runs, points))


def _results(sweep: Sweep, plan: Plan, run: Run) -> dict[float, _Result]:
    """Return a run's result at each length at which it was judged, the full one under the horizon."""
    found: dict[float, _Result] = {}
    untils = {attempt.number: attempt.until for attempt in run.attempts}
    for reached in run.reached:
        until = untils.get(reached.attempt, 0.0)
        if until >= plan.horizon * (1 - _CLOSE) or reached.value is None:
            continue
        closed = sweep.rung(group_of(run.setting), until)
        judged = closed is not None and run.id in (*closed.kept, *closed.pruned)
        if judged or reached.level >= 0.9 * until:
            found[until] = _Result(until, reached.value, reached.val_loss)
    final = _final(run)
    if final is not None and final.value is not None and math.isfinite(final.value):
        found[_length_of(plan, run, final)] = _Result(final.level, final.value, final.val_loss)
    return {level: each for level, each in found.items() if math.isfinite(each.value)}


def _final(run: Run) -> Reached | None:
    """Return what a finished run's last attempt measured."""
    if not _finished(run) or not run.attempts:
        return None
    last = run.reached[-1] if run.reached else None
    return last if last is not None and last.attempt == run.attempts[-1].number else None


def _length_of(plan: Plan, run: Run, final: Reached) -> float:
    """Return the length that a final value stands for: the horizon, unless the script ended by itself before it."""
    early = run.ending is not None and run.ending.why.startswith("ended by itself")
    return final.level if early and final.level < 0.9 * plan.horizon else plan.horizon


def _compared_at(
    sweep: Sweep, plan: Plan, runs: list[Run], results: Mapping[str, dict[float, _Result]]
) -> float | None:
    """Return the length at which the LRs of a group are compared: the horizon as soon as one came to it, else the deepest
    complete rung; where all ended by themselves before it, the longest.
    """
    if any(plan.horizon in each for each in results.values()):
        return plan.horizon
    rungs = [rung.level for rung in sweep.rungs if rung.group == group_of(runs[0].setting)]
    if rungs or any(run.state is not State.ENDED for run in runs):
        return max(rungs, default=None)
    return max((level for run in runs if _finished(run) for level in results[run.id]), default=None)


def _finished(run: Run) -> bool:
    return run.ending is not None and run.ending.kind == "finished"


def _selecting_seed(settings: Iterable[list[Run]]) -> int | None:
    """Return the seed by which some settings were chosen to get further seeds; None where all have the same."""
    every = [[run.seed for run in runs] for runs in settings]
    first = min((seeds[0] for seeds in every), default=None)
    further = [any(seed != first for seed in seeds) for seeds in every]
    return first if any(further) and not all(further) else None


def _point(
    plan: Plan,
    runs: list[Run],
    results: Mapping[str, dict[float, _Result]],
    level: float | None,
    selecting: int | None,
) -> Point:
    deaths = [death for run in runs if (death := _death(run))]
    known = [
        at for run in runs for at in results[run.id] if level is None or at <= level * (1 + _CLOSE)
    ]
    deepest = max(known, default=None) if level is not None else None
    seen: list[tuple[int, _Result]] = []
    if deepest is not None:
        # Scripts that end by themselves do so at lengths of their own: a tenth is no other length.
        near = 0.9 * deepest if deepest == level != plan.horizon else deepest
        for run in runs:
            there = [each for at, each in results[run.id].items() if near <= at <= deepest]
            seen += [(run.seed, each) for each in there[-1:]]
    counted = [each for seed, each in seen if seed != selecting] or [each for _, each in seen]
    values = [each.value for each in counted]
    losses = [each.val_loss for each in counted if each.val_loss is not None]
    return Point(
        lr=runs[0].setting.lr,
        setting=runs[0].setting,
        runs=tuple(run.id for run in runs),
        values=tuple(each.value for _, each in seen),
        mean=sum(values) / len(values) if values else None,
        se=_standard_error(values),
        seeds=len(values),
        level=min((each.level for each in counted), default=None),
        full=deepest is not None and deepest == plan.horizon,
        dead=deaths[0] if deaths else "",
        val_loss=sum(losses) / len(losses) if losses and len(losses) == len(values) else None,
        state=shown_state(runs[0]),
    )


def _death(run: Run) -> str:
    """Return in a word how a run died; "" where it did not, or where its end says nothing about its LR."""
    if run.ending is None:
        return ""
    if run.ending.kind in ("diverged", "failed"):
        return run.ending.kind
    rule = run.ending.why.partition(":")[0]
    if run.ending.kind == "pruned":
        return rule if rule in ("collapsed", "chance", "nan", "diverged") else ""
    final = _final(run)
    if final is not None and (final.value is None or not math.isfinite(final.value)):
        return "nan"
    return "nan" if any(rule == "nan" for rule, _ in run.flags) else ""


def _dead_by_value(
    sweep: Sweep, plan: Plan, scale: _Scale, runs: list[Run], points: list[Point]
) -> list[Point]:
    """Return the points; one whose run was flagged by a health rule and ended far from the best is dead."""
    flags = {
        run.id: rule
        for run in runs
        for rule, _ in run.flags
        if rule in ("collapsed", "chance", "diverged")
    }
    bar = _cliff(sweep, plan, scale, points)
    return [
        replace(point, dead=next(flags[run] for run in point.runs if run in flags))
        if not point.dead
        and point.mean is not None
        and scale.plain(point.mean) < bar
        and any(run in flags for run in point.runs)
        else point
        for point in points
    ]


def _at_chance(sweep: Sweep, plan: Plan, scale: _Scale, points: list[Point]) -> list[Point]:
    """Return the points; one at chance while a lower LR is above it is dead, not slow."""
    above = False
    found = []
    for point in points:
        at = _is_chance(sweep, plan, scale, point)
        found.append(replace(point, dead="chance") if at and above and not point.dead else point)
        above |= point.mean is not None and not at and not point.dead
    return found


def _is_chance(sweep: Sweep, plan: Plan, scale: _Scale, point: Point) -> bool:
    """Tell whether a value is what guessing attains: 1 of C, within its noise, or a loss of ln C."""
    if point.mean is None or sweep.data is None or sweep.data.classes < 2:
        return False
    chance = 1 / sweep.data.classes
    if scale.kind == "logit":
        share = point.mean / scale.whole
        sampled = math.sqrt(chance * (1 - chance) / sweep.data.val) if sweep.data.val > 0 else 0.0
        return share <= chance + (3 * sampled or 0.1 * chance)
    entropy = math.log(sweep.data.classes)
    return "loss" in plan.metric and plan.goal == "min" and point.mean >= 0.98 * entropy


def _standard_error(values: Sequence[float]) -> float | None:
    if len(values) < 2:
        return None
    mean = sum(values) / len(values)
    return math.sqrt(sum((v - mean) ** 2 for v in values) / (len(values) - 1) / len(values))


# ---------------------------------------------------------------- the scale


@dataclass(frozen=True, slots=True)
class _Scale:
    """From the metric to scores in which the curve over LRs is smooth and higher is better.

    An accuracy's logit and a loss's logarithm: 98 and 99 % differ as much as 50 and 67 %, and losses may span decades. Beside the
    bare values they narrowed the intervals on the simulated sweeps by a third (digits) at the same coverage.
    """

    kind: str = "linear"
    """logit | log | linear."""
    sign: float = 1.0
    whole: float = 1.0
    """What an accuracy of 100 % is: 1 or 100."""
    least: float = 5e-4
    """How far from 0 and 1 an accuracy stays: half an image."""

    def score(self, value: float) -> float:
        if self.kind == "logit":
            share = self._inside(value)
            return math.log(share / (1 - share))
        return -math.log(value) if self.kind == "log" else self.sign * value

    def value(self, score: float) -> float:
        if self.kind == "logit":
            return self.whole / (1 + math.exp(-min(max(score, -500.0), 500.0)))
        return math.exp(min(-score, 700.0)) if self.kind == "log" else self.sign * score

    def slope(self, value: float) -> float:
        """Return by how much the score changes with the value."""
        if self.kind == "logit":
            share = self._inside(value)
            return 1 / (share * (1 - share) * self.whole)
        return 1 / value if self.kind == "log" else 1.0

    def plain(self, value: float) -> float:
        """Return a score in which "half of the way" is meant as people mean it: accuracies count as they are."""
        return value if self.kind == "logit" else self.score(value)

    def sampled(self, value: float, images: int) -> float:
        """Return the score's variance because only so many images were judged."""
        share = self._inside(value)
        return (self.whole * self.slope(value)) ** 2 * share * (1 - share) / images

    def _inside(self, value: float) -> float:
        return min(max(value / self.whole, self.least), 1 - self.least)


def _scale(sweep: Sweep, plan: Plan) -> _Scale:
    """Return the scale of a sweep's metric; accuracies are known by their name, percent by their size."""
    values = [
        reached.value
        for run in sweep.trained()
        for reached in run.reached
        if reached.value is not None and math.isfinite(reached.value)
    ]
    images = sweep.data.val if sweep.data is not None else 0
    if plan.goal == "max" and "acc" in plan.metric.lower():
        whole = 100.0 if max(values, default=0.0) > 1.0 + _CLOSE else 1.0
        if all(0 <= value <= whole * (1 + _CLOSE) for value in values):
            return _Scale("logit", whole=whole, least=0.5 / images if images > 0 else 5e-4)
    if plan.goal == "min" and values and min(values) > 0:
        return _Scale("log")
    return _Scale(sign=1.0 if plan.goal == "max" else -1.0)


def _cliff(sweep: Sweep, plan: Plan, scale: _Scale, points: Sequence[Point]) -> float:
    """Return the plain score below which a result says where the cliff is, not where the top is.

    Worse than the best by over half of the best's improvement on its start, which is chance where the classes are known. Else
    it is the worst result, and something must also stand out.
    """
    plain = [scale.plain(p.mean) for p in points if p.mean is not None and not p.dead]
    if not plain:
        return -math.inf
    best, classes = max(plain), sweep.data.classes if sweep.data is not None else 0
    start = 0.0 if scale.kind == "logit" else None
    if classes > 1 and scale.kind == "logit":
        start = scale.whole / classes
    elif classes > 1 and scale.kind == "log" and "loss" in plan.metric:
        start = scale.score(math.log(classes))
    if start is not None:
        return best - 0.5 * (best - start) if start < best else -math.inf
    usual = median(best - each for each in plain)
    return min(best - 0.5 * (best - min(plain)), best - 4 * usual)


# ---------------------------------------------------------------- judging a group


@dataclass(frozen=True, slots=True)
class _Curve:
    """The GP's answer about a stretch of LRs; all places are log10."""

    optimum: float
    low: float
    high: float
    equal: tuple[float, float] | None


@dataclass(frozen=True, slots=True)
class _Case:
    """All that is known about one group."""

    sweep: Sweep
    plan: Plan
    scale: _Scale
    points: list[Point]
    level: float | None = None
    """The length at which the LRs are compared."""
    runs: list[Run] = field(default_factory=list)
    noise: float | None = None
    """Variance of one run's score; None where nothing says it."""
    measured: bool = False
    """Whether the noise comes from seeds; else from the number of validation images."""

    @property
    def provisional(self) -> bool:
        waiting = any(run.state is not State.ENDED for run in self.sweep.runs.values())
        full = self.level is not None and self.level == self.plan.horizon
        return waiting or self.sweep.budget_reached is not None or not full

    @property
    def candidates(self) -> list[Point]:
        """The LRs that can be recommended: compared at the deepest length, no seed of them dead."""
        return [p for p in self.points if not p.dead and p.mean is not None and self.is_deep(p)]

    def is_deep(self, point: Point) -> bool:
        """Tell whether a point's values come from the length at which LRs are compared."""
        if self.level is None or point.level is None:
            return False
        return point.full or (self.level != self.plan.horizon and point.level >= 0.9 * self.level)

    def score(self, point: Point) -> float:
        assert point.mean is not None  # noqa: S101  # candidates have one
        return self.scale.score(point.mean)

    def variance(self, point: Point) -> float | None:
        """Return the variance of a point's score; None where the noise is not known."""
        return None if self.noise is None else self._one(point) / max(1, len(point.values))

    def _one(self, point: Point) -> float:
        images = self.sweep.data.val if self.sweep.data is not None else 0
        floor = 0.0
        if self.scale.kind == "logit" and images > 0 and point.mean is not None:
            floor = self.scale.sampled(point.mean, images)
        return max(self.noise or 0.0, floor)


def _judge(sweep: Sweep, plan: Plan, scale: _Scale, group: str) -> Verdict:
    """Return the recommendation of one group."""
    runs = _of(sweep, group)
    points = _points(sweep, plan, scale, runs)
    level = _compared_at(sweep, plan, runs, {run.id: _results(sweep, plan, run) for run in runs})
    noise, measured = _noise(sweep, scale, points)
    case = _Case(sweep, plan, scale, points, level, runs, noise, measured)
    ranged = [r for r in sweep.runs.values() if r.is_range_test and group_of(r.setting) == group]
    blank = Verdict(
        group=group,
        spent=sum(run.spent for run in (*runs, *ranged)),
        grid=len(points) * plan.horizon * max(1, len({run.seed for run in runs})),
        provisional=case.provisional,
        not_tested=tuple(_not_tested(points)),
    )
    candidates = case.candidates
    why_none = _nothing_to_choose(case, candidates)
    if why_none is not None:
        return _without_answer(case, blank, why_none)
    best, told = _pick(case, candidates)
    within = _within(case, best)
    curve = _curve_around(case, best, within)
    found = replace(
        blank,
        lr=best.lr,
        setting=best.setting,
        runs=best.runs,
        value=best.mean,
        value_at=best.level,
        seeds=best.seeds,
        within=within,
    )
    if curve is not None:
        found = replace(
            found,
            low=10**curve.low,
            high=10**curve.high,
            by_noise=noise is not None,
            optimum=10**curve.optimum,
            equal=_around(best.lr, curve.equal),
        )
    return replace(found, reasons=tuple(_reasons(case, found, best, candidates, told)))


def _around(lr: float, equal: tuple[float, float] | None) -> tuple[float, float] | None:
    """Return an equal range of log10(lr) as LRs; None where it leaves out the LR that is recommended: then none is equal for certain."""
    if equal is None:
        return None
    low, high = 10 ** equal[0], 10 ** equal[1]
    return (low, high) if low * (1 - _CLOSE) <= lr <= high * (1 + _CLOSE) else None


def _noise(sweep: Sweep, scale: _Scale, points: Sequence[Point]) -> tuple[float | None, bool]:
    """Return the variance of one run's score, and whether seeds measured it: pooled over the LRs, dead ones and cliffs left out."""
    assert sweep.plan is not None  # noqa: S101  # a case has one
    bar = _cliff(sweep, sweep.plan, scale, points)
    squares, free = 0.0, 0
    for point in points:
        if point.dead or point.mean is None or scale.plain(point.mean) < bar:
            continue
        scores = [scale.score(value) for value in point.values]
        mean = sum(scores) / len(scores)
        squares += sum((score - mean) ** 2 for score in scores)
        free += len(scores) - 1
    if free > 0:
        return squares / free, True
    sampled = scale.kind == "logit" and sweep.data is not None and sweep.data.val > 0
    return (0.0, False) if sampled else (None, False)


def _nothing_to_choose(case: _Case, candidates: list[Point]) -> list[str] | None:
    """Return why there is nothing to choose from or between; None where there is."""
    if not candidates:
        return []
    metric = clean(case.plan.metric)
    if all(_is_chance(case.sweep, case.plan, case.scale, point) for point in candidates):
        return [f"no run learned anything: {metric} stands where guessing does", _TRY_MORE]
    values = {value for point in candidates for value in point.values}
    losses = {point.val_loss for point in candidates}
    informed = [point for point in case.points if point.mean is not None and not point.dead]
    if len(candidates) < max(2, len(informed)) or len(values) > 1 or len(losses) > 1:
        return None
    only = number(values.pop())
    earlier = {
        r.value for run in case.runs for r in run.reached if r.level < 0.9 * (case.level or 0)
    }
    if earlier and earlier <= {candidates[0].mean}:
        return [
            f"no run learned anything: {metric} stood at {only} from the first to the last",
            _TRY_MORE,
        ]
    return [
        f"all {len(candidates)} learning rates ended with {metric} {only}: it cannot tell them apart",
        "train longer or on more data, or choose a metric that still differs, such as a validation loss",
    ]


_TRY_MORE = (
    "check the data and its labels, train longer, or try learning rates that are decades apart"
)


def _pick(case: _Case, candidates: list[Point]) -> tuple[Point, list[str]]:
    """Return the LR to recommend, and in words what decided between near ties.

    The highest point of the curve through all results: the highest result alone is often the luckiest. Among LRs that
    cannot be told from it, one beside the cliff gives way, for its next seed may fall off (simulated sweeps of digits with Adam: 0.4 points lost
    on average instead of the highest result's 1.1); then the lower val loss decides. Where the noise is not known, the results as they are.
    """
    scores = {point.lr: case.score(point) for point in candidates}
    doubts = dict.fromkeys(scores, 0.0)
    observations = _observations(case)
    if case.noise is not None and len(candidates) > 1 and len(observations) > 2:
        # The curve says nothing beyond the cliff, and speaks only where the results leave it open.
        candidates = [p for p in candidates if _is_open(case, p, candidates, observations)]
        fitted = gp.fit(observations)
        for lr in scores:
            scores[lr], doubts[lr] = fitted.at(math.log10(lr))

    def lead(points: list[Point], tie: float) -> tuple[Point, list[Point]]:
        first = max(points, key=lambda p: (scores[p.lr], -(p.val_loss or 0.0), -p.lr))
        near = {p.lr: tie * math.hypot(doubts[first.lr], doubts[p.lr]) for p in points}
        return first, [p for p in points if scores[first.lr] - scores[p.lr] <= near[p.lr]]

    highest, tied = lead(candidates, NEAR)
    safe = [point for point in tied if not _is_beside_cliff(case, point, observations)]
    best, tied = lead(safe or candidates, TIE)
    told = []
    if best is not highest:
        told.append(
            f"{lr_text(highest.lr)} is no worse by the curve, but the next learning rate above it fell off: the safer one of the two"
        )
    if len(tied) > 1 and all(point.val_loss is not None for point in tied):
        lowest = min(tied, key=lambda p: (p.val_loss, -scores[p.lr], p.lr))
        if lowest is not best and lowest.val_loss != best.val_loss:
            losses = f"{number(lowest.val_loss)} against {number(best.val_loss)}"
            told.append(f"tied with {lr_text(best.lr)}; its val_loss is lower ({losses})")
            best = lowest
    return best, told


def _is_open(
    case: _Case, point: Point, candidates: list[Point], observations: Sequence[gp.Observation]
) -> bool:
    """Tell whether an LR was fitted, and no other one measured better by more than the noise allows."""
    highest = max(candidates, key=case.score)
    doubt = math.sqrt((case.variance(point) or 0.0) + (case.variance(highest) or 0.0))
    near = case.score(point) >= case.score(highest) - OPEN * doubt
    return near and any(o.x == math.log10(point.lr) for o in observations)


def _is_beside_cliff(case: _Case, point: Point, observations: Sequence[gp.Observation]) -> bool:
    above = [other for other in case.points if other.lr > point.lr]
    return bool(above) and _is_wall(above[0], observations)


def _within(case: _Case, best: Point) -> float | None:
    """Return what counts as equal, in the metric's unit."""
    if case.plan.within is not None:
        return case.plan.within
    if case.scale.kind == "logit":
        return WITHIN_ACCURACY * case.scale.whole
    variance = case.variance(best)
    if variance is None or best.mean is None:
        return None
    return 2 * math.sqrt(variance) / case.scale.slope(best.mean)


def _observations(case: _Case) -> tuple[gp.Observation, ...]:
    """Return what the curve is fitted to: results at the compared length, and those of shorter rungs, moved by what the others
    gained from there on and trusted that much less. Dead LRs and the cliff are left out.
    """
    bar = _cliff(case.sweep, case.plan, case.scale, [p for p in case.points if case.is_deep(p)])
    found = []
    for point in case.points:
        if point.dead or point.mean is None:
            continue
        scores = [case.scale.score(value) for value in point.values]
        gain: float | None = 0.0 if case.is_deep(point) else _gain(case, point)
        score = sum(scores) / len(scores)
        if gain is None or case.scale.plain(case.scale.value(score + gain)) < bar:
            continue
        variance = case.variance(point) or 0.0
        doubt = (GAIN_DOUBT * gain) ** 2
        found.append(gp.Observation(math.log10(point.lr), score + gain, variance + doubt))
    return tuple(found)


def _gain(case: _Case, point: Point) -> float | None:
    """Return by how much the score usually rose from this point's length to the compared one; None where nobody shows it."""
    gains = []
    dead = {run for each in case.points if each.dead for run in each.runs}
    for run in case.runs:
        if run.id in dead:
            continue
        results = _results(case.sweep, case.plan, run)
        before = [each for level, each in results.items() if level == point.level]
        after = results.get(case.level) if case.level is not None else None
        if before and after is not None:
            gains.append(case.scale.score(after.value) - case.scale.score(before[0].value))
    return median(gains) if gains else None


def _curve_around(case: _Case, best: Point, within: float | None) -> _Curve | None:
    """Return where the optimum lies around the pick; None where there is nothing to compare it with."""
    observations = _observations(case)
    here = math.log10(best.lr)
    if len({o.x for o in observations}) < 2 and len(case.points) < 2:
        return None
    if not any(o.x != here for o in observations):
        return None
    walls = tuple(math.log10(p.lr) for p in case.points if _is_wall(p, observations))
    tried = tuple(math.log10(p.lr) for p in case.points)
    free = () if case.noise is not None else _FREE_NOISES
    return _curve(observations, free, here, tried, walls, case.scale, within)


def _is_wall(point: Point, observations: Sequence[gp.Observation]) -> bool:
    """Tell whether an LR killed a seed, or was so bad that it was left out of the fit: the curve says nothing beyond it."""
    x = math.log10(point.lr)
    out = point.mean is not None and all(o.x != x for o in observations)
    return out or point.dead not in ("", "failed")


@functools.lru_cache(maxsize=256)
def _curve(  # noqa: PLR0917  # the key of a cache
    observations: tuple[gp.Observation, ...],
    noises: tuple[float, ...],
    here: float,
    tried: tuple[float, ...],
    walls: tuple[float, ...],
    scale: _Scale,
    within: float | None,
) -> _Curve:
    """Return optimum, interval and equal range on the stretch without a wall that the pick lies in."""
    inside = _stretch([o.x for o in observations], here, walls)
    steps = _half_steps(here, tried)
    bottom = inside[0] - _half_steps(inside[0], tried)[0]
    top = inside[-1] + _half_steps(inside[-1], tried)[1]
    places = sorted(
        {bottom + (top - bottom) * i / _PLACES for i in range(_PLACES + 1)} | set(inside)
    )
    spread = _spread([o.y for o in observations])
    fitted = gp.fit(observations, tuple(spread * share for share in noises) or (0.0,))
    means = [fitted.at(x)[0] for x in places]
    curves = fitted.draws(places, _DRAWS) if not noises else [means]
    tops = sorted(places[max(range(len(places)), key=curve.__getitem__)] for curve in curves)
    optimum = places[max(range(len(places)), key=means.__getitem__)]
    low, high = here - steps[0], here + steps[1]
    if not noises:
        low = min(low, optimum - steps[0], _quantile(tops, 0.05))
        high = max(high, optimum + steps[1], _quantile(tops, 0.95))
    equal = None if within is None else _equal(places, curves, optimum, scale, within)
    return _Curve(optimum, max(low, bottom), min(high, top), equal)


def _stretch(xs: list[float], here: float, walls: Sequence[float]) -> list[float]:
    """Return the places around `here` that no wall separates from it."""
    below = max((wall for wall in walls if wall < here), default=-math.inf)
    above = min((wall for wall in walls if wall > here), default=math.inf)
    return sorted({x for x in (*xs, here) if below < x < above})


def _half_steps(x: float, tried: Sequence[float]) -> tuple[float, float]:
    """Return half the distance to the next LR below and above that was tried; at an edge, that to the other side."""
    below = [x - other for other in tried if other < x - _CLOSE]
    above = [other - x for other in tried if other > x + _CLOSE]
    down, up = min(below, default=0.0), min(above, default=0.0)
    return (down or up) / 2, (up or down) / 2


def _equal(
    places: list[float], curves: list[list[float]], optimum: float, scale: _Scale, within: float
) -> tuple[float, float] | None:
    """Return the LRs around the optimum of which enough curves say that they are no worse than `within`."""
    sign = 1.0 if scale.kind == "logit" or (scale.kind == "linear" and scale.sign > 0) else -1.0
    hits = [0] * len(places)
    for curve in curves:
        best = scale.value(max(curve))
        enough = best - sign * within
        bar = scale.score(enough) if scale.kind != "logit" or enough > 0 else -math.inf
        for i, y in enumerate(curve):
            hits[i] += y >= bar - 1e-12
    need = SURE * len(curves)
    low = high = places.index(optimum)
    if hits[low] < need:
        return None
    while low > 0 and hits[low - 1] >= need:
        low -= 1
    while high < len(places) - 1 and hits[high + 1] >= need:
        high += 1
    return places[low], places[high]


def _spread(ys: Sequence[float]) -> float:
    mean = sum(ys) / len(ys)
    return sum((y - mean) ** 2 for y in ys) / len(ys) or 1.0


def _quantile(ordered: Sequence[float], share: float) -> float:
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


# ---------------------------------------------------------------- words


def _reasons(
    case: _Case, found: Verdict, best: Point, candidates: list[Point], told: list[str]
) -> list[str]:
    plan = case.plan
    said = [_measured(case, best, candidates)]
    said += _runner_up(case, found, best, candidates)
    said += told
    said += _noise_in_words(case, best)
    if found.low is not None and not found.by_noise:
        said.append("the range rests on the distance between the learning rates alone")
    said += _optimum_in_words(case, found)
    said += _edge(best, case.points)
    said += _dead_in_words(case.points)
    cost = _cost(plan, found.spent, found.grid)
    said += [cost] if cost else []
    if "test" in plan.metric.lower():
        said.append("selected on test data: expect less on new data; select on validation data")
    return said + _provisional_in_words(case, best)


def _measured(case: _Case, best: Point, candidates: list[Point]) -> str:
    """Say the value that was measured, and that it is the best or why it need not be."""
    plan = case.plan
    beside = besides_lr(best.setting)
    shown = f" with {', '.join(beside)}" if len(groups(case.sweep)) > 1 and beside else ""
    found = f"{number(best.mean)} at {length(plan, best.level)}{shown}"
    where = "trained to the end" if best.full else "compared"
    words = f"{clean(plan.metric)} of {_count(candidates, 'learning rate')} {where}: {found}"
    highest = max(candidates, key=case.score)
    if case.score(highest) <= case.score(best):
        return f"best {words}"
    gap = abs((highest.mean or 0.0) - (best.mean or 0.0))
    return (
        f"{words}; {lr_text(highest.lr)} measured better by {number(gap)}, within the noise: "
        "the curve through all results is higher here"
    )


def _runner_up(case: _Case, found: Verdict, best: Point, candidates: list[Point]) -> list[str]:
    others = [point for point in candidates if point is not best]
    if not others:
        full = "trained to the end" if best.full else f"at {length(case.plan, best.level)}"
        return [f"nothing to compare it with: no other learning rate was {full}"]
    second = max(others, key=case.score)
    assert best.mean is not None and second.mean is not None  # noqa: S101, PT018  # candidates have one
    if case.score(second) > case.score(best):
        return []
    gap = abs(best.mean - second.mean)
    words = f"next best: {lr_text(second.lr)} with {number(second.mean)}, behind by {number(gap)}"
    if found.within is not None and gap <= found.within * (1 + _CLOSE):
        return [f"{words} (equal within {found.within:.3g})"]
    variances = case.variance(best), case.variance(second)
    doubt = math.sqrt(sum(v for v in variances if v is not None)) / case.scale.slope(best.mean)
    return [f"{words} (a near-tie: the noise is {number(doubt)})" if gap < doubt else words]


def _noise_in_words(case: _Case, best: Point) -> list[str]:
    if best.selected:
        further = _count([None] * best.seeds, "further seed")
        value = number(best.mean) + (
            f" ± {number(best.se)} (standard error)" if best.se is not None else ""
        )
        return [f"{further}: {value}; the seed that selected it is left out"]
    if best.seeds > 1 and best.se is not None:
        return [f"{best.seeds} seeds: {number(best.mean)} ± {number(best.se)} (standard error)"]
    if case.noise is None:
        return ["1 seed: noise unknown"]
    if case.measured:
        return ["1 seed: noise taken from the learning rates that have more"]
    images = case.sweep.data.val if case.sweep.data is not None else 0
    variance = case.variance(best) or 0.0
    shown = number(math.sqrt(variance) / case.scale.slope(best.mean or 0.0))
    return [f"1 seed: noise unknown but for that of {images} validation images, ± {shown}"]


def _optimum_in_words(case: _Case, found: Verdict) -> list[str]:
    """Say where the curve is highest, and which LRs are as good."""
    said = []
    if found.optimum is not None and found.lr is not None and case.noise is not None:
        off = abs(math.log10(found.optimum / found.lr))
        if off > 0.05:  # two digits of an LR
            said.append(f"the curve is highest at {_two(found.optimum)}, which was not tried")
    if found.within is None or found.low is None:
        return said
    if found.equal is not None and found.equal[0] < found.equal[1]:
        return [*said, f"equal within {found.within:.3g}: {_range(found.equal)}"]
    return [*said, f"no range is equal within {found.within:.3g} for certain"]


def _edge(best: Point, points: Sequence[Point]) -> list[str]:
    """Say where no LR beyond the best one was judged."""
    judged = [point.lr for point in points if _is_judged(point)]
    said = []
    if best.lr <= min(judged):
        said.append(f"best at the edge of the search: try lower than {lr_text(best.lr)}")
    if best.lr >= max(judged):
        said.append(f"best at the edge of the search: try higher than {lr_text(best.lr)}")
    return said


def _is_judged(point: Point) -> bool:
    """Tell whether something was learned about an LR."""
    return point.mean is not None or point.state == "pruned" or point.dead not in ("", "failed")


_DEATHS = {"nan": "not finite at the end", "chance": "stayed at chance"}


def _dead_in_words(points: Sequence[Point]) -> list[str]:
    by_word: dict[str, list[str]] = {}
    for point in points:
        if point.dead:
            by_word.setdefault(_DEATHS.get(point.dead, point.dead), []).append(lr_text(point.lr))
    return [f"{word}, not to be recommended: {', '.join(lrs)}" for word, lrs in by_word.items()]


def _cost(plan: Plan, spent: float, grid: float) -> str:
    """Return what the search has cost beside a full grid: "27 of 72 epochs of a full grid spent"."""
    if spent <= 0 or grid <= 0:
        return ""
    unit = plan.unit if plan.unit.endswith("s") else f"{plan.unit}s"
    said = f"{spent:.4g}" if spent < 1000 else f"{spent:.0f}"
    return f"{said} of {grid:.10g} {unit} of a full grid spent"


def _provisional_in_words(case: _Case, best: Point) -> list[str]:
    said = []
    if not best.full:
        where = f"{length(case.plan, best.level)} of {case.plan.horizon:.10g}"
        said.append(f"provisional at {where}: early leaders are often too high")
    elif (
        best.level is not None
        and best.level < case.plan.horizon * (1 - 1e-9)
        and case.plan.value == "last"
    ):
        where = f"{length(case.plan, best.level)} of {case.plan.horizon:.10g}"
        said.append(f"its last evaluation was at {where}")
    if case.sweep.budget_reached is not None:
        said.append(f"provisional: {clean(case.sweep.budget_reached.why) or 'the budget is spent'}")
    waiting = [run for run in case.sweep.runs.values() if run.state is not State.ENDED]
    if waiting:
        said.append(f"provisional: {_count(waiting, 'run')} not ended")
    return said


def _other_groups(plan: Plan, best: Verdict, found: list[Verdict]) -> list[str]:
    """Say which group comes next, and by how much."""
    others = [each for each in found if each is not best and each.lr is not None]
    if not others or best.value is None:
        dead = [each for each in found if each.lr is None and each is not best]
        return (
            [f"without an answer: {'; '.join(clean(each.group) for each in dead)}"] if dead else []
        )
    second = others[0]
    assert second.lr is not None and second.value is not None  # noqa: S101, PT018  # it has an answer
    words = f"next best besides: {lr_text(second.lr)} with {clean(second.group)}: {number(second.value)}"
    if second.value_at != best.value_at:
        return [f"{words} at {length(plan, second.value_at)}"]
    gap = abs(best.value - second.value)
    words += f", behind by {number(gap)}"
    near = best.within is not None and gap <= best.within * (1 + _CLOSE)
    return [f"{words} (equal within {best.within:.3g})" if near else words]


def _not_tested(points: Sequence[Point]) -> list[str]:
    """Return the ranges beyond the LRs that were judged, and the LRs about which nothing was learned."""
    judged = [point.lr for point in points if _is_judged(point)]
    said = [f"< {lr_text(min(judged))}", f"> {lr_text(max(judged))}"] if judged else []
    return said + [f"{lr_text(p.lr)} ({p.state})" for p in points if not _is_judged(p)]


def _without_answer(case: _Case, blank: Verdict, why: list[str]) -> Verdict:
    """Return a verdict that recommends nothing, says why, and what to try."""
    if why:
        same = [p.lr for p in case.candidates]
        told_apart = why[-1] is not _TRY_MORE
        equal = (min(same), max(same)) if told_apart else None
        within = 0.0 if told_apart else None
        said = [*why, *_dead_in_words(case.points)]
        return replace(blank, equal=equal, within=within, reasons=tuple(said + _waiting(case)))
    plan, points = case.plan, case.points
    said = [
        f"no learning rate was trained to {length(plan, plan.horizon)} with a finite {clean(plan.metric)}"
    ]
    said += _waiting(case)
    gone = [p for p in points if p.dead and p.dead != "failed"]
    if gone and len(gone) == len(points):
        lowest, highest = lr_text(points[0].lr), lr_text(points[-1].lr)
        words = {p.dead for p in gone}
        how = "diverged" if words == {"diverged"} else "died"
        said.append(
            f"every learning rate {how}: try lower than {lowest} ({lowest} to {highest} were tried)"
        )
    elif gone:
        said += [f"{words}; try lower" for words in _dead_in_words(gone)]
    said += _mend(case)
    return replace(blank, reasons=tuple(said))


def _waiting(case: _Case) -> list[str]:
    open_runs = [run for run in case.sweep.runs.values() if run.state is not State.ENDED]
    return [f"wait: {_count(open_runs, 'run')} not ended"] if open_runs else []


def _mend(case: _Case) -> list[str]:
    """Say what to do about runs that ended without saying anything about their LR."""
    said = []
    failed = [run for run in case.runs if shown_state(run) in {"failed", "lost"}]
    if failed:
        run = failed[0]
        why = clean(run.why) or "see its output"
        said.append(f"{run.id} {shown_state(run)}: {why}; mend that first")
    if any(shown_state(run) == "killed" for run in case.runs):
        said.append("restart a run that was killed")
    finished = [run for run in case.runs if _finished(run)]
    if finished and not any(run.reached for run in case.runs):
        said.append(f"no run printed {clean(case.plan.metric)}: does the script emit it?")
    return said


def _count(things: Sequence[object], noun: str) -> str:
    return f"{len(things)} {noun}{'' if len(things) == 1 else 's'}"


def _two(lr: float) -> str:
    return f"{lr:.1e}"


def _range(ends: tuple[float, float]) -> str:
    return f"{_two(ends[0])}..{_two(ends[1])}"


# ---------------------------------------------------------------- to paste

_TORCH = {
    name.lower(): f"torch.optim.{name}"
    for name in (
        "Adadelta", "Adafactor", "Adagrad", "Adam", "AdamW", "Adamax", "ASGD", "Muon", "NAdam", "RAdam",
        "RMSprop", "Rprop", "SGD",
    )
}  # fmt: skip
_SCHEDULERS = {
    "cosine": ("CosineAnnealingLR(optimizer, T_max=steps{})", {"end": ", eta_min={lr} * {}"}),
    "step": (
        "StepLR(optimizer, step_size=round(steps * {every}){})",
        {"gamma": ", gamma={}", "every": ""},
    ),
}
"""By the trainer's names: torch's own, where an optimizer step is a step of the schedule and `steps` is all of them."""


def paste(sweep: Sweep, verdict: Verdict) -> tuple[str, str]:  # noqa: ARG001  # the plan may say more one day
    """Return the lines for the experiment file and those for PyTorch; for own scripts the latter are empty."""
    if verdict.lr is None or verdict.setting is None:
        return "", ""
    setting, lr = verdict.setting, lr_text(verdict.lr)
    lines = [f"lr = {lr}"]
    for key, text in (("optimizer", setting.optimizer), ("schedule", setting.schedule)):
        if text:
            lines.append(f"{key} = {_toml(_read(text))}")
    code = []
    if setting.optimizer:
        code.append(_optimizer_line(_read(setting.optimizer), lr))
    if setting.schedule and setting.optimizer:
        code += _schedule_lines(_read(setting.schedule), lr)
    return "\n".join(map(clean, lines)), "\n".join(map(clean, code))


def _read(text: str) -> object:
    """Return a setting's optimizer or schedule: a name, or the table that its JSON says."""
    try:
        return json.loads(text) if text.startswith("{") else text
    except (ValueError, RecursionError):
        return text


def _named(what: object) -> tuple[str, dict[str, object]]:
    """Return name and options; the number in {"step": 0.5} stands under ""."""
    if not isinstance(what, dict) or not what:
        return str(what), {}
    (name, own), *rest = what.items()
    options = dict(own) if isinstance(own, dict) else {"": own}
    return str(name), {**options, **dict(rest)}


def _optimizer_line(what: object, lr: str) -> str:
    name, options = _named(what)
    known = _TORCH.get(name.lower())
    if known is None or not all(key.isidentifier() for key in options):
        return f"# optimizer: {_toml(what)}, lr={lr}"
    more = "".join(f", {key}={_python(value)}" for key, value in options.items())
    return f"optimizer = {known}(model.parameters(), lr={lr}{more})"


def _schedule_lines(what: object, lr: str) -> list[str]:
    """Return the schedule as torch has it; a comment where it has none that is the same."""
    name, options = _named(what)
    principal = {"cosine": "end", "step": "gamma"}.get(name, "")
    options = {key or principal: value for key, value in options.items()}
    if name == "constant" and not options:
        return []
    known, fields = _SCHEDULERS.get(name, ("", {}))
    if not known or not options.keys() <= fields.keys():
        return [f"# schedule: {_toml(what)}, over the whole training"]
    more = "".join(
        fields[key].replace("{lr}", lr).replace("{}", _python(value))
        for key, value in options.items()
    )
    made = known.replace("{every}", _python(options.get("every", "1 / 3"))).replace("{}", more)
    return [
        f"scheduler = torch.optim.lr_scheduler.{made}  # steps: all optimizer steps; scheduler.step() after each"
    ]


def _python(value: object) -> str:
    if isinstance(value, list):
        return f"({', '.join(map(_python, value))}{',' if len(value) == 1 else ''})"
    return value if isinstance(value, str) else repr(value)


_BARE = re.compile(r"[A-Za-z0-9_-]+")


def _toml(value: object) -> str:
    """Return a value of a setting as TOML."""
    if isinstance(value, dict):
        pairs = (f"{_key(str(key))} = {_toml(inner)}" for key, inner in value.items())
        return f"{{ {', '.join(pairs)} }}"
    if isinstance(value, list):
        return f"[{', '.join(map(_toml, value))}]"
    return json.dumps(value)


def _key(name: str) -> str:
    return name if _BARE.fullmatch(name) else json.dumps(name)
