"""Turns the rows of a file into measurements: finds the columns of step and time, and the length of each row."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping

from lrtui.metrics.capture.positions import NAMES
from lrtui.metrics.deciding import goal_of
from lrtui.metrics.line import Measurement
from lrtui.metrics.sources import Row
from lrtui.sweep.events import Unit
from lrtui.text.clean import clean

_TIMES = ("_runtime", "time", "elapsed", "elapsed_time", "time/total", "wall_time", "_timestamp", "timestamp")  # fmt: skip
_CLOCK = 1e8
"""Seconds above this are a clock's, not a duration."""
_MOST_NAMES = 4096
"""The maximum number of names of a run, each of which is remembered."""
_LONGEST_NAME = 128
_UNITS: tuple[Unit, ...] = ("step", "epoch", "tokens")
_ROLES = {name: unit for unit in _UNITS for name in NAMES[unit]} | dict.fromkeys(_TIMES, "time")


def is_log_row(values: Mapping[str, float]) -> bool:
    """Return whether the names of a row are those of a training's log, not of a table of data: a position or a known kind of metric is among them."""
    return any(_ROLES.get(name.lower().strip()) in _UNITS or goal_of(name) for name in values)


class Placing:
    """Turns the rows of one run into measurements; its files share the unit and the beginning of time."""

    def __init__(self) -> None:
        self.unit: Unit | None = None
        """The unit of the run's length, known from its first row on."""
        self._began: float | None = None
        self._counts = False
        """Whether the rows have no position, so that a row is a step."""
        self._roles: dict[str, tuple[str, str]] = {}
        """By prefix and name: its axis ("" for a metric) and the name to show."""

    def place(self, rows: Iterable[Row], prefix: str, at: float) -> list[Measurement]:
        """Return the rows as measurements; `at` is the length of the last row of their file, for rows without a position."""
        placed = []
        for row in rows:
            measured = self._place(row.values, prefix, at)
            if measured is not None:
                at = measured.level
                placed.append(measured)
        return placed

    def _place(self, row: Mapping[str, float], prefix: str, at: float) -> Measurement | None:
        axes: dict[str, float] = {}
        values: dict[str, float] = {}
        for name, value in row.items():
            known = self._roles.get(prefix + name)
            if known is None:
                if len(self._roles) >= _MOST_NAMES:
                    continue
                known = _ROLES.get(name.lower().strip(), ""), clean(prefix + name, _LONGEST_NAME)
                self._roles[prefix + name] = known
            role, shown = known
            if role and role not in axes:
                axes[role] = value
            elif not role:
                values[shown] = value
        if self.unit is None:
            self.unit = next((unit for unit in _UNITS if unit in axes), "step")
            self._counts = self.unit not in axes
        level = axes[self.unit] if self.unit in axes else at + self._counts
        if not values or not math.isfinite(level) or level < 0:
            return None
        return Measurement(
            level, axes.get("step"), axes.get("epoch"), axes.get("tokens"), self._time(axes), values
        )

    def _time(self, axes: Mapping[str, float]) -> float | None:
        """Return the seconds since the run began."""
        seconds = axes.get("time")
        if seconds is None or not math.isfinite(seconds):
            return None
        if self._began is None:
            self._began = seconds if seconds > _CLOCK else 0.0
        return max(0.0, seconds - self._began)
