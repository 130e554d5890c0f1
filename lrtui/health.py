"""Rules that tell a dead run from a living one: pure functions over what a run has measured.

Each says why in words. None but `nan` stops a run where the experiment keeps all runs; a run that the user added or restarted
is never stopped by a rule.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

NAN_IN_A_ROW = 3
"""So many non-finite values of the loss end a run: one may be a spike that an optimizer survives."""


def nan(losses: Sequence[float], loss: str) -> str | None:
    """Return why a run has diverged: the last three values of its loss are not finite; else None."""
    latest = losses[-NAN_IN_A_ROW:]
    if len(latest) < NAN_IN_A_ROW or any(math.isfinite(value) for value in latest):
        return None
    return f"{loss} was {latest[-1]} {NAN_IN_A_ROW} times in a row"
