"""Creates the directory of an experiment file once, and finds it again.

The directory is created under a temporary name and renamed into place, so two concurrent `lrtui` create one.
"""

from __future__ import annotations

import os
import re
import shutil
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

import msgspec

from lrtui.config import Experiment, load, override, same_experiment
from lrtui.config.launcher_section import runs_the_same
from lrtui.errors import MachineError, UserError
from lrtui.sweep.files import read_untrusted, write_atomic
from lrtui.sweep.layout import FORMAT, UPDATE, Layout, newer_format
from lrtui.sweep.state import level_text


class Origin(msgspec.Struct, frozen=True):
    """origin.json: where an experiment was first started; its commands run there."""

    source: str
    """The experiment file, absolute."""
    cwd: str
    python: str


def open_experiment(
    file: Path, overrides: Mapping[str, str], *, under: Path | None, new: bool
) -> tuple[Path, bool]:
    """Return the directory of an experiment file and whether this call created it.

    Args:
        file: the experiment file.
        overrides: keys from the command line, as TOML or bare words.
        under: the directory itself (`--dir`); default runs/NAME.
        new: create runs/NAME-2, -3, ... if the name is taken.

    Raises:
        ExperimentError: the file has faults.
        UserError: the directory belongs to another experiment, or the file was edited since then.
        MachineError: the directory cannot be created.

    """
    experiment = load(file, overrides)
    base = under or Path("runs") / _name(experiment, overrides)
    for path in (file.absolute(), base.absolute()):
        _require_text(path)
    directory = base
    if new:
        number = 2
        while directory.exists():
            directory = base.with_name(f"{base.name}-{number}")
            number += 1
    if not directory.exists() and _create(directory, file, experiment, overrides):
        return directory, True
    if not _relaunched(directory, experiment, overrides):
        _check_same(directory, file, experiment)
    return directory, False


def _require_text(path: Path) -> None:
    """Reject a path that is not UTF-8: the journal and argv.json are JSON, which cannot hold it."""
    try:
        str(path).encode()
    except UnicodeEncodeError:
        what = "a name in this path is not UTF-8, so the journal cannot hold it"
        shown = str(path).encode(errors="replace").decode()
        raise UserError(what, shown, "rename the folder, or work in another folder") from None


def read_experiment(directory: Path) -> Experiment:
    """Return the frozen experiment of a directory.

    Raises:
        UserError: there is no frozen experiment, or it cannot be read.

    """
    layout = Layout(directory)
    if not layout.experiment.is_file() or layout.experiment.is_symlink():
        raise UserError(
            "is not an experiment directory (it has no experiment.toml)",
            str(directory),
            "list the experiment directories: lrtui ls",
        )
    if newer := newer_format(layout):
        raise UserError(newer, str(directory), UPDATE)
    return load(layout.experiment, frozen=True)


def beside(origin: Origin) -> Path:
    """Return the folder of the experiment file: the user's own files that it names are relative to it."""
    return Path(origin.source).parent if origin.source else Path(origin.cwd)


def read_origin(directory: Path) -> Origin:
    """Return where the experiment of a directory was started; the current folder if that was not recorded."""
    try:
        return msgspec.json.decode(read_untrusted(Layout(directory).origin), type=Origin)
    except (RecursionError, msgspec.MsgspecError):
        return Origin(source="", cwd=os.getcwd(), python=sys.executable)


def _name(experiment: Experiment, overrides: Mapping[str, str]) -> str:
    """Return the directory's name: runs on substitute data never share a directory with runs on the real data."""
    if "dataset" in overrides and "name" not in overrides:
        plain = re.sub(r"[^A-Za-z0-9._-]+", "-", level_text("dataset", experiment.dataset))
        return f"{experiment.name}-{plain[:60]}"
    return experiment.name


def _create(
    directory: Path, file: Path, experiment: Experiment, overrides: Mapping[str, str]
) -> bool:
    """Create the complete directory; return False if another process was faster."""
    try:
        directory.parent.mkdir(parents=True, exist_ok=True)
        made = Path(tempfile.mkdtemp(prefix=f".{directory.name}-", dir=directory.parent))
    except OSError as error:
        raise MachineError(
            f"cannot be created: {error.strerror}",
            str(directory),
            "choose a writable place: --dir DIR",
        ) from error
    try:
        layout = Layout(made)
        for folder in (layout.inbox, layout.done):
            folder.mkdir(mode=0o700)
        origin = Origin(str(file.resolve()), os.getcwd(), sys.executable)
        frozen = override(experiment.text, {**overrides, "name": experiment.name})
        write_atomic(layout.experiment, frozen.encode())
        for each in experiment.files:
            template = layout.templates / each.name
            template.parent.mkdir(parents=True, exist_ok=True)
            write_atomic(template, each.text.encode())
        write_atomic(layout.root / "origin.json", msgspec.json.encode(origin))
        write_atomic(layout.format, f"{FORMAT}\n".encode())
        os.rename(made, directory)
    except OSError as error:
        shutil.rmtree(made, ignore_errors=True)
        if directory.exists():
            return False
        raise MachineError(
            f"cannot be created: {error.strerror}", str(directory), "choose another: --dir DIR"
        ) from error
    return True


def _relaunched(directory: Path, experiment: Experiment, overrides: Mapping[str, str]) -> bool:
    """Adopt an edited [launcher] section that only changes the jobs requested from a cluster; return whether nothing else was edited."""
    frozen = read_experiment(directory)
    if same_experiment(frozen, experiment) != ["launcher"] or not runs_the_same(
        frozen.launcher, experiment.launcher
    ):
        return False
    text = override(experiment.text, {**overrides, "name": frozen.name})
    write_atomic(Layout(directory).experiment, text.encode())
    return True


def _check_same(directory: Path, file: Path, experiment: Experiment) -> None:
    """Reject a directory that holds a different experiment than the file now describes."""
    frozen = read_experiment(directory)
    differences = same_experiment(frozen, experiment)
    if not differences:
        return
    origin = read_origin(directory)
    shown = "; ".join(differences[:6])
    if origin.source and Path(origin.source) != file.resolve():
        raise UserError(
            f"belongs to another experiment, {origin.source} ({shown})",
            str(directory),
            f"choose another directory: lrtui {file} --dir DIR, or a new one: lrtui {file} --new",
        )
    raise UserError(
        f"was edited since {directory} was started ({shown}); nothing was changed",
        str(file),
        f"start another sweep: lrtui {file} --new\n"
        f"  open the sweep that was started: lrtui {directory}\n"
        f"  add a learning rate to that sweep: lrtui add {directory} --lr LR",
    )
