"""What the verbs read from an experiment directory: its sweep, its snapshot, the named runs. Starts nothing."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from lrtui.cli.attach import existing
from lrtui.errors import UserError
from lrtui.sweep.journal import JournalTail
from lrtui.sweep.layout import Layout
from lrtui.sweep.state import Run, Sweep, fold
from lrtui.text.format import run_name

if TYPE_CHECKING:
    from lrtui.frontend.snapshot import Snapshot

_ENOUGH_SECONDS = 3600.0


def sweep_of(directory: Path) -> Sweep:
    """Return the present state of a directory, from its journal.

    Raises:
        UserError: it is not an experiment directory.

    """
    return fold(JournalTail(Layout(existing(directory)).journal).rest())


def snapshot_of(directory: Path, most_seconds: float = _ENOUGH_SECONDS) -> Snapshot:
    """Return a snapshot of a directory with all its metrics, or as many as can be read within a time limit in seconds.

    Raises:
        UserError: it is not an experiment directory.

    """
    from lrtui.frontend.snapshot import DirectoryReader

    return DirectoryReader(existing(directory)).snapshot(most_seconds)


def counts_text(sweep: Sweep) -> str:
    """Return how many runs are in each state, ended ones by the kind of their ending: "2 running, 1 pruned".

    Range tests are not counted.
    """
    counts: dict[str, int] = {}
    for run in sweep.trained():
        word = run.ending.kind if run.ending else str(run.state)
        counts[word] = counts.get(word, 0) + 1
    return ", ".join(f"{n} {state}" for state, n in counts.items())


def find_runs(sweep: Sweep, directory: Path, names: Sequence[str]) -> list[Run]:
    """Return the runs that are named by ID or by learning rate.

    Raises:
        UserError: no run has such a name.

    """
    found: list[Run] = []
    for name in names:
        matches = [run for run in sweep.runs.values() if run.id == name or _has_lr(run, name)]
        if not matches:
            known = ", ".join(run_name(run.id, run.setting.lr) for run in sweep.runs.values())
            raise UserError(
                f"there is no run {name!r}", str(directory), f"the runs are: {known or 'none yet'}"
            )
        found += matches
    return found


def _has_lr(run: Run, text: str) -> bool:
    try:
        return math.isclose(float(text), run.setting.lr, rel_tol=1e-9)
    except ValueError:
        return False
