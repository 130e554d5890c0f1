"""`lr = "auto"`: range test, bracket, halving, two more LRs if the best lies at an edge, further seeds for the finalists.

The edge is checked twice: when the first rung is decided (one more LR joins the race) and when the race is over.

A user's own bounds, `lr = { auto = 7, from = 1e-4, to = 1e-2 }`, replace the range test and are never exceeded.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from lrtui.search.halving import (
    STEP_DECADES,
    begins_with_few,
    compared,
    finalists,
    has_room,
    is_judged,
    joined,
    race,
    seed_finalists,
)
from lrtui.search.pilots import NARROWEST, Reach, beyond, search_by_pilots
from lrtui.search.range_test import missing_test, result_of
from lrtui.search.rounding import readable, rounded
from lrtui.search.strategy import Decision, Space, at, each_once, find, start
from lrtui.sweep.choice import choice_of
from lrtui.sweep.events import Setting
from lrtui.sweep.state import Run, Sweep, group_of
from lrtui.text.format import lr_text

COUNT = 7
"""Valley ± 1.5 decades held the best LR in nine of nine measured curves."""
SAFETY = 30.0
"""The LR at which a range test diverges lies one to two and a half decades above the largest that trains."""
USUAL_DECADES = 2.0
WIDENINGS = 2
WIDEN_BY = 2
HALF = 2.0
"""If the lower LR of the pair at the last rung leads there, an LR this many times lower trains as well."""


@dataclass(frozen=True, slots=True)
class Auto:
    """`auto` LRs, half a decade apart around the valley of a range test, or log-even between the bounds."""

    auto: int = COUNT
    from_: float | None = None
    to: float | None = None

    @property
    def count(self) -> int:
        """The number of LRs that it begins with."""
        return self.auto

    def decide(self, sweep: Sweep, space: Space) -> list[Decision]:
        """Return each group's next decisions: its range test, its race, more LRs at an edge, more seeds."""
        return each_once(space, lambda cell: self._decide_group(sweep, space, cell))

    def describe(self) -> str:
        """Return a description of the search."""
        if self.from_ is not None and self.to is not None:
            return f"auto: {self.auto} from {lr_text(self.from_)} to {lr_text(self.to)}, then the best continue"
        return f"auto: {self.auto} around the valley of a range test, then the best continue"

    def _decide_group(self, sweep: Sweep, space: Space, cell: Setting) -> list[Decision]:
        bounded = self.from_ is not None and self.to is not None
        if not bounded and space.can_range_test and result_of(sweep, space, cell) is None:
            return missing_test(sweep, space, cell)
        rates, ceiling = self.bracket(sweep, space, cell)
        wide = not bounded or rates[-1] >= rates[0] * NARROWEST
        if space.share < 1 and cell.schedule in space.pilots and rates and wide:
            reach = Reach(rates, ceiling, max(self.auto, len(rates)), bounded=bounded)
            return search_by_pilots(sweep, space, cell, reach)
        if begins_with_few(space, cell) and rates and wide:
            return self._follow_down(sweep, space, cell, rates, ceiling)
        late = joined(sweep, space, cell, rates)
        may_widen = not bounded and len(late) < WIDENINGS * WIDEN_BY
        first = space.rungs_of(cell)[0]
        early = sweep.rung(group_of(cell), first)
        if may_widen and not late and early is not None and early.kept:
            next_one = _beyond(sweep, cell, sweep.runs[early.kept[0]], rates, ceiling)[:1]
            if next_one:
                return [start(at(cell, lr), space.seed, first) for lr in next_one]
        decisions = race(sweep, space, cell, rates, late)
        if decisions is not None:
            return decisions
        best = next(iter(finalists(sweep, space, cell)), None)
        if may_widen and best is not None:
            more = _beyond(sweep, cell, best, (*rates, *late), ceiling)
            if more:
                return [start(at(cell, lr), space.seed, first) for lr in more]
        return seed_finalists(sweep, space, cell)

    def _follow_down(
        self, sweep: Sweep, space: Space, cell: Setting, rates: tuple[float, ...], ceiling: float
    ) -> list[Decision]:
        """Return the next decisions for a group whose LR never falls: a few LRs, more beyond an edge, then the leader and the next lower one."""
        bounded = self.from_ is not None and self.to is not None
        reach = Reach(rates, ceiling, max(self.auto, len(rates)), bounded=bounded)
        racing = (*reach.first, *joined(sweep, space, cell, reach.first))
        first = space.rungs_of(cell)[0]
        if sweep.rung(group_of(cell), first) is None:
            runs = [find(sweep, at(cell, lr), space.seed) for lr in racing]
            if all(run is not None and is_judged(run, first) for run in runs):
                sound = compared(sweep, first, [run for run in runs if run is not None])[0]
                more = beyond([run for run in runs if run is not None], sound, reach)
                if more is not None and find(sweep, at(cell, more), space.seed) is None:
                    return [start(at(cell, more), space.seed, first)]
        last = sweep.rung(group_of(cell), space.rungs_of(cell)[-2])
        if last is not None and len(last.kept) == 1 and last.kept[0] in sweep.runs:
            half = rounded(sweep.runs[last.kept[0]].setting.lr / HALF, 3)
            tried = sum(lr != half for lr in racing)
            lowest = rates[0] if bounded else 0.0
            missing = find(sweep, at(cell, half), space.seed) is None
            closed = [sweep.rung(group_of(cell), rung) for rung in space.rungs_of(cell)[:-2]]
            going = [tried, *(len(each.kept) for each in closed if each is not None), 1]
            room = has_room(space, cell, reach.most, going, further=space.horizon)
            if missing and half >= lowest and room:
                return [start(at(cell, half), space.seed, space.horizon)]
        decisions = race(sweep, space, cell, racing, downwards=reach.most)
        return seed_finalists(sweep, space, cell) if decisions is None else decisions

    def bracket(self, sweep: Sweep, space: Space, cell: Setting) -> tuple[tuple[float, ...], float]:
        """Return the LRs to begin with, ascending, and the upper bound (exclusive) for LRs that join later."""
        if self.from_ is not None and self.to is not None:
            return _even(self.from_, self.to, self.auto), math.inf
        tested = result_of(sweep, space, cell)
        ceiling = math.inf
        if tested is not None and tested.diverged is not None:
            ceiling = tested.diverged
        if tested is not None and tested.valley is not None:
            half = (self.auto - 1) / 2
            steps = [STEP_DECADES * (i - half) for i in range(self.auto)]
            rates = [rounded(tested.valley * 10**step) for step in steps]
        else:
            usual = space.usual.get(choice_of(cell.optimizer).name)
            if usual is None:
                return (), ceiling
            centre, reach = math.sqrt(usual[0] * usual[1]), 10**USUAL_DECADES
            count = round(2 * USUAL_DECADES / STEP_DECADES) + 1
            rates = list(_even(rounded(centre / reach), rounded(centre * reach), count))
        return tuple(rate for rate in rates if rate <= ceiling / SAFETY), ceiling


def _beyond(
    sweep: Sweep, cell: Setting, best: Run, tried: tuple[float, ...], ceiling: float
) -> tuple[float, ...]:
    """Return two LRs beyond the edge at which the best LR lies; () if it lies inside."""
    group, lr = group_of(cell), best.setting.lr
    others = [
        run.setting.lr for run in sweep.trained() if group_of(run.setting) == group and run.reached
    ]
    known = (*others, *tried)
    step = 10**STEP_DECADES
    if lr <= min(known):
        more = [rounded(lr / step**i) for i in range(1, WIDEN_BY + 1)]
    elif lr >= max(known):
        more = [rounded(lr * step**i) for i in range(1, WIDEN_BY + 1)]
    else:
        return ()
    return tuple(rate for rate in more if rate < ceiling and rate not in known)


def _even(low: float, high: float, count: int) -> tuple[float, ...]:
    """Return LRs evenly spaced on a log scale, both ends as given."""
    step = math.log10(high / low) / (count - 1)
    inner = [low * 10 ** (step * i) for i in range(1, count - 1)]
    return (low, *sorted(readable(inner, low, high, taken=(low, high))), high)
