"""The supervisor's side of the inbox: commands are files renamed into inbox/, answers are files in done/.

Anyone who can write to the directory can write to the inbox, so the supervisor trusts nothing in it: it reads only small regular
files with a safe name and its own user as owner, and never opens links, fifos or devices. It ignores folders, because a folder that
is not empty cannot be removed and would be answered again at each tick. A link in place of inbox/ or done/ is replaced by a folder.
"""

from __future__ import annotations

import os
import re
import stat
import time
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path

from lrtui.sweep.events import Answer, AnyCommand, decode_command, encode
from lrtui.sweep.files import write_atomic
from lrtui.sweep.layout import Layout

_NAME = re.compile(r"([0-9A-Za-z][0-9A-Za-z-]{0,63})\.json")
_LARGEST = 1 << 16
_KEEP_ANSWERS_SECONDS = 3600


@dataclass(frozen=True, slots=True)
class Message:
    """A file of the inbox: a command, or why it cannot be read as one."""

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

    def messages(self) -> Iterator[Message | None]:
        """Yield what the inbox holds now, in order of name (IDs sort by time of sending).

        Yields None for each name that was handled without an answer, so that the caller can stop after any file. Files that arrive
        later are not included: call again.
        """
        for name in self._names():
            yield self._take(name)

    def newest(self, *, but: Collection[str]) -> Iterator[Message | None]:
        """Yield the commands whose IDs are not in `but`, newest first; None for one that has been removed."""
        for name in reversed(self._names()):
            match = _NAME.fullmatch(name)
            if match and match[1] not in but:
                yield self._read(match[1], self._inbox / name)

    def _names(self) -> list[str]:
        try:
            return sorted(os.listdir(self._inbox))
        except OSError:
            return []

    def answer(self, message_id: str, answer: Answer) -> None:
        """Write the answer, then remove the command.

        Raises:
            OSError: the answer could not be written; the command stays.

        """
        write_atomic(self._done / f"{message_id}.json", encode(answer))
        self._remove(self._inbox / f"{message_id}.json")

    def _take(self, name: str) -> Message | None:
        match, path = _NAME.fullmatch(name), self._inbox / name
        if path.is_dir() and not path.is_symlink():
            return None
        if match:
            return self._read(match[1], path)
        if not name.startswith("."):
            self._remove(path)
        return None

    def _read(self, message_id: str, path: Path) -> Message | None:
        try:
            found = path.lstat()
            if not stat.S_ISREG(found.st_mode):
                return Message(message_id, None, "not a regular file")
            if found.st_uid != os.getuid():
                return Message(message_id, None, "belongs to another user")
            if found.st_size > _LARGEST:
                return Message(message_id, None, "larger than 64 KiB")
            fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
            try:
                content = os.read(fd, _LARGEST + 1)
            finally:
                os.close(fd)
            return Message(message_id, decode_command(content))
        except FileNotFoundError:
            return None  # removed since the inbox was listed
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
