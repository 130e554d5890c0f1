"""Workers that a preloaded process forks: nothing can tell them from others, and nothing depends on it."""

import dataclasses
import json
import os
import secrets
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from lrtui.workers import forkserver, forkserver_client, keeper
from lrtui.workers.launcher import Alive, Exited, Job
from lrtui.workers.local import Local, read_pid
from tests.until import until

SHARED = {"PYTHONUNBUFFERED": "1", "OMP_NUM_THREADS": "1"}
PROBE = """
import json, os, signal, sys, threading
from pathlib import Path
print(json.dumps({
    "argv": sys.argv[1:], "name": __name__, "cwd": os.getcwd(), "first": sys.path[0],
    "tty": os.isatty(0), "leads": os.getsid(0) == os.getpid(), "threads": threading.active_count(),
    "LRTUI_LR": os.environ["LRTUI_LR"],
    "shown": Path("/proc/self/environ").read_bytes().count(b"LRTUI_TOKEN=" + os.environ["LRTUI_TOKEN"].encode()),
    "command": Path("/proc/self/cmdline").read_bytes().rstrip(b"\\0").decode().split("\\0")[1:],
    "signals": [int(signal.getsignal(n) or 0) if n != signal.SIGINT else signal.getsignal(n).__name__
                for n in (signal.SIGTERM, signal.SIGHUP, signal.SIGPIPE, signal.SIGCHLD, signal.SIGINT)],
    "blocked": len(signal.pthread_sigmask(signal.SIG_BLOCK, ())),
    "links": sorted(os.readlink(f"/proc/self/fd/{n}").partition(":")[0] for n in os.listdir("/proc/self/fd")
                    if os.path.exists(f"/proc/self/fd/{n}")),
}))
"""


LEAVING = """
import atexit, subprocess, threading
subprocess.Popen(['sleep', '600'], start_new_session=True)
atexit.register(print, 'bye')
over = threading.Event()
threading.Thread(target=lambda: (over.wait(), print('thread'))).start()
file = open('left-open', 'w')
file.write('whole')
over.set()
"""


@pytest.fixture
def launcher():
    """A launcher whose preloaded process has imported and waits."""
    yield (made := ready())
    made._preloaded.end()


def ready(*modules: str) -> Local:
    launcher = Local()
    launcher.preload(modules or ("decimal",), SHARED)
    until(lambda: launcher._preloaded.poll() or not launcher._preloaded._asked, 60)
    return launcher


def job(folder: Path, code: str, *words: str, preloaded: bool = True, **spec) -> Job:
    root = folder / f"a{len(list(folder.glob('a*'))) + 1}"
    root.mkdir()
    (folder / "worker.py").write_text(code)
    argv = [sys.executable, "-m", "worker", *words]
    (root / "argv.json").write_text(json.dumps({"argv": argv, "cwd": str(folder), **spec}))
    return Job(root, secrets.token_hex(16), {**SHARED, "LRTUI_LR": "1e-3"}, preloaded=preloaded)


def over(launcher: Local, started: Job) -> Exited:
    return until(
        lambda: isinstance(c := launcher.condition(started.root, started.token), Exited) and c
    )


def parent_of(pid: int) -> int:
    return int(Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()[1])


def who(launcher: Local, started: Job):
    until(lambda: isinstance(launcher.condition(started.root, started.token), Alive))
    return until(lambda: read_pid(started.root / "pid.json", started.token))


def test_a_forked_worker_finds_what_a_started_one_finds(tmp_path, launcher):
    forked = job(tmp_path, PROBE, "--lr=1e-3", "two words")
    plain = job(tmp_path, PROBE, "--lr=1e-3", "two words", preloaded=False)
    found = []
    for started in (forked, plain):
        launcher.launch(started)
        assert over(launcher, started) == Exited(0, None)
        said = (started.root / "output.log").read_text()
        found.append(json.loads(said.replace(str(started.root), "ATTEMPT")))
    assert found[0] == found[1]
    assert found[0]["argv"] == ["--lr=1e-3", "two words"]
    assert found[0]["shown"] == 1


def test_a_worker_is_forked_and_its_keeper_is_found_by_the_token(tmp_path, launcher):
    started = job(tmp_path, "import time; time.sleep(600)")
    launcher.launch(started)
    found = who(launcher, started)
    assert parent_of(found.keeper) == launcher._preloaded._process.pid
    assert sorted(keeper.bearers(started.token)) == sorted([found.keeper, found.worker])
    assert launcher.condition(started.root, started.token) == Alive(found.worker, kept=True)
    # before its exec the worker looks like its keeper, and is left alone
    until(lambda: launcher.send(started.root, started.token, signal.SIGKILL) == 1)
    assert over(launcher, started) == Exited(None, signal.SIGKILL)


@pytest.mark.parametrize(
    ("code", "ending"),
    [
        ("raise SystemExit(3)", Exited(3, None)),
        ("raise SystemExit('no data')", Exited(1, None)),
        ("raise SystemExit", Exited(0, None)),
        ("1 / 0", Exited(1, None)),
        ("import os, signal; os.kill(os.getpid(), signal.SIGSEGV)", Exited(None, signal.SIGSEGV)),
    ],
)
def test_every_ending_arrives(tmp_path, launcher, code, ending):
    started = job(tmp_path, code)
    launcher.launch(started)
    assert over(launcher, started) == ending


def test_what_a_worker_leaves_to_the_end_is_done_and_what_it_leaves_behind_is_ended(
    tmp_path, launcher
):
    started = job(tmp_path, LEAVING)
    launcher.launch(started)
    assert over(launcher, started) == Exited(0, None)
    assert (started.root / "output.log").read_text() == "thread\nbye\n"
    assert (tmp_path / "left-open").read_text() == "whole"
    until(lambda: not keeper.bearers(started.token), 3)


def test_a_working_directory_that_is_gone_is_said_in_the_output(tmp_path, launcher):
    started = job(tmp_path, "", cwd=str(tmp_path / "gone"))
    launcher.launch(started)
    assert over(launcher, started) == Exited(127, None)
    assert "gone" in (started.root / "output.log").read_text()


def test_a_worker_outlives_the_preloaded_process_which_comes_back(tmp_path, launcher):
    first = job(tmp_path, "import os, time\nwhile not os.path.exists('end'): time.sleep(0.01)")
    launcher.launch(first)
    who(launcher, first)
    process = launcher._preloaded._process
    process.kill()
    process.wait()
    second = job(tmp_path, "")
    launcher.launch(second)
    assert launcher._preloaded._process.pid != process.pid
    assert over(launcher, second) == Exited(0, None)
    (tmp_path / "end").touch()
    assert over(launcher, first) == Exited(0, None)


def test_what_a_killed_one_was_asked_is_launched_again_and_runs_once(tmp_path, launcher):
    process = launcher._preloaded._process
    process.send_signal(signal.SIGSTOP)
    started = job(tmp_path, "open('began', 'a').write('x')")
    launcher.launch(started)
    launcher.launch(started)  # its lock is on the way
    assert launcher.condition(started.root, started.token) == Alive(None, kept=False)
    process.kill()
    process.wait()
    launcher.launch(started)
    assert over(launcher, started) == Exited(0, None)
    assert (tmp_path / "began").read_text() == "x"


def test_one_that_does_not_answer_is_ended_and_not_started_again(tmp_path, launcher, monkeypatch):
    process = launcher._preloaded._process
    process.send_signal(signal.SIGSTOP)
    started = job(tmp_path, "open('began', 'a').write('x')")
    launcher.launch(started)
    impatient = dataclasses.replace(forkserver_client.TIMING, preload=1e-9)
    monkeypatch.setattr(forkserver_client, "TIMING", impatient)
    launcher.condition(started.root, started.token)
    assert process.poll() == -signal.SIGKILL
    launcher.launch(started)
    assert over(launcher, started) == Exited(0, None)
    assert launcher._preloaded._process is None
    assert (tmp_path / "began").read_text() == "x"


def test_one_that_cannot_import_leaves_the_work_to_others(tmp_path, capfd):
    launcher = Local()
    launcher.preload(("no_such_module",), SHARED)
    started = job(tmp_path, "print('worked')")
    launcher.launch(started)
    until(lambda: launcher._preloaded.poll() or launcher._preloaded._process is None)
    launcher.launch(started)
    assert over(launcher, started) == Exited(0, None)
    assert launcher._preloaded._process is None
    assert "no_such_module" in capfd.readouterr().err


def test_it_ends_with_its_supervisor(tmp_path):
    supervisor = os.fork()
    if supervisor == 0:
        launcher = ready()
        (tmp_path / "pid").write_text(str(launcher._preloaded._process.pid))
        os._exit(0)
    os.waitpid(supervisor, 0)
    pid = int((tmp_path / "pid").read_text())
    until(lambda: keeper.is_zombie(pid), 5)


def test_it_is_ended_in_the_middle_of_an_import(tmp_path, monkeypatch):
    """A request meanwhile harms nothing; with its socket it ends at once, and the next job starts another."""
    (tmp_path / "endless.py").write_text("""
import os, time
open("/proc/self/comm", "w").write("importing")
while not os.path.exists(os.path.join(os.path.dirname(__file__), "end")): time.sleep(0.01)
""")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path), prepend=os.pathsep)
    launcher = Local()
    launcher.preload(("endless",), SHARED)
    first = launcher._preloaded._process
    until(lambda: Path(f"/proc/{first.pid}/comm").read_text() == "importing\n")
    started = job(tmp_path, "open('began', 'a').write('x')")
    launcher.launch(started)
    assert launcher.condition(started.root, started.token) == Alive(None, kept=False)
    launcher._preloaded._link.close()
    until(lambda: first.poll() is not None)
    assert first.returncode == 0
    launcher.unload()
    (tmp_path / "end").touch()
    launcher.launch(started)
    assert over(launcher, started) == Exited(0, None)
    assert launcher._preloaded._process is not None
    assert (tmp_path / "began").read_text() == "x"
    launcher.unload()


def test_torch_is_imported_before_the_fork_and_cuda_is_not_touched(tmp_path):
    from lrtui.train import IMPORTS

    launcher = ready(*IMPORTS)
    code = """
import sys; before = "torch" in sys.modules
import os, torch
print(before, torch.cuda.is_initialized(), torch.cuda._is_in_bad_fork(), "torch._dynamo" in sys.modules)
print(len(os.listdir(f"/proc/{os.getppid()}/task")), any("nvidia" in os.readlink(f"/proc/self/fd/{n}") for n in os.listdir("/proc/self/fd")[:-1]))
"""
    started = job(tmp_path, code)
    launcher.launch(started)
    assert over(launcher, started) == Exited(0, None)
    assert (started.root / "output.log").read_text().split() == [
        *("True", "False", "False", "True"),
        *("1", "False"),
    ]
    launcher._preloaded.end()


def test_the_words_of_a_command_line_that_has_no_room_are_cut_off():
    assert len(forkserver.PADDING) >= 4096
    code = (
        "from lrtui.workers.forkserver import _areas; begin, end, _, _ = _areas(); "
        "assert len(open('/proc/self/cmdline', 'rb').read()) == end - begin"
    )  # in a process of its own: pytest-xdist gives this one another title
    subprocess.run([sys.executable, "-c", code], check=True)
