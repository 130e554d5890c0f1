"""The results of the sweep so far: verdicts and the points of the sensitivity chart.

Made once for each change of the sweep, by the reader's thread (10 ms for seven LRs); panels only read it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import TYPE_CHECKING

from msgspec import Struct, field

if TYPE_CHECKING:
    from lrtui.analysis.study import Factor
    from lrtui.analysis.verdict import Point, Verdict
    from lrtui.analysis.verdict.heat_map import HeatMap
    from lrtui.sweep.events import GroupKey
    from lrtui.sweep.state import Sweep


_LEAST, _MOST = 1e-30, 1e30
"""The valid range of LRs: a journal from elsewhere may hold others, and the logarithm of 0 would end the monitor."""


class VerdictView(Struct, frozen=True):
    """The verdicts at one moment."""

    overall: Verdict | None = None
    """None before there is a verdict."""
    groups: Mapping[GroupKey, Verdict] = field(default_factory=lambda: MappingProxyType({}))
    """By group (the settings besides the LR); the best first."""
    points: Mapping[GroupKey, tuple[Point, ...]] = field(
        default_factory=lambda: MappingProxyType({})
    )
    """By group: the result of each LR, the lowest first."""
    factors: tuple[Factor, ...] = ()
    """The result of each factor of a study."""
    maps: Mapping[GroupKey, tuple[HeatMap, ...]] = field(
        default_factory=lambda: MappingProxyType({})
    )
    """By group: the metric predicted over the LR and each axis of the search."""


def judge(sweep: Sweep) -> VerdictView:
    """Return the current verdicts; for an ended sweep, the verdict in its journal."""
    from lrtui.analysis.study import study
    from lrtui.analysis.verdict import (  # not before the first paint
        Reason,
        Why,
        sensitivity,
        verdict,
        verdicts,
    )
    from lrtui.analysis.verdict.heat_map import heat_maps

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
        overall = replace(overall, reasons=tuple(Reason(Why.RECORDED, text) for text in said.why))
    points = {group: tuple(sensitivity(sweep, group)) for group in groups}
    maps = {group: heat_maps(sweep, found) for group, found in groups.items()}
    return VerdictView(
        overall,
        MappingProxyType(groups),
        MappingProxyType(points),
        tuple(study(sweep)),
        MappingProxyType(maps),
    )
