"""The agent as a job runs it, with real workers: what it writes, obeys and hands on."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from lrtui.sweep.layout import AttemptLayout, SlurmLayout
from lrtui.workers.slurm import agent
from lrtui.workers.slurm.job_options import agent_words
from tests.until import PATIENCE_SECONDS, until

WAITS = "import signal, sys, time; signal.signal(15, lambda *_: sys.exit(75)); print('up', flush=True); time.sleep(600)"


class Job:
    """A wave of one task, and the process that Slurm would start for it."""

    def __init__(self, root, *programs, folder="r") -> None:
        self.folders = [f"{folder}{i:02}/a1" for i in range(len(programs))]
        self.wave = SlurmLayout(root / "slurm" / "w1")
        self.wave.root.mkdir(parents=True)
        self.wave.intent.write_text(json.dumps({"name": "n", "tasks": [self.folders]}))
        self.attempts = [AttemptLayout(root / folder) for folder in self.folders]
        for files, program in zip(self.attempts, programs, strict=True):
            files.root.mkdir(parents=True)
            argv = [sys.executable, "-c", program]
            files.argv.write_text(json.dumps({"argv": argv, "cwd": str(root)}))
            given = {
                "token": f"t-{os.urandom(8).hex()}",
                "environment": {"LRTUI_X": "1", "PYTHONPATH": "/a"},
            }
            files.environment.write_text(json.dumps(given))
        self.process = None

    def start(self):
        self.process = subprocess.Popen(
            agent_words(sys.executable, Path(agent.__file__), self.wave.root),
            env={**os.environ, "SLURM_ARRAY_TASK_ID": "0", "LRTUI_TOKEN": "", "PYTHONPATH": "/b"},
        )
        return self

    def over(self):
        return self.process.wait(PATIENCE_SECONDS)

    def up(self, *numbers):
        until(lambda: all("up" in read(self.attempts[i].output) for i in numbers))

    def ended(self, place=0):
        return json.loads(self.wave.ended(0, place).read_text())["cause"]

    def exit(self, place=0):
        said = json.loads(self.attempts[place].exit.read_text())
        return said["code"], said["signal"]


def read(path):
    return path.read_text() if path.exists() else ""


@pytest.fixture
def job(tmp_path):
    made = []

    def make(*programs, **given):
        made.append(Job(tmp_path / "here", *programs, **given))
        return made[-1]

    yield make
    for each in made:
        if each.process and each.process.poll() is None:
            each.process.kill()
            each.process.wait()


def test_it_writes_what_a_keeper_writes_at_home(job):
    one = job(
        "import os; print(os.environ['LRTUI_X'], os.environ['PYTHONPATH'])",
        "import sys; sys.exit(3)",
    ).start()
    assert one.over() == 1
    assert (one.exit(0), one.exit(1)) == ((0, None), (3, None))
    assert one.attempts[0].output.read_text() == "1 /a:/b\n"
    assert (one.ended(0), one.ended(1)) == ("", "")
    assert json.loads(one.wave.beat(0).read_text())["count"] == 1


def test_an_order_reaches_one_of_two(job):
    one = job(WAITS, WAITS).start()
    one.up(0, 1)
    one.attempts[1].orders.write_text("TERM\n")
    until(lambda: one.wave.ended(0, 1).exists())
    assert one.exit(1) == (75, None)
    assert one.ended(1) == "order"
    assert not one.wave.ended(0, 0).exists()
    one.attempts[0].orders.write_text("KILL\n")
    one.over()
    assert one.exit(0) == (None, signal.SIGKILL)


def test_the_time_limit_is_handed_on(job):
    one = job(WAITS, WAITS).start()
    one.up(0, 1)
    one.process.send_signal(signal.SIGUSR2)
    one.over()
    assert (one.exit(0), one.ended(0)) == ((75, None), "limit")
    assert (one.exit(1), one.ended(1)) == ((75, None), "limit")


def test_it_starts_nothing_outside_of_the_directory(job):
    one = job("print('up')", folder="../r").start()
    assert one.over() == 1
    assert not one.attempts[0].claim.exists()


def test_files_that_show_late_are_waited_for(job):
    one = job("print('up')")
    hidden = [
        (path, path.rename(path.with_name("hidden")))
        for path in (one.wave.root, one.attempts[0].environment)
    ]
    one.start()
    until(lambda: "agent.main" in read(Path(f"/proc/{one.process.pid}/cmdline")))
    for path, at in reversed(hidden):
        at.rename(path)
    assert one.over() == 0


def test_a_second_start_does_nothing(job):
    """A job that was submitted or requeued twice: the first agent's attempt and beat stay as they are."""
    one = job(WAITS).start()
    one.up(0)
    beat = one.wave.beat(0).stat().st_ino
    first, one.process = one.process, None
    assert one.start().over() == 0
    assert one.wave.beat(0).stat().st_ino == beat
    assert not one.wave.ended(0, 0).exists()
    one.process = first
    one.attempts[0].orders.write_text("KILL\n")
    one.over()
    assert one.exit() == (None, signal.SIGKILL)


def test_a_suspended_job_goes_on(monkeypatch):
    """Python returns garbage from a wait in which the process was stopped for longer than it was to wait."""
    garbage = type("Info", (), {"si_signo": -1660568608})
    monkeypatch.setattr(agent.signal, "sigtimedwait", lambda *_: garbage)
    assert agent._cause(set()) == ""
