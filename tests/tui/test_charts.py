"""Charts as pictures, and numbers that would break plotext."""

import math
import subprocess
import sys
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from textual.screen import Screen
from textual.strip import Strip

from lrtui.metrics import Series
from lrtui.tui.charts import axes, braille, plot
from lrtui.tui.charts.axes import Limits
from lrtui.tui.charts.curves import metric_for, smoothed
from lrtui.tui.charts.plot import Curve, Picture, spread
from lrtui.tui.panels.chart import Chart
from tests.tui import recordings
from tests.tui.conftest import settled


def picture(*curves: Curve) -> Picture:
    x, y = Limits(0, 10), Limits(0, 2)
    return Picture(
        "loss by epoch", curves, x, y, axes.ticks(x, 6), axes.ticks(y, 3), (("A 1e-03", "#ffffff"),)
    )


def text(shown: Picture, width: int = 46, height: int = 10, **how: bool) -> str:
    return "\n".join(strip.text.rstrip() for strip in plot.draw(shown, width, height, **how))


FALLING = Curve("A", "#ffffff", [0, 10], [2, 0])
GAP = Curve("B", "#00ffff", [0, 2, 4, 6, 8], [1, 1, math.nan, 1, 1])


def test_a_chart_has_a_frame_ticks_and_a_letter_at_the_end_of_each_curve() -> None:
    assert (
        text(picture(FALLING, GAP))
        == """\
     ┌ loss by epoch ─────────────── A 1e-03 ┐
    2┤⠠⠤⣀⡀                                   │
     │   ⠈⠉⠒⠢⠤⣀⡀                             │
     │         ⠈⠉⠒⠤⢄⣀                        │
    1┤⠠⠤⠤⠤⠤⠤⠤⠤       ⠉⠑⠒⠤⢄⣀⠤⠤⠤⠤⠤⠤⠤⠄B         │
     │                     ⠉⠑⠒⠤⣀⡀            │
     │                          ⠈⠉⠒⠢⠤⣀⡀      │
    0┤                                ⠈⠉⠒⠂A  │
     └┴──────┴──────┴──────┴──────┴──────┴───┘
      0      2      4      6      8     10"""
    )


@pytest.mark.parametrize("quick", [True, False])
def test_both_back_ends_draw_the_same_frame_and_leave_gaps_open(quick: bool) -> None:
    lines = text(picture(GAP), quick=quick).splitlines()
    assert lines[0].startswith("     ┌ loss by epoch ")
    middle = next(line for line in lines if "B" in line)
    assert middle.rstrip("│ ").endswith("B")
    inked = [c for c in middle[6:] if c != " "]
    blank = middle[6:].index(" ")
    assert len(inked) > 10
    assert middle[6 + blank : 6 + blank + 4].strip() == ""


@pytest.mark.parametrize("count", [1, 8, 11, 40])
@pytest.mark.parametrize(("width", "height"), [(80, 11), (20, 6), (5, 2), (1, 1), (240, 70)])
def test_a_chart_is_exactly_as_large_as_asked(count: int, width: int, height: int) -> None:
    curves = [Curve("A", "#ffffff", [0, 5, 10], [0, k / 40, 2]) for k in range(count)]
    strips = plot.draw(picture(*curves), width, height)
    assert len(strips) == height
    assert {strip.cell_length for strip in strips} == {width}


def test_every_segment_has_a_style() -> None:
    for strip in plot.draw(picture(FALLING), 60, 12):
        assert all(segment.style is not None for segment in strip)


FUZZ = """
import itertools, math
from lrtui.tui.charts import axes, plot as charts
from lrtui.tui.charts.axes import Limits
bad = [math.nan, math.inf, -math.inf, 0.0, -1.0, 1e300, -1e300, 5e-324, 1.0]
series = [[]] + [list(p) for n in (1, 2, 3) for p in itertools.product(bad, repeat=n)]
drawn = 0
for quick in (False, True):
    for low, high in ((0, 1), (-1e300, 1e300), (0, 5e-324), (1, 1), (-1e308, 1.7e308)):
        limits = Limits(low, high)
        for start in range(0, len(series), 9):
            curves = tuple(charts.Curve("A", "#ffffff", list(range(len(y))), y) for y in series[start:start + 9])
            ticks = axes.ticks(limits, 5) + axes.log_ticks(Limits(-3, 3), 5)
            shown = charts.Picture("t", curves, Limits(0, 3), limits, ticks, ticks)
            charts.draw(shown, 50, 12, quick=quick)
            drawn += 1
for low, high in itertools.product(bad, repeat=2):
    for f in (axes.stepped, axes.stepped_log):
        limits = f(low, high)
        assert math.isfinite(limits.low) and limits.low < limits.high, (f, low, high, limits)
        axes.ticks(limits, 6), axes.log_ticks(limits, 6)
print("drawn", drawn)
"""


def test_no_number_aborts_the_process() -> None:
    done = subprocess.run(
        [sys.executable, "-c", FUZZ], capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert done.stdout.startswith("drawn")
    assert done.stderr == ""


def test_limits_stay_while_they_fit_and_are_round() -> None:
    first = axes.stepped(0.13, 2.31)
    assert first == (0.0, 3.0)
    assert axes.stepped(0.12, 2.2, first) == first
    assert axes.stepped(0.11, 0.19, first) != first
    assert axes.stepped(-0.01, 1.0) == (-0.125, 1.0), "a slight dip below 0 takes little room"
    assert axes.stepped(-1.0, 0.01) == (-1.0, 0.125)
    assert axes.stepped_log(math.log10(0.13), math.log10(2.3)) == pytest.approx(
        (-1.0, math.log10(5))
    )


@pytest.mark.parametrize(
    ("end", "labels"),
    [
        (0.8, "0s 0.2s 0.4s 0.6s 0.8s"),
        (61, "0s 15s 30s 45s 1m"),
        (5000, "0s 20m 40m 1h 1h20m"),
        (100_000, "0s 6h 12h 18h 1d"),
        (1e7, "0s 50d 100d"),
    ],
)
def test_ticks_of_time_stand_at_whole_minutes_hours_and_days(end: float, labels: str) -> None:
    assert " ".join(tick.label for tick in axes.time_ticks(Limits(0, end), 6)) == labels


def test_the_beginning_of_a_long_run_fills_the_chart() -> None:
    assert [axes.shortened(160, furthest) for furthest in (160, 81, 80, 3, 0.0)] == [
        160,
        160,
        80,
        5,
        160,
    ]
    assert axes.shortened(1e6, 1e-9) == 1e6 / 1024
    assert axes.shortened(1.0, math.nan) == 1.0


def test_ticks_are_few_and_round() -> None:
    assert [t.label for t in axes.ticks(Limits(0, 30), 7)] == [
        "0",
        "5",
        "10",
        "15",
        "20",
        "25",
        "30",
    ]
    assert [t.label for t in axes.ticks(Limits(0, 100_000), 6)] == [
        "0",
        "20k",
        "40k",
        "60k",
        "80k",
        "100k",
    ]
    assert [t.label for t in axes.log_ticks(Limits(-2, 0), 9)][:4] == [
        "0.01",
        "0.02",
        "0.05",
        "0.1",
    ]


def test_smoothing_is_an_average_that_begins_without_bias_and_steps_over_gaps() -> None:
    from array import array

    y = array("d", [1.0, math.nan, 1.0, 1.0])
    _, smooth = smoothed(Series("loss", array("d", range(4)), y), 100, 0.9)
    assert smooth[0] == pytest.approx(1)
    assert math.isnan(smooth[1])
    assert smooth[3] == pytest.approx(1)


def test_long_series_are_smoothed_by_columns() -> None:
    from array import array

    x = array("d", range(100_000))
    xs, ys = smoothed(Series("loss", x, array("d", (v % 2 for v in x))), 100, 0.5)
    assert len(xs) == len(ys) == 200
    assert ys == pytest.approx([0.5] * 200)


async def test_an_outdated_size_is_drawn_again(monitor, told, monkeypatch) -> None:
    """At once, also while files are read: the rest between two drawings is for those that were shown."""
    told.snapshot = recordings.snapshot(reading=True)
    async with monitor.run_test(size=(120, 36)) as pilot:
        await settled(pilot)
        chart = monitor.query_one("#chart0", Chart)
        chart._rests_until = 0.0
        sizes = []

        def paint(_, *size: int) -> list[Strip]:
            sizes.append(size)
            if len(sizes) == 1:
                monitor.call_from_thread(pilot.resize_terminal, 100, 36)
            return [Strip.blank(9)]

        monkeypatch.setattr(chart, "paint", paint)
        before, chart._drawn = tuple(chart.size), ()
        chart.redraw()
        await settled(pilot)
        assert sizes == [before, tuple(chart.size)]
        assert sizes[0] != sizes[1]


async def test_a_key_ends_a_charts_rest(monitor, told, monkeypatch) -> None:
    """While files are read a chart is drawn seldom, but what a key asks for at once."""
    told.snapshot = recordings.snapshot(reading=True)
    async with monitor.run_test(size=(120, 36)) as pilot:
        await settled(pilot)
        chart, drawn = monitor.query_one("#chart0", Chart), []
        monkeypatch.setattr(chart, "paint", lambda *_: drawn.append(1) or [Strip.blank(9)])
        chart._rests_until, chart._drawn = math.inf, ()
        chart.redraw()
        await settled(pilot)
        assert not drawn
        await pilot.press("y")
        await settled(pilot)
    assert len(drawn) == 1


async def test_a_key_is_shown_before_charts_are_drawn(monitor, monkeypatch) -> None:
    async with monitor.run_test(size=(120, 36)) as pilot:
        await settled(pilot)
        order = []
        paint = Chart.paint
        monkeypatch.setattr(Chart, "paint", lambda *args: order.append("chart") or paint(*args))
        monkeypatch.setattr(monitor, "post_display_hook", lambda: order.append("frame"))
        await pilot.press("j")
        await settled(pilot)
    assert order[0] == "frame"
    assert order.count("chart") == 2


async def test_the_first_frame_has_every_panel_in_it(monitor, told, monkeypatch) -> None:
    """And the first size is laid out once, though Textual reports it three times."""
    told.snapshot = None
    frames, sizes = [], []
    lay_out = Screen._refresh_layout
    monkeypatch.setattr(monitor, "post_display_hook", lambda: frames.append(monitor.screen_lines()))
    monkeypatch.setattr(
        Screen,
        "_refresh_layout",
        lambda *args, **kw: sizes.extend(args[1:]) or lay_out(*args, **kw),
    )
    async with monitor.run_test(size=(120, 36)):
        pass
    assert "reading" in frames[0][0]
    assert "? help" in frames[0][-1]
    assert sizes == [(120, 36)]


async def test_each_size_is_laid_out_after_one_under_a_dialog(monitor) -> None:
    async with monitor.run_test(size=(160, 45)) as pilot:
        await settled(pilot)
        await pilot.press("question_mark")
        widths = []
        for size in ((80, 24), (160, 45)):
            await pilot.resize_terminal(*size)
            await pilot.press("escape")
            await settled(pilot)
            widths.append(monitor.query_one("#tabs").size.width)
    assert widths == [80, 160]


async def test_a_pane_is_made_when_it_is_shown_first(monitor) -> None:
    def large() -> list[str | None]:
        return [pane.id for pane in monitor.query("#main > Lines")]

    async with monitor.run_test(size=(120, 36)) as pilot:
        await settled(pilot)
        made = [large(), [pane.id for pane in monitor.query("#below > Lines")]]
        await pilot.press("8", "5", "8")
        await settled(pilot)
        made.append(large())
        shown = [pane.id for pane in monitor.query("#main > Lines") if pane.size]
    assert made == [[], ["output", "settings"], ["large-output", "large-journal"]]
    assert shown == ["large-journal"]


def test_the_second_chart_keeps_the_objective_while_m_turns_the_first() -> None:
    names = ["val_loss", "val_acc", "train_loss"]
    chosen = ("", "train_loss", "val_loss", "no longer measured")
    assert [metric_for(0, 2, names, "val_acc", each) for each in chosen] == [
        *("val_loss", "train_loss", "val_loss", "val_loss")
    ]
    assert {metric_for(1, 2, names, "val_acc", each) for each in chosen} == {"val_acc"}
    assert metric_for(0, 1, names, "val_acc", "") == "val_acc"


def test_the_rasteriser_stays_on_its_canvas() -> None:
    points = [plot.Point(0, 0, False), plot.Point(1, 1, True), plot.Point(0.5, 0, False)]
    across, down = braille.dots(points, 20, 40)
    assert across.min() >= 0
    assert across.max() == 19
    assert down.min() == 0
    assert down.max() == 39


@given(
    st.lists(
        st.lists(
            st.builds(plot.Point, st.floats(0, 1), st.floats(0, 1), st.booleans()), max_size=9
        ),
        max_size=3,
    )
)
def test_a_few_curves_are_drawn_alike_without_numpy(lines) -> None:
    lines = [[point._replace(joined=point.joined and i > 0) for i, point in enumerate(line)] for line in lines]  # fmt: skip
    assert braille.paint_few(lines, 10, 5) == braille.paint(lines, 10, 5)


@given(
    st.integers(1, 12).flatmap(
        lambda rows: st.tuples(st.just(rows), st.lists(st.floats(0, rows - 1), max_size=rows))
    )
)
def test_letters_stand_in_the_order_of_their_values_each_in_a_row_of_its_own(case) -> None:
    rows, wanted = case
    wanted.sort()
    found = spread(wanted, rows)
    assert len(found) == len(wanted)
    assert found == sorted(set(found))
    assert all(0 <= row < rows for row in found)
    if all(b - a >= 1 for a, b in pairwise(wanted)):
        assert found == [math.floor(row + 0.5) for row in wanted]


def test_letters_that_end_together_are_near_their_ends() -> None:
    assert spread([1, 1.1, 1.2, 5], 8) == [0, 1, 2, 5]
    assert spread([7, 7, 7], 8) == [5, 6, 7]
