"""What every launcher offers the supervisor: start an attempt, say how it stands, signal it."""

from __future__ import annotations

import os
from collections.abc import Collection, Container, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Protocol

LOCAL = "local"
"""The `kind` of [launcher] unless it is given: this machine."""


def new_token() -> str:
    """Return 128 random bits in hexadecimal, the name of one attempt's processes (`secrets` would bring OpenSSL)."""
    return os.urandom(16).hex()


@dataclass(frozen=True, slots=True)
class Job:
    """One attempt that is to be started; argv.json in its directory says what runs."""

    root: Path
    """The attempt's directory; it exists."""
    token: str
    environment: Mapping[str, str]
    """What is set for the worker on top of what it inherits; None of it is recorded."""
    preloaded: bool = False
    """Whether it is a Python module whose imports `Launcher.preload` was told."""
    host: str = ""
    """The module, and behind a space the place, of a process that may do the work of several such workers; "" for none."""


@dataclass(frozen=True, slots=True)
class Exited:
    """The worker has ended and its exit.json says how."""

    code: int | None
    signal: int | None


@dataclass(frozen=True, slots=True)
class Alive:
    """Somebody of this attempt is alive."""

    pid: int | None
    """The worker, where it is known and lives."""
    kept: bool
    """Whether its keeper lives, so that an exit.json will come."""
    orphans: bool = False
    """Whether keeper and worker are dead and only what the worker started is left."""
    waits: str = ""
    """Why it has not begun, in a cluster's words."""


@dataclass(frozen=True, slots=True)
class Unclaimed:
    """Nobody has begun this attempt: it may be launched again."""


@dataclass(frozen=True, slots=True)
class Vanished:
    """Nobody is left, and nobody wrote how the training itself ended."""

    cause: Cause = ""
    """What ended it, where that is known."""
    why: str = ""
    """The same in words."""


Cause = Literal["", "limit", "evicted", "cancelled", "refused"]
"""A job's time limit; a cluster that took the place or the node away; a person who cancelled the job; a cluster that does not run it."""
Condition = Exited | Alive | Unclaimed | Vanished


class Launcher(Protocol):
    """An engine that runs attempts."""

    remote: bool = False
    """Whether attempts run on other machines, where a cluster lends them their GPUs and cores."""
    quiet: Container[str] = frozenset()
    """Tokens of attempts that wait, and of which `condition` would say what it said last."""

    def launch(self, job: Job) -> None:
        """Start an attempt; do nothing where somebody of it is alive.

        Raises:
            OSError: it could not be started; the attempt is as before.

        """

    def preload(self, modules: Sequence[str], environment: Mapping[str, str]) -> None:
        """Import once what every preloaded job will import; `environment` is what all of them share.

        Raises:
            OSError: it cannot be done now; the jobs can be launched all the same.

        """

    def unload(self) -> None:
        """Stop what `preload` began; a job that is launched all the same begins it again."""

    def condition(self, root: Path, token: str) -> Condition:
        """Return how an attempt stands."""

    def send(self, root: Path, token: str, signal: int) -> int:
        """Signal everybody of an attempt; return how many processes were reached."""

    def tick(self, most: int) -> list[str]:  # noqa: ARG002  # for engines that have a queue
        """Hand on what was launched since the last call, of which `most` may run at once; return what the user should know."""
        return []

    def adopt(self, living: Collection[Path]) -> None:  # noqa: ARG002  # see room
        """Learn at the start in which directories the attempts are that may live; all others are over."""
        return

    def change(self, settings: Mapping[str, Any]) -> list[str]:  # noqa: ARG002  # for a cluster's jobs
        """Start further attempts by a [launcher] section that was edited; return what the user should know."""
        return []

    def room(self, most: int) -> bool:  # noqa: ARG002  # see tick
        """Return whether a remote engine takes further attempts, if `most` may run at once."""
        return True
