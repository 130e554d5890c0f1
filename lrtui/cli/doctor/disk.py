"""Disk space, and whether flock and rename, which lrtui relies on, work where runs are stored.

The checks write into a folder of their own beside the runs and take it away again.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from lrtui.cli.doctor.finding import Check, Finding, fail, ok, warn
from lrtui.sweep import locks
from lrtui.sweep.files import write_atomic
from lrtui.text.format import size

RUNS = Path("runs")
"""Default folder of experiment directories (see --dir)."""
DATA = Path("data")
"""Default folder of data (see data_dir)."""
_FULL = 100 << 20
_SCARCE = 1 << 30
_SMALL_SHM = 256 << 20
_LOCAL = "choose a local disk: --dir DIR"


def space() -> list[Finding]:
    """Report free space for runs, data and temporary files, and in shared memory."""
    shared = Path("/dev/shm")  # noqa: S108  # looked at, not written to
    found = [free(RUNS, "runs"), free(DATA, "data"), free(Path(tempfile.gettempdir()), "temporary")]
    if not shared.is_dir() or _room(shared) < _SMALL_SHM:
        what = f"{shared} has less than {size(_SMALL_SHM)}: data loaders with workers die there"
        found.append(warn(what, "in a container: --shm-size=2g", str(shared)))
    return found


def free(place: Path, what: str) -> Finding:
    """Report the free space of a folder."""
    folder = _existing(place)
    room = _room(folder)
    text = f"{what}: {size(room)} free in {folder}"
    if room < _FULL:
        hint = "delete or move what you no longer need: du -xh --max-depth=2 | sort -h"
        return fail(f"{text}: the disk is full", hint, str(folder))
    if room < _SCARCE:
        hint = "make room, or choose a larger disk: --dir DIR"
        return warn(f"{text}; two checkpoints of each run are kept", hint, str(folder))
    return ok(text, str(folder))


def _room(folder: Path) -> int:
    found = os.statvfs(folder)
    return 0 if found.f_files and not found.f_favail else found.f_bavail * found.f_frsize


def writing() -> list[Finding]:
    """Test what runs need in their folder: creating a folder, a lock that is refused the second time, a rename that replaces a file."""
    place = _existing(RUNS)
    try:
        with _scratch(place) as folder:
            found = [*_lock(folder), *_rename(folder)]
    except OSError as error:
        what = f"{place} cannot be written ({error.strerror})"
        hint = "run lrtui in a folder of your own, or choose one: --dir DIR"
        return [fail(what, hint, str(place))]
    kind = locks.file_system(place) or "unknown"
    if locks.on_network(kind):
        what = f"{place} is on a network file system ({kind}): locks reach this host only"
        found.append(
            warn(what, f"{_LOCAL}; never run one directory from two hosts", str(place)),
        )
    return found or [ok(f"{place} ({kind}) can be written; locks and renames work", str(place))]


def _lock(folder: Path) -> list[Finding]:
    """Take a lock twice: if the second were granted, two supervisors could own one directory."""
    first, second = locks.take(folder), locks.take(folder)
    for fd in (first, second):
        if fd is not None:
            os.close(fd)
    if first is None or second is not None or locks.is_held(folder):
        return [fail("locks do not work here (flock)", _LOCAL, str(folder.parent))]
    return []


def _rename(folder: Path) -> list[Finding]:
    """Replace a file that is open: a reader must have the old one or the new one, whole."""
    target = folder / "file.json"
    write_atomic(target, b"old")
    with target.open("rb") as reader:
        write_atomic(target, b"new")
        whole = reader.read() == b"old" and target.read_bytes() == b"new"
    if not whole:
        return [fail("a renamed file does not replace the old one whole", _LOCAL)]
    return []


def _existing(place: Path) -> Path:
    """Return the absolute path, or its nearest existing parent folder if it does not exist yet."""
    place = place.absolute()
    return next((folder for folder in (place, *place.parents) if folder.is_dir()), Path("/"))


@contextmanager
def _scratch(place: Path) -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix=".lrtui-doctor-", dir=place) as folder:
        yield Path(folder)


CHECKS: dict[str, Check] = {"space": space, "writing": writing}
