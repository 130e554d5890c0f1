"""The local launcher with real keepers and real workers."""

import json
import os
import secrets
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from lrtui import keeper
from lrtui.launchers import Gone, Job, Living, Local, Over, Unclaimed
from tests.until import until


@pytest.fixture
def launcher():
    return Local()


def job(tmp_path: Path, *argv: str, **spec) -> Job:
    root = tmp_path / "a1"
    root.mkdir()
    content = {"argv": list(argv), "cwd": str(tmp_path), **spec}
    (root / "argv.json").write_text(json.dumps(content))
    return Job(root, secrets.token_hex(16), {"LRTUI_LR": "1e-3"})


def over(launcher: Local, started: Job) -> Over:
    return until(lambda: isinstance(c := launcher.look(started.root, started.token), Over) and c)


def worker_pid(launcher: Local, started: Job) -> int:
    def pid():
        condition = launcher.look(started.root, started.token)
        return condition.pid if isinstance(condition, Living) else None

    return until(pid)


def python(code: str) -> tuple[str, str, str]:
    return (sys.executable, "-c", code)


def test_an_attempt_that_nobody_began_is_unclaimed(tmp_path, launcher):
    started = job(tmp_path, "true")
    assert launcher.look(started.root, started.token) == Unclaimed()


@pytest.mark.parametrize("code", [0, 3])
def test_the_exit_code_arrives(tmp_path, launcher, code):
    started = job(tmp_path, *python(f"raise SystemExit({code})"))
    launcher.launch(started)
    assert over(launcher, started) == Over(code, None)
    until(
        lambda: not keeper.bearers(started.token), 3
    )  # the keeper itself ends a moment after its exit.json


def test_a_signal_arrives_as_a_signal(tmp_path, launcher):
    started = job(tmp_path, "sleep", "60")
    launcher.launch(started)
    os.kill(worker_pid(launcher, started), signal.SIGKILL)
    assert over(launcher, started) == Over(None, signal.SIGKILL)


def test_a_command_that_does_not_exist_ends_with_127_and_says_so_in_its_output(tmp_path, launcher):
    started = job(tmp_path, "no-such-program")
    launcher.launch(started)
    assert over(launcher, started) == Over(127, None)
    assert "no-such-program" in (started.root / "output.log").read_text()


def test_launching_twice_starts_one_worker(tmp_path, launcher):
    started = job(tmp_path, *python("open('began','a').write('x'); import time; time.sleep(1)"))
    launcher.launch(started)
    launcher.launch(started)
    Local().launch(started)
    over(launcher, started)
    Local().launch(started)
    time.sleep(0.3)  # a second worker would have begun by now
    assert (tmp_path / "began").read_text() == "x"


def test_the_worker_has_no_terminal_its_own_session_and_the_token(tmp_path, launcher):
    code = "import os,json; print(json.dumps([os.isatty(0), os.getsid(0)==os.getpid(), os.environ['LRTUI_TOKEN'], os.environ['LRTUI_LR']]))"
    started = job(tmp_path, *python(code))
    launcher.launch(started)
    over(launcher, started)
    found = json.loads((started.root / "output.log").read_text())
    assert found == [False, True, started.token, "1e-3"]


def test_a_worker_outlives_its_keeper_and_is_found_by_its_pid(tmp_path, launcher):
    started = job(tmp_path, "sleep", "60")
    launcher.launch(started)
    pid = worker_pid(launcher, started)
    who = json.loads(until((started.root / "pid.json").read_bytes))
    os.kill(who["keeper"], signal.SIGKILL)
    until(lambda: launcher.look(started.root, started.token) == Living(pid, kept=False))
    assert launcher.send(started.root, started.token, signal.SIGKILL) == 1
    until(lambda: launcher.look(started.root, started.token) == Gone())


LEAVES_CHILDREN = """
import os, subprocess, sys, time
subprocess.Popen(["sleep", "600"])
subprocess.Popen(["sleep", "600"], start_new_session=True)
subprocess.Popen(["sleep", "600"], start_new_session=True, env={})
if os.fork() == 0:
    time.sleep(600)
"""


def test_nothing_is_left_of_a_worker_that_forks_spawns_and_calls_setsid(tmp_path, launcher):
    started = job(tmp_path, *python(LEAVES_CHILDREN))
    before = sleepers()
    launcher.launch(started)
    assert over(launcher, started) == Over(0, None)
    until(
        lambda: not keeper.bearers(started.token), 3
    )  # the keeper itself ends a moment after its exit.json
    assert sleepers() == before


def sleepers() -> int:
    return subprocess.run(
        ["pgrep", "-cx", "sleep"], capture_output=True, check=False
    ).stdout != b"" and int(
        subprocess.run(["pgrep", "-cx", "sleep"], capture_output=True, check=False).stdout
    )


def test_a_pid_file_that_names_a_foreign_process_gets_nobody_signalled(tmp_path, launcher):
    started = job(tmp_path, "true")
    with subprocess.Popen(["sleep", "60"], env={"LRTUI_TOKEN": "another"}) as stranger:
        (started.root / "claim").touch()
        content = {
            "worker": stranger.pid,
            "keeper": 1,
            "start": keeper.start_time(stranger.pid),
            "keeper_start": keeper.start_time(1),
            "boot_id": keeper.boot_id(),
            "token": started.token,
        }
        (started.root / "pid.json").write_text(json.dumps(content))
        assert launcher.look(started.root, started.token) == Gone()
        assert launcher.send(started.root, started.token, signal.SIGKILL) == 0
        assert stranger.poll() is None
        stranger.kill()


@pytest.mark.parametrize(
    "content", [b"", b"{", b'{"code": "0", "at": 1}', b"[" * 100_000, b"\xff\xfe", b'{"at": NaN}']
)
def test_a_damaged_exit_file_is_no_exit(tmp_path, launcher, content):
    started = job(tmp_path, "true")
    (started.root / "claim").touch()
    (started.root / "exit.json").write_bytes(content)
    assert launcher.look(started.root, started.token) == Gone()


def test_a_capped_log_keeps_head_and_tail_and_saves_every_metric_line(tmp_path, launcher):
    code = """
import sys, time
for i in range(6000):
    print('{"step": %d, "train_loss": 1.0}' % i)
    print("noise " * 300)
sys.stdout.flush()
time.sleep(2.5)
print("the end")
"""
    started = job(tmp_path, *python(code), log_cap=1 << 20)
    launcher.launch(started)
    over(launcher, started)
    log = started.root / "output.log"
    found = log.stat()
    assert found.st_size > 10_000_000
    if found.st_blocks * 512 > 4_000_000:
        pytest.skip("this file system cannot punch holes")
    content = log.read_bytes()
    assert content.startswith(b'{"step": 0,')
    assert content.endswith(b"the end\n")
    saved = [
        json.loads(line)["line"]
        for line in (started.root / "printed.jsonl").read_bytes().splitlines()
    ]
    kept = [
        line.decode() for line in content.rsplit(b"\0", 1)[1].split(b"\n") if line.startswith(b"{")
    ]
    steps = {json.loads(line)["step"] for line in [*saved, *kept]}
    assert steps == set(range(6000))
