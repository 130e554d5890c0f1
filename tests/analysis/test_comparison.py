"""What is compared with what: common lengths, early ends, ties, noise, and seeds that change nothing."""

from __future__ import annotations

import json
import math
import random

import msgspec
import pytest

from lrtui.analysis.common_length import Entry, in_order, value_at
from lrtui.analysis.ranking import rank
from lrtui.analysis.verdict import verdict
from lrtui.analysis.verdict.answer import Why
from lrtui.supervisor.outcome import verdict_event
from lrtui.supervisor.progress import Progress
from lrtui.sweep import events as ev
from lrtui.sweep.layout import AttemptLayout
from lrtui.sweep.state import Attempt, Run, State
from tests.analysis.outputs import PrintedSweep
from tests.plans import plan_of

PLAN = plan_of(metric="val_loss", goal="min", unit="step", horizon=100, builtin=False, value="auto")


def printed(root, scripts, **changes) -> PrintedSweep:
    """scripts: lr -> [(step, value)], one run each; several lists for several seeds."""
    sweep = PrintedSweep(root, msgspec.structs.replace(PLAN, **changes))
    for lr, points in scripts.items():
        for seed, each in enumerate(points if isinstance(points[0], list) else [points]):
            lines = [json.dumps({"step": s, sweep.plan.metric: v}) for s, v in each]
            sweep.run(lr, "\n".join(lines) + "\n", seed=seed)
    return sweep


def leaders(sweep: PrintedSweep) -> list[float]:
    return [row.lr for row in rank(sweep.sweep, sweep.series)]


def said(sweep: PrintedSweep) -> str:
    return "\n".join(reason.text for reason in verdict(sweep.sweep).reasons)


# ---------------------------------------------------------------- lengths


def test_a_curve_is_interpolated_between_its_points_and_not_beyond():
    curve = [(10.0, 1.0), (20.0, 2.0)]
    lengths = (8, 9, 10, 15, 20, 30)
    assert [value_at(curve, at) for at in lengths] == [None, 1.0, 1.0, 1.5, 2.0, 2.0]
    assert value_at([], 1) is None


def test_a_contender_that_ended_early_is_held_against_each_at_its_own_length():
    curves = {"a": [(10, 1.0), (100, 9.0)], "b": [(10, 3.0), (100, 8.0)], "c": [(10, 2.0)]}
    entries = [Entry(k, v[-1][0], lambda at, v=v: value_at(v, at)) for k, v in curves.items()]
    assert [place.key for place in in_order(entries, "max")] == ["a", "c", "b"]
    assert [place.key for place in in_order(entries, "min")] == ["b", "c", "a"]


def test_evaluations_at_other_steps_are_compared_at_a_common_one_and_it_is_said(tmp_path):
    tens = [(s, 1 - 0.0095 * s) for s in range(10, 101, 10)]
    thirteens = [(s, 1 - 0.0100 * s) for s in range(13, 101, 13)]
    sweep = printed(tmp_path, {1e-3: tens, 1e-2: thirteens})
    found = verdict(sweep.sweep)
    assert (found.lr, found.value_at) == (1e-2, 91)
    assert leaders(sweep)[0] == 1e-2
    assert "compared at step 91, with values interpolated between evaluations" in said(sweep)


# ---------------------------------------------------------------- early ends


def line(slope, end, every=1):
    return [(s, 10 - slope * s) for s in range(every, end + 1, every)]


def test_a_run_that_ended_early_and_leads_at_every_common_length_is_the_answer(tmp_path):
    sweep = printed(tmp_path, {1e-3: line(0.01, 100), 1e-2: line(0.05, 40), 1e-1: line(0.02, 100)})
    found = verdict(sweep.sweep)
    assert (found.lr, found.value_at, found.provisional) == (1e-2, 40, True)
    assert leaders(sweep)[0] == 1e-2
    assert "1e-02 ended early, at step 40 of 100: it leads at every common length" in said(sweep)
    assert "1e-01" not in said(sweep).split("later")[0].split("ended early")[1]


def test_a_script_that_measures_nothing_at_its_end_hears_it_once(tmp_path):
    each = "1e-03 (step 80), 1e-02 (step 80) ended early"
    assert each in said(printed(tmp_path / "two", {1e-3: line(0.01, 80), 1e-2: line(0.05, 80)}))
    lrs = (1e-4, 1e-3, 1e-2)
    text = said(printed(tmp_path / "all", {lr: line(10 * lr, 80) for lr in lrs}))
    assert "3 learning rates ended early, at step 80 of 100; if the script trained on after" in text


def test_what_another_one_reached_later_is_said_beside_an_early_leader(tmp_path):
    sweep = printed(tmp_path, {1e-2: line(0.05, 40), 1e-1: line(0.04, 100)})
    assert verdict(sweep.sweep).lr == 1e-2
    assert "1e-01 came to 6.000 later, at step 100" in said(sweep)


def test_a_run_that_ended_early_behind_another_one_is_named_and_ranked_there(tmp_path):
    sweep = printed(tmp_path, {1e-3: line(0.01, 100), 1e-2: line(0.02, 40), 1e-1: line(0.03, 100)})
    assert verdict(sweep.sweep).lr == 1e-1
    assert leaders(sweep) == [1e-1, 1e-2, 1e-3]
    assert "1e-02 (step 40) ended early, before step 100" in said(sweep)


def test_what_trained_to_its_end_before_its_rung_stopped_it_counts_in_full(tmp_path):
    plan = msgspec.structs.replace(PLAN, rungs=(("", (11.0, 33.0, 100.0)),), stops_at_until=False)
    sweep = PrintedSweep(tmp_path, plan)
    for lr, points in {1e-3: line(0.05, 100), 1e-2: line(0.01, 100)}.items():
        text = "".join(json.dumps({"step": s, "val_loss": v}) + "\n" for s, v in points)
        sweep.run(lr, text, until=11)
    assert [run.ending.kind for run in sweep.sweep.runs.values()] == ["finished", "finished"]
    found = verdict(sweep.sweep)
    assert (found.lr, found.value, found.provisional) == (1e-3, pytest.approx(5.0), False)


def test_a_run_paused_before_its_first_evaluation_is_paused(tmp_path):
    """Its script heard SIGTERM, saved and ended with code 0; without a pause that would be a run without the metric."""
    sweep = PrintedSweep(tmp_path, PLAN)
    sweep.run(1e-3, '{"step": 1, "train_loss": 2.0}\n', paused=True)
    assert sweep.sweep.runs["r01"].state is State.PAUSED


def test_a_resumed_attempt_has_time_for_its_evaluation(tmp_path):
    """What it prints before that is no sign of a metric that is missing, however far the run has come."""
    sweep = PrintedSweep(tmp_path, PLAN)
    sweep.run(1e-3, '{"step": 50, "val_loss": 2.0}\n', until=50)
    sweep.run(1e-3, '{"step": 51, "train_loss": 2.0}\n', until=100, again=True)
    run = sweep.sweep.runs["r01"]
    told = []
    for step in (55, 65):
        AttemptLayout(tmp_path / "r01" / "2").output.write_text(
            f'{{"step": 51, "train_loss": 2.0, "other_loss": 2.0}}\n{{"step": {step}, "train_loss": 2.0}}\n'
        )
        progress = Progress(tmp_path / "r01" / "2", PLAN, run, run.attempts[-1], None)
        progress.read_all()
        told.append(progress.misread is not None)
    assert told == [False, True]


# ---------------------------------------------------------------- ties and noise


def test_the_interval_holds_every_rate_with_the_same_value(tmp_path):
    ends = {0.2: 6.17, 2.0: 5.46, 20.0: 5.46, 200.0: 10.17}
    found = verdict(printed(tmp_path, {lr: [(100, v)] for lr, v in ends.items()}).sweep)
    assert found.low < 2
    assert 20 < found.high <= 200


def noisy(middle, seed, count=2000):
    rng = random.Random(seed)
    return [(s, middle + rng.gauss(0, 0.4)) for s in range(1, count + 1)]


def test_where_single_values_are_noise_their_mean_decides_and_it_is_said(tmp_path):
    middles = {1e-4: 1.3, 1e-3: 1.15, 1e-2: 1.0, 1e-1: 1.2}
    scripts = {lr: noisy(middle, seed) for seed, (lr, middle) in enumerate(middles.items())}
    sweep = printed(tmp_path, scripts, horizon=2000)
    found = verdict(sweep.sweep)
    assert (found.lr, found.value) == (1e-2, pytest.approx(1.0, abs=0.1))
    assert leaders(sweep)[0] == 1e-2
    assert rank(sweep.sweep, sweep.series)[0].value == pytest.approx(found.value)
    assert "val_loss is noisy: each value is the mean of the last 200" in said(sweep)


def test_smooth_curves_count_by_their_last_value(tmp_path):
    sweep = printed(tmp_path, {1e-3: line(0.001, 1000), 1e-2: line(0.002, 1000)}, horizon=1000)
    assert verdict(sweep.sweep).value == pytest.approx(8.0)
    assert "noisy" not in said(sweep)


def test_seeds_that_change_nothing_say_nothing_about_noise(tmp_path):
    scripts = {1e-3: [[(100, 2.0)]] * 3, 1e-2: [[(100, 1.0)]] * 3}
    sweep = printed(tmp_path, scripts, seeds=3)
    found = verdict(sweep.sweep)
    assert (found.lr, found.by_noise) == (1e-2, False)
    assert "noise unknown: identical seeds (3 gave the same value)" in said(sweep)
    assert [row.se for row in rank(sweep.sweep, sweep.series)] == [None, None]


# ---------------------------------------------------------------- costs


@pytest.mark.parametrize("evaluated", [True, False])
def test_a_run_that_goes_on_is_charged_from_its_checkpoint_whether_it_was_evaluated_or_not(
    tmp_path, evaluated
):
    """Three attempts of one run, each from the last one's checkpoint, without a training loss."""
    lengths = (11.0, 33.0, 100.0)
    sweep = PrintedSweep(tmp_path, msgspec.structs.replace(PLAN, rungs=(("", lengths),)))
    begun = 1
    for until in lengths:
        value = {"val_loss": 1.0} if evaluated else {"x": 1.0}
        lines = [json.dumps({"step": s} | value) for s in range(begun, int(until) + 1)]
        sweep.run(1e-3, "\n".join(lines) + "\n", until=until, again=begun > 1)
        begun = int(until) + 1
    assert sweep.sweep.spent == 100


def test_the_leaderboard_marks_the_recommended_rate_and_those_that_measured_better(tmp_path):
    """1e-1 measured best, but one of its seeds failed: the verdict does not recommend it."""
    sweep = printed(tmp_path, {1e-2: [[(100, 1.0)], [(100, 1.1)]], 1e-1: [(100, 0.9)]})
    sweep.run(1e-1, "Traceback: out of luck\n", seed=1)
    sweep.say(verdict_event(sweep.sweep), ev.SweepClosed(code=1, why=""))
    board = [(row.lr, row.why) for row in rank(sweep.sweep, sweep.series)]
    assert verdict(sweep.sweep).lr == 1e-2
    assert board[0][1].startswith("measured better by 0.1500; not recommended: failed")
    assert board[1] == (1e-2, "recommended")
    assert "failed, not to be recommended: 1e-01" in said(sweep)


def test_a_row_says_why_its_better_rate_was_passed_over(tmp_path):
    sweep = printed(tmp_path, {1e-2: [(100, 1.0)], 1e-1: [(100, 0.9)]})
    why = ((1e-1, "within the noise"),)
    for passed_over, said in ((why, "within the noise"), ((), "the verdict says why it is not")):
        sweep.say(
            ev.VerdictReached(lr=1e-2, passed_over=passed_over), ev.SweepClosed(code=0, why="")
        )
        first = rank(sweep.sweep, sweep.series)[0]
        assert first.why.startswith(f"measured better by 0.1000; {said}")


def test_in_a_study_another_level_is_not_said_to_measure_better(tmp_path):
    """The verdict is for the experiment's own level, and says nothing of others."""
    sweep = printed(tmp_path, {1e-2: [(100, 1.0)], 1e-1: [(100, 1.1)]}, study=(("bs", 8),))
    line = json.dumps({"step": 100, "val_loss": 0.5})
    sweep.run(1e-2, f"{line}\n", values={"bs": 64})
    sweep.say(verdict_event(sweep.sweep), ev.SweepClosed(code=0, why=""))
    board = [(row.lr, row.why) for row in rank(sweep.sweep, sweep.series)]
    assert board == [(1e-2, ""), (1e-2, "recommended"), (1e-1, "")]


# ---------------------------------------------------------------- rungs


@pytest.mark.parametrize(
    ("records", "there"),
    [
        ([{"epoch": 0.5, "loss": 1}, {"epoch": 1.0, "loss": 1}], False),  # evaluates next
        ([{"epoch": 1.0, "loss": 1}, {"epoch": 1.0, "eval": 1}], True),
        ([{"epoch": 1.0, "loss": 1}, {"epoch": 1.01, "loss": 1}], True),  # goes on without
        ([{"epoch": 1, "eval": 1, "loss": 1}], True),
        ([{"epoch": 1.0, "other": 1}, {"epoch": 1.5, "other": 1}], False),  # nothing to compare
        ([{"epoch": 1.0, "other": 1}, {"epoch": 1.5, "eval": 1}], False),  # nor here: to the end
    ],
)
def test_a_run_is_at_its_rung_once_it_can_be_compared_there(tmp_path, records, there):
    """A script that ignores {until} is stopped then: not between the last training line and the evaluation of an epoch."""
    plan = msgspec.structs.replace(PLAN, metric="eval", loss="loss", unit="epoch", horizon=9)
    AttemptLayout(tmp_path).output.write_text("\n".join(map(json.dumps, records)) + "\n")
    attempt = Attempt(1, "t", 1.0)
    run = Run("r01", ev.Setting(lr=0.1), 0, "strategy", State.RUNNING, 1.0, attempts=(attempt,))
    progress = Progress(tmp_path, plan, run, attempt, None)
    progress.read()
    assert (progress.comparable >= 1.0) is there


# ---------------------------------------------------------------- ends


@pytest.mark.parametrize(
    ("records", "until", "code", "kind"),
    [
        ([{"step": 100, "val_loss": 1}], 100, 0, "finished"),
        ([{"step": 100, "val_loss": 1}], 100, 139, "finished"),  # crashed after its end
        ([{"step": 99, "val_loss": 1}], 100, 139, "failed"),
        ([{"step": 100, "train_loss": 1}], 100, 1, "failed"),  # before its evaluation
        ([{"step": 9, "val_loss": 1}, {"step": 10, "train_loss": math.nan}], 100, 0, "diverged"),
        ([], 11, 0, None),  # evaluates less often than at its rung
        ([], 100, 0, "failed"),
        ([{"step": 11, "other": 1}], 11, 0, None),
    ],
)
def test_an_end_says_what_the_run_is_worth(tmp_path, records, until, code, kind):
    sweep = PrintedSweep(tmp_path, msgspec.structs.replace(PLAN, rungs=(("", (11.0, 100.0)),)))
    lines = "".join(json.dumps(record) + "\n" for record in records)
    sweep.run(1e-3, lines, until=until, code=code)
    run = sweep.sweep.runs["r01"]
    assert (run.ending.kind if run.ending else None) == kind
    assert run.ending or run.state is State.WAITING


def test_what_is_trained_beyond_the_horizon_makes_no_other_run_short(tmp_path):
    sweep = printed(tmp_path, {1e-3: line(0.01, 200), 1e-2: line(0.03, 100), 1e-1: line(0.02, 100)})
    found = verdict(sweep.sweep)
    assert (found.lr, found.value_at, found.provisional) == (1e-2, 100, False)
    assert leaders(sweep) == [1e-2, 1e-1, 1e-3]
    assert "early" not in said(sweep)


def test_early_stopping_everywhere_is_said_in_one_line_and_values_at_evaluations_are_not_interpolated(
    tmp_path,
):
    """Like scikit-learn's early_stopping: each seed ends at an epoch of its own, evaluated at every one."""
    ends = {1e-3: (100, 90), 1e-2: (60, 47), 1e-1: (33, 29)}
    slopes = {1e-3: 0.01, 1e-2: 0.04, 1e-1: 0.05}
    scripts = {lr: [line(slopes[lr], end) for end in each] for lr, each in ends.items()}
    sweep = printed(tmp_path, scripts, seeds=2)
    assert verdict(sweep.sweep).lr == 1e-1
    early = [reason.text for reason in verdict(sweep.sweep).reasons if reason.why is Why.EARLY]
    assert early == [
        "1e-01 ended early, at step 33 of 100: it leads at every common length; let it train to the end",
        "1e-02 came to 7.600 later, at step 60",
        "1e-02 (step 60) ended early, before step 100",
    ]
    assert "interpolated" not in said(sweep)
