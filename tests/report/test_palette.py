"""A run has the same colour in the report as in the monitor."""

from __future__ import annotations

from lrtui.frontend.run_colors import STOPS, RunColors, heat, spread
from lrtui.report import palette
from lrtui.tui.themes import LIGHT


def test_the_dark_scale_is_the_monitors():
    colours = palette.variables(dark=True)
    steps = range(palette.HEATS + 1)
    assert [colours[f"--h{n}"] for n in steps] == [heat(n / palette.HEATS) for n in steps]
    assert colours["--h0"] == "#5b8ff9"
    assert len({colours[f"--h{n}"] for n in steps}) == palette.HEATS + 1 > len(STOPS)


def test_a_figure_has_the_colours_of_a_monitor_that_opens_the_sweep():
    lrs = (3e-3, 1e-4, 1e-1, 3e-3, 1e-2)
    marks = RunColors().of((f"r{n}", lr) for n, lr in enumerate(lrs)).values()
    places = spread(lrs)
    assert [mark.colour for mark in marks] == [heat(places[lr]) for lr in lrs]


def test_the_light_scale_is_that_of_the_light_theme():
    colours = palette.variables(dark=False)
    for step in range(palette.HEATS + 1):
        place = step / palette.HEATS
        assert colours[f"--h{step}"] == palette.heat(place) == heat(place, LIGHT.stops)
    assert len(set(colours.values())) > palette.HEATS
