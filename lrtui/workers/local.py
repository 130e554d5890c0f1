"""Runs attempts as processes of this machine, each under a keeper.

The identity of a process is boot id, pid, start time and the token in its environment. A process is never signalled by its name,
only its pid, or the run's id; signals go through pidfds, so a recycled pid is never hit.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec

from lrtui.sweep import locks
from lrtui.sweep.files import read_untrusted
from lrtui.sweep.layout import AttemptLayout
from lrtui.workers import keeper
from lrtui.workers.forkserver_client import ForkserverClient
from lrtui.workers.launcher import Alive, Condition, Exited, Job, Launcher, Unclaimed, Vanished

KEEPER = str(Path(keeper.__file__).resolve())
_KEEPER_ENDINGS = (b"/lrtui/workers/keeper.py", b"/lrtui/keeper.py")
"""How the path of a keeper ends wherever lrtui was installed; the second one in version 0.1."""


class PidFile(msgspec.Struct, frozen=True):
    """pid.json: an attempt's processes. Written by the keeper; checked against /proc before use."""

    worker: int
    keeper: int
    boot_id: str
    token: str
    start: int | None = None
    keeper_start: int | None = None


class ExitFile(msgspec.Struct, frozen=True):
    """exit.json: how a worker ended. Written by the keeper."""

    at: float
    code: int | None = None
    signal: int | None = None
    left: int = 0


class Local(Launcher):
    """The launcher for this machine."""

    def __init__(self) -> None:
        self._keepers: list[subprocess.Popen[bytes]] = []
        self._preloaded = ForkserverClient()

    def preload(self, modules: Sequence[str], environment: Mapping[str, str]) -> None:
        """Import once, in a process that forks the workers (`lrtui.workers.forkserver`)."""
        self._preloaded.start(modules, environment)

    def unload(self) -> None:
        """End the process that forks the workers; the workers continue."""
        self._preloaded.end()

    def launch(self, job: Job) -> None:
        """Lock the attempt and hand the locked descriptor to a new keeper: over a fork, or to the preloaded process."""
        self._keepers = [child for child in self._keepers if child.poll() is None]
        fd = locks.take(job.root)
        if fd is None:
            return
        try:
            if job.preloaded and self._preloaded.hand(job, fd):
                return
            self._keepers.append(_start_keeper(job, fd))
        finally:
            os.close(fd)

    def condition(self, root: Path, token: str) -> Condition:
        """Return the condition of an attempt, checked in an order that loses and doubles nothing.

        exit.json counts only when keeper and worker are gone: a worker can write one while it trains on.
        """
        for child in self._keepers:
            child.poll()
        self._preloaded.poll()
        files = AttemptLayout(root)
        who = read_pid(files.pid, token)
        keeper_lives = who is not None and is_same(who.keeper, who.keeper_start, token)
        worker_lives = who is not None and is_same(who.worker, who.start, token)
        if who is not None and (keeper_lives or worker_lives):
            return Alive(who.worker if worker_lives else None, kept=keeper_lives)
        ending = read_exit(files.exit)
        if ending is not None and (who is not None or not locks.is_held(root)):
            return ending
        if locks.is_held(root) or keeper.bearers(token):
            return self._living_without_pid_file(files, token)
        ending = read_exit(files.exit)  # it may have appeared between the two checks
        if ending is not None:
            return ending
        return Vanished() if files.claim.exists() else Unclaimed()

    def _living_without_pid_file(self, files: AttemptLayout, token: str) -> Condition:
        """Return the condition of an attempt without a pid.json (yet)."""
        living = keeper.bearers(token)
        if not living and not locks.is_held(files.root):
            return read_exit(files.exit) or (Vanished() if files.claim.exists() else Unclaimed())
        workers = [pid for pid in living if not _is_keeper(pid)]
        kept = len(workers) < len(living)
        leaders = [pid for pid in workers if _leads_session(pid)]
        begun = read_pid(files.pid, token) is not None
        return Alive(
            min(leaders, default=None),
            kept=kept,
            orphans=not kept and bool(workers) and (begun or not leaders),
        )

    def send(self, root: Path, token: str, signal: int) -> int:
        """Signal all processes that carry the token, except the keeper; return how many were reached.

        Until a worker runs its own program it looks like its keeper, which forked it; then pid.json distinguishes them.
        """
        who = read_pid(AttemptLayout(root).pid, token)
        worker = who.worker if who is not None else None
        reached = 0
        for pid in keeper.bearers(token):
            if pid == worker or not _is_keeper(pid):
                reached += _signal_bearer(pid, token, signal)
        return reached


def _start_keeper(job: Job, fd: int) -> subprocess.Popen[bytes]:
    inherited = {k: v for k, v in os.environ.items() if not k.startswith("LRTUI_")}
    return subprocess.Popen(
        [sys.executable, "-I", "-S", KEEPER, str(fd), str(job.root)],
        env={**inherited, **job.environment, "LRTUI_TOKEN": job.token},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        pass_fds=(fd,),
        start_new_session=True,
        cwd="/",
    )


def read_exit(path: Path) -> Exited | None:
    """Return how a worker ended; None if its exit.json is missing or malformed."""
    content = read_untrusted(path)
    try:
        ending = msgspec.json.decode(content, type=ExitFile) if content else None
    except (msgspec.MsgspecError, RecursionError):
        return None
    return Exited(ending.code, ending.signal) if ending else None


def read_pid(path: Path, token: str) -> PidFile | None:
    """Return the processes of an attempt; None if pid.json is missing, damaged, of another boot or of another attempt."""
    who = read_remote_pid(path, token)
    return who if who is not None and who.boot_id == keeper.boot_id() else None


def read_remote_pid(path: Path, token: str) -> PidFile | None:
    """Return the processes of an attempt on any machine; None if pid.json is missing, damaged or of another attempt."""
    content = read_untrusted(path)
    try:
        who = msgspec.json.decode(content, type=PidFile) if content else None
    except (msgspec.MsgspecError, RecursionError):
        return None
    return who if who is not None and who.token == token else None


def is_same(pid: int, start: int | None, token: str) -> bool:
    """Return whether a pid is still the same process: start time and token match."""
    return (
        pid > 1
        and start is not None
        and keeper.start_time(pid) == start
        and keeper.bears(pid, b"LRTUI_TOKEN=" + token.encode())
    )


def _is_keeper(pid: int) -> bool:
    """Return whether a process with the token is its keeper, also of an lrtui that has since been upgraded or moved."""
    try:
        with open(f"/proc/{pid}/cmdline", "rb") as file:
            words = file.read().split(b"\0")
    except OSError:
        return False
    return words[1:3] == [b"-I", b"-S"] and words[3].endswith(_KEEPER_ENDINGS)


def _leads_session(pid: int) -> bool:
    try:
        return os.getsid(pid) == pid
    except OSError:
        return False


def _signal_bearer(pid: int, token: str, number: int) -> int:
    """Signal one process through a pidfd, after checking its identity through that pidfd."""
    try:
        fd = os.pidfd_open(pid)
    except OSError:
        return 0
    try:
        if not keeper.bears(pid, b"LRTUI_TOKEN=" + token.encode()):
            return 0
        signal.pidfd_send_signal(fd, number)
    except OSError:
        return 0
    finally:
        os.close(fd)
    return 1
