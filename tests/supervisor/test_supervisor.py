"""What a user may rely on while runs are owned by a supervisor: real processes throughout."""

import json
import os
import signal
import subprocess
import sys
import time

import pytest

from lrtui.sweep import events as ev
from lrtui.sweep.layout import Layout
from lrtui.sweep.state import State
from tests.conftest import SHORT
from tests.supervisor.chaos import TRAINER, supervisor_pid
from tests.supervisor.chaos import campaign as kill
from tests.supervisor.test_search import search, survives
from tests.until import until


def ended(lab, run="r01"):
    return until(lambda: (r := lab.run(run)) and r.ending, 30)


def test_every_run_finishes_and_the_sweep_closes_with_an_answer(lab):
    lab.start(lrs="1e-3, 3e-4, 1e-1")
    closed = lab.closed()
    assert closed.code == 0
    assert {run.ending.kind for run in lab.sweep.runs.values()} == {"finished"}
    assert [lab.told(run) for run in lab.sweep.runs] == [5, 5, 5]
    assert lab.doubled() == []
    assert lab.left() == []


def test_the_supervisor_goes_away_when_all_is_done_and_leaves_a_report(lab, monkeypatch):
    monkeypatch.setenv("LRTUI_TIMING", f"{SHORT},linger=0.1")
    lab.start()
    lab.closed()
    until(lambda: supervisor_pid(lab.directory) is None, 20)
    assert not Layout(lab.directory).beat.exists()
    assert (
        json.loads((lab.directory / "report.json").read_text())["leaderboard"][0]["kind"]
        == "finished"
    )


def test_runs_outlive_a_killed_supervisor_and_the_next_one_adopts_them(lab):
    lab.start(lrs="1e-3, 3e-4, 1e-1", steps=60)
    before = lab.running(steps=3)
    lab.kill_supervisor()
    seen = lab.told()
    until(lambda: lab.told() > seen + 3)
    lab.revive()
    until(lambda: lab.events("RunAdopted"))
    after = lab.run()
    assert after.attempts[0].pid == before.attempts[0].pid
    assert len(after.attempts) == 1
    assert lab.closed().code == 0
    assert lab.doubled() == []
    assert lab.told() == 60


def test_a_hang_up_does_not_reach_the_runs(lab):
    lab.start(steps=40)
    lab.running()
    os.kill(supervisor_pid(lab.directory), signal.SIGHUP)
    assert lab.closed().code == 0


def test_a_killed_keeper_does_not_end_its_run(lab):
    lab.start(steps=60)
    run = lab.running()
    file = lab.directory / run.folder / "a1" / "pid.json"
    os.kill(json.loads(file.read_text())["keeper"], signal.SIGKILL)
    ending = ended(lab)
    assert (ending.kind, ending.code) == ("finished", None)
    assert "exit code unknown" in ending.why
    assert lab.told() == 60


def test_a_killed_worker_has_failed_and_the_reason_says_by_which_signal(lab):
    lab.start(steps=500)
    os.kill(lab.running().attempts[-1].pid, signal.SIGKILL)
    ending = ended(lab)
    assert (ending.kind, ending.signal) == ("failed", signal.SIGKILL)
    assert "SIGKILL" in ending.why
    assert lab.closed().code == 1


def test_worker_and_keeper_killed_at_once_is_a_loss_and_the_run_goes_on_from_its_checkpoint(lab):
    lab.start(steps=60)
    run = lab.running(steps=5)
    who = json.loads((lab.directory / run.folder / "a1" / "pid.json").read_text())
    os.kill(who["keeper"], signal.SIGKILL)
    os.kill(who["worker"], signal.SIGKILL)
    assert lab.closed().code == 0
    assert len(lab.run().attempts) == 2
    assert lab.run().attempts[1].resumed_from == 1
    assert lab.told() in (60, 61)  # a step told but not yet in the checkpoint is done again
    assert lab.doubled() == []


@pytest.mark.parametrize("flags", ["--fork", "--setsid", "--fork --setsid --ignore-term"])
def test_a_kill_leaves_nobody_behind(lab, flags, monkeypatch):
    monkeypatch.setenv("LRTUI_TIMING", f"{SHORT},grace=0.5")
    lab.start(steps=2000, flags=flags)
    lab.running()
    answer = lab.send(ev.KillRun(run="r01"))
    assert answer.ok, answer
    assert lab.run().ending.kind == "killed"
    assert lab.run().ending.why == "killed by you"
    assert lab.left() == []


def test_a_frozen_run_can_be_killed(lab):
    lab.start(steps=2000)
    lab.running()
    assert lab.send(ev.FreezeRun(run="r01")).ok
    until(lambda: stat_letter(lab.run().attempts[-1].pid) == "T")
    assert lab.send(ev.KillRun(run="r01")).ok
    assert lab.left() == []


def stat_letter(pid):
    with open(f"/proc/{pid}/stat") as file:
        return file.read().rpartition(")")[2].split()[0]


def test_a_frozen_run_thaws(lab):
    lab.start(steps=60)
    lab.running()
    lab.send(ev.FreezeRun(run="r01"))
    assert lab.send(ev.ResumeRun(run="r01")).ok
    assert lab.closed().code == 0


def test_a_paused_run_gives_its_place_away_and_goes_on_from_its_checkpoint(lab):
    lab.start(lrs="1e-3, 3e-4, 1e-1", steps=80)
    lab.running(steps=3)
    assert lab.send(ev.PauseRun(run="r01")).ok
    assert lab.run().state is State.PAUSED
    until(lambda: lab.run("r03").state is not State.QUEUED)
    assert lab.send(ev.ResumeRun(run="r01")).ok
    assert lab.closed().code == 0
    assert lab.run().attempts[1].resumed_from == 1
    assert lab.told() in (80, 81)


def test_a_corrected_script_runs_again(lab):
    """The same command says that the script changed, and with --retry gives the answer that the failed runs could not give."""
    script = lab.folder / "train.py"
    script.write_text("raise SystemExit('no such data')")
    opened = lab.toml(words=[sys.executable, "train.py", "{lr}"], lrs="1e-3, 1e-2", steps=1)
    command = (str(opened), "--dir", str(lab.directory))
    assert lab.lrtui(*command).returncode == 1
    script.write_text("import sys\nprint({'step': 1, 'val_acc': float(sys.argv[1])})")
    again = lab.lrtui(*command)
    assert again.returncode == 1
    assert "train.py changed since 2 of 2 runs failed; to run them again: " in again.stderr
    retried = lab.lrtui(*command, "--retry")
    assert (retried.returncode, lab.closed().code) == (0, 0), retried.stderr
    assert [len(run.attempts) for run in lab.sweep.trained()] == [2, 2]


def test_a_restart_is_a_new_attempt_of_the_same_run_from_scratch(lab):
    lab.start(steps=10)
    lab.closed()
    answer = lab.send(ev.RestartRun(run="r01"))
    assert answer.ok, answer
    until(lambda: len(lab.run().attempts) == 2 and lab.run().ending, 30)
    assert lab.run().attempts[1].resumed_from is None
    assert lab.told() == 20


def test_a_run_can_be_added_and_the_same_one_not_twice(lab):
    lab.start(steps=40)
    lab.running()
    assert lab.send(ev.AddRun(lr=5e-4)).ok
    refused = lab.send(ev.AddRun(lr=5e-4))
    assert not refused.ok
    assert "already" in refused.answer
    assert lab.closed().code == 0
    assert lab.run("r02").origin == "user"
    assert lab.told("r02") == 40


def test_a_command_with_the_same_id_is_carried_out_once(lab):
    lab.start(steps=60)
    lab.running()
    letter = json.dumps({"command": "AddRun", "v": 1, "sent": time.time(), "lr": 2e-4})
    for _ in range(2):
        done = lab.directory / "done" / "same-id.json"
        done.unlink(missing_ok=True)
        whole = lab.folder / "same-id.json"
        whole.write_text(letter)
        whole.rename(lab.directory / "inbox" / "same-id.json")
        until(done.exists)
        assert json.loads(done.read_text())["ok"]
    assert len(lab.sweep.runs) == 2


def test_an_expired_command_and_garbage_are_refused_and_nothing_happens(lab):
    lab.start(steps=40)
    lab.running()
    inbox = lab.directory / "inbox"
    old = json.dumps({"command": "KillRun", "v": 1, "sent": time.time() - 999, "run": "r01"})
    (inbox / "old.json").write_text(old)
    (inbox / "garbage.json").write_bytes(b"\xff\x00{")
    (inbox / "link.json").symlink_to("/etc/passwd")
    os.mkfifo(inbox / "fifo.json")
    (inbox / "huge.json").write_bytes(b" " * (1 << 20))
    for name in ("old", "garbage", "link", "fifo", "huge"):
        answer = until(
            lambda name=name: (
                (p := lab.directory / "done" / f"{name}.json").exists()
                and json.loads(p.read_text())
            )
        )
        assert not answer["ok"]
    assert lab.closed().code == 0


def test_a_stop_pauses_the_runs_and_resume_goes_on_with_them(lab):
    lab.start(lrs="1e-3, 3e-4, 1e-1", steps=80)
    lab.running(steps=3)
    assert lab.send(ev.StopSweep()).ok
    assert lab.closed().code == 4
    assert lab.left() == []
    assert lab.send(ev.ReopenSweep()).ok
    until(lambda: lab.sweep.closed and lab.sweep.closed.code == 0, 60)
    assert {run.ending.kind for run in lab.sweep.runs.values()} == {"finished"}
    assert lab.told() in (80, 81)


def test_three_fast_failures_in_a_row_brake_the_queue_and_say_why(lab):
    lab.start(lrs="1e-3, 2e-3, 3e-3, 4e-3, 5e-3, 6e-3", flags="--fail")
    closed = lab.closed()
    assert closed.code == 1
    assert "cannot find the data" in closed.why
    assert len([run for run in lab.sweep.runs.values() if run.state is State.QUEUED]) >= 2


def test_a_loss_that_is_not_finite_ends_the_run_as_diverged(lab):
    lab.start(steps=5000, flags="--nan")
    ending = ended(lab)
    assert ending.kind == "diverged"
    assert "3 times in a row" in ending.why
    assert lab.sweep.closed is None or lab.sweep.closed.code == 1


def test_a_supervisor_that_dies_between_stop_and_end_is_completed_by_the_next(lab, monkeypatch):
    monkeypatch.setenv("LRTUI_TIMING", f"{SHORT},grace=2")
    lab.start(steps=2000, flags="--ignore-term")
    lab.running()
    letter = json.dumps({"command": "KillRun", "v": 1, "sent": time.time(), "run": "r01"})
    whole = lab.folder / "k1.json"
    whole.write_text(letter)
    whole.rename(lab.directory / "inbox" / "k1.json")
    until(lambda: lab.run().state is State.STOPPING)
    lab.kill_supervisor()
    lab.revive()
    assert ended(lab).kind == "killed"
    until((lab.directory / "done" / "k1.json").exists)
    assert lab.left() == []
    assert len(lab.events("RunStopping")) == 1


def test_two_supervisors_never_own_one_directory(lab):
    lab.start(steps=100)
    lab.running()
    words = [sys.executable, "-m", "lrtui.supervisor", str(lab.directory)]
    others = [subprocess.Popen(words, stderr=subprocess.DEVNULL) for _ in range(5)]
    assert {other.wait() for other in others} == {75}
    assert len(lab.events("SweepOpened")) == 1
    assert lab.closed().code == 0
    assert lab.doubled() == []


def test_a_torn_journal_tail_is_cut_and_kept(lab):
    lab.start(steps=60)
    lab.running()
    lab.kill_supervisor()
    with open(Layout(lab.directory).journal, "ab") as file:
        file.write(b'{"event":"RunEnded","run":"r0')
    abandoned = lab.directory / "owner.json.999999999.tmp"
    abandoned.touch()
    os.utime(abandoned, (1, 1))
    lab.revive()
    assert lab.closed().code == 0
    assert not abandoned.exists()
    assert b"RunEnded" in (lab.directory / "journal.bad").read_bytes()


def test_a_search_survives_its_supervisor(lab):
    survives(search(lab))
    assert lab.left() == []


@pytest.mark.campaign
@pytest.mark.timeout(3600)
def test_random_kills_lose_nothing(campaign):
    """Nothing is lost or doubled; `python -m tests.supervisor.chaos --kills N` does any number."""
    outcome = kill(300 if campaign else 30, seed=20261123)
    print(outcome.text())
    assert outcome.faults() == 0, outcome.text()


@pytest.mark.campaign
@pytest.mark.timeout(3600)
def test_random_kills_with_a_forkserver(campaign):
    """The process that forks the workers is killed too; `python -m tests.supervisor.chaos --trainer --kills N`."""
    outcome = kill(100 if campaign else 20, seed=20261124, workload=TRAINER)
    print(outcome.text())
    assert outcome.faults() == 0, outcome.text()
    assert outcome.kills["preloaded"] > 0
    assert outcome.told > 0


def test_a_stopped_sweep_takes_no_new_run_before_it_goes_on(lab):
    lab.start(steps=80)
    lab.running()
    assert lab.send(ev.StopSweep()).ok
    refused = lab.send(ev.AddRun(lr=5e-4))
    assert not refused.ok
    assert "--resume" in refused.hint


def test_a_run_can_be_added_to_a_sweep_that_has_ended(lab):
    lab.start(steps=3)
    lab.closed()
    assert lab.send(ev.AddRun(lr=5e-4)).ok
    until(lambda: (r := lab.run("r02")) and r.ending and lab.sweep.closed)
    assert lab.run("r02").ending.kind == "finished"


HUNGRY = """
import os, sys, time, fcntl
oracle, run, until, checkpoint, alone = sys.argv[1:]
lock = os.open(f"{oracle}/memory", os.O_CREAT | os.O_RDWR)
try:
    fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
except BlockingIOError:
    alone = "fails"
if alone == "fails":
    sys.exit("torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 2.00 GiB.\\nto free some, see the manual")
out = os.open(os.environ["LRTUI_METRICS"], os.O_CREAT | os.O_APPEND | os.O_WRONLY)
for step in range(1, int(until) + 1):
    time.sleep(0.1)
    os.write(out, b'{"step": %d, "train_loss": 1.0, "val_acc": 0.5}\\n' % step)
"""


def hungry(lab, alone):
    script = lab.folder / "hungry.py"
    script.write_text(HUNGRY)
    words = [sys.executable, str(script), str(lab.oracle), "{run}", "{until}", "{checkpoint}"]
    lab.start(lrs="1e-3, 1e-2, 1e-1", words=[*words, alone])


def test_runs_that_do_not_fit_beside_others_go_on_with_half_as_many_at_once(lab):
    hungry(lab, "works")
    assert lab.closed().code == 0
    assert lab.sweep.parallel == 1
    assert {run.ending.kind for run in lab.sweep.runs.values()} == {"finished"}
    (lost,) = lab.events("RunLost")
    assert lost.why == "out of memory beside 1 other run"
    (halved,) = lab.events("ParallelSet")
    assert halved.why == f"{lost.run} ran out of memory beside 1 other run"
    assert len(lab.events("RunEnded")) == 3


TOGETHER = """
import os, sys, time
oracle, run, until = sys.argv[1:]
out = os.open(os.environ["LRTUI_METRICS"], os.O_CREAT | os.O_APPEND | os.O_WRONLY)
began = f"{oracle}/{run}.began"
if not os.path.exists(began):
    open(began, "w").close()
    while not all(os.path.exists(f"{oracle}/{each}.began") for each in ("r01", "r02")):
        time.sleep(0.01)
    sys.exit("RuntimeError: CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`")
for step in range(1, int(until) + 1):
    os.write(out, b'{"step": %d, "train_loss": 1.0, "val_acc": 0.5}\\n' % step)
"""


def test_runs_that_fill_the_memory_together_are_all_queued_again_and_halve_their_number_once(lab):
    script = lab.folder / "together.py"
    script.write_text(TOGETHER)
    words = [sys.executable, str(script), str(lab.oracle), "{run}", "{until}"]
    lab.start(lrs="1e-3, 1e-2", words=words)
    assert lab.closed().code == 0
    assert {run.ending.kind for run in lab.sweep.runs.values()} == {"finished"}
    assert {lost.why for lost in lab.events("RunLost")} == {"out of memory beside 1 other run"}
    assert len(lab.events("RunLost")) == 2
    assert [halved.parallel for halved in lab.events("ParallelSet")] == [1]


def test_a_run_that_does_not_fit_alone_has_failed(lab):
    hungry(lab, "fails")
    assert lab.closed().code == 1
    ending = lab.run("r01").ending
    assert ending.kind == "failed"
    assert ending.why == (
        "exit code 1: torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 2.00 GiB."
    )
