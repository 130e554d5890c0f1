"""One line: the answer to what was just asked, else the latest trouble, else the verdict."""

from __future__ import annotations

from typing import TYPE_CHECKING

from typing_extensions import override

from lrtui.sweep import State, lr_text
from lrtui.tui.ink import FAINT, TEXT, fit, ink, line
from lrtui.tui.panels.lines import Lines
from lrtui.tui.states import BAD, OK, WARN, look

if TYPE_CHECKING:
    from textual.strip import Strip

    from lrtui.tui.scene import Scene


class Alert(Lines):
    """One row."""

    @override
    def draw(self, scene: Scene, width: int, height: int) -> list[Strip]:
        symbol, text, colour = message(scene)
        return [line(ink(f" {symbol} ", colour, bold=True), ink(fit(text, width - 4), colour))]


def message(scene: Scene) -> tuple[str, str, str]:
    """Return (symbol, text, colour) of what the user should know now."""
    snapshot = scene.snapshot
    if scene.notice.text:
        colour = BAD if scene.notice.bad else TEXT
        return ("!" if scene.notice.bad else ">", scene.notice.text, colour)
    if snapshot is None:
        return (" ", "", FAINT)
    sweep = snapshot.sweep
    if snapshot.problem:
        return ("!", snapshot.problem, BAD)
    if sweep.verdict:
        return ("✓", " ".join(verdict_words(scene)), OK)
    if sweep.brake:
        return ("!", f"no run is launched: {sweep.brake}", WARN)
    if sweep.closed is not None:
        return ("·", f"the sweep has ended: {sweep.closed.why}", FAINT)
    if scene.view_only:
        return ("·", f"view only: {scene.view_only}", WARN)
    if snapshot.journal_bad:
        return ("!", f"{snapshot.journal_bad} unreadable lines in the journal", WARN)
    return _latest(scene)


def verdict_words(scene: Scene) -> list[str]:
    """Return the verdict: the LR and its reasons."""
    verdict = scene.snapshot.sweep.verdict if scene.snapshot else None
    if verdict is None:
        return []
    head = f"use lr = {lr_text(verdict.lr)};" if verdict.lr is not None else "no answer:"
    return [head, "; ".join(verdict.why)]


def _latest(scene: Scene) -> tuple[str, str, str]:
    """Return the latest of warnings, flags and runs that ended badly."""
    if scene.snapshot is None:
        return (" ", "", FAINT)
    sweep = scene.snapshot.sweep
    found: list[tuple[float, tuple[str, str, str]]] = []
    for at, run, text in sweep.warnings[-1:]:
        name = f"{scene.mark(run).letter}: " if run else ""
        found.append((at, ("!", name + text, WARN)))
    for each in sweep.runs.values():
        name = f"{scene.mark(each.id).letter} {lr_text(each.setting.lr)}"
        if (
            each.state is State.ENDED
            and each.ending
            and each.ending.kind in ("failed", "diverged", "lost")
        ):
            face = look(each.ending.kind)
            text = f"{name} {face.word}: {each.ending.why}"
            found.append((each.ending.at, (face.symbol, text, face.colour)))
        elif each.flags:
            rule, why = each.flags[-1]
            found.append((0.0, ("!", f"{name} {rule}: {why}", WARN)))
    return max(found, default=(0.0, (" ", "", FAINT)))[1]
