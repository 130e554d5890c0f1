"""The one door for text that came from outside: names, log lines, error texts, values of a configuration.

Everything that reaches a terminal or a report goes through `clean`. What a worker writes is untrusted: escape sequences
could write to the user's clipboard, forge a link or erase the screen, and no widget stops them (measured with Textual 8).
"""

from __future__ import annotations

import re
from typing import Any

LIMIT = 4096
"""Characters that one cleaned line has at most."""

_REPLACEMENT = "\ufffd"

_FORBIDDEN = (
    "\x00-\x1f\x7f-\x9f"  # C0, DEL, C1
    "\u00ad\u061c\u180e"  # soft hyphen, Arabic letter mark, Mongolian vowel separator
    "\u200b-\u200f\u2028-\u202e\u2060-\u206f"  # zero width, line separators, bidi
    "\ufe00-\ufe0f\ufeff\ufff9-\ufffb"  # variation selectors (they change a cell's width), BOM, annotations
    "\ud800-\udfff\U000e0000-\U000e01ef"  # surrogates, tags
)
_BAD = re.compile(f"[{_FORBIDDEN}]")
_SEQUENCE = re.compile(
    r"(?:\x1b\[|\x9b)[0-?]*[ -/]*[@-~]?"  # CSI, finished or not
    r"|(?:\x1b[\]P_^X]|[\x90\x98\x9d\x9e\x9f])[^\x07\x1b\x9c]*(?:\x07|\x1b\\|\x9c)?"  # OSC, DCS, APC, PM, SOS
    r"|\x1b[ -/]*[0-~]?"  # any other escape
)
_BREAK = re.compile(r"[\n\v\f\r]+")


def clean(text: str | bytes, limit: int = LIMIT) -> str:
    """Return `text` as one line that is safe to show: at most `limit` characters, no control, bidi or invisible ones.

    Escape sequences are dropped whole, line breaks become a space, tabs are expanded. Of a log's line (bytes) that overwrote
    itself (a progress bar) what stands after the last carriage return is kept; in a text it hides nothing that stands before
    it. Costs 0.4 us a clean line of 100 characters.
    """
    if isinstance(text, bytes):
        cut = text.rstrip(b"\r\n").replace(b"\r\n", b"\n").rpartition(b"\r")[2]
        text = cut[: limit * 8].decode("utf-8", "replace")
    if len(text) <= limit and not _BAD.search(text):
        return text
    text = text.rstrip("\r\n")[: limit * 8]
    text = _SEQUENCE.sub("", text)
    text = _BREAK.sub(" ", text)[:limit].expandtabs(8)
    return _BAD.sub(_REPLACEMENT, text)[:limit]


def clean_lines(data: bytes, limit: int = LIMIT) -> list[str]:
    r"""Return the lines of a log's bytes, each cleaned; a last line without its newline counts too."""
    lines = data.split(b"\n")
    if not lines[-1]:
        lines.pop()
    return [clean(line, limit) for line in lines]


def runaway(pattern: str) -> bool:
    """Return whether a regular expression could take exponential time on a hostile line, as `(a+)+$` does on "aaaa...!".

    That is so where something repeated may itself match in several ways: a repetition or an alternative inside a repetition
    that goes back into it. Atomic groups and possessive repetitions do not go back. Compiled patterns only: a pattern that
    `re` refuses is no runaway.
    """
    from re import _parser  # type: ignore[attr-defined]  # the standard library's own; no public form of it

    try:
        return _ambiguous(_parser.parse(pattern), inside=False)
    except (re.error, RecursionError, OverflowError):
        return False


_SEVERAL = 4
"""Repetitions of something ambiguous up to which the ways to match it stay few."""


def _ambiguous(tree: Any, *, inside: bool) -> bool:
    """Return whether a parsed pattern, perhaps inside a repetition, lets a repetition go back into another or an alternative."""
    for code, what in tree:
        name = str(code)
        if name in {"MAX_REPEAT", "MIN_REPEAT"}:
            least, most, body = what
            if inside and least != most:
                return True
            if _ambiguous(body, inside=inside or int(most) > _SEVERAL):
                return True
        elif name == "POSSESSIVE_REPEAT":
            if _ambiguous(what[2], inside=False):
                return True
        elif name == "BRANCH":
            if inside or any(_ambiguous(each, inside=False) for each in what[1]):
                return True
        elif name == "ATOMIC_GROUP":
            if _ambiguous(what, inside=False):
                return True
        elif name == "SUBPATTERN":
            if _ambiguous(what[3], inside=inside):
                return True
        elif name in {"ASSERT", "ASSERT_NOT"}:
            if _ambiguous(what[1], inside=False):
                return True
        elif name == "GROUPREF_EXISTS" and any(
            _ambiguous(each, inside=inside) for each in what[1:] if each is not None
        ):
            return True
    return False
