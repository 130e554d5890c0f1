"""What a training script calls: one call, one metric line.

    from lrtui import emit

    emit(step=120, epoch=2.5, train_loss=1.9, val_acc=0.41)

Under lrtui the line goes to the attempt's metric file (`LRTUI_METRICS`, set by the supervisor); without lrtui it
is printed, so that the script stays useful alone. In a job of several processes only rank 0 writes
(`RANK`, as torchrun sets it). Standard library only, and little of it: every worker pays for this import, with any Python from 3.8 on.

A line is written by one `write` to a file opened for appending, so a reader that takes whole lines never sees
half of one, and a worker killed between two calls loses nothing. Trouble with the disk never ends a training:
the line is dropped and counted (`dropped()`), what was half written is cut off again, and the next call tries anew.
"""

from __future__ import annotations

import json
import math
import os
import sys
import time

UNITS = ("epoch", "step", "tokens")
_BEGAN = time.monotonic()
_LONGEST_NAME = 128
_NAMES: set[str] = set()
"""The names that passed the check."""
_in_json = json.JSONEncoder(separators=(",", ":"), allow_nan=False).encode


def emit(**metrics: object) -> None:
    """Append one metric line: strict JSON, in the order of the arguments, then `time`.

    Args:
        metrics: at least one of `epoch`, `step`, `tokens`; every other name is a metric. Values are numbers,
            scalars of numpy or torch (anything with `.item()`), or None for "not measured". `time` is seconds
            since this process imported lrtui, unless given.

    Raises:
        TypeError: a value is not a number, or is a tensor of several numbers.
        ValueError: `epoch`, `step` and `tokens` are all missing; a name is empty, longer than 128 characters or not printable.

    """
    if os.environ.get("RANK", "0") not in {"", "0"}:
        return
    if all(metrics.get(unit) is None for unit in UNITS):
        raise ValueError("emit needs epoch, step or tokens: emit(step=120, train_loss=0.7)")
    line = {name: _number(name, value) for name, value in metrics.items()}
    line.setdefault("time", round(time.monotonic() - _BEGAN, 3))
    _OUTPUT.write(_in_json(line) + "\n")


def restart_clock() -> None:
    """Count `time` from now, in a process that was forked after the import."""
    global _BEGAN  # noqa: PLW0603
    _BEGAN = time.monotonic()


def dropped() -> int:
    """Return the number of lines that this process could not write."""
    return _OUTPUT.dropped


def _number(name: str, value: object) -> int | float | str | None:
    """Return `value` as JSON can hold it; non-finite floats as "NaN", "Infinity", "-Infinity"."""
    if name not in _NAMES:
        if not (0 < len(name) <= _LONGEST_NAME and name.isprintable()):
            raise ValueError(
                f"a metric's name is 1 to {_LONGEST_NAME} printable characters (found {name!r:.60})"
            )
        _NAMES.add(name)
    if type(value) is float and math.isfinite(value):
        return value
    if not isinstance(value, (bool, int, float)) and hasattr(value, "item"):
        try:
            value = value.item()
        except (ValueError, RuntimeError) as error:  # numpy raises the first, torch the second
            raise TypeError(
                f"emit({name}=...) needs one number; take its mean first ({error})"
            ) from None
    if value is None or (isinstance(value, int) and not isinstance(value, bool)):
        return value
    if not isinstance(value, float):
        raise TypeError(
            f"emit({name}=...) needs a number (found {type(value).__name__} {value!r:.60})"
        )
    if math.isfinite(value):
        return float(value)
    return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"


class _Output:
    """The metric file; opened at the first line, reopened after an error."""

    def __init__(self) -> None:
        self.dropped = 0
        self._path = ""
        self._fd = -1
        self._torn = False

    def write(self, line: str) -> None:
        """Write one line or drop it; errors of disk or terminal are not raised."""
        path = os.environ.get("LRTUI_METRICS", "")
        try:
            if path:
                self._append(path, line.encode())
            else:
                sys.stdout.write(line)
                sys.stdout.flush()
        except (OSError, ValueError, AttributeError) as error:  # closed or missing stdout
            self._drop(error)

    def _append(self, path: str, line: bytes) -> None:
        if self._fd < 0 or path != self._path:
            self._open(path)
        if self._torn:
            line = b"\n" + line
        written = os.write(self._fd, line)
        if written < len(line):
            self._cut_off(written)
            raise OSError("short write")
        self._torn = False
        if os.environ.get("LRTUI_DURABILITY") == "strict":
            os.fsync(self._fd)

    def _open(self, path: str) -> None:
        """Open for appending; a partial line of an earlier process is terminated by the next line."""
        fd = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
        if self._fd >= 0:
            os.close(self._fd)
        self._fd, self._path = fd, path
        size = os.fstat(fd).st_size
        self._torn = size > 0 and os.pread(fd, 1, size - 1) != b"\n"

    def _cut_off(self, written: int) -> None:
        """Remove the part of a line that reached the file, if it is still the end of the file."""
        end = os.lseek(self._fd, 0, os.SEEK_CUR)
        self._torn = True
        if end == os.fstat(self._fd).st_size:
            was_torn = written > 0 and os.pread(self._fd, 1, end - written) == b"\n"
            os.ftruncate(self._fd, end - written)
            self._torn = was_torn

    def _drop(self, error: Exception) -> None:
        self.dropped += 1
        if self.dropped == 1:
            try:
                sys.stderr.write(f"lrtui: a metric line could not be written ({error}); going on\n")
            except (OSError, ValueError, AttributeError):
                return


_OUTPUT = _Output()
