"""The leaderboard of watched runs as text, for pipes and logs."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, TextIO

from lrtui.errors import NO_ANSWER
from lrtui.frontend.state_style import style_of
from lrtui.text.clean import clean
from lrtui.text.format import amount, count, lr_text, number

if TYPE_CHECKING:
    from lrtui.analysis.ranking import Standing
    from lrtui.frontend.snapshot import Snapshot
    from lrtui.frontend.watch.reader import WatchReader


def run(source: WatchReader, out: TextIO | None = None) -> int:
    """Read everything, print the leaderboard, and return 0; 1 if no run has the metric."""
    out = out or sys.stdout
    snapshot = source.snapshot(1.0)
    while snapshot.reading:
        snapshot = source.snapshot(1.0)
    out.writelines(f"{line}\n" for line in lines_of(snapshot))
    return 0 if any(row.value is not None for row in snapshot.standings) else NO_ANSWER


def lines_of(snapshot: Snapshot) -> list[str]:
    """Return the leaderboard, the metric that ranks it, and notes on what is not shown."""
    plan, rows = snapshot.sweep.plan, snapshot.standings
    notes = [clean(note) for note in (snapshot.watched.notes if snapshot.watched else ())]
    if plan is None or not rows:
        return [clean(snapshot.problem), *notes]
    by = f"{plan.goal} {clean(plan.metric, 60)}"
    head = f"{count(len(rows), 'run')}, ranked by {by}: each run's best value, at any length"
    notes = [clean(snapshot.problem)] * bool(snapshot.problem) + notes
    return [head, *notes, "", *_table(rows, plan.unit, clean(plan.metric, 30))]


def _table(rows: Sequence[Standing], unit: str, metric: str) -> list[str]:
    names = list(dict.fromkeys(name for row in rows for name in row.setting.values))
    lr = ["lr"] if any(row.lr for row in rows) else []
    table = [["#", metric, "at", "now", unit, "state", *lr, *(clean(name, 30) for name in names)]]
    for row in rows:
        values = row.setting.values
        cells = [
            str(row.rank),
            number(row.value),
            "" if row.value_at is None else amount(row.value_at),
            number(row.latest),
            amount(row.level),
            style_of(row.state).short,
        ]
        cells += [lr_text(row.lr) if row.lr else ""] * len(lr)
        table.append([*cells, *(clean(str(values.get(name, "")), 80) for name in names)])
    wide = [max(len(line[column]) for line in table) for column in range(len(table[0]))]
    numeric = range(5)
    return [
        "  ".join(
            cell.rjust(width) if at in numeric else cell.ljust(width)
            for at, (cell, width) in enumerate(zip(line, wide, strict=True))
        ).rstrip()
        for line in table
    ]
