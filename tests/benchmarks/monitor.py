"""How fast and how quiet the monitor is, on a real pty: `python -m tests.benchmarks.monitor [--short]`.

Records eight finished runs of 100,000 points of two metrics, opens the monitor on them at 160x45 and measures from the
start of the process: first paint (the footer), first chart (a braille cell), complete (all rows at their end, then silence);
then resident memory, bytes and CPU while idle, and the time from a key to its first byte.
"""

from __future__ import annotations

import argparse
import math
import os
import platform
import statistics
import tempfile
from pathlib import Path
from time import perf_counter

from lrtui import events as ev
from lrtui.sweep import lr_text
from lrtui.tui.ink import amount
from tests.tui.terminal import Terminal

LRS = (1e-4, 3e-4, 1e-3, 3e-3, 1e-2, 3e-2, 1e-1, 3e-1)


def record(root: Path, points: int, runs: int = 8) -> Path:
    """Write a finished experiment of `runs` runs with `points` lines each."""
    root.mkdir(mode=0o700)
    (root / "format").write_text("1\n")
    (root / "experiment.toml").write_text('dataset = "synthetic"\n')
    plan = ev.Plan(
        name="benchmark",
        source="benchmark.toml",
        metric="val_loss",
        goal="min",
        loss="train_loss",
        unit="step",
        horizon=float(points),
    )
    lines: list[ev.AnyEvent] = [ev.SweepOpened(plan=plan, inode=root.stat().st_ino)]
    for index in range(runs):
        run, lr = f"r{index + 1:02d}", LRS[index % len(LRS)] * (1 + index // len(LRS))
        lines += [
            ev.RunQueued(run=run, setting=ev.Setting(lr=lr), seed=1, until=float(points)),
            ev.RunLaunched(run=run, attempt=1, token="t", until=float(points)),
            ev.RunStarted(run=run, attempt=1, pid=1),
            ev.RunEnded(run=run, attempt=1, kind="finished", code=0),
        ]
        folder = root / f"{run}-lr{lr_text(lr)}" / "a1"
        folder.mkdir(parents=True)
        (folder / "output.log").write_text("trained\n" * 50)
        with (folder / "metrics.jsonl").open("w") as file:
            for step in range(1, points + 1):
                loss = 2.3 * math.exp(-step / points * (3 + index)) + 0.1 + (step * 7919 % 97) / 970
                file.write(
                    f'{{"step":{step},"time":{step / 50:.2f},"train_loss":{loss:.5f},"val_loss":{loss * 1.1:.5f}}}\n'
                )
    lines.append(ev.SweepClosed(code=0, why="all runs finished"))
    with (root / "journal.jsonl").open("wb") as file:
        for n, event in enumerate(lines, 1):
            file.write(
                ev.encode(ev.msgspec.structs.replace(event, v=1, n=n, at=1.79e9 + n)) + b"\n"
            )
    return root


def measure(directory: Path, points: int, idle_seconds: float) -> dict[str, float]:
    """Open the monitor once and return its figures."""
    done = f"{amount(points)}/{amount(points)}"
    with Terminal(directory, 160, 45) as terminal:
        found = {
            "first paint, s": terminal.shows("? help"),
            "first chart, s": terminal.until(lambda: any("⠀" < c <= "⣿" for c in terminal.text)),
        }
        terminal.until(lambda: terminal.text.count(done) >= 8, 60)
        while terminal.pump(1.5):
            pass
        found["complete, s"] = terminal.last_byte - terminal.began
        found["bytes until complete, KB"] = len(terminal.raw) / 1000
        found["memory, MB"] = terminal.memory_mb()
        found["memory at most, MB"] = terminal.memory_mb("VmHWM")
        terminal.pump(3)
        cpu = terminal.cpu_seconds()
        found["idle, bytes/s"] = terminal.pump(idle_seconds) / idle_seconds
        found["idle, % CPU"] = 100 * (terminal.cpu_seconds() - cpu) / idle_seconds
        waits = []
        for key in "jjkkjjkk":
            terminal.press(key)
            began = len(terminal.raw)
            pressed = perf_counter()
            terminal.until(lambda began=began: len(terminal.raw) > began)
            waits.append(1000 * (terminal.last_byte - pressed))
            terminal.pump(0.3)
        found["key to first byte, ms"] = statistics.median(waits)
        found["key to first byte at most, ms"] = max(waits)
    return found


GOALS = {
    "first paint, s": "<= 0.4",
    "first chart, s": "<= 1",
    "complete, s": "<= 5",
    "memory, MB": "<= 150",
    "idle, bytes/s": "0",
    "idle, % CPU": "< 1",
    "key to first byte, ms": "<= 40",
}


def main() -> None:
    """Measure and print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--short", action="store_true", help="10,000 points, two repetitions")
    parser.add_argument("--points", type=int, default=0)
    parser.add_argument("--times", type=int, default=0)
    given = parser.parse_args()
    points = given.points or (10_000 if given.short else 100_000)
    times = given.times or (2 if given.short else 5)
    with tempfile.TemporaryDirectory() as folder:
        directory = record(Path(folder) / "benchmark", points)
        rounds = [measure(directory, points, 5 if given.short else 10) for _ in range(times)]
    print(f"8 runs x 2 metrics x {points} points, 160x45, n = {times}")
    print(
        f"Python {platform.python_version()}, {os.cpu_count()} CPUs, {platform.machine()}, load {os.getloadavg()[0]:.1f}"
    )
    print(f"{'':32}{'median':>10}{'worst':>10}   goal")
    for name in rounds[0]:
        values = [r[name] for r in rounds]
        print(
            f"{name:32}{statistics.median(values):10.2f}{max(values):10.2f}   {GOALS.get(name, '')}"
        )


if __name__ == "__main__":
    main()
