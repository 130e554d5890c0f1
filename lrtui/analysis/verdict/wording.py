"""The small words of a verdict: lengths, ranges of LRs.

The chapters that say something use them; log mode uses `length`.
"""

from __future__ import annotations

from lrtui.sweep.events import Plan


def length(plan: Plan, level: float | None) -> str:
    """Return a length of training in the plan's unit: "epoch 4", "step 12000"."""
    return f"{plan.unit} {0 if level is None else level:.10g}"


def two_digits(lr: float) -> str:
    """Return an LR that was interpolated, with the digits that it deserves: 1.8e-03."""
    return f"{lr:.1e}"


def span(ends: tuple[float, float]) -> str:
    """Return a stretch of LRs: 1.0e-03..3.2e-03."""
    return f"{two_digits(ends[0])}..{two_digits(ends[1])}"
