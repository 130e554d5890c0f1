"""What is chance for the health rules, which stop runs by it, is chance for the verdict, which recommends none of them."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lrtui.analysis.chance import STANDARD_ERRORS, Chance, chance_in, chance_of, learns
from lrtui.analysis.health import Signs
from lrtui.analysis.verdict.points import Point, is_chance
from lrtui.analysis.verdict.scale import Scale
from lrtui.search.halving import sampling_error
from lrtui.sweep import events as ev
from lrtui.sweep.events import Setting
from lrtui.sweep.state import Sweep
from tests.plans import plan_of


def sweep_of(goal, metric, classes, images, **health) -> Sweep:
    plan = plan_of(metric=metric, goal=goal, horizon=9, health=health)
    return Sweep(plan=plan, data=ev.DataPrepared(classes=classes, val=images))


def by_health(sweep: Sweep, value: float) -> bool:
    signs = Signs(sweep.plan, chance_in(sweep))
    signs.take(9, {sweep.plan.metric: value})
    return signs.at_chance(lower_learns=True) is not None


def by_verdict(sweep: Sweep, scale: Scale, value: float) -> bool:
    point = Point(0.1, Setting(lr=0.1), ("r01",), (value,), value, None, 1, 9, full=True)
    return is_chance(sweep, sweep.plan, scale, point)


@given(
    classes=st.integers(2, 200),
    images=st.sampled_from([0, 50, 400, 10_000]),
    share=st.floats(0.02, 1),
    percent=st.booleans(),
    named=st.one_of(st.none(), st.floats(0.01, 0.9)),
)
def test_health_and_verdict_agree_on_an_accuracy(classes, images, share, percent, named):
    health = {} if named is None else {"chance": named}
    sweep, whole = sweep_of("max", "val_acc", classes, images, **health), 100 if percent else 1
    value = share * whole
    assert by_health(sweep, value) == by_verdict(sweep, Scale("logit", whole=whole), value)


@given(classes=st.integers(2, 200), loss=st.floats(0.01, 10))
def test_health_and_verdict_agree_on_a_loss(classes, loss):
    sweep = sweep_of("min", "val_loss", classes, 400)
    assert by_health(sweep, loss) == by_verdict(sweep, Scale("log"), loss)
    assert by_health(sweep, loss) == (loss >= 0.98 * math.log(classes))


@given(
    metric=st.sampled_from(["val_acc", "Acc", "eval/Accuracy", "f1"]),
    images=st.integers(1, 10_000),
    share=st.floats(0.02, 0.98),
    percent=st.booleans(),
)
def test_search_and_health_agree_on_what_so_few_images_say(metric, images, share, percent):
    """Also on which metrics are an accuracy."""
    sweep, whole = sweep_of("max", metric, 10, images), 100 if percent else 1
    chance = chance_in(sweep)
    known = 0.0 if chance is None else Chance(share, 10, images).band / STANDARD_ERRORS
    assert sampling_error(sweep, share * whole) == pytest.approx(known * whole)


@pytest.mark.parametrize(
    ("classes", "images", "band"), [(10, 400, 0.045), (10, 10_000, 0.009), (10, 0, 0.028), (2, 0, 0.047)]
)  # fmt: skip
def test_the_number_of_images_sets_the_band(classes, images, band):
    assert Chance(1 / classes, classes, images).band == pytest.approx(band, abs=5e-4)


def test_a_named_chance_may_be_in_percent():
    plan = sweep_of("max", "val_acc", 0, 0, chance=25).plan
    assert chance_of(plan, 0, 0) == Chance(0.25)
    assert not learns(27.0, Chance(0.25))
    assert learns(40.0, Chance(0.25))


def test_a_loss_clearly_learns_a_fifth_of_the_way_down():
    chance = Chance(-math.log(10), 10)
    assert learns(-2.2, chance)
    assert not learns(-2.2, chance, clearly=True)
    assert learns(-1.8, chance, clearly=True)
