"""The health rules: each finds what it is for, and leaves a healthy run alone."""

import json
import math
import random
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lrtui.analysis.chance import Chance, chance_of, learns
from lrtui.analysis.health import Signs
from tests.plans import plan_of

TEN = Chance(0.1, 10, 400)
CURVES = Path(__file__).parents[1] / "benchmarks" / "curves"


def plan(goal="max", metric="val_acc", horizon=100.0, **more):
    return plan_of(goal=goal, metric=metric, horizon=horizon, **more)


def fed(lines, the_plan=None, chance=TEN):
    """Return the rules that spoke, with the level at which each did first."""
    signs = Signs(the_plan or plan(), chance)
    spoke = {}
    for level, values in lines:
        signs.take(level, values)
        for finding in signs.findings():
            spoke.setdefault(finding.rule, (level, finding))
    return spoke


def losses(loss, per_epoch=10, horizon=100):
    return [
        (i / per_epoch, {"train_loss": loss(i / per_epoch)})
        for i in range(1, horizon * per_epoch + 1)
    ]


def accs(acc, horizon=100):
    return [(float(e), {"val_acc": acc(e), "val_loss": 1.0}) for e in range(1, horizon + 1)]


def healthy(lines, **more):
    found = fed(lines, plan(**more))
    return [rule for rule, (_, finding) in found.items() if finding.kind is not None]


# ---------------------------------------------------------------- each rule finds what it is for


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_three_losses_in_a_row_that_are_not_finite_end_a_run_at_any_length(bad):
    lines = [
        (0.1 * i, {"train_loss": value})
        for i, value in enumerate([2.3, bad, 2.2, bad, bad, bad], 1)
    ]
    spoke = fed(lines)
    level, finding = spoke["nan"]
    assert (round(level, 1), finding.kind) == (0.6, "diverged")
    assert f"was {bad} 3 times in a row" in finding.why
    assert "nan" not in fed(lines[:-1])


def test_a_loss_that_goes_back_up_has_diverged():
    level, finding = fed(losses(lambda e: 2.3 * math.exp(-e / 5) if e < 40 else 2.3))["diverged"]
    assert 41 < level < 45
    assert finding.kind == "diverged"
    assert "had come down to" in finding.why


def test_a_loss_far_above_its_start_has_diverged():
    level, finding = fed(losses(lambda e: 2.3 if e < 10 else 30.0))["diverged"]
    assert level < 14
    assert "it began at 2.3" in finding.why


def test_an_objective_that_falls_back_to_chance_has_collapsed_at_the_second_evaluation():
    level, finding = fed(accs(lambda e: 0.94 if e < 17 else 0.1))["collapsed"]
    assert (level, finding.kind) == (18, "pruned")
    assert "after 0.9400 at epoch" in finding.why


def test_a_collapse_is_seen_without_knowing_chance_and_for_losses_too():
    assert "collapsed" in fed(accs(lambda e: 0.94 if e < 17 else 0.1), chance=None)
    lines = [(float(e), {"val_loss": 0.5 if e < 50 else 2.3}) for e in range(1, 101)]
    assert "collapsed" in fed([(0.5, {"val_loss": 2.4}), *lines], plan("min", "val_loss"), None)


@pytest.mark.parametrize("draw", ["gauss", "lognormal", "returns"])
def test_scatter_is_no_collapse(draw):
    """Returns of single episodes, and losses of single batches, fall far and often."""
    for seed in range(20):
        rng = random.Random(seed)
        values = {
            "gauss": lambda rng: rng.gauss(0.5, 0.2),
            "lognormal": lambda rng: rng.lognormvariate(0, 1),
            "returns": lambda rng: rng.choice([10, 15, 20, 40, 120, 500]) * rng.random(),
        }[draw]
        lines = [(i / 10, {"val_acc": values(rng)}) for i in range(1, 1001)]
        assert "collapsed" not in fed(lines, chance=None), seed


def test_one_lucky_value_is_no_height_to_fall_from():
    lines = accs(lambda e: 0.9 if e == 20 else 0.3 + 0.001 * e)
    assert "collapsed" not in fed(lines, chance=None)
    twice = accs(lambda e: 0.9 if e in {20, 21} else 0.3 + 0.001 * e)
    assert "collapsed" in fed(twice, chance=None)


def test_a_collapse_is_seen_through_noise():
    rng = random.Random(1)
    lines = accs(lambda e: (0.9 * min(1, e / 10) if e < 60 else 0.1) + rng.gauss(0, 0.03))
    level, _ = fed(lines, chance=None)["collapsed"]
    assert 60 < level < 66


def dead_adam():
    return [
        (
            e / 10,
            {"train_loss": 2.303 + 0.002 * math.sin(e)} | ({"val_acc": 0.1} if e % 10 == 0 else {}),
        )
        for e in range(1, 500)
    ]


def at_chance(lines, *, lower, the_plan=None, chance=TEN):
    signs = Signs(the_plan or plan(), chance)
    for level, values in lines:
        signs.take(level, values)
        found = signs.at_chance(lower_learns=lower)
        if found:
            return level, found
    return None


def test_chance_is_death_only_where_a_lower_lr_learns():
    level, finding = at_chance(dead_adam(), lower=True)
    assert (finding.rule, finding.kind) == ("chance", "pruned")
    assert level >= 100 / 9
    assert "2.303" in finding.why
    assert at_chance(dead_adam(), lower=False)[1].kind is None
    assert at_chance(dead_adam(), lower=False)[1].rule == "slow"


def test_chance_needs_to_be_known():
    assert chance_of(plan(), 0, 0) is None
    assert chance_of(plan("min", "perplexity"), 10, 400) is None
    assert chance_of(plan(), 10, 400) == Chance(0.1, 10, 400)
    assert chance_of(plan(health={"chance": 0.25}), 0, 0) == Chance(0.25)
    assert at_chance(dead_adam(), lower=True, chance=None) is None
    assert at_chance(dead_adam(), lower=True, the_plan=plan(health={"chance": False})) is None


def test_chance_in_percent_is_chance_too():
    lines = [(e, {"train_loss": 2.303, "val_acc": v}) for e, v in ((20.0, 10.0), (21.0, 11.0))]
    assert at_chance(lines, lower=True)
    lines = [(e, {"train_loss": 1.1, "val_acc": v}) for e, v in ((20.0, 60.0), (21.0, 61.0))]
    assert at_chance(lines, lower=True) is None


def test_a_silent_run_is_told_of_and_never_stopped():
    signs = Signs(plan())
    for i in range(10):
        signs.receive(2.0 * i)
    assert signs.stalled(18 + 59) is None
    finding = signs.stalled(18 + 61)
    assert (finding.rule, finding.kind) == ("stalled", None)
    slow = Signs(plan())
    for i in range(10):
        slow.receive(60.0 * i)
    assert slow.stalled(540 + 500) is None
    assert slow.stalled(540 + 601) is not None


@pytest.mark.parametrize("rule", ["nan", "diverged", "collapsed"])
def test_each_rule_can_be_switched_off(rule):
    lines = [
        *losses(lambda e: 2.3 * math.exp(-e / 5) if e < 40 else 2.3),
        *[
            (100.0 + e, {"val_acc": 0.9 if e < 5 else 0.1, "train_loss": math.nan})
            for e in range(10)
        ],
    ]
    assert rule in fed(lines)
    assert rule not in fed(lines, plan(health={rule: False}))


def test_nothing_but_nan_speaks_before_the_grace():
    blown = losses(lambda e: 2.3 if e < 1 else 50.0)
    assert fed(blown, plan(grace=30.0))["diverged"][0] >= 30
    assert fed(blown, plan(grace=0.0))["diverged"][0] < 5


# ---------------------------------------------------------------- a healthy run is left alone

WSD = lambda e: 0.6 if e < 80 else 0.6 * math.exp(-(e - 80) / 4)  # noqa: E731
HEALTHY = {
    "a spike of the warm-up": lambda e: 2.3 * math.exp(-e / 20) + (8.0 if 1 < e < 2 else 0.0),
    "a spike that passes": lambda e: 2.3 * math.exp(-e / 20) + (4.0 if 50 < e < 51 else 0.0),
    "a training loss near zero that doubles": lambda e: 0.001 if e > 60 and int(e) % 2 else 0.002 if e > 60 else 2.3 * math.exp(-e / 5) + 0.001,
    "the final drop of WSD": WSD,
    "the final drop of cosine": lambda e: 2.3 * (0.2 + 0.8 * 0.5 * (1 + math.cos(math.pi * e / 100))),
    "a slow one": lambda e: 2.303 - 0.0005 * e,
    "one that begins at 60": lambda e: 60 * math.exp(-e / 3) + 0.5,
    "single examples": lambda e: random.Random(e).expovariate(1.0) * 2.3 * math.exp(-e / 50),
    "a plateau with noise": lambda e: 0.5 + random.Random(e).gauss(0, 0.2),
    "a negative log likelihood": lambda e: 3 - 0.08 * e,
}  # fmt: skip


@pytest.mark.parametrize("name", HEALTHY)
@pytest.mark.parametrize("per_epoch", [1, 30])
def test_a_healthy_loss_is_left_alone(name, per_epoch):
    assert healthy(losses(HEALTHY[name], per_epoch)) == []


def test_a_gradient_that_is_infinite_under_a_loss_scaler_only_flags():
    lines = [
        (
            e / 10,
            {"train_loss": 2.3 * math.exp(-e / 300), "grad_norm": math.inf if e % 40 == 0 else 1.0},
        )
        for e in range(1, 1000)
    ]
    spoke = fed(lines)
    assert set(spoke) == {"not finite"}
    assert spoke["not finite"][1].kind is None
    assert "grad_norm" in spoke["not finite"][1].why


def test_a_metric_that_is_nan_while_the_loss_is_fine_only_flags_and_the_other_way_round_ends():
    fine = [(e, {"train_loss": 1.0, "val_acc": math.nan}) for e in map(float, range(1, 50))]
    assert [rule for rule, (_, f) in fed(fine).items() if f.kind] == []
    lost = [(e, {"train_loss": math.nan, "val_acc": 0.8}) for e in map(float, range(1, 50))]
    assert fed(lost)["nan"][1].kind == "diverged"


HEALTHY_ACCS = {
    "rising": lambda e: 0.9 * (1 - math.exp(-e / 10)),
    "noisy": lambda e: 0.6 + random.Random(e).gauss(0, 0.05),
    "one bad evaluation": lambda e: 0.1 if e == 40 else 0.9 * (1 - math.exp(-e / 10)),
    "overfitting": lambda e: 0.8 - 0.002 * e,
    "slow at chance": lambda e: 0.1 + (0.001 * (e - 70) if e > 70 else 0.0),
}


@pytest.mark.parametrize("name", HEALTHY_ACCS)
@pytest.mark.parametrize("scale", [1, 100])
def test_a_healthy_objective_is_left_alone(name, scale):
    assert healthy(accs(lambda e: scale * HEALTHY_ACCS[name](e))) == []


@given(
    st.lists(
        st.tuples(
            st.floats(0, 200),
            st.dictionaries(st.sampled_from(["train_loss", "val_acc", "g"]), st.floats()),
        )
    )
)
def test_whatever_a_worker_prints_is_borne(lines):
    signs = Signs(plan(), Chance(0.1, 10))
    for level, values in lines:
        signs.take(level, values)
        signs.findings()
        signs.at_chance(lower_learns=True)


# ---------------------------------------------------------------- on measured curves


@pytest.mark.parametrize("name", [path.stem for path in sorted(CURVES.glob("*.json"))])
def test_on_measured_runs_none_that_ends_well_is_stopped(name):
    """A dense grid of 19 LRs, three seeds each: who comes within a third of the best must never be stopped."""
    table = json.loads((CURVES / f"{name}.json").read_text())
    if table["goal"] == "min":
        pytest.skip("told by its losses, not by a share of the best")
    the_plan, chance = plan(horizon=float(table["horizon"])), Chance(0.1, 10, table["val_images"])
    best = max(run["value"][-1] or 0.0 for run in table["runs"])
    stopped, dead = [], 0
    for run in table["runs"]:
        lower = [r for r in table["runs"] if r["seed"] == run["seed"] and r["lr"] < run["lr"]]
        signs = Signs(the_plan, chance)
        spoke = []
        for i, level in enumerate(table["levels"]):
            acc, loss = run["value"][i], run["train_loss"][i]
            values = {"val_acc": acc, "train_loss": loss}
            signs.take(level, {name: math.nan if v is None else v for name, v in values.items()})
            learns_lower = any(learns(r["value"][i] or 0.0, chance, clearly=True) for r in lower)
            spoke += [*signs.findings(), signs.at_chance(lower_learns=learns_lower)]
        final = run["value"][-1] or 0.0
        rules = {finding.rule for finding in spoke if finding and finding.kind}
        if rules and final > best * 2 / 3:
            stopped.append((run["lr"], run["seed"], final, rules))
        dead += bool(rules) and final < 0.15
    assert stopped == []
    assert dead >= 3


def test_a_rising_loss_ends_no_run_whose_metric_gets_better():
    """In reinforcement learning the loss may rise with the reward."""
    for metric, ends in (("reward", False), ("loss", True)):
        signs = Signs(plan_of(metric=metric, loss="loss", unit="step", horizon=100))
        for step in range(1, 101):
            signs.take(step, {"loss": 1 + step / 10, "reward": step / 10})
        rules = {finding.rule for finding in signs.findings()}
        assert ("diverged" in rules) is ends, metric
