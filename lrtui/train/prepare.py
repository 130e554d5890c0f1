"""Prepares a data set once: `python -m lrtui.train.prepare --dataset NAME --data-dir DIR [--force]`.

The supervisor runs it as an attempt of its own before the first launch. It loads the data set, holds out a validation part and
writes the arrays that all runs map (`store.py`). Existing data are checked and kept. Two concurrent preparations do the work once
(a lock in the folder).

`--dataset` takes a plain name, or JSON of the experiment file's shape for data of the user's own:
`{"folder": "images"}`, `{"npz": {"path": "data.npz", "flip": true}}`; `--beside` is where their paths begin. They are
prepared again when a file's name, size or time has changed.

With `--model` it also finds out in which precision that model trains faster here (`precision.py`): the experiment's
`precision = "auto"`, decided once for all runs of a sweep. With `--bf16` it measures how fast bf16 is here, for a warning.

Its answer is one JSON object on stdout and, where LRTUI_ATTEMPT_DIR is set, in `prepared.json` there:
{"dataset","path","classes","train","val","test","checksum","synthetic"}, with `--model` also "precision", with `--bf16` also "bf16_speed".

Exit codes: 0 done; 2 usage, or data of the user's own that cannot be used; 5 no data, or no room for it (the text on
stderr says what to put where).
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

from lrtui.train.datasets import CUSTOM_DATASETS, DATASETS
from lrtui.train.options import PRECISIONS, Choice, UsageError, choose, parse
from lrtui.train.registry import Dataset

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from lrtui.train.prepared_arrays import Source

USAGE, NO_DATA = 2, 5


def main(argv: Sequence[str] | None = None) -> int:
    """Prepare as the command line says; return the exit code."""
    options = _parse(argv)
    try:
        choice = choose("dataset", options.dataset, {**DATASETS, **CUSTOM_DATASETS})
    except UsageError as error:
        print(error, file=sys.stderr)
        return USAGE
    if missing := {**DATASETS, **CUSTOM_DATASETS}[choice.name].missing():
        print(f"{choice} needs {missing.names}, not installed here: {missing.how}", file=sys.stderr)
        return NO_DATA
    return _prepare(choice, options)


def prepare(
    dataset: str | Choice, data_dir: Path, *, beside: Path = Path(), force: bool = False
) -> dict[str, Any]:
    """Return the description of the prepared folder, after writing it where it is missing, damaged or `force`d.

    Raises:
        UsageError: data of the user's own cannot be used.
        datasets.vision.NoDataError: the data set is neither here nor to be had.
        MemoryError: it does not fit into memory.
        OSError: the folder cannot be written.

    """
    from lrtui.train import prepared_arrays  # numpy: not for --help

    choice = Choice(dataset, {}) if isinstance(dataset, str) else dataset
    task = (
        _CustomSource(choice, beside)
        if choice.name in CUSTOM_DATASETS
        else _BuiltinSource(choice.name, data_dir)
    )
    folder = data_dir / "prepared"
    folder.mkdir(parents=True, exist_ok=True)
    with _locked(folder / f".{task.name}.lock") as locked:
        if locked:
            for left in folder.glob(f".{task.name}-*"):  # of a preparation that was killed
                shutil.rmtree(left, ignore_errors=True)
        if not force:
            for found in sorted(folder.glob(f"{task.name}-*")):
                if prepared_arrays.intact(found):
                    return _answer(found, prepared_arrays.read_about(found))
        source = task.load()
        entry = task.entry
        path, about = prepared_arrays.write(
            folder,
            task.name,
            source,
            classes=source.classes or entry.classes,
            validation=entry.validation,
            flip=entry.flip,
            synthetic=entry.synthetic,
        )
        return _answer(path, about)


class _BuiltinSource:
    """A data set from the table."""

    def __init__(self, name: str, data_dir: Path) -> None:
        self.name, self.entry, self._data_dir = name, DATASETS[name], data_dir

    def load(self) -> Source:
        """Return it, from the disk or after a download."""
        source: Source = self.entry.load()(self._data_dir)
        return source


class _CustomSource:
    """Data of the user's own."""

    def __init__(self, choice: Choice, beside: Path) -> None:
        from lrtui.train.datasets import custom_data  # numpy: see `prepare`

        self._path = custom_data.locate(choice, beside)
        self._options = {
            name: value for name, value in choice.options.items() if name not in {"path", "flip"}
        }
        self._load = CUSTOM_DATASETS[choice.name].load()
        self.name = custom_data.prepared_name(choice, self._path)
        self.entry = Dataset(
            where=CUSTOM_DATASETS[choice.name].where,
            what=CUSTOM_DATASETS[choice.name].what,
            classes=0,
            flip=bool(choice.options.get("flip", False)),
            train=0,
            validation=0,
        )

    def load(self) -> Source:
        """Return it from the user's files."""
        source: Source = self._load(self._path, **self._options)
        return source


def _prepare(choice: Choice, options: argparse.Namespace) -> int:
    from lrtui.train.datasets.vision import NoDataError  # numpy: not for --help

    data_dir = options.data_dir.absolute()
    try:
        answer = prepare(choice, data_dir, beside=options.beside, force=options.force)
        if options.model is not None:
            answer["precision"] = _precision(answer["path"], options)
        if options.bf16:
            from lrtui.train.precision import bf16_speed  # torch

            answer["bf16_speed"] = bf16_speed()
        _publish(answer)
    except UsageError as error:
        print(error, file=sys.stderr)
        return USAGE
    except NoDataError as error:
        print(_no_data(choice.name, str(error)), file=sys.stderr)
        return NO_DATA
    except MemoryError as error:
        reason = str(error) or f"{choice}: the images do not fit into memory"
        print(f"{reason}: smaller or fewer images would fit", file=sys.stderr)
        return NO_DATA
    except OSError as error:
        print(
            f"{options.data_dir}: the data cannot be prepared ({error})\n"
            "make room there, or name another place: data_dir (--data-dir)",
            file=sys.stderr,
        )
        return NO_DATA
    return 0


def _precision(prepared: str, options: argparse.Namespace) -> str:
    """Return the faster precision of the model; fp32 if it cannot be measured: then the training reports why."""
    words = [f"--prepared={prepared}", f"--model={options.model}", f"--beside={options.beside}"]
    words += [f"--batch-size={options.batch_size}", "--lr=1e-4", "--epochs=1", "--threads=1"]
    try:
        from lrtui.train.precision import faster  # torch

        chosen, said = faster(parse(words))
    except Exception as error:  # noqa: BLE001  # a model of the user's own may raise anything
        reason = (str(error) or type(error).__name__).partition("\n")[0]
        chosen, said = PRECISIONS[0], f"could not be measured: {reason}"
    print(f"precision {chosen}: {said}", file=sys.stderr)
    return chosen


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
    """Hold the lock and return whether that worked: without locks the folder still appears by a rename."""
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
    add = parser.add_argument
    add(
        "--dataset",
        required=True,
        help=f"{', '.join(DATASETS)}; or JSON: {', '.join(CUSTOM_DATASETS)}",
    )
    add("--data-dir", type=Path, required=True, help="where data sets and prepared arrays lie")
    add("--beside", type=Path, default=Path(), help="where the paths of your own data begin")
    add("--force", action="store_true", help="load and write it again")
    add("--model", help="say also in which precision this model trains faster here")
    add("--batch-size", type=int, default=128, help="in batches of this size")
    add("--bf16", action="store_true", help="say also how fast bf16 is on this CPU")
    return parser.parse_args(argv)


if __name__ == "__main__":
    raise SystemExit(main())
