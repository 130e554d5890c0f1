"""Runs that share a process (`isolation = "shared"`), steered one by one; what happens where that process is killed."""

import json
import os
import signal

import pytest

from lrtui.metrics import MetricLog, Reading
from lrtui.sweep import events as ev
from lrtui.sweep.layout import Layout
from tests.supervisor.chaos import SHARED, host_pids, write_shared
from tests.supervisor.chaos import campaign as kill
from tests.train.forks import Forked
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


def test_each_is_steered_and_outlives_the_process(den):
    """Each is steered and the others do not notice; where their process is killed, each goes on in one of its own.

    Whatever happens to it, a run writes what it writes in one process without a break.
    """
    lab = den(epochs=200)
    (host,) = host_pids()
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
    assert lab.send(ev.FreezeRun(run="r03")).ok
    assert lab.send(ev.RestartRun(run="r02")).ok
    assert lab.send(ev.ResumeRun(run="r01")).ok
    until(lambda: [kept(lab, run) for run in lab.sweep.runs] == [2, 2, 1])
    assert host_pids() == [host]
    assert not lab.events("RunLost")
    assert lab.send(ev.ResumeRun(run="r03")).ok
    os.kill(host, signal.SIGKILL)
    (lab.oracle / "quick").touch()
    assert lab.closed().code == 0
    for run, before in (("r01", 2), ("r02", 2), ("r03", 1)):
        found = lab.run(run)
        assert found.ending.kind == "finished"
        assert [attempt.shared for attempt in found.attempts] == [True] * before + [False]
        assert found.attempts[-1].resumed_from == before
        assert found.losses == 0
        assert lines(lab, run) == alone(lab, run)
    (lost, *others) = lab.events("RunLost")
    assert (
        lost.why
        == "the process that it shared with other runs ended; continuing in its own process"
    )
    assert len(others) == 2
    assert not lab.doubled()
    assert lab.left() == []


def attempts(lab, run):
    found = lab.run(run)
    return [Layout(lab.directory).attempt(found.folder, a.number) for a in found.attempts]


def kept(lab, run):
    """Return the number of a run's last attempt once it has a checkpoint, else 0."""
    roots = attempts(lab, run)
    return len(roots) if (roots[-1] / "checkpoint").exists() else 0


def lines(lab, run):
    """What the readers see of a run: its attempts, of which a later one hides what it repeats."""
    found = {}
    for root in attempts(lab, run):
        of = read(root)
        found = {level: v for level, v in found.items() if level < min(of, default=1e9)} | of
    return timeless([{"epoch": level, **found[level]} for level in sorted(found)])


def alone(lab, run):
    """What the run's command writes in a process of its own, from its beginning to its end."""
    root = lab.folder / f"{run}-alone"
    root.mkdir()
    spec = json.loads((attempts(lab, run)[0] / "argv.json").read_text())
    words = [word for word in spec["argv"] if not word.startswith("--checkpoint")]
    environment = {**os.environ, "LRTUI_METRICS": str(root / "metrics.jsonl")}
    ended = Forked([*words, f"--checkpoint={root}/checkpoint"], environment, root)
    _, said = ended.communicate(300)
    assert ended.returncode == 0, said
    found = read(root)
    return timeless([{"epoch": level, **found[level]} for level in sorted(found)])


def read(root):
    return {m.level: dict(m.values) for m in MetricLog(root, Reading("epoch")).poll(1 << 30)}


@pytest.mark.campaign
@pytest.mark.timeout(3600)
def test_random_kills_of_shared_runs(monkeypatch, campaign, no_charts):
    monkeypatch.setenv("ORACLE_FOLDER", "")
    outcome = kill(100 if campaign else 2, 3, SHARED)
    assert outcome.faults() == 0, outcome.text()
    assert outcome.told > 0
