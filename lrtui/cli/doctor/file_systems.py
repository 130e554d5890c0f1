"""Disk space and file systems: whether what lrtui rests on (flock, rename, fsync, holes) works where runs are kept.

The checks write into a folder of their own beside the runs and take it away again.
"""

from __future__ import annotations

import os
import statistics
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from lrtui.cli.doctor.finding import Check, Finding, fail, ok, warn
from lrtui.sweep import locks
from lrtui.sweep.files import write_atomic
from lrtui.text.format import size
from lrtui.workers import keeper

RUNS = Path("runs")
"""Where experiment directories lie unless --dir says otherwise."""
DATA = Path("data")
"""Where data lie unless data_dir says otherwise."""
_FULL = 100 << 20
_SCARCE = 1 << 30
_SMALL_SHM = 256 << 20
_SLOW_FSYNC_SECONDS = 0.1


def space() -> list[Finding]:
    """Say how much room there is for runs and data, in shared memory and for temporary files."""
    return [
        free(RUNS, "runs"),
        free(DATA, "data"),
        _shared_memory(Path("/dev/shm")),  # noqa: S108  # looked at, not written to
        free(Path(tempfile.gettempdir()), "temporary files"),
    ]


def free(place: Path, what: str) -> Finding:
    """Say how much room a place has, by bytes and by files."""
    folder = existing(place)
    try:
        found = os.statvfs(folder)
    except OSError as error:
        return fail(
            f"{what}: {folder} cannot be looked at ({error.strerror})",
            f"ls -ld {folder}",
            str(folder),
        )
    room = found.f_bavail * found.f_frsize
    text = f"{what}: {size(room)} free in {folder}"
    inodes_full = found.f_files > 0 and found.f_favail < 1000
    if room < _FULL or inodes_full:
        why = f"{found.f_favail} files left in {folder}" if inodes_full else text
        return fail(
            f"{why}: the disk is full",
            "delete or move what you no longer need: du -xh --max-depth=2 | sort -h",
            str(folder),
        )
    if room < _SCARCE:
        return warn(
            f"{text}; two checkpoints of each run are kept",
            "make room, or --dir on a larger disk",
            str(folder),
        )
    return ok(text, str(folder))


def _shared_memory(folder: Path) -> Finding:
    try:
        found = os.statvfs(folder)
    except OSError:
        return warn(
            f"there is no {folder}",
            "data loaders of your own scripts need it: mount -t tmpfs tmpfs /dev/shm",
            str(folder),
        )
    room = found.f_bavail * found.f_frsize
    text = f"shared memory: {size(room)} free in {folder}"
    if room < _SMALL_SHM:
        return warn(
            f"{text}; data loaders with workers die there",
            "in a container: --shm-size=2g",
            str(folder),
        )
    return ok(text, str(folder))


def kind() -> list[Finding]:
    """Say on which file system runs are kept, and whether it is a network's."""
    place = existing(RUNS)
    name = locks.file_system(place) or "unknown"
    if locks.on_network(name):
        what = f"{place} is on a network file system ({name}); locks live in /var/tmp and reach this host alone"
        return [
            warn(
                what,
                "use a local disk: --dir /local/NAME; never run one directory from two hosts",
                str(place),
            )
        ]
    return [ok(f"{place} is on {name}", str(place))]


def writable() -> list[Finding]:
    """Say whether an experiment directory can be made."""
    place = existing(RUNS)
    try:
        with _scratch():
            return [ok(f"{place} can be written", str(place))]
    except OSError as error:
        what = f"{place} cannot be written ({error.strerror})"
        return [
            fail(what, "run lrtui in a folder of your own, or choose one: --dir DIR", str(place))
        ]


def flock() -> list[Finding]:
    """Take a lock twice: the second must be refused, or two supervisors could own one directory."""
    with _scratch() as folder:
        first = locks.take(folder)
        second = locks.take(folder)
        for fd in (first, second):
            if fd is not None:
                os.close(fd)
        if first is None or second is not None or locks.is_held(folder):
            return [
                fail(
                    "locks do not work here (flock)",
                    "choose a local disk: --dir DIR",
                    str(folder.parent),
                )
            ]
    return [ok("locks are kept and dropped (flock)")]


def rename() -> list[Finding]:
    """Put a file in the place of one that is open: a reader must have the old one or the new one, whole."""
    with _scratch() as folder:
        target = folder / "file.json"
        write_atomic(target, b"old")
        with target.open("rb") as reader:
            write_atomic(target, b"new")
            whole = reader.read() == b"old" and target.read_bytes() == b"new"
        left = os.listdir(folder)
    if not whole or left != ["file.json"]:
        return [
            fail(
                "a renamed file does not replace the old one whole",
                "choose a local disk: --dir DIR",
            )
        ]
    return [ok("renaming replaces a file whole")]


def fsync() -> list[Finding]:
    """Measure how long an event takes to be durable: each is fsynced before its effect."""
    with _scratch() as folder:
        fd = os.open(folder / "journal", os.O_CREAT | os.O_APPEND | os.O_WRONLY, 0o600)
        took = []
        try:
            for _ in range(7):
                os.write(fd, b"x" * 300)
                began = time.monotonic()
                os.fsync(fd)
                took.append(time.monotonic() - began)
        finally:
            os.close(fd)
    text = f"an fsync takes {statistics.median(took) * 1e3:.1f} ms (median of 7, at most {max(took) * 1e3:.1f})"
    if statistics.median(took) > _SLOW_FSYNC_SECONDS:
        return [
            warn(
                f"{text}: every launch, stop and answer waits for it",
                "choose a local disk: --dir DIR",
            )
        ]
    return [ok(text)]


def holes() -> list[Finding]:
    """Say whether the middle of a long log can be given back to the disk."""
    with _scratch() as folder:
        path = folder / "output.log"
        path.write_bytes(b"x" * (1 << 16))
        fd = os.open(path, os.O_RDWR)
        try:
            keeper._punch(fd, 1 << 12, 1 << 15)  # noqa: SLF001  # the same call that caps a log
        except OSError:
            what = "logs cannot be capped (no holes in files here): a run that prints without end fills the disk"
            return [warn(what, "use ext4, xfs, btrfs or tmpfs, or let your script print less")]
        finally:
            os.close(fd)
    return [ok("logs can be capped (holes in files)")]


def existing(place: Path) -> Path:
    """Return the place, absolute; where it is not there yet, the nearest folder above it that is."""
    place = place.absolute()
    return next((folder for folder in (place, *place.parents) if folder.is_dir()), Path("/"))


@contextmanager
def _scratch() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix=".lrtui-doctor-", dir=existing(RUNS)) as folder:
        yield Path(folder)


CHECKS: dict[str, Check] = {
    "space": space,
    "file system": kind,
    "writing": writable,
    "locks": flock,
    "rename": rename,
    "fsync": fsync,
    "holes": holes,
}
