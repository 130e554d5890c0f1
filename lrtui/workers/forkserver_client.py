"""The supervisor's side of `lrtui.workers.forkserver`: one process that has imported the trainer, asked to fork workers.

It is optional. If it is dead, does not respond or could not import, `hand` returns False and the launcher starts the worker without
it; its unanswered requests are launched again, because their locks die with it.
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from lrtui.sweep.timing import TIMING
from lrtui.workers import forkserver

if TYPE_CHECKING:
    from lrtui.workers.launcher import Job

STARTS = 20
"""Maximum number of starts per supervisor."""


class ForkserverClient:
    """At most one preloaded process; started by `start`, and again by `hand` if it has died.

    One that could not import, or did not respond, is not started again.
    """

    def __init__(self) -> None:
        self._modules: Sequence[str] = ()
        self._environment: Mapping[str, str] = {}
        self._process: subprocess.Popen[bytes] | None = None
        self._link: socket.socket | None = None
        self._asked: list[float] = []
        """When the wait for each answer began; the first answer says that it is ready."""
        self._starts = 0

    def start(self, modules: Sequence[str], environment: Mapping[str, str]) -> None:
        """Import `modules` in a new process, with `environment` on top of this process's.

        Raises:
            OSError: the process could not be started.

        """
        if self._process is not None or self._starts >= STARTS:
            return
        self._modules, self._environment = modules, environment
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        inherited = {k: v for k, v in os.environ.items() if not k.startswith("LRTUI_")}
        command = [sys.executable, "-P", "-m", forkserver.__name__, str(theirs.fileno())]
        with theirs:
            try:
                self._process = subprocess.Popen(
                    [*command, forkserver.PADDING, *modules],
                    env={**inherited, **environment, "LRTUI_TOKEN": forkserver.NO_TOKEN},
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.DEVNULL,
                    pass_fds=(theirs.fileno(),),
                    start_new_session=True,
                    cwd="/",
                )
            except OSError:
                ours.close()
                raise
        ours.setblocking(False)
        self._link, self._asked = ours, [time.monotonic()]
        self._starts += 1

    def hand(self, job: Job, lock_fd: int) -> bool:
        """Request a fork that keeps an attempt; return False if the launcher must start it itself."""
        self.poll()
        if self._modules and self._process is None:
            self.start(self._modules, self._environment)
        if self._link is None:
            return False
        environment = {**job.environment, "LRTUI_TOKEN": job.token}
        content = {"root": str(job.root), "environment": environment, "host": job.host}
        request = json.dumps(content).encode()
        try:
            socket.send_fds(self._link, [request], [lock_fd])
        except OSError:  # it has just died, or is overloaded
            return False
        self._asked.append(time.monotonic())
        return True

    def poll(self) -> None:
        """Read its answers; end it if it has not answered for `TIMING.preload`."""
        if self._link is None:
            return
        try:
            while self._link.recv(1):
                del self._asked[:1]
        except BlockingIOError:
            if not self._asked or time.monotonic() - self._asked[0] < TIMING.preload:
                return
            self._modules = ()
        except ConnectionError:
            pass
        self.end()

    def end(self) -> None:
        """End it, if it has not ended itself; the next `hand` starts it again."""
        if self._link is None or self._process is None:
            return
        self._link.close()
        try:
            code = self._process.wait(1 if self._modules else 0)
        except subprocess.TimeoutExpired:
            self._process.kill()
            code = self._process.wait()
        if code > 0:  # killed it would be below 0
            self._modules = ()
        self._process = self._link = None
