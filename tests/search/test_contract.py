"""What every strategy keeps to: pure, never starts what exists, comes to an end."""

from types import MappingProxyType

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lrtui.search import (
    STRATEGIES,
    Auto,
    Bayes,
    Grid,
    Listed,
    PerOptimizer,
    Random,
    Space,
)
from lrtui.sweep.events import RunQueued
from lrtui.sweep.state import Run, State, Sweep

SGD = '{"sgd":{"momentum":0.9}}'
rates = st.floats(1e-8, 10)
bounds = st.tuples(rates, rates).filter(lambda pair: pair[0] != pair[1]).map(sorted)
listed = st.lists(rates, min_size=1, max_size=5, unique=True).map(lambda each: Listed(tuple(each)))
grids = st.builds(lambda n, pair: Grid(n, *pair), st.integers(2, 6), bounds)
randoms = st.builds(lambda n, pair: Random(n, *pair), st.integers(1, 6), bounds)
simple = listed | grids | randoms
strategies = simple | st.builds(lambda a, b: PerOptimizer({"adam": a, "sgd": b}), simple, simple)
studies = st.builds(
    Space,
    optimizers=st.just(("adam",)),
    schedules=st.just(("constant",)),
    values=st.just({}),
    seeds=st.integers(1, 2),
    seed=st.just(0),
    horizon=st.just(20.0),
    study=st.fixed_dictionaries(
        {},
        optional={
            "batch_size": st.sampled_from([(8,), (8, 512)]),
            "data": st.just((0.1, 0.3)),
            "optimizer": st.just((SGD,)),
        },
    ),
)
spaces = studies | st.builds(
    Space,
    optimizers=st.sampled_from([("adam",), ("adam", SGD), (SGD, "adam")]),
    schedules=st.sampled_from([(), ("constant",), ("constant", "cosine")]),
    values=st.sampled_from([{}, {"wd": (0.1,)}, {"wd": (0.1, 0.2), "on": (True, 1)}]),
    seeds=st.integers(1, 3),
    seed=st.integers(0, 2**31),
    horizon=st.sampled_from([1.0, 20.0, 1e9]),
)


def identity(start):
    values = tuple((name, repr(value)) for name, value in sorted(start.setting.values.items()))
    return start.setting.lr, start.setting.optimizer, start.setting.schedule, values, start.seed


def sweep_with(starts, origin="strategy", state=State.ENDED):
    runs = {
        f"r{i:02}": Run(f"r{i:02}", start.setting, start.seed, origin, state, start.until)
        for i, start in enumerate(starts)
    }
    return Sweep(runs=MappingProxyType(runs))


def test_every_strategy_of_the_table_is_covered_here():
    assert set(STRATEGIES.values()) == {Grid, Random, Auto, Bayes}


@given(strategies, spaces)
def test_the_same_sweep_has_the_same_answer(strategy, space):
    assert strategy.decide(Sweep(), space) == strategy.decide(Sweep(), space)
    assert strategy.describe() == strategy.describe() != ""


@given(strategies, spaces, st.data())
@settings(deadline=None)
def test_what_exists_is_never_started_again_whatever_became_of_it(strategy, space, data):
    every = strategy.decide(Sweep(), space)
    some = data.draw(st.lists(st.sampled_from(every), unique_by=identity))
    state = data.draw(st.sampled_from(list(State)))
    origin = data.draw(st.sampled_from(["strategy", "user"]))
    rest = strategy.decide(sweep_with(some, origin, state), space)
    assert {identity(start) for start in rest}.isdisjoint(identity(start) for start in some)
    assert [start for start in every if identity(start) not in set(map(identity, some))] == rest


@given(strategies, spaces)
def test_it_comes_to_an_end(strategy, space):
    begun = []
    for _ in range(3):
        decisions = strategy.decide(sweep_with(begun), space)
        begun += decisions
    assert decisions == []
    assert len({identity(start) for start in begun}) == len(begun)


@given(strategies, spaces)
def test_every_setting_gets_its_first_seed_before_any_gets_its_second(strategy, space):
    starts = strategy.decide(Sweep(), space)
    seeds = [start.seed for start in starts]
    assert seeds == sorted(seeds)
    assert set(seeds) == set(range(space.seed, space.seed + space.seeds))
    assert {start.until for start in starts} == {space.horizon}
    assert all(isinstance(start, RunQueued) for start in starts)
    settings_of = [{identity(s)[:-1] for s in starts if s.seed == seed} for seed in set(seeds)]
    assert all(each == settings_of[0] for each in settings_of)


@pytest.mark.parametrize("strategy", [Listed((1e-3,)), Grid(2, 1e-3, 1e-1), Random(2, 1e-3, 1e-1)])
def test_other_runs_of_the_user_change_nothing(strategy):
    space = Space(("adam",), ("constant",), {}, 1, 0, 10)
    every = strategy.decide(Sweep(), space)
    others = Listed((0.5, 0.25)).decide(Sweep(), space)
    assert strategy.decide(sweep_with(others, "user"), space) == every


def test_a_study_varies_one_factor_at_a_time_around_the_base_which_comes_first():
    study = {"batch_size": (8, 512), "optimizer": (SGD,), "data": (0.1,)}
    space = Space(("adam",), ("cosine",), {"wd": (0.1,)}, 1, 0, 10, study=study)
    assert [(cell.optimizer, cell.values) for cell in space.cells()] == [
        ("adam", {"wd": 0.1}),
        ("adam", {"wd": 0.1, "batch_size": 8}),
        ("adam", {"wd": 0.1, "batch_size": 512}),
        (SGD, {"wd": 0.1}),
        ("adam", {"wd": 0.1, "data": 0.1}),
    ]
    assert {cell.schedule for cell in space.cells()} == {"cosine"}


def test_in_a_study_of_optimizers_each_has_its_own_learning_rates():
    space = Space(("adam",), (), {}, 1, 0, 10, study={"optimizer": (SGD,), "data": (0.1,)})
    strategy = PerOptimizer({"adam": Listed((1e-3,)), "sgd": Listed((1e-1, 1.0))})
    starts = [start.setting for start in strategy.decide(Sweep(), space)]
    assert [(each.optimizer, each.lr, each.values) for each in starts] == [
        ("adam", 1e-3, {}),
        ("adam", 1e-3, {"data": 0.1}),
        (SGD, 1e-1, {}),
        (SGD, 1.0, {}),
    ]
