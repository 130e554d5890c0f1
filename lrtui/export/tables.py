"""The experiment as three tables, for CSV and Parquet alike: runs, metrics (a row per value) and verdict."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from lrtui.export.names import Names
from lrtui.report.csv_tables import run_table

if TYPE_CHECKING:
    from lrtui.export.subject import Subject

METRICS = {
    "run": str,
    "attempt": int,
    "metric": str,
    "step": float,
    "epoch": float,
    "tokens": float,
    "time": float,
    "wall_time": float,
    "value": float,
}
"""The columns of the metrics; the rows are `metrics`."""
TIMES = frozenset({"started", "ended", "wall_time"})
"""Columns that hold Unix times."""
_VERDICT = (
    "headline", "group", "optimizer", "schedule", "lr", "low", "high", "optimum", "value", "se", "at",
    "seeds", "provisional",
)  # fmt: skip


def runs(subject: Subject) -> tuple[list[str], list[list[Any]]]:
    """Return the columns' names and a row per run: those of report.csv, and those that only an export has."""
    head, rows = run_table(subject.report)
    at = head.index("lr")
    begun = {run.run.id: run for run in subject.runs}
    more = [
        key
        for key in ("model", "dataset", "batch_size")
        if any(key in run.settings for run in subject.runs)
    ]
    found = []
    for row in rows:
        row[at] = float(row[at])
        run = begun.get(row[head.index("run")])
        told = [None] * len(more) if run is None else [run.settings.get(key) for key in more]
        times = [None, None] if run is None else [run.started, run.ended]
        found.append([*row, *told, bool(run and run.recommended), *times])
    return [*head, *more, "recommended", "started", "ended"], found


def verdict(subject: Subject) -> tuple[list[str], list[list[Any]]]:
    """Return the columns' names and a row per combination of optimizer, schedule and values, the best first."""
    told = subject.report.groups or (subject.report.verdict,)
    rows = [
        [*(getattr(each, key) for key in _VERDICT), "; ".join(each.reasons), " ".join(each.runs)]
        for each in told
    ]
    return [*_VERDICT, "reasons", "runs"], rows


def metrics(subject: Subject) -> Iterator[list[Any]]:
    """Yield a row for each value of each run, in the order of METRICS."""
    unit = subject.plan.unit
    names = Names()
    for run in subject.runs:
        for row in subject.rows(run):
            step = row.level if unit == "step" else row.step
            epoch = row.level if unit == "epoch" else row.epoch
            tokens = row.level if unit == "tokens" else row.tokens
            for name, value in row.values.items():
                yield [
                    run.run.id, row.attempt, names.of(name), step, epoch, tokens, row.time, row.wall, value
                ]  # fmt: skip
