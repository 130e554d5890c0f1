"""Near misses: records that looked like measurements and were not taken, with the reason and the names that were seen."""

from __future__ import annotations

import re

import msgspec

from lrtui.text.clean import clean
from lrtui.text.format import count

_QUOTED = 160
_KINDS = 8
"""The maximum number of different reasons remembered."""
_LISTED = 12
_CUTOFF = 0.6


class Miss(msgspec.Struct):
    """Records that were skipped for one reason."""

    why: str
    times: int
    """The number of records; 0 for a sentence about no record."""
    quote: str
    """The first of them, safe to show."""
    said: bool = False
    """Whether it is reported even if the run measures all that is needed."""


class Misses:
    """The near misses of one attempt; bounded in memory."""

    def __init__(self) -> None:
        self._by_why: dict[str, Miss] = {}

    def note(self, why: str, record: bytes, *, said: bool = False, times: int = 1) -> None:
        """Count one skipped record, or `times` records of which this is the last."""
        miss = self._by_why.get(why)
        if miss is not None:
            miss.times += times
        elif len(self._by_why) < _KINDS:
            self._by_why[why] = Miss(why, times, clean(record.strip(), _QUOTED), said)

    def say(self, text: str) -> None:
        """Remember a sentence about skipped files."""
        if len(self._by_why) < _KINDS:
            self._by_why.setdefault(text, Miss(clean(text, 2 * _QUOTED), 0, ""))

    def state(self) -> list[Miss]:
        """Return all near misses."""
        return list(self._by_why.values())

    def told(self, *, said: bool = False) -> list[str]:
        """Return a sentence for each reason: files first, then those always reported, then the most frequent; with `said` only those always reported."""
        every = sorted(
            self._by_why.values(), key=lambda miss: (miss.times > 0, not miss.said, -miss.times)
        )
        every = [miss for miss in every if miss.said or not said]
        return [
            f"{count(miss.times, 'record')} {_agreeing(miss.why, miss.times)}: {miss.quote}"
            if miss.times
            else miss.why
            for miss in every
        ]


_OF_ONE = {"say": "says", "are": "is", "have": "has", "match": "matches"}


def _agreeing(why: str, times: int) -> str:
    """Return a reason whose verb agrees with the number of records."""
    verb, space, rest = why.partition(" ")
    return f"{_OF_ONE.get(verb, verb) if times == 1 else verb}{space}{rest}"


def missing(metric: str, names: list[str]) -> str:
    """Return a sentence that a metric was not printed, which ones were, and which may be meant."""
    name = clean(metric)
    if metric in names:
        return f"no value of {name} has a place in training"
    if not names:
        return f"no value of {name} was read"
    listed = ", ".join(clean(each, 80) for each in names[:_LISTED])
    more = f" and {len(names) - _LISTED} more" if len(names) > _LISTED else ""
    meant = likely(metric, names)
    hint = f"; did you mean {clean(meant, 80)}?" if meant else ""
    return f"no value of {name} was read{hint} (names read: {listed}{more})"


def likely(metric: str, names: list[str]) -> str:
    """Return the name most like a metric's, the first of equals; "" if none is similar.

    A training name comes last for a validation metric, and the other way round.
    """
    import difflib  # a supervisor seldom needs it, and it takes 0.2 MiB

    def likeness(name: str) -> float:
        return difflib.SequenceMatcher(None, _simple(metric), _simple(name)).ratio()

    def is_other(name: str) -> bool:
        return {_data(metric), _data(name)} == {"training", "validation"}

    near = [name for name in names if likeness(name) >= _CUTOFF]
    return max(near, key=lambda name: (not is_other(name), likeness(name)), default="")


def _data(name: str) -> str:
    """Return the data that a metric's name says it was measured on."""
    words = set(re.split(r"[^a-z]+", name.lower()))
    if words & {"train", "training", "tr"}:
        return "training"
    return "validation" if words & {"val", "valid", "validation", "eval", "test", "dev"} else ""


def _simple(name: str) -> str:
    return "".join(filter(str.isalnum, name.lower()))[:100]
