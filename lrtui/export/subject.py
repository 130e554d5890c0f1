"""What is exported: an experiment with its verdict, and its runs with their settings, the same for every target."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from lrtui.config.directory import read_experiment
from lrtui.errors import UserError
from lrtui.export.names import Names
from lrtui.export.walk import Row, Walk
from lrtui.report import content
from lrtui.report.json_form import plain
from lrtui.sweep.state import level_text
from lrtui.text.clean import clean

if TYPE_CHECKING:
    from lrtui.frontend.snapshot import Snapshot
    from lrtui.report.model import Report, RunRow
    from lrtui.sweep.events import Plan, Scalar
    from lrtui.sweep.state import Run

_WORDED = ("dataset", "model", "optimizer", "schedule")


@dataclass(frozen=True, slots=True)
class ExportedRun:
    """One run."""

    run: Run
    name: str
    """Its folder in the experiment directory: r03-lr3e-04; safe as a file name."""
    settings: dict[str, Scalar]
    """Hyperparameters: a key has values of one type in all runs: strings, numbers or bools."""
    told: RunRow
    """Its row in the report."""
    recommended: bool
    """Whether it is a run of the recommended setting."""
    started: float
    ended: float | None
    """Unix times; None if it has not ended."""

    @property
    def state(self) -> str:
        """Its state, or how it ended."""
        return self.told.state

    @property
    def value(self) -> float | None:
        """Its own last value of the metric; None if it has no finite value."""
        value = self.told.value
        return value if value is not None and math.isfinite(value) else None

    def facts(self) -> dict[str, Scalar]:
        """Return its outcome for tags and columns."""
        told = self.told
        return {
            "run": self.run.id,
            "state": self.state,
            "why": told.why,
            "recommended": self.recommended,
            "range_test": told.range_test,
            "origin": told.origin,
            "attempts": told.attempts,
            "spent": told.spent,
        }


@dataclass(frozen=True, slots=True)
class Subject:
    """One experiment."""

    plan: Plan
    report: Report
    runs: tuple[ExportedRun, ...]
    """The runs that have begun."""
    walk: Walk
    opened: float
    """Unix time."""

    @property
    def name(self) -> str:
        """The experiment's name, safe to show."""
        return self.report.experiment

    def rows(self, run: ExportedRun) -> Iterator[Row]:
        """Yield what a run measured."""
        return self.walk.rows(run.run)

    def verdict_text(self) -> str:
        """Return the verdict with its reasons, as Markdown."""
        lines = [f"**{self.report.verdict.headline}**", ""]
        lines += [f"- {reason}" for reason in self.report.verdict.reasons]
        if self.report.no_answer:
            lines.append(f"- {self.report.no_answer}")
        return "\n".join(lines)

    def verdict_facts(self) -> dict[str, Scalar]:
        """Return the verdict as tags, without absent parts."""
        verdict = plain(self.report.verdict)
        keys = ("headline", "lr", "low", "high", "group", "value", "provisional")
        found = {key: verdict[key] for key in keys if verdict[key] not in (None, "")}
        return found | {"reasons": "\n".join(verdict["reasons"])}


def subject(snapshot: Snapshot) -> Subject:
    """Return what there is to export.

    Raises:
        UserError: nothing was started in the directory.

    """
    sweep = snapshot.sweep
    if sweep.plan is None:
        raise UserError("there is nothing to export", str(snapshot.directory), snapshot.problem)
    report = content(snapshot)
    told = {each.run: each for each in report.runs}
    begun = [run for run in sweep.runs.values() if run.attempts]
    settings = _alike([_settings(run, sweep.plan, _batch_size(snapshot)) for run in begun])
    return Subject(
        plan=sweep.plan,
        report=report,
        runs=tuple(
            ExportedRun(
                run=run,
                name=run.folder,
                settings=each,
                told=told[run.id],
                recommended=run.id in report.verdict.runs,
                started=run.attempts[0].launched_at,
                ended=run.ending.at if run.ending else None,
            )
            for run, each in zip(begun, settings, strict=True)
        ),
        walk=Walk(snapshot.directory, sweep, sweep.plan, snapshot.read_at),
        opened=sweep.opened_at,
    )


def _batch_size(snapshot: Snapshot) -> int:
    """Return the experiment's batch size; 0 if it names none, or cannot be read."""
    try:
        return read_experiment(snapshot.directory).batch_size
    except UserError:
        return 0


def _settings(run: Run, plan: Plan, batch_size: int) -> dict[str, Scalar]:
    """Return the hyperparameters of a run; in a study its own levels come before the experiment's."""
    setting = run.setting
    usual: dict[str, Scalar] = {"model": plan.model, "dataset": plan.dataset}
    usual |= {"optimizer": setting.optimizer, "schedule": setting.schedule}
    usual |= {"batch_size": batch_size, **setting.named}
    found: dict[str, Scalar] = {"lr": setting.lr, "seed": run.seed}
    for key, value in usual.items():
        if value not in ("", 0) or key in setting.named:
            text = isinstance(value, str)
            found[key] = level_text(key, value) if text and key in _WORDED else value
    found[f"{plan.unit.rstrip('s')}s"] = plan.horizon
    if run.is_range_test:
        found |= {"lr_to": run.lr_to, "lr_steps": run.lr_steps}
    return found


def _alike(runs: list[dict[str, Scalar]]) -> list[dict[str, Scalar]]:
    """Return settings with one type per key in all runs; keys and text are safe to show."""
    names = Names()
    types: dict[str, set[type]] = {}
    for run in runs:
        for key, value in run.items():
            types.setdefault(key, set()).add(type(value))
    return [{names.of(key): _as(value, types[key]) for key, value in run.items()} for run in runs]


def _as(value: Scalar, types: set[type]) -> Scalar:
    if len(types) == 1:
        return clean(value, 500) if isinstance(value, str) else value
    return float(value) if types <= {int, float} else clean(str(value), 500)
