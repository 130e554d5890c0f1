"""The verdict: an LR that was earned, an interval with its grounds, and never an arbitrary pick."""

from __future__ import annotations

import itertools
import math
import random
import tomllib
from dataclasses import replace

import msgspec
import pytest

from lrtui.analysis import gaussian_process
from lrtui.analysis.verdict import (
    Noise,
    Reason,
    Verdict,
    groups,
    interval,
    paste,
    pick,
    reasons,
    recommend,
    sensitivity,
    unanswered,
    verdict,
    verdicts,
)
from lrtui.analysis.verdict.case import Case
from lrtui.analysis.verdict.observations import observations_of
from lrtui.analysis.verdict.points import points_of
from lrtui.analysis.verdict.results import results_of, runs_of
from lrtui.analysis.verdict.scale import scale_of
from lrtui.sweep import events as ev
from lrtui.sweep.events import GroupKey, Plan, Setting
from lrtui.sweep.state import Sweep, fold, group_text
from tests.benchmarks import calibration

R = 27.0
ADAM = GroupKey("adam")
CURVE = {1e-4: 0.92, 3.2e-4: 0.955, 1e-3: 0.972, 3.2e-3: 0.98, 1e-2: 0.975, 3.2e-2: 0.95}
IMAGES = ev.DataPrepared(classes=10, val=5000)


def plan(**changes) -> Plan:
    fields = {"name": "t", "source": "t.toml", "metric": "val_acc", "goal": "max", "loss": "train_loss",
              "unit": "epoch", "horizon": R}  # fmt: skip
    return Plan(**fields | changes)


class Story:
    """Events of a sweep in the making."""

    def __init__(self, data: ev.DataPrepared | None = None, **changes) -> None:
        self.told: list[ev.AnyEvent] = [ev.SweepOpened(plan=plan(**changes))]
        self.told += [data] if data else []
        self.horizon = self.told[0].plan.horizon
        self.count = 0

    def run(
        self, lr, *values, seed=0, kind="finished", why="", rule=None, early=False, losses=(), flags=(), rungs=None,
        level=None, name=None, **setting,
    ):  # fmt: skip
        """A run with a value at each of `rungs` (default: the horizon alone); kind None: it goes on."""
        self.count += 1
        name = name or f"r{self.count:02}"
        rungs = rungs or (self.horizon,)
        made = Setting(lr=lr, **{"optimizer": "adam"} | setting)
        self.told.append(ev.RunQueued(run=name, setting=made, seed=seed, until=rungs[0]))
        spent = 0.0
        for i, (until, value) in enumerate(zip(rungs, values or (None,), strict=False)):
            if i:
                self.told += [ev.RunWaiting(run=name), ev.RunPromoted(run=name, until=until)]
            self.told += [
                ev.RunLaunched(run=name, attempt=i + 1, token="t", until=until),
                ev.RunStarted(run=name, attempt=i + 1, pid=1),
            ]
            for flag in flags:
                self.told.append(ev.RunFlagged(run=name, attempt=i + 1, rule=flag, why="flagged"))
            if values:
                finite = value is not None and math.isfinite(value)
                self.told += [
                    ev.RunReached(
                        run=name, attempt=i + 1, level=level or until, value=value if finite else None,
                        val_loss=losses[i] if losses else None,
                    ),
                    ev.RunCharged(run=name, attempt=i + 1, spent=until - spent),
                ]  # fmt: skip
                spent = until
        number = min(len(rungs), max(1, len(values)))
        if kind:
            self.told.append(
                ev.RunEnded(run=name, attempt=number, kind=kind, why=why, rule=rule, early=early)
            )
        elif values:
            self.told.append(ev.RunWaiting(run=name))
        return self

    def queue(self, lr, **setting):
        self.count += 1
        made = Setting(lr=lr, **{"optimizer": "adam"} | setting)
        self.told.append(
            ev.RunQueued(run=f"r{self.count:02}", setting=made, seed=0, until=self.horizon)
        )
        return self

    def add(self, *events):
        self.told += events
        return self

    @property
    def sweep(self) -> Sweep:
        sweep = fold(self.told)
        assert sweep.strange == 0
        return sweep

    @property
    def verdict(self) -> Verdict:
        return verdict(self.sweep)


def grid(curve=CURVE, data: ev.DataPrepared | None = IMAGES, **changes) -> Story:
    story = Story(data, **changes)
    for lr, value in curve.items():
        story.run(lr, value)
    return story


def says(found: Verdict, words: str) -> bool:
    return any(words in reason.text for reason in found.reasons)


def texts(found: Verdict) -> list[str]:
    return [reason.text for reason in found.reasons]


# ---------------------------------------------------------------- the recommendation


def test_the_top_of_the_curve_is_recommended_with_interval_and_equal_range():
    found = grid().verdict
    assert found.lr == 3.2e-3
    assert found.low < 3.2e-3 < found.high
    assert found.low > 3.2e-4 and found.high < 3.2e-2  # noqa: PT018
    assert found.by_noise
    assert found.low <= found.optimum <= found.high
    assert found.equal[0] <= 3.2e-3 <= found.equal[1]
    assert found.within == 0.005
    assert (found.value, found.value_at, found.seeds, found.runs) == (0.98, R, 1, ("r04",))
    assert not found.provisional
    assert found.headline(plan()).startswith("use lr = 3.2e-03 (90 %: ")
    assert (
        found.reasons[0].text
        == "best val_acc of 6 learning rates trained to the end: 0.9800 at epoch 27"
    )
    assert says(found, "next best: 1e-02 with 0.9750, behind by 0.0050 (equal within 0.005)")


def test_a_lucky_neighbour_of_bad_ones_does_not_win():
    """One image in fifty decides nothing: 1e-4 lies beside results that say it is bad."""
    curve = {1e-4: 0.972, 3.2e-4: 0.90, 1e-3: 0.955, 3.2e-3: 0.970, 1e-2: 0.968, 3.2e-2: 0.955}
    found = grid(curve, ev.DataPrepared(classes=10, val=100)).verdict
    assert found.lr in (3.2e-3, 1e-2)
    assert says(found, "1e-04 measured better by")


def test_nothing_depends_on_the_order_of_the_runs():
    shuffled = list(CURVE.items())
    random.Random(3).shuffle(shuffled)
    a, b = grid().verdict, grid(dict(shuffled)).verdict
    assert (a.lr, a.low, a.high, a.equal, a.reasons) == (b.lr, b.low, b.high, b.equal, b.reasons)


def test_percent_and_fractions_give_the_same_answer():
    a, b = grid().verdict, grid({lr: 100 * value for lr, value in CURVE.items()}).verdict
    assert (a.lr, b.lr) == (3.2e-3, 3.2e-3)
    assert [b.low, b.high, *b.equal] == pytest.approx([a.low, a.high, *a.equal])
    assert (a.within, b.within) == (0.005, 0.5)


def test_fewer_validation_images_make_a_wider_interval():
    def width(images):
        found = grid(data=ev.DataPrepared(classes=10, val=images)).verdict
        return math.log10(found.high / found.low)

    assert width(300) > width(5000) + 0.2


def test_the_interval_is_never_narrower_than_a_quarter_step_to_each_side():
    found = grid(data=ev.DataPrepared(classes=10, val=10_000_000)).verdict
    assert math.log10(found.lr / found.low) >= 0.125 - 0.01
    assert math.log10(found.high / found.lr) >= 0.125 - 0.01


def test_a_loss_is_minimised_and_may_span_decades():
    curve = {1e-5: 2.1, 1e-4: 0.3, 1e-3: 2e-3, 1e-2: 4e-3, 1e-1: 0.9, 1.0: 3e7}
    story = grid(curve, None, metric="val_loss", goal="min")
    story.run(1e-3, 2.4e-3, seed=1).run(1e-2, 4.4e-3, seed=1)
    found = story.verdict
    assert found.lr == 1e-3
    assert 1e-5 < found.low < 1e-3 < found.high < 1e-1
    assert says(found, "the curve is lowest at 1.9e-03")
    assert all(math.isfinite(x) for x in (found.low, found.high, found.optimum, found.value))


def test_a_negative_objective_works_too():
    found = grid({1e-4: -12.0, 1e-3: -3.0, 1e-2: -5.0}, None, metric="reward").verdict
    assert found.lr == 1e-3


def test_the_cliff_is_left_out_of_the_fit(monkeypatch):
    seen = []
    fit = gaussian_process.fit
    monkeypatch.setattr(
        gaussian_process, "fit", lambda found, *rest: seen.append(found) or fit(found, *rest)
    )
    interval._curve.cache_clear()
    found = grid(CURVE | {1e-1: 0.40}).verdict
    assert found.lr == 3.2e-3
    assert {round(10**o.x, 6) for o in seen[0]} == set(CURVE)


def test_an_lr_beyond_the_cliff_is_never_recommended_by_the_curve():
    """The curve rises up to the last good LR: what it would say beyond is no reason to take what was measured to be bad."""
    story = Story(ev.DataPrepared(classes=10, val=600))
    for lr, value in {5.5e-4: 0.7064, 1.7e-3: 0.7285, 5.5e-3: 0.8017, 5.5e-2: 0.3534}.items():
        for seed in range(3):
            story.run(lr, value + 0.001 * seed, seed=seed)
    for seed in range(3):
        story.run(1.74e-2, 0.80, seed=seed, kind="finished" if seed else "diverged")
    assert story.verdict.lr == 5.5e-3


# ---------------------------------------------------------------- the dead


def test_an_lr_of_which_a_seed_died_is_not_recommended_and_bounds_the_interval():
    story = Story(IMAGES)
    for lr, value in {1e-3: 0.95, 3e-3: 0.96, 1e-2: 0.985}.items():
        story.run(lr, value).run(lr, value - 0.002, seed=1)
    story.run(1e-2, 0.5, seed=2, kind="diverged", rule="nan")
    found = story.verdict
    assert found.lr == 3e-3
    assert 3e-3 < found.high < 1e-2
    assert "above" not in found.open_sides
    assert found.equal is None or found.equal[1] <= found.high * 1.001
    assert says(found, "diverged, not to be recommended: 1e-02")


@pytest.mark.parametrize(
    ("run", "dead", "bounds"),
    [
        ({"kind": "diverged"}, "diverged", True),
        ({"kind": "pruned", "rule": "collapsed"}, "collapsed", True),
        ({"kind": "pruned", "rule": "chance"}, "chance", True),
        ({"kind": "failed", "why": "exit code 1"}, "failed", False),
        ({"kind": "pruned", "rule": "beaten"}, "", False),
        ({"kind": "killed", "why": "killed by you"}, "", False),
    ],
)
def test_how_a_run_ended_says_whether_its_lr_is_dead(run, dead, bounds):
    story = grid().run(1e-1, **run)
    assert sensitivity(story.sweep, ADAM)[-1].dead == dead
    high = story.verdict.high
    assert high < 1e-1 or not bounds
    assert story.verdict.lr == 3.2e-3


def test_a_finished_run_at_chance_is_dead_above_and_merely_slow_below():
    found = sensitivity(grid({1e-6: 0.1, **CURVE, 1e-1: 0.104}).sweep, ADAM)
    assert (found[0].dead, found[-1].dead) == ("", "chance")


def test_a_flagged_run_is_dead_only_where_it_ended_far_from_the_best():
    story = grid()
    story.run(6e-2, 0.4, flags=["collapsed"]).run(5e-3, 0.981, flags=["diverged"])
    dead = {point.lr: point.dead for point in sensitivity(story.sweep, ADAM)}
    assert (dead[6e-2], dead[5e-3]) == ("collapsed", "")


def test_nan_in_the_metric_but_not_in_the_loss_and_the_other_way_round():
    story = grid().run(6e-2, math.nan).run(8e-2, 0.97, flags=["nan"])
    found = story.verdict
    assert found.lr == 3.2e-3
    assert {p.lr: p.dead for p in sensitivity(story.sweep, ADAM)}[6e-2] == "nan"
    assert says(found, "not finite at the end, not to be recommended: 6e-02, 8e-02")
    lossless = grid({1e-3: 0.95, 3e-3: 0.96})
    lossless.run(1e-2, 0.97, losses=[None])
    assert lossless.verdict.lr == 1e-2


# ---------------------------------------------------------------- noise, seeds, selection


def test_one_seed_of_an_accuracy_takes_the_noise_of_the_benchmarks():
    found = grid(data=None).verdict
    assert (found.lr, found.noise, found.by_noise) == (3.2e-3, Noise.ASSUMED, True)
    assert says(found, "1 seed: noise assumed, from the benchmarks, ± ")
    assert found.headline(plan()).startswith("use lr = 3.2e-03 (90 %: ")
    assert found.headline(plan()).endswith(", noise assumed)")
    assert says(
        grid().verdict, "1 seed: noise assumed, from the benchmarks and 5000 validation images, ± "
    )


def test_one_seed_of_another_metric_leaves_the_noise_unknown():
    found = grid({1e-3: -1.0, 3e-3: 2.0, 1e-2: 0.5}, None, metric="reward").verdict
    assert (found.noise, found.by_noise) == (Noise.UNKNOWN, False)
    assert says(found, "1 seed: noise unknown")
    assert says(found, "the range rests on the scatter of the results and the distance between")
    assert found.headline(plan()).startswith("use lr = 3e-03 (")
    assert found.headline(plan()).endswith(", noise unknown)")


def wavy(height: float) -> Story:
    """Runs whose late values go up and down by so much."""
    story = Story(metric="reward")
    for lr, value in {1e-4: 0.0, 1e-3: 1.0, 1e-2: 1.6, 1e-1: 0.8}.items():
        story.run(lr, value)
        last = story.told[-3]
        curve = tuple((R * i / 12, value + height * (-1) ** i) for i in range(1, 12))
        story.told[-3] = msgspec.structs.replace(last, curve=(*curve, (R, value)))
    return story


def test_late_values_that_scatter_are_noise_and_widen_the_interval():
    calm, restless = wavy(0.001).verdict, wavy(0.3).verdict
    assert restless.noise is Noise.CURVES
    assert says(restless, "1 seed: noise estimated from how its late values scatter, ± ")
    assert restless.scatter > 2 * calm.scatter
    assert restless.high / restless.low > calm.high / calm.low


def test_more_noise_between_seeds_never_makes_the_interval_narrower():
    def width(off: float) -> float:
        story = Story(metric="reward")
        for lr, value in {1e-4: 0.0, 1e-3: 1.0, 1e-2: 1.6, 1e-1: 0.8}.items():
            for seed in range(3):
                story.run(lr, value + off * (seed - 1), seed=seed)
        found = story.verdict
        assert found.noise is Noise.SEEDS
        assert found.scatter == pytest.approx(off, rel=0.7)
        return math.log10(found.high / found.low)

    widths = [width(off) for off in (0.003, 0.1, 0.3, 0.9)]
    assert all(b >= a - 0.05 for a, b in itertools.pairwise(widths)), widths
    assert widths[-1] > widths[0] + 0.3


def test_seeds_give_mean_noise_and_what_counts_as_equal():
    story = Story(metric="reward")
    for lr, value in {1e-3: 1.0, 3e-3: 2.0, 1e-2: 1.5}.items():
        for seed, off in enumerate((-0.1, 0.0, 0.1)):
            story.run(lr, value + off, seed=seed)
    found = story.verdict
    assert (found.lr, found.value, found.seeds) == (3e-3, pytest.approx(2.0), 3)
    assert found.within == pytest.approx(2 * 0.1 / math.sqrt(3))
    assert says(found, "3 seeds: 2.000 ± 0.0577 (standard error)")
    assert sensitivity(story.sweep, ADAM)[1].se == pytest.approx(0.1 / math.sqrt(3))


def test_the_finalists_mean_leaves_the_seed_out_that_selected_them():
    story = grid()
    story.run(3.2e-3, 0.970, seed=1).run(3.2e-3, 0.972, seed=2)
    story.run(1e-2, 0.960, seed=1).run(1e-2, 0.962, seed=2)
    found = story.verdict
    assert found.lr == 3.2e-3
    assert (found.value, found.seeds) == (pytest.approx(0.971), 2)
    assert says(
        found,
        "2 further seeds: 0.9710 ± 0.0010 (standard error); the seed that selected it is left out",
    )
    point = {point.lr: point for point in sensitivity(story.sweep, ADAM)}[3.2e-3]
    assert (point.values, point.selected) == ((0.98, 0.97, 0.972), True)


def test_where_all_have_all_seeds_no_seed_selected_anything():
    story = grid()
    for lr, value in CURVE.items():
        story.run(lr, value - 0.01, seed=1)
    assert story.verdict.value == pytest.approx(0.975)


def test_a_near_tie_is_decided_by_the_val_loss():
    story = Story(ev.DataPrepared(classes=10, val=400))
    for lr, value, loss in [
        (1e-3, 0.96, 0.2),
        (3e-3, 0.98, 0.09),
        (1e-2, 0.98, 0.05),
        (3e-2, 0.95, 0.3),
    ]:
        story.run(lr, value, losses=[loss])
    found = story.verdict
    assert found.lr == 1e-2
    assert says(found, "val_loss is lower (0.0500 against 0.0900)")


def test_beside_the_cliff_the_safer_of_two_is_taken():
    curve = {1e-4: 0.90, 1e-3: 0.96, 3e-3: 0.973, 1e-2: 0.978}
    story = grid(curve, ev.DataPrepared(classes=10, val=400)).run(3e-2, kind="diverged")
    found = story.verdict
    assert found.lr < 1e-2
    assert says(found, "the next learning rate above it fell off")
    assert grid(curve, ev.DataPrepared(classes=10, val=400)).verdict.lr == 1e-2


def test_the_users_within_counts():
    found = grid(within=0.02).verdict
    assert found.within == 0.02
    assert found.equal[1] / found.equal[0] > grid().verdict.equal[1] / grid().verdict.equal[0]


# ---------------------------------------------------------------- edges, cost, rungs


def test_edges_are_told():
    assert says(grid({1e-3: 0.9, 3e-3: 0.95}).verdict, "try higher than 3e-03")
    assert says(grid({1e-3: 0.95, 3e-3: 0.9}).verdict, "try lower than 1e-03")
    assert not says(grid().verdict, "edge")


def test_an_interval_is_open_where_nothing_beyond_was_worse():
    rising = grid({1e-3: 0.9, 3e-3: 0.95}).verdict
    assert rising.open_sides == ("above",)
    assert rising.headline(plan()).startswith("use lr = 3e-03 (90 %: ≥ 2")
    assert "e-03, not bounded above, noise assumed)" in rising.headline(plan())
    assert grid({1e-3: 0.95, 3e-3: 0.9}).verdict.open_sides == ("below",)
    assert grid().verdict.open_sides == ()
    plateau = grid({1e-4: 0.5, 1e-3: 0.951, 3e-3: 0.95, 1e-2: 0.9505}).verdict
    assert plateau.open_sides == ("above",)  # within the noise of so few images
    assert (
        grid({1e-4: 0.5, 1e-3: 0.951, 3e-3: 0.9}).run(1e-2, kind="diverged").verdict.open_sides
        == ()
    )
    failed = grid({1e-4: 0.9, 1e-3: 0.951}).run(1e-2, kind="failed").verdict
    assert failed.open_sides == ("above",)  # a crash says nothing about an LR


def test_cost_is_told_against_the_full_grid_and_range_tests_are_no_runs():
    story = grid()
    story.add(
        ev.RunQueued(run="t01", setting=Setting(lr=1e-7, optimizer="adam"), seed=0, until=1, lr_to=10, lr_steps=100),
        ev.RunLaunched(run="t01", attempt=1, token="t", until=1),
        ev.RunReached(run="t01", attempt=1, level=1, value=0.999),
        ev.RunCharged(run="t01", attempt=1, spent=2.0),
        ev.RunEnded(run="t01", attempt=1, kind="finished"),
    )  # fmt: skip
    found = story.verdict
    assert (found.spent, found.grid) == (6 * R + 2, 6 * R)
    assert says(found, "164 of 162 epochs")
    assert found.lr == 3.2e-3
    assert found.not_tested == ("< 1e-04", "> 3.2e-02")


HALVED = {1e-4: (0.60,), 3.2e-4: (0.70, 0.90), 1e-3: (0.80, 0.93, 0.97), 3.2e-3: (0.85, 0.94, 0.975), 1e-2: (0.86, 0.93), 3.2e-2: (0.5,)}  # fmt: skip


def halved(curve=None, data=IMAGES, **changes) -> Story:
    rungs = (3.0, 9.0, R)
    story = Story(data, rungs=(("", rungs),), **changes)
    names = {lr: f"r{i:02}" for i, lr in enumerate(curve or HALVED, 1)}
    for lr, values in (curve or HALVED).items():
        kind = "finished" if len(values) == 3 else "pruned"
        story.run(lr, *values, rungs=rungs, kind=kind, rule="beaten", name=names[lr])
    for i, rung in enumerate(rungs[:-1]):
        kept = [name for lr, name in names.items() if len((curve or HALVED)[lr]) > i + 1]
        cut = [name for lr, name in names.items() if len((curve or HALVED)[lr]) == i + 1]
        story.add(ev.RungClosed(group=ADAM, level=rung, kept=tuple(kept), pruned=tuple(cut)))
    return story


def test_after_halving_an_lr_that_came_to_the_end_is_recommended_and_rungs_inform_the_curve():
    found = halved().verdict
    assert found.lr == 3.2e-3
    assert found.value_at == R
    assert found.spent == 2 * 3 + 2 * 9 + 2 * 27
    assert says(found, "78 of 162 epochs")
    assert 1e-4 < found.low < found.high < 3.2e-2
    points = sensitivity(halved().sweep, ADAM)
    assert [(p.level, p.full) for p in points] == [(3, False), (9, False), (R, True), (R, True), (9, False), (3, False)]  # fmt: skip


SLOW = {1e-4: (0.1,), 3.2e-4: (0.105,), 1e-3: (0.11,), 3.2e-3: (0.86, 0.94, 0.975), 1e-2: (0.85, 0.93, 0.965), 3.2e-2: (0.7,)}  # fmt: skip


def test_a_slow_lr_that_was_cut_close_below_the_pick_bounds_nothing():
    """Low LRs have not learned yet at an early rung; what died, or lies far below, bounds as ever."""
    found = halved(SLOW).verdict
    assert found.lr == 3.2e-3
    assert "below" not in found.open_sides
    near = {lr: values for lr, values in SLOW.items() if lr > 2e-4}
    assert "below" in halved(near).verdict.open_sides


def test_what_was_cut_may_make_up_for_a_part_of_its_lag(monkeypatch):
    curve = {**HALVED, 1e-2: (0.855, 0.91)}
    wide = halved(curve).verdict
    monkeypatch.setattr("lrtui.analysis.verdict.noise.LAG_DOUBT", 0.0)
    narrow = halved(curve).verdict
    assert wide.lr == narrow.lr
    assert wide.high / wide.low > narrow.high / narrow.low


@pytest.mark.parametrize(
    ("curve", "sides"),
    [
        ({1e-4: 0.8, 1e-3: 0.95, 1e-2: 0.8, 1e-1: 0.9505, 1: 0.8}, ()),  # two tops
        ({1e-4: 0.95, 1e-3: 0.9502, 1e-2: 0.9499, 1e-1: 0.9501}, ("below", "above")),  # a plateau
        ({1e-4: 0.97, 1e-3: 0.95, 1e-2: 0.9}, ("below",)),  # the top lies outside
        ({1e-4: 0.8, 1e-3: 0.95, 1e-2: 0.95, 1e-1: 0.8}, ()),  # a tie
    ],
)
def test_the_interval_holds_every_lr_that_may_be_best(curve, sides):
    found = grid(curve).verdict
    top = max(curve.values())
    assert found.open_sides == sides
    assert all(found.low <= lr <= found.high for lr, value in curve.items() if top - value < 1e-3)


def test_values_of_mixed_sign_have_an_interval():
    found = grid({1e-4: -2.0, 1e-3: 0.5, 1e-2: -0.3, 1e-1: -4.0}, None, metric="reward").verdict
    assert found.lr == 1e-3
    assert 1e-4 < found.low < 1e-3 < found.high < 1e-1


def test_a_value_of_a_shorter_rung_is_trusted_less_and_moved_by_what_others_gained():
    case_points = observations_of(_case(halved().sweep))
    by_lr = {round(10**o.x, 6): o for o in case_points}
    full, short = by_lr[3.2e-3], by_lr[1e-2]
    assert short.variance > 10 * full.variance
    assert short.y > math.log(0.93 / 0.07)


def _case(sweep):
    runs = runs_of(sweep, ADAM)
    scale = scale_of(sweep, sweep.plan)
    results = results_of(sweep, sweep.plan, runs)
    points = points_of(sweep, sweep.plan, scale, runs, results)
    return Case(sweep, sweep.plan, scale, points, results, runs, 0.0)


def test_before_anyone_has_finished_the_deepest_complete_rung_answers_provisionally():
    going = {lr: values[:2] for lr, values in HALVED.items()}
    story = Story(IMAGES, rungs=(("", (3.0, 9.0, R)),))
    for i, (lr, values) in enumerate(going.items(), 1):
        story.run(lr, *values, rungs=(3.0, 9.0), kind=None, name=f"r{i:02}")
    names = tuple(f"r{i:02}" for i in range(1, 7))
    story.add(ev.RungClosed(group=ADAM, level=3.0, kept=names))
    found = story.verdict
    assert found.provisional
    assert found.value_at == 3.0
    assert found.lr in (1e-2, 3.2e-3)
    assert says(found, "provisional at epoch 3 of 27")
    assert found.headline(plan()).startswith("so far: use lr = ")
    deeper = story.add(ev.RungClosed(group=ADAM, level=9.0, kept=names[1:5])).verdict
    assert (deeper.value_at, deeper.lr) == (9.0, 3.2e-3)


def test_no_rung_complete_says_wait():
    story = Story(IMAGES).run(1e-3, 0.5, rungs=(3.0, R), kind=None).queue(1e-2)
    found = story.verdict
    assert found.lr is None
    assert says(found, "wait: 2 runs not ended")


def test_a_spent_budget_is_provisional():
    found = halved().add(ev.BudgetReached(spent=80, why="80 of 80 epochs")).verdict
    assert found.lr == 3.2e-3
    assert found.provisional
    assert says(found, "provisional: 80 of 80 epochs")


def test_a_run_that_was_evaluated_too_early_does_not_count_at_its_rung():
    story = Story(IMAGES).run(1e-3, 0.9, rungs=(9.0,), level=4.0, kind="killed")
    assert sensitivity(story.sweep, ADAM)[0].mean is None


def test_scripts_that_end_by_themselves_are_compared_and_it_is_said():
    story = Story(IMAGES)
    for lr, value in {1e-3: 0.9, 3e-3: 0.95, 1e-2: 0.93}.items():
        story.run(lr, value, level=12.0, early=True)
    found = story.verdict
    assert (found.lr, found.value_at) == (3e-3, 12.0)
    assert says(found, "provisional at epoch 12 of 27")
    story.run(2e-3, 0.91)
    assert story.verdict.lr == 2e-3


# ---------------------------------------------------------------- no arbitrary pick


def test_all_dead_says_what_to_try():
    story = Story(IMAGES)
    for lr in (1e-2, 1e-1):
        story.run(lr, kind="diverged")
    found = story.verdict
    assert found.lr is None
    assert says(
        found, "every learning rate diverged: try lower than 1e-02 (1e-02 to 1e-01 were tried)"
    )
    assert found.headline(plan()) == "no learning rate to recommend"


def test_a_metric_that_never_came():
    story = Story(IMAGES, metric="accuracy").run(1e-3).run(1e-2)
    assert story.verdict.lr is None
    assert says(story.verdict, "no run printed accuracy: does the script emit it?")


def test_failed_and_killed_runs_say_what_to_do():
    failed = Story().run(1e-3, kind="failed", why="exit code 1").verdict
    assert says(failed, "r01 1e-03 failed: exit code 1; fix that first")
    assert says(Story().run(1e-3, kind="killed").verdict, "restart a run that was killed")


def test_one_lr_has_nothing_to_be_compared_with():
    found = Story(IMAGES).run(1e-3, 0.9).verdict
    assert (found.lr, found.low, found.high, found.equal) == (1e-3, None, None, None)
    assert says(found, "nothing to compare it with")
    assert found.headline(plan()) == "use lr = 1e-03 (val_acc 0.9000)"


def test_ties_everywhere_are_no_answer_but_for_the_loss():
    curve = dict.fromkeys([1e-4, 1e-3, 1e-2], 1.0)
    found = grid(curve, None).verdict
    assert found.lr is None
    assert found.equal == (1e-4, 1e-2)
    assert says(found, "all 3 learning rates ended with val_acc 1.000: it cannot tell them apart")
    assert found.headline(plan()) == "the learning rates from 1.0e-04..1.0e-02 cannot be told apart"
    story = Story()
    for lr, loss in {1e-4: 0.3, 1e-3: 0.1, 1e-2: 0.2}.items():
        story.run(lr, 1.0, losses=[loss])
    assert story.verdict.lr == 1e-3


@pytest.mark.parametrize("percent", [1, 100])
def test_all_at_chance_have_learned_nothing(percent):
    curve = {1e-4: 0.1 * percent, 1e-3: 0.103 * percent, 1e-2: 0.098 * percent}
    found = grid(curve, IMAGES).verdict
    assert found.lr is None
    assert says(found, "no run learned anything")
    loss = grid({1e-4: 2.303, 1e-3: 2.301}, IMAGES, metric="val_loss", goal="min").verdict
    assert (loss.lr, loss.equal) == (None, None)


def test_a_metric_that_never_moved_has_learned_nothing():
    curve = dict.fromkeys((0.0001, 0.001, 0.01), (0.25, 0.25, 0.25))
    found = halved(curve, None).verdict
    assert found.lr is None
    assert says(found, "no run learned anything: val_acc stood at 0.2500")


def test_an_lr_about_which_nothing_was_learned_is_listed():
    found = grid().queue(1e-1).run(6e-2, kind="failed").verdict
    assert found.not_tested == ("< 1e-04", "> 3.2e-02", "6e-02 (failed)", "1e-01 (queued)")
    assert found.provisional
    assert says(found, "provisional: 1 run not ended")


def test_nothing_at_all():
    assert says(verdict(Sweep()), "nothing was started")
    assert verdict(Story().sweep).lr is None
    assert verdicts(Sweep()) == []
    assert sensitivity(Sweep(), GroupKey()) == []


def test_a_test_metric_as_objective_is_marked():
    assert says(grid(metric="test_acc").verdict, "selected on test data")


# ---------------------------------------------------------------- groups


def test_each_group_has_a_verdict_and_the_best_comes_first():
    story = grid({1e-3: 0.95, 3e-3: 0.96, 1e-2: 0.94})
    for lr, value in {1e-2: 0.96, 3e-2: 0.975, 1e-1: 0.97}.items():
        story.run(lr, value, optimizer='{"sgd":{"momentum":0.9}}')
    story.run(1.0, kind="diverged", optimizer="rmsprop")
    sweep = fold(story.told)
    assert list(map(group_text, groups(sweep))) == ["adam", "sgd momentum=0.9", "rmsprop"]
    found = verdicts(sweep)
    assert [each.lr for each in found] == [3e-2, 3e-3, None]
    overall = verdict(sweep)
    assert (overall.lr, group_text(overall.group)) == (3e-2, "sgd momentum=0.9")
    assert says(overall, "next best besides: 3e-03 with adam: 0.9600, behind by 0.0150")
    assert overall.grid == 7 * R
    assert "with sgd momentum=0.9" in overall.reasons[0].text
    assert [p.lr for p in sensitivity(sweep, overall.group)] == [1e-2, 3e-2, 1e-1]


def test_a_studys_overall_verdict_is_that_of_its_base():
    story = grid({1e-3: 0.95, 3e-3: 0.96}, study=("data",))
    for lr, value in {1e-3: 0.98, 3e-3: 0.99}.items():
        story.run(lr, value, values={"data": 1.0})
    assert story.verdict.group == ADAM


# ---------------------------------------------------------------- words


def said(found, about):
    """All that a verdict says in words."""
    return "; ".join([found.headline(about), *texts(found), *found.not_tested])


def test_reworded_reasons_change_no_verdict(monkeypatch):
    """Each sentence is said backwards: the same answers, for the same reasons."""
    curves = (CURVE, dict.fromkeys(CURVE, 1.0), dict.fromkeys(CURVE, 0.1))
    stories = [grid(curve, data) for curve in curves for data in (IMAGES, None)]
    stories += [halved(), halved().add(ev.BudgetReached(spent=80, why="80 of 80 epochs"))]
    stories += [Story().run(1e-3, kind=kind) for kind in ("failed", "killed", "diverged", None)]
    stories += [grid().run(lr, 0.9, optimizer="sgd").run(1.0, kind="diverged") for lr in (1e-2, 1)]
    sweeps = [Sweep(), *(story.sweep for story in stories)]

    def answers() -> list[Verdict]:
        return [found for sweep in sweeps for found in (verdict(sweep), *verdicts(sweep))]

    before = answers()
    for module in (recommend, reasons, pick, unanswered):
        monkeypatch.setattr(module, "Reason", lambda why, text, *_: Reason(why, text[::-1]))
    advice = unanswered._TRY_MORE
    monkeypatch.setattr(unanswered, "_TRY_MORE", advice._replace(text=advice.text[::-1]))
    for own, other in zip(before, answers(), strict=True):
        assert texts(own) != texts(other)
        assert [reason.why for reason in own.reasons] == [reason.why for reason in other.reasons]
        assert replace(own, reasons=()) == replace(other, reasons=())


def test_a_verdict_says_what_it_rests_on():
    text = said(halved().verdict, plan())
    for words in ("use lr = 3.2e-03 (90 %: ", "equal within 0.005", "1 seed: noise assumed", "78 of 162 epochs",
                  "< 1e-04; > 3.2e-02"):  # fmt: skip
        assert words in text
    assert "\n" not in text


def test_paste_gives_lines_that_the_file_and_torch_understand():
    torch = pytest.importorskip("torch")
    optimizer = '{"sgd":{"momentum":0.9,"nesterov":true}}'
    story = Story(IMAGES)
    for lr, value in {1e-2: 0.9, 3e-2: 0.95, 1e-1: 0.93}.items():
        story.run(lr, value, optimizer=optimizer, schedule='{"cosine":{"end":0.1}}')
    toml, code = paste(story.sweep, story.verdict)
    assert tomllib.loads(toml) == {
        "lr": 3e-2,
        "optimizer": {"sgd": {"momentum": 0.9, "nesterov": True}},
        "schedule": {"cosine": {"end": 0.1}},
    }
    names = {"torch": torch, "model": torch.nn.Linear(1, 1), "steps": 10}
    exec(code, names)
    assert names["optimizer"].defaults["momentum"] == 0.9
    assert names["optimizer"].defaults["nesterov"] is True
    for _ in range(10):
        names["optimizer"].step()
        names["scheduler"].step()
    assert names["optimizer"].param_groups[0]["lr"] == pytest.approx(3e-3)


@pytest.mark.parametrize(
    ("setting", "expected"),
    [
        ({"optimizer": "adam"}, "optimizer = torch.optim.Adam(model.parameters(), lr=3e-03)"),
        ({"optimizer": "adam", "schedule": "constant"}, "optimizer = torch.optim.Adam(model.parameters(), lr=3e-03)"),
        ({"optimizer": '{"adam":{"betas":[0.9,0.98]}}'},
         "optimizer = torch.optim.Adam(model.parameters(), lr=3e-03, betas=(0.9, 0.98))"),
        ({"optimizer": "mine"}, '# optimizer: "mine", lr=3e-03'),
        ({"optimizer": "adam", "schedule": '{"wsd":{"warmup":0.05,"share":0.2}}'},
         "optimizer = torch.optim.Adam(model.parameters(), lr=3e-03)\n# schedule: { wsd = { warmup = 0.05, share = 0.2 } }, over the whole training"),
        ({"optimizer": ""}, ""),
        ({"optimizer": "adam\x1b[2J\nimport os"}, '# optimizer: "adam\\u001b[2J\\nimport os", lr=3e-03'),
    ],
)  # fmt: skip
def test_pytorch_lines(setting, expected):
    story = Story(IMAGES).run(1e-3, 0.9, **setting).run(3e-3, 0.95, **setting)
    toml, code = paste(story.sweep, story.verdict)
    assert toml.splitlines()[0] == "lr = 3e-03"
    assert code == expected


def test_the_step_schedule_is_torchs():
    torch = pytest.importorskip("torch")
    story = Story(IMAGES).run(1e-3, 0.9, schedule="step").run(3e-3, 0.95, schedule="step")
    names = {"torch": torch, "model": torch.nn.Linear(1, 1), "steps": 9}
    exec(paste(story.sweep, story.verdict)[1], names)
    for _ in range(3):
        names["optimizer"].step()
        names["scheduler"].step()
    assert names["optimizer"].param_groups[0]["lr"] == pytest.approx(3e-4)


def test_no_answer_has_nothing_to_paste():
    assert paste(Sweep(), Verdict()) == ("", "")


def test_names_from_outside_reach_no_terminal():
    story = grid(metric="val_acc\x1b[31m")
    story.add(ev.BudgetReached(spent=1, why="\x1b]52;c;aGk=\x07"))
    assert "\x1b" not in said(story.verdict, story.sweep.plan)
    assert not says(story.verdict, "\x1b")


# ---------------------------------------------------------------- speed and calibration


def fitted(story: Story) -> int:
    """Judge a sweep; return how many curves had to be fitted for it."""

    def misses() -> int:
        cached = (gaussian_process.fit, interval._curve)
        return sum(each.cache_info().misses for each in cached)

    before = misses()
    verdict(fold(story.told))
    return misses() - before


def test_only_what_changed_is_fitted_again_so_it_can_be_asked_at_every_change():
    gaussian_process.fit.cache_clear()
    interval._curve.cache_clear()
    many = Story(IMAGES)
    for wd in range(12):
        for i in range(5):
            many.run(1e-4 * 10 ** (i / 2), 0.97 - 0.01 * (i - 2) ** 2 + wd / 1e4, values={"wd": wd})
    assert 12 <= fitted(many) <= 24
    assert fitted(many) == 0
    many.run(1e-1, 0.93, values={"wd": 3})
    assert 1 <= fitted(many) <= 4


def test_the_interval_holds_the_optimum_in_simulated_sweeps():
    for truth in calibration.WRITTEN:
        for seeds in (1, 3):
            score = calibration.judge(truth, seeds, 20)
            assert score.coverage >= 0.8
            assert 0.4 < score.width < 1.6
            assert sum(score.regrets) / 20 < 0.5


ODD = (1e-3, 1e-2, 3e-2, 0.0, -1.0, 5e-324, 1e-300, 1e300, math.inf, math.nan)
VALUES = (
    0.5,
    0.9,
    0.91,
    1.0,
    97.0,
    0.0,
    -3.0,
    1e-300,
    1e99,
    1e154,
    -1e200,
    1.7e308,
    math.nan,
    None,
)


@pytest.mark.campaign
@pytest.mark.parametrize(
    ("metric", "goal"), [("val_acc", "max"), ("val_loss", "min"), ("x", "max")]
)
def test_no_journal_of_a_stranger_makes_it_raise_and_no_pick_is_beyond_its_own_interval(
    metric, goal, campaign
):
    dice = random.Random(5)
    for _ in range(7000 if campaign else 250):
        data = dice.choice([None, IMAGES])
        story = Story(data, metric=metric, goal=goal, within=dice.choice([None, 1e-9, 0.01, 1e200]))
        for _ in range(dice.randint(1, 7)):
            rungs = dice.choice([(R,), (R / 9, R / 3, R), (R / 3,)])
            kind = dice.choice(["finished", "finished", "failed", "diverged", "pruned", None])
            values = [dice.choice(VALUES) for _ in rungs]
            story.run(
                dice.choice(ODD), *values, seed=dice.choice([0, 0, 1, 2]), kind=kind, rungs=rungs
            )
        sweep = fold(story.told)
        for found in (verdict(sweep), *verdicts(sweep)):
            assert said(found, sweep.plan).isprintable()
            assert found.lr is None or 1e-30 <= found.lr <= 1e30
            if found.lr is None:
                assert found.reasons
            elif found.low is not None:
                assert found.low <= found.lr <= found.high
            if found.lr is not None and found.equal is not None:
                assert found.equal[0] * 0.999 <= found.lr <= found.equal[1] * 1.001
            if found.lr is not None:
                paste(sweep, found)
        for group in groups(sweep):
            sensitivity(sweep, group)
