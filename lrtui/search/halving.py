"""Successive halving by synchronous promotion: the settings of a group train to a rung, are compared there, and the best continue.

The order of arrival does not matter: a rung is decided when all runs have been judged at it. (Pruners that judge in arrival order
lose 0.3 to 89 points on the same eight LRs, shuffled.) A run that waits holds no process; it continues from its checkpoint. A
rung's decision is journalled and never repeated.

If the schedule decays or is unknown, the first rung only sieves: it prunes LRs far below its leader.

A group is what settings share besides their LR. Runs that a user added or restarted do not compete: they train to the end, and no
rung waits for them. A restarted failed run competes again.

Jamieson and Talwalkar 2016 (successive halving); Li et al. 2018 (Hyperband, whose most aggressive bracket this is).
"""

from __future__ import annotations

import functools
import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from lrtui.analysis import common_length
from lrtui.analysis.averages import share_variance
from lrtui.analysis.common_length import Entry, in_order
from lrtui.metrics.deciding import is_accuracy
from lrtui.search.strategy import (
    Decision,
    Space,
    at,
    find,
    start,
    start_all,
)
from lrtui.sweep.axis_places import grid_size
from lrtui.sweep.events import GroupKey, RunEnded, RungClosed, RunPromoted, Setting
from lrtui.sweep.state import Reached, Run, State, Sweep, group_of, setting_key
from lrtui.text.format import amount, lr_rounded, number

LEAST_KEPT = 2
"""Early leaders often have too high an LR: at least this many are kept."""
NEAR_SE = 2.0
"""Values within this many standard errors of the cut are tied with it."""
NEAR_MOST = 1
"""At most this many ties beyond the cut continue, and none to the end: there it costs two thirds of a full run."""
USUAL_SHARE = 0.334
"""Largest `keep` at which `auto` may keep two of seven."""
PROPOSED = 6
"""With [search]: at most this many settings are proposed after the race, and train to the end."""
LONGER = 2
"""Number of pilots of each further length."""
STEP_DECADES = 0.5
"""Distance of the LRs of a search, in decades."""
_CLOSE = 1e-6


def search(sweep: Sweep, space: Space, rates: tuple[float, ...]) -> list[Decision]:
    """Return the next decisions for these LRs in every group: all to the end, or by halving, then further seeds for the finalists."""
    if space.share >= 1:
        return start_all(sweep, space, rates)
    decisions: list[Decision] = []
    for cell in space.cells():
        racing = race(sweep, space, cell, rates)
        decisions += seed_finalists(sweep, space, cell) if racing is None else racing
    return decisions


def race(
    sweep: Sweep,
    space: Space,
    cell: Setting,
    rates: Sequence[float],
    late: Sequence[float] = (),
    *,
    downwards: int = 0,
) -> list[Decision] | None:
    """Return the next decisions in the race of one group; None when it is over.

    The LRs in `rates` begin together; those in `late` join later: they are compared with the cuts of decided rungs, and compete at
    the others. `downwards`: a rung keeps the leader and the next lower LR, or all that are tied at one before the last if that
    keeps to what a search with so many LRs announced.
    """
    settings = ([at(cell, lr) for lr in each] for each in (rates, late))
    return race_of(sweep, space, cell, *settings, downwards=downwards)


def race_of(
    sweep: Sweep,
    space: Space,
    cell: Setting,
    first: Sequence[Setting],
    late: Sequence[Setting],
    *,
    downwards: int = 0,
) -> list[Decision] | None:
    """Return the same for settings of one group, which may also differ on the axes of [search]."""
    group, rungs = group_of(cell), space.rungs_of(cell)
    runs = [(setting, find(sweep, setting, space.seed)) for setting in (*first, *late)]
    missing = [setting for setting, run in runs if run is None]
    if missing:
        return [start(setting, space.seed, rungs[0]) for setting in missing]
    racing = [run for _, run in runs if run is not None and run.origin == "strategy"]
    began = set(map(setting_key, first))
    contenders = [run for run in racing if setting_key(run.setting) in began]
    decisions: list[Decision] = []
    for rung, further in itertools.pairwise(rungs):
        closed = sweep.rung(group, rung)
        if closed is None:
            if not all(is_judged(run, rung) for run in contenders):
                return decisions
            if all(run.state is State.ENDED for run in contenders):
                break  # nothing to compare: the rung stays open for restarted failed runs
            last = further == rungs[-1]
            sieve = cell.schedule in space.decays and not last
            share = 1.0 if sieve else space.share
            going = [len(contenders)] * 2 + [LEAST_KEPT] * (len(rungs) - 2)
            fits = not last and has_room(space, cell, downwards, going)
            spare = 0 if last else NEAR_MOST
            rule = _Rule(share, spare, downwards=bool(downwards), keeps_ties=not downwards or fits)
            close = _close(sweep, group, rung, contenders, rule)
            return [*decisions, close, *_carry_out(sweep, close, further)]
        decisions += _carry_out(sweep, closed, further)
        decisions += _hold_against(sweep, closed, further, racing)
        kept = [run for run in racing if run.id in closed.kept]
        out = (*closed.kept, *closed.pruned)
        late_ones = [run for run in racing if run.id not in out and not _ended_by(run, rung)]
        contenders = [*kept, *late_ones]
    over = not decisions and all(run.state is State.ENDED for run in racing)
    return None if over else decisions


def begins_with_few(space: Space, cell: Setting) -> bool:
    """Return whether `auto` begins with a few LRs and follows the best one down: early values are reliable because the LR never falls."""
    return (
        0 < space.share <= USUAL_SHARE
        and len(space.rungs_of(cell)) > 1
        and cell.schedule not in space.decays
    )


def has_room(
    space: Space, cell: Setting, count: int, going: Sequence[int], further: float = 0.0
) -> bool:
    """Return whether a race keeps to the cost that a search with `count` LRs announced, including `further` steps."""
    rungs = space.rungs_of(cell)
    before = (0.0, *rungs) if space.resumes else (0.0,) * len(rungs)
    spent = further + sum(
        left * (rung - from_) for left, rung, from_ in zip(going, rungs, before, strict=False)
    )
    return spent <= _race_cost(space, cell, count) * (1 + _CLOSE)


def joined(
    sweep: Sweep, space: Space, cell: Setting, rates: tuple[float, ...]
) -> tuple[float, ...]:
    """Return the LRs that joined a group's race after those that began it."""
    group = group_of(cell)
    return tuple(
        run.setting.lr
        for run in sweep.trained()
        if run.origin == "strategy"
        and run.seed == space.seed
        and group_of(run.setting) == group
        and run.setting.lr not in rates
    )


def seed_finalists(sweep: Sweep, space: Space, cell: Setting) -> list[Decision]:
    """Return the further seeds of the settings that finished, the same seeds for all."""
    return [
        start(run.setting, space.seed + i, space.horizon)
        for i in range(1, space.seeds)
        for run in finalists(sweep, space, cell)
        if find(sweep, run.setting, space.seed + i) is None
    ]


def finalists(sweep: Sweep, space: Space, cell: Setting) -> list[Run]:
    """Return the first seed's runs of a group that finished with a value, the best first; those a user added count."""
    group = group_of(cell)
    done = [
        run
        for run in sweep.trained()
        if run.seed == space.seed
        and group_of(run.setting) == group
        and run.finished
        and _final(run) is not None
    ]
    seen = {run.id: final for run in done if (final := _final(run)) is not None}
    ordered = _in_order(sweep, done, seen, math.inf, by_loss=False)
    return [each.run for each in ordered][: LEAST_KEPT + NEAR_MOST]


def cost(space: Space, count: int) -> tuple[float, float]:
    """Return (usual cost, cost of training all to the end) of a search with `count` LRs per group, in the horizon's unit.

    With axes of [search] the latter is the cost of a full grid over them. Ties, neighbours and LRs that are added at an edge come on top, dead runs and range tests are left out.
    """
    spent = 0.0
    cells = space.cells()
    for cell in cells:
        if cell.schedule in space.pilots:
            first, *further = space.pilots[cell.schedule]
            spent += count * first + LONGER * sum(further) + space.seeds * space.horizon
            continue
        spent += _race_cost(space, cell, count)
        seeded = min(count, LEAST_KEPT + bool(space.axes)) if space.share < 1 else count
        spent += (seeded * (space.seeds - 1) + (PROPOSED if space.axes else 0)) * space.horizon
    whole = grid_size(space.axes) if space.axes else count
    return spent, float(len(cells) * whole * space.horizon)


def _race_cost(space: Space, cell: Setting, count: int) -> float:
    """Return the usual cost of a race of `count` LRs with one seed."""
    spent, left, before = 0.0, count, 0.0
    rungs = space.rungs_of(cell)
    for rung, further in itertools.pairwise((*rungs, math.inf)):
        spent += left * (rung - before if space.resumes else rung)
        sieve = cell.schedule in space.decays and further < rungs[-1]
        share = (1 + space.share) / 2 if sieve else space.share
        left, before = max(min(left, LEAST_KEPT), math.ceil(left * share - _CLOSE)), rung
    return spent


def value_at(run: Run, rung: float) -> Reached | None:
    """Return the value by which a run was judged at a rung; None if it was not evaluated up to there."""
    untils = {attempt.number: attempt.until for attempt in run.attempts}
    found = [r for r in run.reached if _same(untils.get(r.attempt, 0.0), rung)]
    return found[-1] if found else None


# ---------------------------------------------------------------- a rung


@dataclass(frozen=True, slots=True)
class _Rule:
    """The number of runs that continue."""

    share: float
    """1: only LRs far below the leader are out."""
    spare: int
    """At most this many ties beyond the cut."""
    downwards: bool = False
    """Whether the leader and the next lower LR are kept instead."""
    keeps_ties: bool = True
    """Whether all continue if they do not differ."""


@dataclass(frozen=True, slots=True)
class Judged:
    """A run with the value used for comparison."""

    run: Run
    value: float
    """The value at the length of comparison."""
    val_loss: float | None = None


def _close(
    sweep: Sweep, group: GroupKey, rung: float, contenders: list[Run], rule: _Rule
) -> RungClosed:
    """Return the decision of a rung at which all contenders have been judged.

    A run that trained to its end before it could be stopped is compared with the others, and kept.
    """
    waiting = [run for run in contenders if run.state is State.WAITING]
    sound, judged, unseen, metric = compared(sweep, rung, contenders)
    kept, cut, why = _kept(sweep, len(contenders), sound, rule)
    staying = [each for each in sound if each not in kept and each.run not in waiting]
    kept_runs = [each.run for each in (*kept, *staying)] + unseen
    leaving = [each.run for each in sound if each.run not in kept_runs]
    leaving += [run for run in judged if run in waiting and run not in (*kept_runs, *leaving)]
    if metric:
        why += f"; by {metric}, the metric was not there yet"
    if unseen:
        why += f"; {len(unseen)} not evaluated yet, so not judged"
    return RungClosed(
        group=group,
        level=rung,
        kept=tuple(run.id for run in kept_runs),
        pruned=tuple(run.id for run in leaving),
        cut=cut,
        why=why,
        metric=metric,
    )


def compared(
    sweep: Sweep, rung: float, contenders: list[Run]
) -> tuple[list[Judged], list[Run], list[Run], str]:
    """Return the runs at a rung: those with a finite value, the best first; all that can be judged; those that cannot; and the name
    of the loss, if it decides instead of the metric.
    """
    waiting = [run for run in contenders if run.state is State.WAITING]
    there = [run for run in contenders if run in waiting or _passed(run, rung)]
    seen = {run.id: reached for run in there if (reached := value_at(run, rung)) is not None}
    by_loss = _loss_decides(waiting, seen)
    unseen = [
        run for run in waiting if run.id not in seen or not (by_loss or seen[run.id].measured)
    ]
    judged = [run for run in there if run.id in seen and run not in unseen]
    metric = sweep.plan.loss if by_loss and sweep.plan is not None else ""
    return _in_order(sweep, judged, seen, rung, by_loss=by_loss), judged, unseen, metric


def _passed(run: Run, rung: float) -> bool:
    """Return whether a run trained to its end although it was to stop at this rung."""
    return run.finished and _same(run.until, rung)


def _loss_decides(waiting: list[Run], seen: Mapping[str, Reached]) -> bool:
    """Return whether the training loss decides instead: the metric is missing for some run, and the loss for none."""
    found = [seen[run.id] for run in waiting if run.id in seen]
    return bool(found) and len(found) == len(waiting) and all(r.loss is not None for r in found)


def _in_order(
    sweep: Sweep, runs: list[Run], seen: Mapping[str, Reached], rung: float, *, by_loss: bool
) -> list[Judged]:
    """Return the runs with a finite value, the best first, compared at common lengths up to the rung."""
    if by_loss:
        found = [(run, loss) for run in runs if (loss := seen[run.id].loss) is not None]
        ordered = sorted(found, key=lambda pair: (pair[1], pair[0].setting.lr))
        return [Judged(run, loss) for run, loss in ordered]
    goal = sweep.plan.goal if sweep.plan is not None else "max"
    entries = [
        Entry(
            run,
            min(reached.level, rung),
            functools.partial(common_length.value_at, reached.curve),
            _tie(run, reached),
        )
        for run in runs
        if (reached := seen[run.id]).value is not None
    ]
    return [
        Judged(place.key, place.value, seen[place.key.id].val_loss)
        for place in in_order(entries, goal)
        if place.value is not None
    ]


def _kept(
    sweep: Sweep, contenders: int, sound: list[Judged], rule: _Rule
) -> tuple[list[Judged], float | None, str]:
    """Return the runs that continue, the best first; the cut; and the reason for their number."""
    tied = len(sound) > LEAST_KEPT and _is_near(sweep, sound[-1], sound[0])
    if tied and rule.keeps_ties:
        return sound, None, f"all {len(sound)}: they do not differ yet"
    if rule.downwards and sound:
        kept = _downwards(sound, contenders)
        return kept, kept[-1].value, _said_downwards(kept, contenders)
    if rule.share >= 1:
        return _sieved(sound)
    count = max(LEAST_KEPT, math.ceil(contenders * rule.share - _CLOSE))
    kept, rest = sound[:count], sound[count:]
    cut = kept[-1].value if kept else None
    if not rest:
        return kept, cut, f"all {len(kept)} that were left continue" if kept else "none was left"
    near = [each for each in rest if _is_near(sweep, each, kept[-1])]
    beside = [each for each in _neighbours(sound) if each in rest and _is_beside(each, kept)]
    further = (near or beside)[: rule.spare]
    going = [each for each in sound if each in kept or each in further]
    said = "" if not further else ", one tied with the cut" if near else ", the leader's neighbour"
    return going, cut, f"{len(kept)} of {contenders}{said}"


def _downwards(sound: list[Judged], contenders: int) -> list[Judged]:
    """Return the leader and the LR nearest to half a decade below it, the best first.

    Return only the leader if it is the lower one of two; the lowest of more continues with the one nearest above.
    """
    leader = sound[0].run.setting.lr
    lower = [each for each in sound if each.run.setting.lr < leader]
    others = lower or ([] if contenders <= LEAST_KEPT else sound[1:])
    wanted = math.log10(leader) - STEP_DECADES
    beside = min(
        others, key=lambda each: abs(math.log10(each.run.setting.lr) - wanted), default=None
    )
    return sound[:1] if beside is None else [sound[0], beside]


def _said_downwards(kept: list[Judged], contenders: int) -> str:
    """Return the text that says which runs continue."""
    if len(kept) == 1:
        return f"1 of {contenders}: the leader is the lowest"
    lower = kept[1].run.setting.lr < kept[0].run.setting.lr
    return f"2 of {contenders}: the leader and the next {'lower' if lower else 'higher'} LR"


def _sieved(sound: list[Judged]) -> tuple[list[Judged], float | None, str]:
    """Return the runs that may still win once the schedule decays: those not far below the leader.

    A high LR finishes better than it looks before the decay; a low one never does.
    """
    below = (
        [each for each in _neighbours(sound)[:1] if each.run.setting.lr < sound[0].run.setting.lr]
        if sound
        else []
    )
    least = min((each.run.setting.lr for each in (*below, *sound[:1])), default=0.0)
    kept = [each for each in sound if each.run.setting.lr >= least]
    if len(kept) < LEAST_KEPT:
        kept = sound[:LEAST_KEPT]
    why = (
        ""
        if len(kept) == len(sound)
        else f"; the schedule has yet to decay, so only LRs below {lr_rounded(least)} are out"
    )
    return kept, None, f"{len(kept)} of {len(sound)}{why}"


def _neighbours(sound: list[Judged]) -> list[Judged]:
    """Return the next LR below the leader's and the next above."""
    by_lr = sorted(sound, key=lambda each: each.run.setting.lr)
    place = by_lr.index(sound[0])
    return [by_lr[i] for i in (place - 1, place + 1) if 0 <= i < len(by_lr)]


def _is_beside(each: Judged, kept: list[Judged]) -> bool:
    """Return whether a value lies no further below the cut than the cut lies below the best."""
    return abs(each.value - kept[-1].value) < abs(kept[0].value - kept[-1].value)


def _is_near(sweep: Sweep, each: Judged, other: Judged) -> bool:
    """Return whether two values are the same, the val loss too, or cannot be told apart on so few validation images."""
    if each.value == other.value:
        return each.val_loss == other.val_loss
    return abs(each.value - other.value) <= NEAR_SE * sampling_error(sweep, other.value)


def sampling_error(sweep: Sweep, value: float) -> float:
    """Return the standard error of an accuracy (also in percent) on the validation images; 0 if unknown."""
    plan, data = sweep.plan, sweep.data
    if plan is None or data is None or data.val <= 0 or not is_accuracy(plan.metric):
        return 0.0
    scale = 100.0 if value > 1 else 1.0
    share = value / scale
    return scale * math.sqrt(share_variance(share, data.val)) if 0 <= share <= 1 else 0.0


def _carry_out(sweep: Sweep, closed: RungClosed, further: float) -> list[Decision]:
    """Return the outstanding events for runs that wait at a closed rung."""
    of = len(closed.kept) + len(closed.pruned)
    waiting = _waiting(sweep, closed.kept, closed.level)
    decisions: list[Decision] = [RunPromoted(run=run.id, until=further) for run in waiting]
    for run in _waiting(sweep, closed.pruned, closed.level):
        place = len(closed.kept) + closed.pruned.index(run.id) + 1
        decisions.append(prune(sweep, run, closed, f"{nth(place)} of {of}"))
    return decisions


def _hold_against(
    sweep: Sweep, closed: RungClosed, further: float, racing: list[Run]
) -> list[Decision]:
    """Return the events for runs that joined late, or failed and were restarted, and wait at a closed rung."""
    decisions: list[Decision] = []
    for run in racing:
        if run.id in closed.kept or run.id in closed.pruned:
            continue
        if run.state is not State.WAITING or not _same(run.until, closed.level):
            continue
        reached = value_at(run, closed.level)
        if reached is None or _beats(sweep, reached, closed):
            decisions.append(RunPromoted(run=run.id, until=further))
        else:
            decisions.append(prune(sweep, run, closed, "joined late"))
    return decisions


def prune(sweep: Sweep, run: Run, closed: RungClosed, place: str) -> RunEnded:
    """Return the ending of a run that does not continue past a rung: "4th of 7 at epoch 3 (..)"; without a finite value it has diverged."""
    unit = sweep.plan.unit if sweep.plan else ""
    metric = closed.metric or (sweep.plan.metric if sweep.plan else "value")
    reached = value_at(run, closed.level)
    where = f"at {unit} {amount(closed.level)}"
    value = None if reached is None else reached.loss if closed.metric else reached.value
    if value is None:
        why = f"nan: {metric} was not finite {where}"
        return RunEnded(run=run.id, attempt=len(run.attempts), kind="diverged", why=why, rule="nan")
    cut = "" if closed.cut is None else f", cut {number(closed.cut)}"
    why = f"{place} {where} ({metric} {number(value)}{cut})"
    return RunEnded(run=run.id, attempt=len(run.attempts), kind="pruned", why=why, rule="beaten")


def _waiting(sweep: Sweep, ids: tuple[str, ...], level: float) -> list[Run]:
    runs = [sweep.runs[run] for run in ids if run in sweep.runs]
    return [run for run in runs if run.state is State.WAITING and _same(run.until, level)]


def is_judged(run: Run, rung: float) -> bool:
    """Return whether a run has ended, waits at this rung, or has gone beyond it."""
    if run.state is State.ENDED or run.until > rung * (1 + _CLOSE):
        return True
    return run.state is State.WAITING and _same(run.until, rung)


def _ended_by(run: Run, rung: float) -> bool:
    """Return whether a run ended at a rung or before it."""
    return run.state is State.ENDED and run.until <= rung * (1 + _CLOSE)


def _beats(sweep: Sweep, reached: Reached, closed: RungClosed) -> bool:
    """Return whether a late run is no worse than the cut, or cannot be compared with it."""
    if bool(closed.metric) is reached.measured:
        return True
    value = reached.loss if closed.metric else reached.value
    if value is None:
        return False
    low = bool(closed.metric) or (sweep.plan is not None and sweep.plan.goal == "min")
    return closed.cut is None or (value <= closed.cut if low else value >= closed.cut)


def _final(run: Run) -> Reached | None:
    reached = run.reached[-1] if run.reached else None
    return reached if reached is not None and reached.value is not None else None


def _tie(run: Run, reached: Reached) -> tuple[float, float]:
    """Return the sort key for equal values: the lower val loss, then the lower LR."""
    return math.inf if reached.val_loss is None else reached.val_loss, run.setting.lr


def _same(a: float, b: float) -> bool:
    return math.isclose(a, b, rel_tol=_CLOSE)


def nth(place: int) -> str:
    """Return a number as an ordinal: 1st, 2nd, 11th, 111th."""
    teens = place % 100 in range(11, 14)
    ending = "th" if teens else {1: "st", 2: "nd", 3: "rd"}.get(place % 10, "th")
    return f"{place}{ending}"
