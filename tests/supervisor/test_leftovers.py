"""A supervisor that starts removes what killed processes left half written, and nothing else."""

from __future__ import annotations

import os
import subprocess

from lrtui.supervisor import leftovers


def test_only_abandoned_temporary_files_are_removed(tmp_path):
    dead = subprocess.Popen(["true"])
    dead.wait()
    attempt = tmp_path / "r01-lr1e-03" / "a1"
    for folder in (attempt / "checkpoint", tmp_path / "inbox"):
        folder.mkdir(parents=True)
    gone = [
        attempt / f"exit.json.{dead.pid}.tmp",
        tmp_path / f"owner.json.{dead.pid}.tmp",
        tmp_path / "inbox" / ".01795000000000000000-0a1b2c3d",
    ]
    kept = [
        attempt / f"pid.json.{os.getpid()}.tmp",  # its writer lives
        tmp_path / f"report.md.{dead.pid}.tmp",  # of this moment
        attempt / "checkpoint" / f"own.{dead.pid}.tmp",  # the worker's own
        attempt / "notes.tmp",
    ]
    for path in gone + kept:
        path.write_text("x")
        os.utime(path, (1, 1))
    os.utime(kept[1])
    link = tmp_path / f"link.{dead.pid}.tmp"
    link.symlink_to(attempt, target_is_directory=True)
    assert leftovers.remove(tmp_path) == 3
    assert not any(path.exists() for path in gone)
    assert all(path.exists() for path in [*kept, link])
