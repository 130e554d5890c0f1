"""A process that has imported the workers' modules, and forks the workers: torch is imported only once.

`launchers.preloaded` starts it as `python -P -m lrtui.workers.forkserver SOCKET_FD PADDING MODULE ..`. For each request, a JSON
object sent with the locked descriptor of an attempt, it forks a keeper, which forks the worker. Both do the same as a keeper
started by its path, so other processes see no difference: claim, session, output, lock, exit.json. What an exec would have set is
set by hand: the environment and, as shown in /proc, the command line and the token.

A request may name a host, MODULE: then the worker gets a link (the descriptor in LRTUI_HOST_FD) to a process that runs `python -m
MODULE CONTROL_FD`, shared by all requests with the same name. It is forked here at the first of them, and receives the other end of
every link; if this process ends, it only loses CONTROL_FD, and ends when its work is done.

It imports and never computes, and it never touches CUDA: OpenMP, autograd and a CUDA context do not survive a fork
(measured with torch 2.15: the child hangs). It ends when its socket does, and so with its supervisor, also in the middle of an import.
"""

from __future__ import annotations

import atexit
import contextlib
import fcntl
import gc
import importlib
import io
import json
import os
import runpy
import select
import signal
import socket
import sys
import threading
import traceback
from collections.abc import Iterator
from typing import NoReturn

from lrtui.emit import restart_clock
from lrtui.workers import keeper

TOKEN_LENGTH = 32
NO_TOKEN = "-" * TOKEN_LENGTH
"""A placeholder in the environment, as long as a token, which each fork overwrites with its own."""
PADDING = "." * 8192
"""Padding in the command line, to make room for any worker's."""
HOST_FD = "LRTUI_HOST_FD"
"""The worker's environment: the descriptor of its link to a host."""
READY, FORKED = b"r", b"f"
"""The answers: one when the imports are done, then one for each request."""
LONGEST = 1 << 18
"""Maximum size of a request, in bytes."""
_BUFFERED = (io.TextIOWrapper, io.BufferedWriter, io.BufferedRandom)
"""Files whose buffers may hold unwritten output."""


def main(link: socket.socket, modules: list[str]) -> list[str] | None:
    """Import, then fork for every request; return the argv of a worker in the worker, None at the end."""
    for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
        signal.signal(number, signal.SIG_IGN)
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # this process does not wait for keepers
    show_command([sys.executable, sys.argv[0], *modules])
    with _ending_with(link):
        for name in modules:
            importlib.import_module(name)
    gc.collect()
    gc.freeze()  # a collection in a worker would touch, and so copy, every page of what was imported
    link.send(READY)
    hosts = Hosts()
    while True:
        try:
            request, fds, _, _ = socket.recv_fds(link, LONGEST, 1)
        except ConnectionError:  # it ended with answers unread
            return None
        if not request:
            return None
        job, lock_fd = json.loads(request), fds[0]
        guest = hosts.invite(job, (link.fileno(), lock_fd)) if job.get("host") else None
        try:
            pid = os.fork()
        except OSError as error:  # the lock is dropped, so the attempt is launched again
            print(f"preload: cannot fork: {error.strerror}", file=sys.stderr, flush=True)
        else:
            if pid == 0:
                link.close()
                hosts.close()
                return _keep(job, lock_fd, guest)
        if guest is not None:
            guest.close()
        os.close(lock_fd)
        link.send(FORKED)


@contextlib.contextmanager
def _ending_with(link: socket.socket) -> Iterator[None]:
    """End this process if the other end of the link is closed meanwhile: torch's import takes seconds of a core."""
    hung_up = select.poll()
    hung_up.register(link, 0)

    def look(*_: object) -> None:
        if hung_up.poll(0):
            os._exit(0)

    flags = fcntl.fcntl(link, fcntl.F_GETFL)
    signal.signal(signal.SIGIO, look)
    signal.siginterrupt(signal.SIGIO, False)  # no read of an import fails when a request comes
    fcntl.fcntl(link, fcntl.F_SETOWN, os.getpid())
    fcntl.fcntl(link, fcntl.F_SETFL, flags | os.O_ASYNC)
    look()
    yield
    fcntl.fcntl(link, fcntl.F_SETFL, flags)
    signal.signal(signal.SIGIO, signal.SIG_DFL)


class Hosts:
    """The host processes, each of which does the work of several workers, by their name in the requests."""

    def __init__(self) -> None:
        self._controls: dict[str, socket.socket] = {}

    def invite(self, job: dict[str, object], private: tuple[int, ...]) -> socket.socket | None:
        """Return a worker's end of a link to its host; None if there can be none. A host must not inherit `private`."""
        name = str(job["host"])
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            for _ in range(2):
                try:
                    if name not in self._controls:
                        mine = (ours.fileno(), theirs.fileno())
                        self._controls[name] = self._fork(job, (*private, *mine))
                    socket.send_fds(self._controls[name], [b"+"], [theirs.fileno()])
                except OSError:  # it has ended, or has long been stopped; or there cannot be one
                    if name in self._controls:
                        self._controls.pop(name).close()
                else:
                    return ours
        ours.close()
        return None

    def close(self) -> None:
        """Close the links to all hosts, in a process that does not use them."""
        for control in self._controls.values():
            control.close()
        self._controls.clear()

    def _fork(self, job: dict[str, object], private: tuple[int, ...]) -> socket.socket:
        """Return the control socket of a new host."""
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        pid = os.fork()
        if pid:
            theirs.close()
            ours.setblocking(False)
            return ours
        try:
            ours.close()
            self.close()
            for number in private:
                os.close(number)
            os.setsid()
            environment: dict[str, str] = job["environment"]  # type: ignore[assignment]
            os.environ.update({k: v for k, v in environment.items() if not k.startswith("LRTUI_")})
            module = str(job["host"]).partition(" ")[0]
            argv = [sys.executable, "-m", module, str(theirs.detach())]
            show_command(argv)
            run(argv)
        except BaseException:  # noqa: BLE001  # nothing of a host may reach the loop above
            traceback.print_exc()
        os._exit(0)


def _keep(job: dict[str, object], lock_fd: int, guest: socket.socket | None) -> list[str]:
    """Be the keeper of an attempt to its end, or return in its worker with its argv."""
    attempt = str(job["root"])
    try:
        environment: dict[str, str] = job["environment"]  # type: ignore[assignment]
        os.environ.update(environment)
        show_command([sys.executable, "-I", "-S", str(keeper.__file__), str(lock_fd), attempt])
        show_token(environment["LRTUI_TOKEN"])  # from here on other processes see it as a keeper
        os.setsid()
        os.chdir("/")
        spec = keeper.claim(attempt)
        if spec is None:
            os._exit(1)
        worker = os.fork()
        if worker == 0:
            argv = keeper.prepare(spec, attempt, lock_fd)
            show_command(argv)
            if guest is not None:
                os.environ[HOST_FD] = str(guest.detach())
            return argv
        if guest is not None:
            guest.close()  # the host is to see when the worker is gone
        keeper.keep(worker, spec, attempt)
        os._exit(0)
    except BaseException:  # noqa: BLE001  # nothing of a keeper may reach the loop above
        traceback.print_exc()
        os._exit(1)


def run(argv: list[str]) -> NoReturn:
    """Run `python -m MODULE ARG ..` in this process."""
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGPIPE, signal.SIG_IGN)
    restart_clock()
    sys.path.insert(0, os.getcwd())
    sys.argv[1:] = argv[3:]
    code = 0
    try:
        runpy.run_module(argv[2], run_name="__main__", alter_sys=True)
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else int(end.code is not None)
        if code != end.code and end.code is not None:
            print(end.code, file=sys.stderr)
    _leave(code)


def _leave(code: int) -> NoReturn:
    """End this process as Python does, but without tearing down the modules shared with its parent, which would copy each of their
    pages: with torch 210 MiB, and 0.7 s of CPU after a training of 0.2 s.
    """
    threading._shutdown()  # type: ignore[attr-defined]  # noqa: SLF001
    atexit._run_exitfuncs()  # noqa: SLF001
    open_files = [each for each in gc.get_objects() if type(each) in _BUFFERED]
    try:
        for file in (sys.stdout, sys.stderr, *open_files):
            if not file.closed:
                file.flush()
    except OSError:
        code = 120  # as Python does
    os._exit(code)


def show_command(words: list[str]) -> None:
    """Write words where /proc/PID/cmdline shows them, cut off to the available space."""
    import ctypes  # the supervisor imports this module too

    begin, end, _, _ = _areas()
    room = end - begin
    text = b"\0".join(map(os.fsencode, words))[: room - 1]
    ctypes.memmove(begin, text.ljust(room, b"\0"), room)


def show_token(token: str) -> None:
    """Write a token where /proc/PID/environ shows it.

    Raises:
        ValueError: this process was not started with NO_TOKEN, or the token is of another length.

    """
    import ctypes

    _, _, begin, end = _areas()
    place = ctypes.string_at(begin, end - begin).index(b"LRTUI_TOKEN=" + NO_TOKEN.encode())
    if len(token) != TOKEN_LENGTH:
        raise ValueError(f"a token of {len(token)} characters")
    ctypes.memmove(begin + place + len("LRTUI_TOKEN="), token.encode(), TOKEN_LENGTH)


def _areas() -> list[int]:
    """Return where the command line and the environment begin and end in memory (fields 48 to 51 of its stat)."""
    return [int(word) for word in keeper.stat_fields(os.getpid())[45:49]]


if __name__ == "__main__":
    _argv = main(socket.socket(fileno=int(sys.argv[1])), sys.argv[3:])
    if _argv is None:
        os._exit(0)
    run(_argv)
