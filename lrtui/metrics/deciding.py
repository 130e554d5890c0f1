"""What a metric's name says: whether it is measured in evaluations, which direction is better, and which metric to rank runs by."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Literal

EVALUATES = re.compile(
    r"(?:^|[_/. -])(?:val|valid|validation|eval|evaluation|dev|test)", re.IGNORECASE
)
_SMALLER = re.compile(r"loss|err|perplexity|ppl|mae|mse|rmse|nll|wer|fid|bpc|bpb", re.IGNORECASE)
_LARGER = re.compile(r"acc|auc|f1|iou|bleu|rouge|precision|recall|score|map|psnr|r2", re.IGNORECASE)
_LOSS = re.compile(r"loss", re.IGNORECASE)
_COUNTS = re.compile(r"(?:^|[_/. -])(?:lr|learning_rate|runtime|time|seconds|step|epoch)s?(?:$|[_/. -])|per_second|grad_norm", re.IGNORECASE)  # fmt: skip
"""Metrics by which no run is ranked."""


def goal_of(metric: str) -> Literal["max", "min", ""]:
    """Return the better direction of a metric by its name; "" if the name does not say it."""
    if _SMALLER.search(metric):
        return "min"
    return "max" if _LARGER.search(metric) else ""


def is_accuracy(metric: str) -> bool:
    """Return whether a metric is a share of right answers by its name: val_acc, Accuracy."""
    return "acc" in metric.lower()


def deciding(found: Mapping[str, int], runs: int) -> tuple[str, Literal["max", "min"]] | None:
    """Return the default metric to rank runs by, and its direction; None without metrics.

    It is the first of: an accuracy of evaluations, a loss of evaluations, another score of evaluations, a loss, an accuracy, any other. Among
    several, the one that most runs have; then the one with the shortest name.

    Args:
        found: the number of runs that have each metric.
        runs: the number of runs that have any metric; one that fewer than half of them have comes after all others.

    """
    if not found:
        return None
    best = min(found, key=lambda m: (2 * found[m] < runs, _family(m), -found[m], len(m), m))
    return best, goal_of(best) or "max"


def _family(metric: str) -> int:
    if _COUNTS.search(metric):
        return 6
    if EVALUATES.search(metric) and goal_of(metric):
        return 0 if is_accuracy(metric) else 1 if _LOSS.search(metric) else 2
    return 3 if _LOSS.search(metric) else 4 if goal_of(metric) else 5
