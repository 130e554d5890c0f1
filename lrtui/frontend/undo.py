"""Finds the commands that undo the last command of this front end: pure, from the command and the sweep before it and now."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct

from lrtui.frontend import requests
from lrtui.sweep import events as ev
from lrtui.sweep.allowed import Refusal
from lrtui.sweep.state import Run, State, Sweep
from lrtui.text.format import lr_text

if TYPE_CHECKING:
    from lrtui.sweep.allowed import Namer
    from lrtui.sweep.events import AnyCommand

MOST_DEEDS = 50


class UndoEntry(Struct, frozen=True):
    """A command that was carried out."""

    command: AnyCommand
    before: Sweep
    """The sweep when it was sent."""


class Undoing(Struct, frozen=True):
    """What undoes an entry."""

    command: AnyCommand
    says: str
    """What will happen, in one line."""
    victim: str = ""
    """The name of the run that it ends, if it ends one: then the user is asked first."""


class NotYet(Refusal, frozen=True):
    """Why an entry cannot be undone yet: it is still being carried out."""


def undoing(entry: UndoEntry, now: Sweep, named: Namer) -> Undoing | Refusal:
    """Return the commands that undo an entry, or why it cannot be undone: the run's state may have changed since."""
    match entry.command:
        case ev.SetParallel(parallel=number):
            return _parallel(entry.before.parallel, number, now)
        case ev.AddRun(lr=lr):
            new = [r for r in now.runs.values() if r.id not in entry.before.runs]
            run = next((r for r in new if r.setting.lr == lr and r.origin == "user"), None)
            if run is None:
                return Refusal(f"the run at {lr_text(lr)} that was added no longer exists")
            return _end(now, run, "the addition", named)
        case ev.KillRun() | ev.RestartRun() | ev.PauseRun() | ev.FreezeRun() | ev.ResumeRun():
            run = now.runs.get(entry.command.run)
            before = entry.before.runs.get(entry.command.run)
            if run is None or before is None:
                return Refusal(f"{entry.command.run} no longer exists")
            return _of_run(entry.command, run, before, now, named)
    return Refusal("that cannot be undone")


def _of_run(
    command: AnyCommand, run: Run, before: Run, now: Sweep, named: Namer
) -> Undoing | Refusal:
    name = named(run)
    match command:
        case ev.KillRun() if run.alive and len(run.attempts) == len(before.attempts):
            return NotYet(f"{name} is still being ended", "undo it when it is killed")
        case ev.KillRun():
            return _revive(now, run, named)
        case ev.RestartRun() if before.alive:
            return Refusal(
                f"the restart of {name} cannot be undone: the process that ran before is gone"
            )
        case ev.RestartRun():
            return _end(now, run, "the restart", named)
        case ev.PauseRun() if run.state is State.PAUSING:
            return NotYet(f"{name} is on its way to a checkpoint", "undo it when it is paused")
        case ev.PauseRun() if run.state is State.PAUSED:
            return _resume(now, run, f"undo the pause: {name} continues", named)
        case ev.FreezeRun() if run.state is State.FROZEN:
            return _resume(now, run, f"undo the freezing: {name} continues", named)
        case ev.ResumeRun():
            if run.state in (State.PAUSED, State.FROZEN):
                return Refusal(f"{name} is {run.state} again already")
            again = requests.freeze if before.state is State.FROZEN else requests.pause
            word = "frozen" if before.state is State.FROZEN else "paused"
            return _as_undoing(again(now, run, named), f"undo resuming: {name} is {word} again")
    return Refusal(f"{name} has moved on meanwhile")


def _as_undoing(asked: AnyCommand | Refusal, says: str, victim: str = "") -> Undoing | Refusal:
    return asked if isinstance(asked, Refusal) else Undoing(asked, says, victim)


def _resume(now: Sweep, run: Run, says: str, named: Namer) -> Undoing | Refusal:
    return _as_undoing(requests.resume(now, run, named), says)


def _revive(now: Sweep, run: Run, named: Namer) -> Undoing | Refusal:
    name = named(run)
    if run.ending is None or run.ending.kind != "killed":
        return Refusal(f"{name} is no longer killed")
    checkpoint = bool(run.attempts) and now.plan is not None and now.plan.checkpoints
    how = "continues from its checkpoint" if checkpoint else "starts again from scratch"
    asked = requests.restart(now, run, named, checkpoint=checkpoint)
    return _as_undoing(asked, f"undo the kill: {name} {how}")


def _end(now: Sweep, run: Run, entry: str, named: Namer) -> Undoing | Refusal:
    name = named(run)
    return _as_undoing(requests.kill(now, run, named), f"undo {entry}: {name} is killed", name)


def _parallel(before: int, asked: int, now: Sweep) -> Undoing | Refusal:
    if now.parallel == before:
        return Refusal(f"{before} at a time already")
    changed = "" if now.parallel == asked else f" (it was set to {now.parallel} since)"
    command = requests.parallel(now, before)
    return _as_undoing(command, f"undo: {before} at a time again{changed}")
