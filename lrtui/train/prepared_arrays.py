"""The folder of prepared data: six arrays and a description, written once, mapped into memory by every run.

    DATA_DIR/prepared/NAME-CHECKSUM/
      about.json                                   what it is (`About`); written last
      {train,val,test}_images.npy                  (N, C, H, W) uint8
      {train,val,test}_labels.npy                  (N,) int64

The folder appears by one rename, so a folder of that name is complete. All runs of a machine share its pages.
Needs numpy, not torch.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import shutil
import tempfile
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt

from lrtui.train.durable import fsync_folder

FORMAT = 1
SPLIT_SEED = 20261123
"""Fixes the validation split; independent of a run's seed, so that all runs compare on the same data."""
PARTS = ("train", "val", "test")

Images = npt.NDArray[np.uint8]
Labels = npt.NDArray[np.int64]


FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
"""The disk is full, the user's quota is spent, a file may not grow so far (ulimit -f)."""


class DamagedError(Exception):
    """A prepared folder is not what its description says."""


class NoRoomError(OSError):
    """The arrays do not fit on the disk, or into what this user may have of it."""


@dataclass(frozen=True, slots=True)
class Source:
    """A data set as loaded: what a function in `datasets/` returns."""

    train_images: Images
    """(N, C, H, W)"""
    train_labels: Labels
    """(N,), 0 .. classes-1"""
    test_images: Images
    test_labels: Labels
    origin: str
    """Where it came from, for people."""
    val_images: Images | None = None
    """None: held out of the training images when they are written."""
    val_labels: Labels | None = None
    classes: int | None = None
    """None: as the data set's entry in the table says."""


@dataclass(frozen=True, slots=True)
class About:
    """The description of a prepared folder."""

    format: int
    dataset: str
    classes: int
    channels: int
    size: int
    """Height and width in pixels."""
    train: int
    """Number of images, and so for `val` and `test`."""
    val: int
    test: int
    mean: list[float]
    """Per channel over the training part, in units of a pixel's 0..255."""
    std: list[float]
    flip: bool
    synthetic: bool
    checksum: str
    """SHA-256 over the arrays."""
    origin: str


def split(labels: Labels, held_out: int, classes: int) -> tuple[Labels, Labels]:
    """Return (training, validation) indices, stratified: each class gives in proportion to its size.

    Both are sorted; the same for every run and machine.
    """
    chosen = balanced(labels, held_out, classes, np.random.default_rng(SPLIT_SEED))
    rest = np.setdiff1d(np.arange(len(labels), dtype=np.int64), chosen, assume_unique=True)
    return rest, chosen


def balanced(labels: Labels, count: int, classes: int, rng: np.random.Generator) -> Labels:
    """Return `count` sorted indices, drawn from each class in proportion (largest remainders first)."""
    sizes = np.bincount(labels, minlength=classes)
    quota = sizes * (count / len(labels))
    take = np.floor(quota).astype(np.int64)
    short = count - int(take.sum())
    take[np.argsort(take - quota, kind="stable")[:short]] += 1
    members = [
        rng.permutation(np.flatnonzero(labels == label))[: take[label]] for label in range(classes)
    ]
    return np.sort(np.concatenate(members)).astype(np.int64)


def write(
    folder: Path,
    name: str,
    source: Source,
    *,
    classes: int,
    validation: int,
    flip: bool,
    synthetic: bool,
) -> tuple[Path, About]:
    """Write `source` under `folder` (DATA_DIR/prepared) and return the new folder and its description.

    An intact folder of the same contents is kept as it is.

    Raises:
        NoRoomError: the disk, or what this user may have of it, is full.
        OSError: it cannot be written for another reason.

    """
    arrays = _arrays(source, classes, validation)
    about = _describe(name, source, arrays, classes=classes, flip=flip, synthetic=synthetic)
    final = folder / f"{name}-{about.checksum[:12]}"
    if intact(final):
        return final, about
    _require_room(folder, sum(array.nbytes for array in arrays.values()))
    temporary = Path(tempfile.mkdtemp(prefix=f".{name}-", dir=folder))
    try:
        for part, array in arrays.items():
            with (temporary / f"{part}.npy").open("wb") as file:
                _save(file, array)
                file.flush()
                os.fsync(file.fileno())
        with (temporary / "about.json").open("w") as file:
            json.dump(asdict(about), file, indent=1)
            file.flush()
            os.fsync(file.fileno())
        if final.exists():  # damaged: runs that map it keep their pages
            shutil.rmtree(final)
        temporary.rename(final)
    except OSError as error:
        shutil.rmtree(temporary, ignore_errors=True)
        if error.errno in FULL:
            needed = sum(array.nbytes for array in arrays.values())
            raise NoRoomError(
                f"{os.strerror(error.errno)} at {folder}: the arrays take {needed / 1e6:,.1f} MB"
            ) from error
        raise
    except BaseException:
        shutil.rmtree(temporary, ignore_errors=True)
        raise
    fsync_folder(folder)
    return final, about


def read_about(folder: Path) -> About:
    """Return the description of a prepared folder.

    Raises:
        DamagedError: there is none, or another version wrote it.

    """
    try:
        raw = json.loads((folder / "about.json").read_text())
        about = About(**raw)
        _check_types(about)
    except (OSError, ValueError, TypeError) as error:
        raise DamagedError(f"{folder} is no prepared data set ({error})") from None
    if about.format != FORMAT:
        raise DamagedError(f"{folder} was prepared by another version (format {about.format})")
    return about


def open_part(folder: Path, part: str) -> tuple[Images, Labels]:
    """Map the images and labels of "train", "val" or "test".

    Copy-on-write, so that torch takes the pages without a copy; no code writes to them.

    Raises:
        DamagedError: a file is missing, cut short or of another shape than described.

    """
    about = read_about(folder)
    count = getattr(about, part)
    try:
        images = np.load(folder / f"{part}_images.npy", mmap_mode="c", allow_pickle=False)
        labels = np.load(folder / f"{part}_labels.npy", mmap_mode="c", allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise DamagedError(f"{folder}: the {part} part cannot be read ({error})") from None
    wanted = (count, about.channels, about.size, about.size)
    if images.shape != wanted or labels.shape != (count,):
        raise DamagedError(f"{folder}: the {part} part has another shape than described")
    if images.dtype != np.uint8 or labels.dtype != np.int64:
        raise DamagedError(f"{folder}: the {part} part has another type than described")
    if count and not (labels.min() >= 0 and labels.max() < about.classes):
        raise DamagedError(
            f"{folder}: the {part} part has labels outside of 0..{about.classes - 1}"
        )
    return images, labels


def intact(folder: Path) -> bool:
    """Return whether the folder is complete and its checksum is right (0.1 s per 100 MB)."""
    try:
        about = read_about(folder)
        parts = {part: open_part(folder, part) for part in PARTS}
    except DamagedError:
        return False
    arrays: dict[str, npt.NDArray[Any]] = {}
    for part, (images, labels) in parts.items():
        arrays[f"{part}_images"], arrays[f"{part}_labels"] = images, labels
    stated = np.allclose(_statistics(arrays["train_images"]), (about.mean, about.std))
    return stated and _checksum(arrays) == about.checksum


def _check_types(about: About) -> None:
    """Raise TypeError where JSON gave a field another type than it has."""
    for each in fields(about):
        value = getattr(about, each.name)
        if each.type == "list[float]":
            fits = isinstance(value, list) and all(isinstance(one, float) for one in value)
            fits = fits and len(value) == about.channels
        else:
            fits = type(value).__name__ == each.type
        if not fits:
            raise TypeError(f"{each.name} is no {each.type}")


def _require_room(folder: Path, needed: int) -> None:
    free = shutil.disk_usage(folder).free
    if free < needed:
        raise NoRoomError(
            f"no room at {folder}: the arrays take {needed / 1e6:,.1f} MB, and {free / 1e6:,.1f} MB are free"
        )


def _save(file: BinaryIO, array: npt.NDArray[Any]) -> None:
    """Write the array in numpy's format. `np.save` would lose the reason why the disk takes no more."""
    header = np.lib.format.header_data_from_array_1_0(array)
    np.lib.format.write_array_header_1_0(file, header)
    file.write(np.ascontiguousarray(array).data)


def _arrays(source: Source, classes: int, validation: int) -> dict[str, npt.NDArray[Any]]:
    if source.val_images is not None and source.val_labels is not None:
        return {
            "train_images": np.ascontiguousarray(source.train_images),
            "train_labels": source.train_labels,
            "val_images": np.ascontiguousarray(source.val_images),
            "val_labels": source.val_labels,
            "test_images": np.ascontiguousarray(source.test_images),
            "test_labels": source.test_labels,
        }
    train, val = split(source.train_labels, validation, classes)
    return {
        "train_images": np.ascontiguousarray(source.train_images[train]),
        "train_labels": source.train_labels[train],
        "val_images": np.ascontiguousarray(source.train_images[val]),
        "val_labels": source.train_labels[val],
        "test_images": np.ascontiguousarray(source.test_images),
        "test_labels": source.test_labels,
    }


def _describe(
    name: str,
    source: Source,
    arrays: dict[str, npt.NDArray[Any]],
    *,
    classes: int,
    flip: bool,
    synthetic: bool,
) -> About:
    images = arrays["train_images"]
    mean, std = _statistics(images)
    return About(
        format=FORMAT,
        dataset=name,
        classes=classes,
        channels=images.shape[1],
        size=images.shape[2],
        train=len(images),
        val=len(arrays["val_images"]),
        test=len(arrays["test_images"]),
        mean=mean,
        std=std,
        flip=flip,
        synthetic=synthetic,
        checksum=_checksum(arrays),
        origin=source.origin,
    )


def _statistics(images: Images) -> tuple[list[float], list[float]]:
    """Return mean and standard deviation of each channel, from exact integer counts of the 256 values."""
    values = np.arange(256)
    means, stds = [], []
    for channel in range(images.shape[1]):
        counts = np.bincount(images[:, channel].ravel(), minlength=256)
        mean = float((counts * values).sum() / counts.sum())
        variance = float((counts * (values - mean) ** 2).sum() / counts.sum())
        means.append(mean)
        stds.append(max(variance**0.5, 1.0))
    return means, stds


def _checksum(arrays: dict[str, npt.NDArray[Any]]) -> str:
    digest = hashlib.sha256(f"lrtui {FORMAT}".encode())
    for part in sorted(arrays):
        array = arrays[part]
        digest.update(f"{part} {array.dtype} {array.shape}".encode())
        digest.update(np.ascontiguousarray(array).data)
    return digest.hexdigest()
