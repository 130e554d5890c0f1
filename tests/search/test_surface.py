"""Axes beside the LR: places that fill the plane, proposals that find the peak, the same whatever ends first, and what is said of it."""

import itertools
import math
import random
from dataclasses import replace

import msgspec
import pytest

from lrtui.analysis.verdict import paste, verdict
from lrtui.analysis.verdict.answer import Why
from lrtui.analysis.verdict.best_place import interaction
from lrtui.analysis.verdict.heat_map import heat_maps
from lrtui.search import Auto, Space, Surface
from lrtui.search.halving import PROPOSED
from lrtui.sweep.axis_places import round_values, share_of, value_of
from lrtui.sweep.events import Axis
from lrtui.sweep.state import setting_key
from lrtui.text.format import lr_text
from tests.search.simulated import Simulation

R = 27.0
DECAY = Axis("weight_decay", 1e-3, 1.0)
MOMENTUM = Axis("momentum", 0.0, 0.99, "complement")
DROPOUT = Axis("dropout", 0.0, 0.5, "linear")


def space(*axes, seeds=1):
    rungs = {"constant": (3.0, 9.0, R)}
    return Space(("adamw",), ("constant",), {}, seeds, 0, R, rungs, 1 / 3, axes=axes)


def simulated(measure, *axes, order=0, parallel=2, bounds=(1e-5, 1e-1), dies=None, seeds=1):
    return Simulation(
        Surface(Auto(7, *bounds), axes),
        space(*axes, seeds=seeds),
        measure,
        dies=dies or (lambda run, level: None),
        order=random.Random(order),
        parallel=parallel,
    )


def ridge(slope, axis=DECAY, top=-3.0):
    """Return a measure whose best LR moves by `slope` decades over the axis, and whose best place on it is the middle."""

    def measure(setting, seed, level):
        share = share_of(axis, setting.axes[axis.name])
        off = math.log10(setting.lr) - top - slope * (share - 0.5)
        value = 0.95 - 0.2 * off**2 - 0.1 * (share - 0.5) ** 2 - 0.1 * (1 - level / R)
        return (max(0.11, value), None)

    return measure


@pytest.mark.parametrize("axis", [DECAY, MOMENTUM, DROPOUT, Axis("d", 0.2, 0.21, "linear")])
def test_places_on_an_axis_come_back(axis):
    for share in (0.0, 0.13, 0.5, 0.99, 1.0):
        value = value_of(axis, share)
        assert axis.low <= value <= axis.high
        assert share_of(axis, value) == pytest.approx(share, abs=0.05)


def test_a_value_far_outside_stays_near_the_axis():
    assert [share_of(DECAY, value) for value in (0.0, 1e-30, 1e30)] == [-0.5, -0.5, 1.5]
    assert share_of(MOMENTUM, 1.0) == 1.5


def test_first_places_fill_the_plane():
    """Each twelfth of the LRs and each quarter of the axis has its share of the places."""
    starts = simulated(ridge(0), DECAY).strategy.decide(simulated(ridge(0)).sweep, space(DECAY))
    shares = sorted(share_of(DECAY, start.setting.axes["weight_decay"]) for start in starts)
    rates = sorted(math.log10(start.setting.lr) for start in starts)
    assert len(starts) == 12
    assert max(b - a for a, b in itertools.pairwise(rates)) < 0.4
    assert max(b - a for a, b in zip([0, *shares], [*shares, 1], strict=True)) < 0.2


@pytest.mark.parametrize(("slope", "said"), [(-1.5, "falls by"), (0.0, "no inter")])
def test_it_finds_the_peak_and_says_how_the_lr_moves(slope, said):
    sweep = simulated(ridge(slope), DECAY).run()
    found = verdict(sweep)
    share = share_of(DECAY, found.axes["weight_decay"])
    assert ridge(slope)(found.setting, 0, R)[0] > 0.94, (found.lr, share)
    words = next(reason.text for reason in found.reasons if reason.why is Why.INTERACTION)
    assert said in words, words
    assert sweep.spent < 0.6 * 24 * R
    place = f"use lr = {lr_text(found.lr)}, weight_decay = {found.axes['weight_decay']:g} ("
    assert found.headline(sweep.plan).startswith(place)
    assert found.low <= found.lr <= found.high
    decay = found.axes["weight_decay"]
    assert f"lr={lr_text(found.lr)}, weight_decay={decay})" in paste(sweep, found)[1]


def test_a_second_seed_decides():
    """Three finalists get it, and the one that only its first seed put in front is not the answer."""
    lucky = verdict(simulated(ridge(0), DECAY).run()).setting

    def measure(setting, seed, level):
        value = ridge(0)(setting, seed, level)[0]
        return (value - 0.05 if seed and setting == lucky else value), None

    sweep = simulated(measure, DECAY, seeds=2).run()
    again = {setting_key(run.setting) for run in sweep.trained() if run.seed == 1}
    found = verdict(sweep)
    assert len(again) == 3
    assert setting_key(lucky) in again
    assert found.setting != lucky
    assert setting_key(found.setting) in again


def test_it_says_why_a_better_measured_place_is_passed_over():
    """The answer is the best over all seeds; what is shown leaves out the seed that selected it."""
    lucky = verdict(simulated(ridge(0), DECAY).run()).setting

    def measure(setting, seed, level):
        value = ridge(0)(setting, seed, level)[0]
        return (value + (-0.01 if seed else 0.02) if setting == lucky else value), None

    found = verdict(simulated(measure, DECAY, seeds=2).run())
    words = next(reason.text for reason in found.reasons if reason.why is Why.BETTER)
    assert found.setting == lucky
    assert words.endswith(
        f"in the further seeds only: over all seeds {lr_text(lucky.lr)} is better"
    )


def test_the_heat_map_is_highest_on_the_ridge():
    """In each row of the map the predicted best LR lies where the true one is, and the bands part it from the worst up."""
    sweep = simulated(ridge(-1.5), DECAY).run()
    found = verdict(sweep)
    (chart,) = heat_maps(sweep, found)
    for share, row in zip(chart.shares, chart.values, strict=True):
        if 0.3 <= share <= 0.7:
            top = chart.lrs[max(range(len(row)), key=row.__getitem__)]
            assert top == pytest.approx(-3.0 - 1.5 * (share - 0.5), abs=0.3)
    assert list(chart.limits) == sorted(chart.limits)
    assert chart.place(found.setting) == share_of(DECAY, found.axes["weight_decay"])
    assert chart.place(msgspec.structs.replace(found.setting, axes={})) is None
    assert heat_maps(simulated(ridge(0), DECAY).sweep, found) == (), "nothing was trained"
    assert heat_maps(replace(sweep, plan=msgspec.structs.replace(sweep.plan, axes=())), found) == ()


@pytest.mark.parametrize(
    ("axis", "most", "values"),
    [
        (Axis("m", 0.1, 0.99, "complement"), 9, [0.5, 0.8, 0.9, 0.95, 0.98, 0.99]),
        (Axis("w", 1e-3, 0.3), 4, [1e-3, 1e-2, 1e-1]),
        (Axis("w", 1e-30, 1.0), 4, [1e-30, 1e-22, 1e-14, 1e-6]),
        (Axis("w", 0.11, 0.15), 5, [0.11, 0.15]),
        (Axis("d", 0.0, 0.5, "linear"), 6, [0.0, 0.1, 0.2, 0.3, 0.4, 0.5]),
    ],
)
def test_an_axis_is_labelled_with_round_values(axis, most, values):
    assert round_values(axis, most) == pytest.approx(values, rel=1e-9, abs=1e-40)


def test_two_axes_are_searched_at_once():
    def measure(setting, seed, level):
        return ridge(-1.0)(setting, seed, level)[0] - 0.1 * setting.axes["dropout"], None

    sweep = simulated(measure, DECAY, DROPOUT).run()
    found = verdict(sweep)
    assert measure(found.setting, 0, R)[0] > 0.92
    assert sum(reason.why is Why.INTERACTION for reason in found.reasons) == 2


def test_which_run_ends_first_changes_nothing():
    def tried(order, parallel):
        sweep = simulated(ridge(-1.0), DECAY, order=order, parallel=parallel).run()
        return {setting_key(run.setting): run.ending.kind for run in sweep.trained()}

    assert tried(1, 3) == tried(7, 1)


def test_a_replay_decides_the_same():
    """Asked at any point of the journal, a supervisor that comes back wants what the first one wanted."""
    simulation = simulated(ridge(-1.0), DECAY)
    simulation.open()
    while simulation.step():
        again = replace(simulation, events=[]).strategy.decide(simulation.sweep, simulation.space)
        assert again == simulation.strategy.decide(simulation.sweep, simulation.space)
    keys = [setting_key(run.setting) for run in simulation.sweep.trained()]
    assert len(keys) == len(set(keys)) <= 12 + PROPOSED


@pytest.mark.parametrize("kind", ["failed", "diverged"])
def test_all_dead_ends_after_the_first_places(kind):
    sweep = simulated(ridge(0), DECAY, dies=lambda run, level: kind).run()
    assert len(sweep.runs) == 12
    assert verdict(sweep).lr is None


def test_a_plateau_ends_and_says_that_nothing_differs():
    sweep = simulated(lambda setting, seed, level: (0.8 + level / 270, 0.3), DECAY).run()
    found = verdict(sweep)
    assert len(sweep.runs) == 12
    assert found.lr is None
    assert found.equal is not None


def test_bounds_of_the_user_are_kept():
    sweep = simulated(ridge(0, top=0.0), DECAY, bounds=(1e-4, 1e-2)).run()
    assert all(1e-4 <= run.setting.lr <= 1e-2 for run in sweep.trained())
    assert all(1e-3 <= run.setting.axes["weight_decay"] <= 1 for run in sweep.trained())


def test_a_narrow_box_starts_no_setting_twice():
    axis = Axis("weight_decay", 0.1, 0.1001)
    sweep = simulated(ridge(0, axis), axis, bounds=(1e-3, 1.0001e-3)).run()
    keys = [setting_key(run.setting) for run in sweep.trained()]
    assert len(keys) == len(set(keys)) > 1


@pytest.mark.parametrize(
    ("slope", "said"),
    [
        ((-0.9, -1.4, -0.5), "the best LR halves when weight_decay is ten times as large"),
        ((-0.2, -0.9, 0.4), "no interaction was seen: when weight_decay is ten times as large"),
        ((0.1, -10.0, 7.5), "how the best LR changes when weight_decay"),
        ((-4.0, -8.0, -1.0), "the best LR falls by a factor of"),
    ],
)
def test_an_interaction_is_said_as_far_as_it_is_known(slope, said):
    """Never "a factor of 5e-05 to 1.1e+03"."""
    assert interaction(DECAY, slope).startswith(said)
