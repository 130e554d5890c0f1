"""`lrtui example`: list the experiments that come with lrtui, or write one of them here."""

from __future__ import annotations

import argparse
from pathlib import Path


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what `example` takes."""
    parser.add_argument("name", nargs="?", metavar="NAME", help="auto, digits, recipes/hydra, ...")


def run(options: argparse.Namespace) -> int:
    """Print one line for each experiment, or write the one that is named into ./experiments; return 0."""
    shipped = folder()
    if options.name is None:
        for name in names():
            line = (shipped / f"{name}.toml").read_text().partition("\n")[0].strip("# ")
            print(f"{name:22}  {line.removeprefix(f'experiments/{name}.toml: ')}")
        print("\nWrite one here: lrtui example NAME")
        return 0
    name = _known(options.name)
    _write(shipped, name)
    print(f"start it: lrtui experiments/{name}.toml")
    return 0


def folder() -> Path:
    """Return the folder of the experiments: in the package, or beside it in a checkout."""
    package = Path(__file__).parent.parent
    inside = package / "experiments"
    return inside if inside.is_dir() else package.parent / "experiments"


def names() -> list[str]:
    """Return the names of the experiments that come with lrtui, recipes last."""
    found = [path.relative_to(folder()) for path in folder().rglob("*.toml")]
    return [
        path.with_suffix("").as_posix()
        for path in sorted(found, key=lambda path: (len(path.parts), path))
    ]


def _known(name: str) -> str:
    """Return an experiment's name, which may be given with its folder and suffix.

    Raises:
        UserError: there is no such experiment.

    """
    import difflib

    from lrtui.errors import UserError

    known = names()
    wanted = name.removeprefix("experiments/").removesuffix(".toml")
    for each in (wanted, f"recipes/{wanted}"):
        if each in known:
            return each
    close = difflib.get_close_matches(wanted, known, n=1, cutoff=0.5)
    hint = f"did you mean {close[0]}?" if close else "list them: lrtui example"
    raise UserError("there is no such example", name, hint)


def _write(shipped: Path, name: str) -> None:
    """Write an experiment and the files that it names, and say so.

    Raises:
        UserError: another file is in the way.

    """
    from lrtui.errors import UserError

    sources = [shipped / f"{name}.toml", *_named(shipped, name)]
    targets = [Path("experiments") / source.relative_to(shipped) for source in sources]
    same = [
        target.exists() and target.read_bytes() == source.read_bytes()
        for source, target in zip(sources, targets, strict=True)
    ]
    for target, there in zip(targets, same, strict=True):
        if target.exists() and not there:
            raise UserError("it exists and is different", str(target), "move it out of the way")
    for source, target, there in zip(sources, targets, same, strict=True):
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(source.read_bytes())
        print(f"{target} is there already" if there else f"wrote {target}")


def _named(shipped: Path, name: str) -> list[Path]:
    """Return the shipped files that an experiment's command and templates name."""
    from lrtui.text import toml

    experiment = toml.loads((shipped / f"{name}.toml").read_text())
    beside = (shipped / name).parent
    words = [shipped.parent / word for word in experiment.get("command", ())]
    files = [*words, *(beside / template for template in experiment.get("files", {}))]
    return [file for file in files if file.is_relative_to(shipped) and file.is_file()]
