"""Health rules: detect dead runs, each with a reason as text.

| rule | what it looks at | what follows |
|---|---|---|
| nan | three non-finite values of the loss in a row | diverged |
| diverged | the smoothed training loss gave back half of its fall, or stands half above its start, for 2 % of the horizon | diverged |
| collapsed | the objective lost two thirds of a rise that it had held, in most evaluations of 2 % of the horizon, two at least, far beyond its usual drops | pruned |
| chance | objective and loss at chance while a lower LR is above it | pruned; `slow`, which only warns, where no lower LR is |
| stalled | no metric line for ten times the usual while | only warns |
| beaten | the value against a rung's cut: `strategies/halving.py` | pruned |

Before `grace`, only the `nan` rule applies. NaN checks alone find 9 of 40 dead runs: Adam dies at chance with a finite loss, SGD can
lead for many epochs and then collapse. A `Signs` holds the state of one run: a few numbers, however long it trains.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from statistics import median

from lrtui.analysis.chance import Chance, learns
from lrtui.sweep.events import EndingKind, Plan, Rule
from lrtui.text.format import amount_about, duration, number

NAN_IN_A_ROW = 3
"""This many non-finite losses in a row end a run: one may be a spike that an optimizer survives."""
SMOOTHED_OVER = 0.01
"""Share of the horizon over which the training loss is averaged; single batches are noisy."""
LEAST_LINES = 5
"""The initial loss is the mean of this many lines, or of all in the first hundredth of the horizon."""
FOR_LONG = 0.02
"""Share of the horizon for which a loss or the objective must be bad: spikes of a warm-up pass."""
GAVE_BACK = 0.5
ABOVE_START = 0.5
LOST = 2 / 3
TIMES_USUAL = 10.0
"""A fall is a collapse only if it is this many times the mean drop from one value to the next: returns of single episodes fall all the time."""
MOST_LATEST = 50
LEAST_RISE = 0.3
"""The difference between best and worst (or chance) counts only above this share of them: less is noise."""
CHANCE_AFTER = 1 / 9
"""No run is called dead at chance before this share of the horizon."""
SILENT_TIMES = 10.0
SILENT_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Finding:
    """What a rule reports about a run."""

    rule: Rule
    why: str
    kind: EndingKind | None = None
    """What the run ends as, if the rule may stop it; None if it only warns."""


class Signs:
    """The health state of one run, updated with each metric line."""

    def __init__(self, plan: Plan, chance: Chance | None = None) -> None:
        self._plan = plan
        self._chance = chance
        self._sign = 1.0 if plan.goal == "max" else -1.0
        self._grace = plan.horizon * 0.05 if plan.grace is None else plan.grace
        self._losses: deque[float] = deque(maxlen=NAN_IN_A_ROW)
        self._strange: dict[str, float] = {}
        """Other metrics that were not finite."""
        self.level = 0.0
        # the training loss, smoothed
        self._begun = 0
        self._start = 0.0
        self._smooth = 0.0
        self._smooth_at = 0.0
        self._share = 0.5
        self._noise = 0.0
        """Mean distance of a line from the smoothed loss, while that is not bad."""
        self._lowest = math.inf
        self._bad_since: float | None = None
        self._bad_lines = 0
        # the objective, higher is better
        self._worst = math.inf
        self._best = -math.inf
        """The best level that most of the latest values reached: a single one may be luck."""
        self._best_at = 0.0
        self._latest: deque[tuple[float, float]] = deque(maxlen=MOST_LATEST)
        """(level, value) within FOR_LONG, two at least."""
        self._drops = 0.0
        """The sum of all drops from one value to the next, without those of a fall that has not ended."""
        self._falling = 0.0
        self._changes = 0
        """The number of values, without immediate repetitions, as in a progress bar."""
        self.latest: float | None = None
        self._fallen = False
        # the clock
        self._heard: float | None = None
        self._whiles: deque[float] = deque(maxlen=15)

    def take(self, level: float, values: Mapping[str, float]) -> None:
        """Update the state with one metric line."""
        self.level = max(self.level, level)
        for name, value in values.items():
            if name == self._plan.loss:
                self._losses.append(value)
                if math.isfinite(value):
                    self._take_loss(level, value)
            elif not math.isfinite(value) and len(self._strange) < 8:
                self._strange.setdefault(name, value)
            if name == self._plan.metric and math.isfinite(value):
                self._take_objective(level, self._sign * value)

    def receive(self, now: float) -> None:
        """Record the monotonic time (seconds) at which a line arrived."""
        if self._heard is not None:
            self._whiles.append(now - self._heard)
        self._heard = now

    def findings(self) -> list[Finding]:
        """Return the findings of the rules that need only the run itself."""
        found = [self._nan()]
        if self.level >= self._grace:
            found += [self._diverged(), self._collapsed()]
        found += [
            Finding("not finite", f"{name} was {value} (this stops nothing)")
            for name, value in self._strange.items()
        ]
        on = self._plan.health
        return [each for each in found if each is not None and on.get(each.rule, True) is not False]

    def stalled(self, now: float) -> Finding | None:
        """Return a warning if no line has arrived for long."""
        if self._heard is None or not self._whiles or self._plan.health.get("stalled") is False:
            return None
        usual, silent = median(self._whiles), now - self._heard
        if silent < max(SILENT_SECONDS, SILENT_TIMES * usual):
            return None
        return Finding(
            "stalled", f"no metric line for {duration(silent)}; usually every {duration(usual)}"
        )

    def at_chance(self, *, lower_learns: bool) -> Finding | None:
        """Return a finding if a run has learned nothing: dead if a lower LR learns, else slow."""
        chance = self._chance
        if chance is None or self._plan.health.get("chance", True) is False:
            return None
        after = max(self._grace, CHANCE_AFTER * self._plan.horizon)
        if self.level < after * (1 - 1e-6) or not self._is_at(chance):
            return None
        said = f"{self._plan.metric} {number(self._sign * (self.latest or 0.0))}"
        said += "" if lower_learns else " is chance"  # the rule's name stands before it
        if self._begun:
            said += f", {self._plan.loss} {number(self._smooth)}"
        if chance.guessing is not None:
            said += f" (guessing among {chance.classes}: {number(chance.guessing)})"
        if lower_learns:
            return Finding("chance", f"{said}, while a lower LR learns", "pruned")
        return Finding("slow", f"{said}; no lower LR is better, so it may only be slow")

    def _is_at(self, chance: Chance) -> bool:
        """Return whether neither the objective nor the training loss shows that anything was learned."""
        if self.latest is None or learns(self.latest, chance):
            return False
        if chance.train_loss is not None and self._begun > 0:
            return self._smooth >= chance.train_loss
        return True

    # ── the training loss ─────────────────────────────────────────────────────────────────────────

    def _take_loss(self, level: float, value: float) -> None:
        over = SMOOTHED_OVER * self._plan.horizon
        if level <= over or self._begun < LEAST_LINES:
            self._begun += 1
            if self._begun > 1:
                self._noise += (abs(value - self._start) - self._noise) / (self._begun - 1)
            self._start += (value - self._start) / self._begun
            self._smooth = self._start
        else:
            # At most a half: a single line never decides, and an epoch's mean still counts.
            passed = max(0.0, level - self._smooth_at) / over
            self._share = min(0.5, 1 - math.exp(-passed))
            self._smooth += self._share * (value - self._smooth)
        self._smooth_at = level
        self._lowest = min(self._lowest, self._smooth)
        if self._is_bad():
            self._bad_since = level if self._bad_since is None else self._bad_since
            self._bad_lines += 1
        else:
            self._bad_since, self._bad_lines = None, 0
            self._noise += 0.1 * (abs(value - self._smooth) - self._noise)

    def _is_bad(self) -> bool:
        return self._is_above() or self._gave_back()

    def _is_above(self) -> bool:
        margin = ABOVE_START * abs(self._start) + 3 * self._wobble()
        return self._smooth > self._start + margin

    def _gave_back(self) -> bool:
        fall, wobble = self._start - self._lowest, self._wobble()
        if fall <= max(0.05 * abs(self._start), 6 * wobble):
            return False
        return self._smooth > self._lowest + GAVE_BACK * fall + 3 * wobble

    def _wobble(self) -> float:
        """Return how far the smoothed loss deviates by noise only."""
        return self._noise * math.sqrt(self._share)

    def _diverged(self) -> Finding | None:
        long = FOR_LONG * self._plan.horizon
        if self._bad_since is None or self._bad_lines < NAN_IN_A_ROW:
            return None
        if self.level - self._bad_since < long or self._gets_better(self._bad_since):
            return None
        since = f"since {self._plan.unit} {amount_about(self._bad_since)}"
        loss = self._plan.loss
        if self._is_above():
            why = f"{loss} is {number(self._smooth)} {since}, it began at {number(self._start)}"
        else:
            why = f"{loss} is back at {number(self._smooth)} {since}, it began at {number(self._start)} and had come down to {number(self._lowest)}"
        return Finding("diverged", why, "diverged")

    def _nan(self) -> Finding | None:
        if len(self._losses) < NAN_IN_A_ROW or any(map(math.isfinite, self._losses)):
            return None
        why = f"{self._plan.loss} was {self._losses[-1]} {NAN_IN_A_ROW} times in a row"
        return Finding("nan", why, "diverged")

    @property
    def latest_loss(self) -> float | None:
        """The latest training loss, finite or not; None before the first one."""
        return self._losses[-1] if self._losses else None

    # ── the objective ─────────────────────────────────────────────────────────────────────────────

    def _take_objective(self, level: float, value: float) -> None:
        before = value if self.latest is None else self.latest
        self.latest = value
        self._worst = min(self._worst, value)
        latest = self._latest
        latest.append((level, value))
        while len(latest) > 2 and level - latest[0][0] >= FOR_LONG * self._plan.horizon:
            latest.popleft()
        held = sorted(each for _, each in latest)
        if len(held) > 1 and held[(len(held) - 1) // 2] > self._best:
            self._best, self._best_at = held[(len(held) - 1) // 2], level
        self._changes += value != before
        self._falling += max(0.0, before - value)
        self._fallen = len(held) > 1 and self._has_fallen(held[len(held) // 2])
        if not self._has_fallen(value):
            self._drops, self._falling = self._drops + self._falling, 0.0

    def _has_fallen(self, value: float) -> bool:
        """Return whether a value is two thirds of the way back from the best to chance, or to the worst that was seen."""
        chance = self._chance
        floor = self._worst if chance is None else chance.value * chance.whole(self._best)
        rise = self._best - floor
        enough = LEAST_RISE * max(abs(self._best), abs(floor))
        far = max(LOST * rise, TIMES_USUAL * self._drops / max(1, self._changes))
        return rise > enough and value < self._best - far

    def _gets_better(self, since: float) -> bool:
        """Return whether the objective came to its best after the loss turned, and is near it: in reinforcement learning it does."""
        if self._plan.metric == self._plan.loss or self.latest is None or self._best_at <= since:
            return False
        rise = self._best - self._worst
        enough = LEAST_RISE * max(abs(self._best), abs(self._worst))
        return rise > enough and self.latest >= self._best - 0.1 * rise

    def _collapsed(self) -> Finding | None:
        if not self._fallen or self.latest is None:
            return None
        now, best = self._sign * self.latest, self._sign * self._best
        unit = self._plan.unit
        why = f"{self._plan.metric} is {number(now)} after {number(best)} at {unit} {amount_about(self._best_at)}"
        return Finding("collapsed", why, "pruned")
