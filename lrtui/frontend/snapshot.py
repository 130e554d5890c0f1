"""From an experiment directory to a frozen `Snapshot`: what monitor, log mode, status and report show.

A watcher only reads. It takes no lock and writes nothing there, so it works on a living sweep, a finished one, a copy and a
read-only disk alike. It tails files: after the first snapshot only appended data is read.
"""

from __future__ import annotations

import os
import shlex
import socket
import time
from collections import deque
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Literal, Protocol

import msgspec

from lrtui.analysis.ranking import Standing, rank
from lrtui.hardware import gpu
from lrtui.metrics import MetricLog, Reading, RunSeries
from lrtui.metrics.sketch import WORTH, sizes, sketch
from lrtui.sweep.files import read_end, read_last_lines
from lrtui.sweep.journal import PER_POLL, JournalTail
from lrtui.sweep.layout import UPDATE, AttemptLayout, Layout, newer_format
from lrtui.sweep.state import Run, State, Sweep, fold
from lrtui.text.clean import clean, clean_lines
from lrtui.text.format import lr_text
from lrtui.workers.keeper import boot_id
from lrtui.workers.launcher import LOCAL

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from lrtui.sweep.events import AnyEvent, Plan

SILENT_SECONDS = 6.0
"""A beat older than this is a supervisor that does not respond; it beats every 2 s."""

_SLICE = 1 << 17
"""Bytes read from one run before the next run's turn."""
_OUTPUT_TAIL = 1 << 16
_GPU_SECONDS = 2.0


@dataclass(frozen=True, slots=True)
class Watched:
    """Facts about runs that lrtui did not start (`frontend.watch`)."""

    notes: tuple[str, ...] = ()
    """What is not shown, with the reason."""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """An experiment directory at one moment."""

    directory: Path
    sweep: Sweep
    series: Mapping[str, RunSeries]
    """The measurements of runs that have begun. The reader appends to these; their accessors copy."""
    standings: list[Standing]
    gpus: tuple[gpu.Gpu, ...]
    supervisor: Literal["alive", "silent", "none"]
    """"silent": it should beat and does not, so it is dead, stopped or stuck; "none": it has ended, or never started."""
    view_only: str
    """Why no command can be sent from here; "" if commands are possible."""
    reading: bool
    """Whether there is more to read: take another snapshot at once."""
    journal_bad: int
    """Lines of the journal that could not be read."""
    problem: str
    """What is wrong with the directory; "" if nothing is."""
    read_at: float
    """Wall-clock time of the snapshot."""
    heard_at: float = 0.0
    """When the supervisor last beat; 0 if there is none."""
    events: tuple[AnyEvent, ...] = ()
    """The new events of this snapshot, in order; log mode prints them."""
    read: float = 1.0
    """The share of the metric files that was read, 0 to 1."""
    sketches: Mapping[str, RunSeries] = field(default_factory=lambda: MappingProxyType({}))
    """Long runs that are still being read, drawn from samples: for charts, never for a number."""
    watched: Watched | None = None
    """None for an experiment of lrtui's."""


class SnapshotSource(Protocol):
    """What the monitor follows: an experiment directory, or runs that lrtui did not start."""

    directory: Path

    def snapshot(self, budget_seconds: float = 0.1) -> Snapshot:
        """Return the current snapshot, reading for about `budget_seconds`; never raises."""

    def output(self, run_id: str, lines: int = 200) -> list[str]:
        """Return the last lines of a run's output, safe to show."""

    def settings(self, run_id: str) -> dict[str, str]:
        """Return what a run was started with, flat and safe to show."""

    def workers(self) -> dict[str, tuple[int, int]]:
        """Return (pid, start in clock ticks since boot) of the worker of each living run."""


class DirectoryReader:
    """Follows one experiment directory. `look` is for one thread; `output` and `settings` may be called from another."""

    def __init__(self, directory: Path, *, sketches: bool = False) -> None:
        """Follow a directory; `sketches` also reads samples of long runs, for charts."""
        self.directory = directory
        self._sketches = sketches
        self._layout = Layout(directory)
        self._journal = JournalTail(self._layout.journal)
        self._sweep = Sweep()
        self._readers: dict[str, _RunReader] = {}
        self._turns: deque[_RunReader] = deque()
        """Readers that may have something to read, whose turn it is first."""
        self._ranked: tuple[object, ...] = ()
        self._standings: list[Standing] = []
        self._series: Mapping[str, RunSeries] = MappingProxyType({})
        self._gpus: tuple[gpu.Gpu, ...] = ()
        self._workers: dict[tuple[str, int], tuple[int, int] | None] = {}
        """The worker of each attempt, as far as known."""
        self._gpus_at = -1.0
        self._beat = self._ahead = 0.0
        self._looks = 0

    def snapshot(self, budget_seconds: float = 0.1) -> Snapshot:
        """Return the current snapshot, reading metric files for about `budget_seconds`, a slice of every run in turn; never raises."""
        deadline = time.monotonic() + budget_seconds
        events, whole = self._read_journal(deadline)
        if events:
            self._sweep = fold(events, self._sweep)
            self._follow()
        reading = self._read(deadline) or not whole
        self._rank()
        self._looks += 1
        heard_at = self._heard_at()
        return Snapshot(
            directory=self.directory,
            sweep=self._sweep,
            series=self._series,
            standings=self._standings,
            gpus=self._read_gpus(),
            supervisor=_supervisor(heard_at),
            heard_at=heard_at,
            view_only=view_only(self.directory, self._sweep),
            reading=reading,
            journal_bad=self._journal.bad,
            problem=self._problem(),
            read_at=time.time(),
            events=tuple(events),
            read=self._share() if reading else 1.0,
            sketches={run: r.sketch for run, r in self._readers.items() if r.sketch is not None},
        )

    def output(self, run_id: str, lines: int = 200) -> list[str]:
        """Return the last lines of a run's current attempt, safe to show; of the data's preparation for "data"."""
        attempt = self._attempt_dir(run_id)
        if attempt is None:
            return []
        data = read_last_lines(AttemptLayout(attempt).output, _OUTPUT_TAIL)
        return clean_lines(data)[-lines:] if lines > 0 else []

    def settings(self, run_id: str) -> dict[str, str]:
        """Return what a run was started with (run.json, and of the current attempt what _STARTED names), flat and safe to show."""
        run = self._sweep.runs.get(run_id)
        found: dict[str, str] = {}
        if run is not None:
            _flatten("", _read_json(self._layout.root / run.folder / "run.json"), found)
        attempt = self._attempt_dir(run_id)
        if attempt is not None:
            content = _read_json(AttemptLayout(attempt).argv)
            if isinstance(content, dict):
                content = {
                    words: content[key] for key, words in _STARTED.items() if content.get(key)
                }
                if isinstance(content.get("command"), list):
                    content["command"] = shlex.join(map(str, content["command"]))
            _flatten("", content, found)
        return found

    def workers(self) -> dict[str, tuple[int, int]]:
        """Return (pid, start in clock ticks since boot) of the worker of each living run of this boot of this machine."""
        known: dict[tuple[str, int], tuple[int, int] | None] = {}
        for run in self._sweep.runs.values():
            if run.alive and run.attempt is not None:
                key = (run.id, run.attempt.number)
                known[key] = self._workers.get(key) or self._worker(run)
        self._workers = known
        return {run: who for (run, _), who in known.items() if who is not None}

    def _worker(self, run: Run) -> tuple[int, int] | None:
        attempt = run.attempt
        if attempt is None:
            return None
        who = _read_json(self._layout.attempt(run.folder, attempt.number) / "pid.json")
        if not isinstance(who, dict) or who.get("token") != attempt.token:
            return None
        pid, start = who.get("worker"), who.get("start")
        if not (isinstance(pid, int) and isinstance(start, int) and pid > 1):
            return None
        return (pid, start) if who.get("boot_id") == boot_id() else None

    # ------------------------------------------------ one look

    def _read_journal(self, deadline: float) -> tuple[list[AnyEvent], bool]:
        """Return the new events, and whether these are all."""
        events: list[AnyEvent] = []
        while True:
            before = self._journal.offset
            events += self._journal.poll()
            if self._journal.offset - before < PER_POLL:
                return events, True
            if time.monotonic() >= deadline:
                return events, False

    def _follow(self) -> None:
        """Note which attempts there are now, and which have ended."""
        plan = self._sweep.plan
        if plan is None:
            return
        for run in self._sweep.runs.values():
            reader = self._readers.get(run.id)
            if reader is None:
                if not run.attempts:
                    continue
                reader = _RunReader(self._layout, plan, sketches=self._sketches)
                self._readers[run.id] = reader
                self._series = MappingProxyType({**self._series, run.id: reader.series})
            if reader.run is not run:
                reader.update(run)
                if reader not in self._turns:
                    self._turns.append(reader)

    def _read(self, deadline: float) -> bool:
        """Give each run a slice in turn until all is read or the time is up; return whether something is left."""
        waiting = deque(self._turns)
        first = len(waiting) if self._sketches and not self._looks else -1
        idle: list[_RunReader] = []
        while waiting:
            reader = waiting.popleft()
            if reader.step():
                waiting.append(reader)
            elif not reader.done:
                idle.append(reader)
            first -= 1
            drawn = first == 0 and any(each.sketch is not None for each in waiting)
            if waiting and (drawn or time.monotonic() >= deadline):
                break
        # Runs without a turn are first next time.
        self._turns = deque([*waiting, *idle])
        return bool(waiting)

    def _share(self) -> float:
        """Return the share of the metric files that was read."""
        read = sum(reader.offset() for reader in self._readers.values())
        left = sum(reader.left() for reader in self._readers.values())
        return read / max(1, read + left)

    def _rank(self) -> None:
        state = (self._sweep.n, self._sweep.at, *(r.series.version for r in self._readers.values()))
        if state != self._ranked:
            self._ranked = state
            self._standings = rank(self._sweep, self._series, time.time())

    def _read_gpus(self) -> tuple[gpu.Gpu, ...]:
        """Return the GPUs as of at most 2 s ago; not at the first look, which should be quick, and not for a CPU sweep."""
        plan = self._sweep.plan
        wanted = plan is not None and (plan.gpus > 0 or plan.devices) and self._sweep.alive()
        if not wanted or self._looks < 2:
            return self._gpus
        now = time.monotonic()
        if now - self._gpus_at >= _GPU_SECONDS or self._gpus_at < 0:
            self._gpus = gpu.read()
            self._gpus_at = now
        return self._gpus

    def _heard_at(self) -> float:
        """Return when the supervisor last beat: by its file's time, or by this clock where it beats and the file server's clock differs."""
        try:
            beat = os.stat(self._layout.beat).st_mtime
        except OSError:
            return 0.0
        if beat != self._beat:
            late = time.time() - beat
            self._ahead = late if 0 < self._beat < beat and abs(late) > SILENT_SECONDS else 0.0
            self._beat = beat
        return beat + self._ahead

    def _problem(self) -> str:
        if not os.path.isdir(self.directory):
            return "the experiment directory no longer exists"
        if newer := newer_format(self._layout):
            return f"{newer}: {UPDATE}"
        if self._journal.bad:
            many = f"{self._journal.bad} journal line{'s' * (self._journal.bad > 1)}"
            return clean(f"{many} could not be read: {self._journal.bad_why}", 300)
        if self._sweep.plan is None:
            return "nothing was started yet"
        return ""

    def _attempt_dir(self, run_id: str) -> Path | None:
        """Return the directory of a run's current attempt; None if there is none."""
        sweep = self._sweep
        if run_id == "data":
            return self._layout.attempt("data", sweep.data_attempt) if sweep.data_attempt else None
        run = sweep.runs.get(run_id)
        if run is None or run.attempt is None:
            return None
        return self._layout.attempt(run.folder, run.attempt.number)


class _RunReader:
    """Reads the attempts of one run into its series, an earlier attempt wholly before the next."""

    def __init__(self, layout: Layout, plan: Plan, *, sketches: bool) -> None:
        self.series = RunSeries()
        self.sketch: RunSeries | None = None
        """The whole run from samples, while it is being read."""
        self._sizes: list[int] = []
        """Sizes of the sketches that are still to be drawn."""
        self._sketches = sketches
        self.run: Run | None = None
        self.done = False
        """Whether the last attempt has ended and everything is read: nothing is polled until the journal names it again."""
        self._layout = layout
        self._plan = plan
        self._logs: list[tuple[int, MetricLog]] = []
        self._current = 0
        self._ended = False
        self._begun = False

    def update(self, run: Run) -> None:
        """Update the run from the journal."""
        self.run = run
        for attempt in run.attempts[len(self._logs) :]:
            self._logs.append((attempt.number, self._log(run, attempt.number)))
        latest = run.attempt
        idle = not run.alive and run.state is not State.LOST
        self._ended = idle and latest is not None and latest.ended_at is not None
        self.done = False

    def step(self) -> bool:
        """Read one slice; return whether there is more to read at once."""
        if not self._begun:
            self._begun = True
            left = self.left()
            self._sizes = sizes(left) if self._sketches and left > WORTH else []
        if self._sizes:
            self._draw(self._sizes.pop(0))
            return True
        number, log = self._logs[self._current]
        found = log.read(_SLICE)
        if found:
            self.series.extend(number, found)
        self.series.bad = sum(each.bad for _, each in self._logs)
        self.series.misses = tuple(self._logs[-1][1].capture.misses.told())
        if log.more:
            return True
        if self._current + 1 < len(self._logs):
            self._current += 1
            self._logs[self._current][1].capture.go_on_from(log.capture)
            return True
        if self._ended and self._read_late():
            return True
        self.sketch = None
        self.done = self._ended
        return False

    def _read_late(self) -> bool:
        """Read on in earlier attempts: one that was given up may live on and write. Return whether there was anything."""
        anything = False
        for number, log in self._logs[:-1]:
            if log.left():
                found = log.read(_SLICE)
                self.series.extend(number, found)
                anything = anything or bool(found) or log.more
        return anything

    def _draw(self, size: int) -> None:
        """Sketch the run; give up for good if that cannot be done correctly."""
        if self.run is None:
            return
        files = [
            (n, AttemptLayout(self._layout.attempt(self.run.folder, n)).metrics)
            for n, _ in self._logs
        ]
        drawn = sketch(files, self._reading(self.run), size)
        if drawn is None:
            self._sizes.clear()
        elif len(drawn):
            self.sketch = drawn

    def _log(self, run: Run, attempt: int) -> MetricLog:
        root = self._layout.attempt(run.folder, attempt)
        reading = self._reading(run)
        return MetricLog(root, reading, run.attempts[attempt - 1].until, by_column=True)

    def _reading(self, run: Run) -> Reading:
        return Reading.of(self._plan, range_test=run.is_range_test)

    def offset(self) -> int:
        """Return the bytes that were read, or passed over."""
        return sum(log.offset for _, log in self._logs)

    def left(self) -> int:
        """Return the bytes that are still to be read, or passed over."""
        return 0 if self.done else sum(log.left() for _, log in self._logs[self._current :])


def _supervisor(heard_at: float) -> Literal["alive", "silent", "none"]:
    """Return what a beat of a time says now; one from the future was left before the clock was set back."""
    if not heard_at:
        return "none"
    return "alive" if abs(time.time() - heard_at) < SILENT_SECONDS else "silent"


def view_only(directory: Path, sweep: Sweep) -> str:
    """Return why the sweep in a directory cannot be controlled from here; "" if it can. A cluster's sweep can be from any login node."""
    if newer := newer_format(Layout(directory)):
        return newer
    local = sweep.plan is None or sweep.plan.launcher == LOCAL
    if local and sweep.host and sweep.host != socket.gethostname():
        return clean(f"started on host {sweep.host}", 200)
    try:
        inode = os.stat(directory).st_ino
    except OSError:
        return "the directory is gone"
    if sweep.inode not in {0, inode}:
        return "a copy of the directory in which it was started"
    if not os.access(directory, os.W_OK):
        return "read-only"
    return ""


# ---------------------------------------------------------------- small files


def _read_json(path: Path) -> object:
    """Return a small JSON file's content; None if it is missing or invalid."""
    data = read_end(path, _OUTPUT_TAIL)
    try:
        return msgspec.json.decode(data)
    except (ValueError, RecursionError):
        return None


_STARTED = {
    "argv": "command",
    "cwd": "working folder",
    "program": "program",
    "git": "git commit",
    "from": "resumed from attempt",
    "checkpoint_from": "resumed from",
}
"""The fields of an attempt's argv.json that are shown, with their labels."""


def _flatten(name: str, value: object, into: dict[str, str]) -> None:
    """Add `value` to `into` as text, nested keys joined by dots; at most 200 entries of 8 levels."""
    if isinstance(value, dict) and name.count(".") < 8:
        for key, inner in value.items():
            _flatten(f"{name}.{key}" if name else str(key), inner, into)
    elif name and len(into) < 200:
        into[clean(name, 100)] = clean(_shown(value), 1000)


def _shown(value: object, *, inner: bool = False) -> str:
    if isinstance(value, list):
        return "..." if inner else " ".join(_shown(each, inner=True) for each in value[:50])
    if isinstance(value, dict):
        return "..."
    if value is None:
        return "none"
    return lr_text(value) if isinstance(value, float) and 0 < value < 0.1 else str(value)[:4000]
