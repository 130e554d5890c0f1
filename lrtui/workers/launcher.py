"""What every launcher offers the supervisor: start an attempt, report its condition, signal it."""

from __future__ import annotations

import os
from collections.abc import Collection, Container, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Protocol

LOCAL = "local"
"""The default `kind` of [launcher]: this machine."""


def new_token() -> str:
    """Return 128 random bits in hexadecimal, the name of one attempt's processes (`secrets` would bring OpenSSL)."""
    return os.urandom(16).hex()


@dataclass(frozen=True, slots=True)
class Job:
    """An attempt to start; argv.json in its directory says what runs."""

    root: Path
    """The attempt's directory, which exists."""
    token: str
    environment: Mapping[str, str]
    """Variables added to the worker's inherited environment; they are not recorded."""
    preloaded: bool = False
    """Whether it is a Python module whose imports were passed to `Launcher.preload`."""
    host: str = ""
    """The module and, after a space, the place of a process that may do the work of several such workers; "" for none."""


@dataclass(frozen=True, slots=True)
class Exited:
    """The worker has ended and its exit.json says how."""

    code: int | None
    signal: int | None


@dataclass(frozen=True, slots=True)
class Alive:
    """A process of this attempt is alive."""

    pid: int | None
    """The worker, if it is known and alive."""
    kept: bool
    """Whether its keeper lives, so that an exit.json will come."""
    orphans: bool = False
    """Whether keeper and worker are dead, and only processes that the worker started are left."""
    waits: str = ""
    """Why it has not begun, in a cluster's words."""


@dataclass(frozen=True, slots=True)
class Unclaimed:
    """No process has begun this attempt: it may be launched again."""


@dataclass(frozen=True, slots=True)
class Vanished:
    """No process is left, and how the training itself ended was not recorded."""

    cause: Cause = ""
    """What ended it, if known."""
    why: str = ""
    """The same in words."""


Cause = Literal["", "limit", "evicted", "cancelled", "refused"]
"""A job's time limit; preemption or a node failure; a cancellation by a person; a job that the cluster does not run."""
Condition = Exited | Alive | Unclaimed | Vanished


class Launcher(Protocol):
    """An engine that runs attempts."""

    remote: bool = False
    """Whether attempts run on other machines, where a cluster allocates their GPUs and cores."""
    quiet: Container[str] = frozenset()
    """Tokens of waiting attempts whose `condition` has not changed."""

    def launch(self, job: Job) -> None:
        """Start an attempt; do nothing if a process of it is alive.

        Raises:
            OSError: it could not be started; the attempt is unchanged.

        """

    def preload(self, modules: Sequence[str], environment: Mapping[str, str]) -> None:
        """Import once what every preloaded job will import; `environment` is what all of them share.

        Raises:
            OSError: it failed; jobs can still be launched.

        """

    def unload(self) -> None:
        """Stop what `preload` began; a later launch begins it again."""

    def condition(self, root: Path, token: str) -> Condition:
        """Return the condition of an attempt."""

    def send(self, root: Path, token: str, signal: int) -> int:
        """Signal all processes of an attempt; return how many were reached."""

    def tick(self, most: int) -> list[str]:  # noqa: ARG002  # for engines that have a queue
        """Submit what was launched since the last call, of which `most` may run at once; return messages for the user."""
        return []

    def adopt(self, living: Collection[Path]) -> None:  # noqa: ARG002  # see room
        """Register at the start the directories of attempts that may be alive; all others have ended."""
        return

    def change(self, settings: Mapping[str, Any]) -> list[str]:  # noqa: ARG002  # for a cluster's jobs
        """Use an edited [launcher] section for further attempts; return messages for the user."""
        return []

    def room(self, most: int) -> bool:  # noqa: ARG002  # see tick
        """Return whether a remote engine accepts further attempts, if `most` may run at once."""
        return True
