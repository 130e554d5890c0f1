"""The lines of read.jsonl, in which a converter puts what it took from files, each with where it goes on after it.

So a row and the place behind it are written by one write, and a converter that was killed is followed by one that loses and
doubles nothing.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import msgspec

from lrtui.metrics.capture.values import number
from lrtui.metrics.sources import Seen, Values

POLL_SECONDS = 0.25
"""A converter looks for new rows so often."""


class ReadSpec(msgspec.Struct):
    """read.json: what the converter of an attempt is to read; the keeper writes it as the supervisor said it."""

    patterns: list[str]
    """Absolute."""
    before: dict[str, Seen]
    """The files that were there before the attempt began, and how."""
    began: float
    position: str = ""
    """What the script calls the unit; "" for the usual names."""


class ReadLine(msgspec.Struct, omit_defaults=True):
    """A line of read.jsonl: a file, a row of it, a near miss, or records that are passed over."""

    file: int = -1
    """The number of the file in this read.jsonl."""
    path: str = ""
    first: int = 0
    """As in Source, where the line introduces a file."""
    at: int = 0
    """As in Row."""
    note: str = ""
    """What was passed over, and why."""
    older: list[int] = []
    """Names of records of trainer_state.json that an earlier attempt wrote."""
    row: dict[str, float | int | str] | None = None
    """Numbers by name; one that JSON lacks is a string."""


class Taken(NamedTuple):
    """What MetricLog needs of a line."""

    file: int
    values: Values | None
    note: str


_decoder = msgspec.json.Decoder(ReadLine)
_encoder = msgspec.json.Encoder()


def encoded(line: ReadLine) -> bytes:
    """Return a line, its end included."""
    return _encoder.encode(line) + b"\n"


def row_of(values: Values) -> dict[str, float | int | str]:
    """Return values as JSON can hold them."""
    return {n: v if math.isfinite(v) else str(v) for n, v in values.items()}


def decoded(line: bytes) -> ReadLine | None:
    """Return a line; None for one that is none."""
    try:
        return _decoder.decode(line)
    except (ValueError, RecursionError):
        return None


def taken(line: bytes) -> Taken | None:
    """Return what a line says to those who read measurements; None for one that is no line of a converter."""
    read = decoded(line)
    if read is None:
        return None
    if read.row is None:
        return Taken(read.file, None, read.note)
    values = {n: number(v) if isinstance(v, str) else float(v) for n, v in read.row.items()}
    return Taken(read.file, {n: v for n, v in values.items() if v is not None}, "")
