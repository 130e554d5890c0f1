"""What the supervisor remembers of a run's measurements: only what a decision needs, so that memory stays flat."""

from __future__ import annotations

import math
from collections import deque
from pathlib import Path

from lrtui import health
from lrtui.events import Plan
from lrtui.metrics import MetricLog

_BUDGET = 1 << 20
"""Bytes read from one run per tick: a flood of output does not starve the others."""


class Progress:
    """The measurements of one attempt, boiled down."""

    def __init__(self, root: Path, plan: Plan) -> None:
        self._log = MetricLog(root, plan.unit, plan.parse)
        self._plan = plan
        self._losses: deque[float] = deque(maxlen=health.NAN_IN_A_ROW)
        self.level = 0.0
        """The furthest level seen, in the plan's unit."""
        self.first_level: float | None = None
        self.lines = 0
        self._values: deque[tuple[float, float]] = deque(maxlen=_kept(plan))
        """(level, value) of the latest evaluations of the objective."""
        self._best: tuple[float, float] | None = None
        self._val_loss: float | None = None
        self.more = False
        """Whether there was more to read."""

    def read(self) -> None:
        """Take in what the attempt has written since the last call."""
        for measured in self._log.poll(_BUDGET):
            self.lines += 1
            self.level = max(self.level, measured.level)
            if self.first_level is None:
                self.first_level = measured.level
            values = measured.values
            if self._plan.loss in values:
                self._losses.append(values[self._plan.loss])
            if self._plan.metric in values:
                self._take(measured.level, values[self._plan.metric])
            if math.isfinite(values.get("val_loss", math.nan)):
                self._val_loss = values["val_loss"]
        self.more = self._log.more

    def read_all(self) -> None:
        """Take in everything that is left; the worker has ended."""
        self.read()
        while self.more:
            self.read()

    def reached(self) -> tuple[float, float | None, float | None] | None:
        """Return (level, value, val_loss) by the plan's value rule; None where nothing was evaluated."""
        if not self._values:
            return None
        level, value = self._values[-1]
        if self._plan.value == "best" and self._best is not None:
            level, value = self._best
        elif self._plan.value.startswith("mean"):
            value = sum(v for _, v in self._values) / len(self._values)
        return level, value if math.isfinite(value) else None, self._val_loss

    def nan(self) -> str | None:
        """Return why the run has diverged, None while it has not."""
        return health.nan(tuple(self._losses), self._plan.loss)

    def _take(self, level: float, value: float) -> None:
        self._values.append((level, value))
        if not math.isfinite(value):
            return
        sign = 1.0 if self._plan.goal == "max" else -1.0
        if self._best is None or sign * value > sign * self._best[1]:
            self._best = (level, value)


def _kept(plan: Plan) -> int:
    words = plan.value.split()
    return int(words[1]) if len(words) == 2 and words[0] == "mean" and words[1].isdigit() else 1
