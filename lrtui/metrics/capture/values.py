"""Numbers as programs print them: `0.97`, `92.5%`, `1,000`, `0.7]`, `tensor(0.5)`, `0.91(2)`, and every spelling of nan and infinity."""

from __future__ import annotations

import math
import re

_OPENING = " \t([{'\"="
_CLOSING = " \t)]}'\"%,;:|.*↑↓"
_THOUSANDS = re.compile(r"[+-]?[1-9]\d{0,2}(?:,\d{3})+(?:\.\d*)?(?:[eE][+-]?\d+)?")
_NUMBER = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?")
_WRAPPED = re.compile(r"[A-Za-z_][\w.]*\(\s*([^\s,()]+)[^()]*\)?")
"""The repr of a scalar of numpy, torch or jax: np.float64(0.5), tensor(0.5, device='cuda:0')."""
_BESIDE = re.compile(rf"({_NUMBER.pattern})\s*(?:\(|±|\+/-|\+-).*")
"""A value with its error or its average beside it: 0.91(2), 0.91 ± 0.02, 45.3(44.1)."""
_WORD = re.compile(
    r"([+-]?)(?:(nan(?:\(\w*\))?)|(inf(?:inity)?)|1\.#(?:(qnan|snan|ind)|(inf))0*)", re.IGNORECASE
)
_LONGEST = 80


def number(text: str) -> float | None:
    """Return the number in a text, nan and infinities included; None if it is not a number."""
    if len(text) > _LONGEST:
        return None
    text = text.lstrip(_OPENING).replace("\N{MINUS SIGN}", "-")
    word = _WORD.match(text)
    if word and not text[word.end() :].strip(_CLOSING):
        if word[2] or word[4]:
            return math.nan
        return -math.inf if word[1] == "-" else math.inf
    wrapped = _WRAPPED.fullmatch(text.rstrip(" \t,;"))
    if wrapped:
        return number(wrapped[1])
    if beside := _BESIDE.fullmatch(text):
        return float(beside[1])
    text = text.rstrip(_CLOSING)
    if _THOUSANDS.fullmatch(text):
        text = text.replace(",", "")
    return float(text) if _NUMBER.fullmatch(text) else None
