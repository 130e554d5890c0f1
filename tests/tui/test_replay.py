"""A recorded sweep plays again as it was: the same end, in the order of its times, and the recording is left alone."""

from __future__ import annotations

import os
from pathlib import Path
from types import SimpleNamespace

import pytest

from lrtui.errors import UserError
from lrtui.frontend.snapshot import DirectoryReader
from lrtui.tui import playback, replay
from lrtui.tui.playback import Player
from tests import recorded
from tests.tui.terminal import ROOT, Terminal
from tests.until import PATIENCE_SECONDS

CHILD = "import sys; from lrtui.cli.main import main; sys.exit(main(['replay', sys.argv[1], '--speed', '100000']))"


@pytest.fixture
def sweep(tmp_path: Path) -> Path:
    return recorded.make(tmp_path / "sweep", ["finished", "diverged", "pruned", "killed"])


def looked(directory: Path):
    watcher = DirectoryReader(directory)
    while (snapshot := watcher.snapshot()).reading:
        pass
    return snapshot


def state(directory: Path) -> dict[str, tuple[int, int]]:
    found = {}
    for folder, _, files in os.walk(directory):
        for name in (".", *files):
            status = os.stat(Path(folder, name))
            found[str(Path(folder, name))] = (status.st_mtime_ns, status.st_size)
    return found


def test_at_its_end_a_replay_shows_what_was_recorded_and_the_recording_is_untouched(
    sweep: Path, tmp_path: Path
) -> None:
    before = state(sweep)
    into = tmp_path / "into"
    into.mkdir()
    player = Player(sweep, into, 1e9)
    player.start()
    player.join(PATIENCE_SECONDS)
    assert not player.is_alive()
    assert state(sweep) == before
    was, now = looked(sweep), looked(into)
    assert now.view_only == ""
    assert [(s.lr, s.state, s.value) for s in now.standings] == [
        (s.lr, s.state, s.value) for s in was.standings
    ]
    for run, series in was.series.items():
        assert now.series[run].names() == series.names()
        assert now.series[run].get("val_acc").y == series.get("val_acc").y


def test_it_comes_in_the_order_of_its_times_and_at_the_speed_that_was_asked_for(
    sweep: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    into = tmp_path / "into"
    into.mkdir()
    pieces = list(Player(sweep, into, 1).pieces())
    times = [piece.at for piece in pieces]
    assert times == sorted(times)
    assert len({piece.path for piece in pieces}) >= 5
    player = Player(sweep, into, (times[-1] - times[0]) / 2)
    waits: list[float] = []
    monkeypatch.setattr(player._ended, "wait", waits.append)
    monkeypatch.setattr(playback, "time", SimpleNamespace(monotonic=lambda: sum(waits)))
    player._play()
    assert 1.5 < sum(waits) <= 2


@pytest.mark.parametrize("speed", [0.0, -1.0, float("nan"), float("inf")])
def test_a_speed_that_is_none_is_refused(sweep: Path, tmp_path: Path, speed: float) -> None:
    with pytest.raises(UserError, match="--speed 20"):
        Player(sweep, tmp_path, speed)


def test_an_empty_directory_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no recording"):
        Player(tmp_path, tmp_path, 1)


def test_without_a_terminal_the_recorded_directory_is_named(sweep: Path, monkeypatch) -> None:
    monkeypatch.setattr("sys.stdin.isatty", lambda: False, raising=False)
    with pytest.raises(UserError) as error:
        replay(sweep, 20.0)
    assert error.value.hint == f"use the log mode: lrtui {sweep} --headless"


def test_the_verb_plays_in_the_monitor(sweep: Path) -> None:
    with Terminal(sweep, 120, 40, CHILD) as terminal:
        terminal.shows("replay of")
        terminal.shows("finished")
        terminal.shows("diverged")
        terminal.press("q")
        assert terminal.ended() == 0


def test_a_terminal_that_cannot_be_drawn_on_gets_the_log(sweep: Path) -> None:
    child = "import sys; from lrtui.cli.main import main; sys.exit(main(['open', sys.argv[1], '--view']))"
    with Terminal(sweep, 100, 30, child, TERM="dumb", PYTHONPATH=str(ROOT)) as terminal:
        terminal.ended()
        assert b"log mode instead of the monitor" in terminal.raw
        assert b"\x1b" not in terminal.raw
        assert b"starting one" not in terminal.raw


def test_where_the_locale_is_not_utf8_all_is_ascii(sweep: Path) -> None:
    with Terminal(sweep, 120, 40, PYTHONIOENCODING="latin-1") as terminal:
        terminal.shows("? help")
        terminal.rest()
        assert terminal.raw.isascii()
        assert "val_acc" in terminal.text
