"""Ways to run the trainer as the supervisor does: as a process."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np

from lrtui.train import prepared_arrays
from tests.train.forks import Forked

ROOT = Path(__file__).resolve().parents[2]


def tiny_source(*, channels=1, size=8, classes=10, train=300, test=60, seed=0):
    """Learnable noise of any shape."""
    rng = np.random.default_rng(seed)
    means = rng.integers(40, 216, (classes, channels, size, size))

    def draw(count):
        labels = np.arange(count, dtype=np.int64) % classes
        noise = rng.integers(-40, 41, (count, channels, size, size))
        return np.clip(means[labels] + noise, 0, 255).astype(np.uint8), labels

    return prepared_arrays.Source(*draw(train), *draw(test), "test")


class Trainer:
    """Starts trainer processes with the same settings and reads their lines."""

    def __init__(self, prepared: Path, folder: Path, gpu: str = "") -> None:
        self.prepared, self.folder, self.gpu = prepared, folder, gpu
        self.checkpoint = folder / "checkpoint"

    def argv(self, **options: object) -> list[str]:
        settings = {
            "prepared": self.prepared,
            "model": "mlp",
            "optimizer": "adam",
            "lr": "3e-3",
            "batch-size": 16,
            "seed": 3,
            "threads": 1,
            "checkpoint": self.checkpoint,
        }
        if "epochs" not in options and "steps" not in options:
            settings["epochs"] = 3
        settings |= {name.replace("_", "-"): value for name, value in options.items()}
        argv = [sys.executable, "-m", "lrtui.train"]
        for name, value in settings.items():
            if value is True:
                argv.append(f"--{name}")
            elif value is not None:
                argv += [f"--{name}", str(value)]
        return argv

    def start(self, lines: str = "metrics.jsonl", **options: object) -> Forked:
        """Start one as a sweep does, in a fork."""
        return Forked(self.argv(**options), self._environment(lines), self.folder)

    def start_from_nothing(self, **options: object) -> subprocess.Popen[str]:
        """Start one that has yet to import everything."""
        return subprocess.Popen(
            self.argv(**options),
            env=self._environment("metrics.jsonl"),
            cwd=self.folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def _environment(self, lines: str) -> dict[str, str]:
        environment = {name: value for name, value in os.environ.items() if name != "RANK"}
        return environment | {
            "LRTUI_METRICS": str(self.folder / lines),
            "CUDA_VISIBLE_DEVICES": self.gpu,
            "PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")]),
        }

    def run(
        self, lines: str = "metrics.jsonl", **options: object
    ) -> subprocess.CompletedProcess[str]:
        process = self.start(lines, **options)
        out, err = process.communicate(timeout=300)
        return subprocess.CompletedProcess(process.args, process.returncode, out, err)

    def lines(self, name: str = "metrics.jsonl") -> list[dict[str, object]]:
        path = self.folder / name
        text = path.read_text() if path.exists() else ""
        return [json.loads(line) for line in text[: text.rfind("\n") + 1].splitlines()]

    def wait_for_step(self, step: int, lines: str = "metrics.jsonl", seconds: float = 240) -> None:
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            if any(int(str(line["step"])) >= step for line in self.lines(lines)):
                return
            time.sleep(0.005)
        raise AssertionError(f"step {step} was not reached: {self.lines(lines)[-1:]}")


def timeless(lines):
    """The lines without what a clock decides."""
    return [
        {name: value for name, value in line.items() if name not in {"time", "images_per_second"}}
        for line in lines
    ]
