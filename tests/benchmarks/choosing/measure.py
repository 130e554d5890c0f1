"""Measures the truth: `python -m tests.benchmarks.choosing.measure [NAME ...] [--data-dir DIR] [--jobs 2] [--again]`.

What a table holds already is kept; --again measures everything anew.

Every run is the real command of the real trainer (or script) with one thread, executed in a fork of a process that has
imported torch but never computed: it saves the start, and the metric lines are the same to the last bit (--check shows it).
A table takes 3 (digits) to 15 minutes of one core. Seconds are processor time, so that they hold also where others use
the machine.
"""

from __future__ import annotations

import argparse
import importlib
import json
import math
import os
import platform
import resource
import runpy
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

for _name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS"):  # before torch is imported
    os.environ[_name] = "1"

from tests.benchmarks.choosing.workloads import ROOT, SEEDS, WORKLOADS, Workload, path_of

DIGITS = 5
NICE = 5


@dataclass(frozen=True, slots=True)
class Job:
    """One process to run."""

    lr: float | None
    """None: a range test."""
    seed: int
    command: list[str]
    length: int = 0
    """Of its whole schedule; 0: the horizon."""


@dataclass(frozen=True, slots=True)
class Done:
    """What it left."""

    lines: list[dict[str, Any]]
    seconds: float
    output: str


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", help=f"{', '.join(WORKLOADS)}; default: all")
    parser.add_argument("--data-dir", type=Path, default=Path("data"))
    parser.add_argument("--jobs", type=int, default=2, help="processes at a time")
    parser.add_argument("--again", action="store_true", help="measure anew what is there already")
    parser.add_argument(
        "--check",
        action="store_true",
        help="only show that a fork trains as a process of its own does",
    )
    options = parser.parse_args()
    os.nice(NICE)
    for name in options.names or [each for each in WORKLOADS if not WORKLOADS[each].task]:
        workload = WORKLOADS[name]
        about = prepare(workload, options.data_dir)
        if options.check:
            check(workload, about)
        else:
            known = {} if options.again else there(workload)
            write(workload, measure(workload, about, known, options.jobs))


def prepare(workload: Workload, data_dir: Path) -> dict[str, Any]:
    """Return what the trainer's preparation says about the data; {} for an own script."""
    if not workload.dataset:
        return {}
    command = [sys.executable, "-m", "lrtui.train.prepare", f"--dataset={workload.dataset}"]
    done = subprocess.run(
        [*command, f"--data-dir={data_dir.absolute()}"],
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    return json.loads(done.stdout)


def there(workload: Workload) -> dict[str, Any]:
    """Return the table that there is; {} where there is none."""
    path = path_of(workload)
    return json.loads(path.read_text()) if path.exists() else {}


def measure(
    workload: Workload, about: dict[str, Any], known: dict[str, Any], jobs: int
) -> dict[str, Any]:
    """Train everything that is not known; return the table."""
    prepared = about.get("path", "")
    images = round(workload.data * about["train"]) if about else 0
    steps_per_unit = math.ceil(images / workload.batch_size) if workload.unit == "epochs" else 1
    runs = {(run["lr"], run["seed"]): run for run in known.get("runs", ())}
    ranges = {curve["seed"]: curve for curve in known.get("ranges", ())}
    ranging = [Job(None, seed, workload.range_command(seed, prepared)) for seed in SEEDS]
    training = [
        Job(lr, seed, workload.command(lr, seed, prepared)) for lr in workload.lrs for seed in SEEDS
    ]
    todo = [job for job in ranging if job.seed not in ranges]
    todo += [job for job in training if (job.lr, job.seed) not in runs]
    pilots = {(run["lr"], run["seed"]): run for run in known.get("pilots", ())}
    length = workload.pilot
    todo += [
        Job(lr, seed, workload.command(lr, seed, prepared, length), length)
        for lr in workload.lrs
        for seed in SEEDS
        if length and (lr, seed) not in pilots
    ]
    start_seconds = known.get("start_seconds") or start(workload)
    import_torch()
    began = time.monotonic()
    for number, (job, done) in enumerate(run_all(todo, jobs), 1):
        if job.lr is None:
            ranges[job.seed] = curve_of(job.seed, done, steps_per_unit)
        elif job.length:
            found = row(workload, job.lr, job.seed, done, steps_per_unit, length=job.length)
            pilots[job.lr, job.seed] = {"length": job.length, **ending(found)}
        else:
            runs[job.lr, job.seed] = row(workload, job.lr, job.seed, done, steps_per_unit)
        what = "range test" if job.lr is None else f"lr {job.lr:.1e}"
        print(f"{workload.name}, {what}, seed {job.seed}: {done.seconds:.1f} s  "
              f"({number}/{len(todo)}, {time.monotonic() - began:.0f} s)", flush=True)  # fmt: skip
    return {
        **workload.facts(held_out=workload.held_out),
        "batch_size": workload.batch_size,
        "steps_per_unit": steps_per_unit,
        "levels": list(range(workload.every, workload.horizon + 1, workload.every)),
        "lrs": workload.lrs,
        "seeds": SEEDS,
        "train_images": images,
        "val_images": about.get("val", 0),
        "test_images": about.get("test", 0),
        "classes": about.get("classes", 0),
        "start_seconds": rounded(start_seconds),
        "made_with": made_with(),
        "runs": [runs[lr, seed] for lr in workload.lrs for seed in SEEDS],
        **(
            {"pilots": [pilots[lr, seed] for lr in workload.lrs for seed in SEEDS]}
            if length
            else {}
        ),
        "ranges": [ranges[seed] for seed in SEEDS],
    }


def row(
    workload: Workload, lr: float, seed: int, done: Done, steps_per_unit: int, *, length: int = 0
) -> dict[str, Any]:
    """Return one run of the table; with `length` one whose schedule ends there."""
    lists: dict[str, list[float | None]] = {
        name: [] for name in ("value", "val_loss", "test", "train_loss")
    }
    sums, before = [], 0
    for line in done.lines:
        if "train_loss" in line:
            sums.append((number(line["train_loss"]), line["step"] - before))
            before = line["step"]
        if workload.metric not in line:
            continue
        steps = sum(count for _, count in sums)
        mean = sum(loss * count for loss, count in sums) / steps
        found = [line[workload.metric], line["val_loss"], line[workload.test], mean]
        for values, value in zip(lists.values(), found, strict=True):
            values.append(rounded(number(value)))
        sums = []
    total = length or workload.horizon
    expected = -(-total // workload.every)
    if len(lists["value"]) != expected or done.lines[-1]["step"] != total * steps_per_unit:
        sys.exit(
            f"{workload.name}, lr {lr}, seed {seed}: {len(lists['value'])} evaluations instead of {expected}\n{done.output}"
        )
    return {"lr": lr, "seed": seed, **lists, "seconds": round(done.seconds, 2)}


def ending(run: dict[str, Any]) -> dict[str, Any]:
    """Return the last value of each list of a run."""
    return {key: value[-1] if isinstance(value, list) else value for key, value in run.items()}


def curve_of(seed: int, done: Done, steps_per_unit: int) -> dict[str, Any]:
    """Return one range test of the table."""
    if not done.lines:
        sys.exit(f"range test, seed {seed}: no metric lines\n{done.output}")
    return {
        "seed": seed,
        "lrs": [rounded(line["lr"]) for line in done.lines],
        "losses": [rounded(number(line["train_loss"])) for line in done.lines],
        "cost": rounded(len(done.lines) / steps_per_unit),
        "seconds": round(done.seconds, 2),
    }


def number(value: float | str) -> float:
    """Return a value of a metric line: emit writes non-finite ones as words."""
    return float(value)


def rounded(value: float) -> float | None:
    """Return the value with 5 significant digits, None where it is not finite."""
    return float(f"{value:.{DIGITS}g}") if math.isfinite(value) else None


def write(workload: Workload, table: dict[str, Any]) -> None:
    """Write the table, one run a line."""
    path = path_of(workload)
    path.parent.mkdir(exist_ok=True)
    head = {key: value for key, value in table.items() if key not in {"runs", "pilots", "ranges"}}
    lines = [f" {dumps(key)}: {dumps(value)}" for key, value in head.items()]
    for key in sorted({"runs", "pilots", "ranges"} & set(table)):
        rows = ",\n".join(f"  {dumps(item)}" for item in table[key])
        lines.append(f' "{key}": [\n{rows}\n ]')
    temporary = path.with_suffix(".tmp")
    temporary.write_text("{\n" + ",\n".join(lines) + "\n}\n")
    temporary.replace(path)
    print(f"{path.relative_to(ROOT)}: {path.stat().st_size:,} bytes", flush=True)


def dumps(value: object) -> str:
    return json.dumps(value, allow_nan=False)


# ---------------------------------------------------------------- processes


def import_torch() -> None:
    """Import what the children need; nothing may be computed here, or a child that computes would hang."""
    for module in ("loop", "range_test", "models.cnn3", "schedules.constant", "schedules.cosine"):
        importlib.import_module(f"lrtui.train.{module}")


def run_all(todo: list[Job], jobs: int) -> Iterable[tuple[Job, Done]]:
    """Run the jobs, so many at a time; yield each as it ends."""
    waiting, running = list(todo), {}
    with tempfile.TemporaryDirectory() as folder:
        while waiting or running:
            while waiting and len(running) < jobs:
                job = waiting.pop(0)
                place = Path(folder, f"{len(waiting)}")
                running[fork(job.command, place)] = job, place
            pid, status, usage = os.wait4(-1, 0)
            job, place = running.pop(pid)
            output = place.with_suffix(".log").read_text()
            if status:
                sys.exit(f"{job.command} ended with {os.waitstatus_to_exitcode(status)}\n{output}")
            yield job, Done(read(place), usage.ru_utime + usage.ru_stime, output)


def fork(command: list[str], place: Path) -> int:
    """Do what `python *command` does, in a child of this process; return its pid."""
    sys.stdout.flush()
    if pid := os.fork():
        return pid
    code = 1
    try:
        log = os.open(place.with_suffix(".log"), os.O_WRONLY | os.O_CREAT, 0o600)
        os.dup2(log, 1)
        os.dup2(log, 2)
        os.environ["LRTUI_METRICS"] = str(place)
        if command[0] == "-m":
            sys.argv = command[1:]
            runpy.run_module(command[1], run_name="__main__", alter_sys=True)
        else:
            sys.argv = command
            runpy.run_path(command[0], run_name="__main__")
        code = 0
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else 0 if end.code is None else 1
    except BaseException:  # noqa: BLE001 - the child ends here, whatever it was
        sys.excepthook(*sys.exc_info())
    finally:
        sys.stdout.flush()
        os._exit(code)


def read(place: Path) -> list[dict[str, Any]]:
    """Return the metric lines."""
    return [json.loads(line) for line in place.read_text().splitlines()] if place.exists() else []


def start(workload: Workload) -> float:
    """Return the processor seconds that a process takes to have imported what it trains with: the median of 3."""
    modules = "torch, torch._dynamo" if workload.script else "lrtui.train.loop"
    seconds = []
    for _ in range(3):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run([sys.executable, "-c", f"import {modules}"], check=True, cwd=ROOT)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        seconds.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    return statistics.median(seconds)


def made_with() -> dict[str, Any]:
    import torch  # here it is imported already

    return {
        "torch": str(torch.__version__),
        "python": platform.python_version(),
        "machine": platform.machine(),
        "cores": os.cpu_count(),
        "threads": 1,
    }


def check(workload: Workload, about: dict[str, Any]) -> None:
    """Train one run both ways and compare everything but speeds and times."""
    lr = workload.lrs[len(workload.lrs) * 5 // 9]
    command = workload.command(lr, 1, about.get("path", ""))
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder, "own")
        environment = os.environ | {"LRTUI_METRICS": str(place)}
        subprocess.run(
            [sys.executable, *command],
            check=True,
            env=environment,
            cwd=ROOT,
            stdout=subprocess.DEVNULL,
        )
        own = read(place)
    import_torch()
    ((_, forked),) = run_all([Job(lr, 1, command)], 1)
    same = [strip(line) for line in own] == [strip(line) for line in forked.lines]
    print(f"{workload.name}, lr {lr:.1e}: {len(own)} lines, {'equal' if same else 'NOT EQUAL'}")


def strip(line: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in line.items() if key not in {"time", "images_per_second"}}


if __name__ == "__main__":
    main()
