"""The leaderboard: which setting leads, compared only at equal lengths of training.

Monitor, log mode and report call `rank`, a pure function of the sweep and the measurements. Settings that are compared with each
other form a *group*: they are compared at the deepest level that all of them reached, and this value is shown. A setting that has
trained further gains nothing from its extra length, nor does one that ended early.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from lrtui.analysis.averages import mean, standard_error
from lrtui.analysis.common_length import CLOSE, NEAR, Entry, in_order
from lrtui.analysis.value_rule import value_of
from lrtui.sweep.state import Run, State, Sweep, group_of, is_named, setting_key, shown_state
from lrtui.text.clean import clean
from lrtui.text.format import amount, number

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from lrtui.metrics import RunSeries
    from lrtui.sweep.events import Plan, Setting, VerdictReached


@dataclass(frozen=True, slots=True)
class Standing:
    """One row of the leaderboard: a setting with all its seeds."""

    rank: int
    """From 1."""
    runs: tuple[str, ...]
    """Its runs, one per seed; the first is the one whose state, level and ETA are shown."""
    setting: Setting
    lr: float
    state: str
    """running, queued, paused, ...; of an ended run how it ended: finished, pruned, killed, failed, diverged, lost."""
    level: float
    """How far the first run has come, in the plan's unit."""
    horizon: float
    """The full length; 0 if it is not known, of a run that lrtui did not start."""
    value: float | None
    """The value that ranks it: the mean over the seeds, at `value_at`."""
    value_at: float | None
    """The deepest level that all in its group reached, or its last evaluation if it ended earlier than the others."""
    latest: float | None
    """The first run's latest value, finite or not; it never ranks."""
    best: float | None
    best_at: float | None
    mean: float | None
    """Same as value; with `se` where there are two seeds or more."""
    se: float | None
    """Standard error of the mean."""
    seeds: int
    """How many seeds count in `value`."""
    val_loss: float | None
    """At value_at; breaks ties."""
    eta: float | None
    """Seconds until the first run reaches the horizon, at its present rate."""
    rate: float | None
    """Levels per second."""
    why: str
    """Why it is in this state."""


def rank(sweep: Sweep, series: Mapping[str, RunSeries], now: float | None = None) -> list[Standing]:
    """Return all settings, the best first; independent of the order of the runs.

    With `now` (seconds since 1970) a run that writes no times has a rate too: since it was started.

    Finished ones come first, then those in the race by the rung that they have reached, then those without a value, the
    queue, and what died. Inside a group: the value, then the lower val loss, then the lower LR.
    """
    plan = sweep.plan
    if plan is None:
        return []
    trained = sweep.trained()
    rungs = {attempt.until for run in trained if not run.pilot for attempt in run.attempts}
    rows = [_row(plan, runs, series, rungs) for runs in _by_setting(trained)]
    placed = [(row, value) for group in _groups(rows) for row, value in _placed(plan, group)]
    queue = {run.id: place for place, run in enumerate(sweep.queued(), 1)}
    notes = _beside_the_verdict(sweep, placed)
    return [
        _standing(number, sweep, row, value, queue, now=now, note=notes.get(number, ""))
        for number, (row, value) in enumerate(placed, 1)
    ]


# ---------------------------------------------------------------- rows

_DEAD = ("killed", "lost", "failed", "diverged")
_MOVING = frozenset({State.RUNNING, State.STARTING, State.WAITING})
_FINISHED, _RACING, _PILOT, _BLANK, _QUEUED, _FIRST_DEAD = range(6)
_COMPARED = frozenset({_RACING, _PILOT})
"""At the rung that they came to; pilots among themselves."""


@dataclass(frozen=True, slots=True)
class _Row:
    """One setting before it is ranked."""

    runs: tuple[Run, ...]
    """The run shown first, then the others by id."""
    tier: int
    rung: float
    """Deepest level at which a decision was taken on it."""
    last: float
    """Level of its last evaluation; 0 without any."""
    moving: bool
    """Whether it still trains: such runs set the common level."""
    series: tuple[RunSeries, ...]
    """Of those seeds that count, the first run's first."""
    shown: RunSeries | None
    """Of the first run, whether it counts or not."""

    @property
    def first(self) -> Run:
        return self.runs[0]


@dataclass(frozen=True, slots=True)
class _Value:
    """What a row is ranked by."""

    at: float
    mean: float
    se: float | None
    seeds: int
    val_loss: float | None
    interpolated: bool
    """Whether the first run was evaluated before and after `at`, but not at it."""


def _by_setting(runs: Iterable[Run]) -> list[list[Run]]:
    folded: dict[tuple[object, ...], list[Run]] = {}
    for run in runs:
        folded.setdefault(setting_key(run.setting), []).append(run)
    return list(folded.values())


def _row(plan: Plan, runs: list[Run], series: Mapping[str, RunSeries], rungs: set[float]) -> _Row:
    last = {run.id: _last_evaluated(plan, series.get(run.id)) for run in runs}
    tiers = {run.id: _tier(run, last[run.id]) for run in runs}
    rung = {run.id: _rung(run, last[run.id], rungs) for run in runs}
    ordered = sorted(
        runs, key=lambda r: (tiers[r.id], -rung[r.id], -last[r.id], r.seed, _natural(r.id))
    )
    first = ordered[0]
    tier = tiers[first.id]
    counting = [run for run in ordered if tiers[run.id] <= _PILOT and run.id in series]
    return _Row(
        runs=(first, *sorted(ordered[1:], key=lambda run: _natural(run.id))),
        tier=tier,
        rung=rung[first.id] if tier in _COMPARED else 0.0,
        last=last[first.id],
        moving=first.state in _MOVING,
        series=tuple(series[run.id] for run in counting),
        shown=None if _begins_again(first, series.get(first.id)) else series.get(first.id),
    )


def _tier(run: Run, last: float) -> int:
    if run.ending is not None and run.ending.kind in _DEAD:
        return _FIRST_DEAD + _DEAD.index(run.ending.kind)
    if run.state is State.QUEUED and not run.resume:
        return _QUEUED
    if run.finished:
        return _FINISHED if last > 0 else _BLANK
    if last > 0:
        return _PILOT if run.pilot else _RACING
    return _QUEUED if run.state is State.QUEUED else _BLANK


def _rung(run: Run, last: float, rungs: set[float]) -> float:
    """Return the longest of the sweep's rungs that a run came to.

    Either it was evaluated there, or it was judged there by the last evaluation before. A value that was journalled elsewhere,
    when the run was paused or lost, makes no rung.
    """
    untils = {attempt.number: attempt.until for attempt in run.attempts}
    judged = [
        untils[r.attempt] for r in run.reached if r.level >= 0.9 * untils.get(r.attempt, math.inf)
    ]
    passed = [rung for rung in rungs if last >= rung * (1 - CLOSE)]
    return max([*judged, *passed], default=0.0)


def _last_evaluated(plan: Plan, series: RunSeries | None) -> float:
    last = series.last(plan.metric) if series is not None else None
    return min(last[0], plan.horizon) if last else 0.0


def _natural(run_id: str) -> tuple[int, str]:
    """Order r9 before r10."""
    return len(run_id), run_id


# ---------------------------------------------------------------- groups


def _groups(rows: list[_Row]) -> list[list[_Row]]:
    """Return the rows in groups that are compared inside, the leading group first."""
    keyed: dict[tuple[int, float], list[_Row]] = {}
    for row in rows:
        keyed.setdefault((row.tier, -row.rung), []).append(row)
    groups: list[list[_Row]] = []
    for (tier, _), members in sorted(keyed.items()):
        groups.extend(_by_length(members) if tier in _COMPARED else [members])
    return groups


def _by_length(members: list[_Row]) -> list[list[_Row]]:
    """Split rows by whether they have come far enough to be compared now."""
    groups: list[list[_Row]] = []
    while members:
        floor = _floor(members)
        groups.append([row for row in members if row.last >= floor])
        members = [row for row in members if row.last < floor]
    return groups


def _floor(members: list[_Row]) -> float:
    """Return the length that a row must have been evaluated at to be compared now.

    Those that train set it, so that a paused run does not hold the comparison back.
    """
    moving = [row.last for row in members if row.moving]
    return min(moving or [row.last for row in members]) * (1 - CLOSE)


def _placed(plan: Plan, group: list[_Row]) -> list[tuple[_Row, _Value | None]]:
    """Return the rows of one group in order, each with the value it is ranked by."""
    if group[0].tier > _PILOT:
        blank: list[tuple[_Row, _Value | None]] = [(row, None) for row in group]
        return sorted(blank, key=lambda pair: _blank_key(pair[0]))
    near = NEAR if group[0].tier == _FINISHED else 0.0
    places = in_order([_entry(plan, row) for row in group], plan.goal, near)
    return [(place.key, _value(plan, place.key, place.level)) for place in places]


def _entry(plan: Plan, row: _Row) -> Entry[_Row]:
    ended = row.series[0].last(plan.metric) if row.tier == _FINISHED else None

    def value_at(level: float) -> float | None:
        if ended is not None and not math.isfinite(ended[1]):
            return math.nan  # whatever it was before
        value = _value(plan, row, level)
        return value.mean if value is not None else None

    loss = row.series[0].at("val_loss", row.last)
    tie = (loss[1] if loss is not None and math.isfinite(loss[1]) else math.inf, *_name_key(row))
    return Entry(row, row.last, value_at, tie)


def _value(plan: Plan, row: _Row, level: float) -> _Value | None:
    """Return a row's mean at a length, over the seeds that came so far."""
    came = [
        series
        for number, series in enumerate(row.series)
        if number == 0 or ((last := series.last(plan.metric)) and last[0] >= level * (1 - CLOSE))
    ]
    values = [value for series in came if (value := value_of(plan, series, level)) is not None]
    if not values:
        return None
    found = [loss[1] for series in came if (loss := series.at("val_loss", level)) is not None]
    losses = [loss for loss in found if math.isfinite(loss)]
    evaluated = row.series[0].at(plan.metric, level)
    return _Value(
        at=level,
        mean=mean(values),
        se=standard_error(values),
        seeds=len(values),
        val_loss=mean(losses) if losses else None,
        interpolated=evaluated is not None and not math.isclose(evaluated[0], level, rel_tol=CLOSE),
    )


def _name_key(row: _Row) -> tuple[object, ...]:
    return *setting_key(row.first.setting), _natural(row.first.id)


def _blank_key(row: _Row) -> tuple[object, ...]:
    """Order of rows without a value: the queue as it will run, the others by LR."""
    place = row.first.queued_n if row.tier == _QUEUED else 0
    return (place, *_name_key(row))


# ---------------------------------------------------------------- words


def _beside_the_verdict(sweep: Sweep, placed: list[tuple[_Row, _Value | None]]) -> dict[int, str]:
    """Return by rank which setting a closed sweep recommends, and that those above it measured better; in a study those of its own level."""
    found = sweep.verdict
    if sweep.closed is None or found is None or found.lr is None:
        return {}
    for rank, (row, value) in enumerate(placed, 1):
        if is_named(found.lr, found.group, found.axes, row.first.setting):
            level = value.at if value is not None else None
            study = sweep.plan is not None and bool(sweep.plan.study)
            same = [
                at
                for at, (other, v) in enumerate(placed[: rank - 1], 1)
                if v
                and v.at == level
                and (not study or group_of(other.first.setting) == found.group)
            ]
            return {at: _better(placed[at - 1], value, found) for at in same} | {
                rank: "recommended"
            }
    return {}


def _better(
    better: tuple[_Row, _Value | None], recommended: _Value | None, found: VerdictReached
) -> str:
    """Return by how much a setting measured better than the recommended one, and why it was passed over."""
    row, value = better
    gap = ""
    if value is not None and recommended is not None:
        gap = f" by {number(abs(value.mean - recommended.mean))}"
    lr = row.first.setting.lr
    why = next((why for each, why in found.passed_over if each == lr), "the verdict says why it is not recommended")  # fmt: skip
    return f"measured better{gap}; {why}"


def _begins_again(run: Run, series: RunSeries | None) -> bool:
    """Return whether a run starts from the beginning, and what is known of it is of an earlier attempt."""
    if run.state is State.QUEUED:
        return not run.resume
    latest = run.attempt
    again = run.alive and latest is not None and not latest.resumed_from
    return again and series is not None and 0 < series.attempt < len(run.attempts)


def _standing(
    number: int,
    sweep: Sweep,
    row: _Row,
    value: _Value | None,
    queue: Mapping[str, int],
    *,
    now: float | None,
    note: str,
) -> Standing:
    assert sweep.plan is not None  # noqa: S101  # rank returned before
    plan, run = sweep.plan, row.first
    own = row.shown
    latest = own.last(plan.metric) if own else None
    best = own.best(plan.metric, plan.goal) if own else None
    rate = _rate(run, own, now)
    level = own.level if own else 0.0
    return Standing(
        rank=number,
        runs=tuple(each.id for each in row.runs),
        setting=run.setting,
        lr=run.setting.lr,
        state=shown_state(run),
        level=level,
        horizon=run.length(plan.horizon),
        value=value.mean if value else None,
        value_at=value.at if value else None,
        latest=latest[1] if latest else None,
        best=best[1] if best else None,
        best_at=best[0] if best else None,
        mean=value.mean if value else None,
        se=value.se if value else None,
        seeds=value.seeds if value else 0,
        val_loss=value.val_loss if value else None,
        eta=max(0.0, run.length(plan.horizon) - level) / rate if rate else None,
        rate=rate,
        why=_why(sweep, row, value, queue, note),
    )


def _rate(run: Run, own: RunSeries | None, now: float | None) -> float | None:
    """Return the levels per second of a live run, by its own times, else since the attempt was started; None if unknown."""
    if own is None or run.state is not State.RUNNING:
        return None
    rate, latest = own.rate(), run.attempt
    began = latest.started_at if latest is not None and not latest.resumed_from else None
    if rate is not None or now is None or began is None or _begins_again(run, own):
        return rate
    return own.level / (now - began) if own.level > 0 and now > began else None


def _why(sweep: Sweep, row: _Row, value: _Value | None, queue: Mapping[str, int], note: str) -> str:
    """Return as text why the first run is in its state, what the rules flagged, how other seeds died, and whether the value is interpolated."""
    run = row.first
    own = _own_why(sweep, run, queue)
    said = [note, own, *flag_texts(run, own)]
    said += [
        f"seed {other.seed} {shown_state(other)}"
        for other in row.runs[1:]
        if other.ending is not None and other.ending.kind in _DEAD
    ]
    if value is not None and value.interpolated:
        said.append(f"value interpolated at {amount(value.at)}")
    return clean("; ".join(part for part in said if part), 500)


def flag_texts(run: Run, said: str) -> list[str]:
    """Return what the rules flagged that `said` does not say already; "slow" was settled where "chance" was found later."""
    rules = [rule for rule, _ in run.flags]
    return [
        f"{rule}: {why}"
        for rule, why in run.flags
        if why not in said and not (rule == "slow" and "chance" in rules)
    ]


def _own_why(sweep: Sweep, run: Run, queue: Mapping[str, int]) -> str:
    if run.ending is not None:
        return run.ending.why
    if run.state is State.STOPPING and run.attempt is not None:
        return run.attempt.stop_why or run.why
    if run.state is State.QUEUED:
        return run.why or _queue_why(sweep, queue.get(run.id, 0))
    if run.state is State.WAITING:
        return run.why or f"{'pilot; ' if run.pilot else ''}waits at its rung for the others"
    if run.state is State.FROZEN:
        return run.why or "frozen: its memory stays in use"
    return run.why or (f"pilot: the whole schedule, to {amount(run.until)}" if run.pilot else "")


def _queue_why(sweep: Sweep, place: int) -> str:
    if sweep.brake:
        return sweep.brake
    if sweep.closed is not None:
        return "the sweep has ended"
    if len(sweep.alive()) < sweep.parallel:
        return "next" if place == 1 else f"number {place} in the queue"
    return "waits for a free slot" if place == 1 else f"number {place} in the queue"
