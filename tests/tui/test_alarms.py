"""What calls for somebody while the monitor is open: the bell, if it is wanted, and a supervisor that fell silent."""

from __future__ import annotations

import os
import re
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from lrtui.sweep import events as ev
from lrtui.sweep.layout import Layout
from tests import recorded
from tests.supervisor.chaos import supervisor_pid
from tests.tui.terminal import Terminal
from tests.until import until

_OSC = re.compile(rb"\x1b\][^\x07\x1b]*\x07")
"""A sequence that ends with the character of the bell, and rings none."""
OPEN = "import sys; from pathlib import Path; from lrtui import tui; sys.exit(tui.run(Path(sys.argv[1])))"


@pytest.fixture
def sweep(tmp_path: Path) -> Path:
    """A sweep that seems to live; in its past lie a failure and a divergence."""
    return recorded.make(tmp_path / "sweep", ["running", "failed", "diverged"], beat=True)


def rings(terminal: Terminal) -> int:
    """How often the bell rang."""
    return _OSC.sub(b"", bytes(terminal.raw)).count(b"\x07")


def happens(sweep: Path, *events: ev.AnyEvent) -> None:
    """Append events as the supervisor would."""
    journal = Layout(sweep).journal
    n = journal.read_bytes().count(b"\n")
    with journal.open("ab") as file:
        for event in events:
            n += 1
            file.write(
                ev.encode(msgspec.structs.replace(event, v=ev.VERSION, n=n, at=time.time())) + b"\n"
            )


class Beats:
    """Beats as a supervisor does, until it stops."""

    def __init__(self, sweep: Path) -> None:
        self._beat, self._ended = Layout(sweep).beat, threading.Event()
        os.utime(self._beat)
        self._thread = threading.Thread(target=self._keep_on)
        self._thread.start()

    def _keep_on(self) -> None:
        while not self._ended.wait(0.5):
            os.utime(self._beat)

    def stop(self) -> None:
        """Leave a beat that is a minute old."""
        self._ended.set()
        self._thread.join()
        os.utime(self._beat, (time.time() - 60,) * 2)


@pytest.fixture
def beats(sweep: Path) -> Iterator[Beats]:
    made = Beats(sweep)
    yield made
    made.stop()


@pytest.fixture
def living(sweep: Path, beats: Beats) -> Path:
    """The same sweep while somebody beats."""
    return sweep


def wishing(tmp_path: Path, text: str) -> str:
    file = tmp_path / "keys.toml"
    file.write_text(text)
    return str(file)


def test_the_bell_rings_once_for_what_is_new_and_never_for_what_was(
    living: Path, tmp_path: Path
) -> None:
    with Terminal(
        living, 120, 40, code=OPEN, LRTUI_KEYS=wishing(tmp_path, "bell = true\n")
    ) as terminal:
        terminal.shows("diverged")
        terminal.rest()
        assert not rings(terminal)
        happens(living, ev.RunFlagged(run="r01", attempt=1, rule="stalled", why="no line for 99 s"))
        terminal.until(lambda: rings(terminal) > 0)
        happens(living, ev.ParallelSet(parallel=3))  # no alert
        terminal.shows("parallel 3")
        assert rings(terminal) == 1
        happens(living, ev.Warned(text="memory of GPU 0 is nearly full"))
        terminal.until(lambda: rings(terminal) == 2)
        terminal.shows("memory of GPU 0 is nearly full")
        terminal.rest()
        assert rings(terminal) == 2


def test_without_the_wish_no_bell_rings(living: Path, tmp_path: Path) -> None:
    with Terminal(living, 120, 40, code=OPEN, LRTUI_KEYS=str(tmp_path / "none.toml")) as terminal:
        terminal.shows("diverged")
        happens(living, ev.Warned(text="something new"))
        terminal.shows("something new")
        terminal.rest()
        assert not rings(terminal)


@pytest.mark.parametrize("width", [80, 160])
def test_a_supervisor_that_falls_silent_is_told_with_a_remedy_and_rings(
    sweep: Path, beats: Beats, tmp_path: Path, width: int
) -> None:
    with Terminal(sweep, width, 40, LRTUI_KEYS=wishing(tmp_path, "bell = true\n")) as terminal:
        terminal.shows("running" if width > 110 else "●")
        assert "silent" not in terminal.text
        beats.stop()
        terminal.shows("supervisor silent")
        header = terminal.text.splitlines()[0]
        assert "supervisor silent" in header
        terminal.shows("no supervisor since")
        terminal.shows("none starts; lrtui doctor")
        terminal.until(lambda: rings(terminal) == 1)
        again = Beats(sweep)
        terminal.until(lambda: "silent" not in terminal.text and "since" not in terminal.text)
        again.stop()


def test_a_supervisor_that_is_killed_is_followed_by_another(
    sweep: Path, beats: Beats, tmp_path: Path
) -> None:
    """The monitor stays open; it starts one itself, as it does when it is opened."""
    command = 'command = ["sleep", "{lr}"]\nepochs = 20\nmetric = "max val_acc"\nlr = [600]\n'
    Layout(sweep).experiment.write_text(command)  # no trainer, which would import torch
    with Terminal(sweep, 120, 40, code=OPEN, LRTUI_KEYS=str(tmp_path / "none.toml")) as terminal:
        terminal.shows("running")
        assert not Layout(sweep).log.exists()
        beats.stop()
        terminal.until(lambda: bool(supervisor_pid(sweep)))
    os.kill(until(lambda: supervisor_pid(sweep)), signal.SIGKILL)
