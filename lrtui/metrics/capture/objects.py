"""Objects inside a record: JSON behind a logging prefix, several on a line, and Python's repr of a dict."""

from __future__ import annotations

import ast
import re
import warnings
from typing import Any

import msgspec

from lrtui.metrics.capture.values import number

MOST_OBJECTS = 100
"""The maximum number of objects read from one record."""
_LONGEST_LITERAL = 1 << 16
"""The longest repr, in bytes, that is given to Python's parser."""
_DEEPEST = 32
_TRIES = 200
"""The maximum number of braces of one record at which an object is tried."""
_TOKEN = re.compile(rb'"(?:[^"\\]|\\.)*+"|\'(?:[^\'\\]|\\.)*+\'|[{}]')
_BARE = re.compile(
    rb'"(?:[^"\\]|\\.)*+"|\'(?:[^\'\\]|\\.)*+\''
    rb"|(?P<word>[+-]?\b(?:nan|inf|infinity)\b)"
    rb"|\b[A-Za-z_][\w.]*\((?P<scalar>[+-]?[\w.+-]+)[^()]*\)",
    re.IGNORECASE,
)
_anything = msgspec.json.Decoder()

Fields = dict[str, float]
"""Numbers by name; a nested object's are joined by "/"."""


def objects(record: bytes, nulls: set[str]) -> list[Fields]:
    """Return the numbers of each object in a record; names whose value is null are added to `nulls`."""
    stripped = record.strip()
    whole = _value(stripped, literal=False) if stripped[:1] in {b"{", b"["} else None
    if isinstance(whole, dict):
        return [flattened(whole, nulls)]
    if isinstance(whole, list):  # a whole history, printed at the end
        return [flattened(each, nulls) for each in whole if isinstance(each, dict)]
    found: list[Fields] = []
    at = 0
    for _ in range(_TRIES):
        at = record.find(b"{", at)
        if at < 0 or len(found) >= MOST_OBJECTS:
            break
        end = _end(record, at)
        value = _value(record[at:end], literal=True) if end else None
        if isinstance(value, dict):
            found.append(flattened(value, nulls))
            at = end
        else:
            at += 1
    return found


def flattened(value: dict[Any, Any], nulls: set[str]) -> Fields:
    """Return the numbers of an object."""
    numbers: Fields = {}
    _flatten("", value, numbers, nulls, _DEEPEST)
    return numbers


def _end(record: bytes, at: int) -> int:
    """Return where the object that begins at `at` ends; 0 if it does not end."""
    depth = 0
    for token in _TOKEN.finditer(record, at):
        if token[0] == b"{":
            depth += 1
            if depth > _DEEPEST:
                return 0
        elif token[0] == b"}":
            depth -= 1
            if depth == 0:
                return token.end()
    return 0


def _value(text: bytes, *, literal: bool) -> Any:
    """Return the value of JSON, bare nan allowed, or (`literal`) of Python's repr of a dict; None for neither."""
    try:
        return _anything.decode(text)
    except (ValueError, RecursionError):
        pass
    quoted = _BARE.sub(_quote, text)
    if quoted != text:
        try:
            return _anything.decode(quoted)
        except (ValueError, RecursionError):
            pass
    if not literal or len(text) > _LONGEST_LITERAL:
        return None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Python's parser warns of odd escapes on stderr
        try:
            return ast.literal_eval(quoted.decode("utf-8", "replace"))
        except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
            return None


def _quote(match: re.Match[bytes]) -> bytes:
    word = match["word"] or match["scalar"]
    return match[0] if word is None else b'"%b"' % word


def _flatten(
    prefix: str, value: dict[Any, Any], into: Fields, nulls: set[str], deeper: int
) -> None:
    for key, each in value.items():
        name = f"{prefix}/{key}" if prefix else str(key)
        if isinstance(each, float):
            into[name] = each
        elif isinstance(each, dict):
            if deeper:
                _flatten(name, each, into, nulls, deeper - 1)
        elif each is None:
            nulls.add(name)
        else:
            found = _scalar(each)
            if found is not None:
                into[name] = found


def _scalar(value: object) -> float | None:
    if isinstance(value, str):
        return number(value)
    if isinstance(value, bool) or not isinstance(value, int):
        return None
    try:
        return float(value)
    except OverflowError:
        return None
