"""What is said about runs and events: sentences, without times and without tables."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from typing import TextIO

from lrtui.analysis.ranking import Standing
from lrtui.analysis.verdict import length
from lrtui.frontend import log_mode
from lrtui.frontend.narration import event_text
from lrtui.frontend.run_colors import letter
from lrtui.frontend.snapshot import Snapshot
from lrtui.frontend.state_style import style_of
from lrtui.sweep import events as ev
from lrtui.sweep.state import Run, Sweep
from lrtui.text.format import amount, duration, number, run_name

_LEAD_SECONDS = 10.0
"""Seconds between two sentences about the leader, which changes all the time in the first epochs."""
_UNSAID = (ev.RunStarted, ev.CommandDone, ev.Alerted)
"""Events that another sentence covers."""


def called(sweep: Sweep, run: Run) -> str:
    """Return how a run is spoken of: its letter, as the monitor shows it, and its LR; a range test by its id."""
    order = [each.id for each in sweep.trained()]
    name = letter(order.index(run.id)) if run.id in order else run.id
    return run_name(name, run.setting.lr)


class Sentences(log_mode.Words):
    """The log as sentences: without times, and without every evaluation."""

    def __init__(self, say: Callable[[str], None], out: TextIO) -> None:
        super().__init__(out)
        self._say = say
        self._leader = ""
        self._led_at = 0.0

    def event(self, event: ev.AnyEvent, sweep: Sweep) -> None:
        """Say an event."""
        if isinstance(event, _UNSAID):
            return
        if text := event_text(event, sweep, partial(called, sweep)):
            self._say(f"{text}.")

    def evaluations(self, *_: object) -> None:
        """Print nothing: the user can ask for the list."""

    def progress(self, snapshot: Snapshot) -> None:
        """Report which run has taken the lead."""
        first = next((row for row in snapshot.standings if row.value is not None), None)
        now = time.monotonic()
        if snapshot.reading or first is None or first.runs[0] == self._leader:
            return
        if self._leader and now - self._led_at < _LEAD_SECONDS:
            return
        self._leader, self._led_at = first.runs[0], now
        self._say(f"{leads(snapshot, first)}.")

    def note(self, text: str) -> None:
        """Say something about ourselves."""
        self._say(f"{text}.")


def leads(snapshot: Snapshot, row: Standing) -> str:
    """Return the leader and its value."""
    return f"{_name(snapshot, row)} leads: {_value(snapshot, row)}"


def standing(snapshot: Snapshot, row: Standing) -> str:
    """Return one row of the leaderboard as a sentence."""
    plan = snapshot.sweep.plan
    parts = [f"Rank {row.rank}: {_name(snapshot, row)}, {style_of(row.state).word}"]
    if plan is not None and row.level:
        parts.append(f"{length(plan, round(row.level, 3))} of {amount(row.horizon)}")
    parts += [_value(snapshot, row)] if row.value is not None else []
    parts += [f"{duration(row.eta)} to go"] if row.eta is not None else []
    parts += [row.why] if row.why else []
    return ", ".join(parts)


def _name(snapshot: Snapshot, row: Standing) -> str:
    return called(snapshot.sweep, snapshot.sweep.runs[row.runs[0]])


def _value(snapshot: Snapshot, row: Standing) -> str:
    plan = snapshot.sweep.plan
    if plan is None or row.value is None:
        return "no value yet"
    at = "" if row.value_at is None else f" at {length(plan, row.value_at)}"
    return f"{plan.metric} {number(row.value)}{at}"


def progress(snapshot: Snapshot, run: Run) -> str:
    """Return a run's name and how far it is: C (3e-03), epoch 14 of 30."""
    name, plan = called(snapshot.sweep, run), snapshot.sweep.plan
    series = snapshot.series.get(run.id)
    if plan is None or series is None:
        return name
    return f"{name}, {length(plan, round(series.level, 3))} of {amount(run.length(plan.horizon))}"
