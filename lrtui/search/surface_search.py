"""`[search]`: the LR and up to two continuous axes beside it, by one search.

Pairs that fill the plane begin; they race by halving like the LRs of `auto`. Then a Gaussian process over LR and axes
(`analysis/surface.py`) proposes further ones where it expects the largest improvement, BATCH at a time: each as if those before it
had given their expected values, so a batch never depends on which of its runs ends first. They are compared with the decided rungs.
The search ends when a batch has brought no improvement and none is expected, or with the last batch. Then the
three best settings get further seeds, which decide between them.

Reasons: docs/decisions/axes.md.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, replace

import msgspec

from lrtui.search.auto import Auto
from lrtui.search.halving import PROPOSED, race_of, seed_finalists
from lrtui.search.range_test import missing_test, result_of
from lrtui.search.rounding import rounded
from lrtui.search.strategy import Decision, Space, at, each_once, start
from lrtui.sweep.axis_places import value_of
from lrtui.sweep.events import Axis, Setting
from lrtui.sweep.state import Sweep, group_of, setting_key
from lrtui.text.format import lr_text, setting_value

MORE = 5
"""Factor on the number of first places for each axis: 7 LRs become 12 pairs."""
BATCH = 2
"""Number of proposals at a time, up to PROPOSED in all."""
WIDER_DECADES = 0.5
"""Proposals may lie this far beyond the first LRs, if the user gave no bounds."""
ENOUGH = 0.03
"""No batch follows if the expected improvement is below this share of the noise's standard deviation."""
PLACES = 400
"""Number of candidate places for a proposal."""
APART = 0.12
"""Minimum distance of a proposal from the places tried, as a share of the box."""
_GOLDEN = (0.7548776662466927, 0.5698402909980532)
"""Powers of the plastic number: with an evenly spaced LR they fill a box without repeats (Roberts 2018)."""


@dataclass(frozen=True, slots=True)
class Surface:
    """`auto`'s LRs, spread over the axes beside it, then proposals."""

    auto: Auto
    axes: tuple[Axis, ...]

    @property
    def count(self) -> int:
        """The number of places that it begins with."""
        return self.auto.count + MORE * len(self.axes)

    def decide(self, sweep: Sweep, space: Space) -> list[Decision]:
        """Return each group's next decisions: its range test, its race, proposals, more seeds."""
        return each_once(space, lambda cell: self._decide_group(sweep, space, cell))

    def describe(self) -> str:
        """Return a description of the search."""
        names = ", ".join(
            f"{a.name} from {setting_value(a.low)} to {setting_value(a.high)}" for a in self.axes
        )
        where = "around the valley of a range test"
        if self.auto.from_ is not None and self.auto.to is not None:
            where = f"from {lr_text(self.auto.from_)} to {lr_text(self.auto.to)}"
        return f"search: {self.count} places, LRs {where}, {names}; the best continue, then up to {PROPOSED} at the most promising places"

    def _decide_group(self, sweep: Sweep, space: Space, cell: Setting) -> list[Decision]:
        bounded = self.auto.from_ is not None and self.auto.to is not None
        if not bounded and space.can_range_test and result_of(sweep, space, cell) is None:
            middle = {axis.name: value_of(axis, 0.5) for axis in self.axes}
            return missing_test(sweep, space, msgspec.structs.replace(cell, axes=middle))
        rates, ceiling = self.auto.bracket(sweep, space, cell)
        if not rates:
            return []
        box = _Box(self.axes, math.log10(min(rates)), math.log10(max(rates)))
        first = _distinct(at_place(cell, box, place) for place in box.spread(self.count))
        late = _joined(sweep, space, cell, first)
        decisions = race_of(sweep, space, cell, first, late)
        if decisions is not None:
            return decisions
        left = PROPOSED - len(late)
        if left > 0:
            wide = box if bounded else box.wider(math.log10(ceiling))
            more = self._promising(sweep, cell, wide, min(BATCH, left))
            if more:
                return [start(setting, space.seed, space.horizon) for setting in more]
        return seed_finalists(sweep, space, cell)

    def _promising(self, sweep: Sweep, cell: Setting, box: _Box, count: int) -> list[Setting]:
        """Return the settings with the highest expected improvement; [] if that is not worth a run."""
        # imported here, so that an idle supervisor need not hold the verdict
        from lrtui.analysis import surface
        from lrtui.analysis.verdict.best_place import surface_of

        seen, fitted = surface_of(sweep, group_of(cell))
        if fitted is None or len({each.y for each in seen}) == 1:
            return []
        doubt = math.sqrt(fitted.shape.times * min(each.variance for each in seen))
        shape = fitted.shape
        tried = {setting_key(run.setting) for run in sweep.trained()}
        found: list[Setting] = []
        places = [(*place, 0.0) for place in box.spread(PLACES)]
        for _ in range(count):
            best = max(fitted.at(each.place)[0] for each in seen if not each.place[-1])
            free = [
                p
                for p in places
                if all(box.apart(p, each.place) >= APART for each in seen if not each.place[-1])
            ]
            if not free:
                break
            expected = {place: fitted.improvement(place, best) for place in free}
            chosen = max(free, key=lambda place: (expected[place], place))
            if not found and expected[chosen] < ENOUGH * doubt:
                break
            setting = at_place(cell, box, chosen[:-1])
            if setting_key(setting) not in tried:  # on a narrow axis rounding makes places alike
                tried.add(setting_key(setting))
                found.append(setting)
            believed = surface.Seen(chosen, fitted.at(chosen)[0], 0.0)
            seen = (*seen, believed)
            fitted = surface.refit(shape, seen)
        return found


@dataclass(frozen=True, slots=True)
class _Box:
    """The LRs and the axes that are searched."""

    axes: tuple[Axis, ...]
    low: float
    high: float
    """log10 of the LRs' ends."""

    def spread(self, count: int) -> list[tuple[float, ...]]:
        """Return places that fill the box, no two equal in any direction; deterministic."""
        width = self.high - self.low
        powers = _GOLDEN if len(self.axes) > 1 else ((math.sqrt(5) - 1) / 2,)
        return [
            (
                self.low + width * (i + 0.5) / count,
                *((0.5 + power * (i + 0.5)) % 1.0 for power in powers[: len(self.axes)]),
            )
            for i in range(count)
        ]

    def wider(self, ceiling: float) -> _Box:
        """Return the box with room beyond both ends of the LRs, below what diverged."""
        return replace(
            self, low=self.low - WIDER_DECADES, high=min(self.high + WIDER_DECADES, ceiling)
        )

    def apart(self, one: tuple[float, ...], other: tuple[float, ...]) -> float:
        """Return the distance of two places as a share of the box."""
        along = ((one[0] - other[0]) / (self.high - self.low)) ** 2
        return math.sqrt(along + sum((a - b) ** 2 for a, b in zip(one[1:], other[1:], strict=True)))


def _distinct(settings: Iterable[Setting]) -> list[Setting]:
    """Return settings without those that rounding made equal: an axis may be narrow."""
    return list({setting_key(setting): setting for setting in settings}.values())


def at_place(cell: Setting, box: _Box, place: tuple[float, ...]) -> Setting:
    """Return the setting at a place, with few digits."""
    exact = 10 ** place[0]
    lr = rounded(exact, 2 if box.high - box.low >= 1 else 4)
    if not box.low <= math.log10(lr) <= box.high:
        lr = exact
    values = {a.name: value_of(a, share) for a, share in zip(box.axes, place[1:], strict=True)}
    return msgspec.structs.replace(at(cell, lr), axes=values)


def _joined(sweep: Sweep, space: Space, cell: Setting, first: list[Setting]) -> list[Setting]:
    """Return the settings that joined a group's race after those that began it."""
    group, began = group_of(cell), set(map(setting_key, first))
    return [
        run.setting
        for run in sweep.trained()
        if run.origin == "strategy"
        and run.seed == space.seed
        and group_of(run.setting) == group
        and setting_key(run.setting) not in began
    ]
