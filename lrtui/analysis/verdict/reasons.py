"""The reasons below a recommendation: sentences with their figures.

`recommend` makes them last; `unanswered` uses some of them if there is nothing to recommend.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from lrtui.analysis.ranking import Standing
from lrtui.analysis.verdict.answer import Noise, Reason, Verdict, Why
from lrtui.analysis.verdict.case import Case
from lrtui.analysis.verdict.points import Point
from lrtui.analysis.verdict.results import groups
from lrtui.analysis.verdict.scale import CLOSE
from lrtui.analysis.verdict.wording import length
from lrtui.sweep.events import Plan
from lrtui.sweep.state import State, Sweep, group_of, group_text, is_named
from lrtui.text.clean import clean
from lrtui.text.format import (
    amount,
    amount_about,
    count,
    lr_range,
    lr_rounded,
    lr_text,
    number,
    plural,
    tolerance,
)

_BESIDE = 0.25
"""Decades between the recommended LR and those that would make it surer."""
_NEAR = 0.15
"""An LR that lies so close, in decades, to one that was trained to the end adds little."""


def reasons_of(
    case: Case, found: Verdict, best: Point, candidates: list[Point], told: list[Reason]
) -> list[Reason]:
    """Return the reasons below a recommendation; `told` is what decided between near ties."""
    plan = case.plan
    said = _measured(case, best, candidates)
    said += _runner_up(case, found, best, candidates)
    said += told
    said += _comparison(case)
    said += _early(case, best)
    said.append(Reason(Why.NOISE, _noise(case, found, best)))
    if found.low is not None and not found.by_noise:
        words = "the range rests on the scatter of the results and the distance between the learning rates"
        said.append(Reason(Why.SPACING, words))
    said += _optimum(case, found)
    said += _edge(best, case.points)
    said += dead(case.points)
    said += cost(plan, found.spent, found.grid)
    said += _surer(case, best)
    if "test" in plan.metric.lower():
        words = "selected on test data: expect less on new data; select on validation data"
        said.append(Reason(Why.TEST_DATA, words))
    return said + _provisional(case, best)


def _measured(case: Case, best: Point, candidates: list[Point]) -> list[Reason]:
    """Say the value that was measured, and that it is the best or, before it, why it need not be."""
    plan = case.plan
    group = group_text(group_of(best.setting))
    shown = f" with {group}" if len(groups(case.sweep)) > 1 and group else ""
    found = f"{number(best.mean)} at {length(plan, best.level)}{shown}"
    where = "trained to the end" if best.full else "compared"
    words = f"{clean(plan.metric)} of {count(len(candidates), 'learning rate')} {where}: {found}"
    highest = max(candidates, key=case.score)
    if case.score(highest) <= case.score(best):
        return [Reason(Why.MEASURED, f"best {words}")]
    gap = number(abs((highest.mean or 0.0) - (best.mean or 0.0)))
    better = f"{lr_text(highest.lr)} measured better by {gap}, {_passed(case, best, highest)}"
    ahead = [p for p in candidates if case.score(p) > case.score(best)]
    passed_over = tuple((p.lr, _passed(case, best, p)) for p in ahead)
    return [Reason(Why.BETTER, better, passed_over), Reason(Why.MEASURED, words)]


def _passed(case: Case, best: Point, point: Point) -> str:
    """Return why a point that measured better is not the recommended one: what `pick` or, with axes, `best_place` went by."""
    if not case.plan.axes:
        return f"within the noise: the curve through all results is higher at {lr_text(best.lr)}"
    if len(point.values) < len(best.values):
        return f"within the noise: {lr_text(best.lr)} has more seeds"
    return f"in the further seeds only: over all seeds {lr_text(best.lr)} is better"


def not_first(sweep: Sweep, found: Verdict, standings: Sequence[Standing]) -> str:
    """Return why the leaderboard's first row is not the recommended setting; "" if it is, or if there is none."""
    if found.lr is None or not standings:
        return ""
    first = standings[0].setting
    if is_named(found.lr, found.group, found.axes, first):
        return ""
    if sweep.plan is not None and sweep.plan.study and group_of(first) != found.group:
        own = f"with {group_text(found.group)}, the settings that the study starts from"
        return f"Recommended is {lr_text(found.lr)} {own}; the first row has {group_text(group_of(first))}."
    said = {reason.why: reason.text for reason in found.reasons}
    why = said.get(Why.BETTER, said.get(Why.MEASURED, ""))
    return f"Recommended is {lr_text(found.lr)}, not the first row, {lr_text(first.lr)}: {why}."


def _runner_up(case: Case, found: Verdict, best: Point, candidates: list[Point]) -> list[Reason]:
    others = [point for point in candidates if point is not best]
    if not others and case.moved is not None:
        pilots = count(len(case.moved.gains), "shorter run")
        words = (
            f"no other learning rate was trained to the end: the interval rests on {pilots} of the whole schedule,"
            " and on how far the best learning rate usually falls as training gets longer"
        )
        return [Reason(Why.RUNNER_UP, words)]
    if not others:
        full = "trained to the end" if best.full else f"at {length(case.plan, best.level)}"
        words = f"nothing to compare it with: no other learning rate was {full}"
        return [Reason(Why.RUNNER_UP, words)]
    second = max(others, key=case.score)
    assert best.mean is not None and second.mean is not None  # noqa: S101, PT018  # candidates have one
    if case.score(second) > case.score(best):
        return []
    gap = abs(best.mean - second.mean)
    words = f"next best: {lr_text(second.lr)} with {number(second.mean)}, behind by {number(gap)}"
    if found.within is not None and gap <= found.within * (1 + CLOSE):
        return [Reason(Why.RUNNER_UP, f"{words} (equal within {tolerance(found.within)})")]
    variances = case.variance(best), case.variance(second)
    doubt = math.sqrt(sum(v for v in variances if v is not None)) / case.scale.slope(best.mean)
    near = f" (a near-tie: the noise is {number(doubt)})" if gap < doubt else ""
    return [Reason(Why.RUNNER_UP, words + near)]


def _comparison(case: Case) -> list[Reason]:
    """Say what was done to compare the values, where it is not plain."""
    plan, level = case.plan, case.level
    here = [
        results[level]
        for results in case.results.by_run.values()
        if level is not None and level in results
    ]
    said = []
    if any(result.interpolated for result in here):
        words = f"compared at {length(plan, here[0].level)}, with values interpolated between evaluations"
        said.append(Reason(Why.INTERPOLATED, words))
    averaged = max((result.averaged for result in here), default=1)
    if averaged > 1 and plan.value == "auto":
        words = (
            f"{clean(plan.metric)} is noisy: each value is the mean of the last {averaged} or fewer"
        )
        said.append(Reason(Why.AVERAGED, words))
    for rung in case.sweep.rungs:
        if rung.metric and any(run.id in (*rung.kept, *rung.pruned) for run in case.runs):
            words = f"no {clean(plan.metric)} at {length(plan, rung.level)} yet: {clean(rung.metric)} decided there"
            said.append(Reason(Why.BY_LOSS, words))
    return said


def _early(case: Case, best: Point) -> list[Reason]:
    """Name the learning rates that ended by themselves before the others, or before the horizon."""
    plan = case.plan
    where: dict[float, float] = {}
    for run in case.results.early:
        came = run.reached[-1].level if run.reached else 0.0
        where[run.setting.lr] = max(came, where.get(run.setting.lr, 0.0))
    said = []
    if case.results.leader == best.lr:
        at = f"{length(plan, where.pop(best.lr))} of {amount(plan.horizon)}"
        words = f"{lr_text(best.lr)} ended early, at {at}: it leads at every common length; let it train to the end"
        said.append(Reason(Why.EARLY, words))
        said += _later(case, best)
    if where:
        each = ", ".join(f"{lr_text(lr)} ({length(plan, at)})" for lr, at in sorted(where.items()))
        words = f"{each} ended early, before {length(plan, plan.horizon)}"
        if len(where) > 2 and len({*where.values()}) == 1:
            at = f"{length(plan, next(iter(where.values())))} of {amount(plan.horizon)}"
            words = f"{len(where)} learning rates ended early, at {at}; if the script trained on after its last {clean(plan.metric)}, let it print one at the end"
        said.append(Reason(Why.EARLY, words))
    return said


def _later(case: Case, best: Point) -> list[Reason]:
    """Say what measured better than an early leader, but later."""
    assert best.mean is not None and best.level is not None  # noqa: S101, PT018  # candidates have both
    top = case.scale.score(best.mean)
    later = [
        (case.scale.score(result.value), lr_text(run.setting.lr), result)
        for run in case.runs
        for result in case.results.by_run[run.id].values()
        if result.level > best.level and case.scale.score(result.value) > top
    ]
    if not later:
        return []
    _, lr, result = max(later, key=lambda each: each[0])
    words = f"{lr} came to {number(result.value)} later, at {length(case.plan, result.level)}"
    return [Reason(Why.EARLY, words)]


def _noise(case: Case, found: Verdict, best: Point) -> str:
    if best.selected:
        further = count(best.seeds, "further seed")
        value = number(best.mean) + (
            f" ± {number(best.se)} (standard error)" if best.se is not None else ""
        )
        return f"{further}: {value}; the seed that selected it is left out"
    if best.seeds > 1 and best.se is not None:
        return f"{best.seeds} seeds: {number(best.mean)} ± {number(best.se)} (standard error)"
    if case.identical:
        values = "gave the same value" if best.seeds > 1 else "of others gave the same values"
        return f"noise unknown: identical seeds ({max(len(p.values) for p in case.points)} {values}); does the script use the seed?"
    if case.measured:
        return "1 seed: noise taken from the learning rates that have more"
    shown = f", ± {number(found.scatter)}" if found.scatter is not None else ""
    if found.noise is Noise.CURVES:
        return f"1 seed: noise estimated from how its late values scatter{shown}"
    if found.noise is Noise.ASSUMED and shown:
        images = case.sweep.data.val if case.sweep.data is not None else 0
        known = (
            f" and {count(images, 'validation image')}"
            if images > 0 and case.scale.kind == "logit"
            else ""
        )
        return f"1 seed: noise assumed, from the benchmarks{known}{shown}"
    return "1 seed: noise unknown"


def _optimum(case: Case, found: Verdict) -> list[Reason]:
    """Say where the curve is highest, and which LRs are as good."""
    said = []
    if found.optimum is not None and found.lr is not None and case.noise is not None:
        off = abs(math.log10(found.optimum / found.lr))
        if off > 0.05:  # two digits of an LR
            best = "highest" if case.plan.goal == "max" else "lowest"
            words = f"the curve is {best} at {lr_rounded(found.optimum)}, which was not tested"
            said.append(Reason(Why.OPTIMUM, words))
    if found.within is None or found.low is None:
        return said
    if found.equal is not None and found.equal[0] < found.equal[1]:
        words = f"equal within {tolerance(found.within)}: {lr_range(*found.equal)}"
    else:
        words = f"no range is equal within {tolerance(found.within)} for certain"
    return [*said, Reason(Why.EQUAL, words)]


def _edge(best: Point, points: Sequence[Point]) -> list[Reason]:
    """Say where no LR beyond the best one was judged."""
    judged = [point.lr for point in points if point.judged]
    said = []
    if best.lr <= min(judged):
        said.append(
            Reason(Why.EDGE, f"best at the edge of the search: try lower than {lr_text(best.lr)}")
        )
    if best.lr >= max(judged):
        said.append(
            Reason(Why.EDGE, f"best at the edge of the search: try higher than {lr_text(best.lr)}")
        )
    return said


_DEATHS = {"nan": "not finite at the end", "chance": "stayed at chance"}


def dead(points: Sequence[Point]) -> list[Reason]:
    """Say which LRs died, once for each way of dying."""
    by_word: dict[str, list[float]] = {}
    for point in points:
        if point.dead:
            by_word.setdefault(_DEATHS.get(point.dead, point.dead), []).append(point.lr)
    return [
        Reason(
            Why.DEAD,
            f"{word}, not to be recommended: {', '.join(map(lr_text, lrs))}",
            tuple((lr, f"not recommended: {word}") for lr in lrs),
        )
        for word, lrs in by_word.items()
    ]


def _surer(case: Case, best: Point) -> list[Reason]:
    """Name the LRs beside the recommended one that a search has left out, and the command that trains them.

    With both trained to the end, the pick of replayed searches lost half as much on 37 workloads; wider or narrower steps, and further seeds of
    the pick, gained less (docs/decisions/goals-of-the-search.md).
    """
    plan = case.plan
    searched = any(run.is_range_test for run in case.sweep.runs.values())
    by_search = case.sweep.runs[best.runs[0]].origin == "strategy"
    single = not (plan.axes or plan.study) and plan.seeds == 1
    if case.provisional or not (searched and by_search and single):
        return []
    trained = [point.lr for point in case.points if point.full or point.dead]
    beside = [best.lr * 10**side for side in (-_BESIDE, _BESIDE)]
    left = [lr for lr in beside if all(abs(math.log10(lr / t)) > _NEAR for t in trained)]
    if not left:
        return []
    like = f" --like {best.runs[0]}" if len(groups(case.sweep)) > 1 else ""
    command = f"lrtui add DIR{''.join(f' --lr {lr_rounded(lr)}' for lr in left)}{like}"
    words = f"surer with {count(len(left), 'more full run')} beside it: {command}"
    return [Reason(Why.SURER, words)]


def cost(plan: Plan, spent: float, grid: float) -> list[Reason]:
    """Return what the search has cost beside a full grid: "27 of 72 epochs of a full grid spent"."""
    if spent <= 0 or grid <= 0:
        return []
    words = f"{amount_about(spent)} of {amount(grid)} {plural(plan.unit)} of a full grid spent"
    return [Reason(Why.COST, words)]


def _provisional(case: Case, best: Point) -> list[Reason]:
    said = []
    if not best.full:
        where = f"{length(case.plan, best.level)} of {amount(case.plan.horizon)}"
        words = f"provisional at {where}: early leaders are often too high"
        said.append(Reason(Why.LENGTH, words))
    elif (
        best.level is not None
        and best.level < case.plan.horizon * (1 - 1e-9)
        and case.plan.value in {"auto", "last"}
    ):
        where = f"{length(case.plan, best.level)} of {amount(case.plan.horizon)}"
        said.append(Reason(Why.LENGTH, f"its last evaluation was at {where}"))
    if case.sweep.budget_reached is not None:
        words = clean(case.sweep.budget_reached.why) or "the budget is spent"
        said.append(Reason(Why.BUDGET, f"provisional: {words}"))
    waiting = [run for run in case.sweep.runs.values() if run.state is not State.ENDED]
    if waiting:
        words = f"provisional: {count(len(waiting), 'run')} not ended"
        said.append(Reason(Why.WAITING, words))
    return said


def other_groups(plan: Plan, best: Verdict, found: list[Verdict]) -> list[Reason]:
    """Say which group comes next, and by how much."""
    others = [each for each in found if each is not best and each.lr is not None]
    if not others or best.value is None:
        dead = [each for each in found if each.lr is None and each is not best]
        words = f"without an answer: {'; '.join(clean(group_text(each.group)) for each in dead)}"
        return [Reason(Why.OTHER_GROUPS, words)] if dead else []
    second = others[0]
    assert second.lr is not None and second.value is not None  # noqa: S101, PT018  # it has an answer
    words = f"next best besides: {lr_text(second.lr)} with {clean(group_text(second.group))}: {number(second.value)}"
    if second.value_at != best.value_at:
        return [Reason(Why.OTHER_GROUPS, f"{words} at {length(plan, second.value_at)}")]
    gap = abs(best.value - second.value)
    words += f", behind by {number(gap)}"
    if best.within is not None and gap <= best.within * (1 + CLOSE):
        words += f" (equal within {tolerance(best.within)})"
    return [Reason(Why.OTHER_GROUPS, words)]


def not_tested(points: Sequence[Point]) -> list[str]:
    """Return the ranges beyond the LRs that were judged, and the LRs about which nothing was learned."""
    judged = [point.lr for point in points if point.judged]
    said = [f"< {lr_text(min(judged))}", f"> {lr_text(max(judged))}"] if judged else []
    return said + [f"{lr_text(p.lr)} ({p.state})" for p in points if not p.judged]
