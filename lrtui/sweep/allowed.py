"""Which command is allowed in which state, for the supervisor and every front end.

`refusal` is pure: it needs the command and the sweep. The supervisor asks it before it carries a command out
(`supervisor.commands`), the front ends ask it before they send one (`frontend.requests`), so both give the same answer for the
same sweep.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import assert_never

from msgspec import Struct

from lrtui.sweep import events as ev
from lrtui.sweep.choice import choice_of
from lrtui.sweep.events import AnyCommand
from lrtui.sweep.state import MOST_LR, MOST_SEED, Run, State, Sweep, is_lr
from lrtui.text.format import lr_rounded, run_name

MOST_PARALLEL = 1024

RunCommand = ev.KillRun | ev.RestartRun | ev.PauseRun | ev.ResumeRun | ev.FreezeRun
Namer = Callable[[Run], str]
"""A function that returns the name by which a front end shows a run."""

ALLOWED_STATES: dict[type[RunCommand], frozenset[State]] = {
    ev.KillRun: frozenset(State) - {State.STOPPING, State.ENDED},
    ev.RestartRun: frozenset({State.WAITING, State.PAUSED, State.LOST, State.ENDED}),
    ev.PauseRun: frozenset({State.STARTING, State.RUNNING, State.FROZEN}),
    ev.ResumeRun: frozenset({State.PAUSED, State.FROZEN}),
    ev.FreezeRun: frozenset({State.RUNNING}),
}
"""The run states in which each command is allowed."""


class Refusal(Struct, frozen=True):
    """Why a command cannot be carried out."""

    what: str
    hint: str = ""
    """What to do instead."""

    def __str__(self) -> str:
        return f"{self.what}; {self.hint}" if self.hint else self.what


def id_and_lr(run: Run) -> str:
    """Return the name of a run where no letters are shown: "r03 3e-04"."""
    return run_name(run.id, run.setting.lr)


def current_attempt(run: Run) -> int:
    """Return the attempt that a command to this run means: the next one if the run is queued, else the latest.

    A restarted run has the next number at once, before its process starts.
    """
    return len(run.attempts) + (run.state is State.QUEUED)


def refusal(command: AnyCommand, sweep: Sweep, named: Namer = id_and_lr) -> Refusal | None:
    """Return why a command cannot be carried out now; None if it can."""
    if sweep.stopping and isinstance(command, ev.AddRun | ev.RestartRun | ev.ResumeRun):
        return Refusal("the sweep was stopped", "continue it first: lrtui DIR --resume")
    match command:
        case ev.KillRun() | ev.RestartRun() | ev.PauseRun() | ev.ResumeRun() | ev.FreezeRun():
            return _of_run(command, sweep, named)
        case ev.AddRun():
            return _of_addition(command, sweep, named)
        case ev.SetParallel():
            if not 1 <= command.parallel <= MOST_PARALLEL:
                return Refusal(f"the number of runs at once must be from 1 to {MOST_PARALLEL}")
            return None
        case ev.StopSweep():
            if sweep.closed is not None:
                return Refusal(f"the sweep has ended already: {sweep.closed.why}")
            return None
        case ev.ReopenSweep():
            return _of_reopening(sweep)
        case _:
            assert_never(command)


def stopped_with_sweep(sweep: Sweep) -> list[Run]:
    """Return the runs that were paused or stopped because the whole sweep was, and resume with it.

    A run that reached its rung or its end before it could be stopped is not among them.
    """
    return [
        run
        for run in sweep.runs.values()
        if run.with_sweep
        and (run.state is State.PAUSED or (run.ending is not None and run.ending.kind == "killed"))
    ]


def setting_to_add(command: ev.AddRun, sweep: Sweep) -> tuple[ev.Setting, int] | None:
    """Return the setting and the seed of the run that a command adds; None if there is no run to take them from."""
    if command.parent is not None:
        parent = sweep.runs.get(command.parent)
    else:
        parent = next(iter(sweep.trained()), None)
    if parent is None:
        return None
    setting = ev.Setting(
        lr=command.lr,
        optimizer=choice_of(command.optimizer or parent.setting.optimizer).text,
        schedule=choice_of(command.schedule or parent.setting.schedule).text,
        values=parent.setting.values,
        axes=parent.setting.axes,
    )
    return setting, parent.seed if command.seed is None else command.seed


def state_text(run: Run) -> str:
    """Return the state of a run, with the reason if it has ended: "failed: exit code 1", "killed by you"."""
    if run.ending is None:
        return str(run.state)
    kind, why = run.ending.kind, run.ending.why
    return why if why.startswith(kind) else f"{kind}: {why}" if why else kind


def _of_run(command: RunCommand, sweep: Sweep, named: Namer) -> Refusal | None:
    run = sweep.runs.get(command.run)
    if run is None:
        return _unknown(command.run, sweep)
    if command.attempt is not None and command.attempt != current_attempt(run):
        return Refusal(
            f"{named(run)} has moved on to attempt {current_attempt(run)}; the command means attempt {command.attempt}",
            "check its state, then repeat the command",
        )
    if run.state not in ALLOWED_STATES[type(command)]:
        return _of_state(command, run, named(run))
    keeps_checkpoints = sweep.plan is not None and sweep.plan.checkpoints
    if isinstance(command, ev.PauseRun) and run.is_range_test:
        return Refusal(
            "a range test keeps no checkpoint", f"let it end, or kill it: lrtui kill DIR {run.id}"
        )
    if isinstance(command, ev.PauseRun) and not keeps_checkpoints:
        return Refusal(
            "this script keeps no checkpoint, so a pause would lose its work",
            f"freeze it instead (its memory stays in use): lrtui freeze DIR {run.id}",
        )
    if isinstance(command, ev.RestartRun) and command.checkpoint and not keeps_checkpoints:
        return Refusal(
            "this script keeps no checkpoint",
            "give its command {checkpoint}, or restart from scratch",
        )
    return None


def _of_state(command: RunCommand, run: Run, name: str) -> Refusal:
    match command:
        case ev.KillRun() if run.state is State.STOPPING:
            return Refusal(f"{name} is being stopped already: {run.why}")
        case ev.KillRun():
            return Refusal(f"{name} has ended already: {state_text(run)}")
        case ev.RestartRun() if run.state is State.QUEUED:
            return Refusal(f"{name} is queued already")
        case ev.RestartRun() if run.state is State.STOPPING:
            return Refusal(f"{name} is being stopped", "restart it when it has ended")
        case ev.RestartRun():
            return Refusal(
                f"{name} is {state_text(run)}", f"kill it first: lrtui kill DIR {run.id}"
            )
        case ev.PauseRun() if run.state is State.QUEUED:
            return Refusal(f"{name} has not begun", "lower the number of runs at once, or kill it")
        case ev.PauseRun():
            return Refusal(f"{name} is {state_text(run)}: only a running run can be paused")
        case ev.ResumeRun():
            return Refusal(f"{name} is {state_text(run)}, neither paused nor frozen")
        case ev.FreezeRun():
            return Refusal(f"{name} is {state_text(run)}: only a running run can be frozen")
        case _:
            assert_never(command)


def _of_addition(command: ev.AddRun, sweep: Sweep, named: Namer) -> Refusal | None:
    if not is_lr(command.lr):
        limits = f"{lr_rounded(1 / MOST_LR)} to {lr_rounded(MOST_LR)}"
        return Refusal(f"a learning rate is a positive number, {limits}, not {command.lr}")
    if command.seed is not None and not 0 <= command.seed <= MOST_SEED:
        return Refusal(f"a seed is a number from 0 to {MOST_SEED}, not {command.seed}")
    if command.parent is not None and command.parent not in sweep.runs:
        return _unknown(command.parent, sweep)
    wanted = setting_to_add(command, sweep)
    if sweep.plan is None or wanted is None:
        return Refusal("there is no run yet whose settings could be taken", "try again in a moment")
    for run in sweep.runs.values():
        if (run.setting, run.seed) == wanted and not run.is_range_test:
            return Refusal(
                f"{named(run)} has this setting and seed already and is {state_text(run)}",
                f"restart it instead: lrtui restart DIR {run.id}",
            )
    return None


def _of_reopening(sweep: Sweep) -> Refusal | None:
    if sweep.brake is not None or stopped_with_sweep(sweep):
        return None
    if sweep.closed is None:
        return Refusal("the sweep is running")
    if not sweep.queued() and sweep.data is not None and not sweep.preparing:
        return Refusal("every run has ended", "restart one, or add one: lrtui add DIR --lr LR")
    return None


def _unknown(run: str, sweep: Sweep) -> Refusal:
    known = ", ".join(list(sweep.runs)[:12])
    return Refusal(f"there is no run {run[:40]!r}", f"the runs are: {known}")
