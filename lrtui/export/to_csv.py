"""To CSV: runs.csv, metrics.csv and verdict.csv."""

from __future__ import annotations

import csv
import time
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lrtui.export import tables
from lrtui.report.csv_tables import cell

if TYPE_CHECKING:
    from lrtui.export.subject import Subject


def write(subject: Subject, folder: Path) -> int:
    """Write the tables; return the number of values."""
    _table(folder / "runs.csv", *_clocked(*tables.runs(subject)))
    _table(folder / "verdict.csv", *tables.verdict(subject))
    return _table(folder / "metrics.csv", list(tables.METRICS), tables.metrics(subject))


def _table(path: Path, head: list[str], rows: Iterable[list[Any]]) -> int:
    count = 0
    with open(path, "x", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(map(cell, head))
        for row in rows:
            writer.writerow([cell(value) for value in row])
            count += 1
    return count


def _clocked(head: list[str], rows: list[list[Any]]) -> tuple[list[str], list[list[Any]]]:
    """Return a table with its times as ISO 8601, UTC."""
    for row in rows:
        for at, name in enumerate(head):
            if name in tables.TIMES and row[at] is not None:
                row[at] = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(row[at]))
    return head, rows
