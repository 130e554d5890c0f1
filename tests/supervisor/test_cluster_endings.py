"""What a run becomes whose job a cluster ended, refused or never began."""

import signal

import pytest

from lrtui.errors import UserError
from lrtui.supervisor.outcome import EVICTIONS_FORGIVEN, after_loss
from lrtui.sweep import events as ev
from lrtui.sweep.layout import AttemptLayout
from lrtui.sweep.state import State
from lrtui.workers.launcher import Alive, Unclaimed, Vanished
from lrtui.workers.launchers import LAUNCHERS
from tests.analysis.outputs import PrintedSweep
from tests.plans import plan_of
from tests.until import until

PLAN = plan_of(unit="step", horizon=9.0, launcher="slurm")
LIMIT = Vanished("limit", "time limit of 4h")
PREEMPTED = Vanished("evicted", "preempted in Slurm")


def printed(first, last):
    return "".join(f'{{"step": {i}, "val_acc": 0.{i}}}\n' for i in range(first, last + 1))


@pytest.fixture
def sweep(tmp_path):
    return PrintedSweep(tmp_path, PLAN)


def only(sweep):
    (run,) = sweep.sweep.runs.values()
    return run


@pytest.mark.parametrize("ending", [LIMIT, PREEMPTED])
def test_what_a_cluster_cut_off_goes_on(sweep, ending):
    sweep.run(1e-3, printed(1, 4), ending=ending, checkpoint=True)
    run = only(sweep)
    assert (run.state, run.losses) == (State.LOST, 0)
    lost = ev.RunLost(run=run.id, attempt=1, why=ending.why, rule="evicted")
    (again,) = after_loss(sweep.sweep, run, lost)
    assert again.resume
    assert ending.why in again.why


def evict(in_process, after, *, saves=True):
    """Let a cluster end each attempt that has printed so many lines, and saved a checkpoint or not."""
    launcher, condition = in_process.launcher, in_process.launcher.condition

    def evicted(root, token):
        found, metrics = condition(root, token), AttemptLayout(root).metrics
        lines = metrics.read_text().count("\n") if metrics.exists() else 0
        if isinstance(found, Alive) and lines >= after:
            launcher.send(root, token, signal.SIGKILL)
            if not saves:
                AttemptLayout(root).checkpoint.unlink(missing_ok=True)
            return PREEMPTED
        return found

    launcher.condition = evicted


def test_a_run_that_is_cut_off_goes_on_while_it_comes_further(in_process):
    evict(in_process, after=1)
    in_process.start(steps=15)
    assert in_process.closed().code == 0
    assert len(in_process.events("RunLost")) > EVICTIONS_FORGIVEN


@pytest.mark.parametrize("stands", [15, 9])
def test_a_given_up_attempt_may_train_to_the_end(in_process, stands):
    """The job of a1 is believed gone at step 4 and lives on: a2 begins with a checkpoint of the end and has nothing left to do.

    Where a1 was cut off between its last checkpoint and that step's line, a2 has ended by itself at what was measured.
    """
    launcher = in_process.launcher
    condition, launch = launcher.condition, launcher.launch

    def believed_gone(root, token):
        metrics = AttemptLayout(root).metrics
        lines = metrics.read_text().count("\n") if metrics.exists() else 0
        return Vanished() if root.name == "a1" and lines >= 4 else condition(root, token)

    def launch_late(job):
        for root, worker in launcher.workers.items():
            while worker.ending is None and AttemptLayout(root).checkpoint.read_text() != str(
                stands
            ):
                worker.step()
            launcher.send(root, "", signal.SIGKILL)
            AttemptLayout(root).checkpoint.write_text("15")
        launch(job)

    launcher.condition, launcher.launch = believed_gone, launch_late
    in_process.start(steps=15)
    assert in_process.closed().code == 0
    run = in_process.run()
    assert (run.ending.kind, run.ending.early, len(run.attempts)) == ("finished", stands < 15, 2)
    assert (run.reached[-1].level, run.spent) == (stands, stands)


def test_a_run_that_is_cut_off_without_progress_is_given_up(in_process):
    evict(in_process, after=0)
    in_process.start(steps=15)
    in_process.closed()
    run = in_process.run()
    assert (run.ending.kind, len(run.attempts)) == ("lost", EVICTIONS_FORGIVEN + 1)
    assert run.why.startswith(
        "cut off 11 times in a row without coming anywhere, the last time: preempted in Slurm; save"
    )


def test_a_run_that_saves_nothing_is_given_up_too(in_process):
    """It begins anew each time, and comes as far as before."""
    evict(in_process, after=3, saves=False)
    in_process.start(steps=15)
    in_process.closed()
    assert "without coming further than step" in in_process.run().why


@pytest.mark.parametrize(
    ("output", "checkpoint", "why"),
    [
        ("", True, "nothing was measured within the time limit of 4h"),
        (printed(1, 4), False, "it left no checkpoint to resume within the time limit of 4h"),
    ],
)
def test_a_limit_that_is_too_short_ends_a_run(sweep, output, checkpoint, why):
    sweep.run(1e-3, output, ending=LIMIT, checkpoint=checkpoint)
    assert only(sweep).ending.kind == "failed"
    assert only(sweep).why == f"{why}: raise time in [launcher], then lrtui FILE --retry"


def test_a_run_that_was_complete_has_finished(sweep):
    sweep.run(1e-3, printed(1, 9), ending=LIMIT)
    assert only(sweep).finished


@pytest.mark.parametrize(("cause", "kind"), [("cancelled", "killed"), ("refused", "failed")])
def test_a_cancelled_job_was_killed_and_a_refused_one_failed(sweep, cause, kind):
    sweep.run(1e-3, printed(1, 4), ending=Vanished(cause, "so it is"))
    assert (only(sweep).ending.kind, only(sweep).why) == (kind, "so it is")


def test_a_run_that_is_paused_while_it_waits_is_not_killed(sweep):
    sweep.run(1e-3, "", ending=Vanished("cancelled", "taken out"), paused=True)
    assert only(sweep).state is State.PAUSED


def test_a_clusters_queue_takes_all_runs_at_once(in_process):
    """Each wave is one submission, so nothing is held back here; why a run waits there is in the journal."""
    in_process.launcher.remote = True
    waits = Alive(None, kept=True, waits="Priority")
    in_process.launcher.condition = lambda root, _: (
        waits if root in in_process.launcher.workers else Unclaimed()
    )
    in_process.start(lrs="1e-3, 1e-2, 1e-1")
    until(lambda: [run.why for run in in_process.sweep.runs.values()] == ["Priority"] * 3)
    assert {run.state for run in in_process.sweep.runs.values()} == {State.STARTING}


def test_a_waiting_run_is_asked_about_only_when_something_is_new(in_process):
    launcher, asked = in_process.launcher, []
    launcher.remote = True
    launcher.quiet = set()

    def condition(root, token):
        if root not in launcher.workers:
            return Unclaimed()
        asked.append(token)
        launcher.quiet.add(token)
        return Alive(None, kept=True, waits="Priority")

    launcher.condition = condition
    in_process.start(lrs="1e-3, 1e-2, 1e-1")
    until(lambda: len(asked) == 3)
    for _ in range(10):
        in_process.supervisors[in_process.directory.resolve()].tick()
    assert len(asked) == 3


def test_an_edited_launcher_reaches_the_supervisor(in_process, monkeypatch):
    changes = []
    in_process.launcher.remote = True
    in_process.launcher.change = lambda settings: changes.append(settings["time"]) or ["taken over"]
    monkeypatch.setitem(LAUNCHERS, "slurm", lambda *_: in_process.launcher)
    file = in_process.toml(steps=500, extra='[launcher]\nkind = "slurm"\ntime = "1h"')
    in_process.open(file)
    text = file.read_text()
    in_process.open(file)
    assert not changes
    file.write_text(text.replace("1h", "4h"))
    in_process.open(file)
    until(lambda: changes == ["4h"])
    until(lambda: in_process.sweep.warnings)
    file.write_text(text.replace("time =", "pack = 2\ntime ="))
    with pytest.raises(UserError, match="was edited since"):
        in_process.open(file)


def test_a_launcher_learns_what_may_live(in_process):
    adopted = []
    in_process.launcher.adopt = lambda living: adopted.append({root.parent.name for root in living})
    in_process.start(lrs="1e-3, 1e-2", steps=500)
    in_process.running("r01", 1)
    in_process.kill_supervisor()
    in_process.revive()
    assert adopted == [set(), {"r01-lr1e-03", "r02-lr1e-02"}]
