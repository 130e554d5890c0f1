"""Every way in which a sweep ends has its exit code: 0 only with an answer."""

import io
import math

import pytest

from lrtui.analysis.verdict import verdict
from lrtui.cli import attach
from lrtui.errors import MachineError, OwnedElsewhereError, UserError
from lrtui.frontend import log_mode
from lrtui.supervisor.outcome import exit_code, verdict_event
from lrtui.sweep import events as ev
from lrtui.sweep.state import Sweep, fold
from tests.plans import plan_of
from tests.recorded import make

PLAN = plan_of(horizon=4)
ANSWER = [("finished", 0.9), ("finished", 0.5)]
TESTED = {"valley": 1e-3, "steep": 1e-3, "minimum": 1e-3, "slide": 1e-3, "diverged": 1.0}


def sweep(*runs, then=(), test=None, **values) -> Sweep:
    """Return a sweep whose runs ended as (kind, value); `test` is the valley of a range test, nan for a failed one."""
    events = [ev.SweepOpened(plan=PLAN)]
    if test is not None:
        setting = ev.Setting(lr=1e-7)
        failed = math.isnan(test)
        found = (
            ev.RangeTested(run="t01", points=100)
            if failed
            else ev.RangeTested(run="t01", points=100, **TESTED)
        )
        events += [
            ev.RunQueued(run="t01", setting=setting, seed=0, until=100, lr_to=10.0, lr_steps=100),
            ev.RunLaunched(run="t01", attempt=1, token="t", until=100),
            found,
            ev.RunEnded(run="t01", attempt=1, kind="failed" if failed else "finished"),
        ]
    for number, (kind, value) in enumerate(runs, 1):
        run = f"r{number:02}"
        setting = ev.Setting(lr=10.0**-number, values=values if number > 1 else {})
        events += [
            ev.RunQueued(run=run, setting=setting, seed=0, until=4),
            ev.RunLaunched(run=run, attempt=1, token="t", until=4),
        ]
        if value is not None:
            events.append(ev.RunReached(run=run, attempt=1, level=4, value=value))
        events.append(ev.RunEnded(run=run, attempt=1, kind=kind))
    return fold([*events, *then])


def stopped(*, stop: bool) -> ev.BrakeSet:
    return ev.BrakeSet(on=True, why="said", stop=stop)


SPENT = ev.BudgetReached(why="the budget of 8 epochs is spent", spent=8)
ENDS = {
    "an answer": (sweep(*ANSWER), 0),
    "an answer and pruned runs": (sweep(*ANSWER, ("pruned", 0.1), ("diverged", None)), 0),
    "an answer and a run killed by hand": (sweep(*ANSWER, ("killed", 0.2)), 0),
    "rates that cannot be told apart": (sweep(("finished", 0.9), ("finished", 0.9)), 0),
    "one run failed": (sweep(*ANSWER, ("failed", None)), 1),
    "one run was lost": (sweep(*ANSWER, ("lost", None)), 1),
    "all failed": (sweep(("failed", None), ("failed", None)), 1),
    "all diverged": (sweep(("diverged", None), ("diverged", None)), 1),
    "all killed": (sweep(("killed", 0.1), ("killed", 0.2)), 1),
    "the metric was never read": (sweep(("finished", None), ("finished", None)), 1),
    "stopped": (sweep(*ANSWER, then=[stopped(stop=True)]), 4),
    "nothing is launched any more": (sweep(("failed", None), then=[stopped(stop=False)]), 1),
    "the budget is spent": (sweep(*ANSWER, then=[SPENT]), 0),
    "the budget was too small": (sweep(("killed", None), then=[SPENT]), 1),
    "only a range test": (sweep(test=1e-3), 0),
    "only a range test, which failed": (sweep(test=math.nan), 1),
    "a range test before runs that failed": (sweep(("failed", None), test=1e-3), 1),
    "a study": (sweep(*ANSWER, ("finished", 0.7), batch_size=64), 0),
    "a study in which all failed": (sweep(("failed", None), ("failed", None), batch_size=64), 1),
}  # fmt: skip


@pytest.mark.parametrize("name", ENDS)
def test_a_sweep_ends_with(name) -> None:
    ended, code = ENDS[name]
    closed = exit_code(ended, verdict_event(ended))
    assert closed.code == code
    assert closed.why
    bracket = any(tested.valley for tested in ended.ranges.values()) and not ended.trained()
    found = verdict(ended)
    assert code != 0 or found.lr is not None or found.equal is not None or bracket


@pytest.mark.parametrize(("closed", "code"), [(0, 0), (1, 1), (4, 4), (5, 5), (None, 1)])
def test_the_log_exits_with_the_sweeps_code(tmp_path, closed, code) -> None:
    """A sweep that nobody runs and that is only viewed has no answer."""
    directory = make(tmp_path / "sweep", ["finished"], closed=closed, elsewhere="host")
    assert log_mode.run(directory, out=io.StringIO(), start=False) == code


@pytest.mark.parametrize(
    ("closed", "left", "code"), [(0, 0, 0), (1, 0, 1), (None, 0, 130), (None, 4, 4), (0, 130, 130)]
)
def test_the_monitor_exits_with_the_sweeps_code(tmp_path, monkeypatch, closed, left, code) -> None:
    from lrtui import tui

    directory = make(tmp_path / "sweep", ["finished"], closed=closed)
    monkeypatch.setattr(tui, "run", lambda *_, **__: left)
    assert attach.monitor(directory, "") == code


def test_what_cannot_be_done_has_its_code() -> None:
    assert (UserError.exit_code, MachineError.exit_code, OwnedElsewhereError.exit_code) == (2, 5, 6)
