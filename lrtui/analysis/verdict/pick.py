"""Chooses which of the tried LRs to recommend, and reports what decided between near ties.

`recommend` calls `pick` if there is more than one candidate.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from lrtui.analysis import gaussian_process
from lrtui.analysis.verdict.answer import Reason, Why
from lrtui.analysis.verdict.case import Case
from lrtui.analysis.verdict.observations import is_wall, observations_of
from lrtui.analysis.verdict.points import Point
from lrtui.text.format import lr_text, number

OPEN = 2.0
"""The curve may prefer an LR to the one that measured best if it is at most this many standard deviations behind."""
NEAR = 1.0
"""An LR beside the cliff gives way to one that is at most this many standard deviations worse."""
TIE = 0.25
"""Two LRs are tied, and val_loss decides, if they differ by less than this many standard deviations of their difference."""


def pick(case: Case, candidates: list[Point]) -> tuple[Point, list[Reason]]:
    """Return the LR to recommend, and what decided between near ties.

    The highest point of the curve through all results: the single highest result is often the luckiest. Among LRs that
    cannot be told from it, one beside the cliff gives way, for its next seed may fall off (simulated sweeps of digits with Adam: 0.4 points lost
    on average instead of the highest result's 1.1); then the lower val loss decides. Where the noise is not known, the results as they are.
    """
    scores = {point.lr: case.score(point) for point in candidates}
    doubts = dict.fromkeys(scores, 0.0)
    observations = observations_of(case)
    if case.noise is not None and len(candidates) > 1 and len(observations) > 2:
        # The curve says nothing beyond the cliff, and speaks only where the results leave it open.
        candidates = [p for p in candidates if _is_open(case, p, candidates, observations)]
        fitted = gaussian_process.fit(observations)
        for lr in scores:
            scores[lr], doubts[lr] = fitted.at(math.log10(lr))

    def lead(points: list[Point], tie: float) -> tuple[Point, list[Point]]:
        first = max(points, key=lambda p: (scores[p.lr], -(p.val_loss or 0.0), -p.lr))
        near = {p.lr: tie * math.hypot(doubts[first.lr], doubts[p.lr]) for p in points}
        return first, [p for p in points if scores[first.lr] - scores[p.lr] <= near[p.lr]]

    highest, tied = lead(candidates, NEAR)
    safe = [point for point in tied if not _is_beside_cliff(case, point, observations)]
    best, tied = lead(safe or candidates, TIE)
    told = []
    if best is not highest:
        fell = "the next learning rate above it fell off"
        words = (
            f"{lr_text(highest.lr)} is no worse by the curve, but {fell}: the safer one of the two"
        )
        told.append(Reason(Why.CLIFF, words, ((highest.lr, f"not recommended: {fell}"),)))
    if len(tied) > 1 and all(point.val_loss is not None for point in tied):
        lowest = min(tied, key=lambda p: (p.val_loss, -scores[p.lr], p.lr))
        if lowest is not best and lowest.val_loss != best.val_loss:
            losses = f"{number(lowest.val_loss)} against {number(best.val_loss)}"
            words = f"tied with {lr_text(best.lr)}; its val_loss is lower ({losses})"
            told.append(Reason(Why.TIE, words))
            best = lowest
    return best, told


def _is_open(
    case: Case,
    point: Point,
    candidates: list[Point],
    observations: Sequence[gaussian_process.Observation],
) -> bool:
    """Return whether an LR was fitted, and no other one measured better by more than the noise allows."""
    highest = max(candidates, key=case.score)
    doubt = math.sqrt((case.variance(point) or 0.0) + (case.variance(highest) or 0.0))
    near = case.score(point) >= case.score(highest) - OPEN * doubt
    return near and any(o.x == case.place(point) for o in observations)


def _is_beside_cliff(
    case: Case, point: Point, observations: Sequence[gaussian_process.Observation]
) -> bool:
    above = [other for other in case.points if other.lr > point.lr]
    return bool(above) and is_wall(case, above[0], observations)
