"""Disks that are full, cut off or read-only: on a real file system of their own."""

import json
import os
import sys
from contextlib import suppress
from pathlib import Path

import pytest

from lrtui.sweep import events as ev
from lrtui.sweep.layout import Layout
from lrtui.workers import keeper
from tests.faults.labs import careful
from tests.faults.oracle import acknowledged, seen, sound
from tests.supervisor.chaos import supervisor_pid
from tests.supervisor.lab import Lab
from tests.until import until


@pytest.fixture
def small(lab, disk):
    """A lab whose experiment lies on a disk of its own and whose oracle does not."""
    lab.directory = disk.place / "run"
    yield lab
    lab.clean_up()


def test_a_full_disk_stops_nothing_that_runs_and_the_sweep_goes_on_when_there_is_room(small, disk):
    """Journal, metric lines, checkpoints, output, answers: all in one place, all full."""
    small.hold(3)
    small.start(words=careful(small), steps=60, lrs="1e-3, 3e-4, 1e-4")
    small.running(steps=3)
    disk.fill()
    events = small.sweep.n
    small.hold(40)
    letter = Layout(small.directory).inbox / "00000000000000000001-aaaaaaaa.json"
    with pytest.raises(OSError, match="No space"):
        (letter.parent / "big").write_bytes(b"x" * 100_000)
    (letter.parent / "big").unlink(missing_ok=True)  # the supervisor may have been quicker
    pid = supervisor_pid(small.directory)
    until(lambda: "No space" in _output(small) or small.told() == 40)
    assert supervisor_pid(small.directory) == pid
    assert small.run().alive
    disk.empty()
    small.release()
    assert small.closed().code == 0
    assert small.sweep.n > events
    sound(small)
    assert all(
        (small.directory / run.folder / "run.json").exists() for run in small.sweep.runs.values()
    )


def test_a_disk_that_is_full_at_the_start_is_waited_for(small, disk):
    """The worst moment: the supervisor has died, and the next one cannot write that it is there."""
    small.hold(3)
    small.start(words=careful(small), steps=40, lrs="1e-3, 3e-4")
    small.running(steps=3)
    small.kill_supervisor()
    disk.fill()
    small.release()
    small.revive()
    pid = until(lambda: supervisor_pid(small.directory))
    until(lambda: "No space" in _log(small), 15)
    assert supervisor_pid(small.directory) == pid
    disk.empty()
    assert small.closed().code == 0
    sound(small)


def test_with_little_room_nothing_new_is_launched_and_that_is_said(small, disk):
    small.hold(2)
    small.start(words=careful(small), steps=20, lrs="1e-3, 3e-4, 1e-4")
    small.running("r01", 2)
    small.running("r02", 2)
    disk.fill(but=20 << 20)
    small.release()
    warned = until(lambda: [e.text for e in small.events("Warned") if "MiB are free" in e.text])
    assert len(warned) == 1
    until(lambda: not small.sweep.alive())
    assert len(small.sweep.queued()) == 1
    disk.empty()
    assert small.closed().code == 0
    sound(small)


FAILS_ON_DEMAND = """
import os, sys
print('{"step": 1, "val_acc": 0.5, "train_loss": 1.0}', flush=True)
with open(sys.argv[1]): pass
os._exit(7)
"""


def test_an_exit_code_outlives_a_full_disk(small, disk):
    """The keeper cannot write exit.json, and cannot even say so in the supervisor's log."""
    gate = small.folder / "gate"
    os.mkfifo(gate)
    script = small.folder / "fails.py"
    script.write_text(FAILS_ON_DEMAND)
    small.start(words=[sys.executable, str(script), str(gate)], steps=3)
    attempt = until(lambda: (run := small.run()) and run.state == "running" and run.attempts[-1])
    root = Layout(small.directory).attempt(small.run().folder, 1)
    until(lambda: (root / "output.log").read_bytes().endswith(b"\n"))
    disk.fill()
    with Layout(small.directory).log.open("ab", buffering=0) as log, suppress(OSError):
        while log.write(b"x" * 64):  # until the last block of the log is full too
            pass
    gate.open("w").close()
    until(lambda: attempt.pid is None or keeper.is_zombie(attempt.pid))
    until(lambda: not (root / "exit.json").exists() and keeper.bearers(attempt.token))
    disk.empty()
    small.closed()
    assert (small.run().ending.kind, small.run().ending.code) == ("failed", 7)
    assert len(small.run().attempts) == 1


def test_a_report_that_has_no_room_is_said_and_written_when_there_is_some(small, disk, charts):
    small.start(words=careful(small), steps=5)
    small.closed()
    until(Layout(small.directory).report_json.exists)
    small.kill_supervisor()
    before = (small.directory / "report.json").read_bytes()
    disk.fill()
    refused = small.lrtui("report", str(small.directory), "--html")
    assert refused.returncode in (0, 5), refused
    assert "Traceback" not in refused.stderr
    if refused.returncode:
        assert "space" in refused.stderr.lower()
    disk.empty()
    assert small.lrtui("report", str(small.directory), "--html").returncode == 0
    assert json.loads((small.directory / "report.json").read_bytes())["leaderboard"]
    assert json.loads(before)["leaderboard"]


def test_a_full_disk_says_itself_to_who_sends_a_command(small, disk):
    small.hold(2)
    small.start(words=careful(small), steps=400)
    small.running(steps=2)
    disk.fill()
    refused = small.lrtui("kill", str(small.directory), "r01")
    assert refused.returncode != 0
    assert "Traceback" not in refused.stderr
    disk.empty()
    small.send(ev.KillRun(run="r01"))  # refused where the first one still found a free block
    small.closed()
    sound(small, kinds=("killed",))


@pytest.mark.parametrize("cut_at", [1, 4, 9])
def test_a_power_cut_loses_nothing_that_was_promised(small, disk, cut_at):
    """The journal is flushed before its effects, so whoever was told of a step was launched in the journal too."""
    small.hold(cut_at)
    small.start(
        words=careful(small), steps=14, lrs="1e-3, 3e-4, 1e-4", extra='durability = "strict"'
    )
    small.running(steps=cut_at)
    done = small.send(ev.SetParallel(parallel=1))
    small.release()
    told = acknowledged(small)
    disk.cut_power()
    _all_die(small)
    # ext4 lets an fsync that is under way during the shutdown return 0; no machine without power could tell of it.
    in_the_cut = acknowledged(small) - told
    disk.unmount()
    disk.mount()
    launched = {event.token[:6] for event in small.events("RunLaunched")}
    assert {token for token, _ in told} <= launched
    assert done.ok
    assert [event.parallel for event in small.events("ParallelSet")][-1] == 1
    assert told - seen(small) == set()  # durability = "strict": each line is flushed
    small.revive()
    assert small.closed().code == 0
    sound(small, lines=False)
    assert acknowledged(small) - in_the_cut - seen(small) == set()


def test_a_read_only_disk_is_for_looking(small, disk):
    small.start(words=careful(small), steps=3)
    small.closed()
    small.kill_supervisor()
    disk.unmount()
    disk.mount("loop,ro")
    looked = small.lrtui("status", str(small.directory))
    assert looked.returncode == 0, looked.stderr
    assert "1 ended" in looked.stdout or "finished" in looked.stdout
    refused = small.lrtui("restart", str(small.directory), "r01")
    assert refused.returncode == 6
    assert "ead-only" in refused.stderr
    assert "Traceback" not in small.lrtui("report", str(small.directory)).stderr


def _output(lab: Lab) -> str:
    return "".join(file.read_text() for file in lab.directory.glob("*/a1/output.log"))


def _log(lab: Lab) -> str:
    """Return what the supervisor says; on a full disk its log holds nothing, so its own waiting is looked at too."""
    text = Layout(lab.directory).log.read_text()
    pid = supervisor_pid(lab.directory)
    waits = pid is not None and not Layout(lab.directory).beat.exists()
    return text + ("No space" if waits else "")


def _all_die(lab: Lab) -> None:
    """End supervisor, keepers and workers as the missing power does."""
    found = [supervisor_pid(lab.directory), *_of(lab.directory)]
    for pid in found:
        if pid:
            with suppress(ProcessLookupError):
                os.kill(pid, 9)
    until(lambda: not [pid for pid in found if pid and Path(f"/proc/{pid}/exe").exists()])


def _of(directory: Path) -> list[int]:
    """Return the processes whose environment names this directory."""
    wanted = f"LRTUI_ATTEMPT_DIR={directory}".encode()
    found = []
    for name in filter(str.isdigit, os.listdir("/proc")):
        try:
            if wanted in Path(f"/proc/{name}/environ").read_bytes():
                found.append(int(name))
        except OSError:
            continue
    return found
