"""Segments, strips and figures: what every panel writes with.

`ink` is the door: text that came from outside is cleaned there, so no panel can forget to. Nothing here is ever markup.
"""

from __future__ import annotations

import math
import time
from functools import lru_cache

from rich.cells import cell_len, set_cell_size
from rich.segment import Segment
from rich.style import Style
from textual.strip import Strip

from lrtui.text.clean import clean

TEXT, FAINT, RULE, ACCENT = "#d0d7de", "#8b98a5", "#4b5560", "#79c0ff"


@lru_cache(maxsize=512)
def style(colour: str = "", *, bold: bool = False, reverse: bool = False, back: str = "") -> Style:
    """Return a style; always one, since NO_COLOR crashes on segments without."""
    return Style(color=colour or None, bgcolor=back or None, bold=bold, reverse=reverse)


def ink(text: str, colour: str = TEXT, *, bold: bool = False, reverse: bool = False) -> Segment:
    """Return a segment of cleaned text."""
    return Segment(clean(text), style(colour, bold=bold, reverse=reverse))


def line(*segments: Segment) -> Strip:
    """Return one line of the screen."""
    return Strip(segments)


def width_of(text: str) -> int:
    """Return how many cells a text takes."""
    return cell_len(text)


def fit(text: str, width: int, *, right: bool = False) -> str:
    """Return `text` in exactly `width` cells; what is cut off leaves an ellipsis."""
    text = clean(text)
    length = cell_len(text)
    if length > width:
        return set_cell_size(text, width - 1) + "…" if width > 0 else ""
    pad = " " * (width - length)
    return pad + text if right else text + pad


def number(value: float | None) -> str:
    """Return a measured value in at most 9 characters: .6412, 1.234, 2.3e+05, nan."""
    if value is None:
        return ""
    if not math.isfinite(value):
        return str(value)
    if value == 0:
        return "0"
    size = abs(value)
    if size < 1e-3 or size >= 1e5:
        return f"{value:.2e}"
    if size < 1:
        return f"{value:.4f}".replace("0.", ".", 1)
    return f"{value:.4g}" if size < 1e4 else f"{value:.0f}"


def amount(value: float) -> str:
    """Return a length such as an epoch or a step: 14, 2.5, 20k, 1.5M."""
    for size, letter in ((1e9, "G"), (1e6, "M"), (1e4, "k")):
        if abs(value) >= size:
            return f"{value / (1e3 if letter == 'k' else size):.4g}{letter}"
    return f"{value:.2f}".rstrip("0").rstrip(".")


def clock(seconds_from_now: float | None, now: float) -> str:
    """Return when something will be over, by the local clock; the date where that is more than a day away."""
    if seconds_from_now is None or not math.isfinite(seconds_from_now) or seconds_from_now > 1e9:
        return ""
    at = time.localtime(now + max(0.0, seconds_from_now) + 30)
    return time.strftime("%H:%M" if seconds_from_now < 86400 else "%d %b %H:%M", at)
