"""What lies between a login node and the nodes: files that show late, clocks that differ, a full quota, and a second login node."""

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.faults.labs import careful
from tests.slurm.lab import TIMING
from tests.supervisor.chaos import supervisor_pid
from tests.until import until

HOUR = 3600
LATE_SECONDS = 2


def compiled(source: Path, folder: Path) -> Path:
    """Return a library for LD_PRELOAD; skip the test where none can be made."""
    library = folder / source.with_suffix(".so").name
    words = ["cc", "-shared", "-fPIC", "-o", str(library), str(source), "-ldl"]
    if not shutil.which("cc") or subprocess.run(words, check=False).returncode:
        pytest.skip("needs a C compiler")
    return library


@pytest.fixture
def nfs(far, monkeypatch):
    """Return the lines of [launcher] under which each node sees what others made only after a while, as the supervisor does."""
    library = compiled(Path(__file__).with_name("nfs.c"), far.lab.folder)
    try:
        os.setxattr(far.lab.folder, "user.side", b"")
    except OSError:
        pytest.skip("needs a file system with extended attributes")
    monkeypatch.setenv("NFS_ROOT", str(far.lab.directory))
    monkeypatch.setenv("NFS_SIDE", "login")
    monkeypatch.setenv("NFS_DELAY", str(LATE_SECONDS))
    monkeypatch.setenv("LD_PRELOAD", str(library))
    return "setup = 'export NFS_SIDE=$SLURMD_NODENAME'"


def test_files_that_show_late_lose_nothing(far, nfs):
    """On both ways: a job begins before it sees what it is to do, and Slurm calls it over before its ending is seen."""
    far.start(lrs="1e-3, 3e-4", steps=8, launcher=nfs)
    assert far.lab.closed().code == 0
    assert {len(run.attempts) for run in far.lab.sweep.runs.values()} == {1}
    far.sound()


@pytest.mark.parametrize("ahead", [HOUR, -HOUR])
def test_the_clocks_of_nodes_may_be_an_hour_off(far, ahead):
    library = compiled(Path(__file__).parent.parent / "faults" / "clock.c", far.lab.folder)
    clock = far.lab.folder / "clock"
    clock.write_text(str(ahead))
    setup = f"export LD_PRELOAD={library} TEST_CLOCK={clock}"
    far.lab.hold(4)
    far.start(words=careful(far.lab), lrs="1e-3, 3e-4", steps=8, launcher=f"setup = '{setup}'")
    far.lab.running("r01", 4)
    shown = far.lab.lrtui("status", str(far.lab.directory))
    assert (shown.returncode, shown.stderr) == (0, "")
    far.lab.release()
    assert far.lab.closed().code == 0
    spent = [event.seconds for event in far.lab.events("RunCharged")]
    assert all(0 <= seconds < HOUR / 2 for seconds in spent), spent
    far.sound()


def test_a_full_quota_loses_nothing_and_the_sweep_goes_on_when_there_is_room(far, disk):
    """The supervisor, agents and keepers wait for room."""
    far.lab.directory = disk.place / "run"
    far.lab.hold(4)
    far.start(words=careful(far.lab), lrs="1e-3, 3e-4", steps=80)
    try:
        far.lab.running("r01", 4)
        disk.fill()
        far.lab.hold(40)
        until(lambda: "No space" in output(far) or far.lab.told() == 40)
        assert not far.lab.run().ending
        disk.empty()
        far.lab.release()
        assert far.lab.closed().code == 0
        far.sound()
    finally:
        far.lab.clean_up()
        far.slurm.clear()


def output(far) -> str:
    run = far.lab.run()
    return (far.lab.directory / run.folder / "a1" / "output.log").read_text()


@pytest.mark.campaign
def test_of_two_login_nodes_one_steers_and_the_other_takes_over(far, monkeypatch, campaign):
    """The second has a name, processes and locks of its own, as behind NFS: it finds the lease taken. The campaign waits until it is left."""
    monkeypatch.setenv("LRTUI_TIMING", f"{TIMING},beat=0.5,lease=10")
    far.lab.hold(4)
    far.start(lrs="1e-3, 3e-4", steps=8)
    far.lab.running("r01", 4)
    first = supervisor_pid(far.lab.directory)
    refused = beside(far)
    until(lambda: refused.poll() is not None)
    assert supervisor_pid(far.lab.directory) == first
    if campaign:
        os.kill(first, signal.SIGKILL)
        until(lambda: supervisor_pid(far.lab.directory) is None)
        second = beside(far)
        until(lambda: len(far.lab.events("RunAdopted")) == 2)
        far.lab.revive()  # the first login node is opened again, and leaves the sweep to the second
    far.lab.release()
    assert far.lab.closed().code == 0
    assert ('"login2"' in (far.lab.directory / "owner.json").read_text()) is campaign
    assert far.lab.sweep.strange == 0
    assert len(far.submissions()) == 1
    far.sound()
    if campaign:
        second.kill()


def beside(far) -> subprocess.Popen:
    """Start a supervisor on another login node."""
    library = compiled(Path(__file__).with_name("nfs.c"), far.lab.folder)
    words = [sys.executable, "-m", "lrtui.supervisor", str(far.lab.directory)]
    apart = ["unshare", "--uts", "--pid", "--fork", "--kill-child", "--mount-proc"]
    if subprocess.run([*apart, "true"], check=False, capture_output=True).returncode:
        pytest.skip("may not make namespaces")
    return subprocess.Popen(
        [*apart, "sh", "-c", 'hostname login2; exec "$@"', "sh", *words],
        env={**os.environ, "LD_PRELOAD": str(library), "NFS_UNLOCKED": "1"},
        start_new_session=True,
    )
