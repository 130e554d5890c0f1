"""One command in, one answer out: files renamed into inbox/, answers in done/.

An inbox is writable by whoever owns the directory, so nothing in it is believed: only small regular files of our own user
with a safe name are read; links, fifos and devices are not even opened. Folders are left alone: one with something in it could
not be taken away, and would be answered for ever. A link in the place of inbox/ or done/ is replaced by a folder of ours.
"""

from __future__ import annotations

import os
import re
import stat
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from lrtui.sweep.events import Answer, AnyCommand, decode_command, encode
from lrtui.sweep.layout import Layout
from lrtui.workers import keeper

_NAME = re.compile(r"([0-9A-Za-z][0-9A-Za-z-]{0,63})\.json")
_LARGEST = 1 << 16
_KEEP_ANSWERS_SECONDS = 3600


@dataclass(frozen=True, slots=True)
class Message:
    """A file of the inbox: a command, or why it is none."""

    id: str
    command: AnyCommand | None
    fault: str = ""


class Inbox:
    """The inbox and its answers of one directory."""

    def __init__(self, layout: Layout) -> None:
        self._inbox = layout.inbox
        self._done = layout.done
        for folder in (self._inbox, self._done):
            if folder.is_symlink():
                folder.unlink()
            folder.mkdir(mode=0o700, exist_ok=True)
        self._forget_old_answers()

    def messages(self) -> Iterator[Message]:
        """Yield what lies in the inbox, oldest first (IDs sort by time)."""
        try:
            names = sorted(os.listdir(self._inbox))
        except OSError:
            return
        for name in names:
            match, path = _NAME.fullmatch(name), self._inbox / name
            if path.is_dir() and not path.is_symlink():
                continue
            if match:
                yield self._read(match[1], path)
            elif not name.startswith("."):
                self._remove(path)

    def answer(self, message_id: str, answer: Answer) -> None:
        """Put the answer in place, then take the command away.

        Raises:
            OSError: the answer could not be written; the command stays.

        """
        keeper.write_whole(str(self._done / f"{message_id}.json"), encode(answer))
        self._remove(self._inbox / f"{message_id}.json")

    def _read(self, message_id: str, path: Path) -> Message:
        try:
            found = path.lstat()
            if not stat.S_ISREG(found.st_mode):
                return Message(message_id, None, "not a regular file")
            if found.st_uid != os.getuid():
                return Message(message_id, None, "of another user")
            if found.st_size > _LARGEST:
                return Message(message_id, None, "larger than 64 KiB")
            fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
            try:
                content = os.read(fd, _LARGEST + 1)
            finally:
                os.close(fd)
            return Message(message_id, decode_command(content))
        except (OSError, ValueError) as error:
            return Message(message_id, None, str(error))

    @staticmethod
    def _remove(path: Path) -> None:
        try:
            path.unlink(missing_ok=True)
        except OSError:
            return

    def _forget_old_answers(self) -> None:
        for path in self._done.glob("*.json"):
            if path.lstat().st_mtime < time.time() - _KEEP_ANSWERS_SECONDS:
                self._remove(path)
