"""The built-in data sets: which are prepared, whether they are whole, and where they are looked for."""

from __future__ import annotations

import os
import re
from pathlib import Path
from stat import S_ISREG

from lrtui.cli.doctor.file_systems import DATA
from lrtui.cli.doctor.finding import Check, Finding, listed, ok, warn
from lrtui.train.datasets import DATASETS


def sets() -> list[Finding]:
    """Say of each data set how it stands under ./data, where an experiment started here looks."""
    return [_stand(name, DATA.absolute()) for name in DATASETS]


def _stand(name: str, data_dir: Path) -> Finding:
    prepared = data_dir / "prepared"
    folders = sorted(prepared.glob(f"{name}-*")) if prepared.is_dir() else []
    damaged = []
    for folder in folders:
        about, fault = examine(folder)
        if about:
            return ok(f"{name}: prepared ({about})", str(folder))
        damaged.append(f"{folder} ({fault})")
    if damaged:
        what = f"{name}: damaged: {listed(damaged, 2)}"
        return warn(
            what, "it is written again when a sweep next needs it; or remove the folder", damaged[0]
        )
    originals = [path for path in _originals(data_dir) if _set_of(path.name) == name]
    if originals:
        return ok(
            f"{name}: originals in {originals[0]}; prepared when first used", str(originals[0])
        )
    if not needs_files(name):
        return ok(f"{name}: {DATASETS[name].what}; prepared when first used")
    what = f"{name}: not on this machine (looked in {listed(_places(name, data_dir))})"
    return warn(
        what, f"it is downloaded when first used; without network put the originals into {data_dir}"
    )


def examine(folder: Path) -> tuple[str, str]:
    """Return (what a prepared folder holds, "") or ("", what is wrong with it). Reads all of it: 0.1 s per 100 MB."""
    from lrtui.train import prepared_arrays  # numpy: 0.1 s, and only here

    parts = [
        f"{part}_{what}.npy" for part in prepared_arrays.PARTS for what in ("images", "labels")
    ]
    for name in ("about.json", *parts):  # a fifo in the place of one would hold us up
        try:
            if not S_ISREG(os.lstat(folder / name).st_mode):
                return "", f"{name} is no file"
        except OSError as error:
            return "", f"{name}: {error.strerror}"
        except ValueError:  # a NUL, from a journal of a stranger
            return "", "no path"
    try:
        about = prepared_arrays.read_about(folder)
        whole = prepared_arrays.intact(folder)
    except (prepared_arrays.DamagedError, OSError, ValueError, TypeError, AttributeError) as error:
        return "", str(error)
    if not whole:
        return "", "its bytes do not bear its checksum"
    stand_in = ", SYNTHETIC" if about.synthetic else ""
    return f"{about.train} + {about.val} + {about.test} images{stand_in}", ""


def needs_files(name: str) -> bool:
    """Tell whether a data set has to be brought: the others are computed, or come with a package."""
    return DATASETS[name].where.partition(":")[0].endswith(".vision")


def _places(name: str, data_dir: Path) -> list[Path]:
    """Return where the preparation looks before it downloads."""
    if name != "fashion_mnist":
        return [data_dir]
    return [data_dir, _packaged()]


def _packaged() -> Path:
    from lrtui.train.datasets.vision import DEBIAN_FASHION_MNIST  # numpy: see examine

    return Path(os.environ.get("LRTUI_FASHION_MNIST", DEBIAN_FASHION_MNIST))


def _originals(data_dir: Path) -> list[Path]:
    """Return what may be a data set as it was downloaded, or as Debian packages it."""
    inside = sorted(data_dir.iterdir()) if data_dir.is_dir() else []
    packaged = _packaged()
    return [path for path in (*inside, packaged) if path.exists()]


def _set_of(file: str) -> str:
    """Return the data set whose name a file's begins with, the longest: cifar-100-python is cifar100, not cifar10."""
    plain = re.sub(r"[^a-z0-9]", "", file.lower())
    fitting = [name for name in DATASETS if plain.startswith(name.replace("_", ""))]
    return max(fitting, key=len, default="")


CHECKS: dict[str, Check] = {"data sets": sets}
