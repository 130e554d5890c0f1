"""Writes run.json and argv.json before a run starts, and makes its worker's environment."""

from __future__ import annotations

import json
import os
import socket
import sys
import time
from collections.abc import Mapping
from pathlib import Path

import msgspec

from lrtui.config import (
    Experiment,
    argv,
    environment,
    own_environment,
    own_files,
    own_patterns,
    program,
)
from lrtui.config.directory import Origin, beside
from lrtui.integrations import PYTHONPATH
from lrtui.metrics.capture.patterns import sources
from lrtui.metrics.read_lines import ReadSpec
from lrtui.metrics.sources.older import older_files
from lrtui.supervisor.provenance import changes, provenance
from lrtui.sweep.choice import choice_of
from lrtui.sweep.events import Plan
from lrtui.sweep.files import read_untrusted, write_atomic, write_closed
from lrtui.sweep.layout import AttemptLayout, Layout
from lrtui.sweep.state import Run, Sweep
from lrtui.train import HOST
from lrtui.train.models import is_custom
from lrtui.train.options import AUTO, PRECISIONS
from lrtui.workers.launcher import LOCAL, Job

_ARGV_BYTES = 1 << 20
_CONVERTER = "import sys; sys.path[:] = sys.argv[2:]; from lrtui.metrics.converter import main; main(sys.argv[1])"


def write_run(folder: Path, run: Run, plan: Plan, trained_in: str) -> None:
    """Write a run's run.json, creating its directory if needed; `trained_in` is the built-in trainer's precision, else ""."""
    folder.mkdir(mode=0o700, exist_ok=True)
    setting = run.setting
    content = {
        "run": run.id,
        "lr": setting.lr,
        "optimizer": setting.optimizer,
        "schedule": setting.schedule,
        "values": setting.named,
        "seed": run.seed,
        "dataset": setting.values.get("dataset", plan.dataset),
        "model": setting.values.get("model", plan.model),
        "horizon": run.length(plan.horizon),
        "unit": plan.unit,
        "lr_to": run.lr_to,
        "lr_steps": run.lr_steps,
        "threads": plan.threads,
        **({"precision": trained_in} if trained_in else {}),
        "parent": run.parent,
    }
    write = write_atomic if plan.launcher == LOCAL else write_closed
    write(folder / "run.json", json.dumps(content, indent=1).encode())


def last_checkpoint(folder: Path, run: Run) -> int | None:
    """Return the latest attempt that left a checkpoint, since the run was last started from the beginning."""
    for attempt in reversed(run.attempts):
        if AttemptLayout(folder / f"a{attempt.number}").checkpoint.exists():
            return attempt.number
        if attempt.resumed_from is None:
            break
    return None


def job(
    layout: Layout, run: Run, experiment: Experiment, sweep: Sweep, origin: Origin
) -> tuple[Job, list[str]]:
    """Write argv.json of a run's latest attempt; return what the launcher needs, and what has changed since the first."""
    plan, attempt = sweep.plan, run.attempts[-1]
    assert plan is not None, "a launched run has a plan"  # noqa: S101
    files = AttemptLayout(layout.attempt(run.folder, attempt.number))
    context = _context(files, run, plan, sweep)
    if experiment.builtin:
        context["beside"] = str(beside(origin))
        context["precision"] = precision(experiment, sweep)
    source = layout.attempt(run.folder, attempt.resumed_from) if attempt.resumed_from else None
    handed_on = AttemptLayout(source).checkpoint if source else None
    words = argv(experiment, context, resumed=handed_on is not None and handed_on.exists())
    _write_files(files.root.parent, own_files(experiment, context))
    cwd = Path(origin.cwd, experiment.workdir or "")
    made_by, own = provenance(words, cwd), own_environment(experiment, context)
    content = {
        "argv": words,
        "cwd": str(cwd),
        "from": attempt.resumed_from,
        "checkpoint_from": str(handed_on) if handed_on else None,
        "parse": sources(plan.parse),
        **_converted(files, own_patterns(experiment, context, cwd), handed_on, plan),
        **made_by,
        "found": program(words[0], own) if plan.launcher == LOCAL else "",
    }
    write = write_atomic if plan.launcher == LOCAL else write_closed
    write(files.argv, json.dumps(content, indent=1).encode())
    values = {
        **environment(context, experiment),
        **device_environment(attempt.devices, plan.threads, remote=plan.launcher != LOCAL),
        **own,
        **_python_path(experiment, own),
        "LRTUI_METRICS": str(files.metrics),
        "LRTUI_ATTEMPT_DIR": str(files.root),
        "LRTUI_DURABILITY": experiment.durability,
    }
    changed = [
        f"{what} changed since the first run was started"
        for what in changes(_first_provenance(layout, sweep, made_by), made_by)
    ]
    host = _host(attempt.devices) if attempt.shared else ""
    return Job(files.root, attempt.token, values, preloaded=experiment.builtin, host=host), changed


def _converted(
    files: AttemptLayout, patterns: list[str], handed_on: Path | None, plan: Plan
) -> dict[str, object]:
    """Return what the keeper needs to run a converter of the files that the worker's loggers write; {} without `read`.

    The converter gets this process's module path: the worker's PYTHONPATH is only for the worker.
    """
    if not patterns:
        return {}
    older = older_files(patterns, (handed_on, files.checkpoint) if handed_on else None)
    spec = ReadSpec(patterns, older, time.time(), plan.position)
    ways = [os.path.abspath(way) for way in sys.path]
    return {
        "read": msgspec.to_builtins(spec),
        "converter": [sys.executable, "-I", "-c", _CONVERTER, str(files.root), *ways],
    }


def _python_path(experiment: Experiment, own: Mapping[str, str]) -> dict[str, str]:
    """Return PYTHONPATH with lrtui's own folder before the user's, for a script of the user's own."""
    if experiment.builtin or not experiment.inject:
        return {}
    theirs = own.get("PYTHONPATH", os.environ.get("PYTHONPATH", ""))
    return {"PYTHONPATH": os.pathsep.join(filter(None, (PYTHONPATH, theirs)))}


def _write_files(run_dir: Path, files: list[tuple[str, str]]) -> None:
    """Write the files of [files].

    Raises:
        OSError: one cannot be written; ValueError: one would be outside of the run's directory, through a link.

    """
    for name, text in files:
        path = Path(name)
        if not path.parent.resolve().is_relative_to(run_dir.resolve()):
            raise ValueError(f"{name} is outside of the run's directory")
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomic(path, text.encode())


def may_share(experiment: Experiment, run: Run, devices: tuple[int, ...]) -> bool:
    """Return whether a run's next attempt may train beside others in one process.

    Unless the file says otherwise, runs on a GPU do. A model of the user may do anything to its process, and a range test is short:
    both get their own process, as does a run whose shared process died.
    """
    if not experiment.builtin or run.apart or run.is_range_test:
        return False
    model = run.setting.values.get("model", experiment.model)
    if is_custom(choice_of(str(model)).name):
        return False
    return experiment.isolation == "shared" or (experiment.isolation == AUTO and bool(devices))


def _host(devices: tuple[int, ...]) -> str:
    """Return the name of the process in which the runs of these GPUs, or of the CPU, train side by side."""
    return f"{HOST} {','.join(map(str, devices)) or 'cpu'}"


def precision(experiment: Experiment, sweep: Sweep) -> str:
    """Return the precision of every run: the experiment's own, or what "auto" chose when the data was prepared."""
    if experiment.precision != AUTO:
        return experiment.precision
    return PRECISIONS[1] if sweep.data and sweep.data.precision == PRECISIONS[1] else PRECISIONS[0]


def device_environment(
    devices: tuple[int, ...], threads: int, *, remote: bool = False
) -> dict[str, str]:
    """Return the variables that give a worker its GPUs (none: it must not see one; `remote`: its job says which) and its threads."""
    own = {
        "CUDA_DEVICE_ORDER": "PCI_BUS_ID",
        "CUDA_VISIBLE_DEVICES": ",".join(map(str, devices)),
    }
    return {
        **({} if remote else own),
        "OMP_NUM_THREADS": str(threads),
        "MKL_NUM_THREADS": str(threads),
        "PYTHONUNBUFFERED": "1",
    }


def _context(
    files: AttemptLayout, run: Run, plan: Plan, sweep: Sweep
) -> dict[str, str | float | int]:
    return {
        **run.setting.named,
        "lr": run.setting.lr,
        "optimizer": run.setting.optimizer,
        "schedule": run.setting.schedule,
        "seed": run.seed,
        "run": run.id,
        "run_dir": str(files.root.parent),
        "horizon": run.length(plan.horizon),
        "until": run.attempts[-1].until,
        "checkpoint": str(files.checkpoint),
        "gpus": plan.gpus,
        "port": _free_port(),
        "threads": plan.threads,
        "prepared": data.path if (data := sweep.data_of(run.setting)) else "",
        "lr_to": run.lr_to or run.setting.lr,
        "lr_steps": run.lr_steps,
    }


def _first_provenance(layout: Layout, sweep: Sweep, ours: dict[str, str]) -> dict[str, str]:
    first = next((run for run in sweep.runs.values() if run.attempts), None)
    if first is None:
        return ours
    try:
        argv_file = AttemptLayout(layout.attempt(first.folder, 1)).argv
        content = json.loads(read_untrusted(argv_file, _ARGV_BYTES))
        return {key: str(content.get(key, ours[key])) for key in ours}
    except (OSError, ValueError, AttributeError):
        return ours


def _free_port() -> int:
    """Return a TCP port of the loopback interface that is free now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
