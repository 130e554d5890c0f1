"""One pure function for each command of a front end: from the present sweep, the command to send, or why it cannot be sent.

The keys of the monitor, the words of the text mode, undo and the verbs all build their commands here. A command to a run names
the attempt that the sweep shows, so that it never hits a run that was restarted meanwhile. `sweep.allowed` has the rules.
"""

from __future__ import annotations

import dataclasses
import math
from types import MappingProxyType
from typing import TypeVar

from lrtui.sweep.allowed import Namer, Refusal, current_attempt, id_and_lr, refusal
from lrtui.sweep.events import (
    AddRun,
    AnyCommand,
    FreezeRun,
    KillRun,
    PauseRun,
    RestartRun,
    ResumeRun,
    SetParallel,
    StopSweep,
)
from lrtui.sweep.state import Run, State, Sweep
from lrtui.text.format import lr_text

CommandT = TypeVar("CommandT", bound=AnyCommand)


def kill(sweep: Sweep, run: Run, named: Namer = id_and_lr) -> KillRun | Refusal:
    """Return the command to end a run."""
    return _allowed(KillRun(run=run.id, attempt=current_attempt(run)), sweep, named)


def restart(
    sweep: Sweep, run: Run, named: Namer = id_and_lr, *, checkpoint: bool = False
) -> RestartRun | Refusal:
    """Return the command to start a run without a process again: from scratch, or from its checkpoint."""
    command = RestartRun(run=run.id, attempt=current_attempt(run), checkpoint=checkpoint)
    return _allowed(command, sweep, named)


def restart_failed(
    sweep: Sweep, named: Namer = id_and_lr, *, checkpoint: bool = False
) -> tuple[RestartRun, ...] | Refusal:
    """Return the commands to start every run that failed or was lost again."""
    asked = [restart(sweep, run, named, checkpoint=checkpoint) for run in sweep.failed()]
    refused = next((each for each in asked if isinstance(each, Refusal)), None)
    if refused is not None or not asked:
        return refused or Refusal("no run has failed")
    return tuple(each for each in asked if not isinstance(each, Refusal))


def kill_and_restart(
    sweep: Sweep, run: Run, named: Namer = id_and_lr
) -> tuple[KillRun, RestartRun] | Refusal:
    """Return the commands to end a living run and start it again from scratch; send each after the one before was done."""
    first = kill(sweep, run, named)
    if isinstance(first, Refusal):
        return first
    killed = dataclasses.replace(run, state=State.ENDED)
    then = restart(
        dataclasses.replace(sweep, runs=MappingProxyType({**sweep.runs, run.id: killed})),
        killed,
        named,
    )
    return then if isinstance(then, Refusal) else (first, then)


def pause(sweep: Sweep, run: Run, named: Namer = id_and_lr) -> PauseRun | Refusal:
    """Return the command to let a living run write its checkpoint and exit."""
    return _allowed(PauseRun(run=run.id, attempt=current_attempt(run)), sweep, named)


def freeze(sweep: Sweep, run: Run, named: Namer = id_and_lr) -> FreezeRun | Refusal:
    """Return the command to halt a running run in memory."""
    return _allowed(FreezeRun(run=run.id, attempt=current_attempt(run)), sweep, named)


def resume(sweep: Sweep, run: Run, named: Namer = id_and_lr) -> ResumeRun | Refusal:
    """Return the command to continue a paused or frozen run."""
    return _allowed(ResumeRun(run=run.id, attempt=current_attempt(run)), sweep, named)


def pause_or_resume(
    sweep: Sweep, run: Run, named: Namer = id_and_lr
) -> PauseRun | ResumeRun | Refusal:
    """Return the command to continue a paused or frozen run, or to pause any other."""
    held = run.state in (State.PAUSED, State.FROZEN)
    return resume(sweep, run, named) if held else pause(sweep, run, named)


def freeze_or_resume(
    sweep: Sweep, run: Run, named: Namer = id_and_lr
) -> FreezeRun | ResumeRun | Refusal:
    """Return the command to continue a frozen run, or to freeze any other."""
    frozen = run.state is State.FROZEN
    return resume(sweep, run, named) if frozen else freeze(sweep, run, named)


def add(
    sweep: Sweep,
    lr: float,
    parent: str | None = None,
    *,
    seed: int | None = None,
    named: Namer = id_and_lr,
) -> AddRun | Refusal:
    """Return the command to try another LR, with the other settings of the run `parent`, by default the first run."""
    return _allowed(AddRun(lr=lr, parent=parent, seed=seed), sweep, named)


def parallel(sweep: Sweep, number: int) -> SetParallel | Refusal:
    """Return the command to train that many runs at once."""
    return _allowed(SetParallel(parallel=number), sweep, id_and_lr)


def stop(sweep: Sweep) -> StopSweep | Refusal:
    """Return the command to end the sweep."""
    return _allowed(StopSweep(), sweep, id_and_lr)


def _allowed(command: CommandT, sweep: Sweep, named: Namer) -> CommandT | Refusal:
    return refusal(command, sweep, named) or command


def read_lr(text: str) -> float | str:
    """Return the typed LR, or what is wrong with it."""
    text = text.strip()
    if not text:
        return "type a learning rate, such as 3e-4"
    try:
        value = float(text)
    except ValueError:
        return f"{text} is not a number; try 3e-4"
    if "_" in text or not math.isfinite(value):
        return f"{text} is not a finite number; try 3e-4"
    if value <= 0:
        return "a learning rate must be above 0"
    return value


def echo_lr(text: str) -> str:
    """Return what an input means, in the canonical form: = 6.25e-03."""
    value = read_lr(text)
    return value if isinstance(value, str) else f"= {lr_text(value)}"
