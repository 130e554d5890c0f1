"""What a user may rely on while runs are owned by a supervisor: real processes throughout."""

import json
import os
import signal
import subprocess
import sys

import pytest

from lrtui.sweep import events as ev
from lrtui.sweep.layout import Layout
from lrtui.sweep.state import setting_key
from lrtui.text.format import lr_text
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
    lab.hold(3)
    lab.start(lrs="1e-3, 3e-4, 1e-1", steps=20)
    before = lab.running(steps=3)
    lab.kill_supervisor()
    lab.hold(6)
    until(lambda: lab.told() == 6)
    lab.revive()
    until(lambda: lab.events("RunAdopted"))
    lab.release()
    after = lab.run()
    assert after.attempts[0].pid == before.attempts[0].pid
    assert len(after.attempts) == 1
    assert lab.closed().code == 0
    assert lab.doubled() == []
    assert lab.told() == 20


def test_a_hang_up_does_not_reach_the_runs(lab):
    lab.hold(2)
    lab.start()
    lab.running()
    os.kill(supervisor_pid(lab.directory), signal.SIGHUP)
    lab.release()
    assert lab.closed().code == 0


def test_a_killed_keeper_does_not_end_its_run(lab):
    lab.hold(2)
    lab.start(steps=20)
    run = lab.running()
    file = lab.directory / run.folder / "a1" / "pid.json"
    os.kill(json.loads(file.read_text())["keeper"], signal.SIGKILL)
    lab.release()
    ending = ended(lab)
    assert (ending.kind, ending.code) == ("finished", None)
    assert "exit code unknown" in ending.why
    assert lab.told() == 20


def test_a_killed_worker_has_failed_and_the_reason_says_by_which_signal(lab):
    lab.hold(2)
    lab.start()
    os.kill(lab.running().attempts[-1].pid, signal.SIGKILL)
    ending = ended(lab)
    assert (ending.kind, ending.signal) == ("failed", signal.SIGKILL)
    assert "SIGKILL" in ending.why
    assert lab.closed().code == 1


def test_worker_and_keeper_killed_at_once_is_a_loss_and_the_run_goes_on_from_its_checkpoint(lab):
    lab.hold(5)
    lab.start(steps=20)
    run = lab.running(steps=5)
    who = json.loads((lab.directory / run.folder / "a1" / "pid.json").read_text())
    os.kill(who["keeper"], signal.SIGKILL)
    os.kill(who["worker"], signal.SIGKILL)
    lab.release()
    assert lab.closed().code == 0
    assert len(lab.run().attempts) == 2
    assert lab.run().attempts[1].resumed_from == 1
    assert lab.told() in (20, 21)  # a step told but not yet in the checkpoint is done again
    assert lab.doubled() == []


@pytest.mark.parametrize("flags", ["--fork", "--setsid", "--fork --setsid --ignore-term"])
def test_a_kill_leaves_nobody_behind(lab, flags, monkeypatch):
    monkeypatch.setenv("LRTUI_TIMING", f"{SHORT},grace=0.5")
    lab.hold(1)
    lab.start(flags=flags)
    lab.running()
    answer = lab.send(ev.KillRun(run="r01"))
    assert answer.ok, answer
    assert lab.run().ending.kind == "killed"
    assert lab.run().ending.why == "killed by you"
    assert lab.left() == []


def test_a_frozen_run_can_be_killed(lab):
    lab.hold(1)
    lab.start()
    lab.running()
    assert lab.send(ev.FreezeRun(run="r01")).ok
    until(lambda: stat_letter(lab.run().attempts[-1].pid) == "T")
    assert lab.send(ev.KillRun(run="r01")).ok
    assert lab.left() == []


def stat_letter(pid):
    with open(f"/proc/{pid}/stat") as file:
        return file.read().rpartition(")")[2].split()[0]


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


def test_two_supervisors_never_own_one_directory(lab):
    lab.hold(2)
    lab.start()
    lab.running()
    words = [sys.executable, "-m", "lrtui.supervisor", str(lab.directory)]
    others = [subprocess.Popen(words, stderr=subprocess.DEVNULL) for _ in range(5)]
    assert {other.wait() for other in others} == {75}
    assert len(lab.events("SweepOpened")) == 1
    lab.release()
    assert lab.closed().code == 0
    assert lab.doubled() == []


def test_a_search_survives_its_supervisor(lab):
    survives(search(lab))
    assert lab.left() == []


@pytest.mark.campaign
@pytest.mark.timeout(3600)
def test_random_kills_lose_nothing(campaign, no_charts):
    """Nothing is lost or doubled; `python -m tests.supervisor.chaos --kills N` does any number."""
    outcome = kill(300 if campaign else 30, seed=20261123)
    print(outcome.text())
    assert outcome.faults() == 0, outcome.text()


@pytest.mark.campaign
@pytest.mark.timeout(3600)
def test_random_kills_with_a_forkserver(campaign, no_charts):
    """The process that forks the workers is killed too; `python -m tests.supervisor.chaos --trainer --kills N`."""
    outcome = kill(100 if campaign else 3, 20261124, TRAINER, victim="preloaded")
    print(outcome.text())
    assert outcome.kills["preloaded"]
    assert outcome.faults() == 0, outcome.text()
    assert outcome.told > 0


def test_a_search_beside_the_lr_resumes(lab):
    """Stopped after its first rung and resumed by the command: promoted runs go on from their checkpoints, no place is tried twice."""
    hold = lab.oracle / "hold"
    hold.touch()  # nobody gets far beyond the first rung
    words = f"--until={{until}} --steps={{horizon}} --checkpoint={{checkpoint}} --pause={{wait}} --hold={hold}"
    axis = "[search]\nwait = { from = 1e-4, to = 1e-2 }"
    search(lab, words=words, lr="{ auto = 5, from = 1e-4, to = 1 }", extra=axis)
    until(lambda: lab.sweep.rungs, 120)
    assert lab.send(ev.StopSweep()).ok
    assert lab.closed(120).code == 4
    hold.unlink()
    done = lab.lrtui(str(lab.directory), "--resume")
    assert done.returncode == 0, done.stderr
    sweep = lab.sweep
    places = [setting_key(run.setting) for run in sweep.trained()]
    assert 12 < len(places) == len(set(places)) <= 20
    for run in sweep.trained():
        assert all(attempt.resumed_from for attempt in run.attempts[1:]), run.id
    started = [(event.run, event.attempt) for event in lab.events("RunStarted")]
    assert len(started) == len(set(started))
    assert sweep.verdict.lr
    assert f"use lr = {lr_text(sweep.verdict.lr)}, wait = " in done.stdout
    assert " wait=" in next(line for line in done.stdout.splitlines() if "recommended" in line)
