"""Directories of format 1 under a supervisor of today: resumed from their checkpoints, and adopted while their runs live."""

from __future__ import annotations

import json
import os
import shutil
import socket
from pathlib import Path

from lrtui.sweep import events as ev
from lrtui.sweep.layout import FORMAT, Layout
from tests.supervisor.lab import Lab
from tests.until import until

RECORDED = Path(__file__).parent.parent / "data" / "format1"


def moved_here(lab: Lab, name: str) -> Lab:
    """Copy a recorded directory and make it one of this machine."""
    shutil.copytree(RECORDED / name, lab.directory)
    layout = Layout(lab.directory)
    here = f'"host":"{socket.gethostname()}","inode":{os.stat(lab.directory).st_ino}'
    journal = layout.journal.read_text().replace('"host":"lab","inode":1', here)
    layout.journal.write_text(journal)
    origin = {"source": str(RECORDED / f"{name}.toml"), "cwd": str(RECORDED), "python": "python3"}
    layout.origin.write_text(json.dumps(origin))
    for folder in (layout.inbox, layout.done):
        folder.mkdir()
    return lab


def as_format1(lab: Lab) -> None:
    """Turn a directory in which runs have only been queued and started into one of format 1: those lines are the same in both."""
    layout = Layout(lab.directory)
    lines = [json.loads(line) for line in layout.journal.read_text().splitlines()]
    kinds = {"SweepOpened", "RunQueued", "RunLaunched", "RunStarted"}
    assert {line["event"] for line in lines} <= kinds
    layout.journal.write_text("".join(json.dumps({**line, "v": 1}) + "\n" for line in lines))
    layout.format.write_text("1\n")


def test_a_stopped_sweep_goes_on_from_its_checkpoints(lab):
    moved_here(lab, "stopped")
    before = lab.sweep
    paused = {run.id for run in before.runs.values() if run.state == "paused"}
    assert paused
    assert lab.send(ev.ReopenSweep()).ok
    assert lab.closed(120).code == 0
    after = lab.sweep
    assert {run.ending.kind for run in after.runs.values()} == {"finished"}
    assert {after.runs[run].attempts[-1].resumed_from for run in paused} == {1}
    assert Layout(lab.directory).format.read_text() == f"{FORMAT}\n"
    assert after.verdict.lr == 1e-2


def test_runs_that_live_are_adopted_and_can_be_ended(lab):
    lab.start(lrs="1e-3, 3e-4", steps=30_000)
    before = lab.running(steps=3)
    lab.running("r02", steps=3)
    lab.kill_supervisor()
    as_format1(lab)
    lab.revive()
    until(lambda: len(lab.events("RunAdopted")) == 2, 60)
    assert lab.run().attempts[0].pid == before.attempts[0].pid
    seen = lab.told()
    until(lambda: lab.told() > seen + 3)
    for run in ("r01", "r02"):
        assert lab.send(ev.KillRun(run=run, attempt=1)).ok
    assert {run.ending.kind for run in lab.sweep.runs.values()} == {"killed"}
    assert [len(run.attempts) for run in lab.sweep.runs.values()] == [1, 1]
    assert lab.doubled() == []
    assert lab.left() == []
