"""Replays a recorded sweep in the monitor at its original speed or faster, for `lrtui replay`.

A directory of its own is made and filled as the recorded one was: journal lines at their times, each metric line at its attempt's
start plus its `time`, a run's output evenly over its attempt. The recorded directory is only read, and nothing is launched.
"""

from __future__ import annotations

import heapq
import os
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from itertools import groupby
from pathlib import Path
from typing import NamedTuple

import msgspec
from typing_extensions import override

from lrtui.errors import UserError
from lrtui.sweep import events as ev
from lrtui.sweep.files import open_regular
from lrtui.sweep.journal import JournalTail
from lrtui.sweep.layout import AttemptLayout, Layout
from lrtui.sweep.state import Sweep, fold

TICK_SECONDS = 0.1
BEAT_SECONDS = 2.0
_LONGEST = 1 << 20
"""The longest line that is replayed, in bytes."""
_SMALL = 1 << 20
"""The largest file that is copied unchanged, in bytes."""


class Due(NamedTuple):
    """Bytes appended to a file, given by its path in the directory, at a time."""

    at: float
    path: Path
    data: bytes


class Attempt(NamedTuple):
    """The start and the end of one attempt."""

    folder: Path
    began: float
    ended: float


class Player(threading.Thread):
    """Fills a directory in the order of the recorded one, `speed` times as fast.

    Raises:
        UserError: nothing was recorded there, or the speed is not above 0.

    """

    def __init__(self, recorded: Path, into: Path, speed: float) -> None:
        super().__init__(daemon=True, name="lrtui-replay")
        if not 0 < speed < float("inf"):
            raise UserError(f"cannot replay at speed {speed}", hint="for example: --speed 20")
        self._recorded, self._into, self._speed = recorded, into, speed
        self._events = list(JournalTail(Layout(recorded).journal).rest())
        if not self._events:
            raise UserError("the directory has no recording", str(recorded))
        self._ended = threading.Event()
        for name in ("format", "experiment.toml", "origin.json"):
            _copy(recorded / name, into / name)

    def stop(self) -> None:
        """Stop replaying."""
        self._ended.set()
        if self.is_alive():
            self.join(2)

    @override
    def run(self) -> None:
        """Replay to the end of the recording."""
        with suppress(FileNotFoundError):  # the monitor was closed and its directory removed
            self._play()

    def _play(self) -> None:
        began, first = time.monotonic(), self._events[0].at
        beat = 0.0
        todo = groupby(
            self.pieces(), lambda due: int((due.at - first) / self._speed / TICK_SECONDS)
        )
        for tick, pieces in todo:
            while (left := began + tick * TICK_SECONDS - time.monotonic()) > 0:
                if self._ended.wait(min(left, BEAT_SECONDS)):
                    return
                beat = self._beat(beat)
            for path, parts in groupby(pieces, lambda due: due.path):
                self._append(path, b"".join(part.data for part in parts))
            beat = self._beat(beat)

    def pieces(self) -> Iterator[Due]:
        """Yield everything that was written, ordered by time; only one line per file is held in memory."""
        sweep = fold(self._events)
        files = [self._journal()]
        for attempt in _attempts(sweep, self._events[-1].at):
            files += [self._metrics(attempt), self._output(attempt)]
        yield from heapq.merge(*files, key=lambda due: due.at)

    def _journal(self) -> Iterator[Due]:
        place = Path("journal.jsonl")
        at = self._events[0].at
        for event in self._events:
            at = max(at, event.at)
            told = event
            if isinstance(
                event, ev.SweepOpened
            ):  # neither of this host nor a copy: it cannot be commanded anyhow
                told = msgspec.structs.replace(event, host="", inode=0)
            yield Due(at, place, ev.encode(told) + b"\n")

    def _metrics(self, attempt: Attempt) -> Iterator[Due]:
        place = AttemptLayout(attempt.folder).metrics
        at = attempt.began
        for end, size, line in _lines(self._recorded / place):
            seconds = _seconds(line)
            if seconds is None:
                seconds = (attempt.ended - attempt.began) * end / size
            at = max(at, min(attempt.began + seconds, attempt.ended))
            yield Due(at, place, line)

    def _output(self, attempt: Attempt) -> Iterator[Due]:
        place = AttemptLayout(attempt.folder).output
        for end, size, line in _lines(self._recorded / place):
            yield Due(attempt.began + (attempt.ended - attempt.began) * end / size, place, line)

    def _append(self, path: Path, data: bytes) -> None:
        whole = self._into / path
        if not whole.parent.is_dir():
            os.makedirs(whole.parent, mode=0o700)
            _copy(self._recorded / path.parent / "argv.json", whole.parent / "argv.json")
            run = path.parent.parent / "run.json"
            _copy(self._recorded / run, self._into / run)
        with whole.open("ab") as file:
            file.write(data)

    def _beat(self, last: float) -> float:
        """Touch the heartbeat now and then, so that readers see a live sweep."""
        now = time.monotonic()
        if now - last < BEAT_SECONDS:
            return last
        Layout(self._into).beat.touch()
        return now


def _attempts(sweep: Sweep, end: float) -> Iterator[Attempt]:
    for run in sweep.runs.values():
        for attempt in run.attempts:
            began = attempt.started_at or attempt.launched_at
            ended = attempt.ended_at if attempt.ended_at is not None else end
            yield Attempt(Path(run.folder) / f"a{attempt.number}", began, max(began, ended))


def _lines(path: Path) -> Iterator[tuple[int, int, bytes]]:
    """Yield (offset of its end, size of the file, line) for each complete line of a file; nothing if it cannot be read."""
    try:
        fd = open_regular(path)
    except OSError:
        return
    with os.fdopen(fd, "rb") as file:
        size = max(1, os.fstat(fd).st_size)
        while line := file.readline(_LONGEST):
            if line.endswith(b"\n"):
                yield min(file.tell(), size), size, line


class _Timed(msgspec.Struct):
    time: float | None = None


_timed = msgspec.json.Decoder(_Timed)


def _seconds(line: bytes) -> float | None:
    """Return the time of a metric line within its attempt; None if the line has none."""
    try:
        seconds = _timed.decode(line).time
    except (ValueError, RecursionError):
        return None
    return seconds if seconds is not None and 0 <= seconds < float("inf") else None


def _copy(source: Path, target: Path) -> None:
    with suppress(OSError):
        fd = open_regular(source)
        with os.fdopen(fd, "rb") as file:
            target.write_bytes(file.read(_SMALL))
