"""The verbs that only look: status, explain, report, ls. They start nothing and revive nobody."""

from __future__ import annotations

import json
import math
from collections.abc import Collection
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from lrtui.cli.attach import existing
from lrtui.errors import UserError
from lrtui.frontend.explain import explanation
from lrtui.sweep.journal import JournalTail
from lrtui.sweep.layout import Layout
from lrtui.sweep.state import Run, Sweep, fold, lr_text
from lrtui.text.clean import clean

if TYPE_CHECKING:
    from lrtui.report import Written

_ENOUGH_SECONDS = 3600.0


def sweep_of(directory: Path) -> Sweep:
    """Return the present of a directory, from its journal."""
    return fold(JournalTail(Layout(existing(directory)).journal).rest())


def status(directory: Path, *, as_json: bool) -> int:
    """Print one look at a sweep; return 0."""
    from lrtui.frontend import log_mode
    from lrtui.frontend.snapshot import DirectoryReader

    snapshot = DirectoryReader(existing(directory)).snapshot(_ENOUGH_SECONDS)
    sweep, plan = snapshot.sweep, snapshot.sweep.plan
    if as_json:
        rows = [msgspec.to_builtins(row) for row in snapshot.standings]
        states = {run.id: str(run.state) for run in sweep.runs.values()}
        closed = (
            None if sweep.closed is None else {"code": sweep.closed.code, "why": sweep.closed.why}
        )
        content = {
            "version": 1,
            "directory": str(directory),
            "supervisor": snapshot.supervisor,
            "runs": states,
            "leaderboard": [{k: _finite(v) for k, v in row.items()} for row in rows],
            "brake": sweep.brake,
            "closed": closed,
        }
        plain = msgspec.json.decode(msgspec.json.encode(content))
        print(
            json.dumps(plain, indent=1)
        )  # in ASCII: msgspec leaves C1 and bidi characters as they are
        return 0
    counts = ", ".join(f"{n} {state}" for state, n in count_states(sweep).items())
    print(
        f"{clean(plan.name) if plan else directory}: {counts or 'no run yet'}; supervisor: {snapshot.supervisor}"
    )
    if sweep.brake:
        print(f"  nothing is launched: {clean(sweep.brake)}")
    for _, run, text in sweep.warnings[-3:]:
        print(f"  warning: {clean(f'{run}: {text}' if run else text)}")
    if plan:
        for line in log_mode.leaderboard_text(snapshot.standings, plan, 100):
            print(line)
    if sweep.closed:
        print(f"ended with exit code {sweep.closed.code}: {clean(sweep.closed.why)}")
    return 0


def count_states(sweep: Sweep) -> dict[str, int]:
    """Return how many runs are in each state, ended ones by the kind of their ending; range tests are none."""
    counts: dict[str, int] = {}
    for run in sweep.trained():
        word = run.ending.kind if run.ending else str(run.state)
        counts[word] = counts.get(word, 0) + 1
    return counts


def explain(directory: Path, names: list[str]) -> int:
    """Print why runs wait, run or ended; return 0."""
    sweep = sweep_of(directory)
    runs = find_runs(directory, names) if names else list(sweep.runs)
    for run_id in runs:
        print(*explanation(sweep, sweep.runs[run_id], directory), sep="\n")
    return 0


def write_report(directory: Path, formats: Collection[str] = ()) -> Written:
    """Write the report in the forms that are named, by default all but the charts as files of their own."""
    from lrtui import report
    from lrtui.frontend.snapshot import DirectoryReader

    snapshot = DirectoryReader(existing(directory)).snapshot(_ENOUGH_SECONDS)
    return report.write(directory, snapshot, formats or report.USUAL)


def ls(under: Path) -> int:
    """Print the experiments under a folder, one line each; return 0."""
    found = sorted(path.parent for path in under.glob("*/experiment.toml"))
    for directory in found:
        sweep = sweep_of(directory)
        counts = ", ".join(f"{n} {state}" for state, n in count_states(sweep).items())
        end = "open" if sweep.closed is None else f"ended ({sweep.closed.code})"
        print(clean(f"{directory}  {end}  {counts}"))
    if not found:
        print(f"no experiments under {under}; start one: lrtui FILE.toml")
    return 0


def find_runs(directory: Path, names: list[str]) -> list[str]:
    """Return the ids of runs that were named by id or by learning rate.

    Raises:
        UserError: no run has such a name.

    """
    sweep = sweep_of(directory)
    found: list[str] = []
    for name in names:
        matches = [run.id for run in sweep.runs.values() if run.id == name or _has_lr(run, name)]
        if not matches:
            known = ", ".join(
                f"{run.id} ({lr_text(run.setting.lr)})" for run in sweep.runs.values()
            )
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


def _finite(value: object) -> object:
    return None if isinstance(value, float) and not math.isfinite(value) else value
