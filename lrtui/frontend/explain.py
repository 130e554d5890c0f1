"""Why a run waits, runs, was stopped or ended, in sentences: for `lrtui explain`, the monitor's pane and the text mode."""

from __future__ import annotations

from pathlib import Path

from lrtui.sweep.allowed import state_text
from lrtui.sweep.layout import Layout
from lrtui.sweep.state import Run, State, Sweep, group_of
from lrtui.text.clean import clean
from lrtui.text.format import amount, run_name


def explanation(sweep: Sweep, run: Run, directory: Path) -> list[str]:
    """Return why a run is in its state, what the health rules flagged, and where its output is: one line each."""
    lines = [f"{clean(run_name(run.id, run.setting.lr))}: {why(sweep, run)}"]
    lines += [f"  flagged by {clean(rule)}: {clean(text)}" for rule, text in run.flags]
    if run.attempt is not None:
        log = Layout(directory).attempt(run.folder, run.attempt.number) / "output.log"
        lines.append(f"  attempt {run.attempt.number}; its output: {clean(str(log))}")
    return lines


def why(sweep: Sweep, run: Run) -> str:
    """Return why a run is in its state, in one sentence."""
    if run.ending is not None:
        return clean(state_text(run) + ("" if run.ending.why else ": it ran to its end"))
    if run.state is State.QUEUED:
        return clean(_why_queued(sweep, run))
    if run.state is State.WAITING:
        return clean(_why_waiting(sweep, run))
    words = {
        State.STARTING: "its process is starting",
        State.RUNNING: "running",
        State.FROZEN: "frozen; its memory stays in use; resume it to continue",
        State.PAUSING: "writing its checkpoint; then it exits",
        State.PAUSED: "paused with its checkpoint; resume it to continue",
        State.STOPPING: "being stopped",
        State.LOST: "how it ended is unknown",
    }
    known = words.get(run.state, str(run.state))
    return clean(f"{known} ({run.why})" if run.why else known)


def awaited(sweep: Sweep, run: Run) -> list[Run]:
    """Return the runs that a run at a rung waits for: those of its group that have yet to reach it."""
    return [
        other
        for other in sweep.trained()
        if (other.alive or other.state is State.QUEUED)
        and other.until <= run.until
        and other.origin == "strategy"
        and group_of(other.setting) == group_of(run.setting)
    ]


def _why_waiting(sweep: Sweep, run: Run) -> str:
    at = f"{sweep.plan.unit if sweep.plan else 'rung'} {amount(run.until)}"
    late = ", ".join(run_name(other.id, other.setting.lr) for other in awaited(sweep, run))
    return f"reached {at}, a rung; waiting for {late or 'the decision'}"


def _why_queued(sweep: Sweep, run: Run) -> str:
    if sweep.closed is not None and not sweep.stopping and sweep.failed():
        return f"queued; the sweep has ended: {sweep.closed.why}; it is launched when the failed runs are restarted"
    if sweep.closed is not None or sweep.stopping:
        return "queued; the sweep was stopped; continue it with --resume"
    if sweep.brake is not None:
        return f"queued; nothing is launched: {sweep.brake}"
    place = [other.id for other in sweep.queued()].index(run.id) + 1
    taken = f"{len(sweep.alive())} of {sweep.parallel} slots are occupied"
    again = f"; {run.why}" if run.why else ""
    return f"position {place} in the queue; {taken}{again}"
