"""Which run a log file belongs to: pure rules on paths, so that they do not depend on the order in which files appear.

One run is one folder. Several event files of a folder are one run; `train/` and `validation/`, which hold nothing but event files, are
parts of the run above them, as Keras writes them. A CSV or JSON-lines file with a usual name (metrics.csv, log.jsonl) is its folder's run;
one named after a part (train.csv, val.csv) is a part of it; any other is a run of its own.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import PurePath

PARTS = frozenset({"train", "training", "val", "valid", "validation", "eval", "evaluation", "test"})
"""Names of files and folders that hold a part of a run's metrics."""
_USUAL = re.compile(
    r"(?:train(?:ing|er)?[_-]?)?(?:metrics?|logs?|history|progress|results?|scalars|stats|summary|losses|state)",
    re.IGNORECASE,
)
"""File names without suffix that say nothing about the run."""
_TABLES = frozenset({".csv", ".tsv", ".jsonl", ".ndjson"})
_CHECKPOINT = re.compile(r"checkpoint-(\d+)")
_EVENTS = "tfevents"
_STATE = "trainer_state.json"


@dataclass(frozen=True, slots=True)
class Place:
    """Where the metrics of a file belong."""

    run: str
    """The run's path relative to the watched folder; "" is that folder itself."""
    folder: str
    """The folder with the run's settings, relative too."""
    prefix: str = ""
    """Precedes the names of its metrics."""
    progress: int | None = None
    """The step of a checkpoint's state, which holds the whole history up to it: only the latest is read."""


def is_log(name: str) -> bool:
    """Return whether a file may hold metrics, by its name."""
    suffix = PurePath(name).suffix.lower()
    return _EVENTS in name or suffix == ".wandb" or suffix in _TABLES or name == _STATE


def place_of(path: PurePath, beside: Collection[str]) -> Place:
    """Return where a log file belongs; `path` is relative to the watched folder, `beside` names the other entries of its folder."""
    folder, name = _text(path.parent), path.name
    if _EVENTS in name:
        if path.parent.name.lower() in PARTS and all(_only_events(each) for each in beside):
            above = _text(path.parent.parent)
            return Place(above, above, f"{path.parent.name}/")
        return Place(folder, folder)
    if name == _STATE:
        saved = _CHECKPOINT.fullmatch(path.parent.name)
        if saved:
            above = _text(path.parent.parent)
            return Place(above, above, progress=int(saved[1][:18]))
        return Place(folder, folder)
    if path.suffix.lower() == ".wandb" or _USUAL.fullmatch(path.stem):
        return Place(folder, folder)
    if path.stem.lower() in PARTS:
        return Place(folder, folder, f"{path.stem}/")
    return Place(_text(path), folder)


def _only_events(name: str) -> bool:
    return _EVENTS in name or name == "plugins"


def _text(path: PurePath) -> str:
    return "" if path == PurePath() else path.as_posix()
