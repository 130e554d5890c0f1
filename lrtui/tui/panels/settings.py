"""The settings of the run under the cursor; differences from the leader are marked."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING

from typing_extensions import override

from lrtui.frontend.state_style import WARN, style_of
from lrtui.sweep.state import State
from lrtui.text.clean import clean
from lrtui.text.format import amount_short, lr_text, plural, run_name
from lrtui.tui.panels.answer_bar import state_of
from lrtui.tui.panels.lines import Lines, rule
from lrtui.tui.styled_text import FAINT, TEXT, fit, ink, line

if TYPE_CHECKING:
    from rich.segment import Segment
    from textual.strip import Strip

    from lrtui.sweep.state import Run
    from lrtui.tui.view_model import ViewModel


class Settings(Lines):
    """A titled pane of names and values."""

    @override
    def draw(self, model: ViewModel, width: int, height: int) -> list[Strip]:
        run = model.run
        if run is None:
            return [rule("settings", width)]
        mark = model.mark(run.id)
        leader = model.pages.leader
        other = model.mark(leader).letter if leader and leader != run.id else ""
        rows = [part for row in _rows(model, run) for part in _broken(row, width)]
        top = min(model.view.scroll_of("settings"), max(0, len(rows) - 1))
        title = f"{run_name(mark.letter, run.setting.lr)} · settings"
        names = max((len(name) for name, _, _ in rows), default=0)
        body = [_row(row, min(names, _NAMES), width, other) for row in rows[top : top + height - 1]]
        note = f"≠ differs from {other}" if other else ""
        return [rule(title, width, note, mark.colour), *body]


_NAMES = 24
"""The maximum width of names, in cells."""

_OFTEN_UNSET = {"lr_to", "lr_steps", "parent", "from", "checkpoint_from", "parse"}
"""Settings that are only shown if they say something."""

Row = tuple[str, str, str]
"""(name, value, the leader's value if it differs)"""


def _rows(model: ViewModel, run: Run) -> list[Row]:
    rows: list[Row] = [("state", style_of(state_of(run)).word, "")]
    if run.state is State.WAITING:
        plan = model.snapshot.sweep.plan if model.snapshot else None
        rows.append(("at", f"{plan.unit if plan else 'rung'} {amount_short(run.until)}", ""))
    if run.why:
        rows.append(("why", run.why, ""))
    rows.extend((f"flag {rule}", why, "") for rule, why in run.flags)
    if run.attempt:
        number = f"{run.attempt.number}" + (f", pid {run.attempt.pid}" if run.attempt.pid else "")
        rows.append(("attempt", number, ""))
    pages = model.pages
    if pages.run != run.id:
        return rows
    compare = pages.leader_settings if pages.leader != run.id else {}
    for name, own in pages.settings.items():
        if name == "unit" or (name in _OFTEN_UNSET and own in {"", "none", "0", "0.0"}):
            continue
        unit = pages.settings.get("unit", "")
        value, theirs = _canonical(name, own, unit), _canonical(name, compare.get(name, ""), unit)
        if not value and not theirs:
            continue  # an own script names no optimizer
        differs = bool(compare) and theirs != value
        shown = name.removeprefix("values.")
        rows.append((shown, value, theirs or "nothing" if differs else ""))
    return rows


def _broken(row: Row, width: int) -> list[Row]:
    """Return a reason wrapped to several rows; any other row unchanged."""
    name, value, theirs = row
    if name != "why" and not name.startswith("flag "):
        return [row]
    lines = textwrap.wrap(clean(value), max(20, width - _NAMES - 5)) or [""]
    return [(name if index == 0 else "", text, theirs) for index, text in enumerate(lines)]


def _canonical(name: str, value: str, unit: str) -> str:
    """Return an LR in the usual notation, the horizon with its unit; other values unchanged."""
    try:
        if name == "horizon" and unit:
            return f"{amount_short(float(value))} {plural(clean(unit, 20))}"
        return lr_text(float(value)) if name in {"lr", "lr_to"} else value
    except (ValueError, OverflowError):
        return value


def _row(row: Row, names: int, width: int, other: str) -> Strip:
    name, value, theirs = row
    mark = "≠" if theirs else " "
    room = max(4, width - names - 5)
    segments: list[Segment] = [
        ink(f" {mark} ", WARN),
        ink(fit(name, names), FAINT),
        ink(" "),
    ]
    if theirs:
        half = room * 2 // 3
        shown = value if len(value) <= half else fit(value, half)
        segments += [ink(shown, WARN), ink(fit(f"  ({other}: {theirs})", room - len(shown)), FAINT)]
    else:
        segments.append(ink(fit(value, room), TEXT))
    return line(*segments)
