"""Text for fault messages: a value as the file would write it, the nearest known name, a list of names."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable
from typing import Any

_KINDS = {bool: "a boolean", str: "a string", list: "a list", dict: "a table"}
_SHOWN = 40
_LISTED = 50


def show(value: Any) -> str:
    """Return `value` as TOML would write it, clipped."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        clipped = value if len(value) <= _SHOWN else value[: _SHOWN - 1] + "…"
        return "".join(_character(each) for each in json.dumps(clipped, ensure_ascii=False))
    if isinstance(value, list):
        return "[]" if not value else f"a list of {len(value)}"
    if isinstance(value, dict):
        return "{}" if not value else f"a table with {names(list(value)[:3])}"
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    if isinstance(value, int) and abs(value) > 10**_SHOWN:
        return "a very large number"
    return str(value)


def found(value: Any) -> str:
    """Return `(found "ten", a string)`: the value, and its type if that is the problem."""
    kind = _KINDS.get(type(value))
    shown = kind if kind and not (isinstance(value, (list, dict)) and value) else None
    return f"(found {show(value)}, {shown})" if shown else f"(found {show(value)})"


def nearest(name: str, known: Iterable[str]) -> str | None:
    """Return the known name that was most likely meant."""
    import difflib  # a supervisor needs it never, and it takes 0.2 MiB

    by_simple = {_simple(each): each for each in known}
    close = difflib.get_close_matches(_simple(name), by_simple, n=1, cutoff=0.6)
    return by_simple[close[0]] if close else None


def names(known: Iterable[str]) -> str:
    """Return the names as a readable list; names with special characters are quoted like strings."""
    every = list(known)
    listed = (
        each if each.isascii() and each.isprintable() else show(each) for each in every[:_LISTED]
    )
    more = len(every) - _LISTED
    return ", ".join(listed) + (f" and {more:,} more" if more > 0 else "")


def did_you_mean(name: str, known: Iterable[str], kind: str) -> str:
    """Return the nearest name, if there is one, and the list."""
    known = list(known)
    near = nearest(name, known)
    listed = f"Known {kind}: {names(known)}." if known else f"There are no {kind}."
    return f"Did you mean {near}? {listed}" if near else listed


def _character(each: str) -> str:
    return each if each.isprintable() else f"\\u{ord(each):04X}"


def _simple(name: str) -> str:
    return name.lower().replace("-", "").replace("_", "").replace(" ", "")[:100]
