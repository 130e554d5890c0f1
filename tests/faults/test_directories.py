"""Directories that are deleted, replaced, of another boot, host or user: nothing foreign is signalled, nothing doubled."""

import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from lrtui.config.directory import open_experiment
from lrtui.sweep.layout import Layout
from lrtui.workers import keeper
from tests.faults.labs import careful
from tests.faults.oracle import sound
from tests.supervisor.chaos import supervisor_pid
from tests.supervisor.lab import Lab
from tests.until import until


def test_a_deleted_run_directory_harms_no_other_run(lab):
    lab.hold(3)
    lab.start(words=careful(lab), steps=10, lrs="1e-3, 3e-4, 1e-4")
    run = lab.running("r01", steps=3)
    _delete(lab.directory / run.folder)
    lab.release()
    assert lab.closed().code == 0
    sound(lab, lines=False)
    assert lab.run("r02").attempts[0].number == len(lab.run("r02").attempts)
    assert lab.run("r03").ending.kind == "finished"


def test_a_run_directory_that_is_deleted_with_its_processes_is_a_loss_that_is_made_good(lab):
    lab.hold(3)
    lab.start(words=careful(lab), steps=10, lrs="1e-3, 3e-4")
    run = lab.running("r01", steps=3)
    who = json.loads((lab.directory / run.folder / "a1" / "pid.json").read_text())
    lab.kill_supervisor()
    for pid in (who["keeper"], who["worker"]):
        os.kill(pid, 9)
    until(lambda: not keeper.bearers(run.attempts[-1].token))
    _delete(lab.directory / run.folder)
    lab.release()
    lab.revive()
    assert lab.closed().code == 0
    assert [event.run for event in lab.events("RunLost")] == ["r01"]
    sound(lab, lines=False)


def test_a_deleted_experiment_directory_ends_its_supervisor_and_no_run(lab):
    lab.hold(3)
    lab.start(words=careful(lab), steps=80)
    run = lab.running(steps=3)
    pid = supervisor_pid(lab.directory)
    token = run.attempts[-1].token
    _delete(lab.directory)
    until(lambda: not _lives(pid))
    lab.release()
    until(lambda: lab.told() > 3)
    until(lambda: not keeper.bearers(token), 30)
    assert not lab.directory.exists()
    assert lab.doubled() == []


def test_a_directory_in_the_place_of_another_is_not_written_into(lab):
    lab.hold(3)
    lab.start(words=careful(lab), steps=80)
    lab.running(steps=3)
    pid = supervisor_pid(lab.directory)
    moved = lab.folder / "moved"
    lab.directory.rename(moved)
    other = Lab(_made(lab.folder / "other"))
    try:
        open_experiment(
            other.toml(words=careful(other), steps=3, lrs="5e-4"),
            {},
            under=lab.directory,
            new=False,
        )
        names = sorted(os.listdir(lab.directory))
        until(lambda: not _lives(pid))
        assert sorted(os.listdir(lab.directory)) == names
        lab.revive()
        assert lab.closed().code == 0
        lab.release()
        until(lambda: lab.told() == 80)
        assert lab.doubled() == []
    finally:
        other.clean_up()
        lab.kill_supervisor()
        lab.directory = moved
        until(lambda: lab.left() == [], 20)


def test_recycled_pids_a_stale_owner_and_another_boot_are_seen_through(lab):
    """The machine was started again: every pid in the files is somebody else's now."""
    lab.hold(3)
    lab.start(words=careful(lab), steps=10)
    run = lab.running(steps=3)
    file = lab.directory / run.folder / "a1" / "pid.json"
    who = json.loads(file.read_text())
    lab.kill_supervisor()
    for pid in (who["keeper"], who["worker"]):
        os.kill(pid, 9)
    until(lambda: not keeper.bearers(run.attempts[-1].token))
    with subprocess.Popen(["sleep", "600"]) as stranger:
        start = keeper.start_time(stranger.pid)
        pids = {"worker": stranger.pid, "keeper": stranger.pid}
        who |= {**pids, "start": start, "keeper_start": start, "boot_id": "0" * 36}
        file.write_text(json.dumps(who))
        owner = json.loads(Layout(lab.directory).owner.read_text())
        owner |= {"pid": stranger.pid, "start": start, "boot_id": "0" * 36}
        Layout(lab.directory).owner.write_text(json.dumps(owner))
        lab.release()
        lab.revive()
        assert lab.closed().code == 0
        assert stranger.poll() is None
        stranger.kill()
    assert [event.why for event in lab.events("RunLost")] == ["its keeper and its worker are gone"]
    assert lab.run().attempts[1].resumed_from == 1
    sound(lab)


def test_another_host_may_look_and_not_command(lab):
    lab.hold(2)
    lab.start(words=careful(lab), steps=200)
    lab.running(steps=2)
    words = ["unshare", "--uts", "sh", "-c", 'hostname elsewhere && exec "$@"', "sh"]
    if not shutil.which("unshare") or subprocess.run([*words, "true"], check=False).returncode:
        pytest.skip("needs to pretend another host name")

    def there(*verb: str) -> subprocess.CompletedProcess[str]:
        command = [*words, sys.executable, "-m", "lrtui", *verb]
        return subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)

    assert there("status", str(lab.directory)).returncode == 0
    refused = there("kill", str(lab.directory), "r01")
    assert refused.returncode == 6
    assert "host" in refused.stderr
    assert lab.run().alive
    lab.lrtui("kill", str(lab.directory), "r01")
    lab.closed()
    sound(lab, kinds=("killed",))


def test_another_user_gets_in_nowhere(monkeypatch):
    if os.getuid() or not shutil.which("setpriv"):
        pytest.skip("needs to be root, to become somebody else")
    folder = Path(tempfile.mkdtemp(prefix="lrtui-user-"))
    folder.chmod(0o755)
    monkeypatch.chdir(folder)
    lab = Lab(folder)
    words = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]
    try:
        lab.start(words=careful(lab), steps=100_000)
        lab.running(steps=2)

        def stranger(*verb: str) -> subprocess.CompletedProcess[str]:
            command = [*words, sys.executable, "-B", "-m", "lrtui", *verb]
            env = {**os.environ, "HOME": "/nonexistent"}
            return subprocess.run(
                command, capture_output=True, text=True, timeout=300, check=False, env=env, cwd="/"
            )

        if stranger("--version").returncode:
            pytest.skip("this installation cannot be read by another user")
        for verb in (("kill", "r01"), ("stop",), ("status",), ("pause", "r01")):
            refused = stranger(verb[0], str(lab.directory), *verb[1:])
            assert refused.returncode != 0, verb
            assert "Traceback" not in refused.stderr, refused.stderr
        command = b'{"command":"KillRun","v":1,"run":"r01","sent":9e9,"expires":0.0}'
        file = Layout(lab.directory).inbox / "00000000000000000001-aaaaaaaa.json"
        part = file.with_name(".part")
        part.write_bytes(command)
        os.chown(part, 65534, 65534)
        part.rename(file)
        answer = until(lambda: _read(Layout(lab.directory).done / file.name))
        assert "another user" in answer
        assert lab.run().alive
    finally:
        lab.clean_up()
        shutil.rmtree(folder)


def _delete(folder: Path) -> None:
    """Delete a folder in which somebody still writes."""
    until(lambda: shutil.rmtree(folder, ignore_errors=True) or not folder.exists())


def _read(path: Path) -> str:
    return path.read_text() if path.exists() else ""


def _made(folder: Path) -> Path:
    folder.mkdir()
    return folder


def _lives(pid: int) -> bool:
    return not keeper.is_zombie(pid)
