"""Runs of more lines than are kept in memory: bounded, and still true."""

import itertools
import math
import random
from array import array

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lrtui.metrics import Measurement, RunSeries
from lrtui.metrics import series as series_module
from lrtui.metrics.line import Columns, Sparse
from lrtui.metrics.series import MOST_ROWS, ROOM
from tests.wandering import contents, wandering

LINES = 4 * MOST_ROWS
EVERY = 500


def line(step: int, rng: random.Random, *, nan: int = -1) -> Measurement:
    values = {"train_loss": math.nan if step == nan else rng.random()}
    if step % EVERY == 0:
        values["val_acc"] = rng.random()
    return Measurement(float(step), float(step), step / 1000, None, step / 50, values)


@pytest.fixture(scope="module")
def long():
    rng = random.Random(1)
    lines = [line(step, rng, nan=70_001) for step in range(1, LINES + 1)]
    series = RunSeries()
    series.extend(1, lines)
    return series, lines


def test_memory_is_bounded_and_evaluations_are_all_there(long):
    series, lines = long
    assert len(series) <= MOST_ROWS
    found = series.get("val_acc")
    wanted = [(m.level, m.values["val_acc"]) for m in lines if "val_acc" in m.values]
    assert list(zip(found.x, found.y, strict=True)) == wanted


def test_the_end_the_extremes_and_what_is_not_finite_stay(long):
    series, lines = long
    dense = [(m.level, m.values["train_loss"]) for m in lines]
    finite = [pair for pair in dense if not math.isnan(pair[1])]
    assert series.last("train_loss") == dense[-1]
    assert series.best("train_loss", "min") == min(finite, key=lambda p: p[1])
    assert series.best("train_loss", "max") == max(finite, key=lambda p: p[1])
    kept = series.get("train_loss")
    assert any(math.isnan(value) for value in kept.y)
    assert list(kept.x) == sorted(set(kept.x))
    shown = {(x, y) for x, y in zip(kept.x, kept.y, strict=True) if not math.isnan(y)}
    assert shown <= set(finite)


def test_every_stretch_of_the_run_keeps_its_extremes(long):
    series, lines = long
    kept = series.get("train_loss")
    wide, part = LINES // 200, LINES // 2048 + 1
    for begin in range(0, LINES, wide):
        low = min(m.values["train_loss"] for m in lines[begin : begin + wide] if m.level != 70_001)
        shown = [
            y
            for x, y in zip(kept.x, kept.y, strict=True)
            if begin - part < x <= begin + wide + part and not math.isnan(y)
        ]
        assert min(shown) <= low


def test_other_axes_and_the_rate_still_fit(long):
    series, _ = long
    by_time = series.get("train_loss", "time")
    by_level = series.get("train_loss")
    assert [50 * t for t in by_time.x] == pytest.approx(list(by_level.x))
    assert series.rate() == pytest.approx(50, rel=0.05)


def test_a_later_attempt_goes_on_where_the_checkpoint_was(long):
    _, lines = long
    series, rng = RunSeries(), random.Random(2)
    series.extend(1, lines)
    again = [line(step, rng) for step in range(100_001, 100_001 + 2 * MOST_ROWS)]
    series.extend(2, again)
    assert len(series) <= MOST_ROWS
    assert series.last("train_loss") == (again[-1].level, again[-1].values["train_loss"])
    found = series.get("val_acc")
    wanted = [m for m in [*lines[:100_000], *again] if "val_acc" in m.values]
    assert list(found.y) == [m.values["val_acc"] for m in wanted]


def test_many_metrics_do_not_coarsen_at_every_line():
    rng, series = random.Random(3), RunSeries()
    lines = [
        Measurement(
            float(i), float(i), None, None, i / 50, {f"m{k}": rng.random() for k in range(40)}
        )
        for i in range(1, 2 * MOST_ROWS)
    ]
    series.extend(1, lines)
    assert len(series) <= 2 * MOST_ROWS
    assert len(series.get("m0")) > 250
    assert series.last("m39") == (lines[-1].level, lines[-1].values["m39"])


@pytest.mark.parametrize("count", [1, 2, 4, 6])
def test_memory_is_bounded_however_many_numbers_a_line_has(count):
    """A line of two metrics or more has its share of the room: 32 such runs were 143 MB."""
    rng, series, most = random.Random(count), RunSeries(), 0
    lines = 6000
    for begin in range(0, 72_000, lines):
        places = array("d", range(begin + 1, begin + lines + 1))
        axes = {"step": places, "epoch": array("d", (x / 391 for x in places)), "time": places}
        values = {f"m{k}": array("d", (rng.random() for _ in places)) for k in range(count)}
        series.extend(1, [Columns(places, axes, values)])
        held = (
            series._levels,
            *series._axes.values(),
            *(c.values for c in series._columns.values()),
        )
        most = max(most, sum(map(len, held)))
    assert ROOM // 4 < most <= ROOM
    x = series.get("m0").x
    assert max(after - before for before, after in itertools.pairwise(x)) < 72_000 / 200


@given(st.integers(0, 10**9), st.lists(st.integers(1, 400), max_size=30))
@settings(max_examples=60, deadline=None)
def test_what_is_kept_does_not_depend_on_how_the_reading_was_divided(seed, sizes):
    """Line by line, which adds each by itself, or many at once, which adds them by column: the same to the last bit."""
    one_by_one, divided, columns = RunSeries(960), RunSeries(960), RunSeries(960)
    by_numpy, sparse = RunSeries(960), RunSeries(960)
    for attempt, lines in wandering(random.Random(seed)):
        for each in lines:
            one_by_one.extend(attempt, [each])
        rest = lines
        for size in sizes:
            divided.extend(attempt, rest[:size])
            rest = rest[size:]
        divided.extend(attempt, rest)
        columns.extend(attempt, [Columns.of(lines)])
        with pytest.MonkeyPatch.context() as many:
            many.setattr(series_module, "LONG", 1)
            by_numpy.extend(attempt, [Columns.of(lines)])
            rest = with_gaps(Columns.of(lines))
            for size in sizes:
                sparse.extend(attempt, [rest.part(0, size)] * (len(rest) > 0))
                rest = rest.part(size, len(rest))
            sparse.extend(attempt, [rest] * (len(rest) > 0))
    assert contents(divided) == contents(one_by_one) == contents(columns)
    with pytest.MonkeyPatch.context() as many:
        many.setattr(series_module, "LONG", 1)
        assert contents(by_numpy) == contents(sparse) == contents(columns)


def with_gaps(lines: Columns) -> Columns:
    """Return the same lines, with what some of them do not name as long blocks have it."""

    def column(found):
        at = [k for k, value in enumerate(found) if value is not None]
        if len(at) == len(found):
            return array("d", found)
        return Sparse(array("I", at), array("d", [found[k] for k in at]), len(found))

    axes = {name: column(found) for name, found in lines.axes.items()}
    values = {name: column(found) for name, found in lines.values.items()}
    return Columns(array("d", lines.levels), axes, values)
