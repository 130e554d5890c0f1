"""The answer bar at the top: the phase and the progress of the sweep, then its answer, or why there is none.

It drops the least important parts first, and cuts prose only between words.
"""

from __future__ import annotations

import statistics
from collections import Counter
from typing import TYPE_CHECKING, NamedTuple

from typing_extensions import override

from lrtui.frontend.state_style import BAD, LOOKS, OK, WARN, style_of
from lrtui.sweep.state import State
from lrtui.text.clean import clean
from lrtui.text.format import (
    amount_short,
    clock_time,
    count,
    finish_time,
    gib,
    lr_interval,
    lr_range,
    lr_text,
    number,
    setting_value,
)
from lrtui.tui.charts.range_chart import steps_done
from lrtui.tui.keymap import shown_key
from lrtui.tui.panels.lines import Lines
from lrtui.tui.search_text import budget
from lrtui.tui.styled_text import ACCENT, FAINT, TEXT, ink, line, width_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from textual.strip import Strip

    from lrtui.analysis.ranking import Standing
    from lrtui.analysis.verdict import Verdict
    from lrtui.frontend.snapshot import Snapshot
    from lrtui.sweep.events import Plan, VerdictReached
    from lrtui.sweep.state import Run
    from lrtui.tui.view_model import ViewModel

_GAP = 3
"""The cells between two parts."""
_WIDE = 130
"""From this width on states are counted in words."""
_LEAST_PROSE = 12
"""The cells below which a cut sentence says nothing."""


class Part(NamedTuple):
    """A piece of a line; only `prose` may be cut."""

    importance: int
    """1: the highest."""
    text: str
    colour: str = FAINT
    bold: bool = False
    prose: bool = False
    at_end: bool = False
    """Whether it is at the right edge."""


class AnswerBar(Lines):
    """One row, or two: the second has what the first has no room for."""

    @override
    def draw(self, model: ViewModel, width: int, height: int) -> list[Strip]:
        first, second = bar(model, width)
        if height > 1:
            return [fitted(first, width), fitted(second, width)]
        rest = [part._replace(importance=part.importance + 10) for part in second]
        return [fitted([*first, *rest], width)]


def fitted(parts: Iterable[Part], width: int) -> Strip:
    """Return the most important parts that fit, in their order."""
    parts = list(parts)
    kept: dict[int, Part] = {}
    room = width - 1 + _GAP
    for index, part in sorted(enumerate(parts), key=lambda each: each[1].importance):
        text = part.text
        if width_of(text) + _GAP > room and (part.prose or not kept):
            text = _cut(text, room - _GAP) if room - _GAP >= _LEAST_PROSE or not kept else ""
        if text and width_of(text) + _GAP <= room:
            kept[index] = part._replace(text=text)
            room -= width_of(text) + _GAP
    segments = [ink(" ")]
    for place, index in enumerate(sorted(kept, key=lambda index: (parts[index].at_end, index))):
        part = kept[index]
        gap = _GAP if place else 0
        if part.at_end:
            gap, room = gap + room, 0
        segments.append(ink(" " * gap + part.text, part.colour, bold=part.bold))
    return line(*segments)


def _cut(text: str, width: int) -> str:
    """Return the whole sentences of a text that fit, or its whole words with an ellipsis."""
    sentences = text[: width + 1].rfind("; ")
    if width_of(text) > width and sentences > width // 2:
        return text[:sentences]
    while text and width_of(text) > width - 2:
        text = text.rpartition(" ")[0]
    return f"{text} …" if text else ""


def bar(model: ViewModel, width: int) -> tuple[list[Part], list[Part]]:
    """Return the parts of the first and of the second row."""
    snapshot = model.snapshot
    if snapshot is None:
        return [Part(1, "lrtui", ACCENT, bold=True), Part(2, "reading ...")], []
    plan = snapshot.sweep.plan
    name = Part(5, clean((plan.name if plan else "") or snapshot.directory.name, 40), ACCENT, True)
    if plan is None:
        return [name, Part(1, "no experiment here yet")], []
    if snapshot.watched is not None:
        first, second = _watching(snapshot, plan)
    elif snapshot.sweep.closed is None:
        first, second = _running(model, snapshot, plan, short=width < _WIDE)
    else:
        first, second = _ended(model, snapshot, plan)
    if model.view_only and (snapshot.sweep.closed is not None or snapshot.watched is not None):
        first.append(Part(6, "view only", WARN))
    if snapshot.reading:
        first.insert(0, Part(2, f"reading {int(100 * snapshot.read)} %", WARN))
    return [name, *first], second


# ---------------------------------------------------------------- runs that lrtui did not start


def _watching(snapshot: Snapshot, plan: Plan) -> tuple[list[Part], list[Part]]:
    """Return how many runs there are, the best one with its settings, and by what it is the best; no verdict."""
    rows = snapshot.standings
    first = [Part(1, f"watching {count(len(rows), 'run')}", TEXT)]
    live = sum(row.state == "running" for row in rows)
    if live:
        first.append(Part(4, f"{live} live", ACCENT))
    best = rows[0] if rows and rows[0].value is not None else None
    if best is not None:
        first.append(Part(2, f"best {clean(plan.metric, 40)} {number(best.value)}", OK, bold=True))
        first.append(Part(3, watched_name(best), TEXT, prose=True))
    by = f"{plan.goal} {clean(plan.metric, 60)}"
    ranked = Part(2, f"ranked by {by}: each run's best value, at any length", TEXT)
    second = [ranked] if plan.metric else []
    notes = snapshot.watched.notes if snapshot.watched else ()
    second += [Part(3 + place, clean(note), WARN, prose=True) for place, note in enumerate(notes)]
    return first, second


def watched_name(row: Standing) -> str:
    """Return a run that lrtui did not start by its settings that vary: "lr=1e-03 wd=0.1"; by its path if none is known."""
    known = [f"lr={lr_text(row.lr)}"] if row.lr else []
    known += [f"{name}={value}" for name, value in row.setting.values.items() if name != "name"]
    return clean(" ".join(known) or str(row.setting.values.get("name", "")), 120)


# ---------------------------------------------------------------- while it runs


def _running(
    model: ViewModel, snapshot: Snapshot, plan: Plan, *, short: bool
) -> tuple[list[Part], list[Part]]:
    first = [*_trouble(model, snapshot)]
    doing = phase(model)
    if doing:
        first.append(Part(2, doing, ACCENT))
    if snapshot.sweep.trained() or not doing:
        first.append(Part(4, counts(snapshot, short=short), TEXT))
    found = model.verdicts.overall
    if found is not None and found.lr is not None:
        first.append(Part(3, f"so far {lr_text(found.lr)}{_axes(found)}", WARN, bold=True))
        first += _evidence(found, plan, 6)
    eta = finish_time(remaining(snapshot), snapshot.read_at)
    if eta and not snapshot.reading:
        first.append(Part(5, f"ETA {eta}", TEXT, at_end=True))
    second = [Part(4, f"spent {budget(snapshot)}")] if model.is_search else []
    second.append(Part(6, f"parallel {snapshot.sweep.parallel}"))
    second.append(Part(5, f"{plan.goal} {clean(plan.metric)}"))
    if snapshot.gpus:
        second.append(Part(7, gpu_text(snapshot)))
    return first, second


def phase(model: ViewModel) -> str:
    """Return what the sweep does now: its range test, or the rung that its runs train to; "" if neither."""
    snapshot = model.snapshot
    plan = snapshot.sweep.plan if snapshot else None
    if snapshot is None or plan is None:
        return ""
    if snapshot.sweep.preparing:
        return "preparing the data"
    tests = [run for run in model.tests if run.state is not State.ENDED]
    if tests:
        return f"range test {steps_done(model, tests[0])}"
    going = [run for run in snapshot.sweep.trained() if run.alive or run.state is State.QUEUED]
    if not going:
        return ""
    at = min(going, key=lambda run: run.until)
    levels = dict(plan.rungs).get(at.setting.schedule, ())
    if at.until not in levels or len(levels) == 1:
        return ""
    if at.pilot:
        return f"pilots, to {plan.unit} {amount_short(at.until)}"
    place = f"rung {levels.index(at.until) + 1} of {len(levels)}"
    return f"{place}, to {plan.unit} {amount_short(at.until)}"


def _trouble(model: ViewModel, snapshot: Snapshot) -> Iterable[Part]:
    if snapshot.supervisor == "silent" and not snapshot.view_only:
        since = clock_time(snapshot.heard_at, "%H:%M")
        yield Part(1, f"supervisor silent since {since}", BAD, bold=True)
    elif model.view_only:
        yield Part(2, "view only", WARN)
    elif snapshot.sweep.brake:
        yield Part(1, "launching is paused", WARN)
    elif snapshot.supervisor != "alive":
        yield Part(2, "no supervisor", WARN)


def counts(snapshot: Snapshot, *, short: bool = False) -> str:
    """Return the number of runs in each state: 3 running · 2 queued · 1 diverged; or by their symbols."""
    many = Counter(style_of(state_of(run)).count for run in snapshot.sweep.trained())
    if short:
        symbols = {entry.count: entry.symbol for entry in reversed(LOOKS.values())}
        found = " ".join(f"{many[w]}{symbols[w]}" for w in reversed(symbols) if many[w])
        return found or "no runs yet"
    order = dict.fromkeys(entry.count for entry in LOOKS.values())
    return " · ".join(f"{many[word]} {word}" for word in order if many[word]) or "no runs yet"


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


# ---------------------------------------------------------------- the answer


def _ended(model: ViewModel, snapshot: Snapshot, plan: Plan) -> tuple[list[Part], list[Part]]:
    sweep = snapshot.sweep
    closed = sweep.closed
    if closed is None:
        return [], []
    found = model.verdicts.overall
    said = sweep.verdict
    ended = Part(7, f"ended {clock_time(closed.at, '%H:%M')}", at_end=True)
    if said is not None and said.lr is not None:
        sure = not said.provisional
        word, colour = ("✔ USE LR", OK) if sure else ("so far", WARN)
        same = found is not None and found.lr == said.lr
        first = [Part(1, f"{word} {lr_text(said.lr)}{_axes(said)}", colour, bold=True)]
        if not sure:
            first.append(Part(5, clean(closed.why), WARN, prose=True))
        if found is not None and same:
            first += _evidence(found, plan, 2)
            if found.spent < found.grid:
                first.append(
                    Part(5, f"{found.spent / found.grid:.0%} of a grid".replace("%", " %"))
                )
        why = f"{shown_key('search')} why   {shown_key('export')} export"
        return [*first, ended], [*_reasons(said.why), Part(1, why, at_end=True)]
    if closed.code == 0:
        text = (
            f"{_dashed(lr_range(*said.equal))} cannot be told apart"
            if said and said.equal
            else closed.why
        )
        first = [Part(1, f"✔ {clean(text)}", OK, bold=True, prose=True)]
        return [*first, ended], _reasons(said.why if said else ())
    from lrtui.frontend.failure import why_no_answer  # not needed for the first paint

    failed = len(sweep.failed())
    first = [
        Part(1, "✖ NO ANSWER", BAD, bold=True),
        Part(4, clean(why_no_answer(sweep)), BAD, prose=True),
    ]
    if failed:
        first.append(Part(3, f"{shown_key('output')} output", ACCENT))
    if failed and not model.view_only and not sweep.stopping:
        first.append(Part(3, f"{shown_key('restart_failed')} retry failed", ACCENT))
    if sweep.stopping and not model.view_only:
        first.append(Part(6, f"lrtui {snapshot.directory} --resume continues", TEXT))
    return [*first, ended], _reasons(said.why[:1] if said else ())


def _axes(found: Verdict | VerdictReached) -> str:
    """Return the recommended place on the axes of [search]: ", momentum 0.9"."""
    return "".join(
        f", {clean(name, 30)} {setting_value(value)}" for name, value in found.axes.items()
    )


def _evidence(found: Verdict, plan: Plan, importance: int) -> Iterable[Part]:
    """Yield the value of an answer and the range of the best LR, with what its noise is known from."""
    if found.value is not None:
        yield Part(importance, f"{clean(plan.metric, 20)} {number(found.value)}", TEXT)
    if found.low is not None and found.high is not None:
        between = _dashed(lr_interval(found.low, found.high, found.open_sides))
        said = f"90 % range {between}" if found.by_noise else f"range {between}"
        yield Part(importance + 1, ", ".join(filter(None, (said, found.noise.words))), TEXT)


def _dashed(stretch: str) -> str:
    return stretch.replace("..", " \N{EN DASH} ")


def _reasons(why: Iterable[str]) -> list[Part]:
    return [Part(2, clean("; ".join(why)), TEXT, prose=True)]
