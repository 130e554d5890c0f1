"""The charts' cursor, its values, and the zoom, in the running app on recorded runs."""

from dataclasses import replace

import pytest
from msgspec import structs

from lrtui.frontend.run_colors import RunMark
from lrtui.metrics import RunSeries
from lrtui.tui.app import Monitor
from lrtui.tui.charts.curves import (
    Framing,
    axis_end,
    cursor_at,
    kept_in_place,
    newest,
    picture,
    readings,
)
from lrtui.tui.panels.readout import Values
from lrtui.tui.view_model import View, ViewModel
from tests.benchmarks.monitor import record
from tests.tui import recordings
from tests.tui.conftest import eventually, settled, text_of

POINTS = 200


@pytest.fixture
def recorded(tmp_path):
    return Monitor(record(tmp_path / "recorded", POINTS), view_only=True)


async def opened(pilot, app) -> None:
    await eventually(lambda: (s := app.model.snapshot) and not s.reading and len(s.series) == 8)
    await settled(pilot)


@pytest.mark.parametrize("size", [(160, 45), (80, 24)])
async def test_the_cursor_shows_every_runs_value_and_moves(recorded, size) -> None:
    async with recorded.run_test(size=size) as pilot:
        await opened(pilot, recorded)
        await pilot.press("c")
        await settled(pilot)
        assert "┊" in text_of(recorded)
        assert "by step at 200" in text_of(recorded), "the newest point"
        await pilot.press("left", "left", "shift+left", "right")
        await settled(pilot)
        assert recorded.model.view.cursor == pytest.approx(49 / 60)
        await pilot.press("c")
        await settled(pilot)
        assert f"values · step {round(200 * 49 / 60, 2):g}" in text_of(recorded)
        for letter in "ABCDEFGH":
            assert f" {letter} " in text_of(recorded)
        assert "finished" in text_of(recorded), "the leaderboard stays"
        await pilot.press("c")
        await settled(pilot)
        assert recorded.model.view.cursor is None
        assert "┊" not in text_of(recorded)


def test_samples_are_drawn_but_give_no_values() -> None:
    """A value at the cursor is never taken from samples, nor from the part that was read."""
    snapshot = recordings.snapshot()
    whole = ViewModel(snapshot, View(cursor=0.5))
    drawn = RunSeries()
    drawn.extend(1, recordings.curve(0, 30))
    reading = replace(snapshot, sketches={"r02": drawn})
    shown = structs.replace(whole, snapshot=reading)
    before, after = (picture(each, "val_acc", 70, 20, Framing()) for each in (whole, shown))
    assert (before.title, after.title) == (
        "val_acc by epoch, of 30 at 7.5",
        "val_acc by epoch at 15, sampled",
    )
    assert (
        max(max(curve.x) for curve in after.curves)
        == 30
        > max(max(curve.x) for curve in before.curves)
    )
    measured = {run.id for run, _ in readings(whole, ["val_acc"], None)}
    assert {run.id for run, _ in readings(shown, ["val_acc"], None)} == measured - {"r02"}


def test_the_cursor_stays_where_it_was_when_the_axis_grows() -> None:
    """With the zoomed window; a whole axis stays whole."""
    shorter = ViewModel(recordings.snapshot(), View(cursor=0.5, window=(0.25, 0.75)))
    longer = RunSeries()
    longer.extend(1, recordings.curve(0, 30))
    snapshot = replace(shorter.snapshot, sketches={"r02": longer})
    model = kept_in_place(shorter, structs.replace(shorter, snapshot=snapshot))
    assert axis_end(model) == 2 * axis_end(shorter)
    assert cursor_at(model) == cursor_at(shorter)
    assert model.view.window == (0.125, 0.375)
    whole = structs.replace(shorter, view=View(cursor=0.5))
    assert kept_in_place(whole, structs.replace(whole, snapshot=snapshot)).view == View(cursor=0.25)


async def test_the_values_are_those_of_the_metric_file(recorded) -> None:
    async with recorded.run_test(size=(160, 45)) as pilot:
        await opened(pilot, recorded)
        for run, (found,) in readings(recorded.model, ["val_loss"], 120.5):
            series = recorded.model.snapshot.series[run.id].get("val_loss")
            assert series.x[119] == 120
            assert found.raw == series.y[119]
            assert (found.step, found.time) == (120, pytest.approx(2.4))
            assert min(series.y[:120]) <= found.smooth <= max(series.y[:120])
        for _, (found,) in readings(recorded.model, ["val_loss"], 0.5):
            assert found.raw is None, "nothing yet"
        for run, (found,) in readings(recorded.model, ["val_loss"], None):
            assert found.raw == recorded.model.snapshot.series[run.id].get("val_loss").y[-1]


def search_at(where: float) -> ViewModel:
    """A search whose run at 1e-02 lives at epoch 7, while the others have ended or wait at epoch 12 at most."""
    snapshot = recordings.search_snapshot()
    marks = {run: RunMark(run, "#ffffff") for run in snapshot.sweep.runs}
    return ViewModel(snapshot, View(cursor=where), marks)


def test_the_newest_points_are_those_of_the_living_runs() -> None:
    model = search_at(0.0)
    (live,) = model.snapshot.sweep.alive()
    level = model.snapshot.series[live.id].level
    assert newest(model) * axis_end(model) == pytest.approx(level)


def test_runs_that_ended_before_the_cursor_say_so_and_living_ones_come_first() -> None:
    model = search_at(0.0)
    found = readings(model, ["val_acc"], 7.0)
    assert found[0][0].alive
    for run, (value,) in found:
        gone = run.ending is not None and model.snapshot.series[run.id].level < 7
        assert value.words.startswith("ended at ") == gone
    assert any(value.words == "ended at 4" for _, (value,) in found)
    assert not any(value.words.startswith("ended") for _, (value,) in readings(model, ["val_acc"], 2.0))  # fmt: skip


def test_values_come_before_runs_that_ended() -> None:
    """All runs of a search have ended: those that reach the cursor must not fall off the legend."""
    snapshot = recordings.search_snapshot(recordings.search(whole=True))
    marks = {run: RunMark(run, "#ffffff") for run in snapshot.sweep.runs}
    model = ViewModel(snapshot, View(cursor=0.5), marks)
    legend = [text for text, _ in picture(model, "val_acc", 60, 15, Framing()).legend]
    ended = ["ended at" in text for text in legend]
    assert ended == sorted(ended)
    assert set(ended) == {True, False}


def test_no_chart_or_table_says_nan() -> None:
    for where in (0.0, 0.01, 0.5, 1.0):
        model = search_at(where)
        legend = picture(model, "train_loss", 60, 15, Framing()).legend
        table = [strip.text for strip in Values().paint(model, 80, 12)]
        assert "nan" not in " ".join([*(text for text, _ in legend), *table])


def test_lr_and_grad_norm_are_on_log_axes_until_y_makes_them_linear() -> None:
    for name, log in (("lr", True), ("optim/grad_norm", True), ("val_loss", False)):
        made = picture(ViewModel(recordings.search_snapshot()), name, 60, 15, Framing())
        assert ("(log)" in made.title) == log
        other = ViewModel(recordings.search_snapshot(), View(log_y=True))
        assert ("(log)" in picture(other, name, 60, 15, Framing()).title) != log


async def test_zoom_and_pan_show_a_part_and_x_shows_all_again(recorded) -> None:
    async with recorded.run_test(size=(160, 45)) as pilot:
        await opened(pilot, recorded)

        def limits():
            made = picture(recorded.model, "val_loss", 60, 15, Framing())
            assert all(
                made.x_limits.low <= x <= made.x_limits.high for c in made.curves for x in c.x
            )
            return made.x_limits.low, made.x_limits.high

        assert limits() == (0, POINTS)
        await pilot.press("i")
        assert limits() == (100, 200), "the newest points"
        await pilot.press(*["left"] * 6, "i", *["left"] * 6)
        assert limits() == pytest.approx((110, 160))
        await pilot.press("shift+left", *["shift+left"] * 20)
        assert limits() == pytest.approx((0, 50))
        await pilot.press("u", "u", "u")
        assert limits() == (0, POINTS)
        await pilot.press("c", *["shift+right"] * 20, "i", "i")
        assert limits() == (150, 200)
        await pilot.press("x")
        assert limits() == (0, POINTS)
        for _ in range(20):
            await pilot.press("i")
        low, high = limits()
        assert high - low == pytest.approx(POINTS / 256)


async def test_a_zoomed_chart_fits_its_y_axis_to_what_it_shows(recorded) -> None:
    async with recorded.run_test(size=(160, 45)) as pilot:
        await opened(pilot, recorded)
        whole = picture(recorded.model, "val_loss", 60, 15, Framing()).y_limits
        await pilot.press("c", *["shift+right"] * 20, "i", "i", "i")
        part = picture(recorded.model, "val_loss", 60, 15, Framing()).y_limits
        assert part.high < whole.high


async def test_smoothed_curves_are_zoomed_too(recorded) -> None:
    async with recorded.run_test(size=(80, 24)) as pilot:
        await opened(pilot, recorded)
        await pilot.press("s", "i")
        await settled(pilot)
        made = picture(recorded.model, "val_loss", 60, 15, Framing())
        assert all(100 <= x <= 200 for curve in made.curves for x in curve.x)
