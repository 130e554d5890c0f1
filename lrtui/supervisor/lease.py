"""Who owns a directory that several hosts see: a lock for file systems on which an flock of one host is nothing to another.

The owner of generation N is whoever made the file N in the folder, which one host only can do (a link on the server). It changes the
file while it lives, and has lost the folder once there is a file N+1, which others make if N has not changed for a while by their own
clock. No clock is compared with another, nothing is deleted that anyone may still look at, and a crashed owner is found out.
"""

from __future__ import annotations

import contextlib
import json
import os
import socket
import time
from pathlib import Path

from lrtui.sweep.files import read_untrusted, write_atomic
from lrtui.sweep.timing import TIMING
from lrtui.text.clean import clean
from lrtui.workers.keeper import boot_id

_RELEASED = b"released\n"


class Lease:
    """The lease that this process holds."""

    def __init__(self, folder: Path, number: int) -> None:
        self._folder = folder
        self._number = number
        self._count = 0
        self._renewed_at = time.monotonic()

    def renew(self) -> bool:
        """Say that this process lives, if that is due; return False if another host has taken over, so that nothing may be done."""
        now = time.monotonic()
        if now - self._renewed_at < TIMING.beat:
            return True
        if _latest(self._folder) != self._number:
            return False
        self._count += 1
        write_atomic(self._folder / str(self._number), _who(self._count))
        self._renewed_at = now
        return True

    def release(self) -> bool:
        """Let the next one take over at once; return False if another host has."""
        try:
            ours = _latest(self._folder) == self._number
            if ours:
                write_atomic(self._folder / str(self._number), _RELEASED)
        except OSError:
            return False
        return ours


def take(folder: Path) -> Lease | None:
    """Return the lease of a folder, None if a host that lives has it; returns at once where the owner is gone for certain.

    The caller holds the flock of the directory on this host, so that an owner of this host's boot has ended.

    Raises:
        OSError: the folder cannot be written to.

    """
    folder.mkdir(mode=0o700, exist_ok=True)
    while True:
        number = _latest(folder)
        if number and not _is_free(folder / str(number)):
            return None
        if _make(folder / str(number + 1)):
            with contextlib.suppress(OSError):
                os.unlink(folder / str(number - 1))
            return Lease(folder, number + 1)


def host(folder: Path) -> str:
    """Return the host that the latest lease of a folder names, "" where there is none or it was released; it may have died."""
    try:
        content = read_untrusted(folder / str(_latest(folder)))
        return clean(str(json.loads(content)["host"]), 80)
    except (OSError, ValueError, TypeError, KeyError, RecursionError):
        return ""


def generation(folder: Path) -> int:
    """Return the number of the latest lease of a folder, 0 where there is none; whoever takes it over makes the next."""
    try:
        return _latest(folder)
    except OSError:
        return 0


def lives(folder: Path) -> bool:
    """Tell whether the owner on another host shows that it lives, which takes up to three beats; of this host the lock tells at once."""
    try:
        path = folder / str(_latest(folder))
    except OSError:
        return False
    first = read_untrusted(path)
    if first in (b"", _RELEASED) or _is_of_this_boot(first):
        return False
    deadline = time.monotonic() + 3 * TIMING.beat
    while time.monotonic() < deadline:
        time.sleep(TIMING.poll)
        if (now := read_untrusted(path)) != first:
            return now != _RELEASED
    return False


def _is_free(path: Path) -> bool:
    """Tell whether the owner is gone; wait until that is certain or it shows that it lives."""
    first = read_untrusted(path)
    if first == _RELEASED or _is_of_this_boot(first):
        return True
    deadline = time.monotonic() + TIMING.lease
    while time.monotonic() < deadline:
        time.sleep(TIMING.poll)
        now = read_untrusted(path)
        if now == _RELEASED:
            return True
        if now != first:
            return False
    return True


def _is_of_this_boot(content: bytes) -> bool:
    try:
        said = json.loads(content)
        return bool((said["host"], said["boot_id"]) == (socket.gethostname(), boot_id()))
    except (ValueError, TypeError, KeyError):
        return False


def _make(path: Path) -> bool:
    """Make a generation's file, whole and once; return whether this process did."""
    own = path.with_name(f".{socket.gethostname()}.{os.getpid()}")
    own.write_bytes(_who(0))
    try:
        os.link(own, path)
    except FileExistsError:
        return False
    finally:
        own.unlink()
    return True


def _who(count: int) -> bytes:
    who = {"host": socket.gethostname(), "boot_id": boot_id(), "pid": os.getpid(), "count": count}
    return json.dumps(who).encode()


def _latest(folder: Path) -> int:
    return max((int(name) for name in os.listdir(folder) if name.isdecimal()), default=0)
