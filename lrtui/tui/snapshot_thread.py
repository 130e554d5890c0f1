"""The thread that reads the experiment directory and notifies the app of changes.

Only this thread reads files, and it writes none. It sends one message for each read that found something new: an idle monitor
writes no byte. A message replaces an older one that the app has not read yet.
"""

from __future__ import annotations

import contextlib
import math
import threading
import time
from collections import deque
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

from msgspec.structs import replace
from textual.message import Message
from typing_extensions import override

from lrtui.hardware.history import Recorder
from lrtui.text.format import clock_time
from lrtui.tui.verdict_view import VerdictView, judge
from lrtui.tui.view_model import Pages

if TYPE_CHECKING:
    from collections.abc import Callable

    from lrtui.frontend.snapshot import Snapshot, SnapshotSource
    from lrtui.hardware.cpu import Meter
    from lrtui.hardware.history import History
    from lrtui.sweep.state import Run, Sweep

LIVE, QUIET = 0.25, 1.0
"""Seconds between two reads while the sweep and the user are active, and after a while without activity of either."""
_AWAY_SECONDS = 15.0
"""After this time without a key, one picture per second is enough: a quarter of the bytes and of the work."""
_DRAWING_SECONDS = 0.25
"""The pause after the first look at long runs: reading would take half of the interpreter's time from their first chart."""
JOURNAL_LINES = 5000
"""The part of the journal that can be scrolled through."""
OUTPUT_LINES = 2000
_BRIEF, _LONG = 0.1, 0.8
"""Seconds of one read: at first, and while long runs are read on, whose charts are drawn from samples meanwhile. Each picture takes time from the reading."""
_BRIEFLY = 5
"""The number of brief reads."""
_FRAME_SECONDS = 0.02
"""The time between a key and the look that it causes: what the key changes is on its way to the terminal first."""
_TRIM_SECONDS = 2.0
"""The time between two returns of freed memory while long runs are read."""
_PATIENCE = 40
"""The number of reads without changes before the pace drops."""


class SnapshotTaken(Message, bubble=False):
    """A new snapshot of the directory with its verdicts."""

    def __init__(self, snapshot: Snapshot, verdicts: VerdictView) -> None:
        self.snapshot = snapshot
        self.verdicts = verdicts
        super().__init__()

    @override
    def can_replace(self, message: Message) -> bool:
        return isinstance(message, SnapshotTaken)


class PagesRead(Message, bubble=False):
    """New output and settings of the run under the cursor."""

    def __init__(self, pages: Pages) -> None:
        self.pages = pages
        super().__init__()

    @override
    def can_replace(self, message: Message) -> bool:
        return isinstance(message, PagesRead)


class MachineRead(Message, bubble=False):
    """New samples of the machine; sent while the hardware pane is shown."""

    def __init__(self, history: History) -> None:
        self.history = history
        super().__init__()

    @override
    def can_replace(self, message: Message) -> bool:
        return isinstance(message, MachineRead)


class Alarmed(Message, bubble=False):
    """An event that needs attention: one that [alerts] would report, or a silent supervisor."""


class ReaderFailed(Message, bubble=False):
    """The reader failed with a bug; the app exits with it."""

    def __init__(self, error: BaseException) -> None:
        self.error = error
        super().__init__()


class Reader(threading.Thread):
    """Reads the directory about four times a second; owned by the app."""

    def __init__(self, directory: Path, post: Callable[[Message], bool]) -> None:
        super().__init__(name="lrtui-reader", daemon=True)
        self.source: SnapshotSource | None = None
        """What to follow instead of an experiment directory; set by the app."""
        self._directory = directory
        self._post = post
        self._wake = threading.Event()
        self._awaited: deque[threading.Event] = deque()
        """Each is set after the next read."""
        self._ended = False
        self._wanted = ("", "")
        """The runs whose pages are shown: the one under the cursor and the leader."""
        self._told: tuple[object, ...] = ()
        self._judged: Sweep | None = None
        """The sweep that the verdicts belong to."""
        self._verdicts = VerdictView()
        self._pages = Pages()
        self._calm = self._reads = 0
        """Reads that found nothing new since the last that did, and all reads."""
        self._trim_at = math.inf
        """When freed memory is to be returned; infinite if little was read since."""
        self._asked_at = time.monotonic()
        self.watched = False
        """Whether the hardware pane is shown; set by the app."""
        self.rings = False
        """Whether the app receives alarms; set by the app."""
        self._began = time.time()
        self._supervisor = ""
        self._meter: Meter | None = None
        self._recorder = Recorder()
        self._machine_told = self._recorder.history
        self._journal: deque[str] = deque(maxlen=JOURNAL_LINES)
        self._journal_read: tuple[str, ...] = ()
        self._advice: dict[tuple[str, int], list[str]] = {}
        """By attempt: finding it takes up to 0.4 s."""

    def show(self, run: str, leader: str) -> None:
        """Fetch the pages of these runs from now on."""
        if self._wanted != (run, leader):
            self._wanted = (run, leader)
            self.look_now()

    def look_now(self) -> None:
        """Read now, because a key was pressed or a command was sent."""
        self._calm = 0
        self._asked_at = time.monotonic()
        self._wake.set()

    def catch_up(self, most_seconds: float = 2.0) -> None:
        """Read now, and return when the app has been notified; must not be called in the app's thread."""
        told = threading.Event()
        self._awaited.append(told)
        self.look_now()
        told.wait(most_seconds)

    def end(self) -> None:
        """Stop after the current read."""
        self._ended = True
        self._wake.set()

    @override
    def run(self) -> None:
        """Read until the app ends."""
        try:
            watcher = self.source
            if watcher is None:
                from lrtui.frontend.snapshot import DirectoryReader  # not before the first paint

                watcher = DirectoryReader(self._directory, sketches=True)
            while not self._ended:
                awaited = [self._awaited.popleft() for _ in range(len(self._awaited))]
                reading = self._look(watcher)
                for told in awaited:
                    told.set()
                self._return_memory(reading=reading)
                self._wait(reading)
        except Exception as error:  # noqa: BLE001  # an error in a thread would be lost; the app raises it
            self._post(ReaderFailed(error))

    def _look(self, watcher: SnapshotSource) -> bool:
        """Post what has changed; return whether there is more to read immediately."""
        self._reads += 1
        snapshot = watcher.snapshot(_BRIEF if self._reads <= _BRIEFLY else _LONG)
        told, first = _gist(snapshot), not self._told
        self._narrate(snapshot)
        news = told != self._told
        if news:
            self._told = told
            self._post(SnapshotTaken(snapshot, self._verdicts))
        if first and snapshot.sketches:
            time.sleep(_DRAWING_SECONDS)
        self._alarm(snapshot)
        self._judge(snapshot)
        self._measure(watcher, snapshot)
        if not snapshot.reading:
            pages = self._read_pages(watcher, snapshot)
            if pages != self._pages:
                self._pages = pages
                news = True
                self._post(PagesRead(pages))
        self._calm = 0 if news else self._calm + 1
        return bool(snapshot.reading)

    def _return_memory(self, *, reading: bool) -> None:
        """Return freed memory to the system, every two seconds while long runs are read and at their end: 32 of them leave 40 MB of holes otherwise."""
        now = time.monotonic()
        if reading and self._trim_at == math.inf:
            self._trim_at = now + _TRIM_SECONDS
        if now < self._trim_at and (reading or self._trim_at == math.inf):
            return
        self._trim_at = now + _TRIM_SECONDS if reading else math.inf
        import ctypes  # not needed for the first paint

        with contextlib.suppress(OSError, AttributeError):  # another C library
            ctypes.CDLL(None).malloc_trim(0)

    def _measure(self, watcher: SnapshotSource, snapshot: Snapshot) -> None:
        """Sample the machine while runs are live or the hardware pane is shown; post only if it is shown."""
        lives = any(run.alive for run in snapshot.sweep.runs.values())
        if not (lives or self.watched) or snapshot.reading:
            return
        if time.monotonic() < self._recorder.due_at:
            self._tell_machine()
            return
        if self._meter is None:
            from lrtui.hardware.cpu import Meter  # not needed for the first paint

            self._meter = Meter()
        gpus = snapshot.gpus if lives else ()
        if self.watched and not gpus:
            from lrtui.hardware import gpu  # not needed for the first paint

            gpus = gpu.read()
        self._recorder.add(self._meter.read(watcher.workers()), gpus)
        self._tell_machine()

    def _tell_machine(self) -> None:
        history = self._recorder.history
        if self.watched and history is not self._machine_told:
            self._machine_told = history
            self._post(MachineRead(history))

    def _narrate(self, snapshot: Snapshot) -> None:
        """Add the new events to the journal page."""
        if not snapshot.events:
            return
        from lrtui.frontend.narration import event_text  # not needed for the first paint

        for event in snapshot.events:
            text = event_text(event, snapshot.sweep)
            if text:
                at = clock_time(event.at, "%d %b %H:%M:%S")
                self._journal.append(f"{at}  {'you  ' if event.by else '     '}{text}")
        self._journal_read = tuple(self._journal)

    def _alarm(self, snapshot: Snapshot) -> None:
        """Post one alarm for new events that need attention; events before the monitor was opened are ignored."""
        before, self._supervisor = self._supervisor, snapshot.supervisor
        if not self.rings:
            return
        from lrtui.frontend.narration import alert_kind  # not needed for the first paint

        over = snapshot.sweep.closed is not None
        silent = before == "alive" and snapshot.supervisor == "silent" and not over
        if silent or any(e.at > self._began and alert_kind(e) for e in snapshot.events):
            self._post(Alarmed())

    def _judge(self, snapshot: Snapshot) -> None:
        """Post the verdicts if the sweep has changed; after the snapshot, which need not wait for them."""
        if snapshot.sweep is self._judged or snapshot.watched is not None:
            return
        self._judged = snapshot.sweep
        verdicts = judge(snapshot.sweep)
        if verdicts != self._verdicts:
            self._verdicts = verdicts
            self._post(SnapshotTaken(snapshot, verdicts))

    def _wait(self, reading: bool) -> None:
        away = time.monotonic() - self._asked_at > _AWAY_SECONDS
        seconds = 0.01 if reading else QUIET if away or self._calm >= _PATIENCE else LIVE
        if self._wake.wait(seconds) and not reading and not self._ended:
            time.sleep(_FRAME_SECONDS)
        self._wake.clear()

    def _output(self, watcher: SnapshotSource, snapshot: Snapshot, run: Run) -> tuple[str, ...]:
        """Return the output of a run; below that of a failed one what looked like measurements and a `parse` that reads them."""
        shown = tuple(watcher.output(run.id, OUTPUT_LINES))
        if not (run.failed and run.attempts):
            return shown
        if run.attempt_key not in self._advice:
            from lrtui.frontend.failure import advice  # not needed for the first paint

            self._advice[run.attempt_key] = advice(snapshot, run)
        said = self._advice[run.attempt_key]
        return (*shown, *([""] * bool(said)), *said)

    def _read_pages(self, watcher: SnapshotSource, snapshot: Snapshot) -> Pages:
        run, leader = self._wanted
        if run not in snapshot.sweep.runs:
            return Pages(journal=self._journal_read)
        old = self._pages
        same = old.run == run and old.leader == leader and self._calm % 4
        if same and not snapshot.sweep.runs[run].alive:
            return replace(old, journal=self._journal_read)
        theirs = watcher.settings(leader) if leader in snapshot.sweep.runs else {}
        return Pages(
            run,
            self._output(watcher, snapshot, snapshot.sweep.runs[run]),
            MappingProxyType(watcher.settings(run)),
            leader,
            MappingProxyType(theirs),
            self._journal_read,
        )


def _gist(snapshot: Snapshot) -> tuple[object, ...]:
    """Return everything whose change is visible; the load of the GPUs only while a run is live."""
    sweep = snapshot.sweep
    gpus = tuple((g.utilisation, g.memory_used_mib // 100) for g in snapshot.gpus)
    return (
        sweep.n,
        sweep.strange,
        tuple((run, series.version) for run, series in snapshot.series.items()),
        tuple((run, series.version) for run, series in snapshot.sketches.items()),
        snapshot.reading,
        snapshot.supervisor,
        snapshot.view_only,
        snapshot.journal_bad,
        snapshot.problem,
        snapshot.watched,
        gpus if any(run.alive for run in sweep.runs.values()) else len(gpus),
    )
