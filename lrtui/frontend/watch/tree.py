"""Finds log files below folders, also later ones, in slices of time: a tree may have thousands of folders on a slow disk.

Links are not followed, so there are no loops and nothing outside the folders is read. lrtui's own experiments are named, not entered.
"""

from __future__ import annotations

import contextlib
import os
import re
import time
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from lrtui.frontend.watch.grouping import is_log
from lrtui.frontend.watch.run_settings import FILES

MOST_FOLDERS = 100_000
MOST_FILES = 20_000
"""The maximum number of followed log files; further ones are counted."""
_RECENT_SECONDS = 3.0
"""A folder that changed less than this before it was listed may have changed again with the same mtime."""
_AT_ONCE = 256
"""The number of entries listed between two checks of the clock."""
_CONFIGURES = frozenset(name.partition("/")[0] for name in FILES)
_DIGITS = re.compile(r"(\d+)")
_SKIPPED = frozenset({"node_modules", "__pycache__", "site-packages"})


@dataclass(frozen=True, slots=True)
class Found:
    """A log file."""

    root: Path
    """The watched folder."""
    relative: Path
    beside: frozenset[str]
    """The names of the other log files and of all folders in its folder."""

    @property
    def path(self) -> Path:
        """The whole path."""
        return self.root / self.relative


@dataclass(slots=True)
class _Folder:
    root: Path
    relative: Path
    changed_ns: int = -1
    """Its mtime at the last listing; -1 before the first."""
    again: bool = False
    """Whether it is listed again even if its mtime is unchanged."""


@dataclass(slots=True)
class Tree:
    """The folders below `roots`; `look` continues where it stopped."""

    roots: tuple[Path, ...]
    unreadable: dict[str, str] = field(default_factory=dict)
    """Folders that could not be listed, with the reason."""
    links: int = 0
    """The number of linked folders, which are not followed."""
    experiments: list[Path] = field(default_factory=list)
    """lrtui's own experiments, which are not entered."""
    left_out: int = 0
    """The number of log files beyond MOST_FILES and of folders beyond MOST_FOLDERS."""
    touched: set[Path] = field(default_factory=set)
    """Folders with settings that changed since the caller last emptied this."""
    configured: set[Path] = field(default_factory=set)
    """Folders with settings."""
    _known: set[Path] = field(default_factory=set)
    _files: set[Path] = field(default_factory=set)
    _links: set[str] = field(default_factory=set)
    _waiting: deque[_Folder] = field(default_factory=deque)
    """Folders not listed yet."""
    _listed: deque[_Folder] = field(default_factory=deque)
    """Folders to check for changes, the next one first."""
    _listing: tuple[_Folder, Iterator[os.DirEntry[str]], list[os.DirEntry[str]]] | None = None
    """A large folder whose listing is not complete."""

    def __post_init__(self) -> None:
        """Begin with the roots."""
        for root in self.roots:
            self._known.add(root)
            self._waiting.append(_Folder(root, Path()))

    @property
    def more(self) -> bool:
        """Whether folders wait to be listed."""
        return self._listing is not None or bool(self._waiting)

    @property
    def folders(self) -> int:
        """How many folders are known."""
        return len(self._known)

    def look(self, deadline: float, check_seconds: float = 0.005) -> list[Found]:
        """Return the log files found until the deadline; once all are listed, check for changes for `check_seconds`."""
        found: list[Found] = []
        while self.more:
            self._list(found, deadline)
            if time.monotonic() >= deadline:
                return found
        end = min(deadline, time.monotonic() + check_seconds)
        for _ in range(len(self._listed)):
            self._check(self._listed.popleft())
            if time.monotonic() >= end:
                break
        while self._waiting and time.monotonic() < deadline:
            self._list(found, deadline)
        return found

    def _check(self, folder: _Folder) -> None:
        try:
            status = os.stat(
                folder.root / folder.relative, follow_symlinks=folder.relative == Path()
            )
        except OSError:
            self._known.discard(folder.root / folder.relative)
            return  # gone: found again by the folder above if it comes back
        if status.st_mtime_ns == folder.changed_ns and not folder.again:
            self._listed.append(folder)
        else:
            self._waiting.append(folder)

    def _list(self, found: list[Found], deadline: float) -> None:
        """List the next folder, or a part of it."""
        if self._listing is None:
            folder = self._waiting.popleft()
            path = folder.root / folder.relative
            try:
                changed = os.stat(path).st_mtime_ns
                entries: Iterator[os.DirEntry[str]] = os.scandir(path)
            except OSError as error:
                self.unreadable[str(path)] = error.strerror or "unreadable"
                self._listed.append(folder)
                return
            self.unreadable.pop(str(path), None)
            folder.again = time.time() - changed / 1e9 < _RECENT_SECONDS
            folder.changed_ns = changed
            self._listing = (folder, entries, [])
        folder, entries, kept = self._listing
        while True:
            read = 0
            for entry in entries:
                read += 1
                if _matters(entry):
                    kept.append(entry)
                if read == _AT_ONCE:
                    break
            if read < _AT_ONCE:
                break
            if time.monotonic() >= deadline:
                return
        self._listing = None
        self._listed.append(folder)
        self._take(folder, kept, found)

    def _take(self, folder: _Folder, entries: list[os.DirEntry[str]], found: list[Found]) -> None:
        names = frozenset(entry.name for entry in entries)
        path = folder.root / folder.relative
        if {"experiment.toml", "format"} <= names:
            if path not in self.experiments:
                self.experiments.append(path)
            return
        if not _CONFIGURES.isdisjoint(names):
            self.configured.add(path)
            self.touched.add(path)
        for entry in sorted(entries, key=lambda each: _natural(each.name)):
            relative = folder.relative / entry.name
            if entry.name.startswith("."):
                continue
            if _is_folder(entry):
                self._enter(_Folder(folder.root, relative))
            elif entry.is_symlink():
                if entry.path not in self._links and os.path.isdir(entry.path):
                    self._links.add(entry.path)
                    self.links += 1
            elif is_log(entry.name) and folder.root / relative not in self._files:
                if len(self._files) >= MOST_FILES:
                    self.left_out += 1
                    continue
                self._files.add(folder.root / relative)
                found.append(Found(folder.root, relative, names - {entry.name}))

    def _enter(self, folder: _Folder) -> None:
        path = folder.root / folder.relative
        if path in self._known:
            return
        if len(self._known) >= MOST_FOLDERS:
            self.left_out += 1
            return
        self._known.add(path)
        self._waiting.append(folder)

    def forget(self, path: Path) -> None:
        """Forget a deleted file, so that it counts as new if it reappears."""
        self._files.discard(path)


def holds_logs(folder: Path, most_seconds: float = 0.3) -> bool:
    """Return whether a log file is found below a folder within `most_seconds`."""
    tree = Tree((folder,))
    deadline = time.monotonic() + most_seconds
    while tree.more and time.monotonic() < deadline:
        if tree.look(time.monotonic()):
            return True
    return False


def _natural(name: str) -> list[tuple[int, str]]:
    """Order version_2 before version_10."""
    return [
        (int(part[:18]) if part.isascii() and part.isdecimal() else -1, part)
        for part in _DIGITS.split(name)
    ]


def _matters(entry: os.DirEntry[str]) -> bool:
    """Return whether an entry is a folder to enter, a link, a log, or a sign of what its folder is."""
    if entry.name in _CONFIGURES or entry.name in {"experiment.toml", "format"}:
        return True
    if entry.name.startswith(".") or entry.name in _SKIPPED:
        return False
    return is_log(entry.name) or _is_folder(entry) or entry.is_symlink()


def _is_folder(entry: os.DirEntry[str]) -> bool:
    with contextlib.suppress(OSError):
        return entry.is_dir(follow_symlinks=False)
    return False
