"""Who owns a directory that several hosts share: a lock for file systems on which an flock does not reach other hosts.

The owner of generation N is the host that created the file N in the folder; only one can (a link on the server). It changes the
file while it lives, and has lost the folder once a file N+1 exists, which another host creates if N has not changed for a while by
its own clock. Clocks of two hosts are never compared, no file is deleted that a host may still read, and a crashed owner is
detected.
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
        """Renew the lease if that is due; return False if another host has taken over, after which this process must do nothing."""
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
        """Release the lease, so that another host can take over at once; return False if one already has."""
        try:
            ours = _latest(self._folder) == self._number
            if ours:
                write_atomic(self._folder / str(self._number), _RELEASED)
        except OSError:
            return False
        return ours


def take(folder: Path) -> Lease | None:
    """Return the lease of a folder; None if a live host has it. Returns at once if the owner is certainly gone.

    The caller holds the flock of the directory on this host, so an owner from this boot of this host has ended.

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
    """Return the host named in a folder's latest lease; "" if there is none or it was released. That host may have died."""
    try:
        content = read_untrusted(folder / str(_latest(folder)))
        return clean(str(json.loads(content)["host"]), 80)
    except (OSError, ValueError, TypeError, KeyError, RecursionError):
        return ""


def generation(folder: Path) -> int:
    """Return the number of the latest lease of a folder, 0 if there is none; a takeover creates the next one."""
    try:
        return _latest(folder)
    except OSError:
        return 0


def lives(folder: Path) -> bool:
    """Return whether the owner on another host is alive, which takes up to three beats; on this host the lock says so at once."""
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
    """Return whether the owner is gone; wait until that is certain or the owner renews its lease."""
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
