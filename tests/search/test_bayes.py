"""Bayesian search: comes to its number of LRs, closes in on the peak, and is the same whatever ends first."""

import math
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lrtui.search import Bayes, Space
from tests.search.simulated import Simulation, ended
from tests.search.test_halving import peak

R = 27.0
ALL = Space(("adam",), ("constant",), {}, 1, 0, R)
HALVING = Space(("adam",), ("constant",), {}, 1, 0, R, {"constant": (3.0, 9.0, R)}, 1 / 3)


@pytest.mark.parametrize("space", [ALL, HALVING])
def test_it_tries_as_many_as_were_asked_for_inside_the_range(space):
    tried = ended(Simulation(Bayes(10, 1e-5, 1e-1), space, peak(-2.3)).run())
    assert len(tried) == 10
    assert all(1e-5 <= lr <= 1e-1 for lr in tried)


@pytest.mark.parametrize("at", [-4.2, -3.0, -2.3, -1.4])
def test_it_closes_in_on_the_peak(at):
    sweep = Simulation(Bayes(10, 1e-5, 1e-1), ALL, peak(at, width=0.7)).run()
    near = sum(abs(math.log10(run.setting.lr) - at) < 0.4 for run in sweep.trained())
    best = max(sweep.trained(), key=lambda run: run.reached[-1].value)
    assert near >= 4
    assert abs(math.log10(best.setting.lr) - at) < 0.15


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 2**31), st.integers(1, 4))
def test_which_run_ends_first_changes_nothing(seed, parallel):
    def tried(order, parallel):
        sim = Simulation(
            Bayes(8, 1e-5, 1e-1),
            HALVING,
            peak(-2.3, noise=0.02),
            order=random.Random(order),
            parallel=parallel,
        )
        return ended(sim.run())

    assert tried(seed, parallel) == tried(0, 1)


def test_dead_lrs_are_not_tried_again_next_door():
    dies = lambda run, level: "diverged" if run.setting.lr > 3e-3 else None  # noqa: E731
    sweep = Simulation(Bayes(10, 1e-5, 1.0), ALL, peak(-3.0, width=0.7), dies=dies).run()
    dead = [run.setting.lr for run in sweep.trained() if run.ending.kind == "diverged"]
    assert len(dead) <= 4


def test_all_dead_ends_after_the_first_four():
    sweep = Simulation(Bayes(10, 1e-5, 1.0), ALL, peak(), dies=lambda run, level: "failed").run()
    assert len(sweep.runs) == 4
