"""report.md and report.json: the leaderboard, the verdict, and how to do it again.

Both are written whole or not at all, from one snapshot. Whatever a worker or a file named is cleaned, and escaped for
Markdown. Non-finite numbers stand in the JSON as "NaN", "Infinity" and "-Infinity", as in a metric line.
"""

from __future__ import annotations

import json
import math
import platform
import re
import shlex
import time
from importlib import metadata
from typing import TYPE_CHECKING, Any

from lrtui import keeper
from lrtui.errors import MachineError
from lrtui.events import Plan
from lrtui.layout import Layout
from lrtui.opening import read_origin
from lrtui.sweep import Run, Sweep, lr_text
from lrtui.text import clean
from lrtui.verdict import Verdict, number, verdict

if TYPE_CHECKING:
    from pathlib import Path

    from lrtui.ranking import Standing
    from lrtui.watcher import Snapshot

__all__ = ["Verdict", "content", "markdown", "verdict", "write"]

VERSION = 1
_PACKAGES = ("lrtui", "torch", "torchvision", "numpy")


def write(directory: Path, snapshot: Snapshot) -> list[Path]:
    """Write report.md and report.json into an experiment directory and return their paths.

    Raises:
        MachineError: the directory cannot be written.

    """
    layout = Layout(directory)
    made = content(snapshot)
    texts = {
        layout.report_md: markdown(made),
        layout.report_json: json.dumps(made, indent=1, allow_nan=False) + "\n",
    }
    try:
        for path, text in texts.items():
            keeper.write_whole(str(path), text.encode())
    except OSError as error:
        raise MachineError(
            f"the report cannot be written ({error.strerror})",
            str(directory),
            "copy the directory to a place that you may write, and report there",
        ) from error
    return list(texts)


def content(snapshot: Snapshot) -> dict[str, Any]:
    """Return the report as strict JSON can say it."""
    sweep, plan = snapshot.sweep, snapshot.sweep.plan
    if plan is None:
        plan = Plan(
            name=snapshot.directory.name,
            source="",
            metric="",
            goal="max",
            loss="",
            unit="epoch",
            horizon=0,
        )
    found = verdict(sweep)
    made = {
        "version": VERSION,
        "experiment": plan.name,
        "metric": plan.metric,
        "goal": plan.goal,
        "settings": _settings(plan),
        "data": _data(sweep, plan),
        "leaderboard": [_row(snapshot, plan, row) for row in snapshot.standings],
        "verdict": {
            "headline": found.headline(plan),
            "lr": found.lr,
            "runs": list(found.runs),
            "value": found.value,
            "at": found.value_at,
            "provisional": found.provisional,
            "reasons": list(found.reasons),
            "not_tested": list(found.not_tested),
        },
        "closed": None
        if sweep.closed is None
        else {"code": sweep.closed.code, "why": sweep.closed.why},
        "warnings": [text for _, _, text in sweep.warnings[-20:]],
        "versions": _versions(),
        "reproduce": _reproduce(snapshot.directory),
        "written": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(snapshot.read_at)),
    }
    cleaned: dict[str, Any] = _plain(made)
    return cleaned


def markdown(made: dict[str, Any]) -> str:
    """Return the report for people, from what `content` returned."""
    verdict_made, settings = made["verdict"], made["settings"]
    lines = [
        f"# {_escape(made['experiment'])}",
        "",
        f"**{_escape(verdict_made['headline'])}**",
        "",
        *(f"- {_escape(reason)}" for reason in verdict_made["reasons"]),
    ]
    if verdict_made["not_tested"]:
        lines.append(f"- not tested: {_escape(', '.join(verdict_made['not_tested']))}")
    lines += ["", "## Leaderboard", "", *_table(made), ""]
    lines += [
        (
            "Settings are compared at equal lengths of training only: the value is the one at the length beside it. "
            "Test metrics are reported at that length and never selected on."
        ),
        "",
        "## Settings",
        "",
        *(f"- {_escape(key)}: {_escape(value)}" for key, value in settings.items()),
        "",
        "## Data",
        "",
        *(f"- {_escape(key)}: {_escape(value)}" for key, value in made["data"].items()),
    ]
    if made["warnings"]:
        lines += ["", "## Warnings", "", *(f"- {_escape(text)}" for text in made["warnings"])]
    lines += ["", "## Again", "", *(f"    {clean(line)}" for line in made["reproduce"]), ""]
    lines += [
        (
            f"Versions: {', '.join(f'{_escape(k)} {_escape(v)}' for k, v in made['versions'].items())}. "
            f"Written {made['written']}."
        ),
        "",
    ]
    return "\n".join(lines)


# ---------------------------------------------------------------- parts


def _settings(plan: Plan) -> dict[str, Any]:
    """Return what was the same for every run."""
    given = {
        "model": plan.model,
        "learning rates": plan.strategy,
        "horizon": plan.horizon,
        "unit": plan.unit,
        "value": plan.value,
        "keep": plan.keep,
        "within": plan.within,
        "seeds": plan.seeds,
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


def _row(snapshot: Snapshot, plan: Plan, row: Standing) -> dict[str, Any]:
    run: Run | None = snapshot.sweep.runs.get(row.runs[0])
    return {
        "rank": row.rank,
        "run": row.runs[0],
        "runs": list(row.runs),
        "lr": row.lr,
        "optimizer": row.setting.optimizer,
        "schedule": row.setting.schedule,
        "values": dict(row.setting.values),
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
        "test": _test_metrics(snapshot, row),
        "why": row.why,
    }


def _test_metrics(snapshot: Snapshot, row: Standing) -> dict[str, float]:
    """Return the first run's test metrics at the length at which it is ranked."""
    series = snapshot.series.get(row.runs[0])
    if series is None or row.value_at is None:
        return {}
    found = {}
    for name in series.names():
        at = series.at(name, row.value_at) if name.lower().startswith("test") else None
        if at is not None:
            found[name] = at[1]
    return found


def _versions() -> dict[str, str]:
    """Return the versions that are installed here, without importing anything."""
    found = {"python": platform.python_version(), "system": platform.platform(terse=True)}
    for package in _PACKAGES:
        try:
            found[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    return found


def _reproduce(directory: Path) -> list[str]:
    """Return the commands that start the same experiment again."""
    origin = read_origin(directory)
    file = origin.source or str(Layout(directory).experiment)
    return [f"cd {shlex.quote(origin.cwd)}", f"lrtui {shlex.quote(file)} --new"]


def _table(made: dict[str, Any]) -> list[str]:
    rows = made["leaderboard"]
    tests = sorted({name for row in rows for name in row["test"]})
    metric = made["metric"]
    head = [
        "rank",
        "run",
        "lr",
        "setting",
        "state",
        metric,
        "at",
        "± se",
        "val_loss",
        *tests,
        "why",
    ]
    unit = made["settings"].get("unit", "")
    lines = [_cells(head), "|" + " --- |" * len(head)]
    for row in rows:
        parts = [row["optimizer"], row["schedule"], *(f"{k}={v}" for k, v in row["values"].items())]
        cells = [
            row["rank"],
            " ".join(row["runs"]),
            lr_text(float(row["lr"])),
            " ".join(part for part in parts if part),
            row["kind"] or row["state"],
            _number(row["value"]),
            "" if row["at"] is None else f"{unit} {row['at']:.10g}",
            _number(row["se"]),
            _number(row["val_loss"]),
            *(_number(row["test"].get(name)) for name in tests),
            row["why"],
        ]
        lines.append(_cells(cells))
    return lines


def _cells(cells: list[Any]) -> str:
    return "| " + " | ".join(_escape(cell) for cell in cells) + " |"


def _number(value: Any) -> str:
    """Return a number of the report; words stand for non-finite ones."""
    return "" if value is None else number(value) if isinstance(value, (int, float)) else str(value)


_SPECIAL = re.compile(
    r"([\\`*\[\]<>|~#&!$])|(?<![A-Za-z0-9])_|_(?![A-Za-z0-9])|(?<=:)(?=//)|(?<=www)(?=\.)"
)


def _escape(value: Any) -> str:
    """Return text that Markdown shows as it is: no link, image, HTML, heading or further cell comes of it."""
    return _SPECIAL.sub(lambda match: "\\" + match[0], clean(str(value), 1000))


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
