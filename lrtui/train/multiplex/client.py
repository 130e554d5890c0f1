"""The worker of a run that a server trains: it writes the metric lines, receives the signals, and ends with the run's result.

To the outside, a run that shares a process is therefore one process: killing it ends the run, SIGTERM lets it write its
checkpoint, SIGSTOP holds it (the server is never more than one line ahead), and it has its own output. No torch is
used here. The link is a pair of sockets that `lrtui.workers.forkserver` made; each message is a JSON object:

    client to server  {"argv": [..]} once; {"wrote": n} after n lines; {"stop": true}
    server to client  {"begun": true} once; {"emit": {..}}; {"say": text}; {"complain": text}; {"exit": code, "reached": bool}
"""

from __future__ import annotations

import contextlib
import json
import os
import socket
import sys
from functools import partial
from typing import Any

from lrtui.emit import emit
from lrtui.train import ABANDONED
from lrtui.train.stop_flag import Stop

LINK = "LRTUI_HOST_FD"
"""The environment variable with the descriptor of the link."""
LONGEST = 1 << 17
"""Bytes of a message; the socket's buffer holds it."""


def train_remotely(argv: list[str]) -> int | None:
    """Let the server train by the command line; return the exit code, or None if the run must be trained in this process."""
    number = os.environ.pop(LINK, "")
    if not number.isdigit():
        return None
    with socket.socket(fileno=int(number)) as link:
        # until the run has begun, SIGTERM ends this process at once: there is nothing to save
        if not send(link, {"argv": argv}) or not _has_begun(link):
            return None
        with Stop(tell=partial(send, link, {"stop": True})) as stop:
            end = _relay(link)
        if end is not None:
            return int(end["exit"]) or (0 if end["reached"] else stop.exit_code)
    print(
        "lrtui.train: the process that this run shared with other runs ended",
        file=sys.stderr,
        flush=True,
    )
    return ABANDONED


def _has_begun(link: socket.socket) -> bool:
    """Wait for the server's first message; return False if it cannot train this run, or is gone."""
    return "begun" in (receive(link) or {})


def _relay(link: socket.socket) -> dict[str, Any] | None:
    """Write what arrives until the run is over; return the server's last message, None if the server is gone."""
    while (message := receive(link)) is not None:
        if "emit" in message:
            emit(**message["emit"])
            send(link, {"wrote": 1})
        if "say" in message:
            print(message["say"], flush=True)
        if "complain" in message:
            print(message["complain"], file=sys.stderr, flush=True)
        if "exit" in message:
            return message
    return None


def send(link: socket.socket, message: dict[str, Any]) -> bool:
    """Send a message; return False if the other end is gone or does not read."""
    with contextlib.suppress(OSError):
        link.send(json.dumps(message).encode())
        return True
    return False


def receive(link: socket.socket) -> dict[str, Any] | None:
    """Return the next message, None at the end of the link.

    Raises:
        BlockingIOError: there is no message yet, on a non-blocking link.

    """
    try:
        found = link.recv(LONGEST)
    except BlockingIOError:
        raise
    except OSError:
        return None
    return json.loads(found) if found else None
