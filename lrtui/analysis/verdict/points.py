"""The result of each LR: the mean over its seeds, or how it died; and where the cliff is.

`case` judges by these points; the sensitivity chart of monitor, study and report draws them (`sensitivity`).
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from statistics import median

from lrtui.analysis.averages import mean, standard_error
from lrtui.analysis.chance import chance_in, learns
from lrtui.analysis.verdict.answer import Verdict
from lrtui.analysis.verdict.results import Results, final_of
from lrtui.analysis.verdict.scale import CLOSE, Scale
from lrtui.sweep.events import Plan, Setting
from lrtui.sweep.state import Run, Sweep, setting_key, shown_state


@dataclass(frozen=True, slots=True)
class Point:
    """The result of one LR of a group: a point of the sensitivity chart."""

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
    """The number of seeds in the mean."""
    level: float | None
    """The length at which the values were measured, in the plan's unit."""
    full: bool
    """Whether that is the full length."""
    length: float | None = None
    """The length that its runs were compared for: a rung, the horizon, or how far a run came that ended early."""
    dead: str = ""
    """Why it must not be recommended, in a word: diverged, collapsed, chance, failed, nan; "" if no seed died."""
    val_loss: float | None = None
    state: str = ""
    """Of its first run."""

    @property
    def judged(self) -> bool:
        """Whether something was learned about the LR."""
        known = self.mean is not None or self.state == "pruned"
        return known or self.dead not in {"", "failed"}

    @property
    def selected(self) -> bool:
        """Whether the seed that selected it is left out of the mean."""
        return self.seeds < len(self.values)

    def named_in(self, blank: Verdict, within: float | None) -> Verdict:
        """Return the verdict that recommends this point; results that lie `within` so much of its value are equal."""
        return replace(
            blank,
            lr=self.lr,
            setting=self.setting,
            runs=self.runs,
            value=self.mean,
            value_at=self.level,
            seeds=self.seeds,
            within=within,
        )


def points_of(
    sweep: Sweep, plan: Plan, scale: Scale, runs: list[Run], results: Results
) -> list[Point]:
    """Return one point per LR of a group's runs, the lowest first; with [search] one per LR and place on the axes."""
    by_setting: dict[tuple[object, ...], list[Run]] = {}
    for run in sorted(
        runs, key=lambda run: (*setting_key(run.setting), run.seed, not run.finished, run.id)
    ):
        known = by_setting.setdefault(setting_key(run.setting), [])
        if not known or known[-1].seed != run.seed:
            known.append(run)
    selecting = _selecting_seed(by_setting.values())
    points = [_point(plan, each, results, selecting) for each in by_setting.values()]
    return _at_chance(sweep, plan, scale, _dead_by_value(sweep, plan, scale, runs, points))


def _selecting_seed(settings: Iterable[list[Run]]) -> int | None:
    """Return the seed by which some settings were chosen to get further seeds; None if all have the same."""
    every = [[run.seed for run in runs] for runs in settings]
    first = min((seeds[0] for seeds in every), default=None)
    further = [any(seed != first for seed in seeds) for seeds in every]
    return first if any(further) and not all(further) else None


def _point(
    plan: Plan,
    runs: list[Run],
    results: Results,
    selecting: int | None,
) -> Point:
    deaths = [death for run in runs if (death := _death(run))]
    level = results.level
    known = [
        at
        for run in runs
        for at in results.by_run[run.id]
        if level is not None and at <= level * (1 + CLOSE)
    ]
    deepest = max(known, default=None)
    seen = [
        (run.seed, there)
        for run in runs
        if deepest is not None and (there := results.by_run[run.id].get(deepest)) is not None
    ]
    counted = [each for seed, each in seen if seed != selecting] or [each for _, each in seen]
    values = [each.value for each in counted]
    losses = [each.val_loss for each in counted if each.val_loss is not None]
    return Point(
        lr=runs[0].setting.lr,
        setting=runs[0].setting,
        runs=tuple(run.id for run in runs),
        values=tuple(each.value for _, each in seen),
        mean=mean(values) if values else None,
        se=standard_error(values),
        seeds=len(values),
        level=min((each.level for each in counted), default=None),
        full=deepest is not None and deepest == plan.horizon,
        length=deepest,
        dead=deaths[0] if deaths else "",
        val_loss=mean(losses) if losses and len(losses) == len(values) else None,
        state=shown_state(runs[0]),
    )


def _death(run: Run) -> str:
    """Return in a word how a run died; "" if it did not, or if its end says nothing about its LR."""
    if run.ending is None:
        return ""
    if run.ending.kind in ("diverged", "failed"):
        return run.ending.kind
    if run.ending.kind == "pruned":
        rule = run.ending.rule
        return rule if rule in ("collapsed", "chance", "nan", "diverged") else ""
    final = final_of(run)
    if final is not None and (final.value is None or not math.isfinite(final.value)):
        return "nan"
    return "nan" if any(rule == "nan" for rule, _ in run.flags) else ""


def _dead_by_value(
    sweep: Sweep, plan: Plan, scale: Scale, runs: list[Run], points: list[Point]
) -> list[Point]:
    """Return the points; one whose run was flagged by a health rule and ended far from the best is dead."""
    flags = {
        run.id: rule
        for run in runs
        for rule, _ in run.flags
        if rule in ("collapsed", "chance", "diverged")
    }
    bar = cliff(sweep, plan, scale, points)
    return [
        replace(point, dead=next(flags[run] for run in point.runs if run in flags))
        if not point.dead
        and point.mean is not None
        and scale.plain(point.mean) < bar
        and any(run in flags for run in point.runs)
        else point
        for point in points
    ]


def _at_chance(sweep: Sweep, plan: Plan, scale: Scale, points: list[Point]) -> list[Point]:
    """Return the points; one at chance while a lower LR is above it is dead, not slow."""
    above = False
    found = []
    for point in points:
        at = is_chance(sweep, plan, scale, point)
        found.append(replace(point, dead="chance") if at and above and not point.dead else point)
        above |= point.mean is not None and not at and not point.dead
    return found


def is_chance(sweep: Sweep, plan: Plan, scale: Scale, point: Point) -> bool:
    """Return whether a point's mean is at chance level."""
    chance = chance_in(sweep)
    if point.mean is None or chance is None:
        return False
    sign = 1.0 if plan.goal == "max" else -1.0
    return not learns(sign * point.mean, chance, whole=scale.whole)


def cliff(sweep: Sweep, plan: Plan, scale: Scale, points: Sequence[Point]) -> float:
    """Return the plain score below which a result says where the cliff is, not where the top is.

    Worse than the best by over half of the best's improvement on its start, which is chance where the classes are known. Else
    it is the worst result, and something must also stand out.
    """
    plain = [scale.plain(p.mean) for p in points if p.mean is not None and not p.dead]
    if not plain:
        return -math.inf
    best, chance = max(plain), chance_in(sweep)
    start = 0.0 if scale.kind == "logit" else None
    guess = None if chance is None else chance.value * (scale.whole if plan.goal == "max" else -1)
    if guess is not None and (guess > 0 or scale.kind != "log"):
        start = scale.plain(guess)
    if start is not None:
        return best - 0.5 * (best - start) if start < best else -math.inf
    usual = median(best - each for each in plain)
    return min(best - 0.5 * (best - min(plain)), best - 4 * usual)
