"""Segments, strips and number formats for all panels.

`ink` is the door: text that came from outside is cleaned there, so no panel can forget to. Nothing here is ever markup.
"""

from __future__ import annotations

from functools import lru_cache

from rich.cells import cell_len, set_cell_size
from rich.segment import Segment
from rich.style import Style
from textual.strip import Strip

from lrtui.text.clean import clean

TEXT, FAINT, RULE, ACCENT = "#d0d7de", "#8b98a5", "#4b5560", "#79c0ff"
HIGHLIGHT = "#243040"
"""The background of the line under a list's cursor."""


@lru_cache(maxsize=512)
def style(colour: str = "", *, bold: bool = False, reverse: bool = False, back: str = "") -> Style:
    """Return a style; never None, because segments without a style crash under NO_COLOR."""
    return Style(color=colour or None, bgcolor=back or None, bold=bold, reverse=reverse)


def ink(text: str, colour: str = TEXT, *, bold: bool = False, reverse: bool = False) -> Segment:
    """Return a segment of cleaned text."""
    return Segment(clean(text), style(colour, bold=bold, reverse=reverse))


def line(*segments: Segment) -> Strip:
    """Return one line of the screen."""
    return Strip(segments)


def width_of(text: str) -> int:
    """Return the width of a text in cells."""
    return cell_len(text)


def fit(text: str, width: int, *, right: bool = False) -> str:
    """Return `text` in exactly `width` cells, with an ellipsis if it is cut off."""
    text = clean(text)
    length = cell_len(text)
    if length > width:
        return set_cell_size(text, width - 1) + "…" if width > 0 else ""
    pad = " " * (width - length)
    return pad + text if right else text + pad
