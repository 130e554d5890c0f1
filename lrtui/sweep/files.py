"""Reads files of an experiment without trusting their origin, and writes files whole or not at all.

Only regular files are read, up to a size limit, never through a link.

Experiment directories are copied, shared and unpacked, and a worker writes where it likes. A link would expose a user's other
files, a fifo would block its reader forever, and an endless file would fill its memory.
"""

from __future__ import annotations

import contextlib
import itertools
import math
import os
import stat
import time
from pathlib import Path

from lrtui.errors import MachineError
from lrtui.workers import keeper

SMALL = 1 << 16
"""Default limit, in bytes, for a file that is read whole."""
_LOOKED_AT = 1000
"""At most this many files of a folder are listed, so that a huge folder blocks no caller."""


def open_regular(path: Path) -> int:
    """Return a descriptor to read a regular file.

    Raises:
        OSError: the file is missing, unreadable, or not a regular file (a link, a fifo, a folder).

    """
    fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    if not stat.S_ISREG(os.fstat(fd).st_mode):
        os.close(fd)
        raise OSError(f"{path} is no regular file")
    return fd


def read_untrusted(path: Path, most: int = SMALL) -> bytes:
    """Return the content of a regular file of up to `most` bytes; b"" for anything else."""
    try:
        fd = open_regular(path)
    except OSError:
        return b""
    try:
        content = os.read(fd, most + 1)
    except OSError:
        return b""
    finally:
        os.close(fd)
    return content if len(content) <= most else b""


def read_end(path: Path, most: int) -> bytes:
    """Return the last `most` bytes of a regular file; b"" if there is none."""
    try:
        fd = open_regular(path)
    except OSError:
        return b""
    try:
        return os.pread(fd, most, max(0, os.fstat(fd).st_size - most))
    except OSError:
        return b""
    finally:
        os.close(fd)


def read_last_lines(path: Path, most: int) -> bytes:
    """Return the last whole lines of a regular file, at most `most` bytes; b"" if there is none."""
    data = read_end(path, most)
    if len(data) == most and b"\n" in data[:-1]:
        data = data[data.index(b"\n") + 1 :]
    return data.lstrip(b"\0")


def write_atomic(path: Path, content: bytes) -> None:
    """Write a file atomically: readers find it whole or not at all, also after a power cut.

    Implemented in the keeper, which imports nothing of lrtui; every other module writes through here.

    Raises:
        OSError: it could not be written; the old content is unchanged.

    """
    keeper.write_atomic(str(path), content)


def write_or_remove(path: Path, content: bytes) -> None:
    """Write a file for the user in place of what it holds.

    Raises:
        MachineError: it cannot be written, such as on a full disk; nothing is left of it.

    """
    try:
        path.write_bytes(content)
    except OSError as error:
        path.unlink(missing_ok=True)
        raise MachineError(f"cannot be written: {error.strerror}", str(path)) from None


def write_closed(path: Path, content: bytes) -> None:
    """Write a file for another machine: whole or not at all, but without fsync, because a file server has every closed file.

    Raises:
        OSError: it could not be written; the old content is unchanged.

    """
    temporary = path.with_name(f"{path.name}.{os.getpid()}.tmp")
    flags = os.O_CREAT | os.O_TRUNC | os.O_WRONLY | os.O_NOFOLLOW | os.O_CLOEXEC
    with os.fdopen(os.open(temporary, flags, 0o600), "wb") as file:
        file.write(content)
    os.rename(temporary, path)


def seconds_unchanged(path: Path) -> float:
    """Return how long ago a file, or the youngest of a folder's first files, was written to; infinity if there is none."""
    inside = (os.path.join(folder, file) for folder, _, files in os.walk(path) for file in files)
    youngest = -math.inf
    for each in itertools.islice(itertools.chain([str(path)], inside), _LOOKED_AT):
        with contextlib.suppress(OSError):
            youngest = max(youngest, os.lstat(each).st_mtime)
    return time.time() - youngest
