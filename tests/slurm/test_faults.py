"""What Slurm, its nodes and its users do to a sweep, each done to the real programs: nothing lost, nothing doubled, states that are true.

The campaign waits as long as Slurm does: a node that falls silent, a time limit of a minute, a controller that is away for one.
"""

import json
import os
import signal
import time

import pytest

from lrtui.sweep import events as ev
from tests.until import until

TWO, THREE = "1e-3, 3e-4", "1e-3, 3e-4, 1e-4"


def lose(far, node: str, *, by_itself: bool) -> None:
    """Kill a node's daemon, and let Slurm notice (25 s) or declare the node down."""
    far.slurm.kill_node(node)
    if not by_itself:
        far.slurm.run("scontrol", "update", f"nodename={node}", "state=down", "reason=test")


def endings(far) -> dict[str, str]:
    return {run.id: run.ending.kind for run in far.lab.sweep.runs.values() if run.ending}


def test_a_running_job_that_is_cancelled_by_hand_is_killed_and_says_so(far):
    far.lab.hold(3)
    far.start(lrs=TWO, steps=8)
    far.lab.running("r01", 3)
    far.lab.running("r02", 3)
    far.slurm.run("scancel", far.job("r01"))
    until(lambda: far.lab.run("r01").ending)
    far.lab.release()
    far.lab.closed()
    assert endings(far) == {"r01": "killed", "r02": "finished"}
    assert "Slurm" in far.lab.run("r01").ending.why
    far.sound(kinds=("killed", "finished"))


def test_a_waiting_job_that_is_cancelled_by_hand_is_killed_and_says_so(far):
    """Slurm forgets such a task at once: absence is not success."""
    far.lab.hold(3)
    other = far.occupy()
    far.start(lrs=TWO, steps=8)
    job = far.job("r02")
    until(lambda: far.lab.run("r02").why in ("Resources", "Priority"))
    far.slurm.run("scancel", job)
    until(lambda: far.lab.run("r02").ending)
    far.lab.release()
    far.slurm.run("scancel", other)
    far.lab.closed()
    assert endings(far) == {"r01": "finished", "r02": "killed"}
    far.sound(kinds=("killed", "finished"))


def test_a_requeued_job_goes_on_from_its_checkpoint(far):
    far.lab.hold(4)
    far.start(steps=12)
    far.lab.running(steps=4)
    job = far.job()
    far.slurm.run("scontrol", "update", f"jobid={job}", "requeue=1")
    far.slurm.run("scontrol", "requeue", job)
    far.lab.release()
    assert far.lab.closed().code == 0
    assert len(far.lab.run().attempts) == 2
    assert far.lab.run().attempts[1].resumed_from == 1
    far.sound()


def test_a_preempted_run_goes_on_where_it_was(far):
    far.lab.hold(4)
    far.start(steps=12, launcher="partition = 'main'")
    far.lab.running(steps=4)
    urgent = far.occupy("--partition=high")
    until(lambda: len(far.lab.run().attempts) == 2)
    assert [e.why for e in far.lab.events("RunLost")] == ["preempted in Slurm"]
    far.lab.release()
    far.slurm.run("scancel", urgent)
    assert far.lab.closed().code == 0
    assert far.lab.run().attempts[1].resumed_from == 1
    far.sound()


@pytest.mark.campaign
def test_a_run_that_is_warned_of_its_limit_goes_on_in_another_job(far, campaign):
    """The sample sends the signal that Slurm sends before the limit; the campaign waits for Slurm's, with the shortest limit."""
    far.lab.hold(4)
    far.start(steps=12, launcher=f"time = '{'1m' if campaign else '1h'}'")
    far.lab.running(steps=4)
    if campaign:
        until(lambda: len(far.lab.run().attempts) == 2)
    else:
        far.slurm.run("scancel", "--batch", "--signal=USR2", far.job())
    far.lab.release()
    assert far.lab.closed().code == 0
    assert len(far.lab.run().attempts) == 2
    assert "time limit" in far.lab.events("RunLost")[0].why
    assert far.lab.run().attempts[1].resumed_from == 1
    far.sound()


@pytest.mark.campaign
def test_a_job_outlives_its_node_and_is_believed(far, campaign):
    """Slurm gave the node up; the job lives on, its files say so, and nothing is started beside it."""
    far.lab.hold(4)
    far.start(steps=12, launcher="extra = ['--nodelist=n1']")
    far.lab.running(steps=4)
    job = far.job()
    lose(far, "n1", by_itself=campaign)
    until(lambda: far.slurm.state(job).startswith("NODE_FAIL"))
    asked = len(far.calls("squeue"))
    until(lambda: len(far.calls("squeue")) > asked + 3)
    far.lab.release()
    assert far.lab.closed().code == 0
    assert len(far.lab.run().attempts) == 1
    far.sound()


@pytest.mark.campaign
def test_a_job_that_wakes_up_behind_its_successor_writes_none_of_its_files(far, campaign):
    """The zombie writer: it is cut off while Slurm gives its node up, and comes back when the next attempt trains."""
    if not campaign:
        pytest.skip("waits for 30 s until a node and its job are given up")
    far.lab.hold(4)
    far.start(steps=12)
    far.lab.running(steps=4)
    job = far.job()
    node = far.slurm.run("squeue", "--noheader", "--format=%N", f"--jobs={job}")
    frozen = far.slurm.jobs()
    for pid in frozen:
        os.kill(pid, signal.SIGSTOP)
    lose(far, node, by_itself=True)
    until(lambda: len(far.lab.run().attempts) == 2)
    assert far.lab.events("RunLost")[0].why == f"node {node} failed"
    far.lab.running(steps=8)  # four more than the first attempt told
    for pid in frozen:
        os.kill(pid, signal.SIGCONT)
    until(lambda: not set(frozen) & set(far.slurm.jobs()))
    far.lab.release()
    assert far.lab.closed().code == 0
    assert len(far.lab.run().attempts) == 2
    far.sound(apart=False)


@pytest.mark.campaign
def test_a_worker_that_outlives_its_agent_may_come_to_its_end(far):
    """It is given up, and ends before the next attempt begins, which then has nothing left to do."""
    far.lab.hold(4)
    far.start(steps=12)
    far.lab.running(steps=4)
    beat = json.loads((far.lab.directory / "slurm/w1/0.beat").read_text())
    os.kill(beat["pid"], signal.SIGKILL)
    until(lambda: far.slurm.state(far.job()).startswith("FAILED"))
    other = far.occupy()
    until(lambda: len(far.lab.run().attempts) == 2)
    far.lab.release()
    until((far.lab.directory / far.lab.run().folder / "a1/exit.json").exists)
    far.slurm.run("scancel", other)
    assert far.lab.closed().code == 0
    assert far.lab.told() == 12
    far.sound()


@pytest.mark.campaign
def test_runs_go_on_while_the_controller_is_away(far, campaign):
    far.lab.hold(4)
    far.start(lrs=THREE, steps=8, launcher="at_most = 2")
    far.lab.running("r01", 4)
    far.lab.running("r02", 4)
    far.slurm.stop_controller()
    far.lab.release()
    until(lambda: far.lab.run("r01").ending and far.lab.run("r02").ending)
    assert endings(far) == {"r01": "finished", "r02": "finished"}
    began = time.monotonic()
    until(lambda: not campaign or time.monotonic() > began + 60)
    assert not far.lab.run("r03").ending
    far.slurm.start_controller()
    assert far.lab.closed().code == 0
    far.sound()


def test_runs_wait_while_their_partition_is_closed(far):
    """Running jobs go on, and what would follow them is refused until the partition opens; three refusals are no reason to stop."""
    far.lab.hold(4)
    far.start(lrs=THREE, steps=12, parallel=3, launcher="partition = 'main'")
    for run in ("r01", "r02", "r03"):
        far.lab.running(run, 4)
    far.slurm.run("scontrol", "update", "partitionname=main", "state=drain")
    for task in far.jobs("RUNNING"):
        far.slurm.run("scancel", "--batch", "--signal=USR2", task)
    words = "Slurm refuses partition"
    until(lambda: all(run.why.startswith(words) for run in far.lab.sweep.runs.values()))
    far.lab.release()
    far.slurm.run("scontrol", "update", "partitionname=main", "state=up")
    assert far.lab.closed().code == 0
    assert {len(run.attempts) for run in far.lab.sweep.runs.values()} == {2}
    assert not far.lab.events("BrakeSet")
    far.sound()


def test_a_submission_that_failed_after_it_was_accepted_is_not_repeated(far):
    far.fault(
        "sbatch",
        '$real "$@" >/dev/null; echo "sbatch: error: Batch job submission failed: Socket timed out on send/recv operation" >&2; exit 1',
        once=True,
    )
    far.start(lrs=TWO)
    assert far.lab.closed().code == 0
    far.sound()
    assert len(far.submissions()) == 1
    assert len(far.jobs()) == 2


@pytest.mark.campaign
def test_a_queue_that_hangs_holds_up_no_run(far, campaign):
    """Endings and a kill need no queue. The campaign hangs until squeue is given up and called again."""
    far.lab.hold(3)
    far.fault("squeue", "exec sleep 600")
    far.start(lrs=TWO, steps=8)
    far.lab.running("r01", 3)
    assert far.lab.send(ev.KillRun(run="r02")).ok
    until(lambda: not campaign or len(far.calls("squeue")) > 2)
    far.lab.release()
    far.lab.closed()
    assert endings(far) == {"r01": "finished", "r02": "killed"}
    far.sound(kinds=("finished", "killed"))


def test_a_run_that_waits_in_the_queue_can_be_killed_and_never_starts(far):
    other = far.occupy()
    far.start(lrs=TWO)
    job = far.job("r02")
    until(lambda: far.lab.run("r02").why in ("Resources", "Priority"))
    assert far.lab.send(ev.KillRun(run="r02")).ok
    until(lambda: job not in far.jobs("PENDING"))
    far.slurm.run("scancel", other)
    far.lab.closed()
    assert endings(far) == {"r01": "finished", "r02": "killed"}
    assert far.lab.told("r02") == 0
    far.sound(kinds=("finished", "killed"))


def test_runs_packed_in_one_job_are_paused_and_killed_one_by_one(far):
    far.lab.hold(4)
    far.start(lrs=THREE, steps=8, launcher="pack = 3")
    for run in ("r01", "r02", "r03"):
        far.lab.running(run, 4)
    assert len({far.job(run) for run in ("r01", "r02", "r03")}) == 1
    assert far.lab.send(ev.KillRun(run="r02")).ok
    assert far.lab.send(ev.PauseRun(run="r03")).ok
    far.lab.release()
    until(lambda: far.lab.run("r01").ending)
    assert far.lab.send(ev.ResumeRun(run="r03")).ok
    far.lab.closed()
    assert endings(far) == {"r01": "finished", "r02": "killed", "r03": "finished"}
    assert far.lab.run("r03").attempts[1].resumed_from == 1
    far.sound(kinds=("finished", "killed"))


def test_a_killed_supervisor_finds_its_jobs_again(far):
    far.lab.hold(4)
    far.start(lrs=THREE, steps=8)  # two at a time
    far.lab.running("r01", 4)
    far.lab.kill_supervisor()
    far.lab.release()
    far.lab.revive()
    assert far.lab.closed().code == 0
    assert {len(run.attempts) for run in far.lab.sweep.runs.values()} == {1}
    assert len(far.submissions()) == 1
    far.sound()


def test_a_supervisor_that_was_killed_within_sbatch_submits_once(far):
    hangs = 'mark="${BASH_SOURCE%/*}/accepted"; $real "$@"; touch "$mark"; while [ -e "$mark" ]; do sleep 0.1; done; exit 1'
    far.fault("sbatch", hangs, once=True)
    far.start(lrs=TWO)
    until((far.bin / "accepted").exists)
    far.lab.kill_supervisor()
    far.lab.revive()
    assert far.lab.closed().code == 0
    (far.bin / "accepted").unlink()
    assert len(far.submissions()) == 1
    far.sound()
