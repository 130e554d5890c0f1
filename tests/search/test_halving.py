"""Halving: synchronous, order-free, two at least, ties and neighbours, what joins late, what a user does."""

import math
import random
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lrtui.analysis.verdict import verdict
from lrtui.config.rungs import decays, rungs, share_of, warmup
from lrtui.search import Auto, Grid, Listed, Space
from lrtui.search.halving import cost, nth
from lrtui.supervisor.commands import effects
from lrtui.sweep import events as ev
from lrtui.sweep.state import State, fold, group_text
from lrtui.text.format import lr_text
from tests.search.simulated import Simulation, ended

R = 27.0
SPACE = Space(("adam",), ("constant",), {}, 1, 0, R, {"constant": (3.0, 9.0, R)}, 1 / 3)


def peak(at=-2.0, width=1.0, noise=0.0, rise=9.0):
    """Accuracy that peaks at 10**at and rises with length; early it leans to higher LRs."""

    def measure(setting, seed, level):
        lean = 0.3 * (1 - level / R)
        x = (math.log10(setting.lr) - at - lean) / width
        rng = random.Random(f"{setting.lr} {seed} {level}")
        value = 0.9 * math.exp(-0.5 * x * x) * (1 - 0.5 * math.exp(-level / rise)) + rng.gauss(
            0, noise
        )
        return max(0.0, min(1.0, value)), 1 - value

    return measure


SEVEN = Listed((1e-4, 3e-4, 1e-3, 3e-3, 1e-2, 3e-2, 1e-1))


def test_the_rungs_keep_a_third_and_never_one_alone():
    sim = Simulation(SEVEN, SPACE, peak())
    sweep = sim.run()
    assert [(r.level, len(r.kept), len(r.pruned)) for r in sweep.rungs] == [
        (3.0, 3, 4),
        (9.0, 2, 1),
    ]
    assert sorted(ended(sweep).values()) == ["finished"] * 2 + ["pruned"] * 5
    assert sweep.spent == pytest.approx(7 * 3 + 3 * 6 + 2 * 18)


def test_why_a_run_was_beaten_names_place_rung_value_and_cut():
    sweep = Simulation(SEVEN, SPACE, peak()).run()
    why = next(run.why for run in sweep.trained() if run.setting.lr == 1e-4)
    assert "of 7 at epoch 3" in why
    assert "cut 0." in why


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**31), st.integers(1, 7), st.floats(-4, -1))
def test_the_order_of_the_runs_changes_nothing(seed, parallel, at):
    def what(order, parallel):
        sim = Simulation(
            SEVEN, SPACE, peak(at, noise=0.02), order=random.Random(order), parallel=parallel
        )
        sweep = sim.run()
        rungs_ = [(r.level, set(r.kept), r.cut) for r in sweep.rungs]
        return rungs_, ended(sweep), sweep.spent

    assert what(seed, parallel) == what(0, 1)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**31), st.floats(-4, 0), st.integers(1, 3))
def test_replay_of_any_beginning_of_the_journal_decides_the_same(seed, at, seeds):
    """What is decided after a crash is what would have been decided without it."""
    space = Space(("adam",), ("constant",), {}, seeds, 0, R, {"constant": (3.0, 9.0, R)}, 1 / 3)
    sim = Simulation(SEVEN, space, peak(at, noise=0.05), order=random.Random(seed))
    whole = sim.run()
    cut = random.Random(seed).randrange(1, len(sim.events))
    again = Simulation(SEVEN, space, peak(at, noise=0.05), order=random.Random(seed + 1))
    again.say(*sim.events[:cut])
    assert again.sweep == fold(sim.events[:cut])
    final = again.run()
    assert [(r.level, r.kept, r.cut) for r in final.rungs] == [
        (r.level, r.kept, r.cut) for r in whole.rungs
    ]
    assert ended(final) == ended(whole)


def test_a_value_within_two_standard_errors_of_the_cut_goes_on_too():
    values = {1e-4: 0.5, 3e-4: 0.6, 1e-3: 0.79, 3e-3: 0.8, 1e-2: 0.85, 3e-2: 0.3, 1e-1: 0.1}
    measure = lambda setting, seed, level: (values[setting.lr] + level / 1000, 1.0)  # noqa: E731
    few = Simulation(SEVEN, SPACE, measure, val_images=200).run()
    many = Simulation(SEVEN, SPACE, measure, val_images=10**9).run()
    assert len(few.rungs[0].kept) == 3
    assert len(many.rungs[0].kept) == 3
    tied = {**values, 3e-4: 0.785}
    measure = lambda setting, seed, level: (tied[setting.lr] + level / 1000, 1.0)  # noqa: E731
    assert len(Simulation(SEVEN, SPACE, measure, val_images=200).run().rungs[0].kept) == 4
    assert (
        "tied with the cut" in Simulation(SEVEN, SPACE, measure, val_images=200).run().rungs[0].why
    )


def test_accuracies_in_percent_are_judged_like_fractions():
    def ran(scale):
        measure = lambda s, seed, level: (scale * peak(-2.2, noise=0.02)(s, seed, level)[0], 1.0)  # noqa: E731
        sweep = Simulation(SEVEN, SPACE, measure, val_images=100).run()
        return [(r.level, r.kept, r.why) for r in sweep.rungs], ended(sweep)

    assert ran(1) == ran(100)


def test_equal_values_are_told_apart_by_the_loss_and_then_by_the_lower_lr():
    loss = {1e-4: 5.0, 3e-4: 1.0, 1e-3: 2.0, 3e-3: 2.0, 1e-2: 2.0, 3e-2: 9.0, 1e-1: 9.0}
    sweep = Simulation(SEVEN, SPACE, lambda s, *_: (0.5, loss[s.lr])).run()
    lrs = [sweep.runs[run].setting.lr for run in sweep.rungs[0].kept]
    assert lrs == [3e-4, 1e-3, 3e-3, 1e-2]  # the last one is equal to the cut in both


def test_a_rung_at_which_nothing_differs_does_not_cut():
    """All LRs are at chance until epoch 3; the best one comes last in every other order."""
    score = {lr: 0.1 * place for place, lr in enumerate(SEVEN.lr, 1)}
    measure = lambda s, seed, level: (0.1 if level <= 3 else score[s.lr], None)  # noqa: E731
    sweep = Simulation(SEVEN, SPACE, measure).run()
    assert [len(rung.kept) for rung in sweep.rungs] == [7, 3]
    assert sweep.rungs[0].why == "all 7: they do not differ yet"
    assert ended(sweep)[SEVEN.lr[-1]] == "finished"


def test_accuracies_within_the_noise_of_the_images_do_not_differ():
    score = {lr: 0.1 + 0.001 * place for place, lr in enumerate(SEVEN.lr)}
    measure = lambda s, seed, level: (score[s.lr], 2.0)  # noqa: E731
    assert Simulation(SEVEN, SPACE, measure, val_images=1000).run().rungs[0].pruned == ()
    assert Simulation(SEVEN, SPACE, measure, val_images=10**7).run().rungs[0].pruned


def test_where_the_metric_is_missing_at_a_rung_the_loss_decides_and_it_is_said():
    loss = {lr: abs(place - 4) for place, lr in enumerate(SEVEN.lr)}
    measure = lambda s, seed, level: (0.5 + s.lr, None) if level > 9 else (None, None, loss[s.lr])  # noqa: E731
    sweep = Simulation(SEVEN, SPACE, measure, resumes=False).run()
    assert {rung.metric for rung in sweep.rungs} == {"train_loss"}
    kept = [sweep.runs[run].setting.lr for run in sweep.rungs[0].kept]
    assert kept == [SEVEN.lr[4], SEVEN.lr[3], SEVEN.lr[5]]
    assert "by train_loss" in sweep.rungs[0].why
    assert sweep.spent < 7 * R
    assert any("no val_acc at epoch 3 yet" in reason.text for reason in verdict(sweep).reasons)


def test_a_run_whose_objective_is_not_finite_at_a_rung_has_diverged():
    measure = lambda s, *_: (None, None) if s.lr == 1e-2 else (s.lr, 1.0)  # noqa: E731
    sweep = Simulation(SEVEN, SPACE, measure).run()
    assert ended(sweep)[1e-2] == "diverged"
    assert "not finite" in next(r.why for r in sweep.trained() if r.setting.lr == 1e-2)


def test_runs_that_nobody_evaluated_up_to_the_rung_go_on_unjudged():
    measure = lambda s, seed, level: None if level < R else (0.5, 1.0)  # noqa: E731
    sweep = Simulation(SEVEN, SPACE, measure).run()
    assert set(ended(sweep).values()) == {"finished"}
    assert "not judged" in sweep.rungs[0].why


def test_the_dead_do_not_hold_the_others_up():
    dies = lambda run, level: "failed" if run.setting.lr > 5e-3 else None  # noqa: E731
    sweep = Simulation(SEVEN, SPACE, peak(), dies=dies).run()
    assert sorted(ended(sweep).values()) == ["failed"] * 3 + ["finished"] * 2 + ["pruned"] * 2


def test_all_dead_comes_to_an_end_without_an_answer():
    sweep = Simulation(SEVEN, SPACE, peak(), dies=lambda run, level: "diverged").run()
    assert set(ended(sweep).values()) == {"diverged"}


def test_a_run_that_the_user_added_is_no_contender_and_is_never_pruned():
    sim = Simulation(SEVEN, SPACE, lambda s, *_: (s.lr, 1.0))
    sim.open()
    added = ev.RunQueued(
        run="r01", setting=ev.Setting(1e-4, "adam", "constant"), seed=0, until=R, origin="user"
    )
    sim.say(added)
    sweep = sim.run()
    assert sweep.runs["r01"].ending.kind == "finished"
    assert len([run for run in sweep.trained() if run.setting.lr == 1e-4]) == 1
    assert "r01" not in {run for rung in sweep.rungs for run in (*rung.kept, *rung.pruned)}


def test_a_pruned_run_that_the_user_restarts_trains_to_the_end():
    from lrtui.supervisor.commands import effects

    sim = Simulation(SEVEN, SPACE, peak())
    sweep = sim.run()
    beaten = next(run for run in sweep.trained() if run.ending.kind == "pruned")
    sim.say(*effects(ev.RestartRun(run=beaten.id), sweep))
    again = sim.run().runs[beaten.id]
    assert (again.ending.kind, again.attempts[-1].until, again.origin) == ("finished", R, "user")


@pytest.mark.parametrize("broken", [{1e-4, 1e-2}, {1e-2}, set(SEVEN.lr)])
def test_failed_runs_race_again(broken):
    """Runs that failed and are restarted are compared where they would have been: the same finalists, and no full grid."""
    sim = Simulation(SEVEN, SPACE, peak(at=-2.0))
    sim.dies = lambda run, _: "failed" if run.setting.lr in broken else None
    sim.run()
    sim.dies = lambda *_: None
    for run in sim.sweep.failed():
        sim.say(*effects(ev.RestartRun(run=run.id), sim.sweep))
    sweep = sim.run()
    assert ended(sweep)[1e-2] == "finished"
    if 1e-4 in broken:
        assert ended(sweep)[1e-4] == "pruned"
    if broken == set(SEVEN.lr):
        whole = Simulation(SEVEN, SPACE, peak(at=-2.0)).run()
        assert ended(sweep) == ended(whole)
        assert sweep.spent == whole.spent + 7 * 3


def test_finalists_get_the_same_further_seeds_to_the_end():
    space = Space(("adam",), ("constant",), {}, 3, 5, R, {"constant": (3.0, 9.0, R)}, 1 / 3)
    sweep = Simulation(SEVEN, space, peak()).run()
    seeds = {}
    for run in sweep.trained():
        if run.ending.kind == "finished":
            seeds.setdefault(run.setting.lr, []).append(run.seed)
    assert {tuple(sorted(each)) for each in seeds.values()} == {(5, 6, 7)}
    assert len(seeds) == 2


def said(valley, diverged=None):
    return lambda run: ev.RangeTested(run=run.id, valley=valley, diverged=diverged, points=90)


AUTO = Space(
    ("adam",), ("constant",), {}, 1, 0, R, {"constant": (3.0, 9.0, R)}, 1 / 3,
    usual={"adam": (3e-4, 3e-3)}, can_range_test=True,
)  # fmt: skip


def test_auto_begins_above_the_valley_and_follows_down():
    """Three LRs begin, more join while the best is at an edge; the leader of each rung goes on with the next lower one."""
    sweep = Simulation(Auto(), AUTO, peak(-2.5), ranged=said(3e-3)).run()
    assert sweep.runs["t01"].is_range_test
    lr_of = lambda runs: [lr_text(sweep.runs[run].setting.lr) for run in runs]  # noqa: E731
    first, second = sweep.rungs
    assert set(lr_of((*first.kept, *first.pruned))) == {"3e-03", "9.5e-03", "3e-02", "9.5e-02"}
    assert lr_of(first.kept) == ["9.5e-03", "3e-03"]
    assert lr_of(second.kept) == ["3e-03"]
    assert "the leader is the lowest" in second.why
    finished = [lr for lr, kind in ended(sweep).items() if kind == "finished"]
    assert sorted(finished) == [1.5e-3, 3e-3]


def test_the_leader_and_the_next_lower_lr_train_to_the_end():
    sweep = Simulation(Auto(), AUTO, peak(-1.9, rise=1.0), ranged=said(3e-3)).run()
    finished = [lr for lr, kind in ended(sweep).items() if kind == "finished"]
    assert sorted(finished) == [9.5e-3, 3e-2]
    assert len(sweep.rungs[1].kept) == 2


def _searched(at, noise, *, seeds=1, order=0, parallel=2, strategy=None, spared=lambda lr: True):
    space = replace(AUTO, seeds=seeds)
    return Simulation(
        strategy or Auto(), space, peak(at, noise=noise), said(1e-3), order=random.Random(order),
        parallel=parallel, dies=lambda run, level: None if spared(run.setting.lr) else "diverged",
    )  # fmt: skip


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 2**31), st.integers(1, 7), st.floats(-6, 0), st.floats(0, 0.1))
def test_auto_does_not_depend_on_the_order(seed, parallel, at, noise):
    def what(order, parallel):
        sweep = _searched(at, noise, order=order, parallel=parallel).run()
        return ended(sweep), sweep.spent, [r.why for r in sweep.rungs]

    assert what(seed, parallel) == what(0, 1)


@settings(max_examples=12, deadline=None)
@given(st.integers(0, 2**31), st.floats(-6, 0), st.integers(1, 3))
def test_auto_goes_on_alike_after_a_crash(seed, at, seeds):
    whole = _searched(at, 0.05, seeds=seeds, order=seed)
    whole.run()
    again = _searched(at, 0.05, seeds=seeds, order=seed + 1)
    again.say(*whole.events[: random.Random(seed).randrange(1, len(whole.events))])
    assert ended(again.run()) == ended(whole.sweep)


@settings(max_examples=15, deadline=None)
@given(st.floats(-6, 0), st.floats(0, 0.1), st.floats(-7, 0))
def test_auto_keeps_to_what_it_announced(at, noise, alive):
    """Also where high LRs die."""
    sweep = _searched(at, noise, spared=lambda lr: lr < 10**alive).run()
    assert sweep.spent <= cost(AUTO, Auto().count)[0]


@settings(max_examples=8, deadline=None)
@given(st.floats(-6, 0), st.floats(0, 0.1))
def test_auto_stays_between_bounds(at, noise):
    sweep = _searched(at, noise, strategy=Auto(5, 1e-4, 1e-2)).run()
    assert all(1e-4 <= lr <= 1e-2 for lr in ended(sweep))


def test_where_nothing_differs_yet_auto_cuts_at_the_next_rung():
    """At the first rung nobody has learned more than noise; all go on as the announced cost covers them, and the best is found."""
    late = lambda setting, seed, level: (  # noqa: E731
        peak(-1.5)(setting, seed, level)
        if level > 3
        else (0.1 - 0.001 * abs(math.log10(setting.lr) + 2), 2.3)
    )
    sweep = Simulation(Auto(), AUTO, late, said(3e-3), val_images=1000).run()
    first, second = sweep.rungs
    assert first.why == "all 4: they do not differ yet"
    assert len(second.kept) == 2
    assert sweep.spent <= cost(AUTO, Auto().count)[0]
    assert abs(math.log10(verdict(sweep).lr) + 1.5) < 0.3


@pytest.mark.parametrize("value", [0.1, -3.0])
def test_a_plateau_costs_no_more_than_a_peak(value):
    """Nothing learns, or a metric is negative and the same everywhere: the search ends within what it announced."""
    sim = Simulation(Auto(), AUTO, lambda *_: (value, 2.3), said(1e-3))
    assert sim.run().spent <= cost(AUTO, Auto().count)[0]


def test_two_optima_end_at_the_one_that_was_seen():
    both = lambda setting, seed, level: max(  # noqa: E731
        peak(-1.5, width=0.3)(setting, seed, level), peak(-4.5, width=0.3)(setting, seed, level)
    )
    found = verdict(Simulation(Auto(), AUTO, both, said(3e-3)).run())
    assert abs(math.log10(found.lr) + 1.5) < 0.4


def test_a_metric_of_mixed_sign_is_searched():
    score = lambda setting, seed, level: (-((math.log10(setting.lr) + 2) ** 2) + 0.5, 1.0)  # noqa: E731
    found = verdict(Simulation(Auto(), AUTO, score, said(3e-3)).run())
    assert abs(math.log10(found.lr) + 2) < 0.3


def test_no_lr_above_a_thirtieth_of_where_the_loss_turned():
    sweep = Simulation(Auto(), AUTO, peak(-3), ranged=said(3e-3, diverged=0.6)).run()
    assert max(ended(sweep)) <= 0.02


def test_the_best_below_a_divergence_widens_the_search_up_to_it():
    ranged = said(1e-3, diverged=0.14)
    sweep = Simulation(Auto(), AUTO, peak(-2), ranged=ranged, dies=lambda run, level: None).run()
    tried = sorted(ended(sweep))
    assert 3e-3 < tried[-1] < 0.14
    assert verdict(sweep).lr == pytest.approx(1e-2, rel=0.1)


@pytest.mark.parametrize(("at", "count"), [(-4.0, 7), (-0.4, 6)])
def test_the_best_at_an_edge_widens_the_search(at, count):
    sweep = Simulation(Auto(), AUTO, peak(at), ranged=said(3e-3)).run()
    first = sweep.rungs[0]
    assert len(first.kept) + len(first.pruned) == count <= Auto().count
    assert abs(math.log10(verdict(sweep).lr) - at) < 0.5


def test_bounds_of_the_user_are_never_left():
    space = AUTO
    sweep = Simulation(Auto(5, 1e-4, 1e-2), space, peak(-0.5)).run()
    assert (min(ended(sweep)), max(ended(sweep)), len(ended(sweep))) == (1e-4, 1e-2, 5)
    assert not any(run.is_range_test for run in sweep.runs.values())


def test_a_range_test_that_says_nothing_gives_way_to_the_optimizers_usual_lr():
    silent = lambda run: ev.RangeTested(run=run.id, why="the loss never fell")  # noqa: E731
    sweep = Simulation(Auto(), AUTO, peak(-3), ranged=silent).run()
    assert verdict(sweep).lr == pytest.approx(9.5e-4, rel=0.1)


def test_without_a_usual_lr_nothing_is_guessed():
    space = Space(("mine",), ("",), {}, 1, 0, R, {"": (9.0, R)}, 1 / 3, can_range_test=True)
    silent = lambda run: ev.RangeTested(run=run.id, why="the loss never fell")  # noqa: E731
    assert ended(Simulation(Auto(), space, peak(), ranged=silent).run()) == {}


def test_every_combination_has_its_own_race():
    space = Space(
        ("adam", "sgd"), ("constant", "cosine"), {}, 1, 0, R,
        {"constant": (3.0, 9.0, R), "cosine": (9.0, R)}, 1 / 3, can_range_test=True,
    )  # fmt: skip
    sweep = Simulation(Auto(), space, peak(-2.5), ranged=said(3e-3)).run()
    assert {group_text(r.group) for r in sweep.rungs} == {
        "adam, constant", "adam, cosine", "sgd, constant", "sgd, cosine",
    }  # fmt: skip
    assert [run.id for run in sweep.runs.values() if run.is_range_test] == ["t01", "t02"]


def test_a_grid_that_keeps_all_is_never_judged():
    space = Space(("adam",), ("constant",), {}, 1, 0, R)
    sweep = Simulation(Grid(5, 1e-4, 1e-1), space, peak()).run()
    assert sweep.rungs == ()
    assert all(
        run.state is State.ENDED and run.ending.kind == "finished" for run in sweep.trained()
    )


def test_rungs_lie_at_a_ninth_and_a_third_unless_grace_or_schedule_forbid_it():
    assert rungs(27, "epoch", 1.35) == (3, 9, 27)
    assert rungs(20, "epoch", 1) == (3, 7, 20)
    assert rungs(27, "epoch", 2) == (9, 27)
    assert rungs(600, "step", 30) == (67, 200, 600)
    assert rungs(2, "step", 0) == (1, 2)
    assert rungs(27, "epoch", 20) == (27,)


def test_after_a_long_warm_up_rungs_lie_at_a_third_and_a_half():
    assert rungs(27, "epoch", 8.1) == (9, 14, 27)
    assert rungs(27, "epoch", 10) == (14, 27)
    assert rungs(1000, "step", 300) == (334, 500, 1000)
    assert rungs(27, "epoch", 8.1, resumes=False) == (27,)
    assert rungs(27, "epoch", 1.35, resumes=False) == (3, 9, 27)


def test_a_schedule_that_decays_is_only_sieved_at_first():
    """High LRs look worse before they decay than they finish; those far below the leader are out."""
    space = Space(
        ("adam",), ("cosine",), {}, 1, 0, R, {"cosine": (3.0, 9.0, R)}, 1 / 3, frozenset({"cosine"})
    )
    sweep = Simulation(SEVEN, space, peak(-2.5)).run()
    first, second = sweep.rungs
    kept = sorted(sweep.runs[run].setting.lr for run in first.kept)
    assert kept == [3e-3, 1e-2, 3e-2, 1e-1]
    assert "yet to decay" in first.why
    assert len(second.kept) == 2


def test_what_a_schedule_says_of_itself():
    assert decays("cosine")
    assert decays("")
    assert not decays("constant")
    assert not decays('{"constant":{"warmup":0.1}}')
    assert warmup('{"cosine":{"warmup":0.05}}') == 0.05
    assert warmup("cosine") == 0
    assert (share_of("1/3"), share_of("all"), share_of("0.5")) == (1 / 3, 1, 0.5)


def test_ordinals():
    places = (1, 2, 3, 4, 11, 12, 13, 21, 22, 101, 111, 112, 113, 121)
    words = "1st 2nd 3rd 4th 11th 12th 13th 21st 22nd 101st 111th 112th 113th 121st"
    assert " ".join(map(nth, places)) == words
