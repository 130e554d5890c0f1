"""Bayesian search: `lr = { bayes = 10, from = 1e-5, to = 1e-1 }`.

Four LRs spread over the range, then two at a time where a Gaussian process over log10(lr) expects the largest improvement (Jones,
Schonlau and Welch 1998). The second of a pair is chosen as if the first had given its expected value ("Kriging believer"), so a
pair never depends on which of two runs ends first.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from lrtui.analysis import gaussian_process
from lrtui.analysis.averages import mean
from lrtui.search.halving import joined, race, seed_finalists
from lrtui.search.rounding import readable
from lrtui.search.strategy import Decision, Space, at, start
from lrtui.sweep.events import Setting
from lrtui.sweep.state import Run, Sweep, group_of
from lrtui.text.format import lr_text

BEGIN = 4
PAIR = 2
PLACES = 97
"""Number of candidate places in the range."""
APART_DECADES = 0.05
"""Minimum distance of a new LR from those tried, in decades."""


@dataclass(frozen=True, slots=True)
class Bayes:
    """`bayes` LRs between `from_` and `to`, the later ones at the highest expected improvement."""

    bayes: int
    from_: float
    to: float

    @property
    def count(self) -> int:
        """The number of LRs that it tries."""
        return self.bayes

    def decide(self, sweep: Sweep, space: Space) -> list[Decision]:
        """Return each group's next decisions: its first LRs, its race, the next pair, more seeds."""
        return [
            decision
            for cell in space.cells()
            for decision in self._decide_group(sweep, space, cell)
        ]

    def describe(self) -> str:
        """Return a description of the search."""
        return f"bayes: {self.bayes} from {lr_text(self.from_)} to {lr_text(self.to)}, by expected improvement"

    def _decide_group(self, sweep: Sweep, space: Space, cell: Setting) -> list[Decision]:
        begun = self._begin()
        late = joined(sweep, space, cell, begun)
        decisions = race(sweep, space, cell, begun, late)
        if decisions is not None:
            return decisions
        left = self.bayes - len(begun) - len(late)
        more = self._promising(sweep, space, cell, min(PAIR, left)) if left > 0 else []
        if more:
            first = space.rungs_of(cell)[0]
            return [start(at(cell, lr), space.seed, first) for lr in more]
        return seed_finalists(sweep, space, cell)

    def _begin(self) -> tuple[float, ...]:
        """Return LRs in the middle of equal parts of the range."""
        count = min(BEGIN, self.bayes)
        part = math.log10(self.to / self.from_) / count
        exact = [self.from_ * 10 ** (part * (i + 0.5)) for i in range(count)]
        return tuple(readable(exact, self.from_, self.to))

    def _promising(self, sweep: Sweep, space: Space, cell: Setting, count: int) -> list[float]:
        seen = _observations(sweep, space, cell)
        if not seen:
            return []
        low, high = math.log10(self.from_), math.log10(self.to)
        places = [low + (high - low) * i / (PLACES - 1) for i in range(PLACES)]
        found: list[float] = []
        for _ in range(count):
            centre = mean([o.y for o in seen])
            spread = mean([(o.y - centre) ** 2 for o in seen])
            belief = gaussian_process.fit(
                tuple(seen), tuple(spread * share for share in (1e-4, 1e-2, 1e-1))
            )
            best = max(belief.at(o.x)[0] for o in seen)
            free = [x for x in places if all(abs(x - o.x) >= APART_DECADES for o in seen)]
            if not free:
                break
            chosen = max(free, key=lambda x: (belief.improvement(x, best), -x))
            rates = readable([10**chosen], self.from_, self.to, taken=found)
            found += rates
            seen.append(gaussian_process.Observation(chosen, belief.at(chosen)[0], 0.0))
        return found


def _observations(sweep: Sweep, space: Space, cell: Setting) -> list[gaussian_process.Observation]:
    """Return a group's LRs and values, higher is better; a run that died counts as the worst value seen."""
    group = group_of(cell)
    runs = [
        run
        for run in sweep.trained()
        if run.seed == space.seed and group_of(run.setting) == group and run.ending is not None
    ]
    sign = -1.0 if sweep.plan is not None and sweep.plan.goal == "min" else 1.0
    values = {run.id: sign * value for run in runs if (value := _value(run)) is not None}
    if not values:
        return []
    worst = min(values.values())
    return [
        gaussian_process.Observation(math.log10(run.setting.lr), values.get(run.id, worst), 0.0)
        for run in sorted(runs, key=lambda run: run.setting.lr)
    ]


def _value(run: Run) -> float | None:
    """Return the last value by which a run was judged, unless it died."""
    if run.ending is None or run.ending.kind not in {"finished", "pruned", "killed"}:
        return None
    return run.reached[-1].value if run.reached else None
