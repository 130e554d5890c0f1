"""What front ends see of a directory: everything, early, safely, and without touching it."""

from __future__ import annotations

import dataclasses
import json
import os
import shutil
import subprocess
import sys
import time

import msgspec
import pytest

from lrtui.frontend.snapshot import DirectoryReader, Snapshot, view_only
from lrtui.sweep import events as ev
from tests import recorded
from tests.recorded import HOSTILE, STATES, make


def complete(watcher: DirectoryReader) -> Snapshot:
    snapshot = watcher.snapshot()
    while snapshot.reading:
        snapshot = watcher.snapshot()
    return snapshot


def append(directory, *events: ev.AnyEvent) -> None:
    with open(directory / "journal.jsonl", "ab") as file:
        for event in events:
            fields = {f: getattr(event, f) for f in event.__struct_fields__} | {"v": ev.VERSION}
            file.write(ev.encode(type(event)(**fields)) + b"\n")


def test_a_recorded_sweep_is_seen_as_it_was(tmp_path):
    directory = make(tmp_path / "sweep", STATES, beat=True)
    snapshot = complete(DirectoryReader(directory))
    assert snapshot.sweep.strange == 0
    assert {s.state for s in snapshot.standings} == set(STATES)
    assert (snapshot.supervisor, snapshot.view_only, snapshot.problem) == ("alive", "", "")
    assert snapshot.standings[0].state == "finished"
    assert snapshot.standings[0].value_at == 20
    assert "r07" not in snapshot.series  # queued
    assert snapshot.series["r02"].names()[:3] == ["lr", "train_loss", "val_loss"]
    assert len(snapshot.series["r02"].get("val_acc")) == 20


def test_the_same_arguments_record_the_same_bytes(tmp_path):
    first = make(tmp_path / "a" / "sweep", STATES, seeds=2, attempts=2)
    second = make(tmp_path / "b" / "sweep", STATES, seeds=2, attempts=2)

    def content(root):
        return {p.relative_to(root): p.read_bytes() for p in root.rglob("*") if p.is_file()}

    one, two = content(first), content(second)
    opened = one.pop(recorded.Path("journal.jsonl")).split(b"\n", 1)
    assert opened[1] == two.pop(recorded.Path("journal.jsonl")).split(b"\n", 1)[1]
    assert one == two


def test_what_is_appended_is_seen_at_the_next_look(tmp_path):
    directory = make(tmp_path / "sweep", ["running", "queued"])
    watcher = DirectoryReader(directory)
    before = complete(watcher)
    assert before.standings[0].level == 12
    with open(directory / "r01-lr1e-05" / "a1" / "metrics.jsonl", "ab") as file:
        file.write(b'{"epoch":13,"val_acc":0.9}\n')
    append(directory, ev.RunLaunched(run="r02", attempt=1, token="t", until=20))
    after = complete(watcher)
    assert after.standings[0].value == 0.9
    assert after.sweep.runs["r02"].state == "starting"
    assert before.sweep.runs["r02"].state == "queued"
    assert [type(e).__name__ for e in after.events] == ["RunLaunched"]


def test_attempts_are_merged_and_a_restarted_run_is_read_on(tmp_path):
    directory = make(tmp_path / "sweep", ["finished"], attempts=3)
    watcher = DirectoryReader(directory)
    snapshot = complete(watcher)
    assert list(snapshot.series["r01"].get("val_acc").x) == list(range(1, 21))
    assert not watcher._turns
    setting = snapshot.sweep.runs["r01"].setting
    append(
        directory,
        ev.RunQueued(run="r01", setting=setting, seed=0, until=20, origin="user"),
        ev.RunLaunched(run="r01", attempt=4, token="t", until=20),
    )
    (directory / "r01-lr1e-05" / "a4").mkdir()
    path = directory / "r01-lr1e-05" / "a4" / "metrics.jsonl"
    path.write_bytes(b'{"epoch":1,"val_acc":0.5}\n')
    snapshot = complete(watcher)
    assert list(snapshot.series["r01"].get("val_acc").x) == [1]
    assert snapshot.standings[0].value_at == 1


def test_what_a_given_up_attempt_wrote_on_is_shown(tmp_path):
    """On a cluster it may live on, and come to the end before the next one has begun."""
    directory = make(tmp_path / "sweep", ["running"])
    watcher = DirectoryReader(directory)
    setting = complete(watcher).sweep.runs["r01"].setting
    append(
        directory,
        ev.RunLost(run="r01", attempt=1, why="gone"),
        ev.RunQueued(run="r01", setting=setting, seed=0, until=20, resume=True),
        ev.RunLaunched(run="r01", attempt=2, token="t", until=20, resumed_from=1),
    )
    (directory / "r01-lr1e-05" / "a2").mkdir()
    assert complete(watcher).standings[0].level == 12
    with open(directory / "r01-lr1e-05" / "a1" / "metrics.jsonl", "ab") as file:
        file.write(b'{"epoch":20,"val_acc":0.9}\n')
    append(directory, ev.RunEnded(run="r01", attempt=2, kind="finished"))
    assert complete(watcher).standings[0].value_at == 20


def test_every_run_shows_something_before_any_is_complete(tmp_path):
    directory = recorded.dense(tmp_path / "sweep", 4, 8_000)
    watcher = DirectoryReader(directory)
    for _ in range(4):
        snapshot = watcher.snapshot(0.0)
    assert snapshot.reading
    lengths = [len(series) for series in snapshot.series.values()]
    assert min(lengths) > 0
    assert max(lengths) < 8_000
    assert all(len(series) == 8_000 for series in complete(watcher).series.values())


def test_a_thousand_queued_runs_cost_no_files(tmp_path):
    directory = make(tmp_path / "sweep", ["running"] + ["queued"] * 1000)
    watcher = DirectoryReader(directory)
    snapshot = complete(watcher)
    assert len(snapshot.standings) == 1001
    opened: list[str] = []
    watching = True
    sys.addaudithook(lambda event, args: watching and event == "open" and opened.append(args[0]))
    for _ in range(20):
        assert watcher.snapshot().standings is snapshot.standings
    watching = False  # a hook stays for ever
    assert len(opened) <= 20 * 3, opened


def test_it_writes_nothing(tmp_path):
    directory = make(tmp_path / "sweep")

    def stamp():
        return sorted((str(p), p.lstat().st_mtime_ns, p.lstat().st_size) for p in directory.rglob("*"))  # fmt: skip

    before = stamp()
    watcher = DirectoryReader(directory)
    complete(watcher)
    watcher.output("r01")
    watcher.settings("r01")
    assert stamp() == before


def test_a_supervisor_whose_clock_differs_is_alive_while_it_beats(tmp_path):
    directory = make(tmp_path / "sweep", ["queued"], beat=True)
    beat, hour = directory / "beat", time.time() - 3600
    reader = DirectoryReader(directory)
    os.utime(beat, (hour, hour))
    assert reader.snapshot().supervisor == "silent"
    os.utime(beat, (hour + 2, hour + 2))
    assert reader.snapshot().supervisor == "alive"


def test_a_clusters_sweep_can_be_commanded_from_any_host(tmp_path):
    directory = make(tmp_path / "sweep", ["queued"], elsewhere="host")
    sweep = complete(DirectoryReader(directory)).sweep
    assert view_only(directory, sweep).startswith("started on host")
    plan = msgspec.structs.replace(sweep.plan, launcher="slurm")
    assert view_only(directory, dataclasses.replace(sweep, plan=plan)) == ""


@pytest.mark.parametrize(
    ("elsewhere", "said"), [("", ""), ("host", "started on host another-host"), ("copy", "a copy")]
)
def test_a_copy_and_another_hosts_directory_are_for_viewing(tmp_path, elsewhere, said):
    directory = make(tmp_path / "sweep", ["finished"], elsewhere=elsewhere)
    assert DirectoryReader(directory).snapshot().view_only.startswith(said)
    if not elsewhere:
        shutil.copytree(directory, tmp_path / "copied")
        assert DirectoryReader(tmp_path / "copied").snapshot().view_only.startswith("a copy")


def test_a_directory_that_cannot_be_written_is_for_viewing(tmp_path, monkeypatch):
    directory = make(tmp_path / "sweep", ["finished"])
    monkeypatch.setattr(os, "access", lambda *_: False)
    assert DirectoryReader(directory).snapshot().view_only == "read-only"


def test_the_beat_tells_of_the_supervisor(tmp_path):
    directory = make(tmp_path / "sweep", ["running"])
    watcher = DirectoryReader(directory)
    assert watcher.snapshot().supervisor == "none"
    (directory / "beat").touch()
    assert watcher.snapshot().supervisor == "alive"
    os.utime(directory / "beat", (time.time() - 60,) * 2)
    assert watcher.snapshot().supervisor == "silent"


def test_damage_is_told_and_survived(tmp_path):
    directory = make(tmp_path / "sweep", STATES, hostile=True)
    journal = (directory / "journal.jsonl").read_bytes().split(b"\n")
    journal[5] = b"garbage \x1b[2J"
    (directory / "journal.jsonl").write_bytes(b"\n".join(journal))
    watcher = DirectoryReader(directory)
    snapshot = complete(watcher)
    assert snapshot.journal_bad == 1
    assert "1 journal line could not be read" in snapshot.problem
    assert snapshot.series["r02"].bad == 4
    texts = [s.why for s in snapshot.standings] + watcher.output("r02") + [snapshot.problem]
    texts += [text for pair in watcher.settings("r02").items() for text in pair]
    assert not any(c in text for text in texts for c in "\x1b\u202e\x07\x00")
    names = {name for series in snapshot.series.values() for name in series.names()}
    assert all(name.isprintable() for name in names)
    assert names - {"[/bold]"} <= {"lr", "train_loss", "val_loss", "val_acc", "test_acc"}


def test_a_vanished_an_empty_and_a_strange_directory(tmp_path):
    assert DirectoryReader(tmp_path).snapshot().problem == "nothing was started yet"
    gone = make(tmp_path / "gone", ["running"])
    watcher = DirectoryReader(gone)
    complete(watcher)
    shutil.rmtree(gone)
    assert watcher.snapshot().problem == "the experiment directory no longer exists"
    assert watcher.output("r01") == []
    newer = make(tmp_path / "newer", ["running"])
    (newer / "format").write_text("7\n")
    assert "format '7'" in DirectoryReader(newer).snapshot().problem


def test_a_journal_leads_nowhere_else(tmp_path):
    """A directory from a stranger: its run ids are no paths."""
    other = tmp_path / "secret-lr1e-03" / "a1"
    other.mkdir(parents=True)
    (other / "metrics.jsonl").write_bytes(b'{"epoch":1,"val_acc":1}\n')
    (other / "output.log").write_bytes(b"secret\n")
    directory = make(tmp_path / "sweep", ["running"])
    run = "../secret"
    setting = ev.Setting(lr=1e-3)
    append(
        directory,
        ev.RunQueued(run=run, setting=setting, seed=0, until=20),
        ev.RunLaunched(run=run, attempt=1, token="t", until=20),
    )
    watcher = DirectoryReader(directory)
    assert run not in complete(watcher).sweep.runs
    assert watcher.output(run) == []
    assert watcher.settings(run) == {}


def test_output_is_the_cleaned_end_of_the_current_attempt(tmp_path):
    directory = make(tmp_path / "sweep", ["failed"])
    watcher = DirectoryReader(directory)
    watcher.snapshot()
    lines = watcher.output("r01")
    assert lines[0] == "training with lr 1e-05, seed 0"
    assert lines[-1] == "RuntimeError: shapes do not match"
    assert watcher.output("r01", 2) == lines[-2:]
    path = directory / "r01-lr1e-05" / "a1" / "output.log"
    path.write_bytes(b"x" * 200_000 + b"\n" + b"y\n" * 3 + b"half")
    assert watcher.output("r01") == ["y", "y", "y", "half"]
    path.unlink()
    os.mkfifo(path)
    assert watcher.output("r01") == []
    assert watcher.output("nobody") == []


def test_settings_are_flat_and_safe(tmp_path):
    directory = make(tmp_path / "sweep", ["running"])
    folder = directory / "r01-lr1e-05"
    content = {"lr": 1e-5, "optimizer": {"sgd": {"momentum": 0.9}}, "note": HOSTILE, "none": None}
    (folder / "run.json").write_text(json.dumps(content))
    (folder / "a1" / "argv.json").write_text(
        json.dumps({"argv": ["python", "my train.py"], "cwd": "/home/me", "from": None})
    )
    watcher = DirectoryReader(directory)
    watcher.snapshot()
    found = watcher.settings("r01")
    assert found["lr"] == "1e-05"
    assert found["optimizer.sgd.momentum"] == "0.9"
    assert found["command"] == "python 'my train.py'"
    assert "\x1b" not in found["note"]
    (folder / "run.json").write_bytes(b"[" * 100_000)
    assert watcher.settings("r01") == {
        "command": "python 'my train.py'",
        "working folder": "/home/me",
    }


def test_watching_imports_no_numpy(tmp_path):
    directory = make(tmp_path / "sweep")
    code = (
        "import sys, pathlib; from lrtui.frontend.snapshot import DirectoryReader; "
        "DirectoryReader(pathlib.Path(sys.argv[1])).snapshot(); print('numpy' in sys.modules)"
    )
    command = [sys.executable, "-c", code, str(directory)]
    out = subprocess.run(command, capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "False"
