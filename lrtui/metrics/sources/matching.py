"""The files that match a pattern: a bounded search that follows no links in wildcard parts."""

from __future__ import annotations

import fnmatch
import os
import re
from collections.abc import Iterator
from pathlib import Path

MOST_FILES = 2000
"""The maximum number of files followed for one attempt."""
_MOST_ENTRIES = 50_000
"""The maximum number of folder entries examined in one search."""
_WILD = re.compile(r"[*?\[]")
_OWN = re.compile(
    r"(?:/a\d+/(?:argv|pid|exit|read|prepared)\.json|/a\d+/(?:metrics|printed|read)\.jsonl|/a\d+/(?:claim|output\.log)|/run\.json)$"
)
"""lrtui's own files in the folder of a run."""


def matching(pattern: str) -> list[str]:
    """Return the paths that match an absolute pattern, sorted, at most MOST_FILES: `*`, `?`, `[..]` and `**` for any folders.

    Folders named in the pattern may be links; those found by a wildcard may not. `**` skips hidden folders.
    """
    left = [_MOST_ENTRIES]
    parts = [part for part in pattern.split("/") if part]
    found: dict[str, None] = {}
    for path in _walk("/", parts, left):
        if not _OWN.search(path):
            found[path] = None
        if len(found) >= MOST_FILES:
            break
    return sorted(found)


def _walk(folder: str, parts: list[str], left: list[int]) -> Iterator[str]:
    head, rest = parts[0], parts[1:]
    if not _WILD.search(head):
        path = os.path.join(folder, head)
        if rest:
            yield from _walk(path, rest, left)
        elif os.path.lexists(path):
            yield path
        return
    if head == "**":
        yield from _walk(folder, rest or ["*"], left)
    for entry in _entries(folder, left):
        is_folder = entry.is_dir(follow_symlinks=False)
        if head == "**":
            if is_folder and not entry.name.startswith("."):
                yield from _walk(entry.path, parts, left)
        elif fnmatch.fnmatchcase(entry.name, head):
            if not rest:
                yield entry.path
            elif is_folder:
                yield from _walk(entry.path, rest, left)


def _entries(folder: str, left: list[int]) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as entries:
            found = []
            for entry in entries:
                left[0] -= 1
                if left[0] < 0:
                    break
                found.append(entry)
            return found
    except OSError:
        return []


def name_of(path: str, run_dir: str) -> str:
    """Return the path shown to the user: relative to the run's folder if the file is inside it."""
    return os.path.relpath(path, run_dir) if Path(path).is_relative_to(run_dir) else path
