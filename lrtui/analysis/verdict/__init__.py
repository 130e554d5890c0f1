"""The verdict: which learning rate to use, how certain that is, and why. A pure function of the sweep.

Supervisor, monitor, log mode and report all call `verdict`. Of each group (the settings that differ only in their LR) it
takes the results at the full length, or, before any run has come so far, at the deepest complete rung; fits a Gaussian process to
them over log10(lr); and recommends an LR that was tried and trained to the end, and of which no seed died.

Seed-bootstrap and quadratic-fit intervals at a nominal 90 % covered 7-47 % of the true optima; the coverage of these is printed by
`python -m tests.benchmarks.calibration`.

The chapters, in the order in which they build on each other: `scale` and `results`, then `points` (one per LR) and `case` (all
about one group), then `observations`, `pick`, `noise`, `equal` and `interval` (what the curve says), then `answer`, `reasons` and
`unanswered` (how it is said). `recommend` goes through them; `wording` and `pasting` are for the modules that show the answer.
"""

from __future__ import annotations

from lrtui.analysis.verdict.answer import Noise, Reason, Verdict, Why
from lrtui.analysis.verdict.pasting import paste
from lrtui.analysis.verdict.points import Point
from lrtui.analysis.verdict.recommend import sensitivity, verdict, verdicts
from lrtui.analysis.verdict.results import groups
from lrtui.analysis.verdict.wording import length

__all__ = [
    "Noise",
    "Point",
    "Reason",
    "Verdict",
    "Why",
    "groups",
    "length",
    "paste",
    "sensitivity",
    "verdict",
    "verdicts",
]
