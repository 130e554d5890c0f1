"""One metric line: strict JSON, with everything else that workers write in its place taken, passed over, or counted."""

from __future__ import annotations

import contextlib
import math
import re
from collections.abc import Iterator
from typing import Any

import msgspec

from lrtui.sweep.events import Unit
from lrtui.text.clean import runaway

MOST_NAMES = 256
"""Metrics that one run may have; further names are ignored, so that a script cannot fill our memory with them."""
LONGEST_TEXT = 1 << 12
"""Bytes of a text line that a user's `parse` pattern sees: a pattern with several `.*` takes a power of them."""
AXES = ("step", "epoch", "tokens", "time")
"""Fields of a metric line that say where it stands; every other number is a metric."""
_NAME = re.compile(r"[A-Za-z0-9_./-]{1,64}")
_WORDS = {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}
_BARE = re.compile(rb'"(?:[^"\\]|\\.)*"|-?\bInfinity\b|\bNaN\b')

_numbers = msgspec.json.Decoder(dict[str, float])
_anything = msgspec.json.Decoder()


class Measurement(msgspec.Struct, frozen=True, gc=False):
    """One metric line. A msgspec.Struct since it is made in 0.2 us, a frozen dataclass in 1.3."""

    level: float
    """Value of the plan's unit; finite, not negative."""
    step: float | None
    epoch: float | None
    tokens: float | None
    time: float | None
    """Seconds since the attempt began."""
    values: dict[str, float]
    """Every other number by its name; nan and infinities are data."""


class Decoder:
    """Turns a line into a Measurement, or None where it is no metric line."""

    def __init__(self, unit: Unit) -> None:
        self._unit = unit
        self.known: set[str] = set()
        """Names seen so far that are well formed: checking a line against them costs 0.1 us."""

    def decode(self, line: bytes) -> Measurement | None:
        """Return what one line of JSON measured."""
        try:
            fields: dict[str, float] | None = _numbers.decode(line)
        except (msgspec.MsgspecError, ValueError, RecursionError):
            fields = _lenient(line)
        if fields is None:
            return None
        step = fields.pop("step", None)
        epoch = fields.pop("epoch", None)
        tokens = fields.pop("tokens", None)
        time = fields.pop("time", None)
        unit = self._unit
        level = step if unit == "step" else epoch if unit == "epoch" else tokens
        if level is None or not 0.0 <= level < math.inf:
            return None
        if not self.known.issuperset(fields):
            fields = self._named(fields)
        return Measurement(level, step, epoch, tokens, time, fields)

    def fields(self, fields: dict[str, float]) -> Measurement | None:
        """Return what named numbers (of a pattern) measured."""
        level = fields.get(self._unit)
        if level is None or not 0.0 <= level < math.inf:
            return None
        step, epoch, tokens, time = (fields.pop(axis, None) for axis in AXES)
        return Measurement(level, step, epoch, tokens, time, self._named(fields))

    def _named(self, fields: dict[str, float]) -> dict[str, float]:
        kept = {}
        for name, value in fields.items():
            if name in self.known:
                kept[name] = value
            elif len(self.known) < MOST_NAMES and _NAME.fullmatch(name):
                self.known.add(name)
                kept[name] = value
        return kept


def _lenient(line: bytes) -> dict[str, float] | None:
    """Return the numbers of a JSON object that holds other things too: "NaN" as a word or a string, null, text."""
    try:
        found = _anything.decode(line)
    except RecursionError:
        return None
    except ValueError:  # msgspec's errors and UnicodeDecodeError are ValueErrors
        if b"NaN" not in line and b"Infinity" not in line:
            return None
        found = _with_bare_words(line)
    if not isinstance(found, dict):
        return None
    numbers: dict[str, float] = {}
    for name, value in found.items():
        number = _number(value)
        if number is not None:
            numbers[name] = number
    return numbers


def _with_bare_words(line: bytes) -> Any:
    """Decode a line on which Python's json wrote NaN or Infinity bare; None where it is not JSON even so."""
    quoted = _BARE.sub(
        lambda match: match[0] if match[0].startswith(b'"') else b'"%b"' % match[0], line
    )
    try:
        return _anything.decode(quoted)
    except (ValueError, RecursionError):
        return None


def _number(value: object) -> float | None:
    """Return the number that a decoded JSON value stands for; None for what is no number."""
    if isinstance(value, str):
        return _WORDS.get(value)
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    try:
        return float(value)
    except OverflowError:
        return None


class Pattern:
    """A user's regular expression for scripts that print text: its named groups are the fields."""

    def __init__(self, pattern: str | None) -> None:
        self._regex: re.Pattern[str] | None = None
        if pattern is not None and not runaway(pattern):
            # A bad pattern is refused when the experiment is loaded; here (a copied journal's) it merely matches nothing.
            with contextlib.suppress(re.error, RecursionError, OverflowError):
                self._regex = re.compile(pattern)

    def __bool__(self) -> bool:
        return self._regex is not None

    def fields(self, line: bytes) -> Iterator[dict[str, float]]:
        """Yield the numbers of each match on a line; a progress bar's line holds several, split by CR."""
        if self._regex is None:
            return
        for part in line.split(b"\r"):
            match = self._regex.search(part[:LONGEST_TEXT].decode("utf-8", "replace"))
            if match:
                yield _group_numbers(match)


def _group_numbers(match: re.Match[str]) -> dict[str, float]:
    numbers = {}
    for name, text in match.groupdict().items():
        if text is None:  # the group took no part in the match
            continue
        with contextlib.suppress(ValueError):
            numbers[name] = float(text.rstrip(",;"))
    return numbers
