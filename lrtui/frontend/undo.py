"""What would undo the last thing that was done in this monitor: pure, from what was asked and how the sweep stood then and now."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from lrtui.frontend import requests
from lrtui.frontend.requests import Refusal
from lrtui.sweep import events as ev
from lrtui.sweep.state import Run, State, Sweep, lr_text

if TYPE_CHECKING:
    from collections.abc import Callable

    from lrtui.sweep.events import AnyCommand

    Namer = Callable[[str], str]
    """Returns what a run goes by for the user."""

MOST_DEEDS = 50


@dataclass(frozen=True, slots=True)
class UndoEntry:
    """Something that was asked for and done."""

    command: AnyCommand
    before: Sweep
    """The sweep when it was asked."""


@dataclass(frozen=True, slots=True)
class Undoing:
    """What undoes a deed."""

    command: AnyCommand
    says: str
    """What will happen, in one line."""
    victim: str = ""
    """The run whose process or place it ends: then the user is asked first."""


class NotYet(Refusal):
    """Why nothing undoes a deed so far: it is still being done."""

    __slots__ = ()


def undoing(deed: UndoEntry, now: Sweep, named: Namer) -> Undoing | Refusal:
    """Return what undoes a deed, or why nothing does: the run may have gone on meanwhile."""
    match deed.command:
        case ev.SetParallel(parallel=number):
            return _parallel(deed.before.parallel, number, now.parallel)
        case ev.AddRun(lr=lr):
            new = [r for r in now.runs.values() if r.id not in deed.before.runs]
            run = next((r for r in new if r.setting.lr == lr and r.origin == "user"), None)
            if run is None:
                return f"the run at {lr_text(lr)} that was added is not there any more"
            return _end(run, "the addition", named)
        case ev.KillRun() | ev.RestartRun() | ev.PauseRun() | ev.FreezeRun() | ev.ResumeRun():
            run = now.runs.get(deed.command.run)
            before = deed.before.runs.get(deed.command.run)
            if run is None or before is None:
                return f"{deed.command.run} is not there any more"
            return _of_run(deed.command, run, before, now, named)
    return "that cannot be undone"


def _of_run(
    command: AnyCommand, run: Run, before: Run, now: Sweep, named: Namer
) -> Undoing | Refusal:
    name = named(run.id)
    match command:
        case ev.KillRun() if run.alive and len(run.attempts) == len(before.attempts):
            return NotYet(f"{name} is still being ended; press U again when it is killed")
        case ev.KillRun():
            return _revive(run, now, name)
        case ev.RestartRun() if before.alive:
            return f"the restart of {name} cannot be undone: the process that ran before is gone"
        case ev.RestartRun():
            return _end(run, "the restart", named)
        case ev.PauseRun() if run.state is State.PAUSING:
            return NotYet(f"{name} is on its way to a checkpoint; press U again when it is paused")
        case ev.PauseRun() if run.state is State.PAUSED:
            return Undoing(ev.ResumeRun(run=run.id), f"undo the pause: {name} goes on")
        case ev.FreezeRun() if run.state is State.FROZEN:
            return Undoing(ev.ResumeRun(run=run.id), f"undo the freezing: {name} goes on")
        case ev.ResumeRun():
            again = requests.freeze if before.state is State.FROZEN else requests.pause
            asked = again(run, name)
            if isinstance(asked, (str, ev.ResumeRun)):
                return asked if isinstance(asked, str) else f"{name} is held again already"
            word = "frozen" if before.state is State.FROZEN else "paused"
            return Undoing(asked, f"undo going on: {name} is {word} again")
    return f"{name} has gone on meanwhile"


def _revive(run: Run, now: Sweep, name: str) -> Undoing | Refusal:
    if run.ending is None or run.ending.kind != "killed":
        return f"{name} is no longer killed"
    checkpoint = bool(run.attempts) and now.plan is not None and now.plan.checkpoints
    how = "goes on from its checkpoint" if checkpoint else "starts again from scratch"
    number = run.attempt.number if run.attempt else None
    command = ev.RestartRun(run=run.id, attempt=number, checkpoint=checkpoint)
    return Undoing(command, f"undo the kill: {name} {how}")


def _end(run: Run, deed: str, named: Namer) -> Undoing | Refusal:
    name = named(run.id)
    asked = requests.kill(run, name)
    if isinstance(asked, str):
        return asked
    return Undoing(asked, f"undo {deed}: {name} is killed", victim=name)


def _parallel(before: int, asked: int, now: int) -> Undoing | Refusal:
    if now == before:
        return f"{before} at a time already"
    changed = "" if now == asked else f" (it was set to {now} since)"
    return Undoing(ev.SetParallel(parallel=before), f"undo: {before} at a time again{changed}")
