"""The search as text: verdict, range tests, rungs with the kept and the pruned runs, later runs, and the budget.

Pure functions of the model. A row is coloured text; `wrap` breaks it at the width of the pane.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, NamedTuple

from lrtui.frontend.state_style import BAD, OK, WARN, style_of
from lrtui.sweep.state import State, group_of, group_text, shown_state
from lrtui.text.clean import clean
from lrtui.text.format import (
    amount_short,
    duration,
    lr_range,
    lr_rounded,
    number,
    plural,
    run_name,
    tolerance,
)
from lrtui.tui.charts.range_chart import steps_done, suggestions
from lrtui.tui.styled_text import FAINT, TEXT, width_of

if TYPE_CHECKING:
    from lrtui.frontend.snapshot import Snapshot
    from lrtui.sweep.events import GroupKey, Plan, RungClosed
    from lrtui.sweep.state import Run, Sweep
    from lrtui.tui.view_model import ViewModel


class Word(NamedTuple):
    """A piece of text that is only broken if it is longer than a line."""

    text: str
    colour: str = TEXT


class Row(NamedTuple):
    """A label and the words after it."""

    label: str
    words: tuple[Word, ...]


def rows(model: ViewModel) -> list[Row]:
    """Return all rows, the verdict first, then the steps that led to it."""
    snapshot = model.snapshot
    plan = snapshot.sweep.plan if snapshot else None
    if snapshot is None or plan is None:
        return []
    sweep, group = snapshot.sweep, model.group
    return [
        *_verdict(model, plan),
        *(_tested(model, run) for run in model.tests if run is model.test or run.alive),
        *_rungs(model, sweep, plan, group),
        *_later(model, sweep, group),
        *_other_groups(model, plan, group),
        *_reasons(model),
    ]


# ---------------------------------------------------------------- the budget


def budget(snapshot: Snapshot) -> str:
    """Return what is spent, including live attempts, and what is left."""
    plan = snapshot.sweep.plan
    if plan is None:
        return ""
    spent = snapshot.sweep.spent + sum(_running(snapshot, run) for run in snapshot.sweep.alive())
    if plan.budget is not None:
        left = max(0.0, plan.budget - spent)
        said = f"{amount_short(_tenths(spent))} of {amount_short(plan.budget)} {plural(plan.unit)}, {amount_short(_tenths(left))} left"
    else:
        said = f"{amount_short(_tenths(spent))} {plural(plan.unit)}"
        if plan.planned:
            said += f", about {amount_short(_tenths(plan.planned))} planned"
    if plan.budget_seconds is not None:
        seconds = snapshot.sweep.active_seconds(snapshot.read_at)
        left = max(0.0, plan.budget_seconds - seconds)
        said += f", {duration(round(seconds))} of {duration(plan.budget_seconds)}, {duration(round(left))} left"
    return said


def _tenths(value: float) -> float:
    return round(value, 1) if value < 1000 else round(value)


def _running(snapshot: Snapshot, run: Run) -> float:
    """Return the cost of a live attempt so far; a resumed attempt counts from where it resumed."""
    series = snapshot.series.get(run.id)
    if series is None or not run.attempts:
        return 0.0
    began = 0.0
    if run.attempts[-1].resumed_from is not None:
        began = max((reached.level for reached in run.reached), default=0.0)
    return max(0.0, series.level - began)


# ---------------------------------------------------------------- rows


def _verdict(model: ViewModel, plan: Plan) -> list[Row]:
    found = model.verdicts.overall
    if found is None or model.snapshot is None:
        return []
    ended = model.snapshot.sweep.closed is not None
    if found.lr is None:
        return (
            [Row("verdict", (Word("no answer" if ended else "none yet", FAINT),))]
            if found.provisional
            else [Row("verdict", (Word(found.headline(plan), BAD),))]
        )
    said = [Row("verdict", (Word(found.headline(plan), OK),))]
    if found.equal is not None:
        within = "" if found.within is None else f"within {tolerance(found.within)}: "
        said.append(Row("equal", (Word(f"{within}{lr_range(*found.equal)}"),)))
    return said


def _tested(model: ViewModel, run: Run) -> Row:
    """Return the result of a range test, or its progress."""
    label = f"range {run.id}"
    tested = model.snapshot.sweep.ranges.get(run.id) if model.snapshot else None
    if run.alive:
        return Row(label, (Word(f"step {steps_done(model, run)}"),))
    if tested is None:
        return Row(label, (Word(run.why or shown_state(run), FAINT),))
    words = [
        Word(f"{rule} {lr_rounded(lr)}", colour) for rule, lr, _, colour in suggestions(tested)
    ]
    turned = (
        f"diverged at {lr_rounded(tested.diverged)}"
        if tested.diverged
        else "the loss never diverged"
    )
    return Row(label, (*words, Word(tested.why or turned, FAINT)))


def _rungs(model: ViewModel, sweep: Sweep, plan: Plan, group: GroupKey) -> Iterable[Row]:
    """Yield a row for each rung of the group: the runs at it, the kept runs, the pruned runs, and the reason."""
    runs = _of(sweep, group)
    first = min((run.seed for run in runs), default=0)
    runs = [run for run in runs if run.seed == first and run.origin == "strategy"]
    levels = {closed.level for closed in sweep.rungs if closed.group == group}
    levels |= {run.until for run in runs if run.state is not State.ENDED}
    schedule = runs[0].setting.schedule if runs else ""
    levels |= {level for text, planned in plan.rungs if text == schedule for level in planned}
    for level in sorted(levels):
        label = f"{plan.unit} {amount_short(level)}"
        closed = sweep.rung(group, level)
        words = _decided(model, sweep, closed) if closed else []
        words += _under_way(model, [run for run in runs if run.until == level], closed)
        if level >= plan.horizon:
            words += _finished(model, runs)
        yield Row(label, tuple(words) or (Word("not yet", FAINT),))


def _decided(model: ViewModel, sweep: Sweep, closed: RungClosed) -> list[Word]:
    words = [Word("kept", OK)] if closed.kept or not closed.pruned else []
    words += [_valued(model, sweep, run, closed.level) for run in closed.kept]
    if closed.pruned:
        piloted = not closed.kept and any(
            sweep.runs[r].pilot for r in closed.pruned if r in sweep.runs
        )
        words.append(Word("pilots", OK) if piloted else Word("pruned", WARN))
        words += [_valued(model, sweep, run, closed.level) for run in closed.pruned]
    cut = "" if closed.cut is None else f"cut {number(closed.cut)}: "
    return [*words, Word(clean(f"({cut}{closed.why})"), FAINT)]


def _under_way(model: ViewModel, runs: Sequence[Run], closed: RungClosed | None) -> list[Word]:
    """Return the runs that wait at a rung, train towards it, or ended there; those that it kept or pruned are left out."""
    decided = {*closed.kept, *closed.pruned} if closed else set()
    return [
        Word(f"{style_of(shown_state(run)).symbol} {_short(model, run)}", model.mark(run.id).colour)
        for run in runs
        if run.id not in decided and (run.ending is None or run.ending.kind != "finished")
    ]


def _finished(model: ViewModel, runs: Sequence[Run]) -> list[Word]:
    return [
        Word(f"✓ {_short(model, run)}", model.mark(run.id).colour) for run in runs if run.finished
    ]


def _later(model: ViewModel, sweep: Sweep, group: GroupKey) -> Iterable[Row]:
    """Yield the LRs that joined after the first rung, the runs with more seeds, and the user's runs."""
    runs = _of(sweep, group)
    closed = next((rung for rung in sweep.rungs if rung.group == group), None)
    first = min((run.seed for run in runs), default=0)
    planned = [run for run in runs if run.origin == "strategy"]
    late = [
        run for run in planned if closed and run.seed == first and _joined_after(run, closed.at)
    ]
    seeds = [run for run in planned if run.seed != first]
    if late and not any(
        run.pilot for run in runs
    ):  # the finalists begin when their pilots are decided
        words = [
            Word(run_name(_short(model, run), run.setting.lr), model.mark(run.id).colour)
            for run in late
        ]
        yield Row("wider", (*words, Word("(the best was at the edge)", FAINT)))
    if seeds:
        yield Row(
            "seeds",
            tuple(
                Word(
                    f"{style_of(shown_state(run)).symbol} {_short(model, run)}",
                    model.mark(run.id).colour,
                )
                for run in seeds
            ),
        )
    added = [run for run in runs if run.origin == "user"]
    if added:
        yield Row(
            "yours",
            tuple(
                Word(
                    f"{style_of(shown_state(run)).symbol} {_short(model, run)}",
                    model.mark(run.id).colour,
                )
                for run in added
            ),
        )


def _other_groups(model: ViewModel, plan: Plan, group: GroupKey) -> Iterable[Row]:
    """Yield the verdict of every group if there are several, the best first."""
    groups = model.verdicts.groups
    if len(groups) < 2:
        return
    for key, found in groups.items():
        said = found.headline(plan)
        at = "" if found.value is None else f"{clean(plan.metric)} {number(found.value)}"
        colour = TEXT if key == group else FAINT
        yield Row(
            "" if key != group else "here",
            (Word(f"{clean(group_text(key))}:", colour), Word(said, colour), Word(at, FAINT)),
        )


def _reasons(model: ViewModel) -> Iterable[Row]:
    found = model.verdicts.overall
    if found is None:
        return
    for index, reason in enumerate(found.reasons):
        yield Row("why" if index == 0 else "", (Word(model.named(clean(reason.text)), FAINT),))
    if found.not_tested:
        yield Row("untested", (Word(", ".join(found.not_tested), FAINT),))


# ---------------------------------------------------------------- words


def _of(sweep: Sweep, group: GroupKey) -> list[Run]:
    return [run for run in sweep.trained() if group_of(run.setting) == group]


def _valued(model: ViewModel, sweep: Sweep, run_id: str, level: float) -> Word:
    """Return a run with the value that decided at a rung: D 0.8075."""
    mark, run = model.mark(run_id), sweep.runs.get(run_id)
    value = None
    if run is not None:
        untils = {attempt.number: attempt.until for attempt in run.attempts}
        found = [r for r in run.reached if math.isclose(untils.get(r.attempt, 0.0), level)]
        value = found[-1].value if found else None
    return Word(f"{mark.letter} {number(value)}" if value is not None else mark.letter, mark.colour)


def _short(model: ViewModel, run: Run) -> str:
    """Return a run's letter with its latest value: E 0.9575."""
    value = run.reached[-1].value if run.reached else None
    letter = model.mark(run.id).letter
    return letter if value is None else f"{letter} {number(value)}"


def _joined_after(run: Run, at: float) -> bool:
    return not run.attempts or run.attempts[0].launched_at > at


# ---------------------------------------------------------------- lines

_LABEL = 10


def wrap(row: Row, width: int) -> list[list[Word]]:
    """Return the row in lines of at most `width` cells: the label, then as many words as fit."""
    label = Word(clean(row.label)[: _LABEL - 1].ljust(_LABEL), FAINT)
    lines, left = [[label]], width - _LABEL
    for word in row.words:
        for piece in _pieces(word, max(8, width - _LABEL)):
            need = width_of(piece.text) + 2
            if need - 2 > left and len(lines[-1]) > 1:
                lines.append([Word(" " * _LABEL)])
                left = width - _LABEL
            lines[-1].append(Word(f"{piece.text}  ", piece.colour))
            left -= need
    return lines


def _pieces(word: Word, width: int) -> list[Word]:
    """Return a word that is longer than a line in pieces, broken at spaces if it has any."""
    text, pieces = word.text, []
    while width_of(text) > width:
        cut = text.rfind(" ", 0, width + 1)
        cut = cut if cut > 0 else width
        pieces.append(Word(text[:cut], word.colour))
        text = text[cut:].lstrip()
    return [*pieces, Word(text, word.colour)]
