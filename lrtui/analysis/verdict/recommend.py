"""From the sweep to its recommendations: the chapters in their order, first for each group, then over all groups.

The public entry points, re-exported by the package.
"""

from __future__ import annotations

import math
from dataclasses import replace

from lrtui.analysis.verdict.answer import Reason, Verdict, Why
from lrtui.analysis.verdict.best_place import on_surface
from lrtui.analysis.verdict.case import Case, case_of
from lrtui.analysis.verdict.equal import equal_lrs, tolerance
from lrtui.analysis.verdict.interval import Curve, curve_around, open_sides, walls_of
from lrtui.analysis.verdict.noise import beliefs_of, independent
from lrtui.analysis.verdict.pick import pick
from lrtui.analysis.verdict.points import Point, points_of
from lrtui.analysis.verdict.reasons import cost, not_tested, other_groups, reasons_of
from lrtui.analysis.verdict.results import groups, results_of, runs_of
from lrtui.analysis.verdict.scale import Scale, scale_of
from lrtui.analysis.verdict.unanswered import nothing_to_choose, without_answer
from lrtui.sweep.axis_places import grid_size
from lrtui.sweep.events import GroupKey, Plan
from lrtui.sweep.state import Sweep, group_of


def verdict(sweep: Sweep) -> Verdict:
    """Return the recommendation over all groups; of a study, for the settings that it starts from."""
    found = verdicts(sweep)
    if sweep.plan is None or not found:
        return Verdict(reasons=(Reason(Why.NOTHING, "nothing was started"),))
    best = found[0]
    if sweep.plan.study:
        base = groups(sweep)[0]
        best = next(each for each in found if each.group == base)
    reasons = list(best.reasons)
    if best.lr is not None and len(found) > 1 and not sweep.plan.study:
        reasons[1:1] = other_groups(sweep.plan, best, found)
    spent, grid = sweep.spent, sum(each.grid for each in found)
    place = next((i for i, r in enumerate(reasons) if r.why is Why.COST), len(reasons))
    reasons[place : place + 1] = cost(sweep.plan, spent, grid)
    return replace(best, spent=spent, grid=grid, reasons=tuple(reasons))


def verdicts(sweep: Sweep) -> list[Verdict]:
    """Return the recommendation of each group, the best first; those without an answer last."""
    plan = sweep.plan
    if plan is None:
        return []
    scale = scale_of(sweep, plan)
    found = [_judge(sweep, plan, scale, group) for group in groups(sweep)]

    def order(each: Verdict) -> tuple[bool, float, float]:
        if each.lr is None or each.value is None:
            return True, 0.0, 0.0
        return False, -(each.value_at or 0.0), -scale.score(each.value)

    return sorted(found, key=order)


def sensitivity(sweep: Sweep, group: GroupKey) -> list[Point]:
    """Return what became of each LR of a group, the lowest first; dead ones and those without a result included."""
    plan = sweep.plan
    if plan is None:
        return []
    runs = runs_of(sweep, group)
    return points_of(sweep, plan, scale_of(sweep, plan), runs, results_of(sweep, plan, runs))


def _judge(sweep: Sweep, plan: Plan, scale: Scale, group: GroupKey) -> Verdict:
    """Return the recommendation of one group."""
    case = case_of(sweep, plan, scale, group)
    ranged = [r for r in sweep.runs.values() if r.is_range_test and group_of(r.setting) == group]
    blank = Verdict(
        group=group,
        spent=sum(run.spent for run in (*case.runs, *ranged)),
        grid=(grid_size(plan.axes) if plan.axes else len(case.points))
        * plan.horizon
        * max(1, len({run.seed for run in case.runs})),
        provisional=case.provisional,
        not_tested=tuple(not_tested(case.points)),
    )
    candidates = case.candidates
    why_none = nothing_to_choose(case, candidates)
    if why_none is not None:
        return without_answer(case, blank, why_none)
    if plan.axes:
        found, best, told = on_surface(case, blank, candidates)
        return replace(found, reasons=tuple(reasons_of(case, found, best, candidates, told)))
    best, told = pick(case, candidates)
    within = tolerance(case, best)
    beliefs = beliefs_of(case, best)
    curve, here = curve_around(case, best, within, beliefs), math.log10(best.lr)
    sides = curve.open_sides if curve is not None else open_sides(here, here, walls_of(case, here))
    found = replace(best.named_in(blank, within), open_sides=sides)
    if curve is not None:
        found = replace(
            found,
            low=10**curve.low,
            high=10**curve.high,
            noise=beliefs.known,
            scatter=_scatter(case, best, curve),
            optimum=10**curve.optimum,
            equal=equal_lrs(best.lr, curve.equal),
        )
    return replace(found, reasons=tuple(reasons_of(case, found, best, candidates, told)))


def _scatter(case: Case, best: Point, curve: Curve) -> float:
    """Return the standard deviation of one run's value, from the variance of the mean's score."""
    assert best.mean is not None  # noqa: S101  # the pick has one
    here = math.log10(best.lr)
    nearest = min(curve.results, key=lambda o: abs(o.x - here))
    variance = nearest.variance * independent(case, best)
    return math.sqrt(variance) / case.scale.slope(best.mean)
