"""The columns of the leaderboard: their content and width, and which are dropped on a narrow screen.

A setting has a column only if it varies, and a number appears in one column only: `now` and `best` are empty where they would repeat
the value that ranks. To add a column: one line in `_columns`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING

from msgspec import Struct
from msgspec.structs import replace

from lrtui.frontend.explain import awaited
from lrtui.frontend.state_style import style_of
from lrtui.sweep.state import group_of, is_named, level_text
from lrtui.text.clean import clean
from lrtui.text.format import amount_short, finish_time, lr_text, number, speed
from lrtui.tui.styled_text import FAINT, TEXT, width_of

if TYPE_CHECKING:
    from lrtui.analysis.ranking import Standing
    from lrtui.sweep.events import Plan, Scalar
    from lrtui.tui.view_model import ViewModel

Text = tuple[str, str]
"""(text, colour)"""
_LIVE = frozenset({"running", "starting", "stopping", "pausing", "frozen", "paused", "waiting"})
_WHY, _WIDE_WHY = 12, 44
"""The least width of the reason, and the width for which luxuries give way."""
_LUXURY = 6
"""From this rank on a column gives way to a long reason."""
_WIDEST_SETTING = 18
_WIDEST_NAME = 24


class Row(Struct, frozen=True):
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

    @property
    def recommended(self) -> bool:
        """Whether the verdict names this setting, in a study that of its level."""
        plan, group = _plan(self.model), group_of(self.standing.setting)
        found = self.model.verdicts.overall
        if plan is not None and plan.study:
            found = self.model.verdicts.groups.get(group)
        return found is not None and is_named(
            found.lr, found.group, found.axes, self.standing.setting
        )


class Column(Struct, frozen=True):
    """One column; those with the highest `rank` are dropped first, those of rank 0 never."""

    title: str
    cell: Callable[[Row], Text]
    width: int
    rank: int = 0
    right: bool = False
    grows: bool = False


def columns_for(model: ViewModel, rows: Sequence[Standing], width: int) -> list[Column]:
    """Return the columns that fit, without the least important."""
    chosen = list(_columns(model, rows))
    while _total(chosen) > width:
        least = max(chosen, key=lambda c: c.rank)
        wide = next((c for c in chosen if c.grows and c.width > _WHY), None)
        if wide is not None and least.rank < _LUXURY:
            chosen[chosen.index(wide)] = replace(wide, width=_WHY)
        elif least.rank:
            chosen.remove(least)
        else:
            break
    return chosen


def spread(columns: Sequence[Column], width: int) -> list[int]:
    """Return the width of each column; the remaining width goes to the column that grows."""
    spare = max(0, width - _total(columns))
    return [c.width + (spare if c.grows else 0) for c in columns]


def _total(columns: Sequence[Column]) -> int:
    return sum(c.width for c in columns) + 2 * (len(columns) - 1) + 2


def _columns(model: ViewModel, rows: Sequence[Standing]) -> Iterator[Column]:
    """Yield every column that has something to say about the rows."""
    plan = _plan(model)
    unit, metric = (plan.unit, clean(plan.metric)) if plan else ("epoch", "value")
    horizon = len(amount_short(rows[0].horizon)) if rows else 0
    live = any(s.state in _LIVE and s.horizon for s in rows)
    yield Column("#", lambda r: (str(r.standing.rank), FAINT), 2, right=True)
    yield Column("run", _mark, 5)
    if any(s.lr for s in rows):
        yield Column("lr", _lr, 8)
    for place, (name, texts) in enumerate(_varying(plan, rows).items()):
        size = max(width_of(clean(each)) for each in (name, *texts))
        if model.is_watched and name == "name":
            size = min(_WIDEST_NAME, size)
            yield Column(name, _path(size), size)
            continue
        size = min(_WIDEST_SETTING, size)
        yield Column(name, _setting(name), size, 3 if place > 1 else 0)
    yield Column("state", _state, 8, 1)
    length = min(11, 2 * horizon + 4) if any(s.horizon for s in rows) else 7
    yield Column(unit, _level, max(len(unit), length), 2, right=True)
    yield Column(metric, _value, max(8, min(12, width_of(metric))), right=True)
    if any(s.seeds > 1 for s in rows):
        yield Column("± se (n)", _error, 13, 5)
    if any(_lies_elsewhere(s) for s in rows):
        yield Column(f"@{unit}", _at, 6, 3)
    if live or any(_now(s) for s in rows):
        yield Column("now", lambda r: (_now(r.standing), FAINT), 8, 6, right=True)
    if live or any(_best(s) for s in rows):
        yield Column("best@", lambda r: (_best(r.standing), FAINT), 12, 8, right=True)
    if metric != "val_loss" and any(s.val_loss not in {None, s.value} for s in rows):
        yield Column("val_loss", lambda r: (number(r.standing.val_loss, ""), FAINT), 8, 9, right=True)  # fmt: skip
    if live:
        yield Column("speed", _rate, 8, 10, right=True)
        yield Column("ETA", _eta, 5, 5, right=True)
    if live or any(s.value is not None for s in rows):
        yield Column(
            "trend", lambda r: (r.trend(r.model, r.run), r.model.mark(r.run).colour), 12, 7
        )
    reasons = [width_of(_why(Row(model, s, lambda *_: ""))[0]) for s in rows]
    yield Column("why", _why, max(_WHY, min(_WIDE_WHY, max(reasons, default=0))), 4, grows=True)


def _plan(model: ViewModel) -> Plan | None:
    return model.snapshot.sweep.plan if model.snapshot else None


def _unit(model: ViewModel) -> str:
    plan = _plan(model)
    return plan.unit if plan else "epoch"


# ---------------------------------------------------------------- settings


def _varying(plan: Plan | None, rows: Sequence[Standing]) -> dict[str, set[str]]:
    """Return the settings besides the LR that are not the same in all rows, each with its values."""
    names = dict.fromkeys(
        name for s in rows for name in ("optimizer", "schedule", *s.setting.named)
    )
    found = {name: {_setting_text(plan, s, name) for s in rows} for name in names}
    return {name: texts for name, texts in found.items() if len(texts) > 1}


def _setting(name: str) -> Callable[[Row], Text]:
    return lambda row: (_setting_text(_plan(row.model), row.standing, name), FAINT)


def _path(size: int) -> Callable[[Row], Text]:
    """Return the cell of a run's path, of which the end says most."""

    def cell(row: Row) -> Text:
        path = clean(str(row.standing.setting.values.get("name", "")))
        return path if len(path) <= size else f"…{path[1 - size :]}", FAINT

    return cell


def _setting_text(plan: Plan | None, standing: Standing, name: str) -> str:
    """Return a setting's value; a level of a study that is the experiment's own is not in the setting itself."""
    own: dict[str, Scalar] = dict(plan.study) if plan else {}
    setting = standing.setting
    level = {"optimizer": setting.optimizer, "schedule": setting.schedule, **own, **setting.named}
    level |= {"optimizer": setting.optimizer} if setting.optimizer else {}
    text = "optimizer" if name == "schedule" else name  # a schedule has the form of an optimizer
    return level_text(text, level[name]) if name in level else ""


# ---------------------------------------------------------------- cells


def _mark(row: Row) -> Text:
    mark = row.model.mark(row.run)
    pinned = "^" if row.model.view.pinned == row.run else ""
    symbol = "-" if row.hidden else style_of(row.standing.state).symbol
    return f"{mark.letter}{pinned} {symbol}", mark.colour


def _lr(row: Row) -> Text:
    return lr_text(row.standing.lr) if row.standing.lr else "", row.model.mark(row.run).colour


def _state(row: Row) -> Text:
    face, rung = style_of(row.standing.state), _rung(row)
    return f"wait@{rung}" if rung else face.short, face.colour


def _rung(row: Row) -> str:
    """Return the rung at which a run waits; "" for any other run."""
    runs = row.model.snapshot.sweep.runs if row.model.snapshot else {}
    waits = row.standing.state == "waiting" and row.run in runs
    return amount_short(runs[row.run].until) if waits else ""


def _level(row: Row) -> Text:
    level, horizon = amount_short(row.standing.level), row.standing.horizon
    return f"{level}/{amount_short(horizon)}" if horizon else level, TEXT


def _value(row: Row) -> Text:
    return number(row.standing.value, ""), TEXT


def _error(row: Row) -> Text:
    s = row.standing
    if s.seeds > 1:
        return f"± {number(s.se)} ({s.seeds})" if s.se is not None else f"{s.seeds} seeds", TEXT
    return "1 seed" if s.value is not None else "", FAINT


def _at(row: Row) -> Text:
    s = row.standing
    return f"@{amount_short(s.value_at)}" if s.value_at is not None and _lies_elsewhere(
        s
    ) else "", FAINT


def _lies_elsewhere(s: Standing) -> bool:
    """Return whether a run is ranked by its value at another length than it has come to."""
    return s.value_at is not None and not math.isclose(s.value_at, s.level, rel_tol=1e-3)


def _now(s: Standing) -> str:
    """Return the latest value; "" if it is the one that ranks."""
    value, latest = number(s.value, ""), number(s.latest, "")  # as text: nan is not equal to nan
    return "" if latest == value and s.seeds < 2 else latest


def _best(s: Standing) -> str:
    """Return the best value and its place; "" if another column shows it."""
    if s.best is None or s.best in {s.value, s.latest}:
        return ""
    return number(s.best) + (f"@{amount_short(s.best_at)}" if s.best_at is not None else "")


def _rate(row: Row) -> Text:
    rate = row.standing.rate
    if not rate or row.standing.state not in ("running", "starting"):
        return "", FAINT
    return speed(rate, _unit(row.model)[:2]), FAINT


def _eta(row: Row) -> Text:
    snapshot = row.model.snapshot
    return finish_time(row.standing.eta, snapshot.read_at if snapshot else 0.0), TEXT


def _why(row: Row) -> Text:
    rung = _rung(row)
    if not rung or row.model.snapshot is None:
        return row.standing.why, FAINT
    sweep = row.model.snapshot.sweep
    run = sweep.runs[row.run]
    late = [row.model.mark(other.id).letter for other in awaited(sweep, run)]
    others = f"for {' '.join(late)}" if late else "for the decision"
    return f"waits at {_unit(row.model)} {rung} {others}", FAINT
