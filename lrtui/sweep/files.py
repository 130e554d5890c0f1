"""Files of an experiment: read without trusting whoever put them there, and written whole or not at all.

Reading takes regular files only, up to a bound, never through a link.

A directory of experiments is copied, shared and unpacked, and a worker writes where it likes. A link would show somebody's
other files, a fifo would hold its reader for ever, and a file without end would fill its memory.
"""

from __future__ import annotations

import contextlib
import itertools
import math
import os
import stat
import time
from pathlib import Path

from lrtui.workers import keeper

SMALL = 1 << 16
"""Bytes of the largest file that is read whole, unless said."""
_LOOKED_AT = 1000
"""Files of a folder, so that one without end holds nobody."""


def open_regular(path: Path) -> int:
    """Return a descriptor to read a regular file.

    Raises:
        OSError: there is none, it may not be read, or it is a link, a fifo, a folder or anything else.

    """
    fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    if not stat.S_ISREG(os.fstat(fd).st_mode):
        os.close(fd)
        raise OSError(f"{path} is no regular file")
    return fd


def read_untrusted(path: Path, most: int = SMALL) -> bytes:
    """Return the content of a regular file of up to `most` bytes, b"" where it is anything else."""
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
    """Return the last `most` bytes of a regular file, b"" where there is none."""
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
    """Return the end of a regular file from a line's beginning, at most `most` bytes, b"" where there is none."""
    data = read_end(path, most)
    if len(data) == most and b"\n" in data[:-1]:
        data = data[data.index(b"\n") + 1 :]
    return data.lstrip(b"\0")


def write_atomic(path: Path, content: bytes) -> None:
    """Write a file that its readers find whole or not at all, also after a power cut.

    The keeper's own, which may import nothing of lrtui: every other module writes through here.

    Raises:
        OSError: it could not be written; what was there before is unchanged.

    """
    keeper.write_atomic(str(path), content)


def write_closed(path: Path, content: bytes) -> None:
    """Write a file for another machine: whole or not at all, but without a wait for the disk, since a file server has what is closed.

    Raises:
        OSError: it could not be written; what was there before is unchanged.

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
