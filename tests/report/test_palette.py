"""A run has the same colour in the report on a dark ground as in the monitor."""

from __future__ import annotations

from lrtui.frontend.run_colors import STOPS, heat
from lrtui.report import palette


def test_the_dark_scale_is_the_monitors():
    colours = palette.variables(dark=True)
    steps = range(palette.HEATS + 1)
    assert [colours[f"--h{n}"] for n in steps] == [heat(n / palette.HEATS) for n in steps]
    assert colours["--h0"] == "#5b8ff9"
    assert len({colours[f"--h{n}"] for n in steps}) == palette.HEATS + 1 > len(STOPS)


def test_the_light_scale_goes_from_cold_to_hot():
    colours = palette.variables(dark=False)
    assert (palette.heat(0), palette.heat(1)) == ("#1b4f9c", "#a8123e")
    assert palette.heat(0.5) == colours[f"--h{palette.HEATS // 2}"]
