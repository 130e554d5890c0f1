"""Proposes patterns for `parse` from output in which nothing was read, and finds the lines that look like measurements.

A number is named by the words before it: "val loss: 0.31" is val_loss. A proposal consists of such words and their numbers, and
is returned only if `Capture` reads the lines with it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import msgspec

from lrtui.metrics.capture.capture import Capture
from lrtui.metrics.capture.misses import likely
from lrtui.metrics.capture.positions import NAMES
from lrtui.metrics.capture.presets import PRESETS
from lrtui.metrics.capture.reading import Reading
from lrtui.metrics.capture.tracebacks import Tracebacks
from lrtui.metrics.line import Found, one_by_one
from lrtui.text.clean import runaway

_SHOWN = 3
_LONGEST = 400
_MOST_FIELDS = 4
_VALUE = re.compile(
    r"(?<![\w./@-])[-+]?(?:(?:\d+\.?\d*|\.\d+)(?:e[-+]?\d+)?|nan|inf(?:inity)?)(?![\w])",
    re.IGNORECASE,
)
_SHARE = re.compile(r"/\d+\s*\(\s*(?=[\d.]+\s*%)")
"""Between a count and its percentage: "9815/10000 (98%)"."""
_ALONE = re.compile(r"[%,;:)\]}|]*(?:\s|$)")
"""What may follow a number that is read up to the next space."""
_FRAME = re.compile(r'\s*File ".*", line \d+')
"""A line of a traceback."""
_WORD = re.compile(r"[A-Za-z][\w@]*")
_PART = re.compile(r"[A-Za-z]+|\d+")
_SAME = {"accuracy": "acc", "validation": "val", "valid": "val", "eval": "val", "evaluation": "val"}
_SAME |= {"test": "val", "dev": "val", "training": "train"}
_SPLITS = frozenset({"val", "train"})


@dataclass(frozen=True, slots=True)
class _Field:
    """A number with the words before it."""

    name: str
    """Its name in a pattern."""
    label: str
    """The text from the first of its words to the number."""
    number: str
    """The pattern of the number."""
    rank: int
    """3 if its words name the deciding metric, 2 if they do together with the line's "val", 1 if they may mean it, else 0."""


def measurements(lines: Iterable[str], reading: Reading) -> list[str]:
    """Return up to three lines, of different shapes and in their order, that look most like measurements; [] if there are none."""
    shapes: dict[str, str] = {}
    tracebacks = Tracebacks()
    for line in lines:
        if not tracebacks.holds(line) and len(line) <= _LONGEST and not _FRAME.match(line):
            shapes.setdefault(_VALUE.sub("#", line), line)
    scored = {line: _score(_fields(line, reading), reading) for line in shapes.values()}
    least = (
        1.0 if max(scored.values(), default=0.0) >= 1 else 0.0
    )  # no other numbers beside known names
    best = sorted(
        (line for line in scored if scored[line] >= least), key=lambda line: -scored[line]
    )
    return [line for line in scored if scored[line] and line in best[:_SHOWN]]


def proposed(lines: Sequence[str], reading: Reading) -> list[str]:
    """Return patterns that read these lines, the deciding metric if it is in them; [] if none was found."""
    fields = {line: _fields(line, reading) for line in lines}
    placed = [line for line in lines if _has(fields[line], reading.unit)]
    deciding = sorted(
        (line for line in lines if _rank(fields[line])), key=lambda line: -_rank(fields[line])
    )
    for first in (*deciding, *placed):
        needed = [first] if first in placed else [*placed[:1], first]
        patterns = [pattern for line in needed if (pattern := _pattern(fields[line], reading))]
        if any(runaway(pattern) for pattern in patterns):
            continue
        wanted = reading.metric if first in deciding and reading.metric.isidentifier() else ""
        if _reads(patterns, lines, reading, wanted):
            return patterns
    return []


def fitting(lines: Sequence[str], reading: Reading) -> list[str]:
    """Return a `parse` for these lines, a preset or patterns; [] if nothing was found that reads more. Patterns that read something are kept.

    A preset that reads the deciding metric, or a name that may mean it, comes before patterns; any other comes after them.
    """
    given = [reading.parse] if isinstance(reading.parse, str) else list(reading.parse or ())
    before = names_read(given, lines, reading)
    if likely(reading.metric, before):
        return []
    given = given if before else []
    read = {name: names_read([*given, name], lines, reading) for name in PRESETS}
    more = {name: names for name, names in read.items() if set(names) > set(before)}
    for name, names in more.items():
        if reading.metric in names:
            return [*given, name]
    for name, names in more.items():
        if likely(reading.metric, names):
            return [*given, name]
    if patterns := proposed(measurements(lines, reading), reading):
        return [*given, *patterns]
    best = max(more, key=lambda name: len(more[name]), default="")
    return [*given, best] if best and not before else []


def _fields(line: str, reading: Reading) -> list[_Field]:
    splits = _parts(line) & _SPLITS
    found: list[_Field] = []
    end = 0
    for match in _VALUE.finditer(line):
        words = list(_WORD.finditer(line, end, match.start()))[-3:]
        end = match.end()
        if not words:
            continue
        names = [word[0] for word in words]
        rank = _meaning(names, splits, reading.metric)
        name, used = _named(names, reading)
        if rank:
            name, used = reading.metric if reading.metric.isidentifier() else name, len(names)
        elif _meaning(names, splits, reading.loss) > 1 and reading.loss.isidentifier():
            name, used = reading.loss, len(names)
        share = _SHARE.match(line, match.end()) if name != reading.unit else None
        label = line[words[-used].start() : share.end() if share else match.start()]
        found.append(_Field(name, label, _number(line, match, name == reading.unit), rank))
    return found


def _number(line: str, match: re.Match[str], is_position: bool) -> str:
    if is_position and match[0].isdigit():
        return r"\d+"
    return r"\S+" if _ALONE.match(line, match.end()) else r"[-+.\w]+"


def _named(words: list[str], reading: Reading) -> tuple[str, int]:
    """Return a number's name from the words before it, and how many of them it needs."""
    for used in (2, 1):
        joined = "_".join(words[-used:]).lower()
        if len(words) >= used and joined in (*NAMES[reading.unit], reading.position.lower()):
            return reading.unit, used
    used = min(2, len(words))
    return re.sub(r"\W", "_", "_".join(words[-used:])), used


def _meaning(words: list[str], splits: set[str], metric: str) -> int:
    """Return how surely these words, in a line that mentions `splits`, name a metric: a field's rank."""
    own, wanted = _parts(" ".join(words)), _parts(metric)
    if not wanted - _SPLITS or not wanted - _SPLITS <= own:
        return 0
    if wanted <= own:
        return 3
    if own & _SPLITS:
        return 0
    return 2 if wanted <= own | splits else int("train" not in splits)


def _parts(text: str) -> set[str]:
    return {_SAME.get(part, part) for part in _PART.findall(text.lower())}


def _rank(fields: list[_Field]) -> int:
    return max((field.rank for field in fields), default=0)


def _has(fields: list[_Field], name: str) -> bool:
    return any(field.name == name for field in fields)


def _score(fields: list[_Field], reading: Reading) -> float:
    named = 2 * _has(fields, reading.unit) + _has(fields, reading.loss)
    return 3 * _rank(fields) + named + 0.1 * min(len(fields), _MOST_FIELDS)


def _pattern(fields: list[_Field], reading: Reading) -> str:
    """Return a pattern for the position, the deciding metric and the loss of a line; for all its numbers if it has neither of the two."""
    by_name: dict[str, _Field] = {}
    for field in sorted(fields, key=lambda field: -field.rank):
        by_name.setdefault(field.name, field)
    kept = [field for field in fields if by_name.get(field.name) is field]
    known = {reading.unit, reading.metric, reading.loss}
    if {field.name for field in kept} & (known - {reading.unit}):
        kept = [field for field in kept if field.name in known or field.rank]
    return ".*?".join(
        rf"\b{_literal(field.label)}(?P<{field.name}>{field.number})"
        for field in kept[:_MOST_FIELDS]
    )


def _literal(label: str) -> str:
    """Return a label as a pattern in which counts may differ, with any amount of white space before the number."""
    words = re.sub(r"\d+", r"\\d+", " +".join(map(re.escape, label.split())))
    return words + r"\s*" * (label != label.rstrip())


def _reads(patterns: list[str], lines: Sequence[str], reading: Reading, metric: str) -> bool:
    """Return whether these patterns read the lines: at least one value of `metric`, if one is given."""
    read = names_read(patterns, lines, reading)
    return metric in read if metric else bool(read)


def names_read(patterns: Sequence[str], lines: Sequence[str], reading: Reading) -> list[str]:
    """Return the metrics that these patterns read from the lines, in the order in which they first appear."""
    capture = Capture(msgspec.structs.replace(reading, parse=tuple(patterns)))
    found: list[Found] = []
    capture.text("\n".join([*lines, ""]).encode(), found)
    capture.end(found, reading.horizon, ok=True)
    return list(dict.fromkeys(name for each in one_by_one(found) for name in each.values))
