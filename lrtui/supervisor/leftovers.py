"""Removes the temporary files that processes left behind when they were killed in the middle of a write."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Iterator
from pathlib import Path

STALE_SECONDS = 60.0
"""A temporary file lives for milliseconds; one older than this was abandoned."""
_TEMPORARY = re.compile(r".+\.(\d{1,9})\.tmp|\.\d{20}-[0-9a-f]{8}")
"""NAME.PID.tmp, as `sweep.files.write_atomic` names it; .ID, a message that `sweep.mailbox` had not yet renamed."""
_DEPTH = 2
"""Only the attempt's folder itself is searched: what is below belongs to the worker."""


def remove(root: Path) -> int:
    """Remove the temporary files of dead processes from an experiment directory; return how many. Links are not followed."""
    removed = 0
    for entry in _files(root, _DEPTH):
        if _is_abandoned(entry):
            os.unlink(entry.path)
            removed += 1
    return removed


def _files(folder: Path | str, depth: int) -> Iterator[os.DirEntry[str]]:
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.is_file(follow_symlinks=False):
                yield entry
            elif depth and entry.is_dir(follow_symlinks=False):
                yield from _files(entry.path, depth - 1)


def _is_abandoned(entry: os.DirEntry[str]) -> bool:
    match = _TEMPORARY.fullmatch(entry.name)
    if match is None or (match[1] and os.path.exists(f"/proc/{match[1]}")):
        return False
    return time.time() - entry.stat(follow_symlinks=False).st_mtime > STALE_SECONDS
