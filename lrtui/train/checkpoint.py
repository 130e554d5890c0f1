"""The checkpoint of a run: written completely or not at all, with the previous one kept as a backup.

    PATH            the newest
    PATH.previous   the one before

A checkpoint is a plain `torch.save` file of tensors, numbers and strings, read with `weights_only=True`: nothing in
it is executed. It is a zip archive, so its CRCs detect a damaged file. It carries the settings under
which it was made; a run with other settings refuses it.
"""

from __future__ import annotations

import contextlib
import os
import tempfile
import zipfile
from typing import TYPE_CHECKING, Any

import torch

from lrtui.train.durable import fsync_folder

if TYPE_CHECKING:
    from pathlib import Path

FORMAT = 1
PARTS = ("settings", "model", "optimizer", "schedule", "place", "window", "generators", "made_with")
"""What a checkpoint of this format holds at least."""


class CheckpointError(Exception):
    """The checkpoints that exist are damaged, or one cannot be written: exit code 1."""


class OtherSettingsError(Exception):
    """The checkpoint belongs to other settings."""


def save(path: Path, state: dict[str, Any]) -> None:
    """Replace the checkpoint at `path` by `state`; the old one becomes `PATH.previous`.

    At every moment one of the two is whole.

    Raises:
        OSError: no room or no right; the old checkpoint is then untouched.

    """
    temporary = path.with_name(path.name + ".tmp")
    try:
        temporary.unlink(missing_ok=True)  # left by a killed worker, or a planted link
        flags = os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_NOFOLLOW
        with os.fdopen(os.open(temporary, flags, 0o600), "wb") as file:
            torch.save({"format": FORMAT, **state}, file)
            file.flush()
            os.fsync(file.fileno())
    except (OSError, RuntimeError) as error:
        with contextlib.suppress(OSError):
            temporary.unlink()  # a full disk has no room for half a checkpoint
        if isinstance(error, OSError):
            raise
        # torch's zip writer hides the reason; a full disk raises again here
        raise OSError(_why_full(path.parent) or str(error).splitlines()[0]) from error
    _keep(path)
    temporary.replace(path)
    fsync_folder(path.parent)


def _why_full(folder: Path) -> str:
    """Return why a folder is not writable; "" if it is."""
    try:
        with tempfile.TemporaryFile(dir=folder) as file:
            file.write(bytes(1 << 16))
            file.flush()
    except OSError as error:
        return f"{error.strerror} at {folder}"
    return ""


def load(path: Path, settings: dict[str, Any]) -> tuple[dict[str, Any], str] | None:
    """Return the newest whole checkpoint and a note on what was damaged ("" if nothing); None if there is none.

    Raises:
        CheckpointError: there are checkpoints but none is whole. Never a silent start from scratch.
        OtherSettingsError: it was made under other settings than `settings`.

    """
    faults = []
    for candidate in (path, previous(path)):
        if not candidate.exists():
            continue
        try:
            state = _read(candidate)
        except _DamagedError as error:
            faults.append(f"{candidate} is damaged ({error})")
            continue
        _compare(candidate, state["settings"], settings)
        if not faults:
            return state, ""
        path.replace(path.with_name(path.name + ".damaged"))  # else it became the previous one
        return state, f"{faults[0]}; going on from {candidate}"
    if faults:
        raise CheckpointError(
            f"{'; '.join(faults)}. Restart the run from scratch, or put a good checkpoint there"
        )
    return None


def previous(path: Path) -> Path:
    """Return the path of the previous checkpoint."""
    return path.with_name(path.name + ".previous")


class _DamagedError(Exception):
    """A file is not a complete checkpoint."""


def _read(path: Path) -> dict[str, Any]:
    try:
        with zipfile.ZipFile(path) as archive:
            broken = archive.testzip()
        state = None if broken else torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # torch raises many kinds for a torn file
        raise _DamagedError(
            str(error).splitlines()[0] if str(error) else type(error).__name__
        ) from error
    if broken:
        raise _DamagedError(f"wrong checksum of {broken}")
    if not isinstance(state, dict) or state.get("format") != FORMAT:
        raise _DamagedError("not a checkpoint of this version of lrtui.train")
    if missing := [part for part in PARTS if not isinstance(state.get(part), dict)]:
        raise _DamagedError(f"it lacks {', '.join(missing)}")
    return state


def _compare(path: Path, found: dict[str, Any], wanted: dict[str, Any]) -> None:
    differences = [
        f"{name} {found.get(name)!r} there, {value!r} here"
        for name, value in wanted.items()
        if found.get(name) != value
    ]
    if differences:
        raise OtherSettingsError(f"{path} belongs to other settings: {'; '.join(differences)}")


def _keep(path: Path) -> None:
    """Make the newest also the previous one: by a link, so that `path` never misses; else by a rename."""
    if not path.exists():
        return
    link = path.with_name(path.name + ".link")
    try:
        with contextlib.suppress(FileNotFoundError):
            link.unlink()
        os.link(path, link)
        link.replace(previous(path))
    except OSError:  # a file system without hard links
        path.replace(previous(path))
