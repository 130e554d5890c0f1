"""Quantities as people read them: the only place that turns a number into text for a screen, a log line or the report.

One function for each quantity: measured values, learning rates, lengths of training, times, memory, counts. Numbers have a
leading zero. Everything here is text for people: files get the numbers themselves.
"""

from __future__ import annotations

import math
import time
from collections.abc import Collection


def number(value: float | None, missing: str = "-") -> str:
    """Return a measured value in at most 9 characters: 0.4123, 1.500, 97.20, 3.10e-05, nan; `missing` for None."""
    if value is None:
        return missing
    size = abs(value)
    if size == 0:
        return "0"
    if not math.isfinite(value):
        return str(value)
    if size < 1e-3 or size >= 1e5:
        return f"{value:.2e}"
    if size < 1:
        return f"{value:.4f}"
    return f"{value:#.4g}" if size < 999.5 else f"{value:.0f}"


def setting_value(value: float) -> str:
    """Return a value of a setting besides its LR, as short as an experiment file has it: 0.9, 0.0005, 1e-05."""
    return f"{value:g}"


def exponent_text(value: float) -> str:
    """Return the exponent of a law that was fitted: 0.52, -1.03."""
    return f"{value:.2f}"


def tolerance(value: float) -> str:
    """Return a difference that counts as none, with the digits that it was given: 0.005."""
    return f"{value:.3g}"


# ---------------------------------------------------------------- learning rates


def lr_text(lr: float) -> str:
    """Return an LR that is trained at, in its canonical form with as few digits as keep it apart: 3e-04, 6.25e-03."""
    for digits in range(16):
        text = f"{lr:.{digits}e}"
        if float(text) == lr:
            return text
    return f"{lr:.16e}"


def run_name(name: str, lr: float) -> str:
    """Return what a run goes by on every screen, log line and report: its letter, or its ID where no letters are shown, and its LR: C 3e-04.

    An LR of 0 is not known, of a run that lrtui did not start.
    """
    return f"{name} {lr_text(lr)}" if lr else name


def lr_rounded(lr: float | None, missing: str = "-") -> str:
    """Return an LR that was computed, with the two digits that it deserves: 1.8e-03; `missing` for None."""
    return missing if lr is None else f"{lr:.1e}"


def lr_range(low: float, high: float) -> str:
    """Return a stretch of LRs: 1.0e-03..3.2e-03."""
    return f"{lr_rounded(low)}..{lr_rounded(high)}"


def lr_interval(low: float, high: float, open_sides: Collection[str]) -> str:
    """Return an interval that may be open: 1.0e-03..3.2e-03, "≥ 1.0e-03, not bounded above". `open_sides` holds "below" and "above"."""
    match "below" in open_sides, "above" in open_sides:
        case False, False:
            return lr_range(low, high)
        case False, True:
            return f"≥ {lr_rounded(low)}, not bounded above"
        case True, False:
            return f"≤ {lr_rounded(high)}, not bounded below"
        case _:
            return "not bounded"


def decades(width: float) -> str:
    """Return the width of a stretch of LRs on log10(lr), without its unit: 0.7."""
    return f"{width:.1f}"


def factor(value: float) -> str:
    """Return a factor that was estimated, with the two digits that it deserves: 2.5, 0.14, 370."""
    short = f"{value:.2g}"
    return short if value < 100 or value >= 1e5 else f"{float(short):.0f}"


# ---------------------------------------------------------------- lengths of training, in epochs, steps or tokens


def amount(length: float) -> str:
    """Return a length of training, exact: 27, 2.5, 12000."""
    return f"{length:.10g}"


def amount_about(length: float) -> str:
    """Return a length of training that was measured or computed: 13.67 epochs, 12345 steps."""
    return f"{length:.4g}" if abs(length) < 1000 else f"{length:.0f}"


def amount_short(length: float) -> str:
    """Return a length of training for a narrow column or an axis: 14, 2.5, 20k, 1.5M."""
    for size, letter in ((1e9, "G"), (1e6, "M"), (1e4, "k")):
        if abs(length) >= size:
            return f"{length / (1e3 if letter == 'k' else size):.4g}{letter}"
    return f"{length:.2f}".rstrip("0").rstrip(".")


def amount_grouped(length: float) -> str:
    """Return a length of training with its thousands apart: 20,000 or 2.5; for sentences about an experiment file."""
    if float(length).is_integer():
        return f"{int(length):,}"
    return f"{length:,.6f}".rstrip("0")


# ---------------------------------------------------------------- time


def duration(seconds: float) -> str:
    """Return a length of time in two units at most: 0.25s, 42s, 7m05s, 5m, 3h20m, 2d4h."""
    if math.isnan(seconds):
        return "nan"
    if seconds < 0:
        return f"-{duration(-seconds)}"
    if seconds < 9.95:
        return f"{seconds:.2g}s"
    whole = int(min(seconds, 1e9))
    if whole < 60:
        return f"{whole}s"
    if whole < 3600:
        return _both(whole // 60, "m", whole % 60, "02", "s")
    if whole < 86400:
        return _both(whole // 3600, "h", whole % 3600 // 60, "02", "m")
    return _both(whole // 86400, "d", whole % 86400 // 3600, "", "h")


def finish_time(seconds: float | None, now: float) -> str:
    """Return when something will be over that takes `seconds` from `now`, by the local clock; with the date from a day on."""
    if seconds is None or not math.isfinite(seconds) or seconds > 1e9:
        return ""
    return clock_time(now + max(0.0, seconds) + 30, "%H:%M" if seconds < 86400 else "%d %b %H:%M")


def clock_time(at: float, form: str = "%H:%M:%S") -> str:
    """Return a time (seconds since 1970) by the local clock; "?" if no clock shows it: a damaged journal may hold any number."""
    try:
        return time.strftime(form, time.localtime(at))
    except (OverflowError, ValueError, OSError):
        return "?"


def speed(per_second: float, unit: str) -> str:
    """Return a pace above 0: 12.3/s, or for less than one a second 4.5s/ep."""
    return f"{per_second:.3g}/s" if per_second >= 1 else f"{1 / per_second:.3g}s/{unit}"


def _both(large: int, name: str, small: int, digits: str, small_name: str) -> str:
    """Return two units; only the large one if nothing is left for the small one."""
    return f"{large}{name}{small:{digits}}{small_name}" if small else f"{large}{name}"


# ---------------------------------------------------------------- memory and counts


def size(count: float) -> str:
    """Return a number of bytes: 512 B, 1.5 GiB."""
    for unit in ("B", "KiB", "MiB", "GiB"):
        if count < 1024:
            return f"{count:.0f} {unit}" if unit == "B" or count >= 100 else f"{count:.1f} {unit}"
        count /= 1024
    return f"{count:.1f} TiB"


def gib(mib: float) -> str:
    """Return MiB as a bare number of GiB, for a column that names the unit: 11.2, 141."""
    return f"{mib / 1024:.1f}" if mib < 102400 else f"{mib / 1024:.0f}"


def count(many: int, noun: str) -> str:
    """Return how many there are: "1 run", "3 runs"."""
    return f"{many} {noun}{'' if many == 1 else 's'}"


def plural(unit: str) -> str:
    """Return the plural of a unit of training: epochs, steps, tokens."""
    return unit if unit.endswith("s") else f"{unit}s"
