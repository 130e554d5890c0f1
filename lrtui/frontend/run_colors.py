"""The letter and the colour of each run, which it keeps for as long as the monitor is open.

Letters follow the order in which the journal names the runs. Colours follow the LR from cold to hot; they are the steps
of a diverging scale that people with any of the three colour-vision deficiencies tell apart (ColorBrewer's RdYlBu, lightened
for a dark ground). A run that is added later takes the colour between its neighbours', so no other run changes its own; one
beyond all others takes the free colour that is nearest to that end.
"""

from __future__ import annotations

import bisect
import itertools
from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType

from msgspec import Struct

Stop = tuple[int, int, int]
_APART = 0.618034
"""Steps of the golden ratio: however many runs there are, the next one's colour differs from the last ones'."""
_ROOM = 0.2
"""The width between two places of the scale from which on the colour between them differs clearly from both."""
STOPS: tuple[Stop, ...] = (
    (0x5B, 0x8F, 0xF9),
    (0x4F, 0xC3, 0xF7),
    (0xA5, 0xE3, 0xE8),
    (0xF2, 0xF2, 0xC8),
    (0xFF, 0xD5, 0x66),
    (0xFF, 0xA2, 0x45),
    (0xFF, 0x6E, 0x4A),
    (0xE8, 0x3F, 0x6F),
)
LIGHT_STOPS: tuple[Stop, ...] = (
    (0x14, 0x0A, 0x78),
    (0x1F, 0x45, 0xFF),
    (0x2F, 0x6F, 0x7A),
    (0x00, 0x9D, 0xBD),
    (0x90, 0x95, 0x00),
    (0xB5, 0x70, 0x3F),
    (0x8A, 0x25, 0x08),
    (0xC2, 0x15, 0x7A),
)
"""On a light ground, in the monitor as in the report."""


class RunMark(Struct, frozen=True):
    """How one run is distinguished from the others."""

    letter: str
    colour: str


def letter(index: int) -> str:
    """Return A..Z, AA, AB, ... for 0, 1, ..."""
    text = ""
    index += 1
    while index:
        index, rest = divmod(index - 1, 26)
        text = chr(65 + rest) + text
    return text


def heat(place: float, stops: Sequence[Stop] = STOPS) -> str:
    """Return the colour at a place of the scale: 0 cold, 1 hot."""
    at = min(max(place, 0.0), 1.0) * (len(stops) - 1)
    low = min(int(at), len(stops) - 2)
    part = at - low
    channels = (round(a + (b - a) * part) for a, b in zip(stops[low], stops[low + 1], strict=True))
    return "#" + "".join(f"{channel:02x}" for channel in channels)


def spread(lrs: Iterable[float]) -> dict[float, float]:
    """Return each LR's place on the scale where all come at once: evenly by rank, the lowest cold."""
    each = sorted(set(lrs))
    return {lr: rank / max(1, len(each) - 1) for rank, lr in enumerate(each)}


def place_of(colour: str) -> float | None:
    """Return the place whose `heat` is this colour; None if it is not a colour of the scale."""
    wanted = tuple(int(colour[i : i + 2], 16) for i in (1, 3, 5))
    for low, (start, end) in enumerate(itertools.pairwise(STOPS)):
        span = [b - a for a, b in zip(start, end, strict=True)]
        along = sum((w - a) * s for w, a, s in zip(wanted, start, span, strict=True))
        part = min(max(along / sum(s * s for s in span), 0.0), 1.0)
        off = max(abs(a + s * part - w) for a, s, w in zip(start, span, wanted, strict=True))
        if off < 1:
            return (low + part) / (len(STOPS) - 1)
    return None


class RunColors:
    """Gives out letters and colours; the app owns the only one."""

    def __init__(self) -> None:
        self._marks: dict[str, RunMark] = {}
        self._places: list[tuple[float, float]] = []
        """(LR, place on the scale), ascending."""

    def of(self, runs: Iterable[tuple[str, float]]) -> Mapping[str, RunMark]:
        """Return the marks of all runs, given as (id, LR) in the journal's order; an LR of 0 has no place between others."""
        new = [(run, lr) for run, lr in runs if run not in self._marks]
        if new and not self._places:
            self._places = list(spread(lr for _, lr in new).items())
        for run, lr in new:
            order = len(self._marks)
            place = self._place(lr) if lr > 0 else order * _APART % 1
            self._marks[run] = RunMark(letter(order), heat(place))
        return MappingProxyType(dict(self._marks)) if new else MappingProxyType(self._marks)

    def _place(self, lr: float) -> float:
        at = bisect.bisect_left(self._places, (lr, -1.0))
        if at < len(self._places) and self._places[at][0] == lr:
            return self._places[at][1]
        if 0 < at < len(self._places):
            place = (self._places[at - 1][1] + self._places[at][1]) / 2
        else:
            place = self._free(from_hot=at > 0)
        self._places.insert(at, (lr, place))
        return place

    def _free(self, *, from_hot: bool) -> float:
        """Return the middle of the gap nearest to one end that has room for a colour, of the widest if none has."""
        taken = sorted({0.0, *(place for _, place in self._places), 1.0}, reverse=from_hot)
        gaps = [(abs(b - a), (a + b) / 2) for a, b in itertools.pairwise(taken)]
        return next((middle for gap, middle in gaps if gap >= _ROOM), max(gaps)[1])
