"""Quantities as people read them: measured values, lengths of time, counts, units.

Whoever says something asks here: narration, log mode, verdict, study, report, the monitor's axes and panels.
"""

from __future__ import annotations

import math


def number(value: float | None) -> str:
    """Return a metric's value as people read it: 0.4123, 3.1e-05, nan, "-" where there is none."""
    if value is None:
        return "-"
    return f"{value:.4g}" if value == 0 or not 1e-3 <= abs(value) < 1e4 else f"{value:.4f}"[:7]


def duration(seconds: float) -> str:
    """Return a length of time in two units at most: 0.25s, 42s, 7m05s, 5m, 3h20m, 2d4h."""
    if math.isnan(seconds):
        return "nan"
    if seconds < 0:
        return f"-{duration(-seconds)}"
    if seconds < 10:
        return f"{seconds:.2g}s"
    whole = int(min(seconds, 1e9))
    if whole < 60:
        return f"{whole}s"
    if whole < 3600:
        return _both(whole // 60, "m", whole % 60, "02", "s")
    if whole < 86400:
        return _both(whole // 3600, "h", whole % 3600 // 60, "02", "m")
    return _both(whole // 86400, "d", whole % 86400 // 3600, "", "h")


def count(many: int, noun: str) -> str:
    """Return how many there are: "1 run", "3 runs"."""
    return f"{many} {noun}{'' if many == 1 else 's'}"


def plural(unit: str) -> str:
    """Return the plural of a unit of training: epochs, steps, tokens."""
    return unit if unit.endswith("s") else f"{unit}s"


def _both(large: int, name: str, small: int, digits: str, small_name: str) -> str:
    """Return two units; the large one alone where nothing is left for the small one."""
    return f"{large}{name}{small:{digits}}{small_name}" if small else f"{large}{name}"
