"""The parent of the keepers in one Slurm job, started with the words of `job_options.agent_words`; standard library only.

It forks a keeper for each of its attempts, which writes the same files as on one machine. It reads the orders that the supervisor
appends to each attempt's file `orders`, since signals do not cross machines; forwards Slurm's warning of the time limit as SIGTERM;
and changes its beat, so that a job whose node Slurm lost is still known to be alive.

An attempt that was claimed before is not started: a job may be submitted or requeued twice, but its runs begin once.
"""

from __future__ import annotations

import os
import sys
import time

TYPE_CHECKING = False
"""Stands in for typing's constant, since importing typing costs the start 4 ms."""
if TYPE_CHECKING:
    import signal
    from collections.abc import Iterable
    from types import ModuleType
    from typing import Any
else:
    import _signal as signal  # the enums of `signal` cost the start 8 ms

BEAT_SECONDS = 5.0
LOOK_SECONDS = 1.0
LATE_SECONDS = 60.0
"""Seconds for which NFS, as usually mounted, remembers that a file does not exist."""
_HEARD = {signal.SIGCHLD, signal.SIGTERM, signal.SIGUSR2}
_CAUSES: dict[int, str] = {signal.SIGTERM: "term", signal.SIGUSR2: "limit"}
_ORDERS: dict[str, int] = {
    "TERM": signal.SIGTERM,
    "KILL": signal.SIGKILL,
    "STOP": signal.SIGSTOP,
    "CONT": signal.SIGCONT,
}


def main(wave: str) -> int:
    """Run the attempts of this job's task to their ends; return 0 if all workers ended with 0."""
    signal.pthread_sigmask(signal.SIG_BLOCK, _HEARD)
    task = os.environ["SLURM_ARRAY_TASK_ID"]
    keeper = __import__(
        "keeper"
    )  # beside this package, in a folder that is on the path of a job only
    folders = _read(keeper, f"{wave}/intent.json")["tasks"][int(task)]
    if not all(_is_ours(folder) for folder in folders):
        return 1  # not an intent of this experiment
    root = os.path.dirname(os.path.dirname(wave))
    members = [
        _Member(f"{root}/{folder}", f"{wave}/{task}.{k}.ended", keeper)
        for k, folder in enumerate(folders)
    ]
    living = [member for member in members if member.start()]
    if not living:
        return 0
    beat = _Beat(f"{wave}/{task}.beat", keeper)
    cause, told, failed = "", False, False
    while living:
        beat.tick()
        cause = cause or _cause(_HEARD)
        if cause == "limit" and not told:  # Slurm's SIGTERM reaches the workers without help
            told = True
            for member in living:
                member.signal(signal.SIGTERM)
        for member in living:
            member.obey()
        for member in [each for each in living if each.is_over()]:
            living.remove(member)
            failed = failed or member.failed()
            if failed:  # Slurm signals the workers first
                cause = cause or _cause(set(_CAUSES))
            member.finish(cause)
    return int(failed)


def _is_ours(folder: str) -> bool:
    """Return whether a name is that of an attempt below the experiment directory: r03-lr3e-04/a1."""
    run, _, attempt = folder.partition("/")
    letters = run.translate(str.maketrans("_+-.", "xxxx"))
    plain = letters.isalnum() and not run.startswith(".")
    return plain and attempt[:1] == "a" and attempt[1:].isdecimal()


def _read(keeper: ModuleType, path: str) -> Any:
    """Return the content of a JSON file that another machine has written; a shared file system may show it late.

    Raises:
        OSError: it is missing or unreadable for longer than a shared file system may take to show it.

    """
    deadline = time.monotonic() + LATE_SECONDS
    while True:
        try:
            os.listdir(os.path.dirname(path))  # makes NFS ask the server again
            with open(path, encoding="utf-8") as file:
                return keeper.from_json(file.read())
        except FileNotFoundError:
            if time.monotonic() > deadline:
                raise
            time.sleep(LOOK_SECONDS)


def _cause(signals: Iterable[int]) -> str:
    """Wait a moment for a signal; return its meaning for the job, "" if none came or it has none.

    In a job that was suspended and continues, Python returns a number that is not a signal: a field that was never filled in.
    """
    heard = signal.sigtimedwait(signals, LOOK_SECONDS)
    return _CAUSES.get(heard.si_signo, "") if heard is not None else ""


class _Member:
    """One attempt of this job."""

    def __init__(self, attempt: str, ended: str, keeper: ModuleType) -> None:
        self._attempt = attempt
        self._ended = ended
        self._keeper = keeper
        self._pid = 0
        self._token = ""
        self._obeyed = 0
        """The number of orders that have reached a process."""
        self._ordered = False

    def start(self) -> bool:
        """Fork the keeper; return whether this job runs the attempt."""
        if os.path.exists(f"{self._attempt}/claim"):
            return False
        given = _read(self._keeper, f"{self._attempt}/environment.json")
        _read(self._keeper, f"{self._attempt}/argv.json")  # the keeper needs it
        self._token = given["token"]
        self._pid = os.fork()
        if self._pid == 0:
            code = 1
            try:
                self._become_keeper(given["environment"])
                code = self._keeper.main(
                    os.open(os.devnull, os.O_RDONLY), self._attempt, waits=False
                )
            finally:
                sys.stderr.flush()
                os._exit(code)
        return True

    def _become_keeper(self, environment: dict[str, str]) -> None:
        """Set the worker's environment; entries that `setup` put on PYTHONPATH come after the worker's."""
        os.setsid()
        for name in [name for name in os.environ if name.startswith("LRTUI_")]:
            del os.environ[name]
        ways = [environment.get("PYTHONPATH", ""), os.environ.get("PYTHONPATH", "")]
        os.environ.update(environment)
        os.environ["LRTUI_TOKEN"] = self._token
        if any(ways):
            parts = [part for way in ways for part in way.split(os.pathsep) if part]
            os.environ["PYTHONPATH"] = os.pathsep.join(dict.fromkeys(parts))

    def obey(self) -> None:
        """Signal the worker as the supervisor orders, each order once; one that reaches no process yet is retried."""
        try:
            with open(f"{self._attempt}/orders", encoding="utf-8") as file:
                orders = file.read(1 << 16).split()
        except (OSError, ValueError):
            return
        for order in orders[self._obeyed :]:
            number = _ORDERS.get(order)
            if number is not None and not self.signal(number):
                return
            self._obeyed += 1
            self._ordered = self._ordered or order in {"TERM", "KILL"}

    def signal(self, number: int) -> int:
        """Signal all processes that carry the token; return how many were reached. The keeper, a fork of this process, has no token."""
        reached = 0
        for pid in self._keeper.bearers(self._token):
            try:
                fd = os.pidfd_open(pid)
            except OSError:
                continue
            try:
                if self._keeper.bears(pid, b"LRTUI_TOKEN=" + self._token.encode()):
                    signal.pidfd_send_signal(fd, number)
                    reached += 1
            except OSError:
                pass
            finally:
                os.close(fd)
        return reached

    def is_over(self) -> bool:
        """Return whether the keeper has ended."""
        return os.waitpid(self._pid, os.WNOHANG)[0] == self._pid

    def failed(self) -> bool:
        """Return whether the worker ended with anything but exit code 0."""
        try:
            with open(f"{self._attempt}/exit.json", encoding="utf-8") as file:
                return bool(self._keeper.from_json(file.read())["code"] != 0)
        except (OSError, ValueError, KeyError):
            return True

    def finish(self, cause: str) -> None:
        """Record that the attempt is over; do nothing if its keeper found it claimed by another job, or was killed."""
        try:
            with open(f"{self._attempt}/claim", encoding="utf-8") as file:
                ours = file.read().strip() == str(self._pid)
        except OSError:
            ours = False
        if ours and os.path.exists(f"{self._attempt}/exit.json"):
            said = {"cause": "order" if self._ordered else cause}
            self._keeper._write_patiently(  # noqa: SLF001  # a part of this program
                self._ended, said, synced=False
            )


class _Beat:
    """A file whose content changes while this job lives; its existence shows that the task began."""

    def __init__(self, path: str, keeper: ModuleType) -> None:
        self._path = path
        self._keeper = keeper
        self._count = 0
        self._due = 0.0

    def tick(self) -> None:
        """Change the file when due; ignore a full disk."""
        if time.monotonic() < self._due:
            return
        self._due = time.monotonic() + BEAT_SECONDS
        self._count += 1
        said = {"host": os.uname().nodename, "pid": os.getpid(), "count": self._count}
        try:
            with open(self._path, "w", encoding="utf-8") as file:
                file.write(self._keeper.to_json(said))
        except OSError as error:
            self._keeper._log(  # noqa: SLF001  # see finish
                f"cannot write {self._path}: {error}"
            )
