"""The circuit breaker: launching is paused when several runs in a row fail at once. The loop reports every ending to it."""

from __future__ import annotations

from lrtui.supervisor.outcome import is_fast_failure
from lrtui.sweep import events as ev
from lrtui.sweep.state import Run, Sweep

FAST_FAILURES = 3


class CircuitBreaker:
    """Counts consecutive runs that failed at once; the count is lost with the supervisor."""

    def __init__(self) -> None:
        self._in_a_row = 0

    def after(self, sweep: Sweep, run: Run, lines: int) -> list[ev.AnyEvent]:
        """Return the events that follow from the end of a run that printed `lines` metric lines."""
        failed_fast = is_fast_failure(run, lines)
        if failed_fast is None:
            return []
        self._in_a_row = self._in_a_row + 1 if failed_fast else 0
        if self._in_a_row < FAST_FAILURES or sweep.brake is not None:
            return []
        ended = [each for each in sweep.runs.values() if each.ending is not None]
        last = max(ended, key=lambda each: each.ending.at if each.ending else 0.0)
        why = f"{FAST_FAILURES} runs in a row failed at once, the last with: {last.why}"
        return [ev.BrakeSet(on=True, why=why)]

    def forgive(self) -> None:
        """Reset the count: the user has intervened."""
        self._in_a_row = 0
