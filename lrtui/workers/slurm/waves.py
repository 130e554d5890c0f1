"""The state of one submission: the files of DIR/slurm/wN, each with one writer.

intent.json is written before sbatch is called, so that after a kill in between the next supervisor can find the job.
"""

from __future__ import annotations

import json
import os
import re
import time
from pathlib import Path
from typing import TypeVar

import msgspec

from lrtui.sweep.files import read_untrusted, write_atomic
from lrtui.sweep.layout import SlurmLayout
from lrtui.sweep.timing import TIMING

_T = TypeVar("_T")
_INTENT_BYTES = 1 << 20
_NUMBERED = re.compile(r"w([1-9][0-9]{0,8})")
_FOLDER = re.compile(r"[A-Za-z0-9_+-][A-Za-z0-9_.+-]{0,127}/a[1-9][0-9]{0,8}")
"""Matches the folder of an attempt; nothing is written or claimed outside such folders."""
_BEGUN = re.compile(r"([0-9]{1,6})\.beat")
_OVER = re.compile(r"([0-9]{1,6})\.([0-9]{1,6})\.ended")


class _Intent(msgspec.Struct, frozen=True):
    """intent.json: what is submitted, and its job name."""

    name: str
    tasks: tuple[tuple[str, ...], ...]


class _Accepted(msgspec.Struct, frozen=True):
    """job.json: Slurm accepted the wave."""

    id: int
    at: float = 0.0
    """The time by the clock of the login node."""


class _Refused(msgspec.Struct, frozen=True):
    """refused.json: Slurm refused the wave."""

    why: str


class _Ended(msgspec.Struct, frozen=True):
    """I.K.ended: what made an attempt end; "" if it ended by itself."""

    cause: str


class Wave:
    """One array of jobs."""

    def __init__(self, folder: Path, name: str, tasks: tuple[tuple[str, ...], ...]) -> None:
        self.files = SlurmLayout(folder)
        self.name = name
        self.tasks = tasks
        """The folders of each task's attempts, relative to the experiment directory."""
        self.number = int(folder.name[1:])
        accepted = _read(self.files.job, _Accepted, _Accepted(0))
        self.job = accepted.id
        """The array's job id; 0 until it is known to be accepted."""
        self.accepted_at = accepted.at
        self.refused = _read(self.files.refused, _Refused, _Refused("")).why
        self.unwanted = False
        """Whether none of its attempts is wanted any more; it is not submitted then, if Slurm has not taken it yet."""
        self.begun: frozenset[int] = frozenset()
        """Tasks that have started on a node."""
        self.over: frozenset[tuple[int, int]] = frozenset()
        """(task, member) of the attempts that have ended."""
        self._changed = 0
        """The folder's last known mtime in nanoseconds, and when its change was noticed."""
        self._changed_at = self._listed_at = -1e9

    def look(self, *, anew: bool = False) -> None:
        """List the folder to find all tasks that began or ended.

        Without `anew` it is listed for `TIMING.queue` seconds after each change of the folder, and otherwise once in that time: a file
        server may count mtimes in seconds and show changes late.
        """
        try:
            if anew or self._may_have_changed():
                self._list()
        except OSError:
            return

    def _may_have_changed(self) -> bool:
        fd = os.open(self.files.root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            changed = os.fstat(fd).st_mtime_ns  # NFS asks the server when a file is opened
        finally:
            os.close(fd)
        now = time.monotonic()
        if changed != self._changed:
            self._changed, self._changed_at = changed, now
        return now - self._changed_at < TIMING.queue or now - self._listed_at >= TIMING.queue

    def _list(self) -> None:
        self._listed_at = time.monotonic()
        names = os.listdir(self.files.root)
        self.begun = frozenset(int(m[1]) for n in names if (m := _BEGUN.fullmatch(n)))
        self.over = frozenset((int(m[1]), int(m[2])) for n in names if (m := _OVER.fullmatch(n)))

    def cause(self, task: int, member: int) -> str:
        """Return what made an attempt end, according to its job."""
        return _read(self.files.ended(task, member), _Ended, _Ended("")).cause

    def beat(self, task: int) -> bytes:
        """Return the content of a task's beat."""
        return read_untrusted(self.files.beat(task))

    def accepted(self, job: int) -> None:
        """Record that Slurm accepted the wave."""
        self.accepted_at = time.time()
        content = {"id": job, "at": self.accepted_at}
        write_atomic(self.files.job, json.dumps(content).encode())
        self.job = job

    def refuse(self, why: str) -> None:
        """Record that Slurm refused the wave."""
        write_atomic(self.files.refused, json.dumps({"why": why}).encode())
        self.refused = why


def begin(root: Path, name: str, tasks: tuple[tuple[str, ...], ...]) -> Wave:
    """Write the intent of a wave that is about to be submitted; `root` is the folder of its number."""
    root.mkdir(mode=0o700, parents=True)
    content = json.dumps({"name": name, "tasks": tasks}, indent=1)
    write_atomic(SlurmLayout(root).intent, content.encode())
    return Wave(root, name, tasks)


def known(folder: Path) -> list[Wave]:
    """Return the waves of an experiment directory, the oldest first; folders without an intent (never submitted) or with a foreign one are skipped."""
    found = []
    for number in sorted(numbers(folder)):
        root = folder / f"w{number}"
        content = read_untrusted(SlurmLayout(root).intent, _INTENT_BYTES)
        try:
            intent = msgspec.json.decode(content, type=_Intent)
        except (msgspec.MsgspecError, RecursionError):
            continue
        if all(_FOLDER.fullmatch(name) for task in intent.tasks for name in task):
            found.append(Wave(root, intent.name, intent.tasks))
    return found


def numbers(folder: Path) -> list[int]:
    """Return the numbers of the waves, including those that were not submitted."""
    try:
        names = os.listdir(folder)
    except OSError:
        return []
    return [int(match[1]) for name in names if (match := _NUMBERED.fullmatch(name))]


def _read(path: Path, kind: type[_T], otherwise: _T) -> _T:
    content = read_untrusted(path)
    try:
        return msgspec.json.decode(content, type=kind) if content else otherwise
    except (msgspec.MsgspecError, RecursionError):
        return otherwise
