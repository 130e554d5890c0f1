"""What happens to the machine around a sweep: a stopped supervisor, an upgrade, a terminal that goes away, a GPU that vanishes."""

import os
import pty
import shutil
import signal
import sys
from pathlib import Path

import pytest

import lrtui
from lrtui.errors import NoAnswerError
from lrtui.sweep import events as ev
from lrtui.sweep.layout import Layout
from lrtui.sweep.mailbox import _drop
from lrtui.workers import keeper
from tests.conftest import SHORT
from tests.faults.labs import careful
from tests.faults.oracle import sound
from tests.supervisor.chaos import supervisor_pid
from tests.until import until

TREE = """
import multiprocessing, os, signal, subprocess, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
def wait():
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    time.sleep(600)
if __name__ == "__main__":
    if os.fork() == 0:
        wait()
    subprocess.Popen(["sleep", "600"], start_new_session=True)
    subprocess.Popen(["sleep", "600"], start_new_session=True, env={})
    for way in ("spawn", "forkserver"):
        multiprocessing.get_context(way).Process(target=wait).start()
    print('{"step": 1, "val_acc": 0.5, "train_loss": 1}', flush=True)
    wait()
"""


def test_commands_to_a_stopped_supervisor_wait_run_once_or_expire(lab):
    lab.hold(2)
    lab.start(words=careful(lab), steps=400, lrs="1e-3, 3e-4")
    lab.running("r01", 2)
    lab.running("r02", 2)
    pid = supervisor_pid(lab.directory)
    os.kill(pid, signal.SIGSTOP)
    try:
        with pytest.raises(NoAnswerError, match="no answer yet"):
            lab.send(ev.KillRun(run="r01"), timeout=0.1)
        late = _drop(Layout(lab.directory), ev.KillRun(run="r02", expires=1e-9))
        lab.hold(4)
        until(lambda: lab.told() == 4)  # the runs do not notice
    finally:
        os.kill(pid, signal.SIGCONT)
    until(lambda: lab.run("r01").ending)
    answer = until(lambda: _text(Layout(lab.directory).done / f"{late}.json"))
    assert "expired" in answer
    assert lab.run("r02").alive
    assert len([e for e in lab.events("RunStopping") if e.run == "r01"]) == 1
    assert supervisor_pid(lab.directory) == pid
    assert lab.send(ev.KillRun(run="r02")).ok
    lab.closed()
    sound(lab, kinds=("killed",))


def test_an_upgrade_under_a_living_sweep_harms_no_run(lab, monkeypatch):
    """The package is taken away and comes back as another: what runs goes on, what could not be launched meanwhile is."""
    package = lab.folder / "site" / "lrtui"
    shutil.copytree(
        Path(lrtui.__file__).parent, package, ignore=shutil.ignore_patterns("__pycache__")
    )
    monkeypatch.setenv("PYTHONPATH", str(package.parent))
    lab.hold(2)
    lab.start(words=careful(lab), steps=40, lrs="1e-3, 3e-4, 1e-4, 3e-5")
    pid = until(lambda: supervisor_pid(lab.directory))
    assert str(package.parent) in Path(f"/proc/{pid}/environ").read_text()
    lab.running("r01")
    lab.running("r02")  # both have imported what they need
    package.rename(lab.folder / "old")
    lab.send(ev.KillRun(run="r01"))  # its place is free, and there is no keeper to launch
    until(lambda: lab.run("r03").attempts)
    shutil.copytree(lab.folder / "old", package)
    changed = package / "__init__.py"
    changed.write_text(changed.read_text() + '\n__version__ = "99.0"\n')
    until(lambda: lab.run("r03").attempts[-1].pid or lab.run("r03").ending)
    lab.release()
    lab.kill_supervisor()
    lab.revive()
    lab.closed()
    assert '"99.0"' in Layout(lab.directory).owner.read_text()
    sound(lab, kinds=("finished", "killed"))


def test_a_terminal_session_that_hangs_up_takes_no_run_with_it(lab):
    lab.hold(3)
    file = lab.toml(words=careful(lab), steps=100)
    pid, master = pty.fork()
    if pid == 0:
        os.chdir(lab.folder)
        os.execv(
            sys.executable,
            [sys.executable, "-m", "lrtui", str(file), "--dir", str(lab.directory)],
        )
    os.set_blocking(master, False)
    try:
        until(lambda: _drained(master) and lab.directory.exists() and lab.told() == 3)
        found = supervisor_pid(lab.directory)
        os.killpg(pid, signal.SIGHUP)
    finally:
        os.close(master)
    until(lambda: os.waitpid(pid, os.WNOHANG)[0] == pid)
    lab.hold(5)
    until(lambda: lab.told() == 5)
    assert supervisor_pid(lab.directory) == found
    lab.release()
    assert lab.closed().code == 0
    sound(lab)


def test_nothing_of_a_tree_is_left_by_a_stop(lab, monkeypatch):
    """fork, spawn, forkserver, setsid, setsid without the token; all deaf to SIGTERM. 100 of them: `tests.faults.figures`."""
    monkeypatch.setenv("LRTUI_TIMING", f"{SHORT},grace=0.5")
    script = lab.folder / "tree.py"
    script.write_text(TREE)
    lab.start(words=[sys.executable, str(script)], steps=5, lrs="1e-3, 3e-4, 1e-4, 3e-5")
    everybody = set()
    for run in ("r01", "r02", "r03", "r04"):
        token = until(lambda run=run: (r := lab.run(run)) and r.attempts and r.attempts[-1].token)
        found = until(lambda token=token: len(b := keeper.bearers(token)) >= 8 and b, 30)
        children = [child for pid in found for child in keeper.children(pid)]
        everybody |= {*found, *children}
        assert lab.send(ev.KillRun(run=run)).ok
    lab.closed()
    sound(lab, kinds=("killed",), lines=False)
    until(lambda: all(keeper.is_zombie(pid) for pid in everybody), 10)


def test_a_gpu_that_vanishes_is_said_by_the_run_that_needed_it(lab):
    """Where there is no GPU the words of CUDA stand in for it."""
    code = (
        'import sys; print(\'{"step": 1, "val_acc": 0.1, "train_loss": 1}\', flush=True); '
        "sys.exit('RuntimeError: CUDA error: no CUDA-capable device is detected')"
    )
    script = lab.folder / "gpu.py"
    script.write_text(code)
    lab.start(words=[sys.executable, str(script)], steps=3, lrs="1e-3, 3e-4")
    assert lab.closed().code == 1
    assert "no CUDA-capable device" in lab.run().ending.why
    sound(lab, kinds=("failed",))


def _drained(master: int) -> bool:
    """Read what the terminal would show, so that the monitor is not held up."""
    try:
        os.read(master, 1 << 20)
    except BlockingIOError:
        return True
    except OSError:
        pytest.fail("the monitor ended by itself")
    return True


def _text(path: Path) -> str:
    return path.read_text() if path.exists() else ""
