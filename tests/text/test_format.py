"""Lengths of time and units read the same wherever they are said."""

from __future__ import annotations

import math

import pytest

from lrtui.text.format import duration, plural


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0s"), (0.25, "0.25s"), (9.5, "9.5s"), (59.9, "59s"), (300, "5m"), (425, "7m05s"), (3600, "1h"), (12000, "3h20m"),
     (86400, "1d"), (187200, "2d4h"), (1e300, "11574d1h"), (-425, "-7m05s"), (math.nan, "nan"), (math.inf, "11574d1h")],
)  # fmt: skip
def test_a_length_of_time_has_two_units_at_most(seconds, text):
    assert duration(seconds) == text


@pytest.mark.parametrize(
    ("unit", "text"), [("epoch", "epochs"), ("step", "steps"), ("tokens", "tokens")]
)
def test_units_have_their_plural(unit, text):
    assert plural(unit) == text
