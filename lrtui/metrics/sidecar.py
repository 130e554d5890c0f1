"""What was read of long runs, kept so that opening a directory again reads only what was appended since.

It stands under $XDG_CACHE_HOME/lrtui/series (usually ~/.cache/lrtui/series), never in the experiment directory, which may be
read-only, a copy or somebody else's: one file a run, written by the monitor alone and read by whatever looks. It is a cache:
absent, damaged, of another version or of files that are no longer what they were, an entry is no entry, and the run is read anew.
Nothing here raises for what it finds on the disk.
"""

from __future__ import annotations

import contextlib
import os
import stat
import sys
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path

import msgspec
import platformdirs

from lrtui import __version__
from lrtui.metrics.line import MOST_NAMES
from lrtui.metrics.log import LogState
from lrtui.metrics.series import MOST_ROWS, SeriesState

WORTH = 1 << 20
"""Bytes of metric lines from which on they are worth an entry: 40 ms of reading."""
MOST_BYTES = 200_000_000
"""All entries together; beyond them those written longest ago are removed."""
MOST_OF_ENTRY = 1 << 24
"""A larger entry (a run of hundreds of metrics) is neither written nor read; a usual one is below 1 MB."""
_VERSION = 3
"""To be raised when what is read of the same lines, or how it is written here, changes."""
_HEAD = f"lrtui series {_VERSION} {__version__} {sys.byteorder} {MOST_ROWS} {MOST_NAMES}\n".encode()
_DIGEST = 16


class Entry(msgspec.Struct, array_like=True):
    """A run as far as it was read."""

    logs: list[tuple[int, LogState]]
    """Its attempts up to the one that was being read."""
    series: SeriesState


_decoder = msgspec.msgpack.Decoder(Entry)


class Sidecar:
    """The entries of one experiment directory, by the folder of the run."""

    def __init__(self, directory: Path, reading: tuple[str | None, ...]) -> None:
        """Take the entries of `directory`, whose lines are read in the way that `reading` says."""
        self._directory = directory
        self._reading = reading

    def get(self, run_folder: str) -> Entry | None:
        """Return what was kept of a run; None where there is nothing that can be believed."""
        if not self._known:
            return None
        name = self._name(run_folder)
        if name not in self._known:
            return None
        with contextlib.suppress(OSError, ValueError, RecursionError), _folder() as folder:
            return _decoder.decode(_content(_read(folder, name)))
        return None

    def put(self, run_folder: str, entry: Entry) -> None:
        """Keep what was read of a run, if that is possible."""
        content = msgspec.msgpack.encode(entry)
        if len(content) > MOST_OF_ENTRY - len(_HEAD) - _DIGEST:
            return
        with contextlib.suppress(OSError), _folder(make=True) as folder:
            _write(folder, self._name(run_folder), [_HEAD, _digest(content), content])
            _make_room(folder)

    @cached_property
    def _known(self) -> frozenset[str]:
        """Names of the entries that there were at first: without any, a thousand runs cost nothing."""
        with contextlib.suppress(OSError), _folder() as folder:
            return frozenset(os.listdir(folder))
        return frozenset()

    def _name(self, run_folder: str) -> str:
        return f"{self._key}-{run_folder}"

    @cached_property
    def _key(self) -> str:
        import hashlib  # OpenSSL, which short runs do without

        what = (os.path.realpath(self._directory), *self._reading)
        return hashlib.sha256(repr(what).encode("utf-8", "backslashreplace")).hexdigest()[:24]


@contextlib.contextmanager
def _folder(*, make: bool = False) -> Iterator[int]:
    """Give a descriptor of the folder of entries.

    Raises:
        OSError: there is none, or it is not ours alone: a link, somebody else's, open to others' writing.

    """
    base = platformdirs.user_cache_dir()
    if make:
        os.makedirs(base, mode=0o700, exist_ok=True)
    flags = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
    at = os.open(base, flags)
    try:
        for name in ("lrtui", "series"):
            if make:
                with contextlib.suppress(FileExistsError):
                    os.mkdir(name, 0o700, dir_fd=at)
            inner = os.open(name, flags | os.O_NOFOLLOW, dir_fd=at)
            os.close(at)
            at = inner
            if not _ours(os.fstat(at)):
                raise PermissionError(f"{base}/lrtui is not ours alone")
        yield at
    finally:
        os.close(at)


def _ours(status: os.stat_result) -> bool:
    return status.st_uid == os.geteuid() and not status.st_mode & 0o022


def _read(folder: int, name: str) -> bytes:
    """Return the content of an entry's file, b"" where it is no file of ours of a fitting size."""
    fd = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=folder)
    with open(fd, "rb") as file:
        status = os.fstat(fd)
        if not stat.S_ISREG(status.st_mode) or not _ours(status) or status.st_size > MOST_OF_ENTRY:
            return b""
        return file.read(MOST_OF_ENTRY)


def _content(file: bytes) -> memoryview:
    """Return what an entry's file holds.

    Raises:
        ValueError: it is of another version, cut off or damaged.

    """
    begin = len(_HEAD) + _DIGEST
    content = memoryview(file)[begin:]
    if not file.startswith(_HEAD) or file[len(_HEAD) : begin] != _digest(content):
        raise ValueError("no entry")
    return content


def _digest(content: bytes | memoryview) -> bytes:
    import hashlib  # see _key

    return hashlib.blake2b(content, digest_size=_DIGEST).digest()


def _write(folder: int, name: str, parts: list[bytes]) -> None:
    """Put a file in place whole. Nothing is synced: of what a power cut leaves, the digest tells."""
    temporary = f"{os.urandom(8).hex()}.tmp"
    flags = os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_NOFOLLOW | os.O_CLOEXEC
    fd = os.open(temporary, flags, 0o600, dir_fd=folder)
    try:
        with open(fd, "wb") as file:
            file.writelines(parts)
        os.rename(temporary, name, src_dir_fd=folder, dst_dir_fd=folder)
    except OSError:
        os.unlink(temporary, dir_fd=folder)
        raise


def _make_room(folder: int) -> None:
    """Remove the oldest files until the rest is within bounds; that of a writer that died is one of them in its time."""
    files = []
    with os.scandir(folder) as entries:
        for entry in entries:
            with contextlib.suppress(FileNotFoundError):  # another monitor makes room
                status = entry.stat(follow_symlinks=False)
                files.append((status.st_mtime_ns, status.st_size, entry.name))
    total = sum(size for _, size, _ in files)
    for _, size, name in sorted(files):
        if total <= MOST_BYTES:
            return
        with contextlib.suppress(OSError):
            os.unlink(name, dir_fd=folder)
        total -= size
