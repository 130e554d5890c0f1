"""The filter, the journal and the export, in the running app."""

import csv
import functools
from pathlib import Path

import pytest
from PIL import Image

from lrtui.frontend.run_filter import matcher
from lrtui.tui import themes
from lrtui.tui.app import Monitor
from lrtui.tui.charts.curves import absent
from lrtui.tui.panels.leaderboard import ordered
from lrtui.tui.screen_export import placed
from lrtui.tui.snapshot_thread import SnapshotTaken
from lrtui.tui.verdict_view import judge
from tests.benchmarks.monitor import record
from tests.tui import recordings
from tests.tui.conftest import eventually, settled, text_of
from tests.until import PATIENCE_SECONDS


@pytest.fixture
def recorded(tmp_path, monkeypatch):
    """A monitor with its real reader, on a directory of eight finished runs."""
    monkeypatch.setattr("lrtui.tui.screen_export.DRAW_SECONDS", PATIENCE_SECONDS)
    return Monitor(record(tmp_path / "recorded", 50))


SIZES = [(160, 45), (80, 24)]


def listed(monitor):
    return [row.runs[0] for row in ordered(monitor.model)]


@pytest.mark.parametrize(
    ("text", "holds"),
    [
        ("lr>=1e-3", lambda s: s.lr >= 1e-3),
        ("lr<1e-3", lambda s: s.lr < 1e-3),
        ("lr=3e-3", lambda s: s.lr == 3e-3),
        ("rank<=3", lambda s: s.rank <= 3),
        ("value>0.1", lambda s: s.value is not None and s.value > 0.1),
        ("state:running", lambda s: s.state == "running"),
        ("-state:running", lambda s: s.state != "running"),
        ("running lr>1e-3", lambda s: s.state == "running" and s.lr > 1e-3),
        ("RUNNING", lambda s: s.state == "running"),
        ("run:r04", lambda s: "r04" in s.runs),
    ],
)
def test_a_filter_keeps_what_matches(text, holds) -> None:
    test = matcher(text)
    rows = recordings.snapshot().standings
    kept = [row for row in rows if test(row)]
    assert kept == [row for row in rows if holds(row)]
    assert 0 < len(kept) < len(rows)


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("lr>=many", "not a number"),
        ("speed>1", "not one of lr"),
        ("lr>0", "above 0"),
        ("value<x", "not a number"),
    ],
)
def test_a_filter_that_means_nothing_says_why(text, what) -> None:
    assert what in matcher(text)


@pytest.mark.parametrize("size", SIZES)
async def test_the_filter_narrows_leaderboard_and_charts_and_escape_ends_it(monitor, size) -> None:
    async with monitor.run_test(size=size) as pilot:
        await settled(pilot)
        every = listed(monitor)
        await pilot.press("slash", *"lr>=1e-3", "enter")
        await settled(pilot)
        kept = listed(monitor)
        assert 0 < len(kept) < len(every)
        assert absent(monitor.model) == frozenset(every) - frozenset(kept)
        assert f"/lr>=1e-3  {len(kept)} of {len(every)}" in text_of(monitor)
        assert monitor.model.view.selected in kept
        await pilot.press("escape")
        await settled(pilot)
        assert listed(monitor) == every
        assert absent(monitor.model) == frozenset()


async def test_the_cursor_stays_with_its_run_while_that_is_listed(monitor) -> None:
    async with monitor.run_test(size=(160, 45)) as pilot:
        await settled(pilot)
        await pilot.press("j", "j")
        chosen = monitor.model.view.selected
        await pilot.press("slash", *f"run:{chosen}", "enter")
        await settled(pilot)
        assert monitor.model.view.selected == chosen
        await pilot.press("slash", *"-", "escape", "escape")
        await settled(pilot)
        assert monitor.model.view.selected == chosen


async def test_a_wrong_filter_is_not_taken_and_an_empty_result_says_how_to_leave(monitor) -> None:
    async with monitor.run_test(size=(160, 45)) as pilot:
        await settled(pilot)
        await pilot.press("slash", *"speed>3", "enter")
        await pilot.pause()
        assert len(monitor.screen_stack) == 2
        assert "speed is not one of" in text_of(monitor)
        await pilot.press(*["backspace"] * 7, *"no-such-run", "enter")
        await settled(pilot)
        assert "no run matches no-such-run" in text_of(monitor)
        await pilot.press("K")
        await settled(pilot)
        assert len(monitor.screen_stack) == 1, "there is nobody to kill"


@pytest.mark.parametrize("size", SIZES)
async def test_the_journal_tells_what_happened_in_order(recorded, size) -> None:
    async with recorded.run_test(size=size) as pilot:
        await settled(pilot)
        await pilot.press("J")
        await settled(pilot)
        await eventually(lambda: recorded.model.pages.journal)
        await settled(pilot)
        assert "journal" in text_of(recorded)
        end = text_of(recorded)
        journal = recorded.model.pages.journal
        assert journal[-1].split("  ")[-1][:20] in end
        assert "opened" in journal[0]
        await pilot.press("g")
        await settled(pilot)
        assert "opened" in text_of(recorded)
        await pilot.press("J")
        await settled(pilot)
        assert recorded.model.view.pane == "charts"


async def test_the_export_holds_what_is_seen(recorded) -> None:
    async with recorded.run_test(size=(160, 45)) as pilot:
        await settled(pilot)
        await pilot.press("slash", *"lr>=1e-3", "enter")
        await settled(pilot)
        await pilot.press("w")
        await settled(pilot)
        (folder,) = (recorded.directory / "exports").iterdir()
        assert str(folder)[-10:] in text_of(recorded)
        rows = list(csv.DictReader((folder / "runs.csv").open()))
        assert [row["runs"].split()[0] for row in rows] == listed(recorded)
        assert "/lr>=1e-3" in (folder / "screen.txt").read_text()
        assert (folder / "screen.svg").read_text().startswith("<svg")
        assert {path.stat().st_mode & 0o777 for path in folder.iterdir()} == {0o600}


@pytest.mark.parametrize("told_first", [None, recordings.snapshot(reading=True)])
async def test_an_export_waits_until_all_is_read(
    monitor, told, monkeypatch, told_first, recwarn
) -> None:
    """Pressed in the first seconds, even twice, it would hold blank charts, and values of runs that are half read."""
    written = []
    monkeypatch.setattr(
        "lrtui.tui.screen_export.write",
        lambda _, model, screen, pictures, __: written.append((model, screen[0], pictures)) or "",
    )
    everything, told.snapshot = told.snapshot, told_first
    async with monitor.run_test(size=(120, 36)) as pilot:
        monitor.action_export()
        monitor.action_export()  # before the first one began to wait
        await pilot.pause(0.02)
        assert "export waits" in text_of(monitor)
        assert not written
        monitor.post_message(SnapshotTaken(everything, judge(everything.sweep)))
        await settled(pilot)
    ((model, screen, pictures),) = written
    assert not model.snapshot.reading
    assert "export waits" not in screen
    assert any("⠀" < char <= "⣿" for char in screen)
    assert [len(picture.curves) > 1 for picture in pictures] == [True, True]
    assert not [each for each in recwarn if "never awaited" in str(each.message)]


async def exported(pilot) -> Path:
    """Press `w` and return the folder that was written."""
    await pilot.press("w")
    await settled(pilot)
    return max(
        (pilot.app.directory / "exports").iterdir(), key=lambda path: path.stat().st_mtime_ns
    )


def pixels(png: Path, colour: str) -> int:
    """How many pixels of a picture are exactly of a colour."""
    return colours(png).get(tuple(bytes.fromhex(colour[1:])), 0)


@functools.cache
def colours(png: Path) -> dict[tuple[int, ...], int]:
    """How many pixels a picture has of each colour."""
    counted = Image.open(png).convert("RGB").getcolors(1 << 24)
    return {colour: count for count, colour in counted}


async def test_the_exported_picture_shows_the_charts_that_are_seen(recorded) -> None:
    async with recorded.run_test(size=(160, 45)) as pilot:
        await settled(pilot)
        marks = recorded.model.marks
        await pilot.press("s", "y")
        await settled(pilot)
        both = await exported(pilot) / "charts.png"
        assert Image.open(both).size == (1600, 900)
        assert all(pixels(both, mark.colour) > 200 for mark in marks.values())
        assert pixels(both, themes.DARK.ground) > 800_000
        assert "charts.png" in recorded.model.notice.text
        hidden = recorded.model.view.selected
        await pilot.press("space", "C", "C")
        await settled(pilot)
        one = await exported(pilot) / "charts.png"
        assert [run for run, mark in marks.items() if not pixels(one, mark.colour)] == [hidden]
        recorded.theme = "light"
        light = await exported(pilot) / "charts.png"
        assert pixels(light, themes.LIGHT.ground) > 800_000
        kept = next(mark for run, mark in marks.items() if run != hidden)
        assert not pixels(light, kept.colour)
        assert pixels(light, themes.LIGHT.colour(kept.colour)) > 200
        assert len(list((recorded.directory / "exports").iterdir())) == 3


async def test_behind_a_pane_of_text_the_charts_are_exported(recorded) -> None:
    async with recorded.run_test(size=(80, 24)) as pilot:
        await settled(pilot)
        await pilot.press("l")
        await settled(pilot)
        png = await exported(pilot) / "charts.png"
        assert all(pixels(png, mark.colour) > 100 for mark in recorded.model.marks.values())
        await pilot.press("S")
        await settled(pilot)
        sensitivity = await exported(pilot) / "charts.png"
        assert sensitivity.read_bytes() != png.read_bytes()


async def test_without_matplotlib_everything_else_is_exported(
    recorded, monkeypatch, tmp_path
) -> None:
    (tmp_path / "matplotlib.py").write_text(
        "raise ModuleNotFoundError(\"No module named 'matplotlib'\")"
    )
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    async with recorded.run_test(size=(160, 45)) as pilot:
        await settled(pilot)
        folder = await exported(pilot)
        assert {path.name for path in folder.iterdir()} == {"screen.txt", "screen.svg", "runs.csv"}
        assert "pip install 'lrtui[report]'" in recorded.model.notice.text


async def test_slash_looks_for_a_text_in_the_output(recorded) -> None:
    attempt = next(recorded.directory.glob("r01*")) / "a1"
    lines = [f"line {i}{' needle' if i in (100, 300) else ''}" for i in range(400)]
    (attempt / "output.log").write_text("\n".join(lines) + "\n")
    async with recorded.run_test(size=(80, 24)) as pilot:
        await settled(pilot)
        await pilot.press("slash", *"run:r01", "enter", "l")
        await eventually(lambda: recorded.model.pages.run == "r01" and recorded.model.pages.output)
        for key, wanted in (("n", "300"), ("", "100"), ("", "300")):
            await pilot.press("slash", *("needle" if key else ""), "enter")
            await settled(pilot)
            assert f">line {wanted} needle" in text_of(recorded)
        await pilot.press("slash", *"absent", "enter")
        await settled(pilot)
        assert "not found" in text_of(recorded)


def test_each_word_of_an_exported_screen_has_its_place():
    text = '<text class="r1" x="12.2" y="20" textLength="122" clip-path="url(#l)">&#160;&lt;a&#160;&#160;b&#160;漢⣿</text>'
    assert placed(text) == "".join(
        f'<text class="r1" x="{x}" y="20" textLength="{length}" clip-path="url(#l)">{word}</text>'
        for x, length, word in (
            (24.4, 24.4, "&lt;a"), (73.2, 12.2, "b"), (97.6, 24.4, "漢"), (122.0, 12.2, "⣿")
        )
    )  # fmt: skip
