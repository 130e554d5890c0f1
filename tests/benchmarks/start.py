"""How fast a run starts: `python -m tests.benchmarks.start [--repeats 10]`.

The built-in trainer on digits, started from nothing and forked by a preloaded process, in turns: from the launch to a
living worker (pid.json) and to its first step (its first metric line); then the memory of two living runs of each kind, as
proportional set size, with the preloaded process counted once. The metric lines of both kinds are compared, and must be
equal but for times.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import secrets
import signal
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from time import perf_counter, sleep

from lrtui.supervisor.startup import device_environment
from lrtui.sweep.layout import AttemptLayout
from lrtui.train import IMPORTS
from lrtui.workers import keeper
from lrtui.workers.launcher import Alive, Exited, Job
from lrtui.workers.local import Local

CLOCKED = ("time", "images_per_second")


def prepare(folder: Path) -> Path:
    words = [
        sys.executable,
        "-m",
        "lrtui.train.prepare",
        "--dataset=digits",
        f"--data-dir={folder}",
    ]
    said = subprocess.run(words, capture_output=True, text=True, check=True).stdout
    return Path(json.loads(said.splitlines()[-1])["path"])


def job(folder: Path, prepared: Path, model: str, epochs: int, *, preloaded: bool) -> Job:
    root = folder / secrets.token_hex(4)
    root.mkdir(parents=True)
    options = [f"--prepared={prepared}", f"--model={model}", "--lr=1e-3", "--batch-size=32"]
    length = [f"--epochs={epochs}", f"--until={epochs}", "--threads=1", "--seed=0"]
    argv = [sys.executable, "-m", "lrtui.train", *options, *length]
    AttemptLayout(root).argv.write_text(json.dumps({"argv": argv, "cwd": str(folder)}))
    environment = {**device_environment((), 1), "LRTUI_METRICS": str(AttemptLayout(root).metrics)}
    return Job(root, secrets.token_hex(16), environment, preloaded=preloaded)


def start(launcher: Local, made: Job) -> tuple[float, float]:
    """Return the seconds from the launch to a living worker and to the end of its first step."""
    files, began = AttemptLayout(made.root), perf_counter()
    launcher.launch(made)
    while not files.pid.exists():
        sleep(0.0005)
    alive = perf_counter() - began
    while not (files.metrics.exists() and files.metrics.stat().st_size):
        sleep(0.0005)
    return alive, perf_counter() - began


def finish(launcher: Local, made: Job) -> list[dict[str, float]]:
    """Return the metric lines of a run that was let go to its end, without what is measured by a clock."""
    while not isinstance(ending := launcher.condition(made.root, made.token), Exited):
        sleep(0.01)
    assert ending == Exited(0, None), AttemptLayout(made.root).output.read_text()
    lines = [json.loads(line) for line in AttemptLayout(made.root).metrics.read_text().splitlines()]
    return [{k: v for k, v in line.items() if k not in CLOCKED} for line in lines]


def memory(pids: list[int]) -> float:
    """Return the proportional set size of processes together, in MB."""
    kib = 0
    for pid in pids:
        with open(f"/proc/{pid}/smaps_rollup", encoding="ascii") as file:
            kib += next(int(line.split()[1]) for line in file if line.startswith("Pss:"))
    return kib / 1024


def ready() -> tuple[Local, float]:
    launcher, began = Local(), perf_counter()
    launcher.preload(IMPORTS, device_environment((), 1))
    while launcher._preloaded._asked:
        launcher._preloaded.poll()
        sleep(0.001)
    return launcher, perf_counter() - began


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--repeats", type=int, default=10)
    repeats = parser.parse_args().repeats
    with tempfile.TemporaryDirectory(prefix="lrtui-start-") as name:
        folder = Path(name)
        prepared = prepare(folder / "data")
        launcher, seconds = ready()
        print(
            f"{platform.platform()}, {os.cpu_count()} cores; preloaded in {seconds:.2f} s, n = {repeats}"
        )
        for model, epochs in (("cnn3", 2), ("cnn7", 1)):
            times: dict[bool, list[tuple[float, float]]] = {False: [], True: []}
            told: dict[bool, list[dict[str, float]]] = {}
            for _ in range(repeats):
                for preloaded in (False, True):
                    made = job(folder / "runs", prepared, model, epochs, preloaded=preloaded)
                    times[preloaded].append(start(launcher, made))
                    if model == "cnn7" and told.get(preloaded):
                        launcher.send(made.root, made.token, signal.SIGKILL)
                    else:
                        told[preloaded] = finish(launcher, made)
            for preloaded, found in times.items():
                alive, first = ([pair[i] for pair in found] for i in (0, 1))
                print(
                    f"{model} {'forked' if preloaded else 'plain ':6}  living {statistics.median(alive) * 1000:6.1f} ms "
                    f"(max {max(alive) * 1000:.1f})  first step {statistics.median(first):.2f} s (max {max(first):.2f})"
                )
            same = "equal" if told[False] == told[True] else "DIFFERENT"
            print(f"{model} metric lines of both kinds: {same} ({len(told[True])} lines)")
        for preloaded in (False, True):
            runs = [
                job(folder / "runs", prepared, "cnn3", 5000, preloaded=preloaded) for _ in range(2)
            ]
            for made in runs:
                start(launcher, made)
            sleep(1)
            pids = [pid for made in runs for pid in keeper.bearers(made.token)]
            shared = (
                [launcher._preloaded._process.pid]
                if preloaded and launcher._preloaded._process
                else []
            )
            print(
                f"{'forked' if preloaded else 'plain ':6}  two runs with their keepers{' and the preloaded process' if preloaded else ''}: "
                f"{memory(pids + shared):.0f} MB"
            )
            for made in runs:
                assert isinstance(launcher.condition(made.root, made.token), Alive)
                launcher.send(made.root, made.token, signal.SIGKILL)
                while not isinstance(launcher.condition(made.root, made.token), Exited):
                    sleep(0.01)


if __name__ == "__main__":
    main()
