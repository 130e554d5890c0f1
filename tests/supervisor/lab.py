"""Real supervisors over real children, in a folder of their own; whatever a test leaves is ended by identity."""

import contextlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from lrtui.config.directory import open_experiment
from lrtui.sweep import mailbox
from lrtui.sweep.journal import JournalTail
from lrtui.sweep.layout import Layout
from lrtui.sweep.state import Run, Sweep, fold
from lrtui.workers import keeper
from tests.supervisor.chaos import supervisor_pid
from tests.until import PATIENCE_SECONDS, until

STUB = Path(__file__).parent.parent / "stub.py"
NO_CHARTS = Path(__file__).parent / "no_charts"


class Lab:
    """One experiment directory and what a test does with it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.oracle = folder / "oracle"
        self.oracle.mkdir()
        self.directory = folder / "run"

    def toml(self, *, lrs="1e-3", steps=5, flags="", words=None, extra="") -> Path:
        argv = words or [
            sys.executable,
            str(STUB),
            str(self.oracle),
            "{run}",
            "{lr}",
            "{until}",
            "{checkpoint}",
            *flags.split(),
        ]
        file = self.folder / "lab.toml"
        command = ", ".join(f"'{word}'" for word in argv)
        file.write_text(
            f'command = [{command}]\nsteps = {steps}\nmetric = "max val_acc"\nlr = [{lrs}]\nparallel = 2\n{extra}\n'
        )
        return file

    def start(self, **kw) -> "Lab":
        return self.open(self.toml(**kw))

    def open(self, file: Path) -> "Lab":
        open_experiment(file, {}, under=self.directory, new=False)
        mailbox.ensure_supervisor(self.directory)
        return self

    def revive(self) -> None:
        Layout(self.directory).beat.unlink(missing_ok=True)
        mailbox.ensure_supervisor(self.directory)

    @property
    def sweep(self) -> Sweep:
        return fold(JournalTail(Layout(self.directory).journal).poll())

    def events(self, kind: str) -> list:
        return [
            e
            for e in JournalTail(Layout(self.directory).journal).poll()
            if type(e).__name__ == kind
        ]

    def run(self, run: str = "r01") -> Run | None:
        return self.sweep.runs.get(run)

    def send(self, command, timeout=300.0):
        return mailbox.send(self.directory, command, timeout)

    def closed(self, seconds=60.0):
        return until(lambda: self.sweep.closed, seconds)

    def running(self, run: str = "r01", steps: int = 1) -> Run:
        """Wait until a run is running and has been told of `steps` steps."""

        def ready():
            found = self.run(run)
            return found if found and found.state == "running" and self.told(run) >= steps else None

        return until(ready)

    def hold(self, steps: int) -> None:
        """Let no attempt of the stub make more than `steps` steps until `release`, so that runs live while a test looks at them."""
        whole = self.folder / "hold"
        whole.write_text(str(steps))
        whole.rename(self.oracle / "hold")

    def release(self) -> None:
        (self.oracle / "hold").unlink()

    def told(self, run: str = "r01") -> int:
        file = self.oracle / f"{run}.steps"
        return len(file.read_text().splitlines()) if file.exists() else 0

    def doubled(self) -> list[str]:
        return [p.name for p in self.oracle.glob("*.doubled")]

    def left(self) -> list[int]:
        """Return the processes of all attempts that do not go away; a keeper needs a moment after its exit.json."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while (found := self._bearers()) and time.monotonic() < deadline:
            time.sleep(0.02)
        return found

    def _bearers(self) -> list[int]:
        attempts = [a for run in self.sweep.runs.values() for a in run.attempts]
        return [pid for attempt in attempts for pid in keeper.bearers(attempt.token)]

    def kill_supervisor(self) -> None:
        pid = until(lambda: supervisor_pid(self.directory))
        os.kill(pid, signal.SIGKILL)
        until(lambda: supervisor_pid(self.directory) is None)

    def lrtui(self, *words: str, **kw) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "lrtui", *words],
            capture_output=True,
            text=True,
            cwd=self.folder,
            timeout=300,
            check=False,
            **kw,
        )

    def clean_up(self) -> None:
        if not self.directory.exists():
            return
        if pid := supervisor_pid(self.directory):
            with contextlib.suppress(ProcessLookupError):
                os.killpg(pid, signal.SIGKILL)  # with its report, which nobody will read
        for pid in self._bearers():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)


@pytest.fixture
def no_charts(monkeypatch):
    """Let no report of a supervisor have charts: they are two thirds of what it costs."""
    monkeypatch.setenv("PYTHONPATH", str(NO_CHARTS), prepend=os.pathsep)


@pytest.fixture
def charts(lab, monkeypatch):
    """Let what a test starts from now on have charts again."""
    paths = os.environ["PYTHONPATH"].split(os.pathsep)
    monkeypatch.setenv(
        "PYTHONPATH", os.pathsep.join(each for each in paths if each != str(NO_CHARTS))
    )


@pytest.fixture
def lab(tmp_path, monkeypatch, no_charts):
    monkeypatch.chdir(tmp_path)
    made = Lab(tmp_path)
    yield made
    made.clean_up()
