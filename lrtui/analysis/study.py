"""How the best learning rate moves with one external factor: a pure function of the sweep of a [study].

Every level of a factor is a group of its own, with its own search and its own verdict; `study` compares the verdicts. LR* is where
a level's curve is highest (`Verdict.optimum`), with its 90 % interval. Of a number with three or more levels the exponent b of LR*
~ level^b is fitted by least squares on the logarithms, each level weighted by its interval; where the levels scatter more than
their intervals allow, the exponent's interval is widened by as much (Birge 1932). LR* is reported to rise or fall only if that
interval excludes 0; else, and for names, only if the intervals of two levels do not overlap. An LR* at an edge of its search may
lie anywhere beyond it: its interval is open on that side, and no exponent is fitted through it.

With `predict`, LR* is predicted at another level (`prediction`); if that level was trained as a check, its measurement is shown
beside the prediction and does not enter it.

For batch sizes, two common rules are shown too: the linear one (Goyal et al. 2017) and the square-root one (Krizhevsky 2014), both
relative to the experiment's own batch size.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Collection
from dataclasses import dataclass, replace
from typing import Literal

import msgspec

from lrtui.analysis.prediction import MOST_LEVEL, Prediction, Seen, predict
from lrtui.analysis.verdict import Verdict, sensitivity, verdicts
from lrtui.sweep.choice import choice_of
from lrtui.sweep.events import GroupKey, Plan, Scalar, Setting
from lrtui.sweep.state import Sweep, differences, group_of, group_text, level_text
from lrtui.text.clean import clean
from lrtui.text.format import amount, exponent_text, lr_range, lr_rounded, number, plural

LINEAR, ROOT = 1.0, 0.5
"""The exponents of the two rules for batch sizes."""
LEAST_FITTED = 3
"""An exponent through two levels would always fit exactly."""
_INSIDE = 1.01
_SD = 1.6449
"""A 90 % interval reaches this many standard deviations to each side."""

_EDGES = {"below": "lower", "above": "upper"}

Trend = Literal["rises", "falls", "differs", "not resolvable"]


@dataclass(frozen=True, slots=True)
class Level:
    """One level of a factor, and the best learning rate at it."""

    level: Scalar
    """As the experiment file has it."""
    text: str
    """In words."""
    base: bool
    """Whether it is the experiment's own."""
    group: str
    """What its settings have besides the LR, in words."""
    lr: float | None = None
    """LR*; None if the level has no answer."""
    low: float | None = None
    high: float | None = None
    """The 90 % interval of LR*."""
    by_noise: bool = False
    """Whether the interval has that probability; else the noise is not known."""
    edges: tuple[str, ...] = ()
    """"lower", "upper": the sides on which no LR was seen to be worse, so that the best one may lie anywhere beyond."""
    value: float | None = None
    """The metric at the LR that is recommended."""
    provisional: bool = True
    """Whether something is unfinished that could change it."""
    why: str = ""
    """Why it has no answer."""
    linear: float | None = None
    root: float | None = None
    """What the rules for batch sizes predict, from the base's LR*."""
    fitted: float | None = None
    """Where the fitted exponent has it."""

    @property
    def reach(self) -> tuple[float, float]:
        """The interval on log10(lr), without end where the search had an edge."""
        if self.low is None or self.high is None:
            return -math.inf, math.inf
        low = -math.inf if "lower" in self.edges else math.log10(self.low)
        high = math.inf if "upper" in self.edges else math.log10(self.high)
        return low, high


@dataclass(frozen=True, slots=True)
class Exponent:
    """b of LR* ~ level^b, with its 90 % interval."""

    value: float
    """b."""
    low: float
    high: float
    """The ends of the interval."""

    def excludes(self, exponent: float) -> bool:
        """Return whether the interval excludes an exponent."""
        return not self.low <= exponent <= self.high


@dataclass(frozen=True, slots=True)
class Check:
    """What training the predicted level showed."""

    level: Level
    """The level as it was measured."""
    lr: float
    """The LR that was trained first: the predicted one, rounded."""
    value: float | None
    """The metric at that LR; None if it has no result."""
    best: float | None
    """The best value of the metric there."""
    best_lr: float | None
    """The LR that has it."""


@dataclass(frozen=True, slots=True)
class Factor:
    """The result of one factor of a study."""

    name: str
    """As in [study]."""
    levels: tuple[Level, ...]
    """Numbers ascending; names in the order of the study, the experiment's own first."""
    numeric: bool
    """Whether the levels are numbers."""
    held: str
    """What all levels trained for, in words."""
    trend: Trend = "not resolvable"
    """How LR* moves with the level."""
    why: tuple[str, ...] = ()
    """The evidence for the trend, or why it is not resolved."""
    exponent: Exponent | None = None
    """Of the law that was fitted; None with fewer than three levels, or names."""
    excluded: tuple[str, ...] = ()
    """Which of the rules "linear" and "square-root" the data exclude; only for batch sizes."""
    provisional: bool = True
    """Whether unfinished runs could still change it."""
    prediction: Prediction | None = None
    """LR* at the level that the file asks for."""
    check: Check | None = None
    """What training that level showed."""


def study(sweep: Sweep) -> list[Factor]:
    """Return the result of each factor, in the order of the file; [] without a study."""
    plan = sweep.plan
    if plan is None or not plan.study:
        return []
    cells = _cells(sweep, plan)
    found = _verdicts(sweep, cells.values())
    factors = [_factor(plan, factor, cells, found) for factor, _ in plan.study]
    return [_foreseen(sweep, plan, factor) for factor in factors]


def cell_of(plan: Plan, sweep: Sweep, factor: str, level: Scalar) -> Setting | None:
    """Return the setting of a numeric factor's level, LR aside; None before the base was queued."""
    base = _cells(sweep, plan).get(("", ""))
    if base is None:
        return None
    if isinstance(dict(plan.study).get(factor), int) and float(level).is_integer():
        level = int(level)  # a plan has levels to predict as floats
    return msgspec.structs.replace(base, values={**base.values, factor: level})


def lines(factor: Factor) -> list[str]:
    """Return a factor for people: its trend, a line for each level, and what goes with them."""
    rows = [level_cells(level) for level in factor.levels]
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))] if rows else []
    trend, *notes = remarks(factor)
    said = [
        "  "
        + "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    ]
    return [clean(line) for line in (trend, *said, *(f"  {words}" for words in notes))]


def remarks(factor: Factor) -> list[str]:
    """Return what is said of a factor beside its levels: the trend first."""
    so_far = "so far: " if factor.provisional else ""
    return [
        f"{so_far}{_headline(factor)}",
        *foresight(factor),
        *factor.why,
        *_rules(factor),
        factor.held,
        _FIXED,
    ]


_FIXED = "weight decay and every other setting of the file were the same at every level"


# ---------------------------------------------------------------- levels


def _cells(sweep: Sweep, plan: Plan) -> dict[tuple[str, Scalar], Setting]:
    """Return each level's setting, in the order in which they were queued; the base under ("", "").

    What a user added counts where it lies in one of these groups.
    """
    cells: dict[tuple[str, Scalar], Setting] = {}
    for run in sweep.runs.values():
        differs = differences(plan, run.setting)
        if run.origin == "strategy" and len(differs) < 2:
            cells.setdefault(differs[0] if differs else ("", ""), run.setting)
    return cells


def _verdicts(sweep: Sweep, settings: Collection[Setting]) -> dict[GroupKey, Verdict]:
    """Return each group's verdict; what is noise and what is chance is a matter of its own data set."""
    found: dict[GroupKey, Verdict] = {}
    for name in dict.fromkeys(setting.values.get("dataset") for setting in settings):
        own = [each for each in settings if each.values.get("dataset") == name]
        groups = {group_of(each) for each in own}
        judged = verdicts(replace(sweep, data=sweep.data_of(own[0])))
        found |= {each.group: each for each in judged if each.group in groups}
    return found


def _factor(
    plan: Plan,
    name: str,
    cells: dict[tuple[str, Scalar], Setting],
    found: dict[GroupKey, Verdict],
) -> Factor:
    own = dict(plan.study)[name]
    target = dict(plan.predict).get(name)
    numeric = all(
        isinstance(level, (int, float))
        and not isinstance(level, bool)
        and 0 < level < MOST_LEVEL  # a journal from elsewhere may hold anything
        for level in (own, *(level for factor, level in cells if factor == name))
    )
    levels = [
        _level(name, own if not factor else level, setting, found, base=not factor)
        for (factor, level), setting in cells.items()
        if factor in {"", name} and (not factor or level != target)
    ]
    levels.sort(key=lambda each: (float(each.level), 0) if numeric else (0.0, not each.base))
    base = next((each for each in levels if each.base), None)
    if name == "batch_size" and numeric and base is not None:
        levels = [_predicted(each, base) for each in levels]
    factor = Factor(
        name=name,
        levels=tuple(levels),
        numeric=numeric,
        held=_held(plan, name),
        provisional=not levels or any(each.provisional for each in levels),
    )
    factor = _fitted(factor) if numeric and _fits(factor) else _compared(factor)
    return replace(factor, why=(*factor.why, *_doubts(factor)), excluded=_excluded(factor, base))


def _level(
    name: str,
    level: Scalar,
    setting: Setting,
    found: dict[GroupKey, Verdict],
    *,
    base: bool,
) -> Level:
    """Return a level with what its group's verdict says."""
    group = group_of(setting)
    blank = Level(level, level_text(name, level), base, group_text(group))
    verdict = found.get(group)
    if verdict is None:
        return replace(blank, why="nothing was trained")
    blank = replace(blank, provisional=verdict.provisional)
    if verdict.lr is None:
        why = verdict.reasons[0].text if verdict.reasons else "no learning rate to recommend"
        return replace(blank, why=why)
    return replace(
        blank,
        lr=_highest(verdict),
        low=verdict.low,
        high=verdict.high,
        by_noise=verdict.by_noise,
        edges=tuple(_EDGES[side] for side in verdict.open_sides),
        value=verdict.value,
    )


def _foreseen(sweep: Sweep, plan: Plan, factor: Factor) -> Factor:
    """Return a factor with LR* predicted at the level that the file asks for, and with what was measured there."""
    target = dict(plan.predict).get(factor.name)
    if target is None or not factor.numeric or not 0 < target < MOST_LEVEL:
        return factor
    seen = [
        Seen(float(each.level), each.lr, each.low, each.high, "lower" in each.edges, "upper" in each.edges)
        for each in factor.levels
        if each.lr is not None and each.low is not None and each.high is not None
    ]  # fmt: skip
    base = _cells(sweep, plan).get(("", ""))
    optimizer = choice_of(base.optimizer).name if base is not None else ""
    found = predict(factor.name, seen, target, optimizer)
    return replace(factor, prediction=found, check=_check(sweep, plan, factor, target))


def _check(sweep: Sweep, plan: Plan, factor: Factor, target: float) -> Check | None:
    """Return what the predicted level showed; None while nothing was trained there."""
    cell = cell_of(plan, sweep, factor.name, target)
    if cell is None:
        return None
    group = group_of(cell)
    runs = [run for run in sweep.trained() if group_of(run.setting) == group]
    first = next((run for run in runs if run.origin == "strategy"), None)
    if first is None:
        return None
    level = _level(factor.name, target, cell, _verdicts(sweep, [cell]), base=False)
    means = {p.lr: p.mean for p in sensitivity(sweep, group) if p.mean is not None and not p.dead}
    choose = max if plan.goal == "max" else min
    best_lr, best = choose(means.items(), key=operator.itemgetter(1), default=(None, None))
    return Check(level, first.setting.lr, means.get(first.setting.lr), best, best_lr)


def _highest(verdict: Verdict) -> float | None:
    """Return where a level's curve is highest; the LR that is recommended where the curve still rises as its interval ends."""
    if verdict.optimum is None or verdict.low is None or verdict.high is None:
        return verdict.lr
    inside = verdict.low * _INSIDE < verdict.optimum < verdict.high / _INSIDE
    return verdict.optimum if inside else verdict.lr


def _predicted(level: Level, base: Level) -> Level:
    """Return a batch size with what the two rules predict for it."""
    if base.lr is None:
        return level
    ratio = float(level.level) / float(base.level)
    return replace(level, linear=base.lr * ratio**LINEAR, root=base.lr * ratio**ROOT)


def _held(plan: Plan, name: str) -> str:
    words = _HELD.get((plan.unit, name))
    each = f"{plural(plan.unit)} were held, {amount(plan.horizon)} at every level"
    return f"{each}: {words}" if words else each


_HELD = {
    ("epoch", "data"): "less data means fewer steps",
    ("epoch", "batch_size"): "a larger batch means fewer steps",
    ("epoch", "dataset"): "a smaller data set means fewer steps",
    ("step", "data"): "with less data each image is seen more often",
    ("step", "batch_size"): "with a larger batch more images are seen",
    ("step", "dataset"): "in a smaller data set each image is seen more often",
}


# ---------------------------------------------------------------- the trend


def _fits(factor: Factor) -> bool:
    """Return whether an exponent can be fitted: three levels with an answer, none of them at an edge of its search."""
    known = [each for each in factor.levels if each.lr is not None]
    sound = all(each.low is not None and not each.edges for each in known)
    return len(known) >= LEAST_FITTED and sound


def _fitted(factor: Factor) -> Factor:
    """Return the factor with the exponent through its levels, and the trend that follows from its interval."""
    points = [
        (math.log10(float(each.level)), math.log10(each.lr), _deviation(each))
        for each in factor.levels
        if each.lr is not None
    ]
    weights = [1 / sd**2 for _, _, sd in points]
    total = sum(weights)
    middle = sum(w * x for w, (x, _, _) in zip(weights, points, strict=True)) / total
    height = sum(w * y for w, (_, y, _) in zip(weights, points, strict=True)) / total
    spread = sum(w * (x - middle) ** 2 for w, (x, _, _) in zip(weights, points, strict=True))
    rise = sum(
        w * (x - middle) * (y - height) for w, (x, y, _) in zip(weights, points, strict=True)
    )
    slope = rise / spread
    misfit = sum(
        w * (y - height - slope * (x - middle)) ** 2
        for w, (x, y, _) in zip(weights, points, strict=True)
    )
    scatter = max(1.0, math.sqrt(misfit / (len(points) - 2)))
    reach = _SD * scatter / math.sqrt(spread)
    exponent = Exponent(slope, slope - reach, slope + reach)
    trend: Trend = "not resolvable"
    if exponent.excludes(0.0):
        trend = "rises" if slope > 0 else "falls"
    why = () if trend != "not resolvable" else ("the exponent's interval holds 0",)
    levels = tuple(
        replace(each, fitted=10 ** (height + slope * (math.log10(float(each.level)) - middle)))
        for each in factor.levels
    )
    return replace(factor, levels=levels, exponent=exponent, trend=trend, why=why)


def _deviation(level: Level) -> float:
    """Return the standard deviation of log10(LR*) that its interval stands for."""
    low, high = level.reach
    return max((high - low) / (2 * _SD), 1e-3)


def _compared(factor: Factor) -> Factor:
    """Return the factor with the trend that its levels' intervals show if they do not overlap."""
    known = [each for each in factor.levels if each.lr is not None and each.low is not None]
    if len(known) < 2:
        count = "no level has" if not known else f"only {known[0].text} has"
        return replace(factor, why=(f"{count} an interval to compare",))
    if factor.numeric:
        first, last = known[0], known[-1]
        trend: Trend = "not resolvable"
        if _above(last, first):
            trend = "rises"
        elif _above(first, last):
            trend = "falls"
        apart = "overlap" if trend == "not resolvable" else "leave each other out"
        words = f"the intervals of {first.text} and {last.text} {apart}{_open(first, last)}"
        return replace(factor, trend=trend, why=(words,))
    pairs = [(a, b) for a in known for b in known if _above(a, b)]
    if not pairs:
        return replace(factor, why=(f"the intervals overlap{_open(*known)}",))
    lower = {a.text: [b.text for b in known if _above(a, b)] for a, _ in pairs}
    said = (f"higher with {text} than with {' or '.join(those)}" for text, those in lower.items())
    words = ", and ".join(said)
    return replace(
        factor, trend="differs", why=(f"LR* is {words}: their intervals leave each other out",)
    )


def _above(a: Level, b: Level) -> bool:
    """Return whether LR* is higher at `a` than at `b`: its interval lies above."""
    return a.reach[0] > b.reach[1]


def _open(*levels: Level) -> str:
    return (
        ", one being open at the edge of its search" if any(each.edges for each in levels) else ""
    )


def _doubts(factor: Factor) -> list[str]:
    """Return caveats about the levels."""
    said = []
    for level in factor.levels:
        if level.lr is None:
            said.append(f"{level.text} has no answer: {clean(level.why)}")
        elif level.edges:
            where = "lower" if "lower" in level.edges else "higher"
            said.append(f"{level.text}: best at the edge of its search; try {where} learning rates")
    known = [each for each in factor.levels if each.lr is not None]
    if factor.numeric and factor.exponent is None and len(known) >= LEAST_FITTED:
        said.append("no exponent: an LR* at an edge may lie anywhere beyond it")
    elif factor.numeric and factor.exponent is None and len(known) == 2:
        said.append("no exponent: it takes three levels")
    if any(not each.by_noise for each in known):
        said.append("some intervals were made without knowing the noise, and have no probability")
    return said


def _excluded(factor: Factor, base: Level | None) -> tuple[str, ...]:
    """Return the rules for batch sizes that the data exclude."""
    if factor.name != "batch_size" or not factor.numeric or base is None or base.lr is None:
        return ()
    rules = {"linear": LINEAR, "square-root": ROOT}
    return tuple(name for name, b in rules.items() if _is_excluded(factor, base, b))


def _is_excluded(factor: Factor, base: Level, exponent: float) -> bool:
    """Return whether the exponent's interval excludes a rule; without one, whether the base's interval, moved by the rule, does not
    overlap a level's own.
    """
    if factor.exponent is not None:
        return factor.exponent.excludes(exponent)
    for level in factor.levels:
        moved = exponent * math.log10(float(level.level) / float(base.level))
        low, high = (end + moved for end in base.reach)
        if level.reach[0] > high or level.reach[1] < low:
            return True
    return False


# ---------------------------------------------------------------- words


def foresight(factor: Factor) -> list[str]:
    """Return what is predicted at the level that the file asks for, and what training it showed; [] if it asks for none."""
    found = factor.prediction
    if found is None:
        return []
    at = f"{factor.name} {amount(found.target)}"
    if found.lr is None or found.low is None or found.high is None or found.exponent is None:
        said = [f"not predictable at {at} from these levels: {found.why}"]
    else:
        b, low, high = found.exponent
        sure = all(each.by_noise for each in factor.levels if each.lr is not None)
        chance = "90 %" if sure else "noise unknown"
        said = [
            f"predicted at {at}: LR* {lr_rounded(found.lr)} ({chance}: {lr_range(found.low, found.high)}), by the exponent {exponent_text(b)} ({exponent_text(low)}..{exponent_text(high)}) of {found.levels} levels and of what is usual"
        ]
    return [*said, *_checked(factor, at)]


def _checked(factor: Factor, at: str) -> list[str]:
    found = factor.check
    if found is None:
        return []
    if found.value is None or found.best is None:
        return [f"checked at {at}: lr {lr_rounded(found.lr)} has no result"]
    measured = (
        f"checked at {at}: {number(found.value)} with the predicted lr {lr_rounded(found.lr)}"
    )
    if found.best_lr == found.lr:
        return [f"{measured}, the best of those that were trained there"]
    loss = abs(found.best - found.value)
    return [
        f"{measured}, {number(loss)} worse than the best there ({number(found.best)} with lr {lr_rounded(found.best_lr)})"
    ]


def _headline(factor: Factor) -> str:
    name = factor.name
    match factor.trend:
        case "rises" | "falls":
            words = f"{name}: LR* {factor.trend} with it"
        case "differs":
            words = f"{name}: LR* differs"
        case _:
            words = f"{name}: not resolvable whether LR* moves with it"
    if factor.exponent is None:
        return words
    b = factor.exponent
    return f"{words} (LR* ~ {name}^{exponent_text(b.value)}, 90 %: {exponent_text(b.low)}..{exponent_text(b.high)})"


def level_cells(level: Level) -> tuple[str, ...]:
    """Return a level's cells: what it is, LR*, its interval, the metric, and what the rules predict."""
    own = f"{level.text} (own)" if level.base else level.text
    if level.lr is None:
        return own, "-", "", "", ""
    chance = "90 %" if level.by_noise else "noise unknown"
    reach = f"({chance}: {level_range(level)})" if level_range(level) else ""
    rules = ""
    if level.linear is not None and level.root is not None and not level.base:
        rules = f"linear {lr_rounded(level.linear)}, square-root {lr_rounded(level.root)}"
    return own, lr_rounded(level.lr), reach, number(level.value), rules


def level_range(level: Level) -> str:
    """Return the interval of LR*: 1.0e-03..> 3.2e-03 where it is open above; "" if there is none."""
    if level.low is None or level.high is None:
        return ""
    low = ("< " if "lower" in level.edges else "") + lr_rounded(level.low)
    high = ("> " if "upper" in level.edges else "") + lr_rounded(level.high)
    return f"{low}..{high}"


def _rules(factor: Factor) -> list[str]:
    if factor.name != "batch_size" or all(each.linear is None for each in factor.levels):
        return []
    match factor.excluded:
        case ("linear", "square-root"):
            return ["the data exclude both the linear and the square-root rule"]
        case ("linear",):
            return ["the data exclude the linear rule, and not the square-root rule"]
        case ("square-root",):
            return ["the data exclude the square-root rule, and not the linear rule"]
        case _:
            return ["the data exclude neither the linear nor the square-root rule"]
