"""Reads experiment files from disk; the path may name anything, so type and size are checked first."""

from __future__ import annotations

import shlex
import stat
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

from lrtui.config import shipped
from lrtui.config.experiment import Experiment
from lrtui.config.override import override
from lrtui.config.validation import parse
from lrtui.errors import UserError
from lrtui.sweep.layout import Layout
from lrtui.text.clean import clean
from lrtui.text.format import size

MOST_BYTES = 1 << 20
_SCRIPTS = {".py": "python", ".sh": "sh"}
"""What runs a script that is given instead of an experiment file, by its suffix."""


def load(
    path: Path, overrides: Mapping[str, str] = MappingProxyType({}), *, frozen: bool = False
) -> Experiment:
    """Return the experiment in a file, with `overrides` from the command line written into its text.

    A `frozen` copy is not beside the user's images, arrays and models, so those are not looked up.

    Raises:
        ExperimentError: the file has faults; it lists all of them.
        UserError: there is no such file, or it cannot be read.

    """
    text = _read(path)
    if overrides:
        text = override(text, overrides)
    folder = path.absolute().parent
    if frozen:
        return parse(text, str(path), templates=Layout(folder).templates)
    return parse(text, str(path), folder, folder)


def _read(path: Path) -> str:
    try:
        status = path.stat()
        if path.suffix in _SCRIPTS and stat.S_ISREG(status.st_mode):
            raise UserError("is a script, not an experiment file", str(path), _starting(path))
        if not stat.S_ISREG(status.st_mode):
            kind = "a directory" if stat.S_ISDIR(status.st_mode) else "not a regular file"
            raise UserError(f"is {kind}; an experiment is a .toml file", str(path), _others(path))
        if status.st_size > MOST_BYTES:
            raise UserError(
                f"has {size(status.st_size)}; an experiment file has at most {size(MOST_BYTES)}",
                str(path),
                _others(path),
            )
        content = path.read_bytes()
    except FileNotFoundError:
        if path.suffix == ".toml":
            raise UserError("there is no such file", str(path), _others(path)) from None
        hint = "lrtui ls lists experiments that were started; lrtui help lists the verbs"
        raise UserError("there is no such file or experiment", str(path), hint) from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise UserError(
            f"cannot be read: {reason}", str(path), "check its permissions: ls -l"
        ) from None
    return _decode(content, path)


def _starting(script: Path) -> str:
    """Return an experiment file that starts a script."""
    runner = _SCRIPTS[script.suffix]
    return (
        f"lrtui init {clean(shlex.quote(str(script)), 200)} proposes an experiment file from its source. It looks like this:\n\n"
        f'    command = ["{runner}", "{clean(str(script), 200)}", "--lr={{lr}}"]\n'
        "    epochs  = 10\n"
        '    metric  = "max val_acc"\n'
        "    lr      = [1e-2, 1e-3, 1e-4]\n"
    )


def _decode(content: bytes, path: Path) -> str:
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        what = f"is not UTF-8: byte 0x{content[error.start]:02x}"
        raise UserError(what, f"{path}:{line}", "save it as UTF-8, which TOML requires") from None


def _others(path: Path) -> str:
    """Return the experiment file that was most likely meant."""
    if known := shipped.named(str(path)):
        return f"write the one that comes with lrtui: lrtui example {known}"
    folder = path if path.is_dir() else path.parent
    found: list[Path] = []
    for place in (folder, Path(), Path("experiments")):
        try:
            found += [
                each for each in sorted(place.glob("*.toml"))[:200] if each.name != "pyproject.toml"
            ]
        except OSError:
            continue
    by_name = {each.stem: each for each in reversed(found)}
    import difflib  # see fault_text

    close = difflib.get_close_matches(path.stem, by_name, n=1)
    if close:
        return f"did you mean {by_name[close[0]]}?"
    if found:
        return (
            f"experiments found: {', '.join(str(each) for each in list(dict.fromkeys(found))[:5])}"
        )
    return "write one that comes with lrtui: lrtui example"
