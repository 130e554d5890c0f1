"""Wording shared by the chapters of the verdict: lengths.

Log mode uses `length` too.
"""

from __future__ import annotations

from lrtui.sweep.events import Plan
from lrtui.text.format import amount


def length(plan: Plan, level: float | None) -> str:
    """Return a length of training in the plan's unit: "epoch 4", "step 12000"."""
    return f"{plan.unit} {amount(level or 0)}"
