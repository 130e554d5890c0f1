"""The folder that an export fills. A record in it names what lrtui wrote, so that --force replaces that and nothing else."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from lrtui.errors import UserError
from lrtui.sweep.files import read_untrusted, write_atomic

RECORD = ".lrtui-export.json"
_MOST = 1 << 26


@contextlib.contextmanager
def filled(folder: Path, source: Path, target: str, *, force: bool) -> Iterator[Path]:
    """Yield the folder to write into; afterwards record what is new in it.

    Raises:
        UserError: the folder is not empty, and `force` does not allow replacing its content.

    """
    if folder.is_symlink() or (folder.exists() and not folder.is_dir()):
        raise UserError("is not a folder", str(folder), "name another one: -o FOLDER")
    record = _read(folder)
    kept = _free(folder, record, force=force)
    folder.mkdir(parents=True, exist_ok=True)
    written = {"source": os.path.realpath(source), "target": target, "kept": sorted(kept)}
    write_atomic(folder / RECORD, json.dumps({**written, "files": None}).encode())
    yield folder
    files = sorted(_files(folder) - kept)
    write_atomic(folder / RECORD, json.dumps({**written, "files": files}, indent=1).encode())


def _free(folder: Path, record: dict[str, Any] | None, *, force: bool) -> set[str]:
    """Remove what an earlier export wrote; return the files that stay.

    Raises:
        UserError: the folder has files that may not be removed.

    """
    there = _files(folder)
    if not there and record is None:
        return set()
    if record is None:
        raise UserError(
            "the folder is not empty, and no earlier export",
            str(folder),
            "name an empty or a new one: -o FOLDER",
        )
    if not force:
        raise UserError(
            f"the folder holds an export to {record['target']} already",
            str(folder),
            "replace it: --force; or name another: -o FOLDER",
        )
    # An export that was interrupted named no files: all are its own but those that it had found.
    ours = set(record["files"]) if record["files"] is not None else there - set(record["kept"])
    for name in sorted(ours & there, reverse=True):
        (folder / name).unlink(missing_ok=True)
        for parent in (folder / name).parents:
            if parent == folder:
                break
            try:
                parent.rmdir()
            except OSError:
                break
    return there - ours


def _files(folder: Path) -> set[str]:
    """Return the files below a folder, relative to it, without following links and without the record."""
    found = set()
    for root, folders, files in os.walk(folder):
        links = [name for name in folders if os.path.islink(os.path.join(root, name))]
        for name in (*files, *links):
            found.add(os.path.relpath(os.path.join(root, name), folder))
    return found - {RECORD}


def _read(folder: Path) -> dict[str, Any] | None:
    """Return the record in a folder; None if it is missing or not lrtui's."""
    try:
        found = json.loads(read_untrusted(folder / RECORD, _MOST))
    except (ValueError, RecursionError):
        return None
    if not isinstance(found, dict) or not isinstance(found.get("target"), str):
        return None
    lists = [found.get("kept"), found.get("files") or []]
    texts = all(isinstance(each, list) and all(isinstance(n, str) for n in each) for each in lists)
    return found if texts else None
