"""What an ended process means for its run, and what the ended runs mean for the sweep: pure functions."""

from __future__ import annotations

import math
import re
import signal

from lrtui.search.range_test import suggest
from lrtui.supervisor.progress import Progress
from lrtui.sweep import events as ev
from lrtui.sweep.allowed import id_and_lr
from lrtui.sweep.events import AnyEvent
from lrtui.sweep.files import read_last_lines
from lrtui.sweep.layout import AttemptLayout
from lrtui.sweep.state import Run, State, Sweep, evictions_after
from lrtui.text.clean import clean, clean_lines
from lrtui.text.format import amount, amount_about, count, lr_rounded
from lrtui.train import ABANDONED
from lrtui.workers.launcher import Exited, Vanished

FAST_SECONDS = 30.0
"""A run that failed sooner than this (seconds), without a metric line, failed at once."""
_SPARSE = 0.2
"""A script that stops at a rung before this share of the horizon need not have printed anything."""
LOSSES_FORGIVEN = 1
"""A run that is lost more often is not started again."""
EVICTIONS_FORGIVEN = 10
"""The most jobs of a run in a row that a cluster may end without progress; then the run is not started again."""
_EXCEPTION = re.compile(r"(?:[A-Za-z_]\w*\.)*\w+(?:Error|Exception)\b")
_EXCEPTION_WITHIN = 8
"""Number of last lines searched for an exception: advice may follow it."""
_TAIL = 1 << 14
_NO_MEMORY = re.compile(
    r"out of memory|can't allocate memory|cannot allocate memory|bad_alloc|ALLOC_FAILED|MemoryError",
    re.IGNORECASE,
)
"""Out-of-memory messages of PyTorch, TensorFlow, JAX, cuBLAS, C++ and Python."""


def conclude(
    run: Run,
    condition: Exited | Vanished,
    progress: Progress,
    files: AttemptLayout,
    beside: int = 0,
) -> list[AnyEvent]:
    """Return the events that follow from the end of a run's latest attempt, which shared its GPU or the CPU with `beside` other runs."""
    attempt = run.attempts[-1]
    code, number = (
        (condition.code, condition.signal) if isinstance(condition, Exited) else (None, None)
    )
    may_be_silent = attempt.until <= _SPARSE * progress.horizon and progress.silent
    stands = False
    if progress.came_to_its_end_before or (code == 0 and not may_be_silent):
        stands = progress.stand_on_earlier()
    came = progress.level if code == 0 else progress.complete  # the end completes the last epoch
    complete = came >= attempt.until * (1 - 1e-9)
    to_the_end = came >= progress.horizon * (1 - 1e-9)
    if to_the_end and (code == 0 or run.state is State.PAUSING):
        progress.goes_to_the_end()
    events: list[AnyEvent] = [*_reached(run, progress), _charged(run, progress)]

    def ended(
        kind: ev.EndingKind, why: str = "", *, rule: ev.Rule | None = None, early: bool = False
    ) -> list[AnyEvent]:
        ending = ev.RunEnded(
            run=run.id,
            attempt=attempt.number,
            kind=kind,
            why=why,
            rule=rule,
            early=early,
            code=code,
            signal=number,
        )
        return [*events, ending]

    if run.state is State.STOPPING and attempt.stop_kind is not None:
        return ended(attempt.stop_kind, attempt.stop_why, rule=attempt.stop_rule)
    if isinstance(condition, Vanished) and not complete and run.state is not State.PAUSING:
        if condition.cause == "cancelled":
            return ended("killed", condition.why)
        if condition.cause == "refused":
            return ended("failed", condition.why)
        if condition.cause == "limit" and run.is_range_test:
            return ended("failed", f"the {condition.why} is too short for a range test")
    if run.is_range_test:
        return _range_tested(run, condition, progress, files, events)
    at_rung = complete and not to_the_end and attempt.until < progress.horizon * (1 - 1e-9)
    abandoned = attempt.shared and code == ABANDONED
    silent = (
        isinstance(condition, Vanished) or abandoned
    )  # how the training itself ended is unknown
    if at_rung and (code == 0 or run.state is State.PAUSING or silent):
        return [*events, ev.RunWaiting(run=run.id)]
    if (
        code == 0
        and (complete or run.state is not State.PAUSING)
        and progress.lines
        and progress.lacks_metric
        and not any(r.measured for r in run.reached)
    ):
        return ended("failed", progress.unread())
    if complete and (code == 0 or run.state is State.PAUSING):
        return ended("finished", "an earlier attempt had come to its end" if stands else "")
    if run.state is State.PAUSING:
        return [*events, ev.RunPaused(run=run.id, attempt=attempt.number)]
    if abandoned and complete:
        return ended("finished", "the process that it shared with other runs ended")
    if isinstance(condition, Vanished):
        if complete:
            return ended("finished", condition.why or "exit code unknown: its keeper is gone")
        if condition.cause == "limit" and not (files.checkpoint.exists() and progress.spent > 0):
            return ended("failed", _too_short(condition.why, progress))
        if condition.cause:
            return [*events, _evicted(run, condition, progress)]
        why = condition.why or _loss(run)
        return [ev.RunLost(run=run.id, attempt=attempt.number, why=why)]
    if abandoned:
        why = "the process that it shared with other runs ended; continuing in its own process"
        return [*events, ev.RunLost(run=run.id, attempt=attempt.number, why=why, rule="apart")]
    if beside and ran_out_of_memory(condition, files):
        why = f"out of memory beside {count(beside, 'other run')}"
        return [*events, ev.RunLost(run=run.id, attempt=attempt.number, why=why, rule="crowded")]
    if complete and not at_rung and progress.comparable >= attempt.until:
        return ended("finished", f"trained to its end, then {failure(condition, files)}")
    loss = progress.signs.latest_loss
    if code == 0 and loss is not None and not math.isfinite(loss):
        return ended("diverged", f"the loss was {loss} when it ended", rule="nan", early=True)
    if code == 0 and (progress.lines or stands):
        why = f"ended by itself at {amount_about(progress.level)} of {amount(attempt.until)}"
        return ended("finished", why, early=True)
    if code == 0 and may_be_silent:
        return [*events, ev.RunWaiting(run=run.id)]  # it may evaluate less often than that
    if code == 0:
        return ended("failed", "; ".join(["it ended without a metric line", *progress.misses]))
    return ended("failed", failure(condition, files))


def _evicted(run: Run, condition: Vanished, progress: Progress) -> ev.RunLost:
    """Return the events that follow when a cluster has ended an attempt."""
    number, level = run.attempts[-1].number, progress.level
    return ev.RunLost(run=run.id, attempt=number, why=condition.why, rule="evicted", level=level)


def _too_short(limit: str, progress: Progress) -> str:
    """Return why a job's time limit ended a run for good: the next attempt would come no further."""
    what = "it left no checkpoint to resume" if progress.spent > 0 else "nothing was measured"
    return f"{what} within the {limit}: raise time in [launcher], then lrtui FILE --retry"


def _range_tested(
    run: Run,
    condition: Exited | Vanished,
    progress: Progress,
    files: AttemptLayout,
    events: list[AnyEvent],
) -> list[AnyEvent]:
    """Return the events that follow from the end of a range test: what its curve suggests, however it ended."""
    lrs, losses = progress.range_curve(run)
    found = suggest(lrs, losses)
    tested = ev.RangeTested(
        run=run.id,
        valley=found.valley,
        steep=found.steep,
        minimum=found.minimum,
        slide=found.slide,
        diverged=found.diverged,
        points=len(lrs),
        why=found.why,
    )
    number = run.attempts[-1].number
    if isinstance(condition, Vanished) and len(lrs) < run.lr_steps and found.diverged is None:
        if condition.cause:
            return [*events, _evicted(run, condition, progress)]
        why = condition.why or _loss(run)
        return [*events, ev.RunLost(run=run.id, attempt=number, why=why)]
    code, signalled = (
        (condition.code, condition.signal) if isinstance(condition, Exited) else (None, None)
    )
    if (code in (0, None) and signalled is None) or found.valley is not None:
        said = (
            found.why
            or f"valley {lr_rounded(found.valley, 'nowhere')}, loss turned at {lr_rounded(found.diverged, 'nowhere')}"
        )
        kind: ev.EndingKind = "finished"
    else:
        assert isinstance(condition, Exited)  # noqa: S101  # Gone has neither code nor signal
        said, kind = failure(condition, files), "failed"
    ended = ev.RunEnded(
        run=run.id, attempt=number, kind=kind, why=said, code=code, signal=signalled
    )
    return [*events, tested, ended]


def failure(over: Exited, files: AttemptLayout) -> str:
    """Return why a worker failed: how it ended, and the line of its output that mentions memory, or the last one."""
    if over.signal is not None:
        how = f"killed by {_signal_name(over.signal)}, not by lrtui"
        if over.signal == signal.SIGKILL:
            how += " (out of memory?)"
    else:
        how = f"exit code {over.code}"
    lines = last_output(files)
    speaking = [line for line in lines if _NO_MEMORY.search(line)] or lines
    said = speaking[-1] if speaking else ""
    return f"{how}: {clean(said.strip(), 300)}" if said else how


def after_loss(sweep: Sweep, run: Run, lost: ev.RunLost) -> list[AnyEvent]:
    """Return the events that follow when a run is lost: it is queued again once, and again if it only lacked memory beside others,
    or while it makes progress.

    If several runs fill a memory together, the first to fail halves the number of runs at once.
    """
    assert sweep.plan is not None, "a run that was lost was planned"  # noqa: S101
    events: list[AnyEvent] = []
    if lost.rule == "crowded" and sweep.lowered_at < run.attempts[-1].launched_at:
        half = max(1, min(sweep.parallel, len(sweep.alive())) // 2)
        events.append(ev.ParallelSet(parallel=half, why=f"{id_and_lr(run)} ran {lost.why}"))
    if lost.rule is None and run.losses >= LOSSES_FORGIVEN:
        return [ev.RunEnded(run=run.id, attempt=lost.attempt, kind="lost", why=lost.why)]
    if (cut := evictions_after(run, lost)) > EVICTIONS_FORGIVEN:
        came = (
            f"further than {sweep.plan.unit} {amount_about(run.furthest)}"
            if run.furthest
            else "anywhere"
        )
        why = f"cut off {cut} times in a row without coming {came}, the last time: {lost.why}; save checkpoints more often, or use jobs that are not preempted"
        return [ev.RunEnded(run=run.id, attempt=lost.attempt, kind="lost", why=why)]
    again = ev.RunQueued(
        run=run.id,
        setting=run.setting,
        seed=run.seed,
        until=run.until,
        origin=run.origin,
        parent=run.parent,
        lr_to=run.lr_to,
        lr_steps=run.lr_steps,
        pilot=run.pilot,
        resume=sweep.plan.checkpoints,
        why=f"{'cut off' if lost.rule == 'evicted' else 'lost'} ({lost.why}); queued again",
    )
    return [*events, again]


def ran_out_of_memory(over: Exited, files: AttemptLayout) -> bool:
    """Return whether a failed worker's last lines report that GPU or host memory ran out."""
    return over.code not in (0, None) and any(
        _NO_MEMORY.search(line) for line in last_output(files)
    )


def last_line(files: AttemptLayout) -> str:
    """Return the last line of a worker's output that names an exception, else the last one that is not blank; safe to show."""
    lines = last_output(files)
    raised = [line for line in lines[-_EXCEPTION_WITHIN:] if _EXCEPTION.match(line)]
    return clean((raised or lines)[-1].strip(), 300) if lines else ""


def last_output(files: AttemptLayout) -> list[str]:
    """Return the last lines of a worker's output that are not blank."""
    return [line for line in clean_lines(read_last_lines(files.output, _TAIL)) if line.strip()]


def is_fast_failure(run: Run, lines: int) -> bool | None:
    """Return whether a run failed at once; None if its ending says nothing about the next run (killed by the user)."""
    if run.ending is None or run.ending.kind in ("killed", "pruned", "diverged"):
        return None
    attempt = run.attempts[-1]
    took = run.ending.at - attempt.launched_at
    return run.ending.kind == "failed" and took < FAST_SECONDS and lines == 0


def exit_code(sweep: Sweep, found: ev.VerdictReached) -> ev.SweepClosed:
    """Return the end of a sweep in which no run is alive and nothing more will be launched; code 0 only if it has an answer.

    "These learning rates cannot be told apart" counts as an answer.
    """
    answered = found.lr is not None or found.equal is not None
    if sweep.stopping:
        return ev.SweepClosed(code=4, why=sweep.brake or "stopped by you")
    if sweep.budget_reached is not None:
        return ev.SweepClosed(code=0 if answered else 1, why=sweep.budget_reached.why)
    if sweep.brake is not None:
        return ev.SweepClosed(code=1, why=sweep.brake)
    runs = sweep.trained() or sweep.runs.values()
    kinds = [run.ending.kind for run in runs if run.ending is not None]
    bad = [kind for kind in kinds if kind in ("failed", "lost")]
    if bad:
        return ev.SweepClosed(code=1, why=f"{len(bad)} of {len(kinds)} runs failed or were lost")
    if "finished" not in kinds:
        return ev.SweepClosed(code=1, why="no run finished")
    if not any(run.finished for run in sweep.trained()):
        return _only_tested(sweep)
    finished = f"{kinds.count('finished')} of {len(kinds)} runs finished"
    if not answered:
        return ev.SweepClosed(
            code=1, why="; ".join([f"{finished}, without an answer", *found.why[:1]])
        )
    return ev.SweepClosed(code=0, why=finished)


def verdict_event(sweep: Sweep) -> ev.VerdictReached:
    """Return the answer of a sweep that ends."""
    from lrtui.analysis.study import foresight, study
    from lrtui.analysis.verdict import (
        verdict,  # needed only at the end: 2 MB that an idle supervisor need not hold
    )

    found = verdict(sweep)
    foreseen = [clean(words) for factor in study(sweep) for words in foresight(factor)]
    return ev.VerdictReached(
        lr=found.lr,
        group=found.group,
        axes=found.axes,
        low=found.low,
        high=found.high,
        equal=found.equal,
        provisional=found.provisional,
        why=(*(reason.text for reason in found.reasons), *foreseen),
        passed_over=tuple(each for reason in found.reasons for each in reason.passed_over),
    )


def _only_tested(sweep: Sweep) -> ev.SweepClosed:
    """Return the end of a sweep in which only range tests finished."""
    answers = [tested for tested in sweep.ranges.values() if tested.valley is not None]
    if sweep.trained() or not answers:
        why = next((tested.why for tested in sweep.ranges.values() if tested.why), "")
        return ev.SweepClosed(code=1, why=f"no run finished{f'; {why}' if why else ''}")
    valleys = ", ".join(lr_rounded(tested.valley, "nowhere") for tested in answers)
    return ev.SweepClosed(
        code=0, why=f"the range test's valley is at {valleys}: a bracket, not a learning rate"
    )


def _reached(run: Run, progress: Progress) -> list[AnyEvent]:
    reached, number = progress.reached(), run.attempts[-1].number
    if reached is not None:
        event = ev.RunReached(
            run=run.id,
            attempt=number,
            level=reached.level,
            value=_finite(reached.value),
            val_loss=_finite(reached.val_loss),
            curve=progress.curve(),
            averaged=reached.averaged,
        )
        return [event]
    loss, until = _finite(progress.loss), run.attempts[-1].until
    if loss is None or run.is_range_test or until >= progress.horizon * (1 - 1e-9):
        return []
    level = min(progress.level, until)
    return [ev.RunReached(run=run.id, attempt=number, level=level, value=None, loss=loss)]


def _finite(value: float | None) -> float | None:
    return value if value is not None and math.isfinite(value) else None


def _charged(run: Run, progress: Progress) -> AnyEvent:
    """Return the attempt's cost: from where it continued, or from 0, to the furthest level it reached."""
    number = run.attempts[-1].number
    took = max(0.0, progress.last_time)
    return ev.RunCharged(run=run.id, attempt=number, spent=progress.spent, seconds=took)


def _loss(run: Run) -> str:
    started = run.attempts[-1].pid is not None
    return "its keeper and its worker are gone" if started else "it never started"


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
