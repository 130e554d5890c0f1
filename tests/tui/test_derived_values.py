"""The view that is derived from the curves: numbers checked by hand, and the pane in the running app."""

import math

import pytest

from lrtui.frontend.derived_values import TARGET, derive, gap_name, target
from lrtui.metrics import Measurement, RunSeries
from tests.plans import plan_of
from tests.tui.conftest import settled, text_of

PLAN = plan_of(horizon=6)
ACCURACIES = (0.1, 0.5, 0.9, 0.8, 0.9, 1.0)


def series(values=ACCURACIES, train=0.99):
    made = RunSeries()
    lines = [
        Measurement(
            float(epoch), None, float(epoch), None, 10.0 * epoch, {"val_acc": v, "train_acc": train}
        )
        for epoch, v in enumerate(values, 1)
    ]
    made.extend(1, lines)
    return made


def test_the_target_lies_most_of_the_way_from_the_worst_beginning_to_the_best():
    assert target(PLAN, [series(), series((0.3, 0.6))]) == pytest.approx(0.1 + TARGET * 0.9)
    assert target(PLAN, []) is None


def test_gap_roughness_and_the_way_to_the_target():
    found = derive(PLAN, series(), 0.85)
    assert found.gap == pytest.approx(0.99 - 1.0)
    assert found.rough == pytest.approx((0.1 + 0.1) / 2)
    assert (found.level, found.seconds) == (3, 30)
    assert gap_name([series()]) == "train_acc to val_acc"


def test_what_cannot_be_told_is_none():
    found = derive(PLAN, series((0.1, 0.2), train=math.nan), 0.9)
    assert (found.gap, found.rough, found.level, found.seconds) == (None, None, None, None)


@pytest.mark.parametrize("size", [(160, 45), (80, 24)])
async def test_the_pane_lists_every_run(monitor, size) -> None:
    async with monitor.run_test(size=size) as pilot:
        await settled(pilot)
        await pilot.press("v")
        await settled(pilot)
        text = text_of(monitor)
        assert "derived · target val_acc" in text
        assert "never" in text
        for letter in "ABCDEFG":
            assert f" {letter} " in text
        await pilot.press("v")
        await settled(pilot)
        assert monitor.model.view.pane == "charts"
