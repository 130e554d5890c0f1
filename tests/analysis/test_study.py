"""What a study may be believed: an exponent only where it was measured, a trend only where the intervals bear it."""

import math
import random

import msgspec
import pytest

from lrtui.analysis.study import Exponent, lines, study
from lrtui.search import Auto, Space
from lrtui.sweep import events as ev
from lrtui.sweep.state import fold
from tests.plans import plan_of
from tests.search.simulated import Simulation

RATES = [10 ** (-4 + i / 2) for i in range(9)]
"""1e-04 to 1."""


def accuracy(lr: float, best: float) -> float:
    return 0.95 - 0.04 * math.log10(lr / best) ** 2


def opened(factors, unit="epoch", horizon=9, **kw):
    plan = plan_of(
        unit=unit, horizon=horizon, dataset="digits", model="cnn3", study=tuple(factors), **kw
    )
    return [
        ev.SweepOpened(plan=plan),
        ev.DataPrepared(dataset="digits", val=20_000, classes=10),
    ]


def group(best, *, optimizer="adam", rates=RATES, values=None, die=(), origin="strategy"):
    """Return the runs of one level, whose accuracy peaks at `best`; None: every run diverges."""
    return [
        (
            ev.Setting(lr, optimizer, "constant", values or {}),
            None if best is None or lr in die else accuracy(lr, best),
            origin,
        )
        for lr in rates
    ]


def sweep_of(factors, *groups, order=None, open_runs=0, **kw):
    runs = [each for found in groups for each in found]
    if order is not None:
        random.Random(order).shuffle(runs)
    events = opened(factors, **kw)
    for i, (setting, value, origin) in enumerate(runs):
        run = f"r{i + 1:02}"
        events.append(ev.RunQueued(run=run, setting=setting, seed=0, until=9, origin=origin))
        if i >= len(runs) - open_runs:
            continue
        events.append(ev.RunLaunched(run=run, attempt=1, token="t", until=9))
        events.append(ev.RunStarted(run=run, attempt=1, pid=1))
        if value is None:
            ended = ev.RunEnded(run=run, attempt=1, kind="diverged", why="nan")
        else:
            events.append(ev.RunReached(run=run, attempt=1, level=9, value=value))
            ended = ev.RunEnded(run=run, attempt=1, kind="finished")
        events.append(ended)
    return fold(msgspec.structs.replace(each, n=n, at=n) for n, each in enumerate(events, 1))


def batches(exponent, sizes=(8, 32, 128, 512), base=32, **kw):
    groups = [
        group(3e-3 * (size / base) ** exponent, values={} if size == base else {"batch_size": size})
        for size in sizes
    ]
    return sweep_of([("batch_size", base)], *groups, **kw)


def only(sweep):
    (found,) = study(sweep)
    return found


@pytest.mark.parametrize("exponent", [1.0, 0.5, -0.7])
def test_the_exponent_is_the_one_that_the_levels_have(exponent):
    factor = only(batches(exponent))
    assert factor.exponent.value == pytest.approx(exponent, abs=0.06)
    assert not factor.exponent.excludes(exponent)
    assert factor.trend == ("rises" if exponent > 0 else "falls")


@pytest.mark.parametrize(
    ("exponent", "excluded"), [(1.0, ("square-root",)), (0.5, ("linear",)), (0.0, ("linear", "square-root"))]
)  # fmt: skip
def test_the_rules_that_the_data_exclude_are_named(exponent, excluded):
    sizes = (2, 8, 32, 128, 512, 2048) if exponent else (2, 32, 512)
    rates = [10 ** (-5 + i / 4) for i in range(24)]
    groups = [
        group(3e-3 * (size / 32) ** exponent, rates=rates, values={} if size == 32 else {"batch_size": size})
        for size in sizes
    ]  # fmt: skip
    factor = only(sweep_of([("batch_size", 32)], *groups))
    assert factor.excluded == excluded
    said = "\n".join(lines(factor))
    assert "exclude" in said
    assert ("both" in said) == (len(excluded) == 2)


def test_nothing_is_said_to_move_that_does_not():
    factor = only(batches(0.0))
    assert factor.trend == "not resolvable"
    assert factor.exponent.low < 0 < factor.exponent.high
    assert "not resolvable" in lines(factor)[0]


def test_the_rules_predict_from_the_experiments_own_batch_size():
    levels = {each.level: each for each in only(batches(1.0, base=128)).levels}
    own = levels[128]
    assert own.base
    assert own.linear == own.root == own.lr
    assert levels[8].linear == pytest.approx(own.lr / 16)
    assert levels[8].root == pytest.approx(own.lr / 4)
    assert levels[512].linear == pytest.approx(own.lr * 4)


def test_levels_that_scatter_more_than_their_intervals_allow_widen_the_exponents():
    smooth = [group(1e-2, values={"data": 0.1}), group(1e-2, values={"data": 0.3}), group(1e-2)]
    rough = [group(1e-3, values={"data": 0.1}), group(1e-1, values={"data": 0.3}), group(1e-3)]
    widths = []
    for groups in (smooth, rough):
        exponent = only(sweep_of([("data", 1.0)], *groups)).exponent
        widths.append(exponent.high - exponent.low)
    assert widths[1] > 2 * widths[0]


def test_two_levels_have_no_exponent_and_a_trend_only_where_their_intervals_part():
    apart = only(sweep_of([("data", 1.0)], group(1e-3, values={"data": 0.1}), group(1e-1)))
    assert (apart.exponent, apart.trend) == (None, "rises")
    close = only(sweep_of([("data", 1.0)], group(8e-3, values={"data": 0.1}), group(1e-2)))
    assert (close.exponent, close.trend) == (None, "not resolvable")
    assert any("three levels" in each for each in close.why)


def test_numbers_stand_in_their_order_whatever_the_file_says():
    groups = [group(1e-2), group(1e-2, values={"data": 0.5}), group(1e-2, values={"data": 0.05})]
    factor = only(sweep_of([("data", 1.0)], *groups))
    assert [each.level for each in factor.levels] == [0.05, 0.5, 1.0]


@pytest.mark.parametrize("order", range(3))
def test_the_order_of_the_runs_changes_nothing(order):
    assert study(batches(0.5, order=order)) == study(batches(0.5))


def test_an_optimum_at_an_edge_of_its_search_is_fitted_through_by_nothing():
    low = [lr for lr in RATES if lr <= 1e-2]
    groups = [
        group(1e-3, values={"batch_size": 8}),
        group(3e-3),
        group(1e-1, values={"batch_size": 512}, rates=low),
    ]
    factor = only(sweep_of([("batch_size", 32)], *groups))
    assert factor.exponent is None
    assert factor.levels[-1].edges == ("upper",)
    assert factor.levels[-1].reach[1] == math.inf
    said = "\n".join(lines(factor))
    assert "512: best at the edge of its search; try higher" in said
    assert "> " in said


@pytest.mark.parametrize("best", [1e-1, 1e-4])
def test_an_interval_that_is_open_towards_the_other_level_resolves_nothing(best):
    """One search ends before the optimum, on either side; it may lie where the other level's does."""
    rates = [lr for lr in RATES if (lr < 2e-3 if best > 1e-2 else lr > 2e-2)]
    small = group(best, values={"data": 0.1}, rates=rates)
    factor = only(sweep_of([("data", 1.0)], small, group(best, rates=RATES)))
    assert factor.levels[0].edges == (("upper",) if best > 1e-2 else ("lower",))
    assert factor.trend == "not resolvable"


def test_a_curve_that_rises_to_the_end_of_its_interval_has_no_optimum_there():
    """Beyond 1e-2 every run diverges, and the accuracy still rises up to there: what is known is the LR that was tried."""
    dead = [lr for lr in RATES if lr > 1.1e-2]
    own = group(1e-1, die=dead)
    level = only(
        sweep_of([("data", 1.0)], own, group(1e-1, values={"data": 0.1}, die=dead))
    ).levels[0]
    assert level.lr == pytest.approx(1e-2)
    assert level.low < level.lr < level.high


def test_with_two_levels_a_rule_is_excluded_where_the_intervals_leave_it_out():
    for exponent, excluded in ((1.0, ("square-root",)), (0.5, ("linear",))):
        factor = only(batches(exponent, sizes=(32, 2048)))
        assert factor.exponent is None
        assert factor.excluded == excluded


def test_dead_learning_rates_are_no_edge():
    dead = [lr for lr in RATES if lr > 1e-2]
    groups = [group(1e-2, values={"data": share}, die=dead) for share in (0.1, 0.3)]
    factor = only(sweep_of([("data", 1.0)], *groups, group(1e-2, die=dead)))
    assert all(each.edges == () for each in factor.levels)
    assert factor.exponent is not None


def test_a_level_without_an_answer_is_named_and_the_others_are_compared():
    groups = [group(None, values={"batch_size": 8}), group(1e-3), group(1e-1, values={"batch_size": 512})]  # fmt: skip
    factor = only(sweep_of([("batch_size", 32)], *groups))
    assert factor.levels[0].lr is None
    assert factor.trend == "rises"
    assert any(each.startswith("8 has no answer") for each in factor.why)


def test_with_every_level_dead_nothing_is_claimed():
    factor = only(sweep_of([("data", 1.0)], group(None), group(None, values={"data": 0.1})))
    assert factor.trend == "not resolvable"
    assert factor.excluded == ()
    assert lines(factor)


def test_names_differ_or_cannot_be_resolved_and_have_no_exponent():
    sgd = '{"sgd":{"momentum":0.9}}'
    apart = only(sweep_of([("optimizer", "adam")], group(1e-3), group(1e-1, optimizer=sgd)))
    assert (apart.trend, apart.exponent) == ("differs", None)
    assert [each.text for each in apart.levels] == ["adam", "sgd momentum=0.9"]
    assert "higher with sgd momentum=0.9 than with adam" in "\n".join(lines(apart))
    close = only(sweep_of([("optimizer", "adam")], group(1e-2), group(9e-3, optimizer=sgd)))
    assert close.trend == "not resolvable"


def test_each_factor_is_held_against_the_same_base():
    groups = [group(1e-2), group(1e-3, values={"data": 0.1}), group(1e-2, values={"model": "mlp"})]
    factors = study(sweep_of([("data", 1.0), ("model", "cnn3")], *groups))
    assert [each.name for each in factors] == ["data", "model"]
    assert [each.text for each in factors[0].levels] == ["0.1", "1"]
    assert [each.text for each in factors[1].levels] == ["cnn3", "mlp"]


def test_a_run_that_a_user_added_in_two_factors_at_once_is_no_level():
    both = group(1e-2, values={"data": 0.1, "model": "mlp"}, rates=[1e-2], origin="user")
    factor = only(sweep_of([("data", 1.0)], both, group(1e-2), group(1e-2, values={"data": 0.1})))
    assert [each.level for each in factor.levels] == [0.1, 1.0]
    assert all(len(each.group.split(", ")) < 4 for each in factor.levels)


@pytest.mark.parametrize(
    ("unit", "words"), [("epoch", "a larger batch means fewer steps"), ("step", "more images are seen")]
)  # fmt: skip
def test_it_says_what_was_held_and_that_weight_decay_was(unit, words):
    said = "\n".join(lines(only(batches(1.0, unit=unit))))
    assert f"{unit}s were held, 9 at every level" in said
    assert words in said
    assert "weight decay" in said


def test_while_runs_are_left_it_speaks_so_far():
    assert lines(only(batches(1.0, open_runs=1)))[0].startswith("so far: ")
    assert not lines(only(batches(1.0)))[0].startswith("so far: ")


def test_without_a_study_there_is_nothing():
    assert study(sweep_of([], group(1e-2))) == []
    assert study(fold([])) == []


def test_before_anything_was_trained_there_are_no_lines_to_fall_over():
    factor = only(fold(opened([("data", 1.0)])))
    assert factor.levels == ()
    assert lines(factor)


def test_an_exponents_interval_excludes_what_lies_outside_it():
    assert Exponent(0.7, 0.4, 1.0).excludes(1.1)
    assert not Exponent(0.7, 0.4, 1.0).excludes(1.0)


def test_what_is_noise_is_a_matter_of_a_levels_own_data_set():
    groups = [group(1e-2), group(1e-2, values={"dataset": "mnist"})]
    sweep = sweep_of([("dataset", "digits")], *groups)
    few = ev.DataPrepared(dataset="mnist", val=100, classes=10, n=sweep.n + 1)
    own, other = only(fold([few], sweep)).levels
    assert (own.text, other.text) == ("digits", "mnist")
    assert other.high / other.low > 1.2 * own.high / own.low


def test_a_search_of_its_own_at_every_level_ends_in_a_fitted_exponent():
    space = Space(
        ("adam",), ("constant",), {}, 1, 0, 27, rungs={"constant": (3, 9, 27)}, share=1 / 3,
        study={"batch_size": (8, 128, 512)},
    )  # fmt: skip

    def measure(setting, seed, level):
        best = 3e-3 * (setting.values.get("batch_size", 32) / 32) ** 0.5
        return accuracy(setting.lr, best) - 0.01 * 0.5 ** (level / 3), None

    found = Simulation(Auto(9, 1e-5, 1.0), space, measure, val_images=20_000)
    found.say(
        *opened([("batch_size", 32)], horizon=27, rungs=(("constant", (3, 9, 27)),), keep="1/3")
    )
    factor = only(found.run())
    assert len(found.sweep.rungs) == 8
    assert factor.exponent is not None
    assert not factor.exponent.excludes(0.5)
    assert factor.trend == "rises"


@pytest.mark.parametrize(
    "level", ["x", 0, -1.0, math.inf, math.nan, pytest.param(10**400, id="huge")]
)
@pytest.mark.parametrize("name", ["batch_size", "data"])
def test_levels_that_are_no_sizes_are_names(name, level):
    """A journal from elsewhere may hold anything; a logarithm of it would end the monitor."""
    sweep = sweep_of(((name, 32),), group(1e-3), group(1e-2, values={name: level}))
    factor = only(sweep)
    assert (factor.numeric, factor.exponent, factor.excluded) == (False, None, ())
    assert lines(factor)


# ---------------------------------------------------------------- a level that is not trained


def foreseen(*extra, exponent=-0.5, target=512.0, sizes=(32, 64, 128)):
    groups = [
        group(3e-2 * (size / 32) ** exponent, values={} if size == 32 else {"width": size})
        for size in sizes
    ]
    return sweep_of([("width", 32)], *groups, *extra, predict=(("width", target),))


def test_a_level_that_was_not_trained_is_predicted():
    factor = only(foreseen())
    found = factor.prediction
    assert found.low <= 3e-2 / 4 <= found.high
    assert factor.check is None
    (said,) = [each for each in lines(factor) if "predicted at" in each]
    assert said.startswith("  predicted at width 512: LR* ")
    assert "(90 %: " in said
    assert "of 3 levels and of what is usual" in said


def test_what_is_not_predictable_is_said_with_its_reason():
    factor = only(foreseen(sizes=(32, 64)))
    assert factor.prediction.lr is None
    assert any("not predictable at width 512 from these levels: 2 of the 3" in each for each in lines(factor))  # fmt: skip


def test_the_checked_level_stands_beside_the_prediction_and_moves_nothing():
    """The first run of the level is the one with the predicted LR; the others are its neighbours."""
    before = only(foreseen()).prediction
    rates = [1e-2, 2e-2, 5e-3, 4e-2]
    factor = only(foreseen(group(5e-3, values={"width": 512}, rates=rates)))
    assert factor.prediction == before
    assert [each.level for each in factor.levels] == [32, 64, 128]
    check = factor.check
    assert (check.lr, check.best_lr) == (1e-2, 5e-3)
    assert check.value == pytest.approx(accuracy(1e-2, 5e-3))
    assert check.level.level == 512
    (said,) = [each for each in lines(factor) if "checked at" in each]
    assert "0.9464 with the predicted lr 1.0e-02, 0.0036 worse than the best there" in said
    best = only(foreseen(group(1e-2, values={"width": 512}, rates=rates)))
    assert any("the best of those that were trained there" in each for each in lines(best))


def test_a_checked_level_whose_runs_have_no_result_is_named():
    factor = only(foreseen(group(None, values={"width": 512}, rates=[1e-2])))
    assert any("checked at width 512: lr 1.0e-02 has no result" in each for each in lines(factor))
