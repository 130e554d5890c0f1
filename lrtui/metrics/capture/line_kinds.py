"""The kinds of records in a script's output (lines that differ only in their numbers), and what is read from each."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field

from lrtui.metrics.capture.objects import objects
from lrtui.metrics.capture.patterns import Patterns
from lrtui.metrics.capture.reading import Reading

_NUMBER = re.compile(rb"[-+]?\d[\d.,]*(?:[eE][-+]?\d+)?|\b(?:nan|inf)\b")
_BAR = re.compile(rb"\|[^|]{1,200}\||[#=\-.>\xe2\x94-\x96\x80-\xbf]{3,}")
"""A progress bar, at any length."""
_SPACE = re.compile(rb"\s+")
_LONGEST = 400
"""The number of leading bytes of a record that determine its kind."""
_MOST = 1000
"""The maximum number of kinds; all others count as one."""
_MEASURED = re.compile(rb"[A-Za-z)\]]\W{0,4}[-+]?\d*\.\d")
"""A word followed by a number with a decimal point."""


@dataclass(slots=True)
class Kind:
    """Records of one shape."""

    example: bytes
    """The first of them."""
    times: int = 0
    taken: dict[str, float] = field(default_factory=dict)
    """What is read from the example."""

    @property
    def looks_measured(self) -> bool:
        """Whether nothing is read from it although it has a word followed by a fraction."""
        return not self.taken and bool(_MEASURED.search(self.example[:_LONGEST]))


def kinds(lines: Iterable[bytes], reading: Reading) -> list[Kind]:
    """Return the kinds of records, in the order in which they first appear."""
    patterns = Patterns(reading.parse)
    found: dict[bytes, Kind] = {}
    for line in lines:
        if not line.strip():
            continue
        shape = _SPACE.sub(b" ", _BAR.sub(b"=", _NUMBER.sub(b"0", line[:_LONGEST].strip())))
        kind = found.get(shape if len(found) < _MOST else b"")
        if kind is None:
            kind = found[shape if len(found) < _MOST else b""] = Kind(line)
            kind.taken = _taken(line, patterns)
        kind.times += 1
    return list(found.values())


def _taken(record: bytes, patterns: Patterns) -> dict[str, float]:
    """Return what `Capture` takes from a record: what the patterns match, else the objects in it."""
    matched = patterns.match(record)
    if matched is not None and matched.numbers:
        return matched.numbers
    numbers: dict[str, float] = {}
    for fields in objects(record, set()) if b"{" in record else ():
        numbers.update(fields)
    return numbers
