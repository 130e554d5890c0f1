"""Fields of a protobuf message, without its schema: all that event files and W&B's files need, instead of two heavy libraries."""

from __future__ import annotations

import struct
from collections.abc import Iterator

VARINT, FIXED64, BYTES, FIXED32 = 0, 1, 2, 5
_LONGEST_VARINT = 70


def fields(message: bytes) -> Iterator[tuple[int, int, int | bytes]]:
    """Yield (number, wire type, value) for each field: an int for a varint, bytes for all others.

    Raises:
        ValueError: the message is cut off or invalid.

    """
    at, end = 0, len(message)
    while at < end:
        key, at = _varint(message, at)
        number, kind = key >> 3, key & 7
        if kind == VARINT:
            value, at = _varint(message, at)
            yield number, kind, value
            continue
        if kind == BYTES:
            length, at = _varint(message, at)
        elif kind in (FIXED64, FIXED32):
            length = 8 if kind == FIXED64 else 4
        else:
            raise ValueError(f"no wire type {kind}")
        if length > end - at:
            raise ValueError("cut off")
        yield number, kind, message[at : at + length]
        at += length


def children(message: bytes, number: int) -> list[bytes]:
    """Return the values of a field that is text, bytes or a message, in order."""
    return [value for n, _, value in fields(message) if n == number and isinstance(value, bytes)]


def double(value: bytes) -> float:
    """Return the number in a fixed64 field that is a double."""
    return float(struct.unpack("<d", value)[0])


def signed(value: int) -> int:
    """Return the int64 that a varint encodes."""
    return value - (1 << 64) if value >> 63 else value


def _varint(message: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while shift < _LONGEST_VARINT:
        if at >= len(message):
            raise ValueError("cut off")
        byte = message[at]
        at += 1
        value |= (byte & 127) << shift
        if byte < 128:
            return value & (1 << 64) - 1, at
        shift += 7
    raise ValueError("no varint")
