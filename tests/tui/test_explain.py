"""`E` says why a run is as it is, in the words of `lrtui explain`."""

import pytest

from lrtui.frontend.explain import why
from lrtui.sweep import events as ev
from lrtui.sweep.state import fold
from tests.tui import recordings
from tests.tui.conftest import settled, text_of


@pytest.mark.parametrize("size", [(80, 24), (160, 45)])
async def test_it_follows_the_cursor_and_e_again_leads_back(monitor, size) -> None:
    async with monitor.run_test(size=size) as pilot:
        await settled(pilot)
        await pilot.press("E")
        await settled(pilot)
        assert "D 3e-03: running" in text_of(monitor)
        assert "attempt 1; its output: runs/cifar100/r04-lr3e-03/a1/output.log" in text_of(monitor)
        await pilot.press("j")
        await settled(pilot)
        assert "C 1e-03: running" in text_of(monitor)
        await pilot.press("E")
        assert monitor.model.view.pane == "charts"


async def test_every_run_of_a_sweep_is_explained_in_the_pane(monitor) -> None:
    async with monitor.run_test(size=(160, 45)) as pilot:
        await settled(pilot)
        await pilot.press("E")
        for run in monitor.model.snapshot.sweep.runs.values():
            monitor.change_view(selected=run.id)
            await settled(pilot)
            told = monitor.model.named(why(monitor.model.snapshot.sweep, run))
            assert told in text_of(monitor)
            for rule, text in run.flags:
                assert f"flagged by {rule}: {text}" in text_of(monitor)


def test_a_run_at_a_rung_names_those_that_it_waits_for() -> None:
    sweep = fold(recordings.search())
    told = why(sweep, sweep.runs["r04"])
    assert told == "reached epoch 12, a rung; waiting for r03 1e-03, r05 1e-02"


def test_a_run_that_failures_kept_from_its_launch_is_not_called_stopped() -> None:
    events = recordings.search()
    queued = fold(events).queued()[0].id
    failed = ev.RunEnded(run="r05", attempt=2, kind="failed", code=1, why="exit code 1")
    sweep = fold([*events, failed, ev.SweepClosed(code=1, why="3 runs in a row failed at once")])
    said = "queued; the sweep has ended: 3 runs in a row failed at once; it is launched when the failed runs are restarted"
    assert why(sweep, sweep.runs[queued]) == said
