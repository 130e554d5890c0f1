"""The built-in data sets: which are prepared, whether these are complete, and whether the others can be prepared."""

from __future__ import annotations

import os
import re
from pathlib import Path
from stat import S_ISREG

from lrtui.cli.doctor.disk import DATA
from lrtui.cli.doctor.finding import Check, Finding, listed, ok, warn
from lrtui.text.install import install
from lrtui.train.datasets import DATASETS


def sets() -> list[Finding]:
    """Report for each data set whether it is ready under ./data, where an experiment started here looks."""
    return [_set(name, DATA.absolute()) for name in DATASETS]


def _set(name: str, data_dir: Path) -> Finding:
    damaged = []
    for folder in sorted(data_dir.glob(f"prepared/{name}-*")):
        about, fault = examine(folder)
        if about:
            return ok(f"{name}: prepared ({about})", str(folder))
        damaged.append(f"{folder} ({fault})")
    if damaged:
        what = f"{name}: damaged: {listed(damaged, 2)}"
        return warn(what, "a sweep that needs it prepares it again", damaged[0])
    for path in _originals(name, data_dir):
        return ok(f"{name}: originals in {path}; prepared when first used", str(path))
    if missing := DATASETS[name].missing():
        return ok(f"{name}: needs {missing.names}, not installed here: {install(missing.extra)}")
    if not DATASETS[name].where.partition(":")[0].endswith(".vision"):
        return ok(f"{name}: {DATASETS[name].what}; prepared when first used")
    what = f"{name}: not on this machine (looked in {data_dir})"
    hint = f"it is downloaded when first used; without network put the originals into {data_dir}"
    return warn(what, hint)


def examine(folder: Path) -> tuple[str, str]:
    """Return (what a prepared folder holds, "") or ("", what is wrong with it). Reads all of it: 0.1 s per 100 MB."""
    from lrtui.train import prepared_arrays  # numpy: 0.1 s, and only here

    parts = [
        f"{part}_{what}.npy" for part in prepared_arrays.PARTS for what in ("images", "labels")
    ]
    for name in ("about.json", *parts):  # reading a fifo would block
        try:
            if not S_ISREG(os.lstat(folder / name).st_mode):
                return "", f"{name} is no file"
        except OSError as error:
            return "", f"{name}: {error.strerror}"
        except ValueError:  # a NUL, from a foreign journal
            return "", "no path"
    try:
        about = prepared_arrays.read_about(folder)
        whole = prepared_arrays.intact(folder)
    except (prepared_arrays.DamagedError, OSError, ValueError, TypeError, AttributeError) as error:
        return "", str(error)
    if not whole:
        return "", "its checksum does not match"
    stand_in = ", SYNTHETIC" if about.synthetic else ""
    return f"{about.train} + {about.val} + {about.test} images{stand_in}", ""


def _originals(name: str, data_dir: Path) -> list[Path]:
    """Return what may be the data set as it was downloaded, or as Debian packages it."""
    from lrtui.train.datasets.vision import DEBIAN_FASHION_MNIST  # numpy: see examine

    inside = sorted(data_dir.iterdir()) if data_dir.is_dir() else []
    packaged = Path(os.environ.get("LRTUI_FASHION_MNIST", DEBIAN_FASHION_MNIST))
    return [path for path in (*inside, packaged) if path.exists() and _set_of(path.name) == name]


def _set_of(file: str) -> str:
    """Return the data set whose name a file's begins with, the longest: cifar-100-python is cifar100, not cifar10."""
    plain = re.sub(r"[^a-z0-9]", "", file.lower())
    fitting = [name for name in DATASETS if plain.startswith(name.replace("_", ""))]
    return max(fitting, key=len, default="")


CHECKS: dict[str, Check] = {"data sets": sets}
