"""Reads what a worker's loggers write to files, and appends it to read.jsonl: one process beside a worker, under its keeper.

The keeper starts it for an experiment with `read`, restarts it when it dies, reports the worker's end through stdin, and waits
until it has read the rest. Without its keeper it continues while the worker lives. It holds the attempt's lock, so the attempt
does not count as over before the converter has ended.
"""

from __future__ import annotations

import json
import os
import select
import signal
import time
from pathlib import Path

import msgspec

from lrtui.metrics.capture.positions import NAMES
from lrtui.metrics.read_lines import POLL_SECONDS, ReadLine, ReadSpec, decoded, encoded, row_of
from lrtui.metrics.sources import Seen, Source, Start, Values, seen, source_of
from lrtui.metrics.sources.matching import MOST_FILES, matching, name_of
from lrtui.metrics.sources.source import named
from lrtui.metrics.sources.trainer_state import TrainerState
from lrtui.sweep.files import read_untrusted
from lrtui.sweep.layout import AttemptLayout
from lrtui.text.clean import clean
from lrtui.text.format import count
from lrtui.workers.keeper import is_zombie, start_time

_BUDGET = 1 << 18
"""Bytes read from one file at a time."""
_SEARCH_SECONDS = 0.5
"""Seconds between two searches for files."""
_SHARE = 10
"""Searching for files, and checking all of them, takes at most one part in this many of the time."""
_MOST_BYTES = 1 << 24
_POSITIONS = {name for names in NAMES.values() for name in names} | {"position"}


def main(attempt: str) -> None:
    """Convert for one attempt until its worker has ended and everything is read."""
    for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
        signal.signal(number, signal.SIG_IGN)
    files = AttemptLayout(Path(attempt))
    spec = msgspec.json.decode(read_untrusted(files.read_spec, _MOST_BYTES), type=ReadSpec)
    converter = Converter(files, spec)
    worker = _Worker(files)
    while worker.lives:
        began = time.monotonic()
        busy = converter.step()
        took = time.monotonic() - began
        worker.wait(0.0 if busy else max(POLL_SECONDS, _SHARE * took))
    converter.finish(ok=worker.ended_well)


class _Worker:
    """Whether the worker lives: the keeper reports its end; without a keeper, its process is checked."""

    def __init__(self, files: AttemptLayout) -> None:
        self._files = files
        self._keeper_lives = True
        self.lives = True
        self.ended_well = False

    def wait(self, seconds: float) -> None:
        """Wait for the worker's end, at most `seconds`."""
        if not self._keeper_lives:
            time.sleep(seconds)
            self.lives = self._is_alive()
        elif select.select([0], [], [], seconds)[0]:
            said = os.read(0, 16)
            self._keeper_lives = bool(said)
            self.lives, self.ended_well = not said, said.startswith(b"0")

    def _is_alive(self) -> bool:
        try:
            who = json.loads(read_untrusted(self._files.pid))
            worker = int(who["worker"])
            return bool(start_time(worker) == who["start"]) and not is_zombie(worker)
        except (ValueError, KeyError, TypeError):
            return False


class _File:
    """A file that is followed."""

    def __init__(self, number: int, source: Source) -> None:
        self.number = number
        self.source = source
        self.first = 0
        """As it was written last."""
        self.position: Values = {}
        """The latest position in a row."""
        self.rows = 0


class Converter:
    """Follows the files of one attempt and appends their rows to read.jsonl."""

    def __init__(self, files: AttemptLayout, spec: ReadSpec) -> None:
        """Continue from where an earlier converter of the attempt stopped."""
        self._spec = spec
        self._run_dir = str(files.root.parent)
        self._positions = _POSITIONS | {spec.position}
        self._files: dict[str, _File] = {}
        self._unknown: set[str] = set()
        """Files whose format is not known yet."""
        self._known: dict[str, Start] = {}
        self._numbers: dict[str, int] = {}
        self._notes: set[str] = set()
        self._older: set[int] = set()
        """Records of trainer_state.json that were read, or belong to an earlier attempt."""
        self._search_at = 0.0
        flags = os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW | os.O_CLOEXEC
        self._out = os.open(files.read, flags, 0o600)
        if not self._recover():
            self._note_older_states()

    def step(self) -> bool:
        """Convert what was written since the last call; return whether there is more to read at once."""
        now = time.monotonic()
        if now >= self._search_at:
            self._search()
            self._search_at = time.monotonic() + max(
                _SEARCH_SECONDS, _SHARE * (time.monotonic() - now)
            )
        return self._read(last=False)

    def finish(self, *, ok: bool) -> None:
        """Convert the rest after the worker's end (`ok`: exit code 0), and note what was not read."""
        self._search()
        while self._read(last=False):
            pass
        if ok:
            self._read(last=True)
        for pattern in self._spec.patterns:
            if not matching(pattern):
                self._note(f"read: no file matches {name_of(pattern, self._run_dir)}")
        for path in self._unknown:
            self._note(f"read: {self._name(path)} is of no known format")
        for path, file in self._files.items():
            if file.source.bad:
                records = count(file.source.bad, "record")
                self._note(f"read: {records} of {self._name(path)} cannot be read")
            elif not file.rows and path not in self._known and path not in self._spec.before:
                self._note(f"read: {self._name(path)} has no rows")

    # ── files ─────────────────────────────────────────────────────────────────────────────────────

    def _search(self) -> None:
        """Follow new files."""
        for pattern in self._spec.patterns:
            for path in matching(pattern):
                if path not in self._files:
                    self._follow(path)

    def _follow(self, path: str) -> None:
        if seen(path) is None:
            if os.path.lexists(path):
                self._note(f"read: {self._name(path)} is a link, a folder or a device, not a file")
            return
        if len(self._files) >= MOST_FILES:
            self._note(f"read: more than {MOST_FILES} files match; the others are not read")
            return
        start = self._known.get(path) or Start(before=self._spec.before.get(path))
        source = source_of(Path(path), start)
        if source is None:
            self._unknown.add(path)
            return
        self._unknown.discard(path)
        number = self._numbers.setdefault(path, len(self._numbers))
        self._files[path] = _File(number, source)

    def _read(self, *, last: bool) -> bool:
        """Append the new rows of the files; return whether one of them has more."""
        for path, file in self._files.items():
            self._take(path, file, last=last)
        return any(file.source.more for file in self._files.values())

    def _take(self, path: str, file: _File, *, last: bool) -> None:
        source, lines = file.source, []
        for row in source.read(_BUDGET, last=last):
            if isinstance(source, TrainerState):
                name = named(row.values)
                if name in self._older:
                    continue
                self._older.add(name)
            if source.first != file.first:
                file.first = source.first
                lines.append(encoded(ReadLine(file=file.number, path=path, first=source.first)))
            values = row_of(self._placed(file, row.values))
            lines.append(encoded(ReadLine(file=file.number, at=row.at, row=values)))
            file.rows += 1
        if lines:
            self._write(b"".join(lines))
        if source.why:
            self._note(f"read: {self._name(path)}: {source.why}")

    def _placed(self, file: _File, values: Values) -> Values:
        """Return a row with its position (if it has none, that of the row before) and the seconds since the attempt began."""
        wall = values.pop("wall_time", None)
        if wall is not None and "time" not in values:
            values["time"] = max(0.0, wall - self._spec.began)
        position = {n: v for n, v in values.items() if self._is_position(n)}
        if not position:
            return {**file.position, **values}
        file.position = position
        return values

    def _is_position(self, name: str) -> bool:
        return name in self._positions or name.lower() in _POSITIONS

    # ── read.jsonl ────────────────────────────────────────────────────────────────────────────────

    def _recover(self) -> bool:
        """Read what an earlier converter wrote and cut off its torn last line; return whether it wrote anything."""
        paths: dict[int, str] = {}
        whole = 0
        with open(self._out, "rb", closefd=False) as file:
            for line in file:
                if not line.endswith(b"\n"):
                    break
                whole += len(line)
                read = decoded(line)
                if read is not None:
                    self._recall(read, paths)
        os.ftruncate(self._out, whole)
        return whole > 0

    def _recall(self, read: ReadLine, paths: dict[int, str]) -> None:
        self._older.update(read.older)
        if read.note:
            self._notes.add(read.note)
        if read.path:
            self._numbers[read.path] = read.file
            known = self._known.get(read.path)
            if known is None or known.first != read.first:  # a different history begins
                self._known[read.path] = Start(first=read.first)
            paths[read.file] = read.path
        path = paths.get(read.file, "")
        if read.row is None or not path:
            return
        self._known[path] = self._known[path]._replace(at=read.at)
        if path.endswith("/trainer_state.json"):
            self._older.add(named({n: float(v) for n, v in read.row.items()}))

    def _note_older_states(self) -> None:
        """Write which records of trainer_state.json are an earlier attempt's: this attempt's files repeat them."""
        older: set[int] = set()
        for path, before in self._spec.before.items():
            if path.endswith("/trainer_state.json") and _is_same(path, before):
                older.update(named(row.values) for row in TrainerState(Path(path)).read())
        if older:
            self._older = older
            self._write(encoded(ReadLine(older=sorted(older))))

    def _note(self, text: str) -> None:
        text = clean(text, 400)
        if text not in self._notes:
            self._notes.add(text)
            self._write(encoded(ReadLine(note=text)))

    def _name(self, path: str) -> str:
        return name_of(path, self._run_dir)

    def _write(self, content: bytes) -> None:
        """Append whole lines; on a full disk, retry until there is room."""
        view = memoryview(content)
        while view:
            try:
                view = view[os.write(self._out, view) :]
            except OSError:
                time.sleep(1.0)


def _is_same(path: str, before: Seen) -> bool:
    now = seen(path)
    return now is not None and (now == before or (before.inode == 0 and now.size == before.size))
