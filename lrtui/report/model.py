"""What the report says, as strict JSON can say it: report.json itself, and what all other forms are made from.

The fields are described in docs/report.md. Numbers that are not finite stand as "NaN", "Infinity" and "-Infinity", as in a
metric line; text is cleaned, whoever wrote it.
"""

from __future__ import annotations

import json
import math
import os
import platform
import shlex
import time
from dataclasses import asdict
from importlib import metadata
from typing import TYPE_CHECKING, Any

from lrtui.analysis.ranking import flag_texts, shown_state
from lrtui.analysis.study import Factor, level_range, lines, remarks, study
from lrtui.analysis.value_rule import run_value
from lrtui.analysis.verdict import Verdict, groups, paste, sensitivity, verdict, verdicts
from lrtui.analysis.verdict.heat_map import heat_maps
from lrtui.analysis.verdict.reasons import not_first
from lrtui.config.directory import read_experiment, read_origin
from lrtui.errors import UserError
from lrtui.frontend.failure import about_output, ways_on, why_no_answer
from lrtui.sweep.axis_places import round_values, share_of, value_of
from lrtui.sweep.events import Plan
from lrtui.sweep.files import read_untrusted
from lrtui.sweep.layout import AttemptLayout, Layout
from lrtui.sweep.state import differences, group_of, group_text, level_text
from lrtui.text.clean import clean
from lrtui.text.format import amount, clock_time, count, plural

if TYPE_CHECKING:
    from pathlib import Path

    from lrtui.analysis.ranking import Standing
    from lrtui.analysis.verdict import Point
    from lrtui.analysis.verdict.heat_map import HeatMap
    from lrtui.frontend.snapshot import Snapshot
    from lrtui.metrics import RunSeries
    from lrtui.sweep.events import RungClosed, Setting
    from lrtui.sweep.state import Run, Sweep

VERSION = 2
"""Of the schema. Fields may be added under the same number; one that is renamed or means something else raises it."""
_PACKAGES = ("lrtui", "torch", "torchvision", "numpy")
_CURVE_COLUMNS, _CURVE_POINTS = 200, 30_000
"""How finely one curve is kept, and how many points all of them may have."""
_RANGE_POINTS = 400
_MARKS = 9
"""Labels of a heat map's axis at most."""
_RAN_WITH = ("program", "git", "script_crc32", "environment_crc32")
_FILE_BYTES, _FILE_LINES = 1 << 20, 400
_TITLED = 3
"""Optimizers that a title names."""
_COMMAND_WIDTH = 60
_CLOSE = 1e-6


def content(snapshot: Snapshot) -> dict[str, Any]:
    """Return the whole report."""
    sweep = snapshot.sweep
    plan = sweep.plan or _no_plan(snapshot.directory.name)
    points = {group: sensitivity(sweep, group) for group in groups(sweep)}
    found, judged = verdict(sweep), verdicts(sweep)
    made = {
        "version": VERSION,
        "experiment": plan.name,
        "title": _title(snapshot, plan),
        "metric": plan.metric,
        "goal": plan.goal,
        "unit": plan.unit,
        "horizon": plan.horizon,
        "verdict": _verdict(sweep, plan, found, points.get(found.group, [])),
        "groups": [_verdict(sweep, plan, v, points.get(v.group, [])) for v in judged],
        "study": [_factor(each) for each in study(sweep)],
        "sensitivity": [
            {"group": group_text(group), "points": [_point(each) for each in points[group]]}
            for group in points
        ],
        "maps": [
            _map(each, one, points[each.group]) for each in judged for one in heat_maps(sweep, each)
        ],
        "rungs": [_rung(sweep, closed) for closed in sweep.rungs],
        "ranges": _ranges(snapshot, plan),
        "leaderboard": [_row(snapshot, plan, row) for row in snapshot.standings],
        "leaderboard_note": not_first(sweep, found, snapshot.standings),
        "runs": [_run(snapshot, plan, run) for run in sweep.runs.values()],
        "curves": _curves(snapshot, plan),
        "seeds": sorted({run.seed for run in sweep.trained()}),
        "settings": _settings(plan),
        "data": _data(sweep, plan),
        "budget": _budget(sweep, plan),
        "closed": None
        if sweep.closed is None
        else {"code": sweep.closed.code, "why": sweep.closed.why},
        "no_answer": ""
        if found.lr is not None or found.equal is not None
        else why_no_answer(sweep),
        "next": [list(way) for way in ways_on(snapshot.directory, sweep)],
        "warnings": [warned.text for warned in sweep.warnings[-20:]],
        "versions": _versions(),
        "ran_with": _ran_with(snapshot),
        "experiment_file": _experiment_file(snapshot.directory),
        "reproduce": _reproduce(snapshot.directory),
        "written": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(snapshot.read_at)),
    }
    cleaned: dict[str, Any] = _plain(made)
    return cleaned


def _no_plan(name: str) -> Plan:
    return Plan(name=name, source="", metric="", goal="max", loss="", unit="epoch", horizon=0)


def _title(snapshot: Snapshot, plan: Plan) -> list[str]:
    """Return what was trained, for how long, when and where; [] where nothing was opened."""
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


# ---------------------------------------------------------------- the answer


def _verdict(sweep: Sweep, plan: Plan, found: Verdict, points: list[Point]) -> dict[str, Any]:
    toml, torch = paste(sweep, found)
    se = next((point.se for point in points if point.lr == found.lr), None)
    equal = None if found.equal is None else list(found.equal)
    return {
        "headline": found.headline(plan),
        "lr": found.lr,
        "group": group_text(found.group),
        **_setting(found.setting),
        "axes": dict(found.beside),
        "differs": []
        if found.setting is None
        else [list(pair) for pair in differences(plan, found.setting)],
        "low": found.low,
        "high": found.high,
        "open": list(found.open_sides),
        "by_noise": found.by_noise,
        "noise": str(found.noise),
        "scatter": found.scatter,
        "optimum": found.optimum,
        "equal": equal,
        "decades": _decades(found.equal),
        "within": found.within,
        "value": found.value,
        "se": se,
        "at": found.value_at,
        "seeds": found.seeds,
        "runs": list(found.runs),
        "unit": plan.unit,
        "epochs_spent": found.spent,
        "epochs_grid": found.grid,
        "provisional": found.provisional,
        "reasons": [reason.text for reason in found.reasons],
        "not_tested": list(found.not_tested),
        "paste": {"toml": toml.splitlines(), "torch": torch.splitlines()},
    }


def _setting(setting: Setting | None) -> dict[str, Any]:
    if setting is None:
        return {"optimizer": "", "schedule": "", "values": {}}
    return {
        "optimizer": setting.optimizer,
        "schedule": setting.schedule,
        "values": setting.named,
    }


def _decades(ends: tuple[float, float] | None) -> float | None:
    if ends is None or not 0 < ends[0] <= ends[1] < math.inf:
        return None
    return math.log10(ends[1] / ends[0])


def _factor(factor: Factor) -> dict[str, Any]:
    """Return one factor of a study; `said` is what log mode prints of it, `remarks` the part of it beside the levels."""
    levels = [{**asdict(level), "range": level_range(level)} for level in factor.levels]
    return {**asdict(factor), "levels": levels, "said": lines(factor), "remarks": remarks(factor)}


def _point(point: Point) -> dict[str, Any]:
    return {
        "lr": point.lr,
        "axes": point.setting.axes,
        "runs": list(point.runs),
        "values": list(point.values),
        "mean": point.mean,
        "se": point.se,
        "seeds": point.seeds,
        "level": point.level,
        "full": point.full,
        "dead": point.dead,
        "state": point.state,
        "val_loss": point.val_loss,
    }


def _map(found: Verdict, one: HeatMap, points: list[Point]) -> dict[str, Any]:
    """Return a heat map; `marks` are the values that its axis is labelled with, with their places from 0 to 1."""
    marks = round_values(one.axis, _MARKS)
    return {
        "group": group_text(found.group),
        "axis": one.axis.name,
        "lrs": [_digits(10**lr) for lr in one.lrs],
        "axis_values": [value_of(one.axis, share) for share in one.shares],
        "marks": [[_digits(value), share_of(one.axis, value)] for value in marks],
        "places": [one.place(point.setting) for point in points],
        "values": [[_digits(value) for value in row] for row in one.values],
        "limits": [_digits(limit) for limit in one.limits],
    }


def _digits(value: float) -> float:
    return float(amount(value))


# ---------------------------------------------------------------- the search


def _rung(sweep: Sweep, closed: RungClosed) -> dict[str, Any]:
    """Return who was compared at a rung, the best first, and what became of each."""
    named = [*closed.kept, *closed.pruned]
    rows = [_at_rung(sweep, closed, run) for run in named if run in sweep.runs]
    for run in sweep.trained():
        if run.id not in named and group_of(run.setting) == closed.group:
            rows += _beside(closed, run)
    return {
        "group": group_text(closed.group),
        "level": closed.level,
        "kept": list(closed.kept),
        "pruned": list(closed.pruned),
        "cut": closed.cut,
        "why": closed.why,
        "runs": rows,
    }


def _at_rung(sweep: Sweep, closed: RungClosed, run_id: str) -> dict[str, Any]:
    run = sweep.runs[run_id]
    if run_id in closed.kept:
        place = f"{closed.kept.index(run_id) + 1} of {len(closed.kept) + len(closed.pruned)}"
        return _judged(run, closed.level, "kept", place)
    why = run.ending.why if run.ending is not None else ""
    if shown_state(run) not in {"pruned", "diverged"}:
        why = f"below the cut; since then {shown_state(run)}"
    return _judged(run, closed.level, "pruned", why)


def _beside(closed: RungClosed, run: Run) -> list[dict[str, Any]]:
    """Return a run that was not compared at a rung: it joined late, or it died on the way; [] where it has no part in it."""
    here = [a for a in run.attempts if math.isclose(a.until, closed.level, rel_tol=_CLOSE)]
    if not here:
        return []
    went_on = any(attempt.until > closed.level * (1 + _CLOSE) for attempt in run.attempts)
    if went_on:
        return [_judged(run, closed.level, "kept", "joined late, above the cut")]
    if run.ending is None:
        return []
    died = run.ending.kind != "pruned" or run.ending.rule != "beaten"
    return [_judged(run, closed.level, run.ending.kind if died else "pruned", run.ending.why)]


def _judged(run: Run, level: float, fate: str, why: str) -> dict[str, Any]:
    untils = {attempt.number: attempt.until for attempt in run.attempts}
    values = [
        r.value for r in run.reached if math.isclose(untils.get(r.attempt, 0), level, rel_tol=1e-6)
    ]
    return {
        "run": run.id,
        "lr": run.setting.lr,
        "seed": run.seed,
        "value": values[-1] if values else None,
        "fate": fate,
        "why": why,
    }


def _ranges(snapshot: Snapshot, plan: Plan) -> list[dict[str, Any]]:
    """Return the range tests with what the rules read from them, and their curves."""
    found = []
    for run in snapshot.sweep.runs.values():
        if not run.is_range_test:
            continue
        told = snapshot.sweep.ranges.get(run.id)
        rules = ("valley", "steep", "minimum", "slide", "diverged")
        found.append(
            {
                "run": run.id,
                "group": group_text(group_of(run.setting)),
                "from": run.setting.lr,
                "to": run.lr_to,
                "steps": run.lr_steps,
                **{rule: getattr(told, rule) if told else None for rule in rules},
                "points": told.points if told else 0,
                "why": told.why if told and told.why else run.ending.why if run.ending else run.why,
                "curve": _range_curve(run, snapshot.series.get(run.id), plan.loss),
            }
        )
    return found


def _range_curve(run: Run, series: RunSeries | None, loss: str) -> list[list[float]]:
    """Return (lr, loss) of a range test; where its script prints no lr it is taken to have raised it evenly."""
    if series is None:
        return []
    losses, lrs = series.get(loss), series.get("lr")
    at = dict(zip(lrs.x, lrs.y, strict=True))
    rise = math.log(run.lr_to / run.setting.lr) / max(1, run.lr_steps - 1) if run.lr_to > 0 else 0.0
    every = max(1, -(-len(losses) // _RANGE_POINTS))
    pairs = [
        [at.get(x, run.setting.lr * math.exp(min(rise * i, 100.0))), y]
        for i, (x, y) in enumerate(zip(losses.x, losses.y, strict=True))
        if i % every == 0 and math.isfinite(y)
    ]
    return [pair for pair in pairs if 0 < pair[0] < math.inf]


# ---------------------------------------------------------------- the runs


def _row(snapshot: Snapshot, plan: Plan, row: Standing) -> dict[str, Any]:
    run = snapshot.sweep.runs.get(row.runs[0])
    every = [snapshot.sweep.runs[each] for each in row.runs if each in snapshot.sweep.runs]
    return {
        "rank": row.rank,
        "run": row.runs[0],
        "runs": list(row.runs),
        "lr": row.lr,
        **_setting(row.setting),
        "state": str(run.state) if run else row.state,
        "kind": run.ending.kind if run and run.ending else None,
        plan.unit: row.level,
        "metric": plan.metric,
        "value": row.value,
        "at": row.value_at,
        "mean": row.mean,
        "se": row.se,
        "seeds": row.seeds,
        "val_loss": row.val_loss,
        "best": row.best,
        "best_at": row.best_at,
        "test": _tests_at(snapshot.series.get(row.runs[0]), row.value_at),
        "spent": sum(each.spent for each in every),
        "why": row.why,
    }


def _run(snapshot: Snapshot, plan: Plan, run: Run) -> dict[str, Any]:
    """Return one run by itself: a line of report.csv."""
    series = snapshot.series.get(run.id)
    known = None if series is None or run.is_range_test else run_value(plan, series)
    why = run.ending.why if run.ending is not None else run.why
    return {
        "run": run.id,
        "lr": run.setting.lr,
        **_setting(run.setting),
        "seed": run.seed,
        "range_test": run.is_range_test,
        "origin": run.origin,
        "state": shown_state(run),
        "why": "; ".join(part for part in (why, *flag_texts(run, why)) if part),
        "value": known.value if known else None,
        "level": known.level if known else None,
        "val_loss": known.val_loss if known else None,
        "test": _tests_at(series, known.level if known else None),
        "spent": run.spent,
        "attempts": len(run.attempts),
        "output": about_output(snapshot, run),
    }


def _tests_at(series: RunSeries | None, level: float | None) -> dict[str, float]:
    """Return a run's test metrics at a length."""
    if series is None or level is None:
        return {}
    names = [name for name in series.names() if name.lower().startswith("test")]
    found = {name: series.at(name, level) for name in names}
    return {name: at[1] for name, at in found.items() if at is not None}


def _curves(snapshot: Snapshot, plan: Plan) -> list[dict[str, Any]]:
    """Return the objective and the training loss of each run, thinned to its highs and lows; null is a gap."""
    from lrtui.metrics import thin

    runs = [run for run in snapshot.sweep.trained() if run.id in snapshot.series]
    metrics = list(dict.fromkeys(name for name in (plan.metric, plan.loss) if name))
    most = _CURVE_POINTS // max(1, 3 * len(runs) * len(metrics))
    columns = min(_CURVE_COLUMNS, max(10, most))
    found = []
    for run in runs:
        group = group_text(group_of(run.setting))
        for metric in metrics:
            series = thin(snapshot.series[run.id].get(metric), columns, 0.0, plan.horizon or None)
            if len(series):
                y = [value if math.isfinite(value) else None for value in series.y]
                found.append(
                    {"run": run.id, "lr": run.setting.lr, "group": group}
                    | {"seed": run.seed, "metric": metric, "x": list(series.x), "y": y}
                )
    return found


# ---------------------------------------------------------------- how to do it again


def _settings(plan: Plan) -> dict[str, Any]:
    """Return what was the same for every run."""
    rungs = [amount(rung) for rung in (plan.rungs[0][1] if plan.rungs else ())]
    given = {
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
    return {key: value for key, value in given.items() if value not in (None, "")}


def _data(sweep: Sweep, plan: Plan) -> dict[str, Any]:
    data = sweep.data
    if data is None:
        return {"dataset": plan.dataset or "the script's own"}
    return {
        "dataset": data.dataset or plan.dataset,
        "classes": data.classes,
        "train": data.train,
        "val": data.val,
        "test": data.test,
        "checksum": data.checksum,
        "synthetic": data.synthetic,
    }


def _budget(sweep: Sweep, plan: Plan) -> dict[str, Any]:
    return {
        "limit": plan.budget,
        "limit_seconds": plan.budget_seconds,
        "spent": sweep.spent,
        "seconds": sweep.seconds,
        "reached": sweep.budget_reached.why if sweep.budget_reached is not None else None,
    }


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
    found = [clean(line, 1000).rstrip() for line in text.rstrip("\n").split("\n")] if text else []
    left = len(found) - _FILE_LINES
    return [*found[:_FILE_LINES], f"# and {left} more lines"] if left > 0 else found


def _reproduce(directory: Path) -> list[str]:
    """Return the commands that start the same experiment again, from the copy of its file that the runs used."""
    origin = read_origin(directory)
    file = os.path.join(os.path.realpath(directory), Layout(directory).experiment.name)
    beside = os.path.relpath(file, origin.cwd) if os.path.isabs(origin.cwd) else file
    shown = file if beside.startswith("..") else beside
    return [f"cd {shlex.quote(origin.cwd)}", f"lrtui {shlex.quote(shown)} --new"]


def _plain(value: Any) -> Any:
    """Return a value as strict JSON: text cleaned, non-finite numbers as words."""
    if isinstance(value, dict):
        return {clean(str(key), 200): _plain(inner) for key, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(inner) for inner in value]
    if isinstance(value, str):
        return clean(value, 1000)
    if isinstance(value, float) and not math.isfinite(value):
        return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
    return value
