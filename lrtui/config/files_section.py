"""[files]: templates beside the experiment file that are written, with their placeholders filled in, to each run's directory.

A sweep keeps copies of its templates, so that all runs get the same ones, even if the templates are edited meanwhile.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath

from lrtui.config.fault_text import found, show
from lrtui.config.placeholders import check_text, render
from lrtui.config.toml_positions import Path
from lrtui.config.toml_reader import Reader, is_text
from lrtui.sweep.events import Scalar
from lrtui.sweep.files import read_untrusted

RUN_DIR = "{run_dir}/"
_MOST_BYTES = 1 << 20
_OWN = re.compile(r"run\.json|a\d+")
"""Names in a run's directory that lrtui reserves."""


@dataclass(frozen=True, slots=True)
class Template:
    """A file that each run gets."""

    name: str
    """Its path, relative to the experiment file."""
    target: str
    """Where it is written: `{run_dir}/..`, with placeholders."""
    text: str


def read_files(reader: Reader) -> tuple[Template, ...]:
    """Return [files], with the text of each template."""
    templates: list[Template] = []
    for name, target in reader.table("files").items():
        path = ("files", name)
        text = _text(reader, path, name)
        if not is_text(target) or not target.startswith(RUN_DIR):
            what = f"a file is written to the run's directory {found(target)}"
            reader.fault(
                path, what, f'Try: "{show(name)[1:-1]}" = "{RUN_DIR}{PurePosixPath(name).name}"'
            )
        elif why := misplaced(target.removeprefix(RUN_DIR)):
            reader.fault(path, f"{show(target)} {why}", f"Choose another name below {RUN_DIR}")
        elif text is not None:
            templates.append(Template(name, target, text))
    return tuple(templates)


def misplaced(relative: str) -> str:
    """Return why a file may not be written to a path in a run's directory; "" if it may."""
    if _leaves(relative):
        return "is outside of the run's directory"
    return "is a file of lrtui" if _OWN.fullmatch(PurePosixPath(relative).parts[0]) else ""


def check_files(
    reader: Reader, templates: tuple[Template, ...], known: Mapping[str, str], scalable: set[str]
) -> None:
    """Record a fault for every placeholder of a template or of its target that does not exist or has no value."""
    for each in templates:
        path: Path = ("files", each.name)
        check_text(reader, path, each.target, known, scalable)
        for number, line in enumerate(each.text.split("\n"), 1):
            check_text(reader, path, line, known, scalable, where=f"{each.name}:{number}: ")


def rendered(
    templates: tuple[Template, ...], context: Mapping[str, Scalar]
) -> list[tuple[str, str]]:
    """Return the files of one run: path and text.

    Raises:
        ValueError: a value leads a path out of the run's directory.

    """
    made: list[tuple[str, str]] = []
    for each in templates:
        relative = render(each.target.removeprefix(RUN_DIR), context)
        if why := misplaced(relative):
            raise ValueError(f"{relative} {why}")
        made.append((f"{context['run_dir']}/{relative}", render(each.text, context)))
    return made


def _leaves(relative: str) -> bool:
    path = PurePosixPath(relative)
    return not path.parts or path.is_absolute() or ".." in path.parts


def _text(reader: Reader, path: Path, name: str) -> str | None:
    """Return the text of a template; None after a fault."""
    why, hint = "", "Its path is relative to the experiment file, and below its folder."
    if _leaves(name):
        why = "leaves the folder of the experiment file"
    elif reader.templates is None:
        return ""
    else:
        file = reader.templates / name
        content = read_untrusted(file.resolve() if reader.beside else file, _MOST_BYTES)
        if not file.is_file():
            why = "does not exist"
        elif not content and file.stat().st_size:
            why = "cannot be read, or has more than 1 MiB"
        else:
            try:
                return content.decode()
            except UnicodeDecodeError:
                why = "is not UTF-8"
    reader.fault(path, f"the template {show(name)} {why}", hint, key=True)
    return None
