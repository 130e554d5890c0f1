"""What the supervisor keeps of a run's measurements: only what decisions need, so that memory stays constant."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import msgspec

from lrtui.analysis.averages import mean
from lrtui.analysis.chance import Chance
from lrtui.analysis.health import Signs
from lrtui.analysis.value_rule import RunValue, curve_of, run_value
from lrtui.metrics import Measurement, MetricLog, Reading, RunSeries
from lrtui.metrics.capture import likely, missing
from lrtui.sweep.events import Plan
from lrtui.sweep.state import Attempt, Run
from lrtui.text.format import amount_about

_MOST_POINTS = 10_000
"""Points kept of a range test's curve."""
_BUDGET = 1 << 20
"""Bytes read from one run per tick: a flood of output does not starve the others."""

_MOST_LOSSES = 200
"""Number of single-batch losses that are averaged if nothing else can be compared."""
_EPOCHS, _EARLY = 2, 0.1
"""A metric counts as missing after two epochs (or steps) and a tenth of the horizon."""
_SEVERAL = 3
"""Number of near misses of one kind that is no longer a coincidence."""


@dataclass(frozen=True, slots=True)
class Standing:
    """How far an attempt came that has measured the deciding metric, in the plan's unit."""

    level: float
    complete: float
    evaluated_at: float


class Progress:
    """The summarised measurements of one attempt."""

    def __init__(
        self, root: Path, plan: Plan, run: Run, attempt: Attempt, chance: Chance | None
    ) -> None:
        self._log = MetricLog(root, Reading.of(plan, range_test=run.is_range_test), attempt.until)
        self._plan = plan
        self.signs = Signs(plan, chance)
        self.level = 0.0
        """The furthest level seen, in the plan's unit."""
        self.first_level: float | None = None
        self.lines = 0
        self._evaluations = RunSeries()
        """Objective and val_loss, merged with those of the attempts that this one continues, as the leaderboard merges them."""
        self._evaluated_at = -math.inf
        """The level of the attempt's latest evaluation up to the rung."""
        self._losses: deque[float] = deque(maxlen=_MOST_LOSSES)
        """The latest ones up to the rung."""
        self._number = attempt.number
        self.horizon = plan.horizon
        until = attempt.until
        self._upto = until * (1 + 1e-9) if until < plan.horizon else math.inf
        """Evaluations beyond the rung do not count: a script without {until} overshoots it."""
        self._resumed_at = _resumed_at(run, attempt)
        self._until = until
        self._before: Standing | None = None
        """How far the attempts came that this one continues from, if they measured the deciding metric."""
        self._stands_at = 0.0
        """The level that counts as this attempt's, though it has measured nothing; see stand_on_earlier."""
        self._curve: list[tuple[float | None, float]] | None = [] if run.is_range_test else None
        self.last_time = 0.0
        """Seconds since the attempt began, at its last line."""
        self.more = False
        """Whether there was more to read."""

    def read(self) -> bool:
        """Read what the attempt has written since the last call; return whether there was anything."""
        before = self.lines
        evaluations: list[Measurement] = []
        for measured in self._log.poll(_BUDGET):
            self.lines += 1
            values = measured.values
            counts = self._plan.loss in values or self._plan.metric in values
            if counts and not self._losses and self._evaluated_at == -math.inf:
                self.level = min(self.level, measured.level)  # what came before was a setting
            self.level = max(self.level, measured.level)
            if self.first_level is None:
                self.first_level = measured.level
            self.last_time = max(self.last_time, measured.time or 0.0)
            if self._plan.loss in values:
                self._draw(values)
                if measured.level <= self._upto:
                    self._losses.append(values[self._plan.loss])
            self.signs.take(measured.level, values)
            found = {
                name: values[name] for name in (self._plan.metric, "val_loss") if name in values
            }
            if (
                found or self.lines == 1
            ):  # the first line says from which level on earlier ones are hidden
                evaluations.append(msgspec.structs.replace(measured, values=found))
            if measured.level <= self._upto and self._plan.metric in values:
                self._evaluated_at = measured.level
        self._evaluations.extend(self._number, evaluations)
        self.more = self._log.more
        return self.lines > before

    @property
    def complete(self) -> float:
        """How far training is known to have come: the start of an epoch that is printed many times is not its end."""
        return max(self._log.capture.complete, self._stands_at)

    @property
    def comparable(self) -> float:
        """The length at which the run can be compared with others: 0 while it has printed neither the deciding metric nor a loss.

        At the length that it has just reached, its evaluation may still be missing.
        """
        if self._evaluated_at == -math.inf and not self._losses:
            return 0.0
        if self._evaluated_at < self.complete == self.level:
            return math.nextafter(self.complete, 0.0)
        return self.complete

    @property
    def lacks_metric(self) -> bool:
        """Whether the attempt has no record with the deciding metric, neither a number nor nan."""
        measured = self._evaluated_at > -math.inf
        return not measured and self._plan.metric not in self._log.capture.names

    @property
    def silent(self) -> bool:
        """Whether a script that stops at {until} has printed no number at all."""
        return self._plan.stops_at_until and not self.lines and not self.misses

    @property
    def misses(self) -> list[str]:
        """The most frequent near misses: lines that looked like a measurement and were not read."""
        return self._log.capture.misses.told()[:2]

    @property
    def misread(self) -> str | None:
        """Return a warning that the output contains something like a measurement that was not read; None if there is none."""
        capture = self._log.capture
        patience = max(_EPOCHS, _EARLY * self.horizon)  # the first evaluation may still be missing
        late = self.complete - self.begun_at >= patience
        if late and self.lacks_metric and likely(self._plan.metric, capture.names):
            return self.unread()
        if not self.lines:  # a script may print settings before its first measurement
            return None
        told = any(miss.said and miss.times >= _SEVERAL for miss in capture.misses.state())
        return "; ".join(self.misses) if told else None

    def unread(self) -> str:
        """Return in words why the deciding metric has no value, with what was read and what was skipped."""
        capture = self._log.capture
        said = missing(self._plan.metric, capture.names)
        return "; ".join([said, *self.misses])

    def go_on_from(self, earlier: Progress) -> None:
        """Take over the measurements of an earlier attempt from whose checkpoint this one continues."""
        earlier.read_all()
        self._log.capture.go_on_from(earlier._log.capture)
        self.signs = earlier.signs
        self._evaluations = earlier._evaluations
        self._before = earlier._standing

    @property
    def _standing(self) -> Standing | None:
        if not self.lines:
            return self._before
        if self._evaluated_at == -math.inf:
            return None
        return Standing(self.level, self.complete, self._evaluated_at)

    @property
    def came_to_its_end_before(self) -> bool:
        """Whether this attempt measured nothing, and those that it continued from reached its length."""
        before = self._before
        return not self.lines and before is not None and before.complete >= self._until * (1 - 1e-9)

    def stand_on_earlier(self) -> bool:
        """Count as far as the earlier attempts came, if this one measured nothing: its checkpoint may have held all of it.

        Return whether it counts so. An attempt that was given up trains on where its node lives.
        """
        if self.lines or self._before is None:
            return False
        self.level, self._stands_at = self._before.level, self._before.complete
        self._evaluated_at = self._before.evaluated_at
        return True

    def read_all(self) -> None:
        """Read everything that is left; the worker has ended."""
        self.read()
        while self.more:
            self.read()

    def reached(self) -> RunValue | None:
        """Return the run's value by the plan's value rule; None if the attempt evaluated nothing up to its rung."""
        return (
            run_value(self._plan, self._evaluations, self._upto)
            if self._evaluated_at > -math.inf
            else None
        )

    def curve(self) -> tuple[tuple[float, float], ...]:
        """Return (level, value) at some evaluations up to the rung."""
        rungs = tuple({rung for _, rungs in self._plan.rungs for rung in rungs})
        return curve_of(self._plan, self._evaluations, self._upto, rungs)

    @property
    def loss(self) -> float | None:
        """The latest training loss up to the rung, over a tenth of the lines; None if there was none."""
        if not self._losses:
            return None
        return mean(list(self._losses)[-max(1, self.lines // 10) :])

    def goes_to_the_end(self) -> None:
        """Count the evaluations beyond the rung: the script trained to the full length before it could be stopped."""
        self._upto = math.inf

    @property
    def spent(self) -> float:
        """What the attempt has cost so far, in the plan's unit: a run that continues is charged from where it continues."""
        return max(0.0, self.level - self.begun_at)

    @property
    def begun_at(self) -> float:
        """The level from which the attempt continued; 0 if it started from scratch, whatever was requested."""
        first = self._resumed_at if self.first_level is None else self.first_level
        return min(first, self._resumed_at) if first > 0.5 * self._resumed_at else 0.0

    @property
    def began_below(self) -> str | None:
        """Return a warning if the attempt should have continued from a checkpoint, and did not."""
        if self.first_level is None or self.begun_at > 0 or self._resumed_at == 0:
            return None
        unit = self._plan.unit
        return f"should have continued from {unit} {amount_about(self._resumed_at)} but began at {unit} {amount_about(self.first_level)}; charged in full"

    def range_curve(self, run: Run) -> tuple[list[float], list[float]]:
        """Return LRs and losses of a range test; for a script that prints no lr, the LR is assumed to rise evenly on a log scale."""
        points = self._curve or []
        rise = math.log(run.lr_to / run.setting.lr) / max(1, run.lr_steps - 1)
        lrs = [
            run.setting.lr * math.exp(rise * i) if lr is None else lr
            for i, (lr, _) in enumerate(points)
        ]
        return lrs, [loss for _, loss in points]

    def _draw(self, values: Mapping[str, float]) -> None:
        if self._curve is not None and len(self._curve) < _MOST_POINTS:
            self._curve.append((values.get("lr"), values[self._plan.loss]))


def _resumed_at(run: Run, attempt: Attempt) -> float:
    """Return the level of the checkpoint that the attempt started from, as far as the journal knows; 0 from scratch."""
    if attempt.resumed_from is None:
        return 0.0
    known = [each.level for each in run.reached if each.attempt <= attempt.resumed_from]
    before = [each.until for each in run.attempts if each.number == attempt.resumed_from]
    return max(known, default=min([run.spent, *before]))  # nothing was evaluated: use its cost
