"""Opening a directory again reads only what was appended, and whatever became of cache or files, the numbers are those of a reading."""

from __future__ import annotations

import json
import os
import random
import resource
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lrtui.frontend.snapshot import DirectoryReader, Snapshot
from lrtui.metrics import Measurement, log, sidecar
from lrtui.metrics import series as series_module
from lrtui.sweep import events as ev
from tests.recorded import make
from tests.wandering import contents, wandering


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch) -> Path:
    """A cache of this test's own, for which every run is long enough."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr("lrtui.frontend.snapshot.WORTH", 1)
    return tmp_path / "cache" / "lrtui" / "series"


@pytest.fixture
def sweep(tmp_path) -> Path:
    return make(tmp_path / "sweep", ["running", "finished"], lines_per_epoch=60, attempts=2)


def metrics(sweep: Path, run: str = "r01", attempt: int = 2) -> Path:
    (folder,) = sweep.glob(f"{run}-*")
    return folder / f"a{attempt}" / "metrics.jsonl"


def complete(watcher: DirectoryReader) -> Snapshot:
    snapshot = watcher.snapshot()
    while snapshot.reading:
        snapshot = watcher.snapshot()
    return snapshot


def read(sweep: Path) -> dict[str, object]:
    snapshot = complete(DirectoryReader(sweep))
    return {run: contents(series) for run, series in snapshot.series.items()}


def keep(sweep: Path) -> DirectoryReader:
    watcher = DirectoryReader(sweep)
    complete(watcher)
    watcher.keep(last=True)
    return watcher


def fresh(sweep: Path, monkeypatch) -> dict[str, object]:
    """Return what a reading without any cache gives."""
    with monkeypatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(sweep / "no such folder"))
        return read(sweep)


def bytes_read(sweep: Path, monkeypatch) -> int:
    """Return how many bytes of metric lines a look at a directory decodes."""
    counted = []
    with monkeypatch.context() as patch:
        real = log.Capture.metric_lines
        patch.setattr(
            log.Capture,
            "metric_lines",
            lambda self, block, found: (counted.append(len(block)), real(self, block, found))[1],
        )
        read(sweep)
    return sum(counted)


def append(path: Path, *lines: dict[str, float]) -> int:
    content = b"".join(json.dumps(each).encode() + b"\n" for each in lines)
    with path.open("ab") as file:
        return file.write(content)


# ---------------------------------------------------------------- what it is for


def test_only_what_was_appended_is_read_again(sweep, monkeypatch):
    before = fresh(sweep, monkeypatch)
    keep(sweep)
    assert bytes_read(sweep, monkeypatch) == 0
    assert read(sweep) == before
    size = append(metrics(sweep), {"epoch": 13, "val_acc": 0.9}, {"epoch": 14, "val_acc": 0.91})
    assert bytes_read(sweep, monkeypatch) == size
    assert read(sweep) == fresh(sweep, monkeypatch) != before


def test_half_a_line_and_bad_lines_are_read_on_as_they_were(sweep, monkeypatch):
    with metrics(sweep).open("ab") as file:
        file.write(b'no metric\n{"epoch":13,"val_a')
    assert complete(keep(sweep)).series["r01"].bad == 1
    with metrics(sweep).open("ab") as file:
        file.write(b'cc":0.9}\nnor this\n')
    assert read(sweep) == fresh(sweep, monkeypatch)
    assert complete(DirectoryReader(sweep)).series["r01"].bad == 2
    assert complete(DirectoryReader(sweep)).series["r01"].last("val_acc") == (13, 0.9)


def test_an_attempt_that_came_later_is_read_behind_those_that_were_kept(sweep, monkeypatch):
    keep(sweep)
    third = metrics(sweep).parent.parent / "a3" / "metrics.jsonl"
    third.parent.mkdir()
    size = append(third, {"epoch": 9, "val_acc": 0.5}, {"epoch": 10, "val_acc": 0.6})
    events = (
        ev.RunLost(run="r01", attempt=2, why="the machine was restarted", v=1),
        ev.RunQueued(run="r01", setting=ev.Setting(lr=1e-5), seed=0, until=20, resume=True, v=1),
        ev.RunLaunched(run="r01", attempt=3, token="t", until=20, v=1),
    )
    with (sweep / "journal.jsonl").open("ab") as file:
        file.writelines(ev.encode(event) + b"\n" for event in events)
    assert bytes_read(sweep, monkeypatch) == size
    assert read(sweep) == fresh(sweep, monkeypatch)


def test_leaving_amid_the_first_reading_keeps_what_was_read(sweep, monkeypatch):
    monkeypatch.setattr("lrtui.frontend.snapshot._SLICE", 1000)
    monkeypatch.setattr("lrtui.metrics.tail._CHUNK", 1000)
    watcher = DirectoryReader(sweep)
    assert watcher.snapshot(0).reading
    watcher.snapshot(0)
    watcher.keep(last=True)
    whole = sum(metrics(sweep, run, at).stat().st_size for run in ("r01", "r02") for at in (1, 2))
    assert 0 < bytes_read(sweep, monkeypatch) < whole - 1000
    assert read(sweep) == fresh(sweep, monkeypatch)


@given(
    seed=st.integers(0, 10**9),
    cuts=st.lists(st.tuples(st.floats(0, 1), st.booleans()), max_size=6),
)
@settings(max_examples=40, deadline=None)
def test_wherever_reading_was_broken_off_the_series_are_those_of_one_reading(
    tmp_path_factory, seed, cuts
):
    """Lines of every kind, several attempts, coarsened; the cache is written at any byte, or not, and then more is appended."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(series_module, "MOST_ROWS", 240)
        patch.setattr(series_module, "_FEW", 60)
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        rng = random.Random(seed)
        attempts: dict[int, bytes] = {}
        for number, lines in wandering(rng):
            attempts[number] = attempts.get(number, b"") + b"".join(map(_encoded, lines))
        sweep = make(
            tmp_path_factory.mktemp("any") / "sweep",
            ["running"],
            unit="step",
            attempts=len(attempts),
        )
        for number, content in attempts.items():
            path = metrics(sweep, attempt=number)
            path.write_bytes(b"")
            ends = sorted((int(share * len(content)), kept) for share, kept in cuts)
            for end, kept in [*ends, (len(content), rng.random() < 0.5)]:
                with path.open("ab") as file:
                    file.write(content[path.stat().st_size : end])
                if kept:
                    keep(sweep)
        assert read(sweep) == fresh(sweep, patch)


def _encoded(m: Measurement) -> bytes:
    axes = {"step": m.level, "epoch": m.epoch, "time": m.time}
    values = {k: v if abs(v) < 1e300 else str(v) for k, v in m.values.items()}
    words = {"nan": "NaN", "inf": "Infinity"}
    fields = {k: words.get(str(v), v) for k, v in (axes | values).items() if v is not None}
    return json.dumps(fields).encode() + b"\n"


# ---------------------------------------------------------------- files that are others


def _same_length(path: Path) -> None:
    path.write_bytes(path.read_bytes().replace(b"0.", b"1."))


def _truncated(path: Path) -> None:
    os.truncate(path, path.stat().st_size // 2)


def _truncated_and_grown(path: Path) -> None:
    content = path.read_bytes()
    os.truncate(path, len(content) // 2)
    with path.open("ab") as file:
        file.write(content[len(content) // 2 :].replace(b"0.", b"1.") + content)


def _replaced(path: Path) -> None:
    other = path.with_suffix(".new")
    other.write_bytes(path.read_bytes().replace(b"0.", b"1."))
    other.rename(path)


def _touched_up(path: Path) -> None:
    """One value of the middle, in place, with the clock of the file put back."""
    was = path.stat()
    content = path.read_bytes()
    at = content.index(b"0.", len(content) // 2)
    with path.open("r+b") as file:
        file.seek(at)
        file.write(b"7")
    os.utime(path, ns=(was.st_atime_ns, was.st_mtime_ns))


def _gone(path: Path) -> None:
    path.unlink()


def _link(path: Path) -> None:
    path.rename(path.with_suffix(".moved"))
    path.symlink_to(path.with_suffix(".moved"))


@pytest.mark.parametrize("attempt", [1, 2])
@pytest.mark.parametrize(
    "change",
    [_same_length, _truncated, _truncated_and_grown, _replaced, _touched_up, _gone, _link],
)
def test_a_file_that_is_not_the_same_is_read_anew(sweep, monkeypatch, change, attempt):
    keep(sweep)
    before = read(sweep)
    change(metrics(sweep, attempt=attempt))
    after = fresh(sweep, monkeypatch)
    assert after != before
    assert read(sweep) == after


def test_what_was_rewritten_under_the_reader_is_not_kept(sweep, monkeypatch):
    watcher = DirectoryReader(sweep)
    complete(watcher)
    _same_length(metrics(sweep))
    watcher.keep(last=True)
    assert read(sweep) == fresh(sweep, monkeypatch)


def test_another_unit_or_pattern_is_another_reading(sweep, monkeypatch):
    keep(sweep)
    journal = sweep / "journal.jsonl"
    journal.write_bytes(journal.read_bytes().replace(b'"unit":"epoch"', b'"unit":"step"'))
    assert read(sweep) == fresh(sweep, monkeypatch)


# ---------------------------------------------------------------- entries that are none


def _entry(cache: Path) -> Path:
    (entry,) = cache.glob("*-r01-*")
    return entry


def _spoil_torn(entry: Path) -> None:
    os.truncate(entry, entry.stat().st_size - 100)


def _spoil_empty(entry: Path) -> None:
    os.truncate(entry, 0)


def _spoil_garbled(entry: Path) -> None:
    content = bytearray(entry.read_bytes())
    content[len(content) // 2] ^= 1
    entry.write_bytes(content)


def _spoil_huge(entry: Path) -> None:
    os.truncate(entry, 1 << 40)


def _spoil_version(entry: Path) -> None:
    entry.write_bytes(entry.read_bytes().replace(b"lrtui series 3", b"lrtui series 2"))


def _spoil_fifo(entry: Path) -> None:
    entry.unlink()
    os.mkfifo(entry)


def _spoil_folder(entry: Path) -> None:
    entry.unlink()
    entry.mkdir()


def _spoil_link(entry: Path) -> None:
    entry.rename(entry.parent.parent / "elsewhere")
    entry.symlink_to(entry.parent.parent / "elsewhere")


def _spoil_other_content(entry: Path) -> None:
    """Well formed, but not what was ever written."""
    content = b"\x92\x90\xc0"
    entry.write_bytes(sidecar._HEAD + sidecar._digest(content) + content)


def _spoil_written_by_others(entry: Path) -> None:
    entry.chmod(0o666)


SPOILS = [
    _spoil_torn, _spoil_empty, _spoil_garbled, _spoil_huge, _spoil_version, _spoil_fifo, _spoil_folder, _spoil_link,
    _spoil_other_content, _spoil_written_by_others,
]  # fmt: skip


@pytest.mark.timeout(30)
@pytest.mark.parametrize("spoil", SPOILS)
def test_a_spoiled_entry_is_none(sweep, cache, monkeypatch, spoil):
    keep(sweep)
    assert bytes_read(sweep, monkeypatch) == 0
    spoil(_entry(cache))
    assert bytes_read(sweep, monkeypatch) > 0
    assert read(sweep) == fresh(sweep, monkeypatch)
    keep(sweep)  # nor does it stand in the way, where it is a file
    if spoil is not _spoil_folder:
        assert bytes_read(sweep, monkeypatch) == 0


@given(st.binary(max_size=300), st.integers(0, 10**6))
@settings(max_examples=60, deadline=None)
def test_no_bytes_whatever_make_an_entry(data, at):
    with pytest.raises(ValueError, match="no entry"):
        sidecar._content(sidecar._HEAD[: at % 60] + data)


# ---------------------------------------------------------------- folders that will not do


def test_files_are_the_users_alone_and_nothing_is_written_into_the_experiment(sweep, cache):
    before = sorted(path for path in sweep.rglob("*"))
    old = os.umask(0)
    try:
        keep(sweep)
    finally:
        os.umask(old)
    assert sorted(path for path in sweep.rglob("*")) == before
    assert [p.stat().st_mode & 0o777 for p in (cache.parent, cache)] == [0o700, 0o700]
    assert {p.stat().st_mode & 0o777 for p in cache.iterdir()} == {0o600}
    assert len(list(cache.iterdir())) == 2


def _folder_file(cache: Path) -> None:
    cache.parent.mkdir(parents=True)
    cache.write_text("not a folder")


def _folder_link(cache: Path) -> None:
    theirs = cache.parent.parent / "theirs"
    theirs.mkdir(parents=True)
    cache.parent.symlink_to(theirs)


def _folder_open_to_all(cache: Path) -> None:
    cache.mkdir(parents=True)
    cache.chmod(0o777)


def _folder_above_a_file(cache: Path) -> None:
    cache.parent.parent.write_text("not a folder")


@pytest.mark.parametrize(
    "how", [_folder_file, _folder_link, _folder_open_to_all, _folder_above_a_file]
)
def test_a_folder_that_is_not_ours_alone_is_left_alone(sweep, cache, monkeypatch, how):
    how(cache)
    keep(sweep)
    assert read(sweep) == fresh(sweep, monkeypatch)
    assert bytes_read(sweep, monkeypatch) > 0
    assert not [p for p in cache.parent.parent.rglob("*") if "r01" in p.name]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives folders away")
def test_somebody_elses_folder_is_left_alone(sweep, cache, monkeypatch):
    keep(sweep)
    os.chown(cache, 12345, 12345)
    assert bytes_read(sweep, monkeypatch) > 0
    for entry in cache.iterdir():
        entry.unlink()
    keep(sweep)
    assert not list(cache.iterdir())


UNPRIVILEGED = """
import hashlib, os, sys
from pathlib import Path
from lrtui.metrics import sidecar
sys.path.insert(0, sys.argv[3])
import lrtui.frontend.snapshot
lrtui.frontend.snapshot.WORTH = 1
if os.geteuid() == 0:
    os.setegid(65534); os.seteuid(65534)
watcher = lrtui.frontend.snapshot.DirectoryReader(Path(sys.argv[1]))
while watcher.snapshot().reading: pass
watcher.keep(last=True)
print(len(watcher.snapshot().series))
"""


def test_an_unwritable_cache_is_no_matter(sweep, tmp_path):
    cache = tmp_path / "closed"
    cache.mkdir()
    cache.chmod(0o555)
    for path in (sweep, *sweep.rglob("*"), *list(sweep.parents)[:-2]):
        path.chmod(path.stat().st_mode | 0o055)
    command = [sys.executable, "-c", UNPRIVILEGED, str(sweep), "", "."]
    environ = {**os.environ, "XDG_CACHE_HOME": str(cache)}
    done = subprocess.run(command, capture_output=True, text=True, env=environ, check=False)
    assert (done.stdout.strip(), done.stderr) == ("2", "")
    assert not list(cache.iterdir())


def test_a_full_disk_leaves_no_entry_and_no_half_of_one(sweep, cache, monkeypatch):
    monkeypatch.setattr(sys, "dont_write_bytecode", True)  # it would be cut off too
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, hard))
    try:
        keep(sweep)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert not list(cache.iterdir())
    assert read(sweep) == fresh(sweep, monkeypatch)


def test_the_oldest_entries_make_room(sweep, cache, monkeypatch):
    keep(sweep)
    size = max(path.stat().st_size for path in cache.iterdir())
    for number in range(5):
        old = cache / f"{number}-of another experiment"
        old.write_bytes(bytes(size))
        os.utime(old, (1000 + number, 1000 + number))
    monkeypatch.setattr(sidecar, "MOST_BYTES", 4 * size)
    append(metrics(sweep), {"epoch": 13, "val_acc": 0.9})
    keep(sweep)
    left = {path.name for path in cache.iterdir()}
    assert {"3-of another experiment", "4-of another experiment"} >= left - {
        name for name in left if "-r0" in name
    }
    assert sum(path.stat().st_size for path in cache.iterdir()) <= 4 * size
    assert bytes_read(sweep, monkeypatch) == 0


def test_an_entry_too_large_is_not_written(sweep, cache, monkeypatch):
    monkeypatch.setattr(sidecar, "MOST_OF_ENTRY", 1000)
    keep(sweep)
    assert not cache.exists()


def test_two_that_write_at_once_leave_a_whole_entry(sweep, cache, monkeypatch):
    watchers = [DirectoryReader(sweep) for _ in range(2)]
    for watcher in watchers:
        complete(watcher)
    readers = [list(watcher._readers.values()) for watcher in watchers]
    stores = [watcher._sidecar for watcher in watchers]

    def write(which: int) -> None:
        for _ in range(200):
            for reader in readers[which]:
                reader.keep(stores[which])

    threads = [threading.Thread(target=write, args=(at,)) for at in range(2)]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        assert read(sweep)
    assert len(list(cache.iterdir())) == 2
    assert bytes_read(sweep, monkeypatch) == 0
    assert read(sweep) == fresh(sweep, monkeypatch)


# ---------------------------------------------------------------- when it is written


def test_short_runs_are_not_kept_and_long_ones_rarely(sweep, cache, monkeypatch):
    monkeypatch.setattr("lrtui.frontend.snapshot.WORTH", 200_000)
    watcher = keep(sweep)
    assert not cache.exists()
    path, step, written = metrics(sweep), 12.0, []
    for _ in range(60):
        for _ in range(100):
            step += 0.001
            append(path, {"epoch": step, "train_loss": 0.123456789, "val_loss": 1.23456789})
        complete(watcher)
        watcher.keep()
        entries = list(cache.glob("*")) if cache.exists() else []
        written += [entry.stat().st_mtime_ns for entry in entries]
    size = path.stat().st_size
    assert 1 <= len(set(written)) <= size / 200_000


def test_reading_leaves_no_descriptor_open(sweep):
    before = len(os.listdir("/proc/self/fd"))
    keep(sweep)
    read(sweep)
    assert len(os.listdir("/proc/self/fd")) == before
