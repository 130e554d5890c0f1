"""The leaderboard compares equal lengths only, and does not depend on the order in which runs arrive."""

from __future__ import annotations

import math
from dataclasses import replace
from types import MappingProxyType

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lrtui.analysis.ranking import rank
from lrtui.metrics import Measurement, RunSeries
from lrtui.sweep.events import Setting
from lrtui.sweep.state import Attempt, Ending, Reached, Run, State, Sweep
from tests.plans import plan_of

PLAN = plan_of(metric="acc", loss="loss")


def measured(points) -> RunSeries:
    """points: (level, acc) or (level, acc, val_loss)."""
    series = RunSeries()
    lines = [
        Measurement(p[0], None, p[0], None, p[0] * 2, dict(zip(("acc", "val_loss"), p[1:], strict=False)))
        for p in points
    ]  # fmt: skip
    series.extend(1, lines)
    return series


def run(name: str, state="running", lr=0.1, seed=0, rung=None, **changes) -> Run:
    ending = None
    if state in {"finished", "pruned", "killed", "failed", "diverged"}:
        ending, state = Ending(state, 0, None, 0.0, f"it {state}"), "ended"
    made = Run(name, Setting(lr=lr), seed, "strategy", State(state), 10, ending=ending)
    if rung:
        made = replace(
            made, attempts=(Attempt(1, "t", rung),), reached=(Reached(1, rung, 0.5, None),)
        )
    return replace(made, **changes)


def board(*entries, plan=PLAN, **sweep):
    """entries: (run, points)."""
    runs = MappingProxyType({r.id: r for r, _ in entries})
    series = {r.id: measured(points) for r, points in entries if points is not None}
    return rank(Sweep(plan=plan, runs=runs, **sweep), series)


def order(standings) -> list[str]:
    return [s.runs[0] for s in standings]


def test_running_runs_are_compared_at_the_deepest_common_epoch():
    ahead = [(1, 0.1), (2, 0.2), (3, 0.3), (4, 0.9)]
    got = board((run("ahead", lr=0.1), ahead), (run("behind", lr=0.2), [(1, 0.2), (2, 0.4)]))
    assert order(got) == ["behind", "ahead"]
    assert [(s.value, s.value_at) for s in got] == [(0.4, 2), (0.2, 2)]
    assert got[1].latest == 0.9
    assert (got[1].best, got[1].best_at) == (0.9, 4)
    assert got[0].rank == 1


def test_at_the_common_epoch_values_are_interpolated_between_evaluations():
    every = [(n, n / 10) for n in range(1, 8)]
    thirds = [(3, 0.35), (6, 0.5)]
    got = board((run("every", lr=0.1), every), (run("thirds", lr=0.2), thirds))
    assert [(s.value, s.value_at) for s in got] == [(0.6, 6), (0.5, 6)]
    got = board((run("every", lr=0.1), every[:5]), (run("thirds", lr=0.2), thirds))
    assert [(s.value, s.value_at) for s in got] == [(0.5, 5), (pytest.approx(0.45), 5)]
    assert [s.why for s in got] == ["", "value interpolated at 5"]


def test_order_finished_then_rung_then_blank_then_queue_then_the_dead():
    got = board(
        (run("died", "diverged", lr=1.0), [(1, 0.99)]),
        (run("broke", "failed", lr=0.9), None),
        (run("q2", "queued", lr=0.8, queued_n=9), None),
        (run("q1", "queued", lr=0.7, queued_n=8), None),
        (run("new", "starting", lr=0.6), None),
        (run("low", "pruned", lr=0.5, rung=1.0), [(1, 0.9)]),
        (run("promoted", lr=0.4, rung=3.0), [(1, 0.2), (3, 0.3), (5, 0.4)]),
        (run("cut", "pruned", lr=0.3, rung=3.0), [(1, 0.3), (3, 0.95)]),
        (run("done", "finished", lr=0.2), [(10, 0.1)]),
        (run("mine", "killed", lr=0.15), [(2, 0.7)]),
    )
    assert order(got) == ["done", "promoted", "cut", "low", "new", "q1", "q2", "mine", "broke", "died"]  # fmt: skip
    assert [s.state for s in got][-3:] == ["killed", "failed", "diverged"]
    assert got[-1].why == "it diverged"
    assert got[5].why == "waits for a free slot"
    assert got[6].why == "number 2 in the queue"


def test_ties_go_to_the_lower_val_loss_then_the_lower_lr():
    got = board(
        (run("c", lr=0.3), [(1, 0.5, 2.0)]),
        (run("b", lr=0.2), [(1, 0.5, 1.0)]),
        (run("a", lr=0.1), [(1, 0.5, 2.0)]),
        (run("d", lr=0.01), [(1, 0.5)]),
    )
    assert order(got) == ["b", "a", "c", "d"]


def test_a_minimum_is_ranked_upwards_and_nan_last():
    plan = PLAN.__class__(**{f: getattr(PLAN, f) for f in PLAN.__struct_fields__} | {"goal": "min"})
    got = board(
        (run("a", lr=0.1), [(1, math.nan)]),
        (run("b", lr=0.2), [(1, 2.0)]),
        (run("c", lr=0.3), [(1, 1.0)]),
        (run("d", lr=0.4), [(1, math.inf)]),
        plan=plan,
    )
    assert order(got) == ["c", "b", "d", "a"]


def test_seeds_fold_into_one_row_with_mean_and_standard_error():
    got = board(
        (run("r1", "finished", seed=0), [(10, 0.5, 1.0)]),
        (run("r2", "finished", seed=1), [(10, 0.7, 3.0)]),
        (run("r3", seed=2), [(4, 0.9)]),
        (run("r4", "diverged", seed=3), [(1, 0.1)]),
        (run("r5", "finished", lr=0.01), [(10, 0.55)]),
    )
    assert [s.runs for s in got] == [("r1", "r2", "r3", "r4"), ("r5",)]
    first = got[0]
    assert first.value == first.mean == pytest.approx(0.6)
    assert first.se == pytest.approx(0.1)
    assert (first.seeds, first.val_loss) == (2, 2.0)
    assert first.why == "it finished; seed 3 diverged"
    assert (got[1].seeds, got[1].se) == (1, None)


def test_a_paused_run_does_not_hold_the_comparison_back():
    got = board(
        (run("a", lr=0.1), [(n, n / 10) for n in range(1, 8)]),
        (run("b", lr=0.2), [(n, n / 20) for n in range(1, 7)]),
        (run("p", "paused", lr=0.3), [(1, 0.9), (2, 0.95)]),
    )
    assert order(got) == ["a", "b", "p"]
    assert [s.value_at for s in got] == [6, 6, 2]


def test_a_value_noted_at_a_pause_is_no_rung():
    half = (Attempt(1, "t", 10),)
    paused_once = run("a", lr=0.1, attempts=half, reached=(Reached(1, 3.0, 0.1, None),))
    got = board((paused_once, [(n, 0.1) for n in range(1, 5)]), (run("b", lr=0.2), [(1, 0.5)]))
    assert order(got) == ["b", "a"]


def test_whoever_passed_a_rung_without_being_judged_reached_it_too():
    got = board(
        (run("cut", "pruned", lr=0.1, rung=3.0), [(3, 0.5)]),
        (run("added", lr=0.2), [(n, n / 10) for n in range(1, 7)]),
    )
    assert [(s.runs[0], s.value_at) for s in got] == [("added", 6), ("cut", 3)]


def test_a_restarted_run_has_no_length_until_it_measures():
    first, second = Attempt(1, "t", 10), Attempt(2, "t", 10)
    points = [(10, 0.5)]
    begun = board((run("a", attempts=(first, second)), points))[0]
    assert (begun.level, begun.latest, begun.best) == (0.0, None, None)
    resumed = replace(second, resumed_from=1)
    assert board((run("a", attempts=(first, resumed)), points))[0].level == 10
    assert board((run("a", attempts=(first,)), points))[0].level == 10


def test_eta_and_rate_come_from_the_runs_own_time():
    got = board((run("a"), [(1, 0.1), (2, 0.2), (3, 0.2)]))
    assert got[0].rate == pytest.approx(0.5)
    assert got[0].eta == pytest.approx(14)
    assert board((run("a", "paused"), [(1, 0.1), (2, 0.2)]))[0].eta is None


def test_a_run_without_times_has_a_rate_since_its_start():
    series = RunSeries()
    series.extend(1, [Measurement(p, None, p, None, None, {"acc": 0.5}) for p in (1, 2, 4)])
    attempt = Attempt(1, "t", 10, started_at=100.0)

    def rate(now, **changes):
        runs = MappingProxyType({"a": run("a", attempts=(replace(attempt, **changes),))})
        (found,) = rank(Sweep(plan=PLAN, runs=runs), {"a": series}, now)
        return found.rate, found.eta

    assert rate(108.0) == pytest.approx((0.5, 12))
    assert rate(None) == rate(99.0) == rate(108.0, resumed_from=1) == (None, None)


def test_no_plan_no_rows():
    assert rank(Sweep(), {}) == []


STATES = ["running", "starting", "frozen", "waiting", "paused", "queued", "lost", "finished", "pruned", "killed", "failed", "diverged"]  # fmt: skip
values = st.sampled_from([0.1, 0.2, 0.5, math.nan, math.inf, -math.inf])
entries = st.lists(
    st.tuples(
        st.sampled_from(STATES),
        st.sampled_from([0.1, 0.01, 0.001]),
        st.integers(0, 3),
        st.sampled_from([None, 1.0, 3.0]),
        st.lists(st.tuples(st.integers(1, 10), values, values), max_size=6),
    ),
    max_size=8,
)


@given(entries, st.randoms(), st.sampled_from(["last", "best", "mean 3"]))
@settings(max_examples=200, deadline=None)
def test_the_board_is_total_and_free_of_the_order_of_runs(found, rng, rule):
    plan = PLAN.__class__(**{f: getattr(PLAN, f) for f in PLAN.__struct_fields__} | {"value": rule})
    made = [
        (run(f"r{n}", state, lr, seed, rung, queued_n=n), points)
        for n, (state, lr, seed, rung, points) in enumerate(found)
    ]
    first = board(*made, plan=plan)
    assert sorted(r for s in first for r in s.runs) == sorted(r.id for r, _ in made)
    assert [s.rank for s in first] == list(range(1, len(first) + 1))
    rng.shuffle(made)
    assert repr(board(*made, plan=plan)) == repr(first)


@given(
    st.lists(st.lists(st.sampled_from([0.1, 0.3, 0.5, 0.7]), min_size=1, max_size=9), min_size=2, max_size=6),
    st.data(),
)  # fmt: skip
@settings(deadline=None)
def test_what_a_run_did_beyond_the_shortest_changes_no_rank(curves, data):
    """Running runs, evaluated each epoch: only the epochs that all have decide."""
    shortest = min(map(len, curves))
    long = [list(enumerate(curve, 1)) for curve in curves]
    short = [points[:shortest] for points in long]
    runs = [run(f"r{n}", lr=10.0**-n) for n in range(len(curves))]
    got = board(*zip(runs, long, strict=True))
    assert order(got) == order(board(*zip(runs, short, strict=True)))
    assert {s.value_at for s in got} == {shortest}
    assert [s.value for s in got] == sorted((s.value for s in got), reverse=True)


def test_a_reason_is_said_once():
    """A rule that ends a run flags it too."""
    ended = Ending("diverged", None, 15, 9.0, "train_loss is 9", rule="diverged")
    made = replace(run("a", lr=0.1), ending=ended, state=State.ENDED)
    (row,) = board((replace(made, flags=(("diverged", "train_loss is 9"),)), [(1, 0.5)]))
    assert (row.state, row.why) == ("diverged", "train_loss is 9")
