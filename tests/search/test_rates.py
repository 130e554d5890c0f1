"""Which learning rates a grid, a random search and a list try."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lrtui.search import Grid, Listed, PerOptimizer, Random, Space, strategy
from lrtui.supervisor.commands import with_ids
from lrtui.sweep.state import Sweep, fold
from lrtui.text.format import lr_text

decades = st.tuples(st.integers(-8, 0), st.integers(1, 8)).map(
    lambda d: (10.0 ** d[0], 10.0 ** (d[0] + d[1]))
)


def test_a_grid_over_decades_has_round_numbers():
    assert Grid(5, 1e-5, 1e-1).rates(0) == (1e-5, 1e-4, 1e-3, 1e-2, 1e-1)
    assert [lr_text(lr) for lr in Grid(4, 1e-5, 1e-1).rates(0)] == [
        "1e-05",
        "2.15e-04",
        "4.64e-03",
        "1e-01",
    ]


@given(st.integers(2, 50), decades)
def test_a_grid_is_even_on_the_logarithm_and_includes_its_ends(count, ends):
    rates = Grid(count, *ends).rates(0)
    assert (rates[0], rates[-1], len(rates)) == (*ends, count)
    assert list(rates) == sorted(set(rates))
    step = (math.log(ends[1]) - math.log(ends[0])) / (count - 1)
    for i, lr in enumerate(rates):
        assert math.log(lr) - math.log(ends[0]) == pytest.approx(i * step, abs=0.0051)


@given(st.integers(1, 50), decades, st.integers(0, 2**40))
def test_random_lrs_lie_in_the_range_and_are_distinct(count, ends, seed):
    rates = Random(count, *ends).rates(seed)
    assert all(ends[0] <= lr <= ends[1] for lr in rates)
    assert len(set(rates)) == len(rates) == count


@given(st.integers(1, 20), st.integers(0, 2**40))
def test_asking_for_more_random_lrs_keeps_those_there_were(count, seed):
    few, more = Random(count, 1e-5, 1e-1).rates(seed), Random(count + 5, 1e-5, 1e-1).rates(seed)
    assert more[:count] == few


def test_random_lrs_are_the_same_on_every_machine_and_differ_between_seeds():
    assert Random(3, 1e-5, 1e-1).rates(0) == (6.62e-4, 1.9e-3, 4.61e-5)
    assert set(Random(3, 1e-5, 1e-1).rates(0)).isdisjoint(Random(3, 1e-5, 1e-1).rates(1))


def test_random_lrs_are_uniform_on_the_logarithm():
    logs = [math.log10(lr) for lr in Random(1000, 1e-6, 1e-2).rates(5)]
    shares = [sum(low <= each < low + 1 for each in logs) / 1000 for low in (-6, -5, -4, -3)]
    assert all(0.2 < share < 0.3 for share in shares)


def test_a_narrow_range_gets_more_digits_instead_of_equal_lrs():
    assert Grid(5, 1e-3, 1.001e-3).rates(0) == (0.001, 0.0010002, 0.0010005, 0.0010007, 0.001001)
    assert len(set(Random(50, 1e-3, 1.0001e-3).rates(0))) == 50


def test_strategies_say_in_words_what_they_try():
    assert Listed((0.1,)).describe() == "1 given LR: 1e-01"
    assert Listed((0.1, 3e-4)).describe() == "2 given LRs: 1e-01, 3e-04"
    assert Grid(8, 1e-5, 1e-1).describe() == "grid of 8 from 1e-05 to 1e-01, log-even"
    assert Random(8, 1e-5, 1e-1).describe() == "8 random from 1e-05 to 1e-01, log-uniform"
    both = PerOptimizer({"adam": Listed((1e-3,)), "sgd": Grid(2, 1e-2, 1)})
    assert (
        both.describe() == "adam: 1 given LR: 1e-03; sgd: grid of 2 from 1e-02 to 1e+00, log-even"
    )


def test_each_optimizer_gets_its_own_lrs_whatever_its_options():
    space = Space(('{"adam":{"eps":1e-8}}', "adam", "sgd"), (), {}, 1, 0, 1)
    starts = PerOptimizer({"adam": Listed((1e-3,)), "sgd": Listed((0.1,))}).decide(Sweep(), space)
    assert [start.setting.lr for start in starts] == [1e-3, 1e-3, 0.1]


def test_deciding_looks_at_each_run_once(monkeypatch):
    """A supervisor decides each time that something happened: with 1,000 runs in pairs it took most of a core."""
    listed, space = Listed(tuple(i * 1e-6 for i in range(1, 301))), Space(("sgd",), (), {}, 1, 0, 1)
    sweep = fold(with_ids(listed.decide(Sweep(), space), Sweep()))
    keys = []
    real = strategy.setting_key
    monkeypatch.setattr(strategy, "setting_key", lambda setting: keys.append(1) or real(setting))
    assert listed.decide(sweep, space) == []
    assert len(keys) <= 2 * len(sweep.runs)
