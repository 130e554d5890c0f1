"""TensorBoard's event files: scalars, as TensorFlow 1 (simple_value) and TensorFlow 2 and Keras (tensor) write them.

The format (TFRecord around `Event`) is read without TensorBoard: its reader trusts the lengths in a file, whatever memory they
cost, and importing it takes longer than reading a run.
"""

from __future__ import annotations

import struct

from lrtui.metrics.sources.framed import DamagedError, Framed, Step
from lrtui.metrics.sources.protobuf import (
    FIXED32,
    FIXED64,
    VARINT,
    children,
    double,
    fields,
    signed,
)
from lrtui.metrics.sources.source import LONGEST, Values

_HEAD, _FOOT = 12, 4
_HPARAMS = b"_hparams_/session_start_info"
_MOST_SETTINGS = 1000
_SCALARS = {1: ("<f", 4), 2: ("<d", 8), 3: ("<i", 4), 9: ("<q", 8)}
"""Of TensorProto's dtypes those that scalars have: float, double, int32, int64."""
_NUMBERS = {5: "<f", 6: "<d", 7: "", 10: ""}
"""TensorProto's fields of values: float_val, double_val, int_val, int64_val."""


class EventFile(Framed):
    """Follows an event file; the position is the step."""

    def _frame(self, buffer: bytes, at: int, offset: int) -> tuple[int, bytes | None] | None:
        del offset
        if at + _HEAD > len(buffer):
            return None
        length, checksum = struct.unpack_from("<QI", buffer, at)
        if checksum != _masked_crc32c(buffer[at : at + 8]):
            raise DamagedError("is damaged: the length of a record does not fit its checksum")
        whole = _HEAD + length + _FOOT
        if length > LONGEST:  # an image, a graph
            return whole, None
        if at + whole > len(buffer):
            return None
        return whole, buffer[at + _HEAD : at + _HEAD + length]

    def _measured(self, record: bytes) -> Step | None:
        step, values = 0, Values()
        wall = 0.0
        for number, kind, value in fields(record):
            if number == 1 and kind == FIXED64 and isinstance(value, bytes):
                wall = double(value)
            elif number == 2 and kind == VARINT and isinstance(value, int):
                step = signed(value)
            elif number == 5 and isinstance(value, bytes):
                for n, _, summary in fields(value):
                    if n == 1 and isinstance(summary, bytes):
                        _take(summary, values)
                        if _HPARAMS in summary:
                            self.settings.update(_hparams(summary))
        return (step, {"step": step, **values, "wall_time": wall}) if values else None


def _take(summary: bytes, values: Values) -> None:
    """Add the scalar of a Summary.Value, if it is one."""
    tag, found = "", None
    for number, kind, value in fields(summary):
        if not isinstance(value, bytes):
            continue
        if number == 1:
            tag = value.decode("utf-8", "replace")
        elif number == 2 and kind == FIXED32:
            found = struct.unpack("<f", value)[0]
        elif number == 8:
            found = _scalar(value)
    if tag and found is not None:
        values[tag] = found


def _hparams(summary: bytes) -> dict[str, object]:
    """Return the settings of the run in a Summary.Value of the HParams plugin."""
    found: dict[str, object] = {}
    for metadata in children(summary, 9):
        for plugin in children(metadata, 1):
            for content in children(plugin, 2):
                for info in children(content, 3):
                    for entry in children(info, 1)[:_MOST_SETTINGS]:
                        for value in children(entry, 2):
                            name = b"".join(children(entry, 1)[:1]).decode("utf-8", "replace")
                            found[name] = _plain(value)
    return found


def _plain(value: bytes) -> object:
    """Return a google.protobuf.Value that is a number, a string or a bool; None for any other."""
    for number, _, content in fields(value):
        if number == 2 and isinstance(content, bytes):
            return double(content)
        if number == 3 and isinstance(content, bytes):
            return content.decode("utf-8", "replace")
        if number == 4:
            return bool(content)
    return None


def _scalar(tensor: bytes) -> float | None:
    """Return the value of a TensorProto of one number; None for any other."""
    dtype, content, found = 0, b"", None
    for number, _, value in fields(tensor):
        if number == 1 and isinstance(value, int):
            dtype = value
        elif number == 2 and isinstance(value, bytes) and any(n == 2 for n, _, _ in fields(value)):
            return None  # it has dimensions
        elif number == 4 and isinstance(value, bytes):
            content = value
        elif number in _NUMBERS:
            found = _one(value, _NUMBERS[number])
    shape, size = _SCALARS.get(dtype, ("", -1))
    if len(content) == size:
        return float(struct.unpack(shape, content)[0])
    return found if dtype in _SCALARS else None


def _one(value: int | bytes, shape: str) -> float | None:
    """Return the number of a field that may be packed."""
    if isinstance(value, int):
        return signed(value)
    return (
        struct.unpack(shape, value)[0] if shape and len(value) == struct.calcsize(shape) else None
    )


def _masked_crc32c(data: bytes) -> int:
    crc = 0xFFFFFFFF
    for byte in data:
        crc = _TABLE[(crc ^ byte) & 255] ^ crc >> 8
    crc ^= 0xFFFFFFFF
    return ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF


def _crc_of(byte: int) -> int:
    for _ in range(8):
        byte = byte >> 1 ^ (0x82F63B78 if byte & 1 else 0)
    return byte


_TABLE = tuple(map(_crc_of, range(256)))
