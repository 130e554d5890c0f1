"""A folder of the user's images, one sub-folder per class.

    images/cat/*.jpg  images/dog/*.jpg                          validation and test images are drawn from each class
    images/train/cat/*.jpg ..  [images/val/..]  [images/test/..]   parts set apart; one that is missing is drawn

A class is a sub-folder; its images may lie in folders of its own. The classes are numbered in the order of their
names. Files of other kinds, and whatever begins with a dot, are left out, and their number is said.

Sizes are made equal by one rule: the camera's orientation is applied, the central square is taken and scaled to
`size` (bilinear, with antialiasing). Colours become RGB, or grey levels with `grey`. Photographs of 16 bits or with
floating-point pixels are refused: to convert them needs a range that only the user knows.
"""

from __future__ import annotations

import os
import time
import warnings
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

from lrtui.train.datasets import custom_data
from lrtui.train.options import UsageError
from lrtui.train.prepared_arrays import Images, Source

EXTENSIONS = (".jpg", ".jpeg", ".png", ".ppm", ".bmp", ".pgm", ".tif", ".tiff", ".webp")
"""As torchvision.datasets.ImageFolder has them; a test compares."""
PART_NAMES = {"train": ("train",), "val": ("val", "valid", "validation"), "test": ("test",)}
PROGRESS_SECONDS = 2.0

Files = list[tuple[Path, int]]
"""Each image with the number of its class."""


def folder(
    path: Path,
    size: int = 32,
    *,
    grey: bool = False,
    val: float = custom_data.VAL,
    test: float = custom_data.TEST,
) -> Source:
    """Return the images below `path`, (N, 3 or 1, size, size).

    Raises:
        UsageError: no classes, no images, or images that cannot be read.
        MemoryError: there are more than fit into memory.

    """
    stated = f"dataset folder {path}"
    try:
        classes, parts = find(path, stated)
        custom_data.require_memory(
            sum(map(len, parts.values())), (1 if grey else 3) * size**2, stated
        )
        read = {
            name: (
                _read_all(files, size, grey=grey, stated=stated),
                np.array([label for _, label in files], np.int64),
            )
            for name, files in parts.items()
        }
    except OSError as error:
        raise UsageError(f"{stated} cannot be read ({error})") from None
    return custom_data.divide(read, classes, custom_data.Shares(val, test), str(path), stated)


def find(path: Path, stated: str) -> tuple[list[str], dict[str, Files]]:
    """Return the names of the classes, and each part's images.

    Raises:
        UsageError: there are none.

    """
    roots = _parts(path)
    classes = _folders(roots["train"])
    if len(classes) < 2:
        found = f"only {classes[0]}/" if classes else "none"
        raise UsageError(
            f"{stated}: each class is a sub-folder, and there must be two at least (found {found} in {roots['train']})"
        )
    parts, left_out = {}, 0
    for name, root in roots.items():
        if strange := [each for each in _folders(root) if each not in classes]:
            raise UsageError(
                f"{stated}: {root.name}/ has the class {custom_data.listed(strange)}, which {roots['train'].name}/ has not"
            )
        files: Files = []
        for label, each in enumerate(classes):
            for file in custom_data.walk(root / each):
                if file.suffix.lower() in EXTENSIONS:
                    files.append((file, label))
                else:
                    left_out += 1
        parts[name] = files
    labels = {label for _, label in parts["train"]}
    if empty := [each for label, each in enumerate(classes) if label not in labels]:
        kinds = ", ".join(EXTENSIONS)
        raise UsageError(
            f"{stated}: no images in the class {custom_data.listed(empty)} (looked for {kinds})"
        )
    if left_out:
        custom_data.say(
            f"{left_out:,} files that are no images ({', '.join(EXTENSIONS)}) are left out"
        )
    return classes, parts


def _parts(path: Path) -> dict[str, Path]:
    """Return the folder of each part: only `path`, unless it has a train/ with sub-folders."""
    if not _folders(path / "train"):
        return {"train": path}
    return {
        part: path / name
        for part, names in PART_NAMES.items()
        for name in [next((each for each in names if (path / each).is_dir()), "")]
        if name
    }


def _folders(path: Path) -> list[str]:
    if not path.is_dir():
        return []
    return sorted(each.name for each in path.iterdir() if each.is_dir() and each.name[0] != ".")


def _read_all(files: Files, size: int, *, grey: bool, stated: str) -> Images:
    """Return all images, (N, C, size, size); the files are read by as many threads as there are cores."""
    images = np.empty((len(files), 1 if grey else 3, size, size), np.uint8)
    faults: list[str] = []
    told = time.monotonic()

    def read(number: int) -> str:
        return _read(files[number][0], images[number])

    with (
        warnings.catch_warnings(action="ignore"),  # Pillow's, one per odd file
        ThreadPoolExecutor(len(os.sched_getaffinity(0))) as pool,
    ):
        for number, fault in enumerate(pool.map(read, range(len(files)), chunksize=1)):
            if fault:
                faults.append(f"{files[number][0]} ({fault})")
            if time.monotonic() - told > PROGRESS_SECONDS:
                told = time.monotonic()
                custom_data.say(f"reading images: {number + 1:,} of {len(files):,}")
    if faults:
        raise UsageError(
            f"{stated}: {len(faults):,} of {len(files):,} images cannot be read: {custom_data.listed(faults)}; fix or remove them"
        )
    return images


def _read(file: Path, image: Images) -> str:
    """Write the pixels of a file into `image`, (C, size, size); return what is wrong with it, or ""."""
    from PIL import Image, ImageOps  # 0.1 s, and only here

    size = image.shape[-1]
    try:
        with Image.open(file) as raw:
            if raw.mode.startswith(("I", "F")):
                return f"pixels of mode {raw.mode}: convert it to 8 bits"
            upright = ImageOps.exif_transpose(raw).convert("L" if len(image) == 1 else "RGB")
        side = min(upright.size)
        left, top = ((length - side) // 2 for length in upright.size)
        box = (left, top, left + side, top + side)
        scaled = upright.crop(box).resize((size, size), Image.Resampling.BILINEAR)
    except Exception as error:  # noqa: BLE001 - a stranger's bytes: Pillow's decoders raise nearly anything
        return " ".join(str(error).split())[:100].replace(str(file), "it") or type(error).__name__
    pixels = np.asarray(scaled)
    image[:] = pixels[None] if pixels.ndim == 2 else pixels.transpose(2, 0, 1)
    return ""
