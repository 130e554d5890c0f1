"""A lab without processes: the real supervisor, stepped by hand, over workers that are generators.

A sleep is the clock: whoever waits in this process (`until`, `mailbox.send`, the log mode) calls `time.sleep`, and each call
lets every worker make one step and every supervisor one tick. So nothing here waits, and a slow machine changes nothing.
Use it for what the supervisor decides; what is about processes (kills, adoption, locks, signals) needs `lab`.
"""

from __future__ import annotations

import contextlib
import dataclasses
import io
import json
import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Generator
from pathlib import Path
from typing import TextIO

import pytest

from lrtui.cli.main import main
from lrtui.frontend import log_mode
from lrtui.supervisor import __main__ as supervisor_main
from lrtui.supervisor import loop, termination
from lrtui.sweep import mailbox
from lrtui.sweep.layout import AttemptLayout, Layout
from lrtui.sweep.state import Sweep
from lrtui.workers.launcher import Alive, Condition, Exited, Job, Launcher, Unclaimed
from lrtui.workers.launchers import LAUNCHERS
from tests import curve, stub
from tests.supervisor.lab import Lab

Script = Callable[[list[str], dict[str, str], TextIO], Generator[None]]


def _curve(words: list[str], _environment: dict[str, str], out: TextIO) -> Generator[None]:
    return curve.train(curve.parser.parse_args(words), out)


def _stub(words: list[str], environment: dict[str, str], _out: TextIO) -> Generator[None]:
    return stub.train(words, environment)


def called(*words: str) -> subprocess.CompletedProcess[str]:
    """Call the command line within this process, as without a terminal."""
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            code = main(words)
        except SystemExit as error:  # argparse
            code = error.code
    return subprocess.CompletedProcess(words, code, out.getvalue(), err.getvalue())


class Worker:
    """One attempt: a script that makes a step whenever it is let."""

    def __init__(self, job: Job, pid: int, scripts: dict[str, Script]) -> None:
        self.pid = pid
        self.ending: Exited | None = None
        self.frozen = False
        self._files = AttemptLayout(job.root)
        spec = json.loads(self._files.argv.read_text())
        _, script, *words = spec["argv"]
        self._ignores_term = "--ignore-term" in words
        earlier = spec["checkpoint_from"]
        if earlier and os.path.exists(earlier):
            self._files.checkpoint.write_bytes(Path(earlier).read_bytes())
        self._out = self._files.output.open("a")
        environment = {**job.environment, "LRTUI_TOKEN": job.token}
        self._steps = scripts[Path(script).name](words, environment, self._out)

    def step(self) -> None:
        if self.ending is not None or self.frozen:
            return
        try:
            next(self._steps)
        except StopIteration:
            self._end(code=0)
        except SystemExit as error:
            self._out.write(f"{error.code}\n")
            self._end(code=1)

    def signal(self, number: int) -> None:
        if number == signal.SIGKILL or (number == signal.SIGTERM and not self._ignores_term):
            self._end(number=number)
        elif number in (signal.SIGSTOP, signal.SIGCONT):
            self.frozen = number == signal.SIGSTOP

    def _end(self, code: int | None = None, number: int | None = None) -> None:
        self._steps.close()
        self._out.close()
        self.ending = self.ending or Exited(code, number)
        self._files.exit.write_text("{}")


class FakeLauncher(Launcher):
    """Runs attempts as generators. They outlive a supervisor, as processes do."""

    def __init__(self) -> None:
        self.scripts: dict[str, Script] = {"stub.py": _stub, "curve.py": _curve}
        self.workers: dict[Path, Worker] = {}
        self.doubled: list[Path] = []

    def launch(self, job: Job) -> None:
        if job.root in self.workers:
            self.doubled.append(job.root)
        pid = 1_000_000_000 + len(self.workers)
        self.workers[job.root] = Worker(job, pid, self.scripts)

    def preload(self, *_: object) -> None:
        pass

    def condition(self, root: Path, _token: str) -> Condition:
        worker = self.workers.get(root)
        if worker is None:
            return Unclaimed()
        return worker.ending or Alive(worker.pid, kept=True)

    def send(self, root: Path, _token: str, number: int) -> int:
        self.workers[root].signal(number)
        return 1

    def living(self) -> list[int]:
        return [worker.pid for worker in self.workers.values() if worker.ending is None]


class InProcess(Lab):
    """A lab whose supervisors and workers are objects of this process."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        super().__init__(folder)
        self.launcher = FakeLauncher()
        self.supervisors: dict[Path, loop.Supervisor] = {}
        self._patch = monkeypatch.setattr
        self._thread, self._really_sleep = threading.get_ident(), time.sleep
        monkeypatch.setitem(LAUNCHERS, "local", lambda *_: self.launcher)
        for module in (mailbox, log_mode):
            self._patch(module, "ensure_supervisor", self._ensure_supervisor)
        self._patch(time, "sleep", self._sleep)
        self.timing(close_look=1e-9)

    def timing(self, **seconds: float) -> None:
        """Change waiting times of the supervisor."""
        for module in (loop, termination):
            self._patch(module, "TIMING", dataclasses.replace(module.TIMING, **seconds))

    @property
    def sweep(self) -> Sweep:
        """The present; it equals the fold of the journal (tests/sweep), which would be read anew at every look."""
        supervisor = self.supervisors.get(self.directory.resolve())
        return super().sweep if supervisor is None else supervisor.sweep

    def kill_supervisor(self) -> None:
        self.supervisors.clear()

    def left(self) -> list[int]:
        return self.launcher.living()

    def doubled(self) -> list[str]:
        return list(map(str, self.launcher.doubled))

    def lrtui(self, *words: str) -> subprocess.CompletedProcess[str]:
        return called(*words)

    def _ensure_supervisor(self, directory: Path, *, takeover: bool = False) -> None:
        directory = directory.resolve()
        if directory in self.supervisors and not takeover:
            return
        supervisor = supervisor_main._begin(Layout(directory), takeover=takeover)
        assert supervisor is not None, "it is owned elsewhere"
        self.supervisors[directory] = supervisor

    def _sleep(self, seconds: float) -> None:
        if threading.get_ident() != self._thread:  # of a test before
            self._really_sleep(seconds)
            return
        for worker in list(self.launcher.workers.values()):
            worker.step()
        for supervisor in list(self.supervisors.values()):
            supervisor.tick()


@pytest.fixture
def in_process(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return InProcess(tmp_path, monkeypatch)
