"""What a prediction may be believed: the law where there is one, an interval that holds, and no answer where there is none."""

import itertools
import math
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lrtui.analysis.prediction import PRIORS, SGD_BATCHES, WIDEST, Seen, predict

LEVELS = (16, 32, 64, 128)


def seen(level, lr, decades=0.15, **sides):
    """A level whose interval reaches so many decades to each side."""
    return Seen(level, lr, lr / 10**decades, lr * 10**decades, **sides)


def law(exponent, levels=LEVELS, lr=1e-3, **kw):
    return [seen(level, lr * (level / levels[0]) ** exponent, **kw) for level in levels]


@pytest.mark.parametrize("factor", ["width", "data", "batch_size", "own"])
@pytest.mark.parametrize("exponent", [-0.5, 0.0, 0.4])
def test_a_power_law_is_carried_on(factor, exponent):
    found = predict(factor, law(exponent), 512)
    true = 1e-3 * 32**exponent
    assert found.low <= true <= found.high
    b, low, high = found.exponent
    assert low <= exponent <= high
    assert low < b < high
    assert found.law[0][0] == pytest.approx(16)
    assert found.law[-1] == (pytest.approx(512), pytest.approx(found.lr))


def test_a_sure_law_is_met_closely():
    levels = [2.0**k for k in range(3, 11)]
    found = predict("width", law(-0.7, levels, decades=0.05), 4096)
    assert found.lr == pytest.approx(1e-3 * 512**-0.7, rel=0.25)
    assert found.exponent[0] == pytest.approx(-0.7, abs=0.05)


def test_ninety_percent_intervals_hold_in_nine_of_ten():
    """Laws, bends, scatters and errors as the priors have them: 360 studies, 4 to 16 times the largest level."""
    rng = random.Random(0)
    held = predicted = 0
    for factor, optimizer, prior in (
        ("width", "", PRIORS["width"]),
        ("batch_size", "adam", PRIORS["batch_size"]),
        ("batch_size", "sgd", SGD_BATCHES),
    ):
        for _ in range(120):
            b = rng.gauss(prior.exponent, prior.sd)
            c = rng.gauss(-prior.bend * b, prior.bend_sd)
            scatter, error = rng.choice([0.0, 0.05, 0.1]), rng.uniform(0.06, 0.2)

            def height(level, b=b, c=c):
                x = math.log10(level / math.sqrt(16 * 128))
                return -2.5 + b * x + c * x * x

            levels = []
            for level in LEVELS:
                y = height(level) + rng.gauss(0, math.hypot(scatter, error))
                levels.append(seen(level, 10**y, 1.645 * error))
            target = rng.choice([512, 1024, 2048])
            found = predict(factor, levels, target, optimizer)
            if found.lr is not None:
                predicted += 1
                held += found.low <= 10 ** height(target) <= found.high
    assert predicted > 200
    assert 0.86 <= held / predicted <= 0.97


def test_the_prior_of_batch_sizes_depends_on_the_optimizer():
    unsure = law(0.7, (32, 64, 128), decades=0.4)
    adam, sgd = (predict("batch_size", unsure, 512, name) for name in ("adam", "sgd"))
    assert sgd.lr > adam.lr
    assert sgd.exponent[0] > adam.exponent[0]


def test_the_interval_grows_with_distance_and_with_scatter():
    widths = [
        math.log10(found.high / found.low)
        for found in (predict("width", law(-0.5), target) for target in (256, 512, 1024))
    ]
    assert widths == sorted(widths)
    rough = [replace_lr(each, 10 ** (0.12 * (-1) ** i)) for i, each in enumerate(law(-0.5))]
    wide = predict("width", rough, 256)
    assert math.log10(wide.high / wide.low) > widths[0]


def replace_lr(each, by):
    return each._replace(lr=each.lr * by, low=each.low * by, high=each.high * by)


@settings(deadline=None, max_examples=30)
@given(
    order=st.permutations(range(4)),
    unit=st.floats(1e-3, 1e3),
    scale=st.floats(1e-3, 1e3),
    exponent=st.floats(-1, 1),
)
def test_order_units_and_scales_change_nothing(order, unit, scale, exponent):
    levels = law(exponent)
    found = predict("width", levels, 512)
    other = [replace_lr(levels[i], scale)._replace(level=levels[i].level * unit) for i in order]
    same = predict("width", other, 512 * unit)
    assert (found.lr is None) == (same.lr is None)
    if found.lr is not None:
        assert same.lr == pytest.approx(found.lr * scale, rel=1e-6)
        assert same.exponent == pytest.approx(found.exponent, abs=1e-6)


@settings(deadline=None, max_examples=60)
@given(
    st.lists(
        st.tuples(
            st.floats(1e-6, 1e6) | st.floats(1e-30, 1e30, exclude_max=True),
            st.floats(-8, 2) | st.floats(-30, 30),
            st.floats(0, 2),
            st.floats(0, 2),
            st.booleans(),
            st.booleans(),
        ),
        max_size=7,
    ),
    st.floats(1e-6, 1e6) | st.floats(1e-30, 1e30, exclude_max=True),
)
def test_whatever_the_levels_there_is_an_answer_or_a_reason(levels, target):
    found = predict(
        "batch_size",
        [Seen(x, 10**y, 10 ** (y - a), 10 ** (y + b), *sides) for x, y, a, b, *sides in levels],
        target,
    )
    assert (found.lr is None) == bool(found.why)
    if found.lr is not None:
        assert 0 < found.low <= found.lr <= found.high < math.inf
        assert math.log10(found.high / found.low) <= WIDEST


# ---------------------------------------------------------------- not predictable


def test_levels_that_contradict_a_power_law_predict_nothing():
    zigzag = [seen(level, lr) for level, lr in zip(LEVELS, (1e-3, 1e-2, 1e-3, 1e-2), strict=True)]
    found = predict("width", zigzag, 512)
    assert found.lr is None
    assert found.why.startswith("the levels contradict a power law: LR* at ")
    one_off = law(-0.5)
    one_off[1] = replace_lr(one_off[1], 20)
    assert "LR* at 32 is 1.4e-02" in predict("width", one_off, 512).why


@pytest.mark.parametrize("count", [0, 1, 2])
def test_it_takes_three_levels(count):
    assert f"{count} of the 3 levels" in predict("width", law(-0.5)[:count], 512).why


def test_levels_at_the_edge_of_their_search_do_not_count():
    edge = [each._replace(open_above=True) for each in law(-0.5)]
    assert "4 of 4 levels are best at the edge" in predict("width", edge, 512).why
    last = [*law(-0.5)[:3], edge[3]]
    assert "128, is best at the edge" in predict("width", last, 512).why
    assert predict("width", [edge[0], *law(-0.5)[1:]], 512).lr is not None


def test_an_open_side_bounds_the_law_on_the_other():
    """The first level says "at least so much": a law above it is as good as one through it, one below is not."""
    steep = law(-0.6)
    low = replace_lr(steep[0], 0.3)._replace(open_above=True)
    through = predict("width", [low, *steep[1:]], 512)
    assert through.exponent[0] == pytest.approx(predict("width", steep[1:], 512).exponent[0], abs=0.15)  # fmt: skip
    high = replace_lr(steep[0], 4)._replace(open_above=True)
    assert predict("width", [high, *steep[1:]], 512).exponent[0] < through.exponent[0]


def test_too_far_is_said_with_how_far_the_levels_carry():
    found = predict("width", law(-0.5, (16, 32, 64)), 4097)
    assert "a factor of 64" in found.why
    assert "no further than 64" in found.why


def test_an_interval_that_says_nothing_is_no_prediction():
    found = predict("width", law(-0.5, decades=0.9), 1024)
    assert "its 90 % interval would span a factor of" in found.why


def test_a_level_between_the_others_is_predicted_more_surely():
    found = predict("width", law(-0.5), 48)
    beyond = predict("width", law(-0.5), 512)
    assert found.high / found.low < beyond.high / beyond.low


@pytest.mark.parametrize("pair", list(itertools.combinations(range(4), 2)))
def test_levels_given_twice_do_not_make_three(pair):
    a, b = (law(-0.5)[i] for i in pair)
    assert predict("width", [a, b, a], 512).lr is None
