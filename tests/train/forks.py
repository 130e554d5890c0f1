"""Trainers forked from a process that has imported torch, as a sweep's are: an import takes longer than most tests train.

`python -m tests.train.forks FD` is that process, one for all processes of a run of the suite. It answers each request with a pid and
later writes how the child ended; it ends with the last of those that asked.
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import json
import os
import select
import selectors
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lrtui.train import IMPORTS
from lrtui.workers import forkserver
from tests.until import until


class Forked:
    """What tests need of a subprocess.Popen with pipes."""

    parent: subprocess.Popen[bytes] | None = None
    _link: socket.socket | None = None

    def __init__(self, args: list[str], env: Mapping[str, str], cwd: Path) -> None:
        """Start `python -m MODULE ARG ..` in a fork."""
        link = until(_connection)
        self.args = args
        self.returncode: int | None = None
        request = json.dumps({"argv": args, "env": dict(env), "cwd": str(cwd)}).encode()
        pipes = [os.pipe() for _ in range(3)]
        self._out, self._err, self._ended = (read for read, _ in pipes)
        socket.send_fds(link, [request], [write for _, write in pipes])
        self.pid = int(link.recv(64))
        for _, write in pipes:
            os.close(write)

    def send_signal(self, number: int) -> None:
        """Signal it, unless it has ended: its parent waits for it at once, and says so."""
        if self.returncode is None and not _readable(self._ended, 0):
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, number)

    def terminate(self) -> None:
        """Ask it to end."""
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        """End it."""
        self.send_signal(signal.SIGKILL)

    def communicate(self, timeout: float) -> tuple[str, str]:
        """Return what it printed, once it has ended.

        Raises:
            subprocess.TimeoutExpired: it still runs.

        """
        said = {self._out: b"", self._err: b"", self._ended: b""}
        deadline = time.monotonic() + timeout
        with selectors.DefaultSelector() as selector:
            for fd in said:
                selector.register(fd, selectors.EVENT_READ)
            while selector.get_map():
                found = selector.select(max(0.0, deadline - time.monotonic()))
                if not found:
                    raise subprocess.TimeoutExpired(self.args, timeout)
                for key, _ in found:
                    if data := os.read(key.fd, 65536):
                        said[key.fd] += data
                    else:
                        selector.unregister(key.fd)
        self.returncode = int(said[self._ended])
        for fd in said:
            os.close(fd)
        return said[self._out].decode(), said[self._err].decode()


def _connection() -> socket.socket | None:
    """Return a link to the process that forks, which is started where there is none; None where it has just ended."""
    if Forked._link is not None:
        return Forked._link
    run = os.environ.get("PYTEST_XDIST_TESTRUNUID", str(os.getpid()))
    address = f"\0lrtui-forks-{run}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as listener:
        try:
            listener.bind(address)
        except OSError:  # another process of this run has been here
            pass
        else:
            listener.listen(64)
            words = [sys.executable, "-m", "tests.train.forks", str(listener.fileno())]
            root = Path(__file__).resolve().parents[2]
            fds = [listener.fileno()]
            Forked.parent = subprocess.Popen(words, pass_fds=fds, cwd=root, start_new_session=True)
    link = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    try:
        link.connect(address)
        accepted = link.recv(1)
    except OSError:
        accepted = b""
    if accepted:
        Forked._link = link
    else:
        link.close()
    return Forked._link


def _readable(fd: int, seconds: float) -> bool:
    with selectors.DefaultSelector() as selector:
        selector.register(fd, selectors.EVENT_READ)
        return bool(selector.select(seconds))


def _serve(listener: socket.socket) -> list[str]:
    """Fork for every request; return the argv of a trainer in the trainer."""
    waited_for: dict[int, int] = {}
    links: list[socket.socket] = []

    def reap(*_: object) -> None:
        for pid in list(waited_for):
            try:
                ended, status = os.waitpid(pid, os.WNOHANG)
            except (
                ChildProcessError
            ):  # the call that a signal has interrupted has just waited for it
                continue
            if ended:
                tell = waited_for.pop(pid)
                os.write(tell, str(os.waitstatus_to_exitcode(status)).encode())
                os.close(tell)

    signal.signal(signal.SIGCHLD, reap)
    while True:
        asking, _, _ = select.select([listener, *links], [], [])
        if listener in asking:
            links.append(listener.accept()[0])
            with contextlib.suppress(OSError):
                links[-1].send(b"1")  # whoever gets no answer met a process that ends
            continue
        link = asking[0]
        try:
            request, fds, _, _ = socket.recv_fds(link, 1 << 20, 3)
        except ConnectionError:
            request = b""
        if not request:
            links.remove(link)
            if not links and not _readable(listener.fileno(), 0):
                os._exit(0)
            continue
        job, (out, err, ended) = json.loads(request), fds
        if (pid := os.fork()) == 0:
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            for each in (listener, *links):
                each.close()
            for number in (ended, *waited_for.values()):
                os.close(number)
            _become(job, out, err)
            return job["argv"]
        waited_for[pid] = ended
        os.close(out)
        os.close(err)
        link.send(str(pid).encode())
        reap()  # it may have ended before it was known


def _become(job: dict[str, Any], out: int, err: int) -> None:
    """Take over a request's surroundings."""
    with open(os.devnull, "rb") as nothing:
        for given, number in ((nothing.fileno(), 0), (out, 1), (err, 2)):
            os.dup2(given, number)
    os.close(out)
    os.close(err)
    os.chdir(job["cwd"])
    os.environ.clear()
    os.environ.update(job["env"])
    sys.path[:0] = filter(None, os.environ.get("PYTHONPATH", "").split(os.pathsep))


if __name__ == "__main__":
    for name in IMPORTS:
        importlib.import_module(name)
    gc.freeze()
    forkserver.run(_serve(socket.socket(fileno=int(sys.argv[1]))))
