"""lrtui's trainer beside a plain script: `python -m tests.benchmarks.train [--short] [--data-dir DIR]`.

Both train the article's network on Fashion-MNIST (batch 128, Adam) as processes, one contender after another, in
rounds, so that whatever else the machine does meets all of them. A round gives each contender's images per second
after its first step, and the seconds from starting the process to the end of its first step. Ratios
are formed within a round; the table gives medians, the range of the ratio, and n.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

BATCH = 128
HERE = Path(__file__).parent


@dataclass(frozen=True, slots=True)
class Contender:
    name: str
    processes: int
    threads: int
    precision: str = "fp32"
    plain: bool = False


@dataclass(frozen=True, slots=True)
class Reading:
    images_per_second: float
    """All processes together."""
    first_step_seconds: float


CONTENDERS = (
    Contender("plain script, DataLoader workers=2", 1, 2, plain=True),
    Contender("lrtui fp32, 1 run x 2 threads", 1, 2),
    Contender("lrtui fp32, 2 runs x 1 thread", 2, 1),
    Contender("lrtui bf16, 1 run x 2 threads", 1, 2, "bf16"),
    Contender("lrtui bf16, 2 runs x 1 thread", 2, 1, "bf16"),
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--short", action="store_true", help="2 rounds of 12 steps after the first")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--steps", type=int, default=41)
    parser.add_argument("--data-dir", type=Path, default=Path("data"))
    options = parser.parse_args()
    rounds, steps = (2, 13) if options.short else (options.rounds, options.steps)
    prepared = prepare(options.data_dir)
    readings: dict[str, list[Reading]] = {contender.name: [] for contender in CONTENDERS}
    for number in range(rounds):
        for contender in CONTENDERS:
            reading = measure(contender, options.data_dir, prepared, steps)
            readings[contender.name].append(reading)
            print(f"round {number + 1}: {contender.name}: {reading}", file=sys.stderr, flush=True)
    print(table(readings))


def prepare(data_dir: Path) -> str:
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "lrtui.train.prepare",
            "--dataset",
            "fashion_mnist",
            "--data-dir",
            str(data_dir),
        ],
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    return str(json.loads(done.stdout)["path"])


def measure(contender: Contender, data_dir: Path, prepared: str, steps: int) -> Reading:
    """Run a contender once; the speeds of its processes are added."""
    with tempfile.TemporaryDirectory() as folder:
        files = [Path(folder) / f"{number}" for number in range(contender.processes)]
        began = time.monotonic()
        processes = [start(contender, data_dir, prepared, steps, file) for file in files]
        while not all(marks(file) for file in files):
            time.sleep(0.01)
        first = time.monotonic() - began
        while any(marks(file)[-1][0] < steps for file in files):
            time.sleep(0.05)
        for process in processes:
            process.terminate()
            process.wait()
        return Reading(sum(speed(marks(file)) for file in files), first)


def start(
    contender: Contender, data_dir: Path, prepared: str, steps: int, file: Path
) -> subprocess.Popen[bytes]:
    if contender.plain:
        argv = [
            sys.executable,
            str(HERE / "plain.py"),
            str(data_dir),
            str(contender.threads),
            str(file),
        ]
        return subprocess.Popen(argv, stdout=subprocess.DEVNULL)
    options = {
        "prepared": prepared,
        "model": "cnn7",
        "lr": 1e-3,
        "batch-size": BATCH,
        "steps": steps * 100,  # it is stopped long before; no evaluation falls into the measurement
        "val-every": steps * 100,
        "threads": contender.threads,
        "precision": contender.precision,
    }
    argv = [sys.executable, "-m", "lrtui.train"]
    for name, value in options.items():
        argv += [f"--{name}", str(value)]
    environment = os.environ | {"LRTUI_METRICS": str(file), "CUDA_VISIBLE_DEVICES": ""}
    return subprocess.Popen(argv, env=environment, stdout=subprocess.DEVNULL)


def marks(file: Path) -> list[tuple[int, float]]:
    """Return (step, seconds) of each whole line written so far."""
    text = file.read_text() if file.exists() else ""
    lines = [json.loads(line) for line in text[: text.rfind("\n") + 1].splitlines()]
    return [(line["step"], line["time"]) for line in lines]


def speed(found: list[tuple[int, float]]) -> float:
    """Return images per second between the first line and the last; the first step warms up."""
    (first, start), (last, end) = found[0], found[-1]
    return (last - first) * BATCH / (end - start)


def table(readings: dict[str, list[Reading]]) -> str:
    base = readings[CONTENDERS[0].name]
    cores = len(os.sched_getaffinity(0))
    lines = [
        f"{cores} cores, {platform.machine()}, Python {platform.python_version()}, n = {len(base)} rounds, cnn7, batch {BATCH}",
        f"{'':36} {'images/s':>9} {'ratio (range)':>20} {'first step':>11}",
    ]
    for name, found in readings.items():
        ratios = [
            ours.images_per_second / theirs.images_per_second
            for ours, theirs in zip(found, base, strict=True)
        ]
        speed = statistics.median(reading.images_per_second for reading in found)
        first = statistics.median(reading.first_step_seconds for reading in found)
        span = f"{statistics.median(ratios):.2f} ({min(ratios):.2f}..{max(ratios):.2f})"
        lines.append(f"{name:36} {speed:9.0f} {span:>20} {first:9.2f} s")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
