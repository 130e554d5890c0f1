"""Prepares a data set once: `python -m lrtui.train.prepare --dataset NAME --data-dir DIR [--force]`.

The supervisor runs it as an attempt of its own before the first launch. It loads the data set, holds out a
validation part and writes the arrays that all runs map (`store.py`). What is there already is checked and kept. Two
preparations at once do the work once (a lock in the folder).

Its answer is one JSON object on stdout and, where LRTUI_ATTEMPT_DIR is set, in `prepared.json` there:
{"dataset","path","classes","train","val","test","checksum","synthetic"}.

Exit codes: 0 done; 2 usage; 5 no data, or no room for it (the text on stderr says what to put where).
"""

from __future__ import annotations

import argparse
import contextlib
import fcntl
import json
import os
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lrtui.train.datasets import DATASETS

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

USAGE, NO_DATA = 2, 5


def main(argv: Sequence[str] | None = None) -> int:
    """Prepare as the command line says; return the exit code."""
    options = _parse(argv)
    if options.dataset not in DATASETS:
        print(f"no dataset {options.dataset!r}; known: {', '.join(DATASETS)}", file=sys.stderr)
        return USAGE
    from lrtui.train.datasets.vision import NoDataError  # numpy: not for --help

    try:
        answer = prepare(options.dataset, options.data_dir.absolute(), force=options.force)
        _publish(answer)
    except NoDataError as error:
        print(_no_data(options.dataset, str(error)), file=sys.stderr)
        return NO_DATA
    except OSError as error:
        print(f"{options.data_dir}: the data cannot be prepared ({error})", file=sys.stderr)
        return NO_DATA
    return 0


def prepare(dataset: str, data_dir: Path, *, force: bool = False) -> dict[str, Any]:
    """Return the description of the prepared folder, after writing it where it is missing, damaged or `force`d.

    Raises:
        datasets.vision.NoDataError: the data set is neither here nor to be had.
        OSError: the folder cannot be written.

    """
    from lrtui.train import store  # numpy: not for --help

    folder = data_dir / "prepared"
    folder.mkdir(parents=True, exist_ok=True)
    entry = DATASETS[dataset]
    with _locked(folder / f".{dataset}.lock") as locked:
        if locked:
            for left in folder.glob(f".{dataset}-*"):  # of a preparation that was killed
                shutil.rmtree(left, ignore_errors=True)
        if not force:
            for found in sorted(folder.glob(f"{dataset}-*")):
                if store.intact(found):
                    return _answer(found, store.read_about(found))
        source = entry.load()(data_dir)
        path, about = store.write(
            folder,
            dataset,
            source,
            classes=entry.classes,
            validation=entry.validation,
            flip=entry.flip,
            synthetic=entry.synthetic,
        )
        return _answer(path, about)


def _answer(path: Path, about: Any) -> dict[str, Any]:
    names = ("classes", "train", "val", "test", "checksum", "synthetic")
    numbers = {name: getattr(about, name) for name in names}
    return {"dataset": about.dataset, "path": str(path), **numbers}


def _publish(answer: dict[str, Any]) -> None:
    """Print the answer and put it into the attempt's folder."""
    text = json.dumps(answer)
    if attempt := os.environ.get("LRTUI_ATTEMPT_DIR"):
        temporary = Path(attempt) / ".prepared.json"
        with temporary.open("w") as file:
            file.write(text + "\n")
            file.flush()
            os.fsync(file.fileno())
        temporary.rename(Path(attempt) / "prepared.json")
    print(text, flush=True)


def _no_data(dataset: str, reason: str) -> str:
    return (
        f"{dataset} is not on this machine and cannot be downloaded: {reason}\n"
        "or try without it: --dataset synthetic (computed, the same everywhere; says nothing about real images)"
    )


@contextlib.contextmanager
def _locked(path: Path) -> Iterator[bool]:
    """Hold the lock and say whether: without locks the folder still appears by a rename."""
    fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        locked = False
        with contextlib.suppress(OSError):
            fcntl.flock(fd, fcntl.LOCK_EX)
            locked = True
        yield locked
    finally:
        os.close(fd)


def _parse(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        "python -m lrtui.train.prepare", description="Prepare a data set once."
    )
    parser.add_argument("--dataset", required=True, help=", ".join(DATASETS))
    parser.add_argument(
        "--data-dir", type=Path, required=True, help="where data sets and prepared arrays lie"
    )
    parser.add_argument("--force", action="store_true", help="load and write it again")
    return parser.parse_args(argv)


if __name__ == "__main__":
    raise SystemExit(main())
