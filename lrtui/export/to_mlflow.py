"""To MLflow: a file store, as `mlflow ui --backend-store-uri FOLDER` opens it, with one experiment.

MLflow's own store writes experiment, runs, parameters and tags. It would open a file for every single value, so the values are
appended here in its format: a line "timestamp value step" in the metric's file. Newer MLflow needs a switch to use file stores.
"""

from __future__ import annotations

import os
import posixpath
import re
from pathlib import Path
from typing import TYPE_CHECKING, Self

os.environ |= {  # read while mlflow is imported
    "MLFLOW_ALLOW_FILE_STORE": "true",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "DO_NOT_TRACK": "true",
}

from mlflow.entities import ExperimentTag, Metric, Param, RunStatus, RunTag
from mlflow.store.tracking.file_store import FileStore

from lrtui.export.names import Names

if TYPE_CHECKING:
    from lrtui.export.subject import ExportedRun, Subject

_STATUS = {
    "finished": RunStatus.FINISHED,
    "pruned": RunStatus.KILLED,
    "killed": RunStatus.KILLED,
    "failed": RunStatus.FAILED,
    "diverged": RunStatus.FAILED,
    "lost": RunStatus.FAILED,
}
_FORBIDDEN = re.compile(r"[^\w./ -]")
_LONGEST = 180
"""The longest name in bytes; it becomes a file name."""
_PENDING = 50_000
"""The number of values that are appended together."""
_TAG = 5000


class _Names(Names):
    """Names that MLflow accepts: relative paths, none of which is a folder of another."""

    def __init__(self) -> None:
        super().__init__()
        self._folders: set[str] = set()

    def shape(self, name: str) -> str:
        name = _FORBIDDEN.sub("_", name).encode()[:_LONGEST].decode("utf-8", "ignore")
        parts = [part if part.strip(". ") else "_" * len(part) for part in name.split("/")]
        path = "/".join(filter(None, parts))
        if all(super(_Names, self).free(folder) for folder in _parents(path)):
            return path
        return path.replace("/", "_")

    def free(self, name: str) -> bool:
        return super().free(name) and name not in self._folders

    def take(self, name: str) -> None:
        super().take(name)
        self._folders.update(_parents(name))


def _parents(path: str) -> list[str]:
    folders = []
    while path := posixpath.dirname(path):
        folders.append(path)
    return folders


def write(subject: Subject, folder: Path) -> int:
    """Write the experiment; return the number of values."""
    store = FileStore(str(folder.resolve()))
    facts = {f"lrtui.{key}": str(value) for key, value in subject.verdict_facts().items()}
    tags = {"mlflow.note.content": subject.verdict_text(), **facts}
    experiment = store.create_experiment(
        subject.name or "lrtui",
        tags=[ExperimentTag(key, text[:_TAG]) for key, text in tags.items()],
    )
    metrics, params = _Names(), _Names()
    value = metrics.of("lrtui/value")
    count = 0
    for run in subject.runs:
        made = _start(store, experiment, run, params)
        last = 0
        with _Appending(folder / experiment / made / "metrics") as append:
            for row in subject.rows(run):
                last = row.at
                for name, measured in (*row.values.items(), *subject.walk.beside(row)):
                    append(metrics.of(name), f"{int(row.wall * 1000)} {measured} {row.at}\n")
                count += len(row.values)
        _end(store, made, run, value, last)
    return count


def _start(store: FileStore, experiment: str, run: ExportedRun, params: Names) -> str:
    """Make a run with its parameters and tags; return its ID."""
    tags = [RunTag(f"lrtui.{key}", str(fact)[:_TAG]) for key, fact in run.facts().items()]
    made: str = store.create_run(
        experiment, "lrtui", int(run.started * 1000), tags, run.name
    ).info.run_id
    for key, setting in run.settings.items():
        store.log_param(made, Param(params.of(key), str(setting)))
    return made


def _end(store: FileStore, made: str, run: ExportedRun, name: str, step: int) -> None:
    """Log the value that a run is ranked by, and set how it ended."""
    ended = int((run.ended or run.started) * 1000)
    if run.value is not None:
        store.log_metric(made, Metric(name, run.value, ended, step))
    status = _STATUS.get(run.state, RunStatus.RUNNING if run.run.alive else RunStatus.SCHEDULED)
    store.update_run_info(made, status, ended if run.ended else None, run.name)


class _Appending:
    """Appends lines to files below a folder, many at a time: a script may have more metrics than a process may have open files."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._lines: dict[str, list[str]] = {}
        self._pending = 0

    def __enter__(self) -> Self:
        return self

    def __call__(self, name: str, line: str) -> None:
        self._lines.setdefault(name, []).append(line)
        self._pending += 1
        if self._pending >= _PENDING:
            self.__exit__()

    def __exit__(self, *_: object) -> None:
        for name, lines in self._lines.items():
            path = self._folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            with path.open("a", encoding="utf-8") as file:
                file.writelines(lines)
        self._lines.clear()
        self._pending = 0
