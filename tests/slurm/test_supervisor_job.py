"""`supervisor = "job"`: the supervisor in Slurm's queue, killed there, and followed from the login node through files."""

from tests.slurm.lab import TIMING
from tests.supervisor.chaos import supervisor_pid
from tests.until import until

JOB = "supervisor = 'job'"


def own(far) -> list[str]:
    """Return the submissions of the supervisor."""
    return [words for words in far.submissions() if "lrtui-supervisor-" in words]


def supervisors(far) -> list[str]:
    said = far.slurm.run("squeue", "--noheader", "--format=%i %j %T")
    return [line for line in said.splitlines() if "lrtui-supervisor-" in line]


def test_the_supervisor_is_a_job_that_answers_and_ends_with_the_sweep(far):
    far.lab.hold(4)
    far.start(lrs="1e-3, 3e-4", steps=8, launcher=JOB)
    far.lab.running("r01", 4)
    assert len(supervisors(far)) == 1
    shown = far.lab.lrtui("kill", str(far.lab.directory), "r02")
    assert shown.returncode == 0, shown.stderr
    far.lab.release()
    assert far.lab.closed()
    until(lambda: not supervisors(far))
    assert len(own(far)) == 1
    far.sound(kinds=("finished", "killed"))


def test_a_cancelled_supervisor_is_submitted_again_by_the_next_lrtui(far, monkeypatch):
    monkeypatch.setenv("LRTUI_TIMING", f"{TIMING},beat=0.5,lease=5")
    far.lab.hold(4)
    far.start(lrs="1e-3, 3e-4", steps=8, launcher=JOB)
    far.lab.running("r01", 4)
    far.slurm.run("scancel", supervisors(far)[0].split()[0])
    until(lambda: supervisor_pid(far.lab.directory) is None and not supervisors(far))
    far.lab.release()
    far.lab.revive()
    assert far.lab.closed().code == 0
    assert len(own(far)) == 2
    far.sound()


def test_before_its_time_limit_it_submits_its_successor(far):
    far.lab.hold(4)
    far.start(lrs="1e-3, 3e-4", steps=8, launcher=JOB)
    far.lab.running("r01", 4)
    first = supervisors(far)[0].split()[0]
    far.slurm.run("scancel", "--batch", "--signal=USR2", first)
    until(lambda: supervisors(far) and supervisors(far)[0].split()[0] != first)
    far.lab.release()
    assert far.lab.closed().code == 0
    assert len(own(far)) == 2
    far.sound()


def test_a_refused_supervisor_runs_on_the_login_node_and_says_so(far):
    far.start(lrs="1e-3", steps=4, launcher=f"{JOB}\nsupervisor_extra = ['--partition=none']")
    assert far.lab.closed().code == 0
    (warned,) = [each.text for each in far.lab.sweep.warnings if "supervisor runs on" in each.text]
    assert "refuses the supervisor's job: Invalid partition" in warned
    far.sound()
