"""What a folder of images and an .npz file of the user's own have in common: where they lie, and their three parts.

Shares of all images: a part that the user has not set apart is drawn at random, but the same ones every time, from
each class in proportion to its size (`store.balanced`).
"""

from __future__ import annotations

import hashlib
import json
import math
import os
import re
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from lrtui.train.options import Choice, UsageError
from lrtui.train.prepared_arrays import SPLIT_SEED, Images, Labels, Source, balanced

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

VAL, TEST = 0.1, 0.2
"""The default shares held out."""
SHOWN = 3
"""The most faulty files or classes named in a message."""

Part = tuple[Images, Labels]


@dataclass(frozen=True, slots=True)
class Shares:
    """The shares of the images drawn for validation and test if they are not separate."""

    val: float = VAL
    test: float = TEST


def locate(choice: Choice, beside: Path) -> Path:
    """Return where the data of a choice lie; a relative path begins at `beside`, the experiment file's folder.

    Raises:
        UsageError: there is nothing of this kind.

    """
    given = str(choice.options["path"])
    path = Path(os.path.abspath(beside / Path(given).expanduser()))
    is_right = path.is_dir() if choice.name == "folder" else path.is_file()
    if not is_right:
        kind = "folder" if choice.name == "folder" else "file"
        there = f"not a {kind}" if path.exists() else f"no such {kind}"
        raise UsageError(f"dataset {choice.name} {given!r}: {there} ({path})")
    return path


def prepared_name(choice: Choice, path: Path) -> str:
    """Return the name under which the data are prepared: "own-images-0123456789ab" for images/ or images.npz.

    The digits are a hash of the options and of every file's name, size and time: other files are other data.
    """
    digest = hashlib.sha256(json.dumps([choice.name, str(path), choice.options]).encode())
    for file in [path] if path.is_file() else walk(path):
        status = file.stat()
        line = f"\n{file.relative_to(path)} {status.st_size} {status.st_mtime_ns}"
        digest.update(line.encode(errors="surrogateescape"))
    stem = re.sub(r"[^A-Za-z0-9_]+", "_", path.stem)[:40].strip("_") or "data"
    return f"own-{stem}-{digest.hexdigest()[:12]}"


def divide(
    parts: dict[str, Part], classes: list[str], shares: Shares, origin: str, stated: str
) -> Source:
    """Return the source: "train", and "val" and "test" as given or else drawn from it.

    Args:
        parts: the parts that the user has set apart, "train" among them.
        classes: their names, in the order of the labels.
        shares: of all images, for the parts that must be drawn.
        origin: where the data came from, for people.
        stated: what begins a message: which data these are.

    Raises:
        UsageError: a part would be empty, or a class would have no training image.

    """
    total = sum(len(labels) for _, labels in parts.values())
    said = []
    for number, (name, share) in enumerate((("val", shares.val), ("test", shares.test))):
        if name in parts:
            said.append(f"{name} as given")
            continue
        images, labels = parts["train"]
        count = min(max(1, round(share * total)), len(labels))
        rng = np.random.default_rng(SPLIT_SEED + number)
        chosen = balanced(labels, count, len(classes), rng)
        rest = np.setdiff1d(np.arange(len(labels)), chosen, assume_unique=True)
        parts = {
            **parts,
            name: (images[chosen], labels[chosen]),
            "train": (images[rest], labels[rest]),
        }
        said.append(f"{name} drawn from each class in proportion ({share:.3g} of all)")
    sizes = np.bincount(parts["train"][1], minlength=len(classes))
    if empty := [name for name, size in zip(classes, sizes, strict=True) if size == 0]:
        what = f"no training image is left of class {listed(empty)}"
        raise UsageError(
            f"{stated}: {what}: give it more images, or hold out less (val = {shares.val:g}, test = {shares.test:g})"
        )
    for name in ("val", "test"):
        if not len(parts[name][1]):
            raise UsageError(f"{stated}: the {name} part has no image")
    counts = ", ".join(f"{len(parts[name][1]):,} {name}" for name in ("train", "val", "test"))
    say(f"{total:,} images of {len(classes)} classes: {counts}; {'; '.join(said)}")
    return Source(*parts["train"], *parts["test"], origin, *parts["val"], len(classes))


def require_memory(count: int, each: int, stated: str) -> None:
    """Refuse data that would run out of memory during preparation: two copies are held at once.

    Raises:
        MemoryError: it does not fit.

    """
    needed, free = 2 * count * each, _free_memory()
    if needed > free:
        raise MemoryError(
            f"{stated}: {count:,} images take {needed / 1e9:.1f} GB of memory while they are prepared, "
            f"and {free / 1e9:.1f} GB are free"
        )


def say(line: str) -> None:
    """Print a line of progress for the log; stdout is for the result."""
    print(line, file=sys.stderr, flush=True)


def walk(folder: Path) -> Iterator[Path]:
    """Yield every file below a folder, in order; links are followed, each folder is entered once."""
    entered: set[tuple[int, int]] = set()
    for place, below, files in os.walk(folder, followlinks=True):
        status = os.stat(place)
        if (status.st_dev, status.st_ino) in entered:
            below.clear()
            continue
        entered.add((status.st_dev, status.st_ino))
        below[:] = sorted(name for name in below if not name.startswith("."))
        yield from (Path(place, name) for name in sorted(files) if not name.startswith("."))


def listed(names: Sequence[object]) -> str:
    """Return the first few, and how many more there are."""
    more = len(names) - SHOWN
    return ", ".join(map(str, names[:SHOWN])) + (f" and {more:,} more" if more > 0 else "")


def _free_memory() -> float:
    """Return the bytes available without swapping; infinity if the kernel does not report it."""
    try:
        lines = Path("/proc/meminfo").read_text().splitlines()
        fields = {line.split(":")[0]: int(line.split()[1]) * 1024 for line in lines}
        return fields["MemAvailable"]
    except (OSError, ValueError, LookupError):
        return math.inf
