"""The small words of a verdict: numbers, lengths, LRs and ranges of them, as people read them.

Every other chapter that says something uses these; log mode, narration, study and report use `number` and `length`.
"""

from __future__ import annotations

from collections.abc import Sequence

from lrtui.events import Plan


def number(value: float | None) -> str:
    """Return a metric's value as people read it: 0.4123, 3.1e-05, nan, "-" where there is none."""
    if value is None:
        return "-"
    return f"{value:.4g}" if value == 0 or not 1e-3 <= abs(value) < 1e4 else f"{value:.4f}"[:7]


def length(plan: Plan, level: float | None) -> str:
    """Return a length of training in the plan's unit: "epoch 4", "step 12000"."""
    return f"{plan.unit} {0 if level is None else level:.10g}"


def count(things: Sequence[object], noun: str) -> str:
    """Return how many there are: "1 run", "3 runs"."""
    return f"{len(things)} {noun}{'' if len(things) == 1 else 's'}"


def two_digits(lr: float) -> str:
    """Return an LR that was interpolated, with the digits that it deserves: 1.8e-03."""
    return f"{lr:.1e}"


def span(ends: tuple[float, float]) -> str:
    """Return a stretch of LRs: 1.0e-03..3.2e-03."""
    return f"{two_digits(ends[0])}..{two_digits(ends[1])}"
