"""The effects of commands: pure functions from a command and the sweep to events, and to the answer once it is done.

`effects` returns what to journal at once, or the refusal of `sweep.allowed`; `settled` returns the answer once the command is
done. Both need only the sweep, so if the supervisor dies while a command is half done, the next one finishes it.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator
from typing import assert_never

import msgspec

from lrtui.search.strategy import Decision
from lrtui.supervisor.budget import halt_runs
from lrtui.sweep import events as ev
from lrtui.sweep.allowed import (
    Refusal,
    id_and_lr,
    refusal,
    setting_to_add,
    state_text,
    stopped_with_sweep,
)
from lrtui.sweep.events import Answer, AnyCommand, AnyEvent
from lrtui.sweep.state import Run, State, Sweep
from lrtui.text.format import count


def effects(command: AnyCommand, sweep: Sweep) -> list[AnyEvent] | Refusal:
    """Return the events that a command causes, or why it cannot be carried out."""
    why = refusal(command, sweep)
    return why if why is not None else _events(command, sweep)


def _events(command: AnyCommand, sweep: Sweep) -> list[AnyEvent]:
    """Return the events of a command that is allowed."""
    match command:
        case ev.AddRun():
            return [*_released(sweep), _add(command, sweep)]
        case ev.KillRun():
            return _kill(command, sweep)
        case ev.RestartRun():
            return _restart(command, sweep)
        case ev.PauseRun():
            return _pause(command, sweep)
        case ev.ResumeRun():
            return _resume(command, sweep)
        case ev.FreezeRun():
            run = sweep.runs[command.run]
            return [ev.RunFrozen(run=run.id, attempt=len(run.attempts))]
        case ev.SetParallel():
            return [ev.ParallelSet(parallel=command.parallel)]
        case ev.StopSweep():
            brake = ev.BrakeSet(on=True, why=command.why, stop=True)
            return [brake, *halt_runs(sweep, command.why)]
        case ev.ReopenSweep():
            return _reopen(sweep)
        case _:
            assert_never(command)


def settled(command: AnyCommand, sweep: Sweep) -> Answer | None:
    """Return the answer once a command's effects are complete; None while they are not."""
    match command:
        case ev.KillRun() | ev.PauseRun():
            run = sweep.runs[command.run]
            if run.alive and run.state in (State.STOPPING, State.PAUSING):
                return None
            return Answer(ok=True, answer=f"{id_and_lr(run)} is {state_text(run)}")
        case ev.RestartRun() | ev.ResumeRun():
            run = sweep.runs[command.run]
            return Answer(ok=True, answer=f"{id_and_lr(run)} is {state_text(run)}")
        case ev.FreezeRun():
            return Answer(ok=True, answer=f"{command.run} is frozen; its memory stays in use")
        case ev.AddRun():
            run = next(r for r in reversed(list(sweep.runs.values())) if r.setting.lr == command.lr)
            return Answer(ok=True, answer=f"{id_and_lr(run)} is {state_text(run)}")
        case ev.SetParallel():
            return Answer(ok=True, answer=f"{command.parallel} at a time")
        case ev.StopSweep():
            if sweep.alive():
                return None
            return Answer(ok=True, answer="the sweep is stopped")
        case ev.ReopenSweep():
            return Answer(ok=True, answer=f"continuing: {count(len(sweep.queued()), 'run')} queued")
        case _:
            assert_never(command)


def with_ids(decisions: Iterable[Decision], sweep: Sweep) -> list[AnyEvent]:
    """Return a strategy's decisions with the ids of new runs: r01, r02, ..., of range tests t01, t02, ..."""
    ids = {False: _free_ids(sweep, "r"), True: _free_ids(sweep, "t")}
    return [
        msgspec.structs.replace(each, run=next(ids[each.lr_steps > 0]))
        if isinstance(each, ev.RunQueued)
        else each
        for each in decisions
    ]


def _free_ids(sweep: Sweep, prefix: str) -> Iterator[str]:
    """Yield free ids, the first first: if a damaged journal line has hidden a run, it comes back under its own id."""
    names = (f"{prefix}{number:02d}" for number in itertools.count(1))
    return (name for name in names if name not in sweep.runs)


def _add(command: ev.AddRun, sweep: Sweep) -> AnyEvent:
    wanted = setting_to_add(command, sweep)
    assert wanted is not None  # noqa: S101  # `refusal` has seen to it
    setting, seed = wanted
    return ev.RunQueued(
        run=next(_free_ids(sweep, "r")),
        setting=setting,
        seed=seed,
        until=_plan(sweep).horizon,
        origin="user",
        parent=command.parent,
        why="added by you",
    )


def _kill(command: ev.KillRun, sweep: Sweep) -> list[AnyEvent]:
    run = sweep.runs[command.run]
    number = len(run.attempts)
    if run.alive:
        return [ev.RunStopping(run=run.id, attempt=number, kind="killed", why="killed by you")]
    return [ev.RunEnded(run=run.id, attempt=number, kind="killed", why="killed by you")]


def _restart(command: ev.RestartRun, sweep: Sweep) -> list[AnyEvent]:
    """Start a run again, to the end; a failed run only to its planned length, so that the search can compare it."""
    run = sweep.runs[command.run]
    again = _queue_again(
        sweep,
        run,
        resume=command.checkpoint and (run.failed or not run.pilot),
        why="restarted by you",
        origin=run.origin if run.failed else "user",
        until=0.0 if run.failed else _plan(sweep).horizon,
    )
    return [*_released(sweep), again]


def _pause(command: ev.PauseRun, sweep: Sweep) -> list[AnyEvent]:
    run = sweep.runs[command.run]
    return [ev.RunPausing(run=run.id, attempt=len(run.attempts), why="paused by you")]


def _resume(command: ev.ResumeRun, sweep: Sweep) -> list[AnyEvent]:
    run = sweep.runs[command.run]
    if run.state is State.FROZEN:
        return [ev.RunThawed(run=run.id, attempt=len(run.attempts))]
    again = _queue_again(sweep, run, resume=True, why="resumed by you", origin=run.origin)
    return [*_released(sweep), again]


def _reopen(sweep: Sweep) -> list[AnyEvent]:
    again = [
        _queue_again(sweep, run, resume=run.state is State.PAUSED, why="", origin=run.origin)
        for run in stopped_with_sweep(sweep)
    ]
    return [*_released(sweep), *again]


def _released(sweep: Sweep) -> list[AnyEvent]:
    """Return the event that lifts the brake if it is on."""
    return [] if sweep.brake is None else [ev.BrakeSet(on=False)]


def _queue_again(
    sweep: Sweep,
    run: Run,
    *,
    resume: bool,
    why: str,
    origin: ev.Origin = "user",
    until: float = 0.0,
) -> ev.RunQueued:
    return ev.RunQueued(
        run=run.id,
        setting=run.setting,
        seed=run.seed,
        until=until or run.until or _plan(sweep).horizon,
        origin=origin,
        parent=run.parent,
        resume=resume,
        why=why,
        lr_to=run.lr_to,
        lr_steps=run.lr_steps,
        pilot=run.pilot and not until,
    )


def _plan(sweep: Sweep) -> ev.Plan:
    assert sweep.plan is not None, "a sweep with runs was opened"  # noqa: S101
    return sweep.plan
