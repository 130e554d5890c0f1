"""Log mode: one line for each thing that happens, the answer at the end, and nothing stops when it does."""

from __future__ import annotations

import io
import json
import os
import signal
import subprocess
import sys
import threading
import time
from dataclasses import replace

import msgspec
import pytest

from lrtui.frontend import log_mode
from lrtui.frontend.narration import event_text
from lrtui.frontend.snapshot import DirectoryReader
from lrtui.sweep import events as ev
from lrtui.sweep.events import Plan
from lrtui.sweep.state import Sweep
from tests.recorded import CLOCK, STATES, dense, make
from tests.until import PATIENCE_SECONDS


@pytest.fixture(autouse=True)
def _never_alone(monkeypatch):
    """Let no test that takes long start a supervisor."""
    monkeypatch.setattr(log_mode, "_ALONE_SECONDS", PATIENCE_SECONDS)


def log(directory, **kwargs) -> list[str]:
    out = io.StringIO()
    log_mode.run(directory, out=out, follow=False, **kwargs)
    return out.getvalue().splitlines()


def append(directory, event) -> None:
    fields = {f: getattr(event, f) for f in event.__struct_fields__} | {
        "v": ev.VERSION,
        "at": CLOCK,
    }
    with open(directory / "journal.jsonl", "ab") as file:
        file.write(ev.encode(type(event)(**fields)) + b"\n")


def test_events_evaluations_board_and_verdict_are_told(tmp_path):
    directory = make(tmp_path / "sweep", ["finished", "diverged"], epochs=4, closed=0)
    text = "\n".join(line[9:] if line[2:3] == ":" else line for line in log(directory))
    for said in [
        "sweep sweep opened: cnn7 cifar100, 4 epochs, max val_acc, 2 at a time",
        "r01 1e-05 launched (attempt 1)",
        "r01 1e-05 finished",
        "r02 3.2e-05 diverged (signal 15): train_loss was not finite three times in a row",
        "sweep ended with exit code 0: every run has ended",
        "r01 1e-05 epoch 4/4 val_acc 0.1256 val_loss 4.022 train_loss 2.605",
        "1  r01  1e-05    finished  4/4",
        "use lr = 1e-05 (val_acc 0.1256)",
        "best at the edge of the search: try lower than 1e-05",
        "1 seed: noise unknown",
    ]:
        assert said in text


def test_the_exit_code_is_the_sweeps(tmp_path):
    for code in (0, 1, 4):
        directory = make(tmp_path / str(code), ["finished"], closed=code)
        assert log_mode.run(directory, out=io.StringIO()) == code


def test_json_lines_are_strict_ascii_and_complete(tmp_path):
    directory = make(tmp_path / "sweep", STATES, hostile=True)
    lines = log(directory, json=True)
    assert all(line.isascii() and line.isprintable() for line in lines)

    def refuse(word):
        raise AssertionError(word)

    found = [json.loads(line, parse_constant=refuse) for line in lines]
    kinds = [each["event"] for each in found]
    assert kinds[0] == "SweepOpened"
    assert kinds[-2:] == ["LeaderboardRanked", "VerdictGiven"]
    evaluated = [each for each in found if each["event"] == "RunEvaluated" and each["run"] == "r02"]
    assert [each["epoch"] for each in evaluated] == list(range(1, 21))
    assert set(evaluated[0]["values"]) >= {"val_acc", "val_loss"}


def test_hostile_names_reach_no_terminal(tmp_path):
    lines = log(make(tmp_path / "sweep", STATES, hostile=True))
    assert not any(char in line for line in lines for char in "\x1b\x07\u202e\x00")


def test_many_evaluations_are_told_by_the_latest(tmp_path):
    lines = log(dense(tmp_path / "sweep", 2, 5000))
    assert len(lines) < 60
    assert any("r01 1e-05 step 5000/5000 val_acc 0.7000" in line for line in lines)


class Following(threading.Thread):
    """Log mode in a thread of its own."""

    def __init__(self, directory) -> None:
        super().__init__(daemon=True)
        self.directory, self.out, self.code = directory, io.StringIO(), None
        self.start()

    def run(self) -> None:
        self.code = log_mode.run(self.directory, out=self.out)

    def until(self, text: str) -> None:
        deadline = time.monotonic() + PATIENCE_SECONDS
        while text not in self.out.getvalue():
            assert time.monotonic() < deadline, self.out.getvalue()
            time.sleep(0.01)


def test_following_tells_what_comes_and_ends_with_the_sweep(tmp_path):
    directory = make(tmp_path / "sweep", ["running"], beat=True)
    following = Following(directory)
    following.until("epoch 12/20")
    with open(directory / "r01-lr1e-05" / "a1" / "metrics.jsonl", "ab") as file:
        file.write(b'{"epoch":13,"val_acc":0.75}\n')
    following.until("r01 1e-05 epoch 13/20 val_acc 0.7500")
    append(directory, ev.RunEnded(run="r01", attempt=1, kind="killed", why="killed by you"))
    append(directory, ev.SweepClosed(code=4, why="stopped by you"))
    following.join(PATIENCE_SECONDS)
    assert following.code == 4
    assert following.out.getvalue().count("epoch 12/20") == 1


def test_a_run_that_starts_from_scratch_tells_its_epochs_again(tmp_path):
    directory = make(tmp_path / "sweep", ["killed"], epochs=4, beat=True)
    following = Following(directory)
    following.until("epoch 2/4")
    setting = DirectoryReader(directory).snapshot().sweep.runs["r01"].setting
    append(directory, ev.RunQueued(run="r01", setting=setting, seed=0, until=4, origin="user"))
    append(directory, ev.RunLaunched(run="r01", attempt=2, token="t", until=4))
    (directory / "r01-lr1e-05" / "a2").mkdir()
    path = directory / "r01-lr1e-05" / "a2" / "metrics.jsonl"
    path.write_bytes(b'{"epoch":1,"val_acc":0.875}\n')
    following.until("epoch 1/4 val_acc 0.8750")
    append(directory, ev.SweepClosed(code=0, why=""))
    following.join(PATIENCE_SECONDS)


def test_progress_is_told_where_nothing_is_evaluated(tmp_path):
    directory = make(tmp_path / "sweep", ["running"], metric="rare_metric")
    assert any("r01 1e-05 epoch 12/20 train_loss" in line for line in log(directory))


def test_a_dead_supervisor_is_revived(tmp_path, monkeypatch):
    directory = make(tmp_path / "sweep", ["running"])
    asked = threading.Event()

    def revive(where):
        assert where == directory
        append(directory, ev.SweepClosed(code=0, why=""))
        asked.set()

    monkeypatch.setattr(log_mode, "_ALONE_SECONDS", 0.2)
    monkeypatch.setattr(log_mode, "ensure_supervisor", revive)
    out = io.StringIO()
    assert log_mode.run(directory, out=out) == 0
    assert asked.is_set()
    assert "no supervisor answers (none); starting one" in out.getvalue()


def test_a_copy_is_shown_and_never_revived(tmp_path, monkeypatch):
    directory = make(tmp_path / "sweep", ["running"], elsewhere="copy")
    monkeypatch.setattr(log_mode, "ensure_supervisor", lambda _: pytest.fail("revived"))
    out = io.StringIO()
    assert log_mode.run(directory, out=out) == 1
    assert "a copy of the directory" in out.getvalue()


CODE = f"import sys, pathlib; from lrtui.frontend import log_mode; log_mode._ALONE_SECONDS = {PATIENCE_SECONDS}; sys.exit(log_mode.run(pathlib.Path(sys.argv[1])))"


def start(directory, **kwargs):
    command = [sys.executable, "-c", CODE, str(directory)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True, **kwargs)


def test_ctrl_c_detaches_and_says_how_to_come_back(tmp_path):
    directory = make(tmp_path / "sweep", ["running"], beat=True)
    child = start(directory)
    line = child.stdout.readline()
    assert "opened" in line
    while "epoch 12/20" not in line:
        line = child.stdout.readline()
    child.send_signal(signal.SIGINT)
    rest = child.stdout.read()
    assert child.wait(300) == 130
    assert f"lrtui {directory}" in rest
    assert f"lrtui stop {directory}" in rest


def test_a_closed_pipe_is_no_error(tmp_path):
    directory = make(tmp_path / "sweep", STATES * 40)
    child = start(directory, stderr=subprocess.PIPE, env={**os.environ, "PYTHONUNBUFFERED": "1"})
    child.stdout.readline()
    child.stdout.close()
    assert child.stderr.read() == ""
    assert child.wait(300) == 130


def test_the_answer_is_named_in_words():
    def words(**said):
        return event_text(ev.VerdictReached(**said), Sweep())

    assert words(lr=None) == "verdict: no answer"
    assert words(lr=None, equal=(1e-3, 1e-2)) == "verdict: 1.0e-03..1.0e-02 cannot be told apart"
    assert words(lr=0.1, axes={"m": 0.9}, provisional=True) == "verdict: so far 1e-01, m = 0.9"


def test_the_board_names_only_what_varies(tmp_path):
    snapshot = DirectoryReader(make(tmp_path / "sweep", STATES[:3])).snapshot(5)
    first, *rest = snapshot.standings
    setting = msgspec.structs.replace(first.setting, values={"batch_size": 8})
    rows = [replace(first, setting=setting), *rest]
    text = "\n".join(log_mode.leaderboard_text(rows, snapshot.sweep.plan, 200))
    assert " batch_size=8" in text
    assert setting.optimizer not in text


def test_the_board_fits_its_width(tmp_path):
    snapshot = DirectoryReader(make(tmp_path / "sweep", STATES, seeds=2)).snapshot(5)
    for width in (20, 60, 100, 200):
        lines = log_mode.leaderboard_text(snapshot.standings, snapshot.sweep.plan, width)
        assert len(lines) == len(STATES) + 1
        assert max(map(len, lines)) <= width
    plan = Plan(name="", source="", metric="a", goal="max", loss="", unit="step", horizon=1)
    assert log_mode.leaderboard_text([], plan, 80) == ["no runs yet"]
