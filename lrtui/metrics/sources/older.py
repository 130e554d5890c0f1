"""The files that exist before an attempt begins."""

from __future__ import annotations

import contextlib
from pathlib import Path

from lrtui.metrics.sources.growing import Seen, seen
from lrtui.metrics.sources.matching import MOST_FILES, matching


def older_files(patterns: list[str], copied: tuple[Path, Path] | None) -> dict[str, Seen]:
    """Return the files that match before an attempt begins, each with its present state.

    `copied`: a checkpoint that the keeper copies before the worker starts, and its destination; its files are older too.
    """
    found: dict[str, Seen] = {}
    for pattern in patterns:
        for path in matching(pattern)[: MOST_FILES - len(found)]:
            if (now := seen(path)) is not None:
                found[path] = now
    if copied is not None:
        source, target = copied
        for path, now in [*found.items()]:
            with contextlib.suppress(ValueError):
                found[str(target / Path(path).relative_to(source))] = now._replace(inode=0)
    return found
