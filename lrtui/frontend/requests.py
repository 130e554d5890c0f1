"""What a key asks for, as a command, or why it cannot be asked: pure functions.

The command names the attempt that is meant, so that a kill never hits a run that was restarted meanwhile.
"""

from __future__ import annotations

import math

from lrtui.frontend.state_style import style_of
from lrtui.sweep.events import (
    AddRun,
    AnyCommand,
    FreezeRun,
    KillRun,
    PauseRun,
    RestartRun,
    ResumeRun,
    SetParallel,
)
from lrtui.sweep.state import Run, State, lr_text

Refusal = str
"""Why a key cannot act, for the line of answers."""


def kill(run: Run, name: str) -> AnyCommand | Refusal:
    """Return the command to end a run."""
    if run.state is State.ENDED:
        return f"{name} has ended already"
    if run.state is State.STOPPING:
        return f"{name} is being stopped"
    return KillRun(run=run.id, attempt=_number(run))


def restart(run: Run, name: str) -> AnyCommand | Refusal:
    """Return the command to begin a run again from scratch."""
    if run.state is State.QUEUED:
        return f"{name} waits to be started already"
    return RestartRun(run=run.id, attempt=_number(run))


def pause(run: Run, name: str) -> AnyCommand | Refusal:
    """Return the command that pauses a living run, or lets a paused or frozen one go on."""
    if run.state in (State.PAUSED, State.FROZEN):
        return ResumeRun(run=run.id)
    if run.state in (State.RUNNING, State.STARTING):
        return PauseRun(run=run.id, attempt=_number(run))
    return f"{name} is {_word(run)}: only a running one can be paused"


def freeze(run: Run, name: str) -> AnyCommand | Refusal:
    """Return the command that freezes a living run, or thaws a frozen one."""
    if run.state is State.FROZEN:
        return ResumeRun(run=run.id)
    if run.state is State.RUNNING:
        return FreezeRun(run=run.id, attempt=_number(run))
    return f"{name} is {_word(run)}: only a running one can be frozen"


def add(lr: float, parent: Run | None) -> AnyCommand:
    """Return the command to try another LR, with the other settings of `parent`."""
    return AddRun(lr=lr, parent=parent.id if parent else None)


def parallel(now: int, change: int) -> AnyCommand | Refusal:
    """Return the command to run more or fewer at a time."""
    return (
        SetParallel(parallel=now + change) if now + change >= 1 else "at least one runs at a time"
    )


def read_lr(text: str) -> float | Refusal:
    """Return the LR that someone typed, or what is wrong with it."""
    text = text.strip()
    if not text:
        return "type a learning rate, such as 3e-4"
    try:
        value = float(text)
    except ValueError:
        return f"{text} is no number; try 3e-4"
    if "_" in text or not math.isfinite(value):
        return f"{text} is no finite number; try 3e-4"
    if value <= 0:
        return "a learning rate is above 0"
    return value


def echo_lr(text: str) -> str:
    """Return what an input means, in the canonical form: = 6.25e-03."""
    value = read_lr(text)
    return value if isinstance(value, str) else f"= {lr_text(value)}"


def _word(run: Run) -> str:
    return style_of(run.ending.kind if run.ending else str(run.state)).word


def _number(run: Run) -> int | None:
    return run.attempt.number if run.attempt else None
