"""The one fold: `apply(sweep, event)` turns the journal into the present.

Supervisor recovery, monitor, log mode, report and tests all use this function, so they cannot disagree.
It never fails: an event that does not fit (an unknown run, an ended attempt) changes nothing, because a journal may be damaged.

    queued → starting → running ⇄ frozen       running → waiting → queued | ended      running → pausing → paused → queued
    starting | running | frozen → stopping → ended            anything alive → lost → queued | ended
"""

from __future__ import annotations

import functools
import re
import struct
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from types import MappingProxyType

from lrtui.sweep import events as ev
from lrtui.sweep.choice import choice_of
from lrtui.sweep.events import (
    AnyEvent,
    EndingKind,
    Event,
    GroupKey,
    Origin,
    Plan,
    Rule,
    Scalar,
    Setting,
)
from lrtui.text.format import lr_text, setting_value


class State(StrEnum):
    """The state of a run."""

    QUEUED = "queued"
    STARTING = "starting"
    RUNNING = "running"
    FROZEN = "frozen"
    WAITING = "waiting"
    PAUSING = "pausing"
    PAUSED = "paused"
    STOPPING = "stopping"
    LOST = "lost"
    ENDED = "ended"


_POINT = struct.Struct("dd")
MOST_LR = 1e30
MOST_VALUE = 1e100
"""Squares of larger values overflow."""
MOST_SEED = 2**32 - 1
"""Random number generators accept no larger seeds."""
_RUN_NAME = re.compile(r"[A-Za-z0-9_+-][A-Za-z0-9_.+-]{0,63}")
"""Run names become folders: those of a damaged or foreign journal must not lead out of the directory."""
ALIVE = frozenset({State.STARTING, State.RUNNING, State.FROZEN, State.PAUSING, State.STOPPING})
"""States in which the run may have a process."""


@dataclass(frozen=True, slots=True)
class Ending:
    """How a run ended; exists only on an ended run."""

    kind: EndingKind
    code: int | None
    signal: int | None
    at: float
    why: str
    rule: Rule | None = None
    """The rule that ended it; None if something else did."""
    early: bool = False
    """Whether its script ended by itself before its planned length."""


@dataclass(frozen=True, slots=True)
class Attempt:
    """One process of a run."""

    number: int
    token: str
    until: float
    devices: tuple[int, ...] = ()
    resumed_from: int | None = None
    shared: bool = False
    """Whether it may train beside others in one process."""
    launched_at: float = 0.0
    started_at: float | None = None
    pid: int | None = None
    ended_at: float | None = None
    stop_kind: EndingKind | None = None
    """Set while it is being stopped: how it will end."""
    stop_why: str = ""
    stop_rule: Rule | None = None


@dataclass(frozen=True, slots=True)
class Reached:
    """A value that a decision used."""

    attempt: int
    level: float
    value: float | None
    val_loss: float | None
    packed: bytes = b""
    """`curve` in 16 bytes a point: as tuples, 20 points of 1,000 runs take 2.3 MB."""
    averaged: int = 1
    loss: float | None = None
    """The training loss if the metric was still missing; else None."""

    @property
    def curve(self) -> tuple[tuple[float, float], ...]:
        """(level, value) at some evaluations up to `level`, ascending."""
        return tuple(_POINT.iter_unpack(self.packed))

    @property
    def measured(self) -> bool:
        """Whether the deciding metric was present, finite or not."""
        return self.loss is None


@dataclass(frozen=True, slots=True)
class Run:
    """A setting with a seed."""

    id: str
    setting: Setting
    seed: int
    origin: Origin
    state: State
    until: float
    parent: str | None = None
    resume: bool = False
    """Whether the next attempt continues from a checkpoint."""
    attempts: tuple[Attempt, ...] = ()
    reached: tuple[Reached, ...] = ()
    flags: tuple[tuple[Rule, str], ...] = ()
    """(rule, why) of the health rules that flagged the current attempt."""
    ending: Ending | None = None
    why: str = ""
    """Why it is in this state; "" if the state is self-explanatory."""
    queued_n: int = 0
    """Journal number of its last RunQueued: the order of the queue."""
    losses: int = 0
    """How often it was lost since a user last asked for it."""
    evictions: int = 0
    """How often in a row a cluster ended its job before it made progress, since a user last asked for it."""
    furthest: float = 0.0
    """The furthest level at which that happened, in the plan's unit."""
    apart: bool = False
    """Whether it needs its own process, because a shared one has ended."""
    with_sweep: bool = False
    """Whether it was paused or stopped because the whole sweep was."""
    lr_to: float = 0.0
    lr_steps: int = 0
    """Above 0 the run is a range test, from the setting's LR to `lr_to`; it is never ranked."""
    pilot: bool = False
    """Whether its schedule spans only `until`: a short run that shows which LRs are worth a full one."""
    spent: float = 0.0
    """The cost of its ended attempts, in the plan's unit."""

    def length(self, horizon: float) -> float:
        """The length of its schedule, in the plan's unit: the horizon, except for a pilot."""
        return self.until if self.pilot else horizon

    @property
    def is_range_test(self) -> bool:
        """Whether it raises the LR step by step instead of training at one."""
        return self.lr_steps > 0

    @property
    def attempt(self) -> Attempt | None:
        """The latest attempt."""
        return self.attempts[-1] if self.attempts else None

    @property
    def attempt_key(self) -> tuple[str, int]:
        """The key of its latest attempt in memory."""
        return self.id, self.attempts[-1].number

    @property
    def finished(self) -> bool:
        """Whether it finished by itself."""
        return self.ending is not None and self.ending.kind == "finished"

    @property
    def failed(self) -> bool:
        """Whether it failed or was lost."""
        return self.ending is not None and self.ending.kind in ("failed", "lost")

    @property
    def folder(self) -> str:
        """Name of its directory: r03-lr3e-04."""
        return f"{self.id}-lr{lr_text(self.setting.lr)}"

    @property
    def alive(self) -> bool:
        """Whether it may have a process."""
        return self.state in ALIVE


def shown_state(run: Run) -> str:
    """Return what a run is doing, or how it ended."""
    return run.ending.kind if run.ending is not None else run.state.value


def group_of(setting: Setting) -> GroupKey:
    """Return the group of a setting: what it shares with settings that differ only in their LR and on the axes of [search]."""
    return GroupKey(setting.optimizer, setting.schedule, tuple(setting.values.items()))


def is_named(
    lr: float | None, group: GroupKey, axes: Mapping[str, float], setting: Setting
) -> bool:
    """Return whether a setting is the one at this LR of a group and this place on the axes."""
    return setting.lr == lr and setting.axes == axes and group_of(setting) == group


def setting_key(setting: Setting) -> tuple[float, str, str, str, str]:
    """Return what distinguishes settings, seeds aside; sorts by LR first."""
    return setting.lr, repr(sorted(setting.axes.items())), *group_of(setting).identity


def group_words(group: GroupKey) -> list[str]:
    """Return the parts of a group: ["sgd momentum=0.9", "cosine", "wd=0.1"]."""
    parts = [choice_of(group.optimizer).words, choice_of(group.schedule).words]
    parts += [f"{name}={_level(name, value)}" for name, value in group.values]
    return [part for part in parts if part]


def group_text(group: GroupKey) -> str:
    """Return a group as text: "sgd momentum=0.9, cosine, wd=0.1"; "" if it has no parts."""
    return ", ".join(group_words(group))


def differences(plan: Plan, setting: Setting) -> list[tuple[str, Scalar]]:
    """Return the factors of a study in which a setting differs from the base, each with its level; [] for the base itself."""
    found: list[tuple[str, Scalar]] = []
    for factor, base in plan.study:
        level = setting.optimizer if factor == "optimizer" else setting.values.get(factor, base)
        if level != base:
            found.append((factor, level))
    return found


def level_text(factor: str, level: Scalar) -> str:
    """Return a level of a study as text: 64, 0.3, mlp width=64, sgd momentum=0.9."""
    if factor in {"dataset", "model", "optimizer"}:
        return choice_of(str(level)).words
    return setting_value(level) if isinstance(level, float) else str(level)


def _level(name: str, value: Scalar) -> Scalar:
    return choice_of(value).words if name == "model" and isinstance(value, str) else value


@dataclass(frozen=True, slots=True)
class Sweep:
    """The present state: everything the journal says."""

    plan: Plan | None = None
    runs: Mapping[str, Run] = field(default_factory=lambda: MappingProxyType({}))
    parallel: int = 1
    lowered_at: float = -1.0
    """When `parallel` was last lowered."""
    brake: str | None = None
    """Why launching is paused; None if it is not."""
    stopping: bool = False
    """Whether the user ends the sweep."""
    data: ev.DataPrepared | None = None
    """The data set that the experiment names; the base of a study."""
    datasets: Mapping[str, ev.DataPrepared] = field(default_factory=lambda: MappingProxyType({}))
    """All prepared data sets, by name."""
    data_attempt: int = 0
    """The latest attempt at preparing one."""
    data_token: str = ""
    data_wanted: str = ""
    """The data set that this attempt prepares."""
    warnings: tuple[ev.Warned, ...] = ()
    """The latest 200."""
    commands: Mapping[str, ev.CommandDone | None] = field(
        default_factory=lambda: MappingProxyType({})
    )
    """The commands that have had an effect, by ID; None until they are answered."""
    ranges: Mapping[str, ev.RangeTested] = field(default_factory=lambda: MappingProxyType({}))
    """The results of the range tests, by run."""
    rungs: tuple[ev.RungClosed, ...] = ()
    """The decided rungs, in order."""
    budget_reached: ev.BudgetReached | None = None
    budget_lifted: bool = False
    """Whether the user continued after the budget was spent."""
    seconds: float = 0.0
    """Training time of all ended attempts."""
    verdict: ev.VerdictReached | None = None
    closed: ev.SweepClosed | None = None
    opened_at: float = 0.0
    """When the sweep was first opened."""
    reopened_at: float = 0.0
    """When it was last opened."""
    earlier_seconds: float = 0.0
    """How long it had been open before that."""
    host: str = ""
    inode: int = 0
    n: int = 0
    """Number of the last event."""
    alerted: int = 0
    """The last event for which alerts were sent."""
    at: float = 0.0
    """Time of the last event."""
    strange: int = 0
    """Events that did not fit and changed nothing."""
    _alive: tuple[Run, ...] | None = field(default=None, init=False, repr=False, compare=False)
    """Cache of `alive`: a supervisor with 1,000 waiting runs asks seven times a tick, and the answer seldom changes."""

    @property
    def spent(self) -> float:
        """The cost of all ended attempts, in the plan's unit."""
        return sum(run.spent for run in self.runs.values())

    @property
    def preparing(self) -> bool:
        """Whether the latest preparation of a data set has not ended."""
        return self.data_attempt > 0 and self.data_wanted not in self.datasets

    def data_of(self, setting: Setting) -> ev.DataPrepared | None:
        """Return the data that a setting trains on: a study may vary it."""
        return self.datasets.get(str(setting.values.get("dataset", "")), self.data)

    def active_seconds(self, now: float) -> float:
        """Return how long the sweep has been open, without the time between an end and a reopening."""
        if self.closed is not None:
            return self.earlier_seconds
        return self.earlier_seconds + max(0.0, now - self.reopened_at)

    def rung(self, group: GroupKey, level: float) -> ev.RungClosed | None:
        """Return the decision for a group at a length, if there is one."""
        return next((r for r in self.rungs if r.group == group and r.level == level), None)

    def trained(self) -> list[Run]:
        """Return all runs except range tests."""
        return [run for run in self.runs.values() if not run.is_range_test]

    def alive(self) -> tuple[Run, ...]:
        """Return the runs that may have a process."""
        if self._alive is None:
            found = tuple(run for run in self.runs.values() if run.state in ALIVE)
            object.__setattr__(self, "_alive", found)
            return found
        return self._alive

    def failed(self) -> list[Run]:
        """Return the runs that failed or were lost, range tests included."""
        return [run for run in self.runs.values() if run.failed]

    def queued(self) -> list[Run]:
        """Return the queue, next first."""
        waiting = [run for run in self.runs.values() if run.state is State.QUEUED]
        return sorted(waiting, key=lambda run: run.queued_n)


class _Growing(dict[str, Run]):
    """The runs within one fold, changed in place: a copy for each event took 0.2 s of the 0.3 s for 1,000 runs."""


def fold(events: Iterable[AnyEvent], sweep: Sweep | None = None) -> Sweep:
    """Return the present after `events`; `sweep` stays as it is."""
    before = sweep or Sweep()
    runs = _Growing(before.runs)
    after = functools.reduce(apply, events, replace(before, runs=runs))
    return replace(after, runs=MappingProxyType(runs))


def apply(sweep: Sweep, event: AnyEvent) -> Sweep:
    """Return the sweep after one event."""
    step = _APPLY.get(type(event))
    after = step(sweep, event) if step else sweep
    if after is None:
        after = replace(sweep, strange=sweep.strange + 1)
    if event.by is not None and event.by not in after.commands:
        after = replace(after, commands=MappingProxyType({**after.commands, event.by: None}))
    return replace(after, n=event.n, at=event.at)


def _opened(sweep: Sweep, e: ev.SweepOpened) -> Sweep:
    first = sweep.plan is None
    return replace(
        sweep,
        plan=e.plan,
        host=e.host,
        inode=e.inode,
        closed=None,
        parallel=e.plan.parallel if first else sweep.parallel,
        opened_at=e.at if first else sweep.opened_at,
        reopened_at=e.at if first or sweep.closed is not None else sweep.reopened_at,
    )


def _data_preparing(sweep: Sweep, e: ev.DataPreparing) -> Sweep:
    wanted = e.dataset or (sweep.plan.dataset if sweep.plan else "")
    return replace(sweep, data_attempt=e.attempt, data_token=e.token, data_wanted=wanted)


def _data_prepared(sweep: Sweep, e: ev.DataPrepared) -> Sweep:
    base = sweep.data is None or sweep.data.dataset == e.dataset
    datasets = MappingProxyType({**sweep.datasets, e.dataset: e})
    return replace(sweep, data=e if base else sweep.data, datasets=datasets)


def is_lr(lr: float) -> bool:
    """Return whether a number can be a learning rate: one beyond 1e±30 comes from a damaged or foreign journal, or a typing error."""
    return 1 / MOST_LR <= lr <= MOST_LR


def _queued(sweep: Sweep, e: ev.RunQueued) -> Sweep | None:
    if not is_lr(e.setting.lr) or not _RUN_NAME.fullmatch(e.run):
        return None
    old = sweep.runs.get(e.run)
    if old is None:
        run = Run(
            id=e.run,
            setting=e.setting,
            seed=e.seed,
            origin=e.origin,
            state=State.QUEUED,
            until=e.until,
            parent=e.parent,
            resume=e.resume,
            why=e.why,
            queued_n=e.n,
            lr_to=e.lr_to,
            lr_steps=e.lr_steps,
            pilot=e.pilot,
        )
        return _with(sweep, run)
    if old.alive:
        return None
    again = replace(
        old,
        state=State.QUEUED,
        until=e.until,
        resume=e.resume,
        pilot=e.pilot,
        origin=e.origin,
        ending=None,
        flags=(),
        why=e.why,
        queued_n=e.n,
        with_sweep=False,
        losses=old.losses if old.state is State.LOST else 0,
        evictions=old.evictions if old.state is State.LOST else 0,
    )
    return _with(sweep, again)


def _launched(sweep: Sweep, e: ev.RunLaunched) -> Sweep | None:
    run = sweep.runs.get(e.run)
    if run is None or run.state is not State.QUEUED or e.attempt <= len(run.attempts):
        return None
    attempt = Attempt(
        number=e.attempt,
        token=e.token,
        until=e.until,
        devices=e.devices,
        resumed_from=e.resumed_from,
        shared=e.shared,
        launched_at=e.at,
    )
    return _with(
        sweep,
        replace(run, state=State.STARTING, why="", attempts=(*run.attempts, attempt)),
    )


def _started(sweep: Sweep, e: ev.RunStarted) -> Sweep | None:
    run = _current(sweep, e.run, e.attempt)
    if run is None or not run.alive or run.attempts[-1].pid is not None:
        return None
    if run.state is State.STARTING:
        run = replace(run, state=State.RUNNING, why="")
    return _with(sweep, _attempt(run, pid=e.pid, started_at=e.at))


def _held(sweep: Sweep, e: ev.RunHeld) -> Sweep | None:
    run = _current(sweep, e.run, e.attempt)
    if run is None or run.state is not State.STARTING:
        return None
    return _with(sweep, replace(run, why=e.why))


def _adopted(sweep: Sweep, e: ev.RunAdopted) -> Sweep | None:
    run = _current(sweep, e.run, e.attempt)
    if run is None:
        return None
    state = State.RUNNING if run.state in (State.STARTING, State.LOST) else run.state
    started = run.attempts[-1].started_at or e.at
    return _with(sweep, _attempt(replace(run, state=state), pid=e.pid, started_at=started))


def _reached(sweep: Sweep, e: ev.RunReached) -> Sweep | None:
    run = sweep.runs.get(e.run)
    if run is None:
        return None
    value = _countable(e.value)
    curve = tuple(
        sorted(p for p in e.curve if 0 <= p[0] <= e.level and _countable(p[1]) is not None)
    )
    if value is not None and not curve:
        curve = ((e.level, value),)
    packed = b"".join(_POINT.pack(*point) for point in curve)
    reached = Reached(
        e.attempt, e.level, value, _countable(e.val_loss), packed, e.averaged, _countable(e.loss)
    )
    kept = tuple(r for r in run.reached if (r.attempt, r.level) != (e.attempt, e.level))
    return _with(sweep, replace(run, reached=(*kept, reached)))


def _countable(value: float | None) -> float | None:
    """Return a measured value; None if it cannot be computed with."""
    return value if value is not None and abs(value) <= MOST_VALUE else None


def _moved(state: State, *, of: frozenset[State]) -> functools.partial[Sweep | None]:
    """Return the step for an event that only changes the state of a living attempt."""
    return functools.partial(_move, state, of)


def _move(
    state: State,
    of: frozenset[State],
    sweep: Sweep,
    e: ev.RunFrozen | ev.RunThawed,
) -> Sweep | None:
    run = _current(sweep, e.run, e.attempt)
    if run is None or run.state not in of:
        return None
    return _with(sweep, replace(run, state=state))


def _pausing(sweep: Sweep, e: ev.RunPausing) -> Sweep | None:
    run = _current(sweep, e.run, e.attempt)
    if run is None or run.state not in _LIVE:
        return None
    return _with(sweep, replace(run, state=State.PAUSING, why=e.why, with_sweep=e.with_sweep))


def _paused(sweep: Sweep, e: ev.RunPaused) -> Sweep | None:
    run = _current(sweep, e.run, e.attempt)
    if run is None or run.state is not State.PAUSING:
        return None
    return _with(sweep, _attempt(replace(run, state=State.PAUSED), ended_at=e.at))


def _waiting(sweep: Sweep, e: ev.RunWaiting) -> Sweep | None:
    run = sweep.runs.get(e.run)
    if run is None or not run.alive:
        return None
    return _with(sweep, _attempt(replace(run, state=State.WAITING, why=""), ended_at=e.at))


def _promoted(sweep: Sweep, e: ev.RunPromoted) -> Sweep | None:
    run = sweep.runs.get(e.run)
    if run is None or run.state is not State.WAITING:
        return None
    return _with(sweep, replace(run, state=State.QUEUED, until=e.until, resume=True, queued_n=e.n))


def _stopping(sweep: Sweep, e: ev.RunStopping) -> Sweep | None:
    run = _current(sweep, e.run, e.attempt)
    if run is None:
        return None
    run = replace(run, state=State.STOPPING, why=e.why, with_sweep=e.with_sweep)
    return _with(sweep, _attempt(run, stop_kind=e.kind, stop_why=e.why, stop_rule=e.rule))


def _ended(sweep: Sweep, e: ev.RunEnded) -> Sweep | None:
    run = sweep.runs.get(e.run)
    if run is None or run.state is State.ENDED or e.attempt != len(run.attempts):
        return None
    ending = Ending(e.kind, e.code, e.signal, e.at, e.why, e.rule, e.early)
    run = replace(run, state=State.ENDED, ending=ending, why=e.why)
    return _with(sweep, _attempt(run, ended_at=e.at) if run.attempts else run)


def _lost(sweep: Sweep, e: ev.RunLost) -> Sweep | None:
    run = _current(sweep, e.run, e.attempt)
    if run is None:
        return None
    losses = run.losses + (e.rule is None)
    apart = run.apart or e.rule == "apart"
    run = replace(
        run,
        state=State.LOST,
        why=e.why,
        losses=losses,
        evictions=evictions_after(run, e),
        furthest=max(run.furthest, e.level or 0.0),
        apart=apart,
    )
    return _with(sweep, _attempt(run, ended_at=e.at))


def evictions_after(run: Run, lost: ev.RunLost) -> int:
    """Return how often in a row a cluster has ended a run's jobs without progress, with this loss."""
    if lost.rule != "evicted":
        return run.evictions
    further = lost.level is None or lost.level > run.furthest * (1 + 1e-9)
    return 0 if further else run.evictions + 1


def _flagged(sweep: Sweep, e: ev.RunFlagged) -> Sweep | None:
    run = _current(sweep, e.run, e.attempt)
    if run is None:
        return None
    return _with(sweep, replace(run, flags=(*run.flags, (e.rule, e.why))))


def _charged(sweep: Sweep, e: ev.RunCharged) -> Sweep | None:
    run = sweep.runs.get(e.run)
    if run is None or not (0 <= e.spent <= MOST_VALUE and 0 <= e.seconds <= MOST_VALUE):
        return None
    after = _with(sweep, replace(run, spent=run.spent + e.spent))
    return replace(after, seconds=after.seconds + e.seconds)


def _range_tested(sweep: Sweep, e: ev.RangeTested) -> Sweep | None:
    if e.run not in sweep.runs:
        return None
    return replace(sweep, ranges=MappingProxyType({**sweep.ranges, e.run: e}))


def _rung_closed(sweep: Sweep, e: ev.RungClosed) -> Sweep | None:
    if sweep.rung(e.group, e.level) is not None:
        return None
    return replace(sweep, rungs=(*sweep.rungs, e))


def _budget_reached(sweep: Sweep, e: ev.BudgetReached) -> Sweep:
    return replace(sweep, budget_reached=e)


def _warned(sweep: Sweep, e: ev.Warned) -> Sweep:
    return replace(sweep, warnings=(*sweep.warnings[-199:], e))


def _done(sweep: Sweep, e: ev.CommandDone) -> Sweep:
    if e.by is None:
        return sweep
    return replace(sweep, commands=MappingProxyType({**sweep.commands, e.by: e}))


def _closed(sweep: Sweep, e: ev.SweepClosed) -> Sweep:
    return replace(sweep, closed=e, earlier_seconds=sweep.active_seconds(e.at))


def _verdict(sweep: Sweep, e: ev.VerdictReached) -> Sweep:
    return replace(sweep, verdict=e)


def _parallel(sweep: Sweep, e: ev.ParallelSet) -> Sweep:
    parallel = max(1, e.parallel)
    lowered_at = e.at if parallel < sweep.parallel else sweep.lowered_at
    return replace(sweep, parallel=parallel, lowered_at=lowered_at)


def _brake(sweep: Sweep, e: ev.BrakeSet) -> Sweep:
    lifted = sweep.budget_lifted or (not e.on and sweep.budget_reached is not None)
    return replace(
        sweep,
        brake=e.why if e.on else None,
        stopping=e.on and e.stop,
        budget_reached=sweep.budget_reached if e.on else None,
        budget_lifted=lifted,
    )


def _with(sweep: Sweep, run: Run) -> Sweep:
    if isinstance(sweep.runs, _Growing):
        sweep.runs[run.id] = run
        return sweep
    return replace(sweep, runs=MappingProxyType({**sweep.runs, run.id: run}))


def _current(sweep: Sweep, run_id: str, attempt: int) -> Run | None:
    """Return the run if `attempt` is its latest and may still have a process (or was lost)."""
    run = sweep.runs.get(run_id)
    if run is None or not run.attempts or run.attempts[-1].number != attempt:
        return None
    return run if run.alive or run.state is State.LOST else None


def _attempt(run: Run, **changes: object) -> Run:
    latest = replace(run.attempts[-1], **changes)  # type: ignore[arg-type]
    return replace(run, attempts=(*run.attempts[:-1], latest))


_LIVE = frozenset({State.STARTING, State.RUNNING, State.FROZEN})

_APPLY: dict[type[Event], Callable[..., Sweep | None]] = {
    ev.SweepOpened: _opened,
    ev.DataPreparing: _data_preparing,
    ev.DataPrepared: _data_prepared,
    ev.RunQueued: _queued,
    ev.RunLaunched: _launched,
    ev.RunStarted: _started,
    ev.RunHeld: _held,
    ev.RunAdopted: _adopted,
    ev.RunReached: _reached,
    ev.RunWaiting: _waiting,
    ev.RunPromoted: _promoted,
    ev.RunPausing: _pausing,
    ev.RunPaused: _paused,
    ev.RunFrozen: _moved(State.FROZEN, of=_LIVE),
    ev.RunThawed: _moved(State.RUNNING, of=frozenset({State.FROZEN})),
    ev.RunStopping: _stopping,
    ev.RunEnded: _ended,
    ev.RunLost: _lost,
    ev.RunFlagged: _flagged,
    ev.RunCharged: _charged,
    ev.RangeTested: _range_tested,
    ev.RungClosed: _rung_closed,
    ev.BudgetReached: _budget_reached,
    ev.Warned: _warned,
    ev.CommandDone: _done,
    ev.SweepClosed: _closed,
    ev.VerdictReached: _verdict,
    ev.ParallelSet: _parallel,
    ev.Alerted: lambda sweep, e: replace(sweep, alerted=max(sweep.alerted, e.of)),
    ev.BrakeSet: _brake,
}
