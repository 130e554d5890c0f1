"""report.csv, one row per run, and curves.csv, one row per point of a thinned curve."""

from __future__ import annotations

import csv
import io
from typing import Any

from lrtui.report.json_form import word
from lrtui.report.model import Report
from lrtui.text.format import lr_text

_FORMULA = ("=", "+", "-", "@", "\t")
"""A spreadsheet runs a cell that begins with one of these; a worker's output may."""


def runs(made: Report) -> str:
    """Return report.csv from what `content` returned."""
    return _csv(*run_table(made))


def run_table(made: Report) -> tuple[list[str], list[list[Any]]]:
    """Return the columns' names and a row for each run; a value of a setting has the column set.NAME, such as set.wd."""
    values = sorted({name for run in made.runs for name in run.values})
    tests = sorted({name for run in made.runs for name in run.test})
    head = ["experiment", "run", "range_test", "lr", "optimizer", "schedule"]
    head += [f"set.{name}" for name in values]
    head += ["seed", "origin", "state", "why", "metric", "value", f"at_{made.unit}", "val_loss"]
    head += [*tests, f"spent_{made.unit}", "attempts"]
    rows = []
    for run in made.runs:
        row = [made.experiment, run.run, run.range_test, lr_text(run.lr)]
        row += [run.optimizer, run.schedule, *(run.values.get(name) for name in values)]
        row += [run.seed, run.origin, run.state, run.why, made.metric]
        row += [run.value, run.level, run.val_loss]
        rows.append([*row, *(run.test.get(name) for name in tests), run.spent, run.attempts])
    return head, rows


def curves(made: Report) -> str:
    """Return curves.csv; the cell of a non-finite value is empty."""
    head = ["run", "lr", "seed", "metric", made.unit, "value"]
    rows = [
        [each.run, lr_text(each.lr), each.seed, each.metric, x, y]
        for each in made.curves
        for x, y in zip(each.x, each.y, strict=True)
    ]
    return _csv(head, rows)


def _csv(head: list[str], rows: list[list[Any]]) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerows([list(map(cell, row)) for row in [head, *rows]])
    return text.getvalue()


def cell(value: Any) -> Any:
    """Return a cell: finite numbers as they are, others as words, text never as a formula."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return word(value)
    if isinstance(value, str) and value.startswith(_FORMULA):
        return f"'{value}"
    return "" if value is None else value
