"""How a script is started: the words of a launch line, and the interpreter of the environment that it belongs to."""

from __future__ import annotations

import os
import re
import shlex
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from lrtui.config.proposal.flag import Flag, number
from lrtui.errors import UserError
from lrtui.sweep.files import read_untrusted
from lrtui.text.clean import clean

_PYTHON = re.compile(r"(?:.*/)?python(?:\d[\d.]*)?")
_ENVIRONMENTS = (".venv", "venv", "env", ".env")
_MOST_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class Launch:
    """One way to start a script."""

    before: tuple[str, ...]
    """The words in front of the script: an interpreter, a launcher with its options."""
    script: Path | None
    """The file with its source; None if that is not Python."""
    name: tuple[str, ...]
    """The words that name it: its path, or -m and a module; the program if there is no script."""
    given: tuple[str, ...] = ()
    """The words after it."""

    def distributed(self) -> Launch:
        """Return the launch of the same script by torchrun, unless it names a launcher."""
        if len(self.before) != 1 or not _PYTHON.fullmatch(self.before[0]):
            return self
        options = ("-m", "torch.distributed.run", "--nproc-per-node=1", "--master-port={port}")
        return replace(self, before=(*self.before, *options))

    @property
    def stem(self) -> str:
        """What an experiment of it is called."""
        file = self.script or Path(self.name[-1])
        return (
            file.parent.name
            if file.stem in {"__main__", "main", "train"} and not self.script
            else file.stem
        )


def launch_of(words: Sequence[str], environment: Mapping[str, str]) -> Launch:
    """Return how a script or launch line starts; `environment` are the variables of this process.

    Raises:
        UserError: there is no such script, or the file is not a script.

    """
    if len(words) == 1 and words[0].endswith(".ipynb"):
        notebook = clean(words[0], 200)
        raise UserError(
            "is a notebook; a sweep needs a script that takes the learning rate",
            notebook,
            f"jupyter nbconvert --to script {shlex.quote(notebook)}, then lrtui init on the script",
        )
    if len(words) == 1 and words[0].endswith((".sh", ".bash")):
        return _of_shell(Path(words[0]), environment)
    for place, word in enumerate(words):
        if word == "-m" and place + 1 < len(words) and (script := module_file(words[place + 1])):
            before = tuple(words[:place]) or interpreter(script, environment)
            return Launch(before, script, ("-m", words[place + 1]), tuple(words[place + 2 :]))
        if word.endswith(".py"):
            script = Path(word)
            if not script.is_file():
                raise UserError(
                    "there is no such script",
                    clean(word, 200),
                    "name a file, or a launch line behind --",
                )
            before = _launcher(words[:place]) or interpreter(script, environment)
            return Launch(before, script, (word,), tuple(words[place + 1 :]))
    if len(words) == 1 and not Path(words[0]).is_file():
        raise UserError(
            "there is no such script",
            clean(words[0], 200),
            "name a file, or a launch line: lrtui init -- torchrun train.py",
        )
    if len(words) == 1 and not os.access(words[0], os.X_OK):
        name = clean(words[0], 200)
        raise UserError(
            "is neither a Python or shell script nor a program",
            name,
            f"name what starts it: lrtui init -- Rscript {shlex.quote(name)}",
        )
    return Launch((), None, tuple(words[:1]), tuple(words[1:]))


def _launcher(before: Sequence[str]) -> tuple[str, ...]:
    """Return the words in front of a script; each run of torchrun gets a port of its own."""
    words = list(before)
    place = next(
        (at for at, word in enumerate(words) if word in {"torchrun", "torch.distributed.run"}), None
    )
    if place is not None and not any(
        re.match(r"--(?:master|rdzv|standalone)", word) for word in words
    ):
        words.insert(place + 1, "--master-port={port}")
    return tuple(words)


def interpreter(script: Path, environment: Mapping[str, str]) -> tuple[str, ...]:
    """Return the words that start Python in a script's environment: the active one, one beside the script, that of its uv project, else python3.

    lrtui's own environment counts as active only if there is no other.
    """
    active = environment.get("VIRTUAL_ENV", "")
    conda = (
        environment.get("CONDA_PREFIX", "")
        if environment.get("CONDA_DEFAULT_ENV") != "base"
        else ""
    )
    if (active and Path(active) != Path(sys.prefix)) or conda:
        return ("python",)
    folder = script.absolute().parent
    for place in (folder, *folder.parents)[:4]:
        for name in _ENVIRONMENTS:
            python = place / name / "bin" / "python"
            if python.is_file() and place / name != Path(sys.prefix):
                return (_short(python),)
        if (place / "uv.lock").is_file():
            return ("uv", "run", "python")
        if (place / ".git").exists():
            break
    return ("python",) if active else ("python3",)


def _short(path: Path) -> str:
    """Return a path as it is written from here."""
    return str(path.relative_to(Path.cwd())) if path.is_relative_to(Path.cwd()) else str(path)


def module_file(name: str) -> Path | None:
    """Return the file of a module that is run with -m from here."""
    file = Path(*name.split("."))
    found = [each for each in (file.with_suffix(".py"), file / "__main__.py") if each.is_file()]
    return found[0] if found else None


def _of_shell(script: Path, environment: Mapping[str, str]) -> Launch:
    """Return the launch line that a shell script holds if it needs no shell, else how the shell script itself starts."""
    if not script.is_file():
        raise UserError(
            "there is no such script",
            clean(str(script), 200),
            "name a file, or a launch line behind --",
        )
    text = read_untrusted(script, _MOST_BYTES).decode("utf-8", "replace").replace("\\\n", " ")
    for line in text.splitlines():
        if ".py" in line and not re.search(r"[$`|;&<>#]", line):
            words = shlex.split(line)
            if words and (
                _PYTHON.fullmatch(words[0])
                or words[0] in {"torchrun", "accelerate", "deepspeed", "uv"}
            ):
                try:
                    return launch_of(words, environment)
                except UserError:
                    continue
    return Launch(("sh" if script.suffix == ".sh" else "bash",), None, (str(script),))


def shell_flags(name: Sequence[str]) -> list[Flag]:
    """Return what a shell script takes: words by their place, and variables with a default."""
    path = Path(name[0]) if name else Path()
    if path.suffix not in {".sh", ".bash"}:
        return []
    text = read_untrusted(path, _MOST_BYTES).decode("utf-8", "replace")
    by_place: dict[int, Flag] = {}
    for match in re.finditer(
        r"^\s*(?:export\s+)?(\w+)=[\"']?\$\{?(\d)(?::-([^}\"']*))?", text, re.MULTILINE
    ):
        by_place.setdefault(
            int(match[2]), Flag(match[1], "{}", number(match[3] or ""), required=match[3] is None)
        )
    variables = {
        match[1]: Flag(match[1], "{}", number(match[2]), variable=True)
        for match in re.finditer(r"\$\{([A-Za-z_]\w*):[-=]([^}]*)\}", text)
    }
    return [*(flag for _, flag in sorted(by_place.items())), *variables.values()]
