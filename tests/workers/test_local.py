"""The local launcher with real keepers and real workers."""

import json
import os
import secrets
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from lrtui.workers import keeper
from lrtui.workers.launcher import Alive, Exited, Job, Unclaimed, Vanished
from lrtui.workers.local import Local
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


def over(launcher: Local, started: Job) -> Exited:
    return until(
        lambda: isinstance(c := launcher.condition(started.root, started.token), Exited) and c
    )


def worker_pid(launcher: Local, started: Job) -> int:
    def pid():
        condition = launcher.condition(started.root, started.token)
        return condition.pid if isinstance(condition, Alive) else None

    return until(pid)


def python(code: str) -> tuple[str, str, str]:
    return (sys.executable, "-c", code)


def test_an_attempt_that_nobody_began_is_unclaimed(tmp_path, launcher):
    started = job(tmp_path, "true")
    assert launcher.condition(started.root, started.token) == Unclaimed()


@pytest.mark.parametrize("code", [0, 3])
def test_the_exit_code_arrives(tmp_path, launcher, code):
    started = job(tmp_path, *python(f"raise SystemExit({code})"))
    launcher.launch(started)
    assert over(launcher, started) == Exited(code, None)
    until(
        lambda: not keeper.bearers(started.token), 3
    )  # the keeper itself ends a moment after its exit.json


def test_a_signal_arrives_as_a_signal(tmp_path, launcher):
    started = job(tmp_path, "sleep", "600")
    launcher.launch(started)
    os.kill(worker_pid(launcher, started), signal.SIGKILL)
    assert over(launcher, started) == Exited(None, signal.SIGKILL)


def test_a_command_that_does_not_exist_ends_with_127_and_says_so_in_its_output(tmp_path, launcher):
    started = job(tmp_path, "no-such-program")
    launcher.launch(started)
    assert over(launcher, started) == Exited(127, None)
    assert "no-such-program" in (started.root / "output.log").read_text()


def test_launching_twice_starts_one_worker(tmp_path, launcher):
    code = "import os, time; open('began', 'a').write('x')\nwhile not os.path.exists('end'): time.sleep(0.01)"
    started = job(tmp_path, *python(code))
    launcher.launch(started)
    launcher.launch(started)
    Local().launch(started)
    (tmp_path / "end").touch()
    over(launcher, started)
    late = Local()
    late.launch(started)
    for begun in late._keepers:
        begun.wait()
    assert (tmp_path / "began").read_text() == "x"


def test_the_worker_has_no_terminal_its_own_session_and_the_token(tmp_path, launcher):
    code = "import os,json; print(json.dumps([os.isatty(0), os.getsid(0)==os.getpid(), os.environ['LRTUI_TOKEN'], os.environ['LRTUI_LR']]))"
    started = job(tmp_path, *python(code))
    launcher.launch(started)
    over(launcher, started)
    found = json.loads((started.root / "output.log").read_text())
    assert found == [False, True, started.token, "1e-3"]


def test_a_worker_outlives_its_keeper_and_is_found_by_its_pid(tmp_path, launcher):
    started = job(tmp_path, "sleep", "600")
    launcher.launch(started)
    pid = worker_pid(launcher, started)
    who = json.loads(until((started.root / "pid.json").read_bytes))
    os.kill(who["keeper"], signal.SIGKILL)
    until(lambda: launcher.condition(started.root, started.token) == Alive(pid, kept=False))
    assert launcher.send(started.root, started.token, signal.SIGKILL) == 1
    until(lambda: launcher.condition(started.root, started.token) == Vanished())


def test_a_worker_that_still_looks_like_the_keeper_that_forked_it_is_signalled(tmp_path, launcher):
    twin = tmp_path / "lrtui" / "keeper.py"
    twin.parent.mkdir()
    twin.write_text("import time; time.sleep(600)")
    started = job(tmp_path, sys.executable, "-I", "-S", str(twin))
    launcher.launch(started)
    worker_pid(launcher, started)
    until((started.root / "pid.json").exists)
    assert launcher.send(started.root, started.token, signal.SIGKILL) == 1
    assert over(launcher, started) == Exited(None, signal.SIGKILL)


LEAVES_CHILDREN = """
import os, subprocess, sys, time
subprocess.Popen(["sleep", sys.argv[1]])
subprocess.Popen(["sleep", sys.argv[1]], start_new_session=True)
subprocess.Popen(["sleep", sys.argv[1]], start_new_session=True, env={})
if os.fork() == 0:
    time.sleep(600)
"""


def test_nothing_is_left_of_a_worker_that_forks_spawns_and_calls_setsid(tmp_path, launcher):
    seconds = str(600 + secrets.randbelow(10**6) / 10**6)  # tells these sleeps from all others
    started = job(tmp_path, *python(LEAVES_CHILDREN), seconds)
    launcher.launch(started)
    assert over(launcher, started) == Exited(0, None)
    until(lambda: not keeper.bearers(started.token))
    found = subprocess.run(["pgrep", "-fx", f"sleep {seconds}"], capture_output=True, check=False)
    assert not found.stdout


def test_a_pid_file_that_names_a_foreign_process_gets_nobody_signalled(tmp_path, launcher):
    started = job(tmp_path, "true")
    with subprocess.Popen(["sleep", "600"], env={"LRTUI_TOKEN": "another"}) as stranger:
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
        assert launcher.condition(started.root, started.token) == Vanished()
        assert launcher.send(started.root, started.token, signal.SIGKILL) == 0
        assert stranger.poll() is None
        stranger.kill()


NUMBERS = (0, -1, -2, 1, 2**31, 2**63, 2**200, 1.0, 1e300, True, None, "1", "{}", [], {})


def test_no_pid_file_gets_a_process_signalled_that_is_not_the_attempts(tmp_path, launcher):
    """What another may write there, about a process that lives: ours, a stranger's, everybody's, nobody's."""
    started = job(tmp_path, "true")
    (started.root / "claim").touch()
    with subprocess.Popen(["sleep", "600"], env={"LRTUI_TOKEN": "another"}) as stranger:
        good = {
            "worker": stranger.pid,
            "keeper": stranger.pid,
            "start": keeper.start_time(stranger.pid),
            "keeper_start": keeper.start_time(stranger.pid),
            "boot_id": keeper.boot_id(),
            "token": started.token,
        }
        contents = [json.dumps(good | {key: value}) for key in good for value in NUMBERS]
        contents += [json.dumps({k: v for k, v in good.items() if k != key}) for key in good]
        contents += [
            json.dumps(good | {"worker": pid, "keeper": pid})
            for pid in (os.getpid(), os.getppid(), 1)
        ]
        contents += [json.dumps(good)[:-cut] for cut in (1, 2, 40)]
        contents += [json.dumps(good) * 2, "[" * 100_000, json.dumps([good]), '"' + "x" * 100_000]
        assert len(contents) >= 100
        for content in contents:
            (started.root / "pid.json").write_text(content)
            assert launcher.condition(started.root, started.token) == Vanished(), content[:200]
            assert launcher.send(started.root, started.token, signal.SIGKILL) == 0
            assert launcher.send(started.root, started.token, 0) == 0
            assert stranger.poll() is None, content[:200]
        for name in ("/dev/zero", "/etc/passwd", str(tmp_path), "nowhere"):
            (started.root / "pid.json").unlink()
            (started.root / "pid.json").symlink_to(name)
            assert launcher.condition(started.root, started.token) == Vanished(), name
        (started.root / "pid.json").unlink()
        os.mkfifo(started.root / "pid.json")
        assert launcher.condition(started.root, started.token) == Vanished()
        assert stranger.poll() is None
        stranger.kill()


@pytest.mark.parametrize(
    "content", [b"", b"{", b'{"code": "0", "at": 1}', b"[" * 100_000, b"\xff\xfe", b'{"at": NaN}']
)
def test_a_damaged_exit_file_is_no_exit(tmp_path, launcher, content):
    started = job(tmp_path, "true")
    (started.root / "claim").touch()
    (started.root / "exit.json").write_bytes(content)
    assert launcher.condition(started.root, started.token) == Vanished()


def test_an_exit_file_is_not_believed_while_its_worker_lives(tmp_path, launcher):
    started = job(tmp_path, "sleep", "600")
    launcher.launch(started)
    pid = worker_pid(launcher, started)
    (started.root / "exit.json").write_text('{"at": 1.0, "code": 0}')
    assert launcher.condition(started.root, started.token) == Alive(pid, kept=True)
    assert launcher.send(started.root, started.token, signal.SIGKILL) == 1
    assert over(launcher, started) == Exited(None, signal.SIGKILL)


def test_a_bearer_that_starts_program_after_program_is_never_overlooked():
    """In an exec a process has no environment for a moment: a ninth of all looks at this one met such a moment."""
    again = 'exec /bin/sh -c "$0" "$0"'
    with subprocess.Popen(["/bin/sh", "-c", again, again], env={"LRTUI_TOKEN": "x"}) as restless:
        until(lambda: keeper.bears(restless.pid, b"LRTUI_TOKEN=x"))
        seen = sum(keeper.bears(restless.pid, b"LRTUI_TOKEN=x") for _ in range(2000))
        restless.kill()
    assert (
        seen >= 1980
    )  # without waiting for the end of an exec about 1,800: two in a row may still be met


def test_a_capped_log_keeps_head_and_tail_and_saves_every_metric_line(tmp_path, launcher):
    code = """
import os, sys, time
for i in range(6000):
    print('{"step": %d, "train_loss": 1.0}' % i)
    print("noise " * 300)
sys.stdout.flush()
while not os.path.exists("a1/printed.jsonl"):  # the keeper caps the log
    time.sleep(0.01)
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


def handed_on(tmp_path, launcher, source: Path) -> Path:
    """Run an attempt that is handed a checkpoint; return its own."""
    started = job(tmp_path, "true", checkpoint_from=str(source))
    launcher.launch(started)
    assert over(launcher, started) == Exited(0, None)
    return started.root / "checkpoint"


@pytest.fixture
def earlier(tmp_path):
    """An earlier attempt with a folder of weights, and a file outside of it."""
    root = tmp_path / "earlier"
    (root / "step-500").mkdir(parents=True)
    (root / "step-500/weights").write_text("weights")
    (tmp_path / "secret").write_text("secret")
    return root


def test_links_in_a_checkpoint_stay_links_when_it_is_handed_on(tmp_path, launcher, earlier):
    (earlier / "step-500").rename(earlier / "checkpoint")
    (earlier / "checkpoint/latest").symlink_to("weights")
    (earlier / "checkpoint/stolen").symlink_to(tmp_path / "secret")
    (earlier / "checkpoint/whole").symlink_to(tmp_path)
    made = handed_on(tmp_path, launcher, earlier / "checkpoint")
    assert (made / "weights").read_text() == (made / "latest").read_text() == "weights"
    assert all((made / name).is_symlink() for name in ("latest", "stolen", "whole"))


def test_a_checkpoint_that_is_a_link_within_its_attempt_is_copied_whole(
    tmp_path, launcher, earlier
):
    (earlier / "checkpoint").symlink_to("step-500")
    made = handed_on(tmp_path, launcher, earlier / "checkpoint")
    assert not made.is_symlink()
    assert (made / "weights").read_text() == "weights"


def test_a_checkpoint_that_is_a_link_to_elsewhere_is_not_read(tmp_path, launcher, earlier):
    (earlier / "checkpoint").symlink_to(tmp_path / "secret")
    made = handed_on(tmp_path, launcher, earlier / "checkpoint")
    assert made.is_symlink()
    assert made.readlink() == tmp_path / "secret"


def test_the_sweep_signals_nobody_who_is_no_child_and_bears_no_token(tmp_path):
    found = subprocess.run(
        ["sh", "-c", "sleep 600 >/dev/null 2>&1 & echo $!"],
        capture_output=True,
        text=True,
        check=True,
    )
    decoy = int(found.stdout)
    try:
        keeper._signal_left(decoy, secrets.token_hex(16), signal.SIGKILL)
        assert not keeper.is_zombie(decoy)
        ours = subprocess.Popen(["sleep", "600"])
        keeper._signal_left(ours.pid, secrets.token_hex(16), signal.SIGKILL)
        assert ours.wait(300) == -signal.SIGKILL
    finally:
        os.kill(decoy, signal.SIGKILL)


def test_a_keeper_of_an_lrtui_in_another_place_is_known_as_one(tmp_path, launcher, monkeypatch):
    elsewhere = tmp_path / "old/lrtui"
    elsewhere.mkdir(parents=True)
    (elsewhere / "keeper.py").write_bytes(Path(keeper.__file__).read_bytes())
    started = job(tmp_path, "sleep", "600")
    monkeypatch.setattr("lrtui.workers.local.KEEPER", str(elsewhere / "keeper.py"))
    launcher.launch(started)
    worker = until(lambda: worker_pid(launcher, started))
    monkeypatch.undo()
    # before its exec the worker looks like its keeper, and is left alone
    until(lambda: launcher.send(started.root, started.token, signal.SIGKILL) == 1)
    assert over(launcher, started) == Exited(None, signal.SIGKILL)
    assert keeper.is_zombie(worker)
