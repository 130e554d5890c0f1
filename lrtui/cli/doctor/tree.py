"""What lies in an experiment directory, by one walk that follows no link: links, modes, owners, temporary files left behind.

The other checks of a directory open only what this walk saw as a plain file in plain folders.
"""

from __future__ import annotations

import os
import re
import shutil
import stat
import time
from dataclasses import dataclass, field
from pathlib import Path

from lrtui.cli.doctor.finding import Finding, fail, listed, ok, warn

MOST = 200_000
"""Entries that are looked at; a worker may have filled its checkpoint folder with more."""
STALE_SECONDS = 60.0
"""A temporary file lives for milliseconds; one older than this was left behind by a process that was killed."""
_WRITTEN_WHOLE = re.compile(r".+\.(\d+)\.tmp")
"""Of write_atomic: NAME.PID.tmp"""
_PREPARED = ".prepared.json"
_CHECKPOINT = re.compile(r"checkpoint(\.previous)?\.tmp")


@dataclass
class Tree:
    """The entries below a directory, by their path relative to it, each with its lstat."""

    root: Path
    entries: dict[str, os.stat_result] = field(default_factory=dict)
    whole: bool = True
    """Whether all of it was walked."""
    unread: list[str] = field(default_factory=list)
    """Folders that could not be listed."""

    def is_file(self, name: str) -> bool:
        """Tell whether there is a plain file of that name, in plain folders."""
        found = self.entries.get(name)
        return found is not None and stat.S_ISREG(found.st_mode)

    def is_folder(self, name: str) -> bool:
        """Tell whether there is a plain folder of that name, in plain folders."""
        found = self.entries.get(name)
        return found is not None and stat.S_ISDIR(found.st_mode)

    def inside(self, folder: str) -> list[str]:
        """Return the names of what lies directly in a folder ("" is the directory itself)."""
        head = f"{folder}/" if folder else ""
        return [
            name[len(head) :]
            for name in self.entries
            if name.startswith(head) and "/" not in name[len(head) :]
        ]


def walk(root: Path) -> Tree:
    """Return what lies below `root`, at most MOST entries; links are noted and not followed."""
    tree = Tree(root)
    waiting = [""]
    while waiting:
        folder = waiting.pop()
        try:
            names = sorted(os.listdir(root / folder))
        except OSError:
            tree.unread.append(folder or ".")
            continue
        for name in names:
            if len(tree.entries) >= MOST:
                tree.whole = False
                return tree
            path = f"{folder}/{name}" if folder else name
            try:
                found = os.lstat(root / path)
            except OSError:
                continue  # it went away meanwhile
            tree.entries[path] = found
            if stat.S_ISDIR(found.st_mode):
                waiting.append(path)
    return tree


def walked(tree: Tree) -> list[Finding]:
    """Say how much there is, and what could not be looked at."""
    files = [found for found in tree.entries.values() if stat.S_ISREG(found.st_mode)]
    found = [ok(f"{len(files)} files in {len(tree.entries) - len(files)} folders and others")]
    if not tree.whole:
        what = f"more than {MOST} entries; those beyond were not looked at"
        found.append(warn(what, f"see what fills it: find {tree.root} -type d | sort"))
    if tree.unread:
        what = f"folders that cannot be read: {listed(tree.unread)}"
        found.append(
            fail(
                what,
                f"chmod u+rwx, as their owner, in {tree.root}",
                str(tree.root / tree.unread[0]),
            )
        )
    return found


def links(tree: Tree) -> list[Finding]:
    """Name the links, and the fifos, sockets and devices: lrtui makes none of them and follows none."""
    found = []
    base = os.path.realpath(tree.root)
    for name, status in tree.entries.items():
        path = tree.root / name
        if stat.S_ISLNK(status.st_mode):
            target = os.path.realpath(path)
            if target == base or target.startswith(base + "/"):
                found.append(
                    warn(f"{name} is a link", "lrtui makes no links; see who did", str(path))
                )
            else:
                what = f"{name} is a link out of the directory, to {_target(path)}: not followed"
                found.append(
                    fail(what, "lrtui makes no links; look who did, then remove it", str(path))
                )
        elif not (stat.S_ISREG(status.st_mode) or stat.S_ISDIR(status.st_mode)):
            found.append(
                warn(f"{name} is no file and no folder: not opened", "remove it", str(path))
            )
    return found[:50] or [ok("no links, fifos, sockets or devices")]


def _target(path: Path) -> str:
    try:
        return os.readlink(path)
    except OSError:
        return "?"


def modes(tree: Tree) -> list[Finding]:
    """Name what others can read or write (folders are 0700, files 0600), and what we cannot."""
    found = []
    own = os.lstat(tree.root)
    everything = {".": own, **tree.entries}
    foreign = [name for name, status in everything.items() if status.st_uid != os.getuid()]
    if foreign:
        what = f"{len(foreign)} of another user: {listed(foreign)}"
        found.append(
            warn(
                what,
                "lrtui never believes them; take a copy of your own: cp -r",
                str(tree.root / foreign[0]),
            )
        )
    wrong = [name for name, status in everything.items() if _is_wrong(status)]
    if wrong:
        what = (
            f"{len(wrong)} with a mode other than 0700 (folders) or 0600 (files): {listed(wrong)}"
        )
        hint = f"lrtui doctor {tree.root} --repair, or: chmod -R go-rwx,u+rwX {tree.root}"
        found.append(warn(what, hint, str(tree.root / wrong[0]), lambda: _close(tree.root, wrong)))
    return found or [ok("folders 0700, files 0600")]


def _is_wrong(status: os.stat_result) -> bool:
    if status.st_uid != os.getuid() or not _is_plain(status):
        return False
    needed = 0o700 if stat.S_ISDIR(status.st_mode) else 0o600
    return bool(status.st_mode & 0o077) or status.st_mode & needed != needed


def _is_plain(status: os.stat_result) -> bool:
    """Tell whether a mode may be changed: a file with another name elsewhere may be somebody's."""
    return stat.S_ISDIR(status.st_mode) or (stat.S_ISREG(status.st_mode) and status.st_nlink == 1)


def _close(root: Path, names: list[str]) -> str:
    """Take the rights of others away, and give us ours; what was put in an entry's place meanwhile is left alone."""
    changed = 0
    for name in names:
        path = root / name
        status = os.lstat(path)
        if not _is_wrong(status):
            continue
        ours = 0o700 if stat.S_ISDIR(status.st_mode) else 0o600
        fd = os.open(path, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC)
        try:
            held = os.fstat(fd)
            if _is_wrong(held):
                # A script that a worker put there keeps its own right to run.
                os.chmod(f"/proc/self/fd/{fd}", stat.S_IMODE(held.st_mode) & 0o700 | ours)
                changed += 1
        finally:
            os.close(fd)
    return f"{changed} mode(s) set"


def temporaries(tree: Tree, *, builtin: bool, living: set[str]) -> list[Finding]:
    """Name the temporary files that a killed process left; those of attempts in `living` ("r01-lr1e-03/a1") are in use."""
    stale = [
        name
        for name, status in tree.entries.items()
        if _is_left(name, status, builtin=builtin, living=living)
    ]
    if not stale:
        return [ok("no temporary files left behind")]
    what = f"{len(stale)} temporary file(s) that a killed process left: {listed(stale)}"
    hint = f"lrtui doctor {tree.root} --repair removes them"
    return [warn(what, hint, str(tree.root / stale[0]), lambda: _remove(tree.root, stale))]


def _is_left(name: str, status: os.stat_result, *, builtin: bool, living: set[str]) -> bool:
    if time.time() - status.st_mtime < STALE_SECONDS or stat.S_ISLNK(status.st_mode):
        return False
    folder, _, base = name.rpartition("/")
    match = _WRITTEN_WHOLE.fullmatch(base)
    if match:
        return stat.S_ISREG(status.st_mode) and not os.path.exists(f"/proc/{match[1][:9]}")
    if folder in living:
        return False
    if folder == "inbox" and base.startswith("."):
        return stat.S_ISREG(status.st_mode)
    is_attempt = folder.count("/") == 1
    if base == _PREPARED:
        return is_attempt and stat.S_ISREG(status.st_mode)
    return is_attempt and builtin and _CHECKPOINT.fullmatch(base) is not None


def _remove(root: Path, names: list[str]) -> str:
    for name in names:
        path = root / name
        if stat.S_ISDIR(os.lstat(path).st_mode):
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)
    return f"{len(names)} temporary file(s) removed"
