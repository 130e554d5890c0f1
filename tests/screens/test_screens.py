"""What the screens look like, at 60, 80, 120 and 200 columns, from a recorded sweep with a frozen clock."""

import pytest

from lrtui.sweep import events as ev
from lrtui.sweep.state import group_of
from tests.tui import recordings
from tests.tui.conftest import settled

SIZES = [(60, 16), (80, 24), (120, 36), (200, 60)]


def picture(*keys: str):
    async def before(pilot) -> None:
        await settled(pilot)
        for key in keys:
            await pilot.press(key)
            await pilot.pause()
        if len(pilot.app.screen_stack) == 1:
            await settled(pilot)

    return before


@pytest.mark.parametrize("size", SIZES)
def test_the_monitor(snap_compare, monitor, size) -> None:
    assert snap_compare(monitor, terminal_size=size, run_before=picture())


def test_below_sixty_columns_there_are_no_panes(snap_compare, monitor) -> None:
    assert snap_compare(monitor, terminal_size=(58, 14), run_before=picture())


@pytest.mark.parametrize("size", SIZES[1:3])
def test_log_scale_smoothing_and_steps(snap_compare, monitor, size) -> None:
    assert snap_compare(monitor, terminal_size=size, run_before=picture("m", "y", "s", "a"))


def test_the_output_replaces_the_chart(snap_compare, monitor) -> None:
    assert snap_compare(monitor, terminal_size=(80, 24), run_before=picture("l"))


def test_the_settings_show_what_differs(snap_compare, monitor) -> None:
    assert snap_compare(monitor, terminal_size=(80, 24), run_before=picture("j", "enter"))


def test_four_charts(snap_compare, monitor) -> None:
    assert snap_compare(monitor, terminal_size=(200, 60), run_before=picture("C"))


@pytest.mark.parametrize("keys", [("K",), ("q",), ("e",), ("question_mark",)])
def test_what_lies_over_the_monitor(snap_compare, monitor, keys) -> None:
    assert snap_compare(monitor, terminal_size=(80, 24), run_before=picture(*keys))


def test_a_finished_sweep_with_its_verdict(snap_compare, monitor, told) -> None:
    ends = [ev.RunEnded(run=f"r{i:02d}", attempt=1, kind="finished", code=0) for i in (2, 3, 4, 5)]
    group = group_of(recordings.snapshot().sweep.runs["r04"].setting)
    verdict = ev.VerdictReached(
        lr=3e-3, group=group, why=("90 %: 1e-03..1e-02", "1 seed: noise unknown")
    )
    closed = ev.SweepClosed(code=0, why="all runs finished")
    told.snapshot = recordings.snapshot(
        [*recordings.journal(), *ends, verdict, closed], supervisor="none"
    )
    assert snap_compare(monitor, terminal_size=(120, 36), run_before=picture())


def test_nothing_there_yet(snap_compare, monitor, told) -> None:
    told.snapshot = recordings.snapshot(recordings.journal()[:1])
    assert snap_compare(monitor, terminal_size=(80, 24), run_before=picture())


@pytest.mark.parametrize("size", [(80, 24), (120, 36), (160, 45)])
def test_a_search_behind_its_first_rung(snap_compare, monitor, told, size) -> None:
    told.snapshot = recordings.search_snapshot()
    assert snap_compare(monitor, terminal_size=size, run_before=picture())


def test_a_range_test_runs(snap_compare, monitor, told) -> None:
    told.snapshot = recordings.search_snapshot(recordings.range_testing(), 60)
    assert snap_compare(monitor, terminal_size=(160, 45), run_before=picture())


@pytest.mark.parametrize("size", [(80, 24), (160, 45)])
def test_a_study_that_has_ended(snap_compare, monitor, told, size) -> None:
    told.snapshot = recordings.search_snapshot(recordings.study())
    assert snap_compare(monitor, terminal_size=size, run_before=picture())


@pytest.mark.parametrize("key", ["S", "r", "t"])
def test_what_a_search_can_show_in_the_place_of_the_chart(snap_compare, monitor, told, key) -> None:
    told.snapshot = recordings.search_snapshot(recordings.search(whole=True))
    assert snap_compare(monitor, terminal_size=(80, 24), run_before=picture(key))
