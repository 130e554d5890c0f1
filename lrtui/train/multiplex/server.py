"""`python -m lrtui.train.multiplex.server CONTROL_FD`: one process that trains several runs of a sweep, each for its own worker.

`lrtui.workers.forkserver` forks it when the first run comes that may share its GPU, and hands it a link to each worker (`client.py`). The
runs take their steps in turns (`runs.py`), each as if it were alone: a run that joins or leaves changes no bit of another.

    a worker is killed       its end of the link closes: its run is dropped here, without a checkpoint
    SIGTERM to a worker      it says stop: its run writes a checkpoint and leaves
    a worker is frozen       it acknowledges no line: its run waits
    a run fails              only this run ends, with the message and the exit code of a run in its own process
    the GPU itself fails     the process ends, and each run continues in its own process

It lives as long as it has runs, and IDLE_SECONDS longer while more may be sent; then it frees the GPU's memory.
"""

from __future__ import annotations

import os
import select
import socket
import sys
import time
import traceback
from functools import partial
from typing import TYPE_CHECKING, Any

import torch

from lrtui.train.faults import Fault, explained
from lrtui.train.loop import TrainingLoop, settle
from lrtui.train.multiplex.client import LONGEST, receive, send
from lrtui.train.multiplex.runs import Member, MultiplexedRuns
from lrtui.train.options import UsageError, parse

if TYPE_CHECKING:
    from lrtui.train.options import Options

IDLE_SECONDS = 20.0
AHEAD = 1
"""The number of lines that a run may be ahead of its worker."""
_GPU_FAILED = 70
"""Exit code: EX_SOFTWARE of sysexits.h."""


def main(control_fd: int) -> None:
    """Train all runs that arrive until none is left."""
    with socket.socket(fileno=control_fd) as control:
        control.setblocking(False)
        server = Server(control)
        while server.step():
            pass


class Server:
    """The runs of one process, and the socket over which more arrive."""

    def __init__(self, control: socket.socket) -> None:
        self._control: socket.socket | None = control
        self._runs = MultiplexedRuns()
        self._clients: list[Client] = []
        self._busy_at = time.monotonic()

    def step(self) -> bool:
        """Accept new runs and give each run a turn; return False if there is nothing left to wait for."""
        self._let_in()
        for client in list(self._clients):
            if client.step(self._runs):
                continue
            self._clients.remove(client)
            client.leave()
        if self._clients:
            self._busy_at = time.monotonic()
        if not any(client.is_ready() for client in self._clients):
            return self._wait()
        return True

    def _let_in(self) -> None:
        """Accept the links of newly arrived runs."""
        while self._control is not None:
            try:
                said, fds, _, _ = socket.recv_fds(self._control, 1, 1)
            except BlockingIOError:
                return
            except OSError:
                said, fds = b"", []
            if fds:
                link = socket.socket(fileno=fds[0])
                self._clients.append(Client(link, beside=len(self._clients)))
            if not said:
                self._control = None

    def _wait(self) -> bool:
        """Wait until there may be something to do; return False if there are no runs and none will come."""
        idle = time.monotonic() - self._busy_at
        if not self._clients and (self._control is None or idle > IDLE_SECONDS):
            return False
        links = [client.link for client in self._clients]
        select.select([*links, *([self._control] if self._control else [])], [], [], 1.0)
        return True


class Client:
    """One run in this process: its `loop.Reporter` and its `loop.StopFlag`."""

    def __init__(self, link: socket.socket, beside: int) -> None:
        link.setblocking(False)
        self.link = link
        self._beside = beside
        """The number of other runs when it joined."""
        self._stop = self._over = self._gone = False
        self._unwritten = 0
        self._options: Options | None = None
        self._member: Member | None = None
        self._loop: TrainingLoop | None = None

    # ── Reporter and StopFlag, for loop.py ─────────────────────────────────────────────────────────────────

    @property
    def asked(self) -> bool:
        """Whether its worker was asked to stop, or is gone."""
        self._receive_all()
        return self._stop or self._gone

    def emit(self, **metrics: float) -> None:
        """Send a metric line to the worker."""
        self._unwritten += 1
        self._send(emit=metrics)

    def say(self, text: str) -> None:
        """Send text for stdout."""
        self._send(say=text[: LONGEST // 8])

    def complain(self, text: str) -> None:
        """Send text for stderr."""
        self._send(complain=text[-LONGEST // 8 :])

    # ── for the server ───────────────────────────────────────────────────────────────────────────

    def is_ready(self) -> bool:
        """Return whether there is anything to do: its worker is at most one line behind."""
        if self._gone:
            return True
        return self._options is not None and self._unwritten <= AHEAD and not self._over

    def step(self, runs: MultiplexedRuns) -> bool:
        """Take a turn; return False if its worker is gone, or must train it itself."""
        self._receive_all()
        if self._gone or not self.is_ready():
            return not self._gone
        try:
            return self._begin(runs) if self._loop is None else self._step(runs)
        except Exception as error:  # noqa: BLE001  # any error ends only this run
            self._fail(error)
            return True

    def leave(self) -> None:
        """Close the link, after the worker has, so that it reads the last message."""
        self.link.close()
        self._forget()

    def _forget(self) -> None:
        """Release the memory."""
        self._loop = self._member = None
        if torch.cuda.is_initialized():  # type: ignore[no-untyped-call]
            torch.cuda.empty_cache()

    def _begin(self, runs: MultiplexedRuns) -> bool:
        """Set the run up once its command line has arrived; if that fails through no fault of the run, its worker trains it."""
        if self._options is None:
            return True
        settle(self._options)
        try:
            self._member = member = runs.set_up(self._options)
        except RuntimeError as error:
            if explained(error, self._options):
                raise
            return False
        self._send(begun=True)
        if self._beside:
            many = f"{self._beside} others" if self._beside > 1 else "another run"
            self.say(f"trained beside {many} in process {os.getpid()}")
        self._loop = member.turn(partial(TrainingLoop, member.training, self, self))
        return True

    def _step(self, runs: MultiplexedRuns) -> bool:
        assert self._loop and self._member, "it has begun"  # noqa: S101, PT018
        training = self._member.training
        batch = runs.batch(training) if training.step < training.until else None
        if self._member.turn(partial(self._loop.step, batch), batch):
            return True
        if not self._gone:
            self._member.turn(self._loop.end)
            self._end(0, reached=self._loop.reached)
        return True

    def _end(self, code: int, *, reached: bool = False) -> None:
        """Notify the worker that its run is over."""
        self._send(exit=code, reached=reached)
        self._over = True
        self._forget()

    def _fail(self, error: Exception) -> None:
        """Report how the run ended; if the GPU itself has failed, end the process, because the cause is unknown."""
        fault = explained(error, self._options) if self._options else Fault(2, str(error))
        if fault is None:
            _require_gpu()
            fault = Fault(1, "".join(traceback.format_exception(error)))
            self.complain(fault.text)
        else:
            if self._loop is None:
                self._send(begun=True)
            self.complain(f"lrtui.train: {fault.text}")
        self._end(fault.code)

    def _receive_all(self) -> None:
        """Handle all messages of the worker."""
        while not self._gone:
            try:
                message = receive(self.link)
            except BlockingIOError:
                return
            if message is None:
                self._gone = True
                return
            self._unwritten -= message.get("wrote", 0)
            self._stop |= "stop" in message
            if "argv" in message:
                self._take(message["argv"])

    def _take(self, argv: list[str]) -> None:
        """Parse its command line, which the worker has already checked."""
        try:
            self._options = parse(argv)
        except (UsageError, SystemExit):
            self._gone = True

    def _send(self, **message: Any) -> None:
        if not send(self.link, message):
            self._gone = True


def _require_gpu() -> None:
    """End this process if the GPU does not work any more: after an error of a kernel no later call succeeds."""
    if not torch.cuda.is_initialized():  # type: ignore[no-untyped-call]
        return
    try:
        torch.cuda.synchronize()
    except RuntimeError as error:
        reason = str(error).partition("\n")[0]
        print(f"host {os.getpid()}: the GPU has failed: {reason}", file=sys.stderr, flush=True)
        os._exit(_GPU_FAILED)


if __name__ == "__main__":
    main(int(sys.argv[1]))
