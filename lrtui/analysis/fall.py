"""What short runs of a whole schedule say about the full one: how far its best LR lies below theirs.

`search.pilots` places runs by it, `verdict.interval` draws from it. Measured on 26 workloads with schedules that decay:
docs/decisions/one-full-run.md.
"""

from __future__ import annotations

FALL = 0.15
"""Decades by which the best LR falls when the whole schedule is three times as long."""
FALL_DOUBT = 0.3
"""Standard deviation of where the best LR of full runs lies, seen from the longest pilots': the interval holds it in 9 of 10 searches then."""
