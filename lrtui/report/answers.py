"""The answer's part of the report: verdicts, the factors of a study, sensitivity and heat maps."""

from __future__ import annotations

import dataclasses
import math
from typing import TYPE_CHECKING, Any

from lrtui.analysis import study
from lrtui.analysis.verdict import paste
from lrtui.report import model
from lrtui.sweep.axis_places import round_values, share_of, value_of
from lrtui.sweep.state import differences, group_text
from lrtui.text.format import amount

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lrtui.analysis.verdict import Point, Verdict
    from lrtui.analysis.verdict.heat_map import HeatMap
    from lrtui.sweep.events import Plan
    from lrtui.sweep.state import Sweep

_MARKS = 9
"""Labels of a heat map's axis at most."""


def verdict_of(sweep: Sweep, plan: Plan, found: Verdict, points: Sequence[Point]) -> model.Verdict:
    """Return a verdict with the standard error that its LR's point has."""
    toml, torch = paste(sweep, found)
    setting = found.setting
    return model.Verdict(
        headline=found.headline(plan),
        lr=found.lr,
        group=group_text(found.group),
        optimizer=setting.optimizer if setting else "",
        schedule=setting.schedule if setting else "",
        values=setting.named if setting else {},
        axes=dict(found.beside),
        differs=tuple(differences(plan, setting)) if setting else (),
        low=found.low,
        high=found.high,
        open=found.open_sides,
        by_noise=found.by_noise,
        noise=found.noise,
        scatter=found.scatter,
        optimum=found.optimum,
        equal=found.equal,
        decades=_decades(found.equal),
        within=found.within,
        value=found.value,
        se=next((point.se for point in points if point.lr == found.lr), None),
        at=found.value_at,
        seeds=found.seeds,
        runs=found.runs,
        unit=plan.unit,
        epochs_spent=found.spent,
        epochs_grid=found.grid,
        provisional=found.provisional,
        reasons=tuple(reason.text for reason in found.reasons),
        not_tested=found.not_tested,
        paste=model.Paste(toml=tuple(toml.splitlines()), torch=tuple(torch.splitlines())),
    )


def _decades(ends: tuple[float, float] | None) -> float | None:
    if ends is None or not 0 < ends[0] <= ends[1] < math.inf:
        return None
    return math.log10(ends[1] / ends[0])


def factor_of(factor: study.Factor) -> model.Factor:
    """Return one factor of a study with its text."""
    levels = [
        model.FactorLevel(**_fields(level), range=study.level_range(level))
        for level in factor.levels
    ]
    return model.Factor(
        **_fields(factor) | {"levels": tuple(levels)},
        said=tuple(study.lines(factor)),
        remarks=tuple(study.remarks(factor)),
    )


def _fields(part: Any) -> dict[str, Any]:
    return {field.name: getattr(part, field.name) for field in dataclasses.fields(part)}


def point_of(point: Point) -> model.Point:
    """Return a point of the sensitivity chart."""
    return model.Point(
        lr=point.lr,
        axes=point.setting.axes,
        runs=point.runs,
        values=point.values,
        mean=point.mean,
        se=point.se,
        seeds=point.seeds,
        level=point.level,
        full=point.full,
        dead=point.dead,
        state=point.state,
        val_loss=point.val_loss,
    )


def map_of(found: Verdict, one: HeatMap, points: Sequence[Point]) -> model.Map:
    """Return a heat map of a verdict's group, over whose axis the points lie."""
    marks = round_values(one.axis, _MARKS)
    return model.Map(
        group=group_text(found.group),
        axis=one.axis.name,
        lrs=tuple(_digits(10**lr) for lr in one.lrs),
        axis_values=tuple(value_of(one.axis, share) for share in one.shares),
        marks=tuple((_digits(value), share_of(one.axis, value)) for value in marks),
        places=tuple(one.place(point.setting) for point in points),
        values=tuple(tuple(map(_digits, row)) for row in one.values),
        limits=tuple(map(_digits, one.limits)),
    )


def _digits(value: float) -> float:
    return float(amount(value))
