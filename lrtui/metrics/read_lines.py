"""The lines of read.jsonl: what a converter read from files, each line with the place at which reading continues.

A row and that place are written by one write, so a converter that replaces a killed one neither loses nor repeats a row.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import msgspec

from lrtui.metrics.capture.values import number
from lrtui.metrics.sources import Seen, Values

POLL_SECONDS = 0.25
"""Seconds between two reads of a converter."""


class ReadSpec(msgspec.Struct):
    """read.json: what the converter of an attempt reads; the keeper writes it for the supervisor."""

    patterns: list[str]
    """Absolute patterns."""
    before: dict[str, Seen]
    """The files that existed before the attempt began, each as it was then."""
    began: float
    position: str = ""
    """What the script calls the unit; "" for the usual names."""


class ReadLine(msgspec.Struct, omit_defaults=True):
    """A line of read.jsonl: a file, a row of it, a near miss, or skipped records."""

    file: int = -1
    """The number of the file in this read.jsonl."""
    path: str = ""
    first: int = 0
    """As in Source, if the line introduces a file."""
    at: int = 0
    """As in Row."""
    note: str = ""
    """What was skipped, and why."""
    older: list[int] = []
    """Names of records of trainer_state.json that an earlier attempt wrote."""
    row: dict[str, float | int | str] | None = None
    """Numbers by name; nan and infinities, which JSON lacks, are strings."""


class Taken(NamedTuple):
    """The part of a line that MetricLog needs."""

    file: int
    values: Values | None
    note: str


_decoder = msgspec.json.Decoder(ReadLine)
_encoder = msgspec.json.Encoder()


def encoded(line: ReadLine) -> bytes:
    """Return a line as bytes, with its newline."""
    return _encoder.encode(line) + b"\n"


def row_of(values: Values) -> dict[str, float | int | str]:
    """Return values as JSON can hold them, nan and infinities as strings."""
    return {n: v if math.isfinite(v) else str(v) for n, v in values.items()}


def decoded(line: bytes) -> ReadLine | None:
    """Return a parsed line; None if it is invalid."""
    try:
        return _decoder.decode(line)
    except (ValueError, RecursionError):
        return None


def taken(line: bytes) -> Taken | None:
    """Return the part of a line that readers of measurements need; None if it is invalid."""
    read = decoded(line)
    if read is None:
        return None
    if read.row is None:
        return Taken(read.file, None, read.note)
    values = {n: number(v) if isinstance(v, str) else float(v) for n, v in read.row.items()}
    return Taken(read.file, {n: v for n, v in values.items() if v is not None}, "")
