"""An ASCII replacement for each character that lrtui draws with, for terminals whose encoding or font has only ASCII."""

# ruff: noqa: RUF001  # this table is about characters that look alike

from __future__ import annotations

import os
import sys
from functools import lru_cache

from rich.cells import cell_len

_BARS = dict(zip("▁▂▃▄▅▆▇█", "_.,-=+*#", strict=True))
_SIGNS = {
    "…": "~", "·": ".", "•": "*", "●": "*", "○": "o", "◌": "o", "◍": "o", "◔": "o", "◆": "#", "■": "#", "▽": "v", "▲": "^", "▼": "v", "∞": "8", "┊": ":", "×": "x", "★": "*", "✓": "v", "✗": "x", "±": "~", "≤": "<", "≥": ">",
    "↑": "^", "↓": "v", "←": "<", "→": ">", "⇧": "^", "⏎": "<", "▌": ">", "▐": "<", "─": "-", "━": "=", "│": "|", "┃": "|",
    "✔": "v", "✖": "x", "‖": "|", "═": "=", "║": "|", "—": "-", "–": "-", "“": '"', "”": '"', "‘": "'", "’": "'", "░": ".", "▒": ":", "▓": "%", "µ": "u", "η": "n", "α": "a",
}  # fmt: skip
"""Characters with an ASCII look-alike; other box-drawing characters become a plus."""


def wanted() -> bool:
    """Return whether to draw in ASCII: LRTUI_ASCII is set, the locale is not UTF-8, or the terminal is the Linux console.

    The console's font lacks the braille characters of the curves.
    """
    told = os.environ.get("LRTUI_ASCII", "")
    if told:
        return told != "0"
    encoding = (getattr(sys.__stderr__, "encoding", "") or "").lower().replace("-", "")
    return encoding != "utf8" or os.environ.get("TERM") == "linux"


@lru_cache(maxsize=4096)
def plain(char: str) -> str:
    """Return ASCII characters as wide as the given one."""
    if char < "\x7f":
        return char
    if "\u2800" <= char <= "\u28ff":
        return _dots(ord(char) - 0x2800)
    sign = _SIGNS.get(char) or _BARS.get(char)
    if sign is None:
        sign = "+" if "\u2500" <= char <= "\u257f" else "?"
    return sign * max(1, cell_len(char))


def _dots(bits: int) -> str:
    """Return an ASCII character for a cell of braille dots, by which dots are set and how many."""
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
