"""What a user may rely on while a supervisor owns runs, as far as it decides: no processes (see `in_process`)."""

import json
import os
import sys
import time

import pytest

from lrtui.sweep import events as ev
from lrtui.sweep.allowed import id_and_lr
from lrtui.sweep.layout import Layout
from lrtui.sweep.state import State
from tests.supervisor.test_supervisor import ended
from tests.until import until


@pytest.fixture
def lab(in_process):
    return in_process


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


def test_a_supervisor_that_dies_between_stop_and_end_is_completed_by_the_next(lab):
    lab.start(steps=2000, flags="--ignore-term")
    lab.running()
    letter = json.dumps({"command": "KillRun", "v": 1, "sent": time.time(), "run": "r01"})
    whole = lab.folder / "k1.json"
    whole.write_text(letter)
    whole.rename(lab.directory / "inbox" / "k1.json")
    until(lambda: lab.run().state is State.STOPPING)
    lab.kill_supervisor()
    lab.timing(grace=1e-9)
    lab.revive()
    assert ended(lab).kind == "killed"
    until((lab.directory / "done" / "k1.json").exists)
    assert lab.left() == []
    assert len(lab.events("RunStopping")) == 1


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


NO_MEMORY = "torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 2.00 GiB."


def hungry(lab, *, fits=True):
    """Start three runs of which one fits into the memory, or none."""
    holders = []

    def train(words, environment, _out):
        if holders or not fits:
            raise SystemExit(f"{NO_MEMORY}\nto free some, see the manual")
        holders.append(words)
        yield from steps(words[0], environment)
        holders.clear()

    lab.launcher.scripts["hungry.py"] = train
    lab.start(
        lrs="1e-3, 1e-2, 1e-1", words=[sys.executable, "hungry.py", "{until}", "{checkpoint}"]
    )


def steps(until, environment):
    with open(environment["LRTUI_METRICS"], "w") as metrics:
        for step in range(1, int(until) + 1):
            yield
            line = {"step": step, "train_loss": 1.0, "val_acc": 0.5}
            print(json.dumps(line), file=metrics, flush=True)


def test_runs_that_do_not_fit_beside_others_go_on_with_half_as_many_at_once(lab):
    hungry(lab)
    assert lab.closed().code == 0
    assert lab.sweep.parallel == 1
    assert {run.ending.kind for run in lab.sweep.runs.values()} == {"finished"}
    (lost,) = lab.events("RunLost")
    assert lost.why == "out of memory beside 1 other run"
    (halved,) = lab.events("ParallelSet")
    assert halved.why == f"{id_and_lr(lab.run(lost.run))} ran {lost.why}"
    assert len(lab.events("RunEnded")) == 3


def test_runs_that_fill_the_memory_together_are_all_queued_again_and_halve_their_number_once(lab):
    began = set()

    def train(words, environment, _out):
        run, until = words
        if run not in began:
            began.add(run)
            while began != {"r01", "r02"}:
                yield
            raise SystemExit(
                "RuntimeError: CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"
            )
        yield from steps(until, environment)

    lab.launcher.scripts["together.py"] = train
    words = [sys.executable, "together.py", "{run}", "{until}"]
    lab.start(lrs="1e-3, 1e-2", words=words)
    assert lab.closed().code == 0
    assert {run.ending.kind for run in lab.sweep.runs.values()} == {"finished"}
    assert {lost.why for lost in lab.events("RunLost")} == {"out of memory beside 1 other run"}
    assert len(lab.events("RunLost")) == 2
    assert [halved.parallel for halved in lab.events("ParallelSet")] == [1]


def test_a_run_that_does_not_fit_alone_has_failed(lab):
    hungry(lab, fits=False)
    assert lab.closed().code == 1
    ending = lab.run("r01").ending
    assert ending.kind == "failed"
    assert ending.why == f"exit code 1: {NO_MEMORY}"
