"""The vocabulary: what happened (events, in the journal) and what is asked for (commands, in the inbox).

Events are named noun + past participle, commands are imperative. Each is one line of strict JSON with its name in it, so that `tail
-f journal.jsonl` reads as a log. There is one event for every change of state and one for every input of a decision: a replay never
recomputes what the journal decided.

msgspec checks every field on the way in: a journal or an inbox file may be foreign.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import Literal

import msgspec

VERSION = 2
"""Version of journal lines. Lines of version 1 are read through `format1`."""
COMMAND_VERSION = 1
"""Version of commands: their content has not changed since journals of version 1, so old and new versions understand each other's."""

Scalar = bool | int | float | str
EndingKind = Literal["finished", "pruned", "killed", "failed", "diverged", "lost"]
Origin = Literal["strategy", "user"]
Unit = Literal["epoch", "step", "tokens"]
Rule = Literal[
    "nan",
    "not finite",
    "diverged",
    "collapsed",
    "chance",
    "slow",
    "stalled",
    "resume",
    "output",
    "beaten",
]
"""The health rules (`analysis.health`), the flags for a resumed run and for unread output, and a rung's cut."""
WarningKind = Literal["gpu memory"]
Forgiven = Literal["crowded", "apart", "evicted"]
"""Out of memory beside other runs; or the process that it shared with other runs ended, so it continues in its own; or a cluster ended its job."""


class Setting(msgspec.Struct, frozen=True, omit_defaults=True):
    """One configuration that is tried; with a seed it makes a run."""

    lr: float
    optimizer: str = ""
    """As the trainer gets it: a name, or compact JSON such as {"sgd":{"momentum":0.9}}; "" for own scripts without one."""
    schedule: str = ""
    """As the trainer gets it; "" for own scripts without one."""
    values: dict[str, Scalar] = {}
    """The user's own placeholders, from [values]."""
    axes: dict[str, float] = {}
    """The axes searched beside the LR, from [search], each with its value. Settings that differ only in these are in one group."""

    @property
    def named(self) -> dict[str, Scalar]:
        """The named values of a setting: [values] and the axes."""
        return {**self.values, **self.axes}


@dataclass(frozen=True, slots=True, eq=False)
class GroupKey:
    """What settings share that differ only in their LR and on the axes of [search]; `state.group_text` gives its text."""

    optimizer: str = ""
    schedule: str = ""
    values: tuple[tuple[str, Scalar], ...] = ()

    @property
    def identity(self) -> tuple[str, str, str]:
        """What distinguishes groups, whatever the order of the values; true and 1 are two values, unlike in Python."""
        return self.optimizer, self.schedule, repr(sorted(self.values))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, GroupKey) and self.identity == other.identity

    def __hash__(self) -> int:
        return hash(self.identity)


AxisScale = Literal["log", "linear", "complement"]
"""How values are spaced on an axis; "complement": evenly on log(1 - x), as for momentum."""


class Axis(msgspec.Struct, frozen=True):
    """A setting that is searched beside the LR: a key of [search]."""

    name: str
    low: float
    high: float
    scale: AxisScale = "log"


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """The resolved experiment, as far as the fold and the front ends need it."""

    name: str
    source: str
    """The experiment file as the user named it."""
    metric: str
    goal: Literal["max", "min"]
    loss: str
    """The metric that the health rules read."""
    unit: Unit
    horizon: float
    """The full length R of a run, in `unit`s."""
    value: str = "last"
    """What counts as a run's value: "auto", "last", "best" or "mean N"."""
    within: float | None = None
    """What the user regards as equal, in the metric's unit."""
    keep: str = "all"
    grace: float | None = None
    health: dict[str, Scalar] = {}
    parse: str | tuple[str, ...] | None = None
    """Regular expressions or presets for scripts that print text."""
    position: str = ""
    """The scripts' name for the horizon's unit; "" for the usual names."""
    first: int | None = None
    """The number of the scripts' first epoch or step; None: detected."""
    strategy: str = ""
    """How the LRs were chosen, as text."""
    builtin: bool = True
    """Whether the built-in trainer runs; else the user's command."""
    dataset: str = ""
    model: str = ""
    seeds: int = 1
    gpus: int = 0
    """GPUs per run; 0 if runs train on the CPU."""
    devices: tuple[int, ...] = ()
    """The GPUs in use; empty on the CPU."""
    parallel: int = 1
    """How many runs at once at the start."""
    threads: int = 1
    """CPU threads per run."""
    rungs: tuple[tuple[str, tuple[float, ...]], ...] = ()
    """Per schedule (as in Setting) the lengths at which its settings are compared, the last one the horizon; () if all are kept."""
    planned: float = 0.0
    """The expected cost of the sweep, in `unit`s, without ties and widening."""
    budget: float | None = None
    """The budget of the sweep, in `unit`s."""
    budget_seconds: float | None = None
    """The budget of the sweep as a time."""
    study: tuple[tuple[str, Scalar], ...] = ()
    """The factors of [study] in their order, each with its level in the base: the settings that the file itself names."""
    predict: tuple[tuple[str, float], ...] = ()
    """The factors of [study] with a level to predict that is not part of the study, each with that level."""
    axes: tuple[Axis, ...] = ()
    """What is searched beside the LR."""
    checkpoints: bool = True
    """Whether an attempt can continue from a checkpoint of an earlier one."""
    stops_at_until: bool = True
    """Whether the command knows {until}; else the supervisor stops it at that length."""
    launcher: str = "local"
    """Which engine runs the attempts: "slurm" runs them on other machines."""
    notes: tuple[str, ...] = ()
    """Notes for the author of the file, such as an LR that was given twice."""


class Event(
    msgspec.Struct, frozen=True, kw_only=True, tag=True, tag_field="event", omit_defaults=True
):
    """A line of the journal. The supervisor's journal fills in n and at."""

    v: int = 0
    n: int = 0
    """Position in the journal, from 1."""
    at: float = 0.0
    """Wall-clock time, seconds since 1970; shown, never used for ordering."""
    by: str | None = None
    """ID of the command that caused it."""


class SweepOpened(Event, frozen=True, kw_only=True):
    """A supervisor began a sweep, or reopened a closed one."""

    plan: Plan
    host: str = ""
    inode: int = 0
    """The directory's inode: a copy has another one."""
    version: str = ""
    pid: int = 0


class DataPreparing(Event, frozen=True, kw_only=True):
    """The preparation of the data is about to be started, as an attempt of "data"."""

    attempt: int
    token: str
    dataset: str = ""
    """Which one; "" in older journals: the plan's."""


class DataPrepared(Event, frozen=True, kw_only=True):
    path: str = ""
    dataset: str = ""
    classes: int = 0
    train: int = 0
    val: int = 0
    test: int = 0
    checksum: str = ""
    synthetic: bool = False
    precision: str = ""
    """What `precision = "auto"` chose in this sweep, for the base's data set; "" if the experiment sets it."""


class RunQueued(Event, frozen=True, kw_only=True):
    """A run was queued: a new one, or one that is started again."""

    run: str
    setting: Setting
    seed: int
    until: float
    """Where the next attempt stops, in the plan's unit."""
    origin: Origin = "strategy"
    parent: str | None = None
    """The run whose setting was edited."""
    resume: bool = False
    """Whether the next attempt continues from the last one's checkpoint."""
    why: str = ""
    lr_to: float = 0.0
    """A range test raises the LR from the setting's to this one; 0 for every other run."""
    lr_steps: int = 0
    """The number of optimizer steps of a range test."""
    pilot: bool = False
    """Whether its whole schedule spans `until` (a pilot); every other run's schedule spans the horizon."""


class RunLaunched(Event, frozen=True, kw_only=True):
    """A run was launched. Written before the fork: from here on there may be a process."""

    run: str
    attempt: int
    token: str
    until: float
    devices: tuple[int, ...] = ()
    resumed_from: int | None = None
    """The attempt whose checkpoint was handed on."""
    shared: bool = False
    """Whether it may train beside others in one process."""


class RunStarted(Event, frozen=True, kw_only=True):
    run: str
    attempt: int
    pid: int


class RunHeld(Event, frozen=True, kw_only=True):
    """A launched attempt waits in a cluster's queue."""

    run: str
    attempt: int
    why: str


class RunReached(Event, frozen=True, kw_only=True):
    """The value that a decision uses: the evaluation at `level`, and the earlier ones."""

    run: str
    attempt: int
    level: float
    value: float | None
    """None if the metric was missing or not finite."""
    val_loss: float | None = None
    curve: tuple[tuple[float, float], ...] = ()
    """(level, value) at some evaluations, ascending, the last one at `level`."""
    averaged: int = 1
    """The number of evaluations that each value is the mean of."""
    loss: float | None = None
    """The training loss at `level`, if the metric was still missing."""


class RunWaiting(Event, frozen=True, kw_only=True):
    run: str


class RunPromoted(Event, frozen=True, kw_only=True):
    run: str
    until: float


class RunPausing(Event, frozen=True, kw_only=True):
    run: str
    attempt: int
    why: str = ""
    with_sweep: bool = False
    """Whether the whole sweep is being stopped; continuing the sweep then continues the run."""


class RunPaused(Event, frozen=True, kw_only=True):
    run: str
    attempt: int


class RunFrozen(Event, frozen=True, kw_only=True):
    run: str
    attempt: int


class RunThawed(Event, frozen=True, kw_only=True):
    run: str
    attempt: int


class RunStopping(Event, frozen=True, kw_only=True):
    """An attempt is being stopped and will end as `kind`. Written before the signal."""

    run: str
    attempt: int
    kind: EndingKind
    why: str
    rule: Rule | None = None
    """The rule that stops it; None if something else does."""
    with_sweep: bool = False


class RunEnded(Event, frozen=True, kw_only=True):
    run: str
    attempt: int
    """0 if the run never had a process."""
    kind: EndingKind
    why: str = ""
    """For people; no decision reads it."""
    rule: Rule | None = None
    """The rule that ended it; None if something else did."""
    early: bool = False
    """Whether a finished run's script ended by itself before its planned length."""
    code: int | None = None
    signal: int | None = None


class RunLost(Event, frozen=True, kw_only=True):
    run: str
    attempt: int
    why: str
    rule: Forgiven | None = None
    """Why the loss is forgiven; None if it counts."""
    level: float | None = None
    """The furthest level that the attempt reached, in the plan's unit; None in older journals."""


class RunAdopted(Event, frozen=True, kw_only=True):
    run: str
    attempt: int
    pid: int


class RunFlagged(Event, frozen=True, kw_only=True):
    """A health rule flagged a run without stopping it."""

    run: str
    attempt: int
    rule: Rule
    why: str


class RunCharged(Event, frozen=True, kw_only=True):
    """The cost of an ended attempt, including work that was done twice."""

    run: str
    attempt: int
    spent: float
    """In the plan's unit."""
    seconds: float = 0.0


class RangeTested(Event, frozen=True, kw_only=True):
    """What the curve of a range test suggests; its points are the run's metric lines."""

    run: str
    valley: float | None = None
    steep: float | None = None
    minimum: float | None = None
    slide: float | None = None
    diverged: float | None = None
    """The LR at which the loss had clearly turned; None if it never did."""
    points: int = 0
    why: str = ""
    """Why it suggests nothing."""


class RungClosed(Event, frozen=True, kw_only=True):
    """All settings of a group were compared at one length; the consequence for each is journalled after it."""

    group: GroupKey
    level: float
    kept: tuple[str, ...]
    """Runs that continue, best first."""
    pruned: tuple[str, ...] = ()
    cut: float | None = None
    """The worst value that was kept."""
    why: str = ""
    metric: str = ""
    """What was compared; "" for the plan's metric."""


class BudgetReached(Event, frozen=True, kw_only=True):
    spent: float
    """In the plan's unit."""
    why: str


class VerdictReached(Event, frozen=True, kw_only=True):
    """The answer when the sweep ended."""

    lr: float | None
    group: GroupKey = GroupKey()
    axes: dict[str, float] = {}
    """The recommended place on each axis of [search]."""
    low: float | None = None
    high: float | None = None
    """The 90 % interval."""
    equal: tuple[float, float] | None = None
    """The LRs that are equally good, within the plan's `within`."""
    provisional: bool = False
    why: tuple[str, ...] = ()
    passed_over: tuple[tuple[float, str], ...] = ()
    """LRs that may have measured better, each with why it is not recommended."""


class ParallelSet(Event, frozen=True, kw_only=True):
    parallel: int
    why: str = ""
    """"" if a person decided it."""


class Warned(Event, frozen=True, kw_only=True):
    text: str
    run: str | None = None
    kind: WarningKind | None = None
    """Set if a decision depends on whether this warning was given before."""
    gpu: int | None = None
    """The GPU that it is about."""


class Alerted(Event, frozen=True, kw_only=True):
    """Alerts for everything up to a position in the journal have been sent, or are about to be."""

    of: int


class BrakeSet(Event, frozen=True, kw_only=True):
    """Launching was paused (`on`) or resumed by the circuit breaker."""

    on: bool
    why: str = ""
    stop: bool = False
    """Whether the user ends the sweep: it is closed once no process is alive."""


class CommandDone(Event, frozen=True, kw_only=True):
    """The answer to a command, journalled before it is sent; a command ID is never carried out twice."""

    command: str
    ok: bool
    answer: str
    hint: str = ""


class SweepClosed(Event, frozen=True, kw_only=True):
    code: int
    why: str


AnyEvent = (
    SweepOpened
    | DataPreparing
    | DataPrepared
    | RunQueued
    | RunLaunched
    | RunStarted
    | RunHeld
    | RunReached
    | RunWaiting
    | RunPromoted
    | RunPausing
    | RunPaused
    | RunFrozen
    | RunThawed
    | RunStopping
    | RunEnded
    | RunLost
    | RunAdopted
    | RunFlagged
    | RunCharged
    | RangeTested
    | RungClosed
    | BudgetReached
    | VerdictReached
    | ParallelSet
    | Warned
    | Alerted
    | BrakeSet
    | CommandDone
    | SweepClosed
)


class Command(
    msgspec.Struct, frozen=True, kw_only=True, tag=True, tag_field="command", omit_defaults=True
):
    """A request in the inbox; its file's name is its ID."""

    v: int = COMMAND_VERSION
    sent: float = 0.0
    """Wall-clock time of sending, seconds since 1970."""
    expires: float = 60.0
    """Seconds after `sent` at which the supervisor refuses it instead of carrying it out."""


class AddRun(Command, frozen=True, kw_only=True):
    lr: float
    parent: str | None = None
    """The run whose other settings the new run gets; default: the first run."""
    seed: int | None = None
    optimizer: str | None = None
    schedule: str | None = None


class KillRun(Command, frozen=True, kw_only=True):
    run: str
    attempt: int | None = None
    """The attempt that is meant (`allowed.current_attempt`): a kill never hits a restarted run. None means any."""


class RestartRun(Command, frozen=True, kw_only=True):
    run: str
    attempt: int | None = None
    checkpoint: bool = False
    """Go on from the last checkpoint instead of from scratch."""


class PauseRun(Command, frozen=True, kw_only=True):
    run: str
    attempt: int | None = None


class ResumeRun(Command, frozen=True, kw_only=True):
    run: str
    attempt: int | None = None


class FreezeRun(Command, frozen=True, kw_only=True):
    run: str
    attempt: int | None = None


class SetParallel(Command, frozen=True, kw_only=True):
    parallel: int


class StopSweep(Command, frozen=True, kw_only=True):
    why: str = "stopped by you"


class ReopenSweep(Command, frozen=True, kw_only=True):
    """Continue after a stop: queue unfinished runs again, and resume launching."""


AnyCommand = (
    AddRun
    | KillRun
    | RestartRun
    | PauseRun
    | ResumeRun
    | FreezeRun
    | SetParallel
    | StopSweep
    | ReopenSweep
)


class Answer(msgspec.Struct, frozen=True, omit_defaults=True):
    """The content of `done/ID.json`: whether the command was carried out, or why it was refused."""

    ok: bool
    answer: str
    hint: str = ""


class VersionError(ValueError):
    """A journal line of another version."""


_encoder = msgspec.json.Encoder()


@functools.cache
def _decoder_of_events() -> msgspec.json.Decoder[AnyEvent]:
    """Return what reads journal lines; the monitor paints before it needs it, and making it costs 3 ms."""
    return msgspec.json.Decoder(AnyEvent)


def encode(message: Event | Command | Answer) -> bytes:
    """Return one line of JSON, without the newline."""
    return _encoder.encode(message)


def decode_event(line: bytes) -> AnyEvent:
    """Return the event on a journal line.

    Raises:
        ValueError: the line is not an event of this version (also for msgspec's errors and a RecursionError).

    """
    try:
        event: AnyEvent = _decoder_of_events().decode(line)
    except RecursionError as error:
        raise ValueError("nested too deeply") from error
    except msgspec.MsgspecError as error:
        raise ValueError(str(error)) from error
    if event.v != VERSION:
        raise VersionError(f"journal version {event.v}; this lrtui reads version {VERSION}")
    return event


def decode_command(text: bytes) -> AnyCommand:
    """Return the command in an inbox file.

    Raises:
        ValueError: it is malformed, or of another version.

    """
    try:
        command: AnyCommand = msgspec.json.decode(text, type=AnyCommand)
    except RecursionError as error:
        raise ValueError("nested too deeply") from error
    except msgspec.MsgspecError as error:
        raise ValueError(str(error)) from error
    if command.v != COMMAND_VERSION:
        raise ValueError(f"command version {command.v}; this lrtui reads version {COMMAND_VERSION}")
    return command
