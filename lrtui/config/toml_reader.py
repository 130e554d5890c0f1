"""Reads one TOML text key by key, and collects every fault with its position instead of stopping at the first.

Each getter returns the checked value; if the key is missing or invalid it returns the default, so that the caller
continues and finds the other faults too.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence
from pathlib import Path as Folder
from typing import Any

from lrtui.config.fault_text import did_you_mean, found, names
from lrtui.config.toml_positions import Path, Places, Span, locate
from lrtui.errors import ExperimentError, Fault
from lrtui.text import toml

MOST_RUNS = 1000
"""The most runs of an experiment, and the most values of an axis."""
SHOWN = 20
"""The number of faults shown; more are only counted."""
_UNSAFE = re.compile(
    "[\x00-\x1f\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ud800-\udfff]"
)
_KEPT = 200
"""The number of faults kept, because each holds its whole line; more are only counted."""
_WIDTH = 160
_CARETS = 80
_KEY = re.compile(r"\s*([^=]*[^=\s])\s*=")

Values = dict[str, Any]


class Reader:
    """One experiment file while it is being checked."""

    def __init__(self, text: str, path: str) -> None:
        """Parse `text`.

        Raises:
            ExperimentError: the text is not TOML.

        """
        self.path = path
        self.text = text
        self.lines = text.split("\n")
        self.faults: list[Fault] = []
        self.left_out = 0
        self.beside: Folder | None = None
        """The folder in which the user's own files are looked up; None skips that check."""
        self.templates: Folder | None = None
        """The folder of the files that [files] names; None if it is not known."""
        self.notes: list[str] = []
        self.places = Places()
        self.data = self._parse()
        self.places = locate(text)

    def _parse(self) -> Values:
        try:
            values: Values = toml.loads(self.text)
        except RecursionError:
            self.fault(
                (), "the file is nested too deeply", "No key of an experiment needs this depth."
            )
        except ValueError as error:  # TOMLDecodeError, and int() of thousands of digits
            self._syntax_fault(str(error))
        else:
            return values
        raise ExperimentError(self.path, self.faults)

    def _syntax_fault(self, message: str) -> None:
        """Record the parser's error at its position; a duplicate key is reported at the second one."""
        line, column = self._syntax_place(message)
        what = _harmless(message.partition(" (at ")[0])
        source = self._source(line, column, 1)
        length = 1
        key = _KEY.match(source) if what.startswith("Cannot overwrite") else None
        if key:
            column, length = key.start(1) + 1, len(key[1])
            what = f"{key[1]} is defined twice{self._first_place(key[1], line)}"
        elif "digits" in what:
            what = "a number has thousands of digits"
        hint = _syntax_hint(what, source)
        self.faults.append(Fault(line, column, length, f"this is not TOML: {what}", hint, source))

    def _syntax_place(self, message: str) -> tuple[int, int]:
        """Return line and column of a syntax error; the position after the last character at the end of the document."""
        at = re.search(r" \(at line (\d+), column (\d+)\)$", message)
        if at:
            return int(at[1]), int(at[2])
        if not message.endswith(" (at end of document)"):
            return 0, 0
        line = max((i for i, each in enumerate(self.lines, 1) if each.strip()), default=1)
        return line, len(self.lines[line - 1].rstrip()) + 1

    def _first_place(self, key: str, line: int) -> str:
        places = locate(self.text).keys.items()
        first = next((at.line for path, at in places if path[-1] == key and at.line < line), None)
        return f", first on line {first}" if first else ""

    # Faults

    def fault(self, path: Path, what: str, hint: str, *, key: bool = False, part: str = "") -> None:
        """Record a fault at the value of `path`, at its key, or at `part` of the value; () has no position."""
        if len(self.faults) >= _KEPT:
            self.left_out += 1
            return
        span = self.places.key(path) if key else self.places.value(path)
        span = self._narrow(span, part) if span and part else span
        what, hint = _harmless(what), _harmless(hint)
        if span is None:
            self.faults.append(Fault(0, 0, 1, what, hint, ""))
        else:
            self.faults.append(self._at(span, what, hint))

    def count(self) -> int:
        """Return the number of faults so far."""
        return len(self.faults) + self.left_out

    def raise_faults(self) -> None:
        """Raise all recorded faults, in the order of the file.

        Raises:
            ExperimentError: there are faults.

        """
        if not self.faults:
            return
        ordered = sorted(self.faults, key=lambda fault: (fault.line or math.inf, fault.column))
        if len(ordered) > SHOWN:
            more = f"and {self.count() - SHOWN:,} more faults"
            ordered = [*ordered[:SHOWN], Fault(0, 0, 1, more, "Fix these first.", "")]
        raise ExperimentError(self.path, ordered)

    def spelled(self, path: Path) -> str:
        """Return a value as it is written in the file."""
        span = self.places.value(path)
        return self.text[span.start : span.end] if span else ""

    def is_short(self, path: Path, value: list[Any]) -> bool:
        """Return whether a list is short enough for an axis; record a fault if not."""
        if len(value) <= MOST_RUNS:
            return True
        what = f"{path[-1]} has {len(value):,} values; at most {MOST_RUNS:,} are allowed"
        self.fault(path, what, "Every value is tried with every LR.", key=True)
        return False

    def drop(self, key: str) -> None:
        """Drop a key whose faults are all recorded."""
        self.data.pop(key, None)

    def _narrow(self, span: Span, part: str) -> Span:
        """Return the position of `part` in the first line of `span`, or `span` if it is not there."""
        offset = self.text.find(part, span.start, span.start + span.length) - span.start
        if offset < 0:
            return span
        start = span.start + offset
        return Span(span.line, span.column + offset, len(part), start, start + len(part))

    def _at(self, span: Span, what: str, hint: str) -> Fault:
        length = min(span.length, _CARETS)
        source = self._source(span.line, span.column, length)
        return Fault(span.line, span.column, length, what, hint, source)

    def _source(self, line: int, column: int, length: int) -> str:
        """Return a line of the file, harmless to a terminal and with every character in its column."""
        raw = self.lines[line - 1].rstrip("\r") if 0 < line <= len(self.lines) else ""
        end = max(_WIDTH, column + length)
        clipped = raw if len(raw) <= end else raw[: end - 1] + "…"
        return _harmless(clipped)

    # Getters: a wrong value is a fault, and the default is returned

    def has(self, key: str) -> bool:
        """Return whether the file has this key at its top."""
        return key in self.data

    def flag(self, key: str, *, default: bool) -> bool:
        """Return true or false."""
        return bool(
            self._checked(key, default, lambda value: isinstance(value, bool), "true or false")
        )

    def whole(self, key: str, default: int, low: int, high: int, example: str) -> int:
        """Return a whole number from `low` to `high`; 1e4 is read as 10000."""
        wanted = (
            f"a whole number from {low} to {high}"
            if high < 10**6
            else f"a whole number, {low} or more"
        )
        return int(
            self._checked(key, default, lambda value: is_whole(value, low, high), wanted, example)
        )

    def number(
        self,
        key: str,
        default: float | None,
        accept: Callable[[float], bool],
        wanted: str,
        example: str,
    ) -> float | None:
        """Return a finite number for which `accept` is true."""

        def good(value: Any) -> bool:
            return is_number(value) and accept(value)

        value = self._checked(key, default, good, wanted, example)
        return None if value is None else float(value)

    def string(
        self, key: str, default: str, wanted: str = "a string that is not empty", example: str = ""
    ) -> str:
        """Return a string with at least one visible character and without control characters."""
        return str(self._checked(key, default, is_text, wanted, example))

    def choice(self, key: str, default: str, choices: Sequence[str]) -> str:
        """Return one of `choices`."""
        value = self.data.get(key, default)
        if value in choices and isinstance(value, str):
            return value
        listed = " or ".join(f'"{choice}"' for choice in choices)
        hint = did_you_mean(str(value), choices, "values")
        self.fault((key,), f"{key} must be {listed} {found(value)}", hint)
        return default

    def table(self, key: str) -> Values:
        """Return a table; {} if there is none."""
        return dict(self._checked(key, {}, lambda value: isinstance(value, dict), "a table"))

    def unknown(self, path: Path, known: Sequence[str], kind: str) -> None:
        """Record a fault: the last part of `path` is not one of the known names."""
        name = str(path[-1])
        self.fault(
            path, f"unknown {kind} {names([name])}", did_you_mean(name, known, f"{kind}s"), key=True
        )

    def _checked(
        self, key: str, default: Any, accept: Callable[[Any], bool], wanted: str, example: str = ""
    ) -> Any:
        if key not in self.data:
            return default
        value = self.data[key]
        if accept(value):
            return value
        hint = f"Try: {key} = {example}" if example else "Remove it to use the default."
        self.fault(
            (key,), f"{key} must be {wanted} {found(value)}", self._unquoted(value, accept) or hint
        )
        return default

    @staticmethod
    def _unquoted(value: Any, accept: Callable[[Any], bool]) -> str:
        """Return the hint if the value would be valid without its quotes."""
        inner = literal(value) if isinstance(value, str) else None
        return (
            f"Drop the quotes: {str(value).strip()}" if inner is not None and accept(inner) else ""
        )


def literal(text: str) -> Any:
    """Return the number or boolean that `text` would be without quotes; None if it is neither."""
    try:
        value = toml.loads(f"x = {text.strip()}").get("x")
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, (bool, int, float)) else None


def is_number(value: Any) -> bool:
    """Return whether it is a finite number; true and false are not numbers."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return False
    try:
        return math.isfinite(float(value))
    except OverflowError:
        return False


def is_whole(value: Any, low: int, high: int) -> bool:
    """Return whether it is a whole number in the range."""
    return is_number(value) and value == int(value) and low <= value <= high


def is_text(value: Any) -> bool:
    """Return whether it is a string with visible and without control characters."""
    return isinstance(value, str) and bool(value.strip()) and not _UNSAFE.search(value)


def _harmless(text: str) -> str:
    """Return text with control characters replaced; every character keeps its column."""
    return _UNSAFE.sub(lambda bad: " " if bad[0] == "\t" else "\ufffd", text)


def _syntax_hint(what: str, source: str) -> str:
    for words, hint in _SYNTAX:
        if words in what:
            return hint.replace("SOURCE", source.partition("=")[0].strip() or "key")
    return "TOML in one page: https://toml.io/en/v1.1.0"


_SYNTAX = (
    ("defined twice", "Keep one of them; a list tries several values."),
    ("Duplicate inline table key", "A key is defined twice in this table; keep one of them."),
    ("twice", "A table is defined twice; put its keys under one [header]."),
    ("Unclosed array", "The list lacks its closing bracket: SOURCE = [1e-3, 1e-2]"),
    (
        "Unclosed inline table",
        "The table lacks its closing brace: { grid = 8, from = 1e-5, to = 1e-1 }",
    ),
    ("Unterminated string", 'The string lacks its closing quote: SOURCE = "..."'),
    ('Expected "\'"', "The string lacks its closing quote: SOURCE = '...'"),
    ("Expected '=' after a key", "A line is KEY = VALUE, or a # comment, or a [table]."),
    ("Unescaped '\\'", "Single quotes keep backslashes: parse = 'step (?P<step>\\d+)'"),
    ("Illegal character '\\n'", 'The string lacks its closing quote: SOURCE = "..."'),
    (
        "Invalid initial character for a key part",
        "A key is missing here; a table is { grid = 8, from = 1e-5, to = 1e-1 }",
    ),
    (
        "Invalid value",
        'Strings need quotes ("adam"); numbers look like 0.1 or 1e-3; booleans are true and false.',
    ),
    (
        "Expected newline or end",
        "One KEY = VALUE per line; numbers look like 0.5 (not 5. or 05); lists are in [ ].",
    ),
    ("thousands of digits", "No number of an experiment needs that many."),
)
