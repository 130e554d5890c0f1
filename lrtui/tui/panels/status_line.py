"""The status line at the top: the state of the sweep and the settings of the charts."""

from __future__ import annotations

import statistics
from collections import Counter
from typing import TYPE_CHECKING

from typing_extensions import override

from lrtui.frontend.state_style import BAD, LOOKS, WARN, style_of
from lrtui.sweep.state import State
from lrtui.text.format import clock_time, finish_time, gib
from lrtui.tui.charts.curves import axis_for
from lrtui.tui.charts.range_chart import steps_done
from lrtui.tui.panels.lines import Lines
from lrtui.tui.search_text import budget
from lrtui.tui.styled_text import ACCENT, FAINT, TEXT, ink, line, width_of

if TYPE_CHECKING:
    from textual.strip import Strip

    from lrtui.frontend.snapshot import Snapshot
    from lrtui.sweep.state import Run
    from lrtui.tui.view_model import ViewModel

Part = tuple[int, str, str]
"""(importance, 1 highest; text; colour)"""


class Status(Lines):
    """One row; the least important parts are dropped first."""

    @override
    def draw(self, model: ViewModel, width: int, height: int) -> list[Strip]:
        parts = _parts(model, width)
        while len(parts) > 1 and sum(width_of(text) + 3 for _, text, _ in parts) > width + 1:
            parts.remove(max(parts, key=lambda part: part[0]))
        segments = [ink(" ")]
        for index, (_, text, colour) in enumerate(parts):
            segments.append(ink(("   " if index else "") + text, colour, bold=index == 0))
        return [line(*segments)]


def _parts(model: ViewModel, width: int) -> list[Part]:
    snapshot = model.snapshot
    if snapshot is None:
        return [(1, "lrtui", ACCENT), (1, "reading ...", FAINT)]
    plan = snapshot.sweep.plan
    if plan is None:
        return [(1, snapshot.directory.name, ACCENT), (1, "no experiment here yet", FAINT)]
    parts: list[Part] = [
        (1, plan.name or snapshot.directory.name, ACCENT),
        (2, counts(snapshot, short=width < 110), TEXT),
    ]
    tests = [run for run in model.tests if run.alive]
    if tests:
        step = steps_done(model, tests[0])
        parts.append((2, f"range test {step}" if width >= 70 else f"test {step}", ACCENT))
    trouble = _trouble(model, snapshot, short=width < 110)
    if trouble:
        parts.append(trouble)
    if snapshot.sweep.closed is None and snapshot.gpus:
        parts.append((7, gpu_text(snapshot), FAINT))
    parts.append((6, f"parallel {snapshot.sweep.parallel}", FAINT))
    if model.is_search:
        parts.append((4, f"spent {budget(snapshot)}", FAINT))
    eta = finish_time(remaining(snapshot), snapshot.read_at)
    if eta:
        parts.append((4, f"ETA {eta}", TEXT))
    parts.append((5, f"{plan.goal} {plan.metric}", FAINT))
    parts.append((3 if model.view.smooth else 8, _setting(model), FAINT))
    return parts


def _trouble(model: ViewModel, snapshot: Snapshot, *, short: bool) -> Part | None:
    if snapshot.sweep.closed is not None:
        return (3, "ended", FAINT)
    if snapshot.supervisor == "silent" and not snapshot.view_only:
        since = clock_time(snapshot.heard_at, "%H:%M")
        return (2, "supervisor silent" if short else f"supervisor silent since {since}: lrtui doctor", BAD)  # fmt: skip
    if model.view_only:
        return (2, "view only", WARN)
    if snapshot.sweep.brake:
        return (2, "brake on", WARN)
    if snapshot.supervisor != "alive":
        return (2, "no supervisor", WARN)
    return None


def counts(snapshot: Snapshot, *, short: bool = False) -> str:
    """Return the number of runs in each state: 3 running · 2 queued · 1 diverged; or by their symbols."""
    count = Counter(style_of(state_of(run)).count for run in snapshot.sweep.trained())
    if short:
        symbols = {entry.count: entry.symbol for entry in reversed(LOOKS.values())}
        return (
            " ".join(f"{count[w]}{symbols[w]}" for w in reversed(symbols) if count[w]) or "no runs"
        )
    order = dict.fromkeys(entry.count for entry in LOOKS.values())
    return " · ".join(f"{count[word]} {word}" for word in order if count[word]) or "no runs yet"


def state_of(run: Run) -> str:
    """Return a run's state, or the kind of its ending."""
    return run.ending.kind if run.state is State.ENDED and run.ending else str(run.state)


def gpu_text(snapshot: Snapshot) -> str:
    """Return the load of the GPUs: GPU0 93 % 11.2/24 G."""
    parts = []
    for gpu in snapshot.gpus[:2]:
        load = "" if gpu.utilisation is None else f" {gpu.utilisation} %"
        used, total = gib(gpu.memory_used_mib), gib(gpu.memory_total_mib)
        parts.append(f"GPU{gpu.index}{load} {used}/{total} G")
    more = len(snapshot.gpus) - 2
    return "  ".join(parts) + (f"  +{more}" if more > 0 else "")


def remaining(snapshot: Snapshot) -> float | None:
    """Return the estimated remaining seconds of the sweep: the rest of every run, divided by the runs in parallel."""
    plan = snapshot.sweep.plan
    rates = [s.rate for s in snapshot.standings if s.rate]
    if plan is None or not rates or snapshot.sweep.closed is not None:
        return None
    rate = statistics.median(rates)
    left = 0.0
    for run in snapshot.sweep.trained():
        if run.alive or run.state is State.QUEUED:
            series = snapshot.series.get(run.id)
            left += max(0.0, run.until - (series.level if series else 0.0))
    return left / rate / max(1, snapshot.sweep.parallel) if left else None


def _setting(model: ViewModel) -> str:
    view = model.view
    smooth = f"smooth {view.weight:g}" if view.smooth else "raw"
    axis = axis_for(model)
    plan = model.snapshot.sweep.plan if model.snapshot else None
    unit = plan.unit if plan and axis == "level" else axis
    return f"{smooth}  x={unit}  y={'log' if view.log_y else 'lin'}"
