"""W&B's files (run-ID.wandb): history records, as `wandb` writes them offline and online.

The format (a LevelDB log around `Record`) is read without wandb, which has no reader in Python any more.
"""

from __future__ import annotations

import struct
from pathlib import Path

import msgspec

from lrtui.metrics.sources.framed import DamagedError, Framed, Step
from lrtui.metrics.sources.protobuf import children, fields
from lrtui.metrics.sources.source import LONGEST, Start, Values, number_of

_MAGIC = b":W&B\xe1\xbe"
_BLOCK = 1 << 15
_HEAD = 7
_WHOLE, _FIRST, _LAST = 1, 2, 4
_MOST_SETTINGS = 1000


class WandbFile(Framed):
    """Follows a W&B file; the position is `_step`."""

    def __init__(self, path: Path, start: Start | None = None) -> None:
        """Follow a file."""
        super().__init__(path, start)
        self._parts = b""
        self._is_long = False

    def _frame(self, buffer: bytes, at: int, offset: int) -> tuple[int, bytes | None] | None:
        if offset == 0:
            if len(buffer) < _HEAD:
                return None
            if buffer[:6] != _MAGIC or buffer[6] != 0:
                raise DamagedError(f"is no W&B file of version 0 (it begins with {buffer[:7]!r})")
            return _HEAD, None
        left = _BLOCK - offset % _BLOCK
        if left < _HEAD:
            return (left, None) if at + left <= len(buffer) else None
        if at + _HEAD > len(buffer):
            return None
        length, kind = struct.unpack_from("<HB", buffer, at + 4)
        if not _WHOLE <= kind <= _LAST or _HEAD + length > left:
            raise DamagedError("is damaged: a record does not fit its block")
        if at + _HEAD + length > len(buffer):
            return None
        part = buffer[at + _HEAD : at + _HEAD + length]
        if kind in (_WHOLE, _FIRST):
            self._parts, self._is_long = b"", False
        self._is_long = self._is_long or len(self._parts) + length > LONGEST
        self._parts = b"" if self._is_long else self._parts + part
        if kind not in (_WHOLE, _LAST):
            return _HEAD + length, None
        return _HEAD + length, self._parts

    def _measured(self, record: bytes) -> Step | None:
        values: Values = {}
        for history in children(record, 2):
            for item in children(history, 1):
                _take(item, values)
        self._note(record)
        values.pop("_runtime", None)
        if "_timestamp" in values:
            values["wall_time"] = values.pop("_timestamp")
        if not values.keys() - {"_step", "wall_time"}:
            return None
        return values.get("_step", -1.0), values

    def _note(self, record: bytes) -> None:
        """Remember the run's configuration and its exit code."""
        configs = children(record, 5) + [
            c for run in children(record, 17) for c in children(run, 4)
        ]
        for config in configs:
            for item in children(config, 1):
                name, text = _named(item)
                if name and len(self.settings) < _MOST_SETTINGS:
                    self.settings[name] = msgspec.json.decode(text)
        for ended in children(record, 18):
            codes = [value for n, _, value in fields(ended) if n == 1 and isinstance(value, int)]
            self.exit_code = codes[0] if codes else 0


def _take(item: bytes, values: Values) -> None:
    """Add the numbers of a HistoryItem."""
    name, text = _named(item)
    if text[:1] == b"{":
        from lrtui.metrics.capture.objects import flattened

        content = msgspec.json.decode(text)
        if "_type" not in content:  # a histogram, an image
            inner = flattened(content, set())
            values.update({f"{name}/{each}": number for each, number in inner.items()})
    elif name and (found := number_of(text.decode("utf-8", "replace"))) is not None:
        values[name] = found


def _named(item: bytes) -> tuple[str, bytes]:
    """Return the name and the JSON of an item: (nested_)key and value_json."""
    key, nested, text = "", [], b""
    for n, _, value in fields(item):
        if not isinstance(value, bytes):
            continue
        if n == 1:
            key = value.decode("utf-8", "replace")
        elif n == 2:
            nested.append(value.decode("utf-8", "replace"))
        elif n == 16:
            text = value
    return key or "/".join(nested), text
