"""The process beside a worker that reads what its loggers write: who may die, and what is there then."""

import json
import os
import random
import secrets
import signal
import sys
import time
from pathlib import Path

import msgspec
import pytest

from lrtui.metrics import MetricLog, Reading
from lrtui.metrics.read_lines import ReadSpec
from lrtui.supervisor.startup import _CONVERTER
from lrtui.sweep.layout import AttemptLayout
from lrtui.workers import keeper
from lrtui.workers.launcher import Alive, Exited, Job, Vanished
from lrtui.workers.local import Local
from tests.until import until

WORKER = """
import os, sys, time
with open('m.csv', 'w') as file:
    print('step,val_loss', file=file, flush=True)
    for step in range(1, 61):
        print(f'{step},{step / 4}', file=file, flush=True)
        while step == 30 and not os.path.exists('go'):
            time.sleep(0.005)
        time.sleep(0.005)
    print('61,0.5', end='', file=file, flush=True)
"""
WHOLE = [(n, n / 4) for n in range(1, 61)]


class Living:
    """An attempt with a keeper, a worker and a converter."""

    def __init__(self, folder: Path) -> None:
        self.files = AttemptLayout(folder / "r01" / "a1")
        self.files.root.mkdir(parents=True)
        root = str(self.files.root)
        spec = ReadSpec([str(folder / "m.csv")], {}, time.time())
        content = {
            "argv": [sys.executable, "-c", WORKER],
            "cwd": str(folder),
            "read": msgspec.to_builtins(spec),
            "converter": [
                sys.executable,
                "-I",
                "-c",
                _CONVERTER,
                root,
                *map(os.path.abspath, sys.path),
            ],
        }
        self.files.argv.write_text(json.dumps(content))
        self.job = Job(self.files.root, secrets.token_hex(16), {})
        self.launcher = Local()
        self.launcher.launch(self.job)
        self.keeper = json.loads(
            until(lambda: self.files.pid.exists() and self.files.pid.read_bytes())
        )["keeper"]

    def condition(self):
        return self.launcher.condition(self.files.root, self.job.token)

    def converter(self) -> int:
        """Return the pid of the converter that lives."""

        def found():
            own = [pid for pid in keeper.children(self.keeper) if is_converter(pid)]
            return own[0] if own else 0

        return until(found)

    def rows(self) -> list[tuple[float, float]]:
        log = MetricLog(self.files.root, Reading(unit="step", metric="val_loss", horizon=1000))
        return [(m.level, m.values["val_loss"]) for m in log.poll() if "val_loss" in m.values]

    def read(self, rows: int) -> None:
        until(lambda: len(self.rows()) >= rows)


def is_converter(pid: int) -> bool:
    try:
        return _CONVERTER.encode() in Path(f"/proc/{pid}/cmdline").read_bytes()
    except (FileNotFoundError, ProcessLookupError):  # it was reaped after it was listed
        return False


@pytest.fixture
def living(tmp_path):
    attempt = Living(tmp_path)
    yield attempt
    (tmp_path / "go").touch()
    until(lambda: not isinstance(attempt.condition(), Alive))


def test_rows_are_there_before_the_exit(tmp_path, living):
    """They are read while the worker lives, and the last one, which has no end, before exit.json is written."""
    living.read(30)
    assert isinstance(living.condition(), Alive)
    (tmp_path / "go").touch()
    assert until(lambda: isinstance(c := living.condition(), Exited) and c) == Exited(0, None)
    assert living.rows() == [*WHOLE, (61, 0.5)]


@pytest.mark.parametrize("seed", range(3))
def test_a_converter_that_is_killed(tmp_path, living, seed):
    """The keeper starts another one; nothing is lost or doubled."""
    draw = random.Random(seed)
    for _ in range(4):
        living.read(draw.randrange(30))
        pid = living.converter()
        os.kill(pid, signal.SIGKILL)
        until(lambda: living.converter() != pid)  # noqa: B023  # called at once
    (tmp_path / "go").touch()
    until(lambda: isinstance(living.condition(), Exited))
    assert living.rows() == [*WHOLE, (61, 0.5)]


def test_a_converter_whose_keeper_is_killed(tmp_path, living):
    """It reads on while the worker lives; the attempt is over when it is through. Whether a torn row is whole is not known then."""
    living.read(1)
    os.kill(living.keeper, signal.SIGKILL)
    living.read(30)
    (tmp_path / "go").touch()
    assert isinstance(until(lambda: isinstance(c := living.condition(), Vanished) and c), Vanished)
    assert living.rows() == WHOLE


def test_signals_do_not_reach_it(living):
    """A signal is for the worker: the converter neither has the token nor counts as left behind."""
    living.read(30)
    pid = living.converter()
    assert pid not in keeper.bearers(living.job.token)
    assert living.launcher.send(living.files.root, living.job.token, signal.SIGTERM) == 1
    assert until(lambda: isinstance(c := living.condition(), Exited) and c).signal == signal.SIGTERM
    assert json.loads(living.files.exit.read_bytes())["left"] == 0
    assert living.rows() == WHOLE[:30]


def test_a_converter_that_cannot_start(tmp_path):
    """The worker runs and ends as ever."""
    files = AttemptLayout(tmp_path / "a1")
    files.root.mkdir()
    spec = {"argv": ["true"], "cwd": str(tmp_path), "read": {}, "converter": ["/nowhere"]}
    files.argv.write_text(json.dumps(spec))
    job, launcher = Job(files.root, secrets.token_hex(16), {}), Local()
    launcher.launch(job)
    ended = until(lambda: isinstance(c := launcher.condition(files.root, job.token), Exited) and c)
    assert ended == Exited(0, None)
