"""`lrtui example`: list the experiments that come with lrtui, or write one of them here."""

from __future__ import annotations

import argparse
from pathlib import Path


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what `example` takes."""
    parser.add_argument("name", nargs="?", metavar="NAME", help="auto, digits, recipes/hydra, ...")


def run(options: argparse.Namespace) -> int:
    """Print one line for each experiment, or write the named one into ./experiments; return 0."""
    from lrtui.config import shipped

    place = shipped.folder()
    if options.name is None:
        names = shipped.names()
        width = max(map(len, names))
        for name in names:
            line = (place / f"{name}.toml").read_text().partition("\n")[0].strip("# ")
            about = line.removeprefix(f"experiments/{name}.toml: ").removesuffix(".")
            print(f"{name:{width}}  {about}")
        print("\nWrite one here: lrtui example NAME")
        return 0
    name = _known(options.name)
    _write(place, name)
    print(f"start it: lrtui experiments/{name}.toml")
    return 0


def _known(name: str) -> str:
    """Return an experiment's name, which may be given with its folder and suffix.

    Raises:
        UserError: there is no such experiment.

    """
    import difflib

    from lrtui.config import shipped
    from lrtui.errors import UserError

    if known := shipped.named(name):
        return known
    close = difflib.get_close_matches(name, shipped.names(), n=1, cutoff=0.5)
    hint = f"did you mean {close[0]}?" if close else "list them: lrtui example"
    raise UserError("there is no such example", name, hint)


def _write(place: Path, name: str) -> None:
    """Write an experiment and the files that it names, and print their paths.

    Raises:
        UserError: another file is in the way.
        MachineError: one cannot be written; nothing is left of it.

    """
    from lrtui.errors import UserError
    from lrtui.sweep.files import write_or_remove

    sources = [place / f"{name}.toml", *_named(place, name)]
    targets = [Path("experiments") / source.relative_to(place) for source in sources]
    same = [
        target.exists() and target.read_bytes() == source.read_bytes()
        for source, target in zip(sources, targets, strict=True)
    ]
    for target, there in zip(targets, same, strict=True):
        if target.exists() and not there:
            raise UserError("it exists and is different", str(target), "move it out of the way")
    for source, target, there in zip(sources, targets, same, strict=True):
        target.parent.mkdir(parents=True, exist_ok=True)
        if not there:
            write_or_remove(target, source.read_bytes())
        print(f"{target} is there already" if there else f"wrote {target}")


def _named(place: Path, name: str) -> list[Path]:
    """Return the shipped files that an experiment's command and templates name."""
    from lrtui.text import toml

    experiment = toml.loads((place / f"{name}.toml").read_text())
    beside = (place / name).parent
    words = [place.parent / word for word in experiment.get("command", ())]
    files = [*words, *(beside / template for template in experiment.get("files", {}))]
    return [file for file in files if file.is_relative_to(place) and file.is_file()]
