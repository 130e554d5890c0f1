"""An experiment opens as it was left; what is remembered stands in the user's own folder, small and closed to others."""

import json
import os
import stat
from pathlib import Path

import pytest

from lrtui.tui import view_store
from lrtui.tui.app import HINT, Monitor
from lrtui.tui.view_model import PANES, View
from lrtui.tui.view_store import MOST_VIEWS, ViewStore
from tests.benchmarks.monitor import record
from tests.tui.conftest import settled, text_of
from tests.tui.terminal import Terminal

SIZE = (120, 40)


@pytest.fixture
def state(tmp_path, monkeypatch) -> Path:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    return tmp_path / "state" / "lrtui"


@pytest.fixture
def experiment(tmp_path) -> Path:
    made = tmp_path / "runs" / "cifar100"
    made.mkdir(parents=True)
    (made / "experiment.toml").write_text("lr = [1e-3]\n")
    return made


async def press(directory: Path, *keys: str) -> Monitor:
    """Open the monitor, press the keys, and leave."""
    app = Monitor(directory, view_store=ViewStore(directory))
    async with app.run_test(size=SIZE) as pilot:
        await settled(pilot)
        await pilot.press(*keys)
        await settled(pilot)
    return app


async def test_the_view_comes_back_when_the_same_experiment_is_opened(
    told, sent, state, experiment
) -> None:
    keys = ("m", "y", "s", "+", "a", "o", "O", "C", "j", "space", "p", "S")
    left = await press(experiment, *keys, "T", *"lig", "enter")
    found = await press(experiment)
    view = found.model.view
    for name in ("metric", "log_y", "smooth", "weight", "axis", "sort", "reverse", "charts", "hidden", "pinned", "pane"):  # fmt: skip
        assert getattr(view, name) == getattr(left.model.view, name), name
        assert getattr(view, name) != getattr(View(), name), name
    assert found.theme == "light"
    assert list(experiment.iterdir()) == [experiment / "experiment.toml"]


def test_each_pane_comes_back(state, experiment) -> None:
    for pane in PANES:
        left = View(pane=pane, chosen=True, test="r02")
        ViewStore(experiment).keep(left, "")
        assert ViewStore(experiment).view()[0] == left


async def test_another_experiment_has_the_usual_view_in_the_theme_chosen_last(
    told, sent, state, experiment, tmp_path
) -> None:
    await press(experiment, "y", "T", *"con", "enter")
    found = await press(tmp_path)
    assert found.theme == "contrast"
    assert not found.model.view.log_y


async def test_an_experiment_made_anew_forgets_which_runs_were_hidden(
    told, sent, state, experiment
) -> None:
    await press(experiment, "y", "space")
    os.utime(experiment / "experiment.toml", (1, 1))
    found = await press(experiment)
    assert found.model.view.log_y
    assert found.model.view.hidden == frozenset()


async def test_what_is_remembered_is_closed_to_others(told, sent, state, experiment) -> None:
    before = os.umask(0)
    try:
        await press(experiment, "y")
    finally:
        os.umask(before)
    files = [path for path in state.rglob("*") if path.is_file()]
    assert len(files) == 2
    assert {stat.S_IMODE(file.stat().st_mode) for file in files} == {0o600}
    assert stat.S_IMODE((state / "views").stat().st_mode) == 0o700
    assert stat.S_IMODE(state.stat().st_mode) == 0o700


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"\xff\xfe",
        b"[" * 5000,
        b'{"born": 1, "weight": 7}',
        b'{"born": 1, "sort": "size"}',
        b'{"born": 1, "charts": 3}',
        b'{"born": 1, "hidden": [1]}',
        b'{"born": 1, "pane": "elsewhere"}',
        b'{"born": 1, "what": 1}',
        b'{"born": 1, "weight": NaN}',
        b'{"born": 1}' + b" " * 70_000,
        json.dumps({"born": 1, "filter": "x" * 300}).encode(),
    ],
)
def test_a_damaged_file_is_as_good_as_none(state, experiment, content) -> None:
    ViewStore(experiment).keep(View(log_y=True), "light")
    (file,) = (state / "views").iterdir()
    assert ViewStore(experiment).view()[0].log_y
    file.write_bytes(content)
    (state / "monitor.json").write_bytes(content)
    assert ViewStore(experiment).view() == (View(), "")


def test_a_link_or_a_fifo_is_not_read(state, experiment, tmp_path) -> None:
    ViewStore(experiment).keep(View(log_y=True), "light")
    (file,) = (state / "views").iterdir()
    file.rename(tmp_path / "elsewhere")
    file.symlink_to(tmp_path / "elsewhere")
    assert ViewStore(experiment).view()[0] == View()
    file.unlink()
    os.mkfifo(file)
    assert ViewStore(experiment).view()[0] == View()


def test_what_is_too_long_is_left_out_and_old_views_are_forgotten(
    state, experiment, tmp_path
) -> None:
    ViewStore(experiment).keep(View(filter="x" * 5000, log_y=True), "")
    assert ViewStore(experiment).view()[0] == View(log_y=True)
    for number in range(MOST_VIEWS + 5):
        ViewStore(tmp_path / str(number)).keep(View(log_y=True), "")
    assert len(list((state / "views").iterdir())) == MOST_VIEWS
    assert ViewStore(experiment).view()[0] == View()
    assert ViewStore(tmp_path / str(MOST_VIEWS)).view()[0].log_y


def test_a_home_that_cannot_be_written_is_no_trouble(state, experiment) -> None:
    state.parent.mkdir(parents=True)
    state.write_text("a file")
    ViewStore(experiment).keep(View(log_y=True), "light")
    assert ViewStore(experiment).view() == (View(), "")


def test_a_relative_state_home_counts_as_none(monkeypatch, tmp_path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_STATE_HOME", "somewhere")
    assert view_store.folder() == tmp_path / ".local/state/lrtui"


@pytest.mark.parametrize("size", [(60, 16), (160, 45)])
async def test_the_first_time_one_line_says_three_things_until_a_key_and_never_again(
    told, sent, state, experiment, size
) -> None:
    app = Monitor(experiment, view_store=ViewStore(experiment))
    async with app.run_test(size=size) as pilot:
        await settled(pilot)
        assert HINT in text_of(app)
        app._reader.start()
        await settled(pilot)
        assert HINT in text_of(app)
        await pilot.press("Z")
        await settled(pilot)
        assert HINT not in text_of(app)
    again = Monitor(experiment, view_store=ViewStore(experiment))
    async with again.run_test(size=size) as pilot:
        await settled(pilot)
        assert HINT not in text_of(again)


def test_a_real_monitor_remembers_its_view_also_after_a_hang_up(tmp_path) -> None:
    recorded = record(tmp_path / "benchmark", 500)
    state = str(tmp_path / "state")
    with Terminal(recorded, 80, 24, XDG_STATE_HOME=state) as terminal:
        terminal.shows(HINT)
        terminal.press("y")
        terminal.shows("y log")
        terminal.until(lambda: HINT not in terminal.text)
        terminal.child.terminate()
        terminal.until(lambda: terminal.child.poll() is not None)
    with Terminal(recorded, 80, 24, XDG_STATE_HOME=state) as terminal:
        terminal.shows("y log")
        assert HINT not in terminal.text
