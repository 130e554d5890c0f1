"""Experiments for other tools: TensorBoard, Weights & Biases, MLflow, CSV and Parquet, each in its own format.

`export` is what the verb calls. `subject` gathers the experiment once, `walk` streams the measurements, and a module `to_...` per target
writes; only these import the tools' libraries, when they are asked for. The experiment directory is only read.
"""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, cast

from lrtui.errors import UserError
from lrtui.text.install import install

if TYPE_CHECKING:
    from pathlib import Path

    from lrtui.export.subject import Subject
    from lrtui.frontend.snapshot import Snapshot

__all__ = ["TARGETS", "Exported", "Target", "export"]


@dataclass(frozen=True, slots=True)
class Target:
    """One format."""

    library: str
    """The package that it needs; "" for none. The extra has the target's name."""
    opens: str
    """The command that opens FOLDER; "" if any program does."""


TARGETS = {
    "tensorboard": Target("tensorboard", "tensorboard --logdir FOLDER"),
    "wandb": Target("wandb", "wandb sync FOLDER/wandb/offline-run-*"),
    "mlflow": Target("mlflow", "MLFLOW_ALLOW_FILE_STORE=true mlflow ui --backend-store-uri FOLDER"),
    "csv": Target("", ""),
    "parquet": Target("pyarrow", ""),
}
"""By the word after --to; lrtui/export/to_WORD.py writes it."""


class _Writer(Protocol):
    """The module of a target."""

    def write(self, subject: Subject, folder: Path) -> int:
        """Write into an empty folder; return the number of values."""


@dataclass(frozen=True, slots=True)
class Exported:
    """What `export` has done."""

    runs: int
    values: int
    steps: str
    """What the tool's step is, in words."""


def export(snapshot: Snapshot, target: str, folder: Path, *, force: bool) -> Exported:
    """Write an experiment for a tool into a folder.

    Raises:
        UserError: the tool's package is missing, nothing was started, or the folder is not free.

    """
    from lrtui.export.output_folder import filled
    from lrtui.export.subject import subject

    writer = _writer(target)
    made = subject(snapshot)
    with filled(folder, snapshot.directory, target, force=force):
        values = writer.write(made, folder)
    return Exported(len(made.runs), values, made.walk.steps.words(made.plan.unit))


def _writer(target: str) -> _Writer:
    library = TARGETS[target].library
    try:
        return cast("_Writer", importlib.import_module(f"lrtui.export.to_{target}"))
    except ModuleNotFoundError as error:
        if not library or (error.name or "").startswith("lrtui"):
            raise
        raise UserError(
            f"an export to {target} needs {error.name}, which is not installed here",
            hint=install(target),
        ) from error
