"""The mouse does what keys do, and only while it is switched on."""

import pytest
from textual import events

from lrtui.tui.mouse import zoomed
from lrtui.tui.panels import Chart, Leaderboard
from tests.tui.conftest import settled, text_of

SIZE = (160, 45)


def at(widget, x: int, y: int) -> tuple[int, int]:
    return widget.region.x + x, widget.region.y + y


async def wheel(pilot, widget, x: int, y: int, kind=events.MouseScrollDown) -> None:
    await pilot._post_mouse_events([kind], widget, (x, y), button=0)
    await settled(pilot)


async def test_a_click_on_a_row_selects_it(monitor) -> None:
    async with monitor.run_test(size=SIZE) as pilot:
        await settled(pilot)
        await pilot.click(Leaderboard, offset=(5, 3))
        order = [s.runs[0] for s in monitor.model.snapshot.standings]
        assert monitor.model.view.selected == order[2]


async def test_a_click_below_the_last_row_or_on_the_head_selects_nothing(monitor) -> None:
    async with monitor.run_test(size=SIZE) as pilot:
        await settled(pilot)
        before = monitor.model.view.selected
        await pilot.click(Leaderboard, offset=(5, 0))
        assert monitor.model.view.selected == before


async def test_a_click_on_a_chart_sets_the_cursor_where_it_points(monitor) -> None:
    async with monitor.run_test(size=SIZE) as pilot:
        await settled(pilot)
        chart = monitor.query_one("#chart0", Chart)
        column = chart._canvas.start + (len(chart._canvas) - 1) // 4
        await pilot.click(chart, offset=(column, 5))
        await settled(pilot)
        assert monitor.model.view.cursor == pytest.approx(0.25, abs=0.02)
        drawn = chart._strips[5].text
        assert "┊" in {drawn[column], drawn[column - 1], drawn[column + 1]}


async def test_the_wheel_zooms_around_the_pointer_and_back(monitor) -> None:
    async with monitor.run_test(size=SIZE) as pilot:
        await settled(pilot)
        chart = monitor.query_one("#chart1", Chart)
        column = chart._canvas.start + (len(chart._canvas) - 1) // 4
        place = chart.place_at(column)
        await wheel(pilot, chart, column, 5, events.MouseScrollUp)
        low, high = monitor.model.view.window
        assert high - low == pytest.approx(0.8)
        assert chart.place_at(column) == pytest.approx(place, abs=0.01)
        await wheel(pilot, chart, column, 5)
        assert monitor.model.view.window == (0.0, 1.0)


async def test_the_wheel_moves_through_the_leaderboard_and_scrolls_small_and_large_text(
    monitor,
) -> None:
    async with monitor.run_test(size=SIZE) as pilot:
        await settled(pilot)
        await wheel(pilot, monitor.query_one(Leaderboard), 3, 2)
        assert monitor.model.view.selected == monitor.model.snapshot.standings[1].runs[0]
        small = monitor.query_one("#output")
        assert "follow" in small._strips[0].text
        await wheel(pilot, small, 3, 3, events.MouseScrollUp)
        assert "3 lines below" in small._strips[0].text
        assert monitor.model.view.pane == "charts"
        await pilot.press("l")
        await wheel(pilot, monitor.query_one("#large-output"), 3, 3, events.MouseScrollUp)
        assert monitor.model.view.scroll == 3
        for _ in range(40):
            await pilot._post_mouse_events(
                [events.MouseScrollUp], monitor.query_one("#large-output"), (3, 3), button=0
            )
        await settled(pilot)
        assert "epoch 0: train_loss" in text_of(monitor)


@pytest.mark.parametrize("window", [(0.0, 1.0), (0.2, 0.4), (0.9, 1.0)])
@pytest.mark.parametrize("share", [0.0, 0.3, 1.0])
def test_zooming_keeps_what_is_under_the_pointer_within_the_axis(window, share) -> None:
    low, high = window
    centre = low + share * (high - low)
    for factor in (0.5, 0.8, 1.25, 4.0):
        new = zoomed(window, centre, factor)
        assert 0 <= new[0] < new[1] <= 1
        assert new[0] <= centre <= new[1]


async def test_metrics_are_chosen_from_a_list_that_typing_narrows(monitor) -> None:
    async with monitor.run_test(size=(80, 24)) as pilot:
        await settled(pilot)
        await pilot.press("comma")
        await settled(pilot)
        assert "train_acc" in text_of(monitor)
        assert "7 runs" in text_of(monitor)
        await pilot.press(*"in_lo")
        await settled(pilot)
        assert "train_acc" not in text_of(monitor)
        await pilot.press("enter")
        await settled(pilot)
        assert monitor.model.view.metric == "train_loss"
        assert "train_loss by epoch" in text_of(monitor)


async def test_a_list_that_is_left_or_empty_chooses_nothing(monitor) -> None:
    async with monitor.run_test(size=(80, 24)) as pilot:
        await settled(pilot)
        await pilot.press("comma", *"zzz", "enter")
        assert "no match" in text_of(monitor)
        await pilot.press("escape")
        await settled(pilot)
        assert monitor.model.view.metric == ""
        await pilot.press("comma", "down", "down", "up", "enter")
        await settled(pilot)
        assert monitor.model.view.metric == "val_loss"
        await pilot.press("m")
        assert monitor.model.view.metric == "train_loss"


async def test_a_metric_is_chosen_by_a_click(monitor) -> None:
    async with monitor.run_test(size=(80, 24)) as pilot:
        await settled(pilot)
        await pilot.press("comma")
        await settled(pilot)
        await pilot.click("#choices", offset=(3, 2))
        await settled(pilot)
        assert monitor.model.view.metric == "train_loss"
