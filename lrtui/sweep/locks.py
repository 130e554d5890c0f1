"""Locks that the kernel drops when their holder dies: an flock on a directory's own descriptor.

No file to delete, no pid to trust. On network file systems an flock is not inherited over a fork, so there the lock lives
on a stand-in directory of the same name under /var/tmp.
"""

from __future__ import annotations

import fcntl
import os
import stat
import time
from pathlib import Path

_NETWORK = ("nfs", "cifs", "smb", "lustre", "fuse", "9p", "ceph", "gpfs", "beegfs", "afs")


def take(directory: Path, patience_seconds: float = 0.0) -> int | None:
    """Return a descriptor that holds the exclusive lock of a directory; None if another process holds it."""
    fd = open_lock(directory)
    deadline = time.monotonic() + patience_seconds
    while True:
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() >= deadline:
                os.close(fd)
                return None
            time.sleep(0.02)
        else:
            return fd


def is_held(directory: Path) -> bool:
    """Return whether a process holds the exclusive lock; the probe is shared, so it cannot steal it."""
    try:
        fd = open_lock(directory)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(fd)
    return False


def open_lock(directory: Path) -> int:
    """Return a close-on-exec descriptor of the directory that carries the lock for `directory`."""
    flags = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
    if not on_network(file_system(directory)):
        return os.open(directory, flags)
    if not directory.exists():
        raise FileNotFoundError(directory)
    base = Path(f"/var/tmp/lrtui-{os.getuid()}")  # noqa: S108  # 0700 and owner checked below
    base.mkdir(mode=0o700, exist_ok=True)
    found = base.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid() or found.st_mode & 0o077:
        raise PermissionError(f"{base} is not a private directory of ours")
    import hashlib  # loads 3.7 MB of OpenSSL, which a supervisor on a local disk does not need

    stand_in = base / hashlib.sha256(os.fsencode(os.path.realpath(directory))).hexdigest()[:32]
    stand_in.mkdir(mode=0o700, exist_ok=True)
    return os.open(stand_in, flags)


def on_network(kind: str) -> bool:
    """Return whether a type of file system is shared with other hosts (a local FUSE counts too)."""
    return kind.startswith(_NETWORK)


def file_system(path: Path) -> str:
    """Return the type of the file system that holds `path`; "" if the kernel does not say."""
    target = os.path.realpath(path)
    best, kind = "", ""
    try:
        with open("/proc/self/mountinfo", encoding="utf-8", errors="surrogateescape") as file:
            for line in file:
                left, _, right = line.partition(" - ")
                mount = left.split()[4].encode().decode("unicode_escape")
                inside = target == mount or target.startswith(mount.rstrip("/") + "/")
                if inside and len(mount) >= len(best):
                    best, kind = mount, right.split()[0]
    except (OSError, IndexError):
        return ""
    return kind
