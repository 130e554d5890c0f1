"""What a command means: pure functions from a command and the sweep to events, and to the answer once it is done.

`effects` says what to journal at once; `settled` says when the command is done and what to answer. Both need nothing but the
sweep, so a command that was half done when the supervisor died is finished by the next one.
"""

from __future__ import annotations

import itertools
from typing import assert_never

from lrtui.supervisor.budget import halt_runs
from lrtui.sweep import events as ev
from lrtui.sweep.events import Answer, AnyCommand, AnyEvent
from lrtui.sweep.state import Run, State, Sweep, is_lr, lr_text

MOST_PARALLEL = 1024


class Refusal(Exception):  # noqa: N818  # an answer, not an error
    """Why a command cannot be carried out, and what to do instead."""

    def __init__(self, what: str, hint: str = "") -> None:
        super().__init__(what)
        self.what = what
        self.hint = hint


def effects(command: AnyCommand, sweep: Sweep) -> list[AnyEvent]:
    """Return the events that a command causes; raise Refusal where it cannot be carried out."""
    if sweep.stopping and isinstance(command, ev.AddRun | ev.RestartRun | ev.ResumeRun):
        raise Refusal("the sweep was stopped", "go on with it first: lrtui DIR --resume")
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
            run = _meant(sweep, command.run, command.attempt)
            if run.state is not State.RUNNING:
                raise Refusal(f"{run.id} is {run.state}, so there is nothing to freeze")
            return [ev.RunFrozen(run=run.id, attempt=len(run.attempts))]
        case ev.SetParallel():
            if not 1 <= command.parallel <= MOST_PARALLEL:
                raise Refusal("the number of runs at once must be from 1 to 1024")
            return [ev.ParallelSet(parallel=command.parallel)]
        case ev.StopSweep():
            return _stop(command, sweep)
        case ev.ReopenSweep():
            return _reopen(sweep)
        case ev.Ping():
            return []
        case _:
            assert_never(command)


def settled(command: AnyCommand, sweep: Sweep) -> Answer | None:
    """Return the answer once a command's effects are complete; None while they are not."""
    match command:
        case ev.KillRun() | ev.PauseRun():
            run = sweep.runs[command.run]
            if run.alive and run.state in (State.STOPPING, State.PAUSING):
                return None
            return Answer(ok=True, answer=f"{_name(run)} is {_state(run)}")
        case ev.RestartRun() | ev.ResumeRun():
            run = sweep.runs[command.run]
            return Answer(ok=True, answer=f"{_name(run)} is {_state(run)}")
        case ev.FreezeRun():
            return Answer(ok=True, answer=f"{command.run} is frozen; its memory stays in use")
        case ev.AddRun():
            run = next(r for r in reversed(list(sweep.runs.values())) if r.setting.lr == command.lr)
            return Answer(ok=True, answer=f"{_name(run)} is {_state(run)}")
        case ev.SetParallel():
            return Answer(ok=True, answer=f"{command.parallel} at a time")
        case ev.StopSweep():
            if sweep.alive():
                return None
            return Answer(ok=True, answer="the sweep is stopped")
        case ev.ReopenSweep():
            return Answer(ok=True, answer=f"going on: {len(sweep.queued())} run(s) are queued")
        case ev.Ping():
            return Answer(ok=True, answer="alive")
        case _:
            assert_never(command)


def next_id(sweep: Sweep, ahead: int = 0, *, range_test: bool = False) -> str:
    """Return the id of the next run, r01, r02, ..., or range test, t01, ...; `ahead` are named and not yet journalled.

    The first free one: where a damaged journal line has hidden a run, the same run comes back, and nobody else's id is taken.
    """
    prefix = "t" if range_test else "r"
    names = (f"{prefix}{number:02d}" for number in itertools.count(1))
    return next(itertools.islice((name for name in names if name not in sweep.runs), ahead, None))


def _add(command: ev.AddRun, sweep: Sweep) -> AnyEvent:
    if not is_lr(command.lr):
        raise Refusal(f"a learning rate is a positive number, 1e-30 to 1e+30, not {command.lr}")
    plan = sweep.plan
    parent = _find(sweep, command.parent) if command.parent else next(iter(sweep.trained()), None)
    if plan is None or parent is None:
        raise Refusal("there is no run yet whose settings could be taken", "try again in a moment")
    setting = ev.Setting(
        lr=command.lr,
        optimizer=command.optimizer or parent.setting.optimizer,
        schedule=command.schedule or parent.setting.schedule,
        values=parent.setting.values,
    )
    seed = parent.seed if command.seed is None else command.seed
    for run in sweep.runs.values():
        if run.setting == setting and run.seed == seed:
            raise Refusal(
                f"{_name(run)} has this setting and seed already and is {_state(run)}",
                f"restart it instead: lrtui restart DIR {run.id}",
            )
    return ev.RunQueued(
        run=next_id(sweep),
        setting=setting,
        seed=seed,
        until=plan.horizon,
        origin="user",
        parent=command.parent,
        why="added by you",
    )


def _kill(command: ev.KillRun, sweep: Sweep) -> list[AnyEvent]:
    run = _meant(sweep, command.run, command.attempt)
    number = len(run.attempts)
    if run.alive:
        if run.state is State.STOPPING:
            raise Refusal(f"{_name(run)} is being stopped already: {run.why}")
        return [ev.RunStopping(run=run.id, attempt=number, kind="killed", why="killed by you")]
    if run.state is State.ENDED:
        raise Refusal(f"{_name(run)} has ended already: {_state(run)}")
    return [ev.RunEnded(run=run.id, attempt=number, kind="killed", why="killed by you")]


def _restart(command: ev.RestartRun, sweep: Sweep) -> list[AnyEvent]:
    run = _meant(sweep, command.run, command.attempt)
    if run.alive:
        raise Refusal(f"{_name(run)} is {_state(run)}", f"kill it first: lrtui kill DIR {run.id}")
    if run.state is State.QUEUED:
        raise Refusal(f"{_name(run)} is queued already")
    if command.checkpoint and not _plan(sweep).checkpoints:
        raise Refusal(
            "this script keeps no checkpoint",
            "give its command {checkpoint}, or restart from scratch",
        )
    return [
        *_released(sweep),
        _queue_again(
            sweep,
            run,
            resume=command.checkpoint,
            why="restarted by you",
            until=_plan(sweep).horizon,
        ),
    ]


def _pause(command: ev.PauseRun, sweep: Sweep) -> list[AnyEvent]:
    run = _meant(sweep, command.run, command.attempt)
    if run.state is State.QUEUED:
        raise Refusal(f"{_name(run)} has not begun", "lower the number at once, or kill it")
    if run.state not in (State.RUNNING, State.STARTING, State.FROZEN):
        raise Refusal(f"{_name(run)} is {_state(run)}")
    if run.is_range_test:
        raise Refusal(
            "a range test keeps no checkpoint", f"let it end, or kill it: lrtui kill DIR {run.id}"
        )
    if not _plan(sweep).checkpoints:
        raise Refusal(
            "this script keeps no checkpoint, so a pause would lose its work",
            f"freeze it instead (its memory stays in use): lrtui freeze DIR {run.id}",
        )
    return [ev.RunPausing(run=run.id, attempt=len(run.attempts), why="paused by you")]


def _resume(command: ev.ResumeRun, sweep: Sweep) -> list[AnyEvent]:
    run = _find(sweep, command.run)
    if run.state is State.FROZEN:
        return [ev.RunThawed(run=run.id, attempt=len(run.attempts))]
    if run.state is State.PAUSED:
        again = _queue_again(sweep, run, resume=True, why="resumed by you", origin=run.origin)
        return [*_released(sweep), again]
    raise Refusal(f"{_name(run)} is {_state(run)}, neither paused nor frozen")


def _stop(command: ev.StopSweep, sweep: Sweep) -> list[AnyEvent]:
    if sweep.closed is not None:
        raise Refusal(f"the sweep has ended already: {sweep.closed.why}")
    return [ev.BrakeSet(on=True, why=command.why, stop=True), *halt_runs(sweep, command.why)]


def _reopen(sweep: Sweep) -> list[AnyEvent]:
    events = _released(sweep)
    for run in sweep.runs.values():
        if run.with_sweep and not run.alive and run.state is not State.QUEUED:
            resume = run.state is State.PAUSED
            events.append(_queue_again(sweep, run, resume=resume, why="", origin=run.origin))
    if sweep.closed is None and not events:
        raise Refusal("the sweep is running")
    if not events and not sweep.queued() and sweep.data is not None and not sweep.preparing:
        raise Refusal("every run has ended", "restart one, or add one: lrtui add DIR --lr LR")
    return events


def _released(sweep: Sweep) -> list[AnyEvent]:
    """Return the event that lifts the brake, if it is on."""
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
    )


def _plan(sweep: Sweep) -> ev.Plan:
    if sweep.plan is None:
        raise Refusal("the sweep has not been opened yet", "try again in a moment")
    return sweep.plan


def _find(sweep: Sweep, run: str) -> Run:
    if run in sweep.runs:
        return sweep.runs[run]
    known = ", ".join(list(sweep.runs)[:12])
    raise Refusal(f"there is no run {run[:40]!r}", f"the runs are: {known}")


def _meant(sweep: Sweep, run_id: str, attempt: int | None) -> Run:
    run = _find(sweep, run_id)
    if attempt is not None and attempt != len(run.attempts):
        raise Refusal(
            f"{_name(run)} has gone on to attempt {len(run.attempts)}; you meant {attempt}",
            "look again, then repeat the command",
        )
    return run


def _name(run: Run) -> str:
    return f"{run.id} ({lr_text(run.setting.lr)})"


def _state(run: Run) -> str:
    if run.ending is None:
        return str(run.state)
    return f"{run.ending.kind}: {run.ending.why}" if run.ending.why else run.ending.kind
