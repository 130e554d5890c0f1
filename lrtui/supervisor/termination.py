"""Ends attempts: SIGTERM and SIGCONT once no checkpoint is being written, time for another, then SIGKILL until no process is left.

Also returns the pauses of attempts that have come to their rung (`at_rung`).
"""

from __future__ import annotations

import signal
import time
from collections.abc import Callable
from dataclasses import dataclass

from lrtui.sweep import events as ev
from lrtui.sweep.state import Run, State, Sweep
from lrtui.sweep.timing import TIMING
from lrtui.text.format import duration

UNKILLABLE_SECONDS = 30.0
_SETTLED_WITHIN = 1 / 3
"""Share of the grace for which a pause waits at most until a checkpoint stays as it is."""


@dataclass(slots=True)
class _Clock:
    """The progress of stopping one attempt."""

    began: float
    asked: bool = False
    killed_at: float = 0.0
    warned: bool = False


class Termination:
    """The open stops and pauses of one supervisor. If the supervisor dies, the next one begins each stop again."""

    def __init__(
        self,
        send: Callable[[Run, int], None],
        warn: Callable[[str, str], None],
        unchanged: Callable[[Run], float],
    ) -> None:
        """Take what sends a signal, what warns, and what gives the seconds since a run's checkpoint was last written to."""
        self._send = send
        self._warn = warn
        self._unchanged = unchanged
        self._clocks: dict[tuple[str, int], _Clock] = {}

    def tick(self, sweep: Sweep) -> None:
        """Advance every open stop and pause by one step."""
        for run in sweep.alive():
            stops = run.state in (State.STOPPING, State.PAUSING)
            if not stops and not self._clocks:
                continue
            key = run.attempt_key
            if stops:
                self._clocks.setdefault(key, _Clock(time.monotonic()))
            if key in self._clocks:
                self._push(run, self._clocks[key])

    def kill(self, run: Run) -> None:
        """Send SIGKILL to what is left of an attempt, from the next tick on."""
        clock = self._clocks.setdefault(run.attempt_key, _Clock(time.monotonic()))
        if not clock.killed_at:
            clock.asked, clock.killed_at = True, time.monotonic()

    def forget(self, run: Run) -> None:
        """Forget an attempt that has ended."""
        self._clocks.pop(run.attempt_key, None)

    def _push(self, run: Run, clock: _Clock) -> None:
        now = time.monotonic()
        if not clock.asked:
            # many scripts print an evaluation, then save, and die of SIGTERM: it would tear the checkpoint of each rung
            if (
                run.state is State.PAUSING
                and now - clock.began < TIMING.grace * _SETTLED_WITHIN
                and self._unchanged(run) < TIMING.settle
            ):
                return
            self._send(run, signal.SIGTERM)
            self._send(run, signal.SIGCONT)
            clock.asked, clock.began = True, now
        elif clock.killed_at or now - clock.began > TIMING.grace:
            clock.killed_at = clock.killed_at or now
            self._send(run, signal.SIGKILL)
        if clock.killed_at and now - clock.killed_at > UNKILLABLE_SECONDS and not clock.warned:
            clock.warned = True
            self._warn(
                f"still running {duration(UNKILLABLE_SECONDS)} after SIGKILL; its slot stays occupied",
                run.id,
            )


def at_rung(sweep: Sweep, level_of: Callable[[Run], float]) -> list[ev.AnyEvent]:
    """Return the pauses of attempts at the length they were started for, for scripts that do not stop there themselves."""
    plan = sweep.plan
    if plan is None:
        return []
    return [
        ev.RunPausing(run=run.id, attempt=run.attempts[-1].number, why="it is at its rung")
        for run in sweep.alive()
        if run.state is State.RUNNING
        and not run.is_range_test
        and run.attempts[-1].until < plan.horizon
        and level_of(run) >= run.attempts[-1].until
    ]
