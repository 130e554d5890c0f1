"""The user's arrays in one .npz file, as `numpy.savez` writes it.

    train_images (or images, x_train)   (N, H, H), (N, H, H, C) or (N, C, H, H), whole numbers 0..255
    train_labels (or labels, y_train)   (N,) or (N, 1), whole numbers from 0 to classes - 1
    val_images, val_labels              optional: a part that is missing is drawn from the training images,
    test_images, test_labels            optional (or x_test, y_test): from each class in proportion

Arrays of Python objects are refused, so nothing is unpickled. The number of classes is the greatest label plus one.
"""

from __future__ import annotations

import zipfile
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from lrtui.train.datasets import custom_data
from lrtui.train.options import UsageError
from lrtui.train.prepared_arrays import Images, Labels, Source

KEYS: dict[str, tuple[tuple[str, str], ...]] = {
    "train": (("train_images", "train_labels"), ("images", "labels"), ("x_train", "y_train")),
    "val": (("val_images", "val_labels"),),
    "test": (("test_images", "test_labels"), ("x_test", "y_test")),
}
"""By part: the names that its images and labels may have; the first is the one to use."""
MOST_CHANNELS = 4
"""The last axis is taken for the channels up to this length."""

_Array = npt.NDArray[Any]


def npz(path: Path, val: float = custom_data.VAL, test: float = custom_data.TEST) -> Source:
    """Return the arrays in the file `path`.

    Raises:
        UsageError: a damaged file, missing arrays, or arrays of another shape, type or range.
        MemoryError: they do not fit into memory.

    """
    stated = f"dataset npz {path}"
    parts: dict[str, custom_data.Part] = {}
    for name, (names, images, labels) in _read(path, stated).items():
        parts[name] = (
            _images(images, f"{stated}: {names[0]}"),
            _labels(labels, len(images), f"{stated}: {names[1]}"),
        )
    _check_together(parts, stated)
    classes = int(parts["train"][1].max()) + 1
    return custom_data.divide(
        parts,
        [str(label) for label in range(classes)],
        custom_data.Shares(val, test),
        str(path),
        stated,
    )


def _read(path: Path, stated: str) -> dict[str, tuple[tuple[str, str], _Array, _Array]]:
    """Return each part's names and arrays."""
    try:
        file = np.load(path, allow_pickle=False, mmap_mode="r")  # an .npy is not read for nothing
        if not isinstance(file, np.lib.npyio.NpzFile):
            raise UsageError(f"{stated}: it is one array and no .npz; write it with numpy.savez")
        with file:
            found = {part: _choose(part, file.files, stated) for part in KEYS}
            return {
                part: (names, file[names[0]], file[names[1]])
                for part, names in found.items()
                if names
            }
    except (OSError, ValueError, EOFError, KeyError, zipfile.BadZipFile, zlib.error) as error:
        reason = " ".join(str(error).split())[:150] or type(error).__name__
        if "allow_pickle" in reason or "pickle" in reason:
            reason = "an array of Python objects, or no .npz at all; only numbers are read"
        raise UsageError(f"{stated}: it is damaged or no .npz file ({reason})") from None


def _choose(part: str, present: list[str], stated: str) -> tuple[str, str] | None:
    """Return the names of a part's arrays in the file; None if it has none."""
    for images, labels in KEYS[part]:
        if images in present and labels in present:
            return images, labels
        if images in present or labels in present:
            there, missing = (images, labels) if images in present else (labels, images)
            raise UsageError(f"{stated}: it has {there} and no {missing}")
    if part == "train":
        wanted = " or ".join(f"{images} and {labels}" for images, labels in KEYS[part])
        raise UsageError(
            f"{stated}: it needs {wanted} (it has {custom_data.listed(present) or 'nothing'})"
        )
    return None


def _images(array: _Array, stated: str) -> Images:
    """Return (N, C, H, W) uint8."""
    if array.ndim == 3:
        array = array[:, None]
    elif array.ndim == 4 and array.shape[1] == array.shape[2] and array.shape[3] <= MOST_CHANNELS:
        array = array.transpose(0, 3, 1, 2)
    if array.ndim != 4 or array.shape[2] != array.shape[3] or 0 in array.shape[1:]:
        raise UsageError(
            f"{stated} must be square images, (N, H, H), (N, H, H, C) or (N, C, H, H) (found {_shape(array)})"
        )
    if not np.issubdtype(array.dtype, np.integer):
        raise UsageError(
            f"{stated} must be whole numbers from 0 to 255, best uint8 (found {array.dtype}); "
            "for values from 0 to 1: (255 * images).round().astype('uint8')"
        )
    if array.dtype != np.uint8 and array.size and (array.min() < 0 or array.max() > 255):
        raise UsageError(f"{stated} must lie within 0..255 (found {array.min()}..{array.max()})")
    return array.astype(np.uint8, copy=False)


def _labels(array: _Array, images: int, stated: str) -> Labels:
    """Return (N,) int64."""
    if array.ndim == 2 and array.shape[1] == 1:
        array = array[:, 0]
    if array.shape != (images,):
        raise UsageError(
            f"{stated} must be one number for each of {images:,} images (found {_shape(array)})"
        )
    if not np.issubdtype(array.dtype, np.integer):
        raise UsageError(
            f"{stated} must be whole numbers, the classes from 0 (found {array.dtype})"
        )
    return array.astype(np.int64)


def _check_together(parts: dict[str, custom_data.Part], stated: str) -> None:
    """Refuse parts of unlike shapes, and labels that training does not know."""
    images, labels = parts["train"]
    if not len(labels):
        raise UsageError(f"{stated}: it has no training images")
    classes = int(labels.max()) + 1
    sizes = (
        np.bincount(labels, minlength=classes)
        if labels.min() >= 0 and classes <= len(labels)
        else None
    )
    if sizes is None or (sizes == 0).any() or classes < 2:
        missing = [] if sizes is None else np.flatnonzero(sizes == 0).tolist()
        also = f", without {custom_data.listed(missing)}" if missing else ""
        raise UsageError(
            f"{stated}: the training labels must be 0, 1, .. up to the number of classes less one, each used, "
            f"two at least (found {labels.min()} to {labels.max()}{also})"
        )
    for name, (others, their_labels) in parts.items():
        if others.shape[1:] != images.shape[1:]:
            raise UsageError(
                f"{stated}: the {name} images are {_shape(others[0])}, the training images {_shape(images[0])}"
            )
        if len(their_labels) and not (their_labels.min() >= 0 and their_labels.max() < classes):
            raise UsageError(
                f"{stated}: the {name} labels must lie within 0..{classes - 1}, as those of training "
                f"(found {their_labels.min()}..{their_labels.max()})"
            )


def _shape(array: _Array) -> str:
    return "x".join(map(str, array.shape)) or "one number"
