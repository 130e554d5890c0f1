"""Random faults on a cluster, one after the other while a sweep runs: each run ends once, nothing is lost or doubled, nobody is left.

    pytest --campaign tests/slurm/test_random_faults.py

The gentle faults end no run, so that the answer is that of an undisturbed sweep; the harsh ones may.
"""

import contextlib
import os
import random
import signal

import pytest

from lrtui.sweep import events as ev
from tests.supervisor.chaos import supervisor_pid
from tests.supervisor.lab import Lab
from tests.until import until

SWEEPS, FAULTS = 6, 10
"""Of each kind, and in each sweep."""
SWEEP = {"lrs": "1e-3, 1e-1, 3e-1, 5e-1", "steps": 60, "flags": "--sleep 0.2"}
KINDS = ("finished", "killed", "failed", "lost")


def kill_supervisor(far, _chance):
    if pid := supervisor_pid(far.lab.directory):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
        until(lambda: supervisor_pid(far.lab.directory) != pid)
    far.lab.revive()


def kill_node(far, chance):
    node = chance.choice(far.slurm.nodes())
    far.slurm.kill_node(node)
    far.slurm.start_node(node)


def kill_controller(far, _chance):
    far.slurm.kill_controller()
    far.slurm.start_controller()


def requeue(far, chance):
    if tasks := far.jobs("RUNNING"):
        task = chance.choice(tasks)
        with contextlib.suppress(AssertionError):  # it has ended meanwhile
            far.slurm.run("scontrol", "update", f"jobid={task}", "requeue=1")
            far.slurm.run("scontrol", "requeue", task)


def drain(far, chance):
    node = chance.choice(far.slurm.nodes())
    far.slurm.run("scontrol", "update", f"nodename={node}", "state=drain", "reason=test")

    def resumed():
        if "drain" not in far.slurm.run("sinfo", "--noheader", f"--nodes={node}", "--format=%T"):
            return True
        with contextlib.suppress(
            AssertionError
        ):  # a controller that was killed does not know it yet
            far.slurm.run("scontrol", "update", f"nodename={node}", "state=resume")
        return False

    until(resumed)


def pause_and_resume(far, chance):
    run = chance.choice(["r01", "r02", "r03", "r04"])
    far.lab.send(ev.PauseRun(run=run))
    far.lab.send(ev.ResumeRun(run=run))


def cancel(far, chance):
    if tasks := far.jobs("RUNNING", "PENDING"):
        far.slurm.run("scancel", chance.choice(tasks))


def kill_a_process(far, chance):
    """Kill a slurmstepd, an agent, a keeper or a worker."""
    if pids := far.slurm.jobs():
        with contextlib.suppress(ProcessLookupError):
            os.kill(chance.choice(pids), signal.SIGKILL)


GENTLE = (kill_supervisor, kill_node, kill_controller, requeue, drain, pause_and_resume)
HARSH = (*GENTLE, cancel, kill_a_process, kill_a_process)


def answer(lab):
    found = lab.events("VerdictReached")[-1]
    return found.lr, found.equal, found.low, found.high


def disturb(far, faults, seed):
    """Start a sweep, do things to it, and wait for its end."""
    chance = random.Random(seed)
    far.start(parallel=4, **SWEEP)
    far.lab.running("r01", 2)
    for _ in range(FAULTS):
        if far.lab.sweep.closed:
            break
        fault = chance.choice(faults)
        print(f"seed {seed}: {fault.__name__}")
        fault(far, chance)
        told = sum(far.lab.told(f"r0{i}") for i in range(1, 5))
        until(lambda told=told: far.lab.sweep.closed or total(far) > told + chance.randrange(20))
    far.lab.closed()


def total(far):
    return sum(far.lab.told(f"r0{i}") for i in range(1, 5))


@pytest.mark.campaign
@pytest.mark.parametrize("seed", range(SWEEPS))
def test_gentle_faults_change_no_answer(far, tmp_path, seed):
    (tmp_path / "still").mkdir()
    still = Lab(tmp_path / "still").start(**SWEEP)
    disturb(far, GENTLE, seed)
    still.closed()
    far.sound(apart=False)
    assert answer(far.lab) == answer(still)


@pytest.mark.campaign
@pytest.mark.parametrize("seed", range(100, 100 + SWEEPS))
def test_harsh_faults_lose_and_double_nothing(far, seed):
    disturb(far, HARSH, seed)
    far.sound(kinds=KINDS, apart=False)
