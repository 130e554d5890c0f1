"""The experiments that come with lrtui."""

from __future__ import annotations

from pathlib import Path


def folder() -> Path:
    """Return the folder of the experiments: in the package, or beside it in a checkout."""
    package = Path(__file__).parent.parent
    inside = package / "experiments"
    return inside if inside.is_dir() else package.parent / "experiments"


def names() -> list[str]:
    """Return the names of the experiments, recipes last."""
    found = [path.relative_to(folder()) for path in folder().rglob("*.toml")]
    return [
        path.with_suffix("").as_posix()
        for path in sorted(found, key=lambda path: (len(path.parts), path))
    ]


def named(text: str) -> str | None:
    """Return the name of the experiment that a name or a path means; None for no such experiment."""
    wanted, known = text.rpartition("experiments/")[2].removesuffix(".toml"), names()
    return next((each for each in (wanted, f"recipes/{wanted}") if each in known), None)
