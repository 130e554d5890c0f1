"""The front end's side of the inbox: sends a command as one file in inbox/ and waits for its answer in done/.

Starts a supervisor if none is alive. Used by the verbs, the log mode, the text mode and the monitor.
"""

from __future__ import annotations

import os
import secrets
import subprocess
import sys
import time
from pathlib import Path

import msgspec

from lrtui.errors import MachineError, NoAnswerError
from lrtui.sweep.events import COMMAND_VERSION, Answer, AnyCommand, encode
from lrtui.sweep.files import read_untrusted, write_atomic
from lrtui.sweep.format1 import decode_answer
from lrtui.sweep.layout import Layout
from lrtui.sweep.timing import TIMING
from lrtui.text.format import duration

BEAT_FRESH_SECONDS = 6.0
"""Seconds. A supervisor touches its beat file every 2 s; an older beat means that it is dead, stopped or stuck."""


ANSWER_SECONDS = 30.0
"""Seconds that a front end waits for an answer."""


def send(directory: Path, command: AnyCommand, timeout: float | None = None) -> Answer:
    """Send a command and return its answer; wait `timeout` seconds for it, by default ANSWER_SECONDS.

    Raises:
        NoAnswerError: none came in time; the command stays in the inbox until it is carried out or expires.
        MachineError: the directory cannot be written.

    """
    layout = Layout(directory)
    message_id = _drop(layout, command)
    answer_file = layout.done / f"{message_id}.json"
    timeout = ANSWER_SECONDS if timeout is None else timeout
    began = time.monotonic()
    revived = False
    while time.monotonic() - began < timeout:
        try:
            if answer_file.exists():
                return decode_answer(read_untrusted(answer_file))
        except (OSError, RecursionError, msgspec.MsgspecError) as error:
            return Answer(ok=False, answer=f"unreadable answer {answer_file}: {error}")
        if not revived and not _beats(layout):
            revived = True
            ensure_supervisor(directory)
        elif revived and time.monotonic() - began > 3 and not _beats(layout):
            ensure_supervisor(directory)
            time.sleep(1)
        time.sleep(TIMING.poll)
    queued = f"the command stays queued for {duration(max(0.0, command.expires - timeout))}"
    raise NoAnswerError(
        f"no answer yet; {'the command is being carried out' if _begun(layout, message_id) else queued}",
        hint=f"check the supervisor: lrtui status {directory}",
    )


def _begun(layout: Layout, message_id: str) -> bool:
    from lrtui.sweep.journal import JournalTail  # needed seldom
    from lrtui.sweep.state import fold

    return message_id in fold(JournalTail(layout.journal).rest()).commands


def ensure_supervisor(directory: Path, *, takeover: bool = False) -> None:
    """Start a supervisor, detached from this terminal, unless one is alive.

    Starting two is harmless: the second finds the lock taken and ends. With `takeover` it may own a copied directory, or one of
    another host.

    Raises:
        MachineError: it could not be started.

    """
    layout = Layout(directory)
    if _beats(layout) and not takeover:
        return
    try:
        log = os.open(layout.log, os.O_CREAT | os.O_APPEND | os.O_WRONLY | os.O_NOFOLLOW, 0o600)
    except OSError as error:
        raise _unwritable(directory, error) from error
    try:
        subprocess.Popen(
            [
                *(sys.executable, "-m", "lrtui.supervisor", str(directory.resolve())),
                *(["--takeover"] if takeover else []),
            ],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
            cwd="/",
        )
    except OSError as error:
        raise MachineError(
            f"the supervisor could not be started: {error.strerror}",
            str(directory),
            "free memory or processes, then run lrtui again",
        ) from error
    finally:
        os.close(log)


def _drop(layout: Layout, command: AnyCommand) -> str:
    """Put a command into the inbox, whole; return its ID: unique, and sortable by the time of sending."""
    message_id = f"{time.time_ns():020d}-{secrets.token_hex(4)}"
    message = msgspec.structs.replace(command, v=COMMAND_VERSION, sent=time.time())
    try:
        temporary = layout.inbox / f".{message_id}"
        write_atomic(temporary, encode(message))
        os.rename(temporary, layout.inbox / f"{message_id}.json")
    except OSError as error:
        raise _unwritable(layout.root, error) from error
    return message_id


def _beats(layout: Layout) -> bool:
    try:
        age = time.time() - layout.beat.stat().st_mtime
    except OSError:
        return False
    return (
        abs(age) < BEAT_FRESH_SECONDS
    )  # one from the future was left before the clock was set back


def _unwritable(directory: Path, error: OSError) -> MachineError:
    return MachineError(
        f"cannot be written ({error.strerror}), so no command can be sent",
        str(directory),
        f"view it: lrtui {directory}; or copy it to a place where you can write",
    )
