"""The columns of the leaderboard: their content, width, and which are dropped on a narrow screen.

To add a column: one line in the table.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from lrtui.frontend.explain import awaited
from lrtui.frontend.state_style import style_of
from lrtui.sweep.state import group_of, group_words
from lrtui.text.format import amount_short, finish_time, lr_text, number, speed
from lrtui.tui.styled_text import FAINT, TEXT

if TYPE_CHECKING:
    from lrtui.analysis.ranking import Standing
    from lrtui.tui.view_model import ViewModel

Text = tuple[str, str]
"""(text, colour)"""


@dataclass(frozen=True, slots=True)
class Row:
    """One standing with the data for its cells."""

    model: ViewModel
    standing: Standing
    trend: Callable[[ViewModel, str], str]

    @property
    def run(self) -> str:
        """The run that the row shows."""
        return self.standing.runs[0]

    @property
    def hidden(self) -> bool:
        """Whether the run's curve is hidden."""
        return self.run in self.model.view.hidden


@dataclass(frozen=True, slots=True)
class Column:
    """One column; those with the highest `rank` are dropped first."""

    title: Callable[[ViewModel], str]
    cell: Callable[[Row], Text]
    width: int
    rank: int
    right: bool = False
    wants: Callable[[Sequence[Standing]], bool] = lambda _: True
    """Whether any row has a value for the column."""
    grows: bool = False


def _name(name: str) -> Callable[[ViewModel], str]:
    return lambda _: name


def _metric(model: ViewModel) -> str:
    plan = model.snapshot.sweep.plan if model.snapshot else None
    return f"{plan.metric if plan else 'value'}@{plan.unit[:2] if plan else ''}"


def _unit(model: ViewModel) -> str:
    plan = model.snapshot.sweep.plan if model.snapshot else None
    return plan.unit if plan else "epoch"


def _mark(row: Row) -> Text:
    mark = row.model.mark(row.run)
    pinned = "^" if row.model.view.pinned == row.run else ""
    symbol = "-" if row.hidden else style_of(row.standing.state).symbol
    return f"{mark.letter}{pinned} {symbol}", mark.colour


def _lr(row: Row) -> Text:
    return lr_text(row.standing.lr), row.model.mark(row.run).colour


def _state(row: Row) -> Text:
    face, rung = style_of(row.standing.state), _rung(row)
    return f"waits @{rung}" if rung else face.word, face.colour


def _state_short(row: Row) -> Text:
    face, rung = style_of(row.standing.state), _rung(row)
    return f"wait@{rung}" if rung else face.short, face.colour


def _rung(row: Row) -> str:
    """Return the rung at which a run waits; "" for any other run."""
    runs = row.model.snapshot.sweep.runs if row.model.snapshot else {}
    waits = row.standing.state == "waiting" and row.run in runs
    return amount_short(runs[row.run].until) if waits else ""


def _level(row: Row) -> Text:
    return f"{amount_short(row.standing.level)}/{amount_short(row.standing.horizon)}", TEXT


def _value(row: Row) -> Text:
    s = row.standing
    if s.value is None:
        return "", TEXT
    at = f"@{amount_short(s.value_at)}" if s.value_at is not None else ""
    return number(s.value, "") + at, TEXT


def _best(row: Row) -> Text:
    s = row.standing
    if s.best is None:
        return "", FAINT
    return number(s.best, "") + (
        f"@{amount_short(s.best_at)}" if s.best_at is not None else ""
    ), FAINT


def _mean(row: Row) -> Text:
    s = row.standing
    if s.mean is None or s.seeds < 2:
        return ("1 seed", FAINT) if s.value is not None else ("", FAINT)
    return f"{number(s.mean)} ± {number(s.se)} ({s.seeds})", TEXT


def _rate(row: Row) -> Text:
    rate = row.standing.rate
    if not rate or row.standing.state not in ("running", "starting"):
        return "", FAINT
    return speed(rate, _unit(row.model)[:2]), FAINT


def _eta(row: Row) -> Text:
    snapshot = row.model.snapshot
    return finish_time(row.standing.eta, snapshot.read_at if snapshot else 0.0), TEXT


def _setting(row: Row) -> Text:
    return " ".join(group_words(group_of(row.standing.setting))), FAINT


def _settings_differ(rows: Sequence[Standing]) -> bool:
    return len({group_of(row.setting) for row in rows}) > 1


def _why(row: Row) -> Text:
    rung = _rung(row)
    if not rung or row.model.snapshot is None:
        return row.standing.why, FAINT
    sweep = row.model.snapshot.sweep
    run = sweep.runs[row.run]
    late = [row.model.mark(other.id).letter for other in awaited(sweep, run)]
    others = f"for {' '.join(late)}" if late else "for the decision"
    return f"waits at {_unit(row.model)} {rung} {others}", FAINT


def _reasons_are_long(rows: Sequence[Standing]) -> bool:
    return any(len(s.why) > 20 for s in rows)


_WIDE = (
    Column(_name("#"), lambda r: (str(r.standing.rank), FAINT), 2, 0, right=True),
    Column(_name("run"), _mark, 5, 0),
    Column(_name("lr"), _lr, 8, 0),
    Column(_name("setting"), _setting, 18, 4, wants=_settings_differ),
    Column(_name("state"), _state, 15, 0),
    Column(_unit, _level, 10, 0, right=True),
    Column(_metric, _value, 12, 0, right=True),
    Column(_name("now"), lambda r: (number(r.standing.latest, ""), FAINT), 8, 3, right=True),
    Column(_name("best@"), _best, 12, 5, right=True),
    Column(
        _name("mean ± se (n)"),
        _mean,
        20,
        2,
        right=True,
        wants=lambda rows: any(s.seeds > 1 for s in rows),
    ),
    Column(_name("val_loss"), lambda r: (number(r.standing.val_loss, ""), FAINT), 8, 6, right=True),
    Column(_name("speed"), _rate, 8, 8, right=True),
    Column(_name("ETA"), _eta, 6, 1, right=True),
    Column(_name("trend"), lambda r: (r.trend(r.model, r.run), r.model.mark(r.run).colour), 12, 7),
    Column(_name("why"), _why, 30, 1, wants=_reasons_are_long, grows=True),
    Column(_name("why"), _why, 12, 1, wants=lambda rows: not _reasons_are_long(rows), grows=True),
)
_NARROW = (
    Column(_name("#"), lambda r: (str(r.standing.rank), FAINT), 2, 0, right=True),
    Column(_name("run"), _mark, 4, 0),
    Column(_name("lr"), _lr, 8, 0),
    Column(_name("state"), _state_short, 8, 0),
    Column(_unit, _level, 9, 0, right=True),
    Column(_metric, _value, 10, 0, right=True),
    Column(_name("now"), lambda r: (number(r.standing.latest, ""), FAINT), 7, 3, right=True),
    Column(_name("ETA"), _eta, 5, 2, right=True),
    Column(_name("why"), _why, 14, 1, grows=True),
)


def columns_for(rows: Sequence[Standing], width: int) -> list[Column]:
    """Return the columns that fit, without the least important."""
    chosen = [c for c in (_WIDE if width >= 110 else _NARROW) if c.wants(rows)]
    while len(chosen) > 5 and _total(chosen) > width:
        chosen.remove(max(chosen, key=lambda c: c.rank))
    return chosen


def spread(columns: Sequence[Column], width: int) -> list[int]:
    """Return the width of each column; the remaining width goes to the column that grows."""
    spare = max(0, width - _total(columns))
    return [c.width + (spare if c.grows else 0) for c in columns]


def _total(columns: Sequence[Column]) -> int:
    return sum(c.width for c in columns) + 2 * (len(columns) - 1) + 2
