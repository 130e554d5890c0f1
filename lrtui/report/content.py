"""Gathers the content of the report once, for all formats.

`answers`, `rungs_and_ranges` and `run_rows` gather the larger parts.
"""

from __future__ import annotations

import dataclasses
import json
import os
import platform
import shlex
import time
from collections.abc import Iterable
from enum import Enum
from importlib import metadata
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec

from lrtui.analysis.study import study
from lrtui.analysis.verdict import groups, sensitivity, verdict, verdicts
from lrtui.analysis.verdict.heat_map import heat_maps
from lrtui.analysis.verdict.reasons import not_first
from lrtui.config.directory import read_experiment, read_origin
from lrtui.errors import UserError
from lrtui.frontend.failure import ways_on, why_no_answer
from lrtui.report.answers import factor_of, map_of, point_of, verdict_of
from lrtui.report.model import VERSION, Budget, Closed, Data, Report, Sensitivity
from lrtui.report.run_rows import board_row, curves, run_row
from lrtui.report.rungs_and_ranges import ranges, rung_of
from lrtui.sweep.events import Plan, Scalar
from lrtui.sweep.files import read_untrusted
from lrtui.sweep.layout import AttemptLayout, Layout
from lrtui.sweep.state import group_text, level_text
from lrtui.text.clean import clean
from lrtui.text.format import amount, clock_time, count, plural

if TYPE_CHECKING:
    from pathlib import Path

    from lrtui.frontend.snapshot import Snapshot
    from lrtui.sweep.state import Sweep

_T = TypeVar("_T")
_PACKAGES = ("lrtui", "torch", "torchvision", "numpy")
_RAN_WITH = ("program", "git", "script_crc32", "environment_crc32")
_FILE_BYTES, _FILE_LINES = 1 << 20, 400
_TITLED = 3
"""At most this many optimizers are named in a title."""
_COMMAND_WIDTH = 60
_TEXT, _NAME = 1000, 200
"""Maximum length of a text and of a name, in characters."""


def content(snapshot: Snapshot) -> Report:
    """Return the whole report."""
    sweep = snapshot.sweep
    plan = sweep.plan or _no_plan(snapshot.directory.name)
    points = {group: sensitivity(sweep, group) for group in groups(sweep)}
    found, judged = verdict(sweep), verdicts(sweep)
    answered = found.lr is not None or found.equal is not None
    unanswered = [""] if answered else why_no_answer(sweep).splitlines() or [""]
    return _cleaned(
        Report(
            version=VERSION,
            experiment=plan.name,
            title=tuple(_title(snapshot, plan)),
            metric=plan.metric,
            goal=plan.goal,
            unit=plan.unit,
            horizon=plan.horizon,
            verdict=verdict_of(sweep, plan, found, points.get(found.group, [])),
            groups=tuple(verdict_of(sweep, plan, v, points.get(v.group, [])) for v in judged),
            study=tuple(map(factor_of, study(sweep))),
            sensitivity=tuple(
                Sensitivity(group=group_text(group), points=tuple(map(point_of, its)))
                for group, its in points.items()
            ),
            maps=tuple(
                map_of(v, one, points[v.group]) for v in judged for one in heat_maps(sweep, v)
            ),
            rungs=tuple(rung_of(sweep, closed) for closed in sweep.rungs),
            ranges=tuple(ranges(snapshot, plan)),
            leaderboard=tuple(board_row(snapshot, plan, row) for row in snapshot.standings),
            leaderboard_note=not_first(sweep, found, snapshot.standings),
            runs=tuple(run_row(snapshot, plan, run) for run in sweep.runs.values()),
            curves=tuple(curves(snapshot, plan)),
            seeds=tuple(sorted({run.seed for run in sweep.trained()})),
            settings=_settings(plan),
            data=_data(sweep, plan),
            budget=_budget(sweep, plan),
            closed=Closed(code=sweep.closed.code, why=sweep.closed.why) if sweep.closed else None,
            no_answer=unanswered[0],
            remedy=tuple(unanswered[1:]),
            next=tuple(ways_on(snapshot.directory, sweep)),
            warnings=tuple(warned.text for warned in sweep.warnings[-20:]),
            versions=_versions(),
            ran_with=_ran_with(snapshot),
            experiment_file=tuple(_experiment_file(snapshot.directory)),
            reproduce=_reproduce(snapshot.directory),
            written=time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(snapshot.read_at)),
        )
    )


def _no_plan(name: str) -> Plan:
    return Plan(name=name, source="", metric="", goal="max", loss="", unit="epoch", horizon=0)


def _title(snapshot: Snapshot, plan: Plan) -> list[str]:
    """Return what was trained, for how long, when and where; [] if no sweep was opened."""
    sweep = snapshot.sweep
    if sweep.plan is None:
        return []
    optimizers = list(
        dict.fromkeys(level_text("optimizer", run.setting.optimizer) for run in sweep.trained())
    )
    parts = [
        level_text("model", plan.model) if plan.builtin else _command(snapshot.directory),
        level_text("dataset", plan.dataset),
        ", ".join(optimizers) if len(optimizers) <= _TITLED else count(len(optimizers), "optimizer"),
        f"{amount(plan.horizon)} {plural(plan.unit)}",
        clock_time(sweep.opened_at, "%d %b %Y").removeprefix("0"),
        "/".join(part for part in (sweep.host, "GPU" if plan.gpus else "CPU" if plan.builtin else "") if part),
    ]  # fmt: skip
    return [part for part in parts if part]


def _command(directory: Path) -> str:
    """Return the command of an experiment with a script of the user's own, cut where it is long."""
    try:
        words = " ".join(read_experiment(directory).command or ())
    except UserError:
        return "own script"
    return words if len(words) <= _COMMAND_WIDTH else f"{words[:_COMMAND_WIDTH].rstrip()} …"


def _settings(plan: Plan) -> dict[str, Scalar]:
    """Return the settings that were the same for every run."""
    rungs = [amount(rung) for rung in (plan.rungs[0][1] if plan.rungs else ())]
    given: dict[str, Scalar | None] = {
        "model": plan.model,
        "learning rates": plan.strategy,
        "metric": f"{plan.goal} {plan.metric}",
        "horizon": plan.horizon,
        "unit": plan.unit,
        "value": plan.value,
        "keep": plan.keep,
        "rungs": ", ".join(rungs),
        "within": plan.within,
        "seeds for the finalists": plan.seeds,
        "loss": plan.loss,
        "threads": plan.threads,
        "gpus": plan.gpus,
    }
    return {key: value for key, value in given.items() if value is not None and value != ""}


def _data(sweep: Sweep, plan: Plan) -> Data:
    data = sweep.data
    if data is None:
        return Data(dataset=plan.dataset or "the script's own")
    return Data(
        dataset=data.dataset or plan.dataset,
        classes=data.classes,
        train=data.train,
        val=data.val,
        test=data.test,
        checksum=data.checksum,
        synthetic=data.synthetic,
    )


def _budget(sweep: Sweep, plan: Plan) -> Budget:
    return Budget(
        limit=plan.budget,
        limit_seconds=plan.budget_seconds,
        spent=sweep.spent,
        seconds=sweep.seconds,
        reached=sweep.budget_reached.why if sweep.budget_reached is not None else None,
    )


# ---------------------------------------------------------------- how to reproduce it


def _versions() -> dict[str, str]:
    """Return the versions that are installed here, without importing anything."""
    found = {"python": platform.python_version(), "system": platform.platform(terse=True)}
    for package in _PACKAGES:
        try:
            found[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    return found


def _ran_with(snapshot: Snapshot) -> dict[str, str]:
    """Return what the first attempt ran with: program, git commit, hashes of script and environment."""
    layout = Layout(snapshot.directory)
    for run in snapshot.sweep.runs.values():
        if run.attempts:
            argv = AttemptLayout(layout.attempt(run.folder, run.attempts[0].number)).argv
            told = _strings(argv)
            return {key: told[key] for key in _RAN_WITH if told.get(key)}
    return {}


def _strings(path: Path) -> dict[str, str]:
    """Return the keys of a JSON file that hold text."""
    try:
        told = json.loads(read_untrusted(path, _FILE_BYTES) or b"{}")
    except (ValueError, RecursionError):
        return {}
    pairs = told.items() if isinstance(told, dict) else ()
    return {key: value for key, value in pairs if isinstance(value, str)}


def _experiment_file(directory: Path) -> list[str]:
    """Return the lines of the experiment file that the runs used."""
    text = read_untrusted(Layout(directory).experiment, _FILE_BYTES).decode("utf-8", "replace")
    found = [clean(line, _TEXT).rstrip() for line in text.rstrip("\n").split("\n")] if text else []
    left = len(found) - _FILE_LINES
    return [*found[:_FILE_LINES], f"# and {left} more lines"] if left > 0 else found


def _reproduce(directory: Path) -> tuple[str, ...]:
    """Return the commands that start the same experiment again, from the copy of its file that the runs used."""
    origin = read_origin(directory)
    file = os.path.join(os.path.realpath(directory), Layout(directory).experiment.name)
    beside = os.path.relpath(file, origin.cwd) if os.path.isabs(origin.cwd) else file
    shown = file if beside.startswith("..") else beside
    return f"cd {shlex.quote(origin.cwd)}", f"lrtui {shlex.quote(shown)} --new"


def _cleaned(part: _T) -> _T:
    """Return a part of the report with all its text safe to show."""
    found: Any = part
    match part:
        case Enum():
            pass
        case str():
            found = clean(part, _TEXT)
        case tuple():
            found = tuple(map(_cleaned, part))
        case dict():
            found = {clean(key, _NAME): _cleaned(value) for key, value in part.items()}
        case msgspec.Struct():
            found = _cleaned_fields(part, part.__struct_fields__)
        case _ if dataclasses.is_dataclass(part):
            found = _cleaned_fields(part, [field.name for field in dataclasses.fields(part)])
    return found  # type: ignore[no-any-return]


def _cleaned_fields(part: Any, names: Iterable[str]) -> Any:
    return type(part)(**{name: _cleaned(getattr(part, name)) for name in names})
