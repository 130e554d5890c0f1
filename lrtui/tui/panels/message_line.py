"""The message line: the result of the last key, else the latest problem, else the latest event."""

from __future__ import annotations

from typing import TYPE_CHECKING

from typing_extensions import override

from lrtui.frontend.state_style import BAD, WARN, style_of
from lrtui.sweep.state import State
from lrtui.text.format import amount_short, clock_time, lr_rounded, run_name
from lrtui.tui.panels.lines import Lines
from lrtui.tui.styled_text import FAINT, TEXT, fit, ink, line

if TYPE_CHECKING:
    from textual.strip import Strip

    from lrtui.frontend.snapshot import Snapshot
    from lrtui.sweep.state import Sweep
    from lrtui.tui.view_model import ViewModel


class MessageLine(Lines):
    """One row."""

    @override
    def draw(self, model: ViewModel, width: int, height: int) -> list[Strip]:
        symbol, text, colour = message(model)
        return [line(ink(f" {symbol} ", colour, bold=True), ink(fit(text, width - 4), colour))]


def message(model: ViewModel) -> tuple[str, str, str]:
    """Return (symbol, text, colour) of the most important message."""
    snapshot = model.snapshot
    if model.notice.text:
        colour = BAD if model.notice.bad else TEXT
        return ("!" if model.notice.bad else ">", model.named(model.notice.text), colour)
    if snapshot is None:
        return (" ", "", FAINT)
    sweep = snapshot.sweep
    if snapshot.problem:
        return ("!", snapshot.problem, BAD)
    if snapshot.supervisor == "silent" and sweep.closed is None and not snapshot.view_only:
        return ("!", _silence(snapshot), BAD)
    if sweep.brake and sweep.closed is None:
        return ("!", f"launching is paused: {sweep.brake}", WARN)
    if snapshot.view_only:
        return ("·", f"view only: {snapshot.view_only}", WARN)
    if snapshot.journal_bad:
        return ("!", f"{snapshot.journal_bad} unreadable lines in the journal", WARN)
    return _latest(model)


def _silence(snapshot: Snapshot) -> str:
    since = clock_time(snapshot.heard_at)
    return f"no supervisor since {since}: runs continue, none starts; lrtui doctor {snapshot.directory} says why"


def _steps(model: ViewModel, sweep: Sweep) -> list[tuple[float, tuple[str, str, str]]]:
    """Return the last steps of the search."""
    steps: list[tuple[float, str]] = [
        (tested.at, f"range test: {tested.why or f'valley {lr_rounded(tested.valley)}'}")
        for tested in list(sweep.ranges.values())[-1:]
        if tested.why or tested.valley is not None
    ]
    unit = sweep.plan.unit if sweep.plan else "rung"
    for rung in sweep.rungs[-1:]:
        letters = " ".join(model.mark(run).letter for run in rung.kept)
        steps.append(
            (rung.at, f"{unit} {amount_short(rung.level)}: {letters} continue ({rung.why})")
        )
    return [(at, ("·", text, TEXT)) for at, text in steps]


def _latest(model: ViewModel) -> tuple[str, str, str]:
    """Return the latest of warnings, flags, failed runs, and steps of the search."""
    if model.snapshot is None:
        return (" ", "", FAINT)
    sweep = model.snapshot.sweep
    found: list[tuple[float, tuple[str, str, str]]] = []
    for warned in sweep.warnings[-1:]:
        name = f"{model.mark(warned.run).letter}: " if warned.run else ""
        found.append((warned.at, ("!", name + warned.text, WARN)))
    if sweep.closed is not None:
        return found[0][1] if found else (" ", "", FAINT)
    found += _steps(model, sweep)
    for each in sweep.runs.values():
        name = run_name(model.mark(each.id).letter, each.setting.lr)
        if (
            each.state is State.ENDED
            and each.ending
            and each.ending.kind in ("failed", "diverged", "lost")
        ):
            face = style_of(each.ending.kind)
            text = f"{name} {face.word}: {each.ending.why}"
            found.append((each.ending.at, (face.symbol, text, face.colour)))
        elif each.flags:
            rule, why = each.flags[-1]
            found.append((0.0, ("!", f"{name} {rule}: {why}", WARN)))
    return max(found, default=(0.0, (" ", "", FAINT)))[1]
