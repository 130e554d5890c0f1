"""What the sweep says about learning rates so far: verdicts and the points of the sensitivity chart.

Made once for each change of the sweep, by the reader's thread (10 ms for seven LRs); panels only read it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lrtui.analysis.verdict import Point, Verdict
    from lrtui.sweep.state import Sweep


_LEAST, _MOST = 1e-30, 1e30
"""LRs beyond are no LRs, but a journal may come from a stranger, and the logarithm of 0 would end the monitor."""


@dataclass(frozen=True, slots=True)
class VerdictView:
    """The verdicts at one moment."""

    overall: Verdict | None = None
    """None before anything was judged."""
    groups: Mapping[str, Verdict] = field(default_factory=lambda: MappingProxyType({}))
    """By what their settings share besides the LR; the best first."""
    points: Mapping[str, tuple[Point, ...]] = field(default_factory=lambda: MappingProxyType({}))
    """By group: what became of each LR, the lowest first."""


def judge(sweep: Sweep) -> VerdictView:
    """Return what is known now; of a sweep that has ended, what its journal says."""
    from lrtui.analysis.verdict import sensitivity, verdict, verdicts  # not before the first paint

    sound = {run.id: run for run in sweep.runs.values() if _LEAST < run.setting.lr < _MOST}
    sweep = replace(sweep, runs=MappingProxyType(sound))
    if not sweep.trained():
        return VerdictView()
    overall, groups = verdict(sweep), {each.group: each for each in verdicts(sweep)}
    said = sweep.verdict if sweep.closed is not None else None
    if said is not None and said.group in groups:
        groups[said.group] = replace(
            groups[said.group],
            lr=said.lr,
            low=said.low,
            high=said.high,
            equal=said.equal,
            provisional=said.provisional,
        )
        overall = replace(groups[said.group], spent=overall.spent, grid=overall.grid)
        overall = replace(overall, reasons=said.why)
    points = {group: tuple(sensitivity(sweep, group)) for group in groups}
    return VerdictView(overall, MappingProxyType(groups), MappingProxyType(points))
