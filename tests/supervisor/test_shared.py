"""Runs that share a process (`isolation = "shared"`), steered one by one; what happens where that process is killed."""

import os
import signal

import pytest

from lrtui.sweep import events as ev
from lrtui.sweep.layout import Layout
from tests.supervisor.chaos import SHARED, host_pids, write_shared
from tests.supervisor.chaos import campaign as kill
from tests.train.running import timeless
from tests.until import until

STEERED = """
dataset = 'digits'
model = 'linear'
isolation = 'shared'
batch_size = 32
data = 0.1
epochs = {epochs}
lr = [1e-3, 2e-3, 3e-3]
parallel = 3
"""


@pytest.fixture
def den(lab, monkeypatch):
    """A sweep of three runs in one process, in which every metric line takes 0.1 s."""
    monkeypatch.setenv("PYTHONPATH", os.environ.get("PYTHONPATH", ""))
    monkeypatch.setenv("ORACLE_FOLDER", str(lab.oracle))
    lab.oracle.rmdir()
    write_shared(lab.folder)

    def start(epochs):
        file = lab.folder / "steered.toml"
        file.write_text(STEERED.format(epochs=epochs))
        lab.open(file)
        for run in ("r01", "r02", "r03"):
            lab.running(run, steps=2)
        return lab

    return start


def lines(lab, run):
    """What the readers see of a run: its attempts, of which a later one hides what it repeats."""
    from lrtui.metrics import MetricLog, Reading

    found = {}
    for attempt in lab.run(run).attempts:
        root = Layout(lab.directory).attempt(lab.run(run).folder, attempt.number)
        of = {m.level: dict(m.values) for m in MetricLog(root, Reading("epoch")).poll(1 << 30)}
        found = {level: v for level, v in found.items() if level < min(of, default=1e9)} | of
    return timeless([{"epoch": level, **found[level]} for level in sorted(found)])


def test_each_is_steered_and_the_others_do_not_notice(den):
    lab = den(epochs=60)
    assert len(host_pids()) == 1
    assert lab.send(ev.FreezeRun(run="r03")).ok
    held = lab.told("r03")
    seen = lab.told("r01")
    until(lambda: lab.told("r01") > seen + 8)
    assert lab.told("r03") <= held + 1
    assert lab.send(ev.PauseRun(run="r01")).ok
    assert lab.send(ev.KillRun(run="r02")).ok
    assert lab.run("r02").ending.kind == "killed"
    assert lab.run("r01").state == "paused"
    assert lab.run("r03").state == "frozen"
    assert lab.send(ev.ResumeRun(run="r03")).ok
    until(lambda: lab.told("r03") > held + 2)
    assert lab.send(ev.RestartRun(run="r02")).ok
    assert lab.send(ev.ResumeRun(run="r01")).ok
    assert lab.closed().code == 0
    assert {run.ending.kind for run in lab.sweep.runs.values()} == {"finished"}
    assert [len(lab.run(run).attempts) for run in ("r01", "r02", "r03")] == [2, 2, 1]
    assert all(attempt.shared for run in lab.sweep.runs.values() for attempt in run.attempts)
    assert len(lines(lab, "r01")) == len(lines(lab, "r02")) == len(lines(lab, "r03"))
    assert not lab.events("RunLost")
    assert not lab.doubled()
    assert lab.left() == []


def test_when_their_process_is_killed_each_goes_on_in_one_of_its_own(den):
    lab = den(epochs=25)
    until(lambda: lab.told("r01") > 12)
    (host,) = host_pids()
    os.kill(host, signal.SIGKILL)
    assert lab.closed().code == 0
    for run in lab.sweep.runs.values():
        assert run.ending.kind == "finished"
        assert [attempt.shared for attempt in run.attempts] == [True, False]
        assert run.attempts[1].resumed_from == 1
        assert run.losses == 0
    (lost, *others) = lab.events("RunLost")
    assert lost.why == "the process that trained it beside others is gone; on in one of its own"
    assert len(others) == 2
    assert not lab.doubled()


def test_a_sweep_that_shares_a_process_writes_what_one_of_processes_writes(den):
    lab = den(epochs=2)
    assert lab.closed().code == 0
    together = {run: lines(lab, run) for run in lab.sweep.runs}
    text = STEERED.format(epochs=2).replace("shared", "process").replace("= 3\n", "= 1\n")
    file = lab.folder / "apart.toml"
    file.write_text(text)
    lab.directory = lab.folder / "apart"
    lab.open(file)
    assert lab.closed().code == 0
    assert {run: lines(lab, run) for run in lab.sweep.runs} == together
    assert not any(run.attempts[0].shared for run in lab.sweep.runs.values())


@pytest.mark.campaign
@pytest.mark.timeout(3600)
def test_random_kills_of_shared_runs(monkeypatch, campaign):
    monkeypatch.setenv("PYTHONPATH", os.environ.get("PYTHONPATH", ""))
    monkeypatch.setenv("ORACLE_FOLDER", "")
    outcome = kill(100 if campaign else 3, 3, SHARED)
    assert outcome.faults() == 0, outcome.text()
    assert outcome.told > 0
