"""The thread that looks at the experiment directory and tells the app what has changed.

It alone reads files, and writes one thing: what it read of long runs, to the user's cache. One message for each look that brought something new, none while nothing happens: an idle monitor
writes no byte. A message replaces an older one that the app has not read yet.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

from textual.message import Message
from typing_extensions import override

from lrtui.hardware import gpu
from lrtui.hardware.history import Recorder
from lrtui.tui.verdict_view import VerdictView, judge
from lrtui.tui.view_model import Pages

if TYPE_CHECKING:
    from collections.abc import Callable

    from lrtui.frontend.snapshot import DirectoryReader, Snapshot
    from lrtui.hardware.cpu import Meter
    from lrtui.hardware.history import History
    from lrtui.sweep.state import Sweep

LIVE, QUIET = 0.25, 1.0
"""Seconds between two looks while something happens and the user is there, and after a while without the one or the other."""
_AWAY_SECONDS = 15.0
"""Without a key for so long, nobody needs more than one picture a second: a quarter of the bytes and of the work."""
JOURNAL_LINES = 5000
"""So much of the journal can be scrolled through."""
OUTPUT_LINES = 2000
_PATIENCE = 40
"""Looks without news before the pace drops."""


class SnapshotTaken(Message, bubble=False):
    """The directory as it is now, and what it says about learning rates."""

    def __init__(self, snapshot: Snapshot, verdicts: VerdictView) -> None:
        self.snapshot = snapshot
        self.verdicts = verdicts
        super().__init__()

    @override
    def can_replace(self, message: Message) -> bool:
        return isinstance(message, SnapshotTaken)


class PagesRead(Message, bubble=False):
    """The output and the settings of the run under the cursor."""

    def __init__(self, pages: Pages) -> None:
        self.pages = pages
        super().__init__()

    @override
    def can_replace(self, message: Message) -> bool:
        return isinstance(message, PagesRead)


class MachineRead(Message, bubble=False):
    """What the machine did so far; told while it is looked at."""

    def __init__(self, history: History) -> None:
        self.history = history
        super().__init__()

    @override
    def can_replace(self, message: Message) -> bool:
        return isinstance(message, MachineRead)


class Alarmed(Message, bubble=False):
    """Something new calls for somebody: what [alerts] would tell of, or a supervisor that fell silent."""


class ReaderFailed(Message, bubble=False):
    """The reader met a bug; the app ends with it."""

    def __init__(self, error: BaseException) -> None:
        self.error = error
        super().__init__()


class Reader(threading.Thread):
    """Looks about four times a second; the app owns it."""

    def __init__(self, directory: Path, post: Callable[[Message], bool]) -> None:
        super().__init__(name="lrtui-reader", daemon=True)
        self._directory = directory
        self._post = post
        self.keeps = True
        """Whether what was read of long runs is kept in the user's cache; the app sets it."""
        self._wake = threading.Event()
        self._awaited: deque[threading.Event] = deque()
        """Each set after the next look."""
        self._ended = False
        self._wanted = ("", "")
        """Runs whose pages are shown: the one under the cursor and the leader."""
        self._told: tuple[object, ...] = ()
        self._judged: Sweep | None = None
        """The sweep that the verdicts is of."""
        self._verdicts = VerdictView()
        self._pages = Pages()
        self._calm = 0
        self._asked_at = time.monotonic()
        self.watched = False
        """Whether somebody looks at the machine; the app sets it."""
        self.rings = False
        """Whether the app wants to hear of alarms; it sets it."""
        self._began = time.time()
        self._supervisor = ""
        self._meter: Meter | None = None
        self._recorder = Recorder()
        self._machine_told = self._recorder.history
        self._journal: deque[str] = deque(maxlen=JOURNAL_LINES)
        self._journal_read: tuple[str, ...] = ()

    def show(self, run: str, leader: str) -> None:
        """Fetch the pages of another run from now on."""
        if self._wanted != (run, leader):
            self._wanted = (run, leader)
            self.look_now()

    def look_now(self) -> None:
        """Look at once: a key was pressed, or something was asked of the supervisor."""
        self._calm = 0
        self._asked_at = time.monotonic()
        self._wake.set()

    def catch_up(self, most_seconds: float = 2.0) -> None:
        """Look at once, and return when what was there has been told; called from other threads than the app's."""
        told = threading.Event()
        self._awaited.append(told)
        self.look_now()
        told.wait(most_seconds)

    def end(self) -> None:
        """Stop after the present look."""
        self._ended = True
        self._wake.set()

    @override
    def run(self) -> None:
        """Look until the app ends."""
        try:
            from lrtui.frontend.snapshot import DirectoryReader  # off the way to the first paint

            watcher = DirectoryReader(self._directory)
            while not self._ended:
                awaited = [self._awaited.popleft() for _ in range(len(self._awaited))]
                reading = self._look(watcher)
                for told in awaited:
                    told.set()
                if not reading and self.keeps:
                    watcher.keep()
                self._wait(reading)
            if self.keeps:
                watcher.keep(last=True)
        except Exception as error:  # noqa: BLE001  # a thread's error would vanish; the app raises it
            self._post(ReaderFailed(error))

    def _look(self, watcher: DirectoryReader) -> bool:
        """Tell what has changed; return whether there is more to read at once."""
        snapshot = watcher.snapshot()
        told = _gist(snapshot)
        self._narrate(snapshot)
        news = told != self._told
        if news:
            self._told = told
            self._post(SnapshotTaken(snapshot, self._verdicts))
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

    def _measure(self, watcher: DirectoryReader, snapshot: Snapshot) -> None:
        """Sample the machine while runs live or somebody looks; told only in the latter case: nobody else sees a difference."""
        lives = any(run.alive for run in snapshot.sweep.runs.values())
        if not (lives or self.watched) or snapshot.reading:
            return
        if time.monotonic() < self._recorder.due_at:
            self._tell_machine()
            return
        if self._meter is None:
            from lrtui.hardware.cpu import Meter  # off the way to the first paint

            self._meter = Meter()
        gpus = snapshot.gpus if lives else ()
        gpus = gpus or (gpu.read() if self.watched else ())
        self._recorder.add(self._meter.read(watcher.workers()), gpus)
        self._tell_machine()

    def _tell_machine(self) -> None:
        history = self._recorder.history
        if self.watched and history is not self._machine_told:
            self._machine_told = history
            self._post(MachineRead(history))

    def _narrate(self, snapshot: Snapshot) -> None:
        """Put the events that came with this look into words."""
        if not snapshot.events:
            return
        from lrtui.frontend.narration import event_text  # off the way to the first paint

        for event in snapshot.events:
            text = event_text(event, snapshot.sweep)
            if text:
                at = time.strftime("%d %b %H:%M:%S", time.localtime(event.at))
                self._journal.append(f"{at}  {'you  ' if event.by else '     '}{text}")
        self._journal_read = tuple(self._journal)

    def _alarm(self, snapshot: Snapshot) -> None:
        """Tell once of what calls for somebody; what happened before the monitor was opened does not."""
        before, self._supervisor = self._supervisor, snapshot.supervisor
        if not self.rings:
            return
        from lrtui.frontend.narration import alert_kind  # off the way to the first paint

        over = snapshot.sweep.closed is not None
        silent = before == "alive" and snapshot.supervisor == "silent" and not over
        if silent or any(e.at > self._began and alert_kind(e) for e in snapshot.events):
            self._post(Alarmed())

    def _judge(self, snapshot: Snapshot) -> None:
        """Tell what follows from the sweep where it has changed: behind the snapshot, which need not wait for it."""
        if snapshot.sweep is self._judged:
            return
        self._judged = snapshot.sweep
        verdicts = judge(snapshot.sweep)
        if verdicts != self._verdicts:
            self._verdicts = verdicts
            self._post(SnapshotTaken(snapshot, verdicts))

    def _wait(self, reading: bool) -> None:
        away = time.monotonic() - self._asked_at > _AWAY_SECONDS
        seconds = 0.01 if reading else QUIET if away or self._calm >= _PATIENCE else LIVE
        self._wake.wait(seconds)
        self._wake.clear()

    def _read_pages(self, watcher: DirectoryReader, snapshot: Snapshot) -> Pages:
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
            tuple(watcher.output(run, OUTPUT_LINES)),
            MappingProxyType(watcher.settings(run)),
            leader,
            MappingProxyType(theirs),
            self._journal_read,
        )


def _gist(snapshot: Snapshot) -> tuple[object, ...]:
    """Return what a user could see a difference in; the load of the GPUs only while something runs."""
    sweep = snapshot.sweep
    gpus = tuple((g.utilisation, g.memory_used_mib // 100) for g in snapshot.gpus)
    return (
        sweep.n,
        sweep.strange,
        tuple((run, series.version) for run, series in snapshot.series.items()),
        snapshot.reading,
        snapshot.supervisor,
        snapshot.view_only,
        snapshot.journal_bad,
        snapshot.problem,
        gpus if any(run.alive for run in sweep.runs.values()) else len(gpus),
    )
