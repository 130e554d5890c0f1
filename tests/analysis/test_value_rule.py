"""A run's value by `value = ...`: the same for the supervisor, which decides by it, and for the leaderboard, which shows it."""

from __future__ import annotations

import json
import math
import tempfile
from pathlib import Path

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lrtui.analysis.averages import mean, standard_error
from lrtui.analysis.ranking import rank
from lrtui.analysis.value_rule import RunValue, is_rule, run_value
from lrtui.metrics import Measurement, MetricLog, Reading, RunSeries
from lrtui.supervisor.progress import Progress
from lrtui.sweep import events as ev
from lrtui.sweep.events import Plan, Setting
from lrtui.sweep.layout import AttemptLayout
from lrtui.sweep.state import Attempt, Run, State, fold
from tests.plans import plan_of

PLAN = plan_of(metric="acc", loss="loss")
RUN = Run("r01", Setting(lr=0.1), 0, "strategy", State.RUNNING, 10)


def measured(points) -> RunSeries:
    """points: (level, acc) or (level, acc, val_loss)."""
    series = RunSeries()
    names = ("acc", "val_loss")
    lines = [
        Measurement(p[0], None, p[0], None, None, dict(zip(names, p[1:], strict=False)))
        for p in points
    ]
    series.extend(1, lines)
    return series


@pytest.mark.parametrize(
    ("rule", "upto", "level", "value"),
    [
        ("last", 9, 4, 0.2),
        ("last", 2.5, 2, 0.5),
        ("best", 9, 4, 0.5),
        ("best", 1, 1, 0.1),
        ("mean 2", 9, 4, 0.3),
        ("mean 9", 2, 2, 0.3),
    ],
)
def test_value_by_each_rule(rule, upto, level, value):
    plan = msgspec.structs.replace(PLAN, value=rule)
    series = measured([(1, 0.1), (2, 0.5), (3, 0.4), (4, 0.2)])
    found = run_value(plan, series, upto)
    assert (found.level, found.value, found.val_loss) == (level, pytest.approx(value), None)
    assert run_value(plan, series, 0.5) is None


def test_val_loss_is_the_last_one_before_the_level():
    series = measured([(1, 0.1, 2.0), (2, 0.5, math.inf), (3, 0.6)])
    assert run_value(PLAN, series, 1) == RunValue(1, 0.1, 2.0)
    assert run_value(PLAN, series) == RunValue(3, 0.6, math.inf)


def test_rules_that_the_experiment_file_accepts():
    assert all(map(is_rule, ("last", "best", "mean 1", "mean 12")))
    assert not any(map(is_rule, ("", "mean", "mean 0", "mean -1", "mean 2.5", "worst", "last ")))


# ---------------------------------------------------------------- supervisor and leaderboard

numbers = st.one_of(
    st.floats(0, 1), st.sampled_from([0.5, math.nan, math.inf, -math.inf]), st.none()
)
lines = st.lists(
    st.tuples(st.sampled_from([0.5, *range(1, 13)]), numbers, numbers), min_size=1, max_size=20
)
"""(epoch, acc, val_loss); out of order, repeated, beyond the horizon, without a value."""


def write(root: Path, points) -> None:
    root.mkdir()
    rows = [
        {"epoch": e} | {n: v for n, v in (("acc", a), ("val_loss", b)) if v is not None}
        for e, a, b in points
    ]
    AttemptLayout(root).metrics.write_text("".join(json.dumps(row) + "\n" for row in rows))


def by_supervisor(root: Path, plan: Plan, attempts) -> RunValue | None:
    progress = None
    for attempt in attempts:
        earlier = progress
        progress = Progress(root / str(attempt.number), plan, RUN, attempt, None)
        if earlier is not None:
            progress.go_on_from(earlier)
    progress.read_all()
    return progress.reached()


def by_leaderboard(root: Path, plan: Plan, attempts) -> RunValue | None:
    series = RunSeries()
    for attempt in attempts:
        log = MetricLog(root / str(attempt.number), Reading.of(plan))
        series.extend(attempt.number, list(log.poll(1 << 20)))
    until = attempts[-1].until
    return run_value(plan, series, until if until < plan.horizon else math.inf)


def same(a: RunValue, b: RunValue) -> bool:
    return repr(a) == repr(b)  # nan is nan here


@given(
    files=st.lists(lines, min_size=1, max_size=3),
    rule=st.sampled_from(["auto", "last", "best", "mean 2", "mean 3"]),
    goal=st.sampled_from(["max", "min"]),
    until=st.sampled_from([4.0, 10.0]),
)
def test_supervisor_and_leaderboard_agree(files, rule, goal, until):
    plan = msgspec.structs.replace(PLAN, value=rule, goal=goal)
    attempts = [
        Attempt(n, "t", until, resumed_from=n - 1 if n > 1 else None)
        for n in range(1, len(files) + 1)
    ]
    with tempfile.TemporaryDirectory() as folder:
        for attempt, points in zip(attempts, files, strict=True):
            write(Path(folder) / str(attempt.number), points)
        decided = by_supervisor(Path(folder), plan, attempts)
        shown = by_leaderboard(Path(folder), plan, attempts)
    if decided is None:  # the last attempt has evaluated nothing yet: nothing to journal
        limit = until if until < plan.horizon else math.inf
        assert not any(e <= limit and acc is not None for e, acc, _ in files[-1])
    else:
        assert shown is not None
        assert same(decided, shown)


@given(
    values=st.lists(st.floats(0, 1), min_size=1, max_size=9)
    | st.lists(st.floats(0, 1), min_size=25, max_size=25),
    rule=st.sampled_from(["auto", "last", "best", "mean 3"]),
    goal=st.sampled_from(["max", "min"]),
    ended=st.booleans(),
)
@settings(max_examples=40)
def test_a_row_shows_the_value_that_is_decided_by(values, rule, goal, ended):
    """All evaluations lie in the last tenth, over which `auto` averages where there are 20."""
    plan = msgspec.structs.replace(PLAN, value=rule, goal=goal)
    attempt = Attempt(1, "t", 10)
    with tempfile.TemporaryDirectory() as folder:
        points = [(9 + (n + 1) / len(values), value, None) for n, value in enumerate(values)]
        write(Path(folder) / "1", points)
        decided = by_supervisor(Path(folder), plan, [attempt])
        series = RunSeries()
        series.extend(1, list(MetricLog(Path(folder) / "1", Reading.of(plan)).poll(1 << 20)))
    told = [
        ev.SweepOpened(plan=plan),
        ev.RunQueued(run="r01", setting=RUN.setting, seed=0, until=10),
        ev.RunLaunched(run="r01", attempt=1, token="t", until=10),
        ev.RunStarted(run="r01", attempt=1, pid=1),
        ev.RunReached(run="r01", attempt=1, level=decided.level, value=decided.value),
        ev.RunEnded(run="r01", attempt=1, kind="finished", code=0),
    ]
    (row,) = rank(fold(told if ended else told[:4]), {"r01": series})
    assert (row.level, row.value) == (decided.level, decided.value)


def test_best_counts_at_the_level_that_the_run_has_come_to(tmp_path):
    """A run that peaked early is compared at its rung all the same."""
    points = [(1, 0.1, None), (3, 0.9, None), (6, 0.5, None)]
    write(tmp_path / "1", points)
    plan = msgspec.structs.replace(PLAN, value="best")
    assert by_supervisor(tmp_path, plan, [Attempt(1, "t", 10)]) == RunValue(6, 0.9, None)


def test_best_is_remembered_across_a_resume(tmp_path):
    write(tmp_path / "1", [(1, 0.1, None), (2, 0.9, None), (3, 0.2, None)])
    write(tmp_path / "2", [(3, 0.3, None), (4, 0.4, None)])
    plan = msgspec.structs.replace(PLAN, value="best")
    attempts = [Attempt(1, "t", 10), Attempt(2, "u", 10, resumed_from=1)]
    assert by_supervisor(tmp_path, plan, attempts) == RunValue(4, 0.9, None)
    write(tmp_path / "3", [(1, 0.3, None)])
    assert by_supervisor(tmp_path, plan, [attempts[0], Attempt(3, "v", 10, resumed_from=1)]) == (
        RunValue(1, 0.3, None)
    )


# ---------------------------------------------------------------- averages


def test_standard_error_of_known_samples():
    assert standard_error([1.0, 3.0]) == pytest.approx(1.0)
    assert standard_error([1e308, -1e308]) == pytest.approx(1e308)
    assert standard_error([0.5]) is None
    assert standard_error([0.5, math.nan]) is None
    assert standard_error([0.5, math.inf]) is None


@given(st.lists(st.floats(allow_nan=True, allow_infinity=True), min_size=1, max_size=9))
def test_mean_never_raises(values):
    assert isinstance(mean(values), float)
