"""One ASCII character for each that lrtui draws with, where the terminal's encoding or font has no others."""

# ruff: noqa: RUF001  # characters that look like others are what this table is about

from __future__ import annotations

import os
import sys
from functools import lru_cache

from rich.cells import cell_len

_BARS = dict(zip("▁▂▃▄▅▆▇█", "_.,-=+*#", strict=True))
_SIGNS = {
    "…": "~", "·": ".", "•": "*", "●": "*", "○": "o", "◐": "o", "×": "x", "✓": "v", "✗": "x", "±": "~", "≤": "<", "≥": ">",
    "↑": "^", "↓": "v", "←": "<", "→": ">", "⇧": "^", "⏎": "<", "▌": ">", "▐": "<", "─": "-", "━": "=", "│": "|", "┃": "|",
    "‖": "|", "═": "=", "║": "|", "—": "-", "–": "-", "“": '"', "”": '"', "‘": "'", "’": "'", "µ": "u", "η": "n", "α": "a",
}  # fmt: skip
"""Characters with a look-alike; other box-drawing ones become a plus."""


def wanted() -> bool:
    """Tell whether this process should draw in ASCII: LRTUI_ASCII says so, the locale is not UTF-8, or it is the Linux console.

    The console's font has no braille, which the curves are drawn with.
    """
    told = os.environ.get("LRTUI_ASCII", "")
    if told:
        return told != "0"
    encoding = (getattr(sys.__stderr__, "encoding", "") or "").lower().replace("-", "")
    return encoding != "utf8" or os.environ.get("TERM") == "linux"


@lru_cache(maxsize=4096)
def plain(char: str) -> str:
    """Return as many ASCII characters as the given one has cells."""
    if char < "\x7f":
        return char
    if "\u2800" <= char <= "\u28ff":
        return _dots(ord(char) - 0x2800)
    sign = _SIGNS.get(char) or _BARS.get(char)
    if sign is None:
        sign = "+" if "\u2500" <= char <= "\u257f" else "?"
    return sign * max(1, cell_len(char))


def _dots(bits: int) -> str:
    """Return a sign for a cell of braille dots: where it is filled, and how much."""
    top, middle, bottom = bits & 0x09, bits & 0x36, bits & 0xC0
    many = bits.bit_count()
    if not bits:
        return " "
    if many >= 5:
        return "#"
    if top and not middle and not bottom:
        return "'" if many == 1 else '"'
    if bottom and not middle and not top:
        return "." if many == 1 else "_"
    return ":" if top and bottom else "-" if many <= 2 else "+"
