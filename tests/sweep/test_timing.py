import pytest

from lrtui.sweep.timing import Timing, parse


@pytest.mark.parametrize(
    ("text", "tick", "grace"),
    [("", 0.1, 15.0), ("0.1", 0.01, 1.5), ("tick=0.02", 0.02, 15.0), ("0.1,grace=15", 0.01, 15.0)],
)
def test_a_factor_and_names(text, tick, grace):
    timing = parse(text)
    assert (timing.tick, timing.grace) == (pytest.approx(tick), grace)
    assert timing.linger == pytest.approx(50 * timing.tick if "0.1" in text else 5.0)
    assert parse("") == Timing()


@pytest.mark.parametrize("text", ["0", "-1", "tick=0", "tock=1", "soon", "tick=nan"])
def test_nonsense_is_refused(text):
    with pytest.raises(ValueError, match=r"LRTUI_TIMING|could not convert"):
        parse(text)
