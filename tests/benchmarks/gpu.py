"""The trainer on a GPU: `python -m tests.benchmarks.gpu PREPARED DATA_DIR [--short]`; where there is none it says so.

cnn7, batch 128, bf16 and fp32. Each figure is the best of three windows of steps, after steps that do not count:

    plain         the script that everyone writes (`plain.py`, fp32, no augmentation; DATA_DIR has the originals)
    eager, graph      one LR: one kernel at a time, and the whole step as a CUDA graph
    together          1 to 16 LRs in one process, a stream and a graph each; images/s of all
    sequential        the same one after the other: as fast as one alone
    processes         the same as processes of `lrtui.train` at once
    deterministic     one LR, eager, with torch.use_deterministic_algorithms
    start             from starting a process to its first step
    augmentation      crops, mirroring and normalising alone
    limit             a product of matrices, and the share of it that `together` reaches (525 MFLOP an image)
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

BATCH = 128
FLOP = 525e6
"""Of one image's training step (counted by hooks)."""
COUNTS = (1, 2, 4, 8, 16)
PRECISIONS = ("bf16", "fp32")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("prepared")
    parser.add_argument("data_dir", type=Path)
    parser.add_argument("--short", action="store_true")
    options = parser.parse_args()
    import torch

    if not torch.cuda.is_available():
        print("no GPU here: nothing of this part was run")
        return
    os.environ.setdefault("CUDA_VISIBLE_DEVICES", "0")
    steps = 100 if options.short else 400
    print(f"{torch.cuda.get_device_name()}, torch {torch.__version__}, {steps} steps a window")
    base = plain(options.data_dir, steps)
    print(f"plain script {base:,.0f} images/s, which `x` below refers to", flush=True)
    for precision in PRECISIONS:
        measure(options.prepared, precision, steps, base)


def measure(prepared: str, precision: str, steps: int, base: float) -> None:
    """Print all modes of one precision."""
    import torch

    from lrtui.train import step as stepping
    from lrtui.train.data import draw_order
    from lrtui.train.run_state import set_up
    from tests.train.round_robin import RoundRobin

    def show(what: str, rate: float) -> None:
        print(f"{precision} {what:28} {rate:12,.0f} images/s {rate / base:8.1f} x", flush=True)

    alone = set_up(options_of(prepared, precision, 1e-3))
    show("eager", BATCH * windows(lambda: stepping.take_step(alone), steps))
    torch.use_deterministic_algorithms(True, warn_only=True)
    show("eager, deterministic", BATCH * windows(lambda: stepping.take_step(alone), steps))
    torch.use_deterministic_algorithms(False)
    together = 0.0
    for count in COUNTS:
        group = RoundRobin([options_of(prepared, precision, 1e-3 / 2**n) for n in range(count)])
        together = count * BATCH * windows(group.step, steps)
        show(f"graph, {count} together" if count > 1 else "graph (= sequential, any)", together)
    for count in COUNTS:
        show(f"{count} processes", processes(prepared, precision, count, steps))
    square = torch.randn(8192, 8192, device="cuda")
    square = square.bfloat16() if precision == "bf16" else square
    limit = 2 * 8192**3 * windows(lambda: square @ square, 20)
    print(f"{precision} limit: {limit / 1e12:.0f} TFLOP/s; reached {together * FLOP / limit:.1%}")
    order = draw_order(alone.data, 0, 0, augment=True)
    show("augmentation", BATCH * windows(lambda: alone.data.take(order, 0, BATCH), steps))


def options_of(prepared: str, precision: str, lr: float):
    """Return the options of a run of a million steps that is never evaluated."""
    from lrtui.train.options import parse

    words = [f"--prepared={prepared}", "--model=cnn7", "--steps=1000000", f"--lr={lr}", "--augment"]
    return parse([*words, f"--precision={precision}", f"--batch-size={BATCH}"])


def windows(step: Callable[[], object], steps: int) -> float:
    """Return calls per second: the best of three windows, after a tenth of one."""
    import torch

    def window(count: int) -> float:
        torch.cuda.synchronize()
        began = time.perf_counter()
        for _ in range(count):
            step()
        torch.cuda.synchronize()
        return count / (time.perf_counter() - began)

    window(max(10, steps // 10))
    return max(window(steps) for _ in range(3))


def processes(prepared: str, precision: str, count: int, steps: int) -> float:
    """Return images per second of runs of `lrtui.train` at once, and print how long the first steps took to come."""
    with tempfile.TemporaryDirectory() as folder:
        files = [Path(folder) / f"{number}" for number in range(count)]
        began = time.monotonic()
        running = [start(prepared, precision, file) for file in files]
        firsts = []
        for file in files:
            while not marks(file):
                time.sleep(0.005)
            firsts.append(time.monotonic() - began)
        while any(marks(file)[-1][0] < 4 * steps for file in files):
            time.sleep(0.05)
        for each in running:
            each.terminate()
            each.wait()
        speeds = []
        for file in files:
            (_, _), (first, at), *_, (last, end) = marks(file)
            speeds.append((last - first) * BATCH / (end - at))
    print(f"{precision} start of {count}: first step after {statistics.median(firsts):.2f} s")
    return sum(speeds)


def plain(data_dir: Path, steps: int) -> float:
    """Return images per second of the plain script, its first tenth left out."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "log"
        words = [str(Path(__file__).with_name("plain.py")), str(data_dir), "2", str(file)]
        subprocess.run([sys.executable, *words, str(steps)], stdout=subprocess.DEVNULL, check=True)
        (first, at), *_, (last, end) = marks(file)[steps // 10 :]
        print(f"plain script: {last} steps", flush=True)
        return (last - first) * BATCH / (end - at)


def start(prepared: str, precision: str, file: Path) -> subprocess.Popen[bytes]:
    words = [f"--prepared={prepared}", "--model=cnn7", "--steps=1000000", "--val-every=1000000"]
    words += ["--lr=1e-3", "--augment", f"--precision={precision}", f"--batch-size={BATCH}"]
    return subprocess.Popen(
        [sys.executable, "-m", "lrtui.train", *words],
        env=os.environ | {"LRTUI_METRICS": str(file)},
        stdout=subprocess.DEVNULL,
    )


def marks(file: Path) -> list[tuple[int, float]]:
    """Return (step, seconds) of each whole line written so far."""
    text = file.read_text() if file.exists() else ""
    lines = [json.loads(line) for line in text[: text.rfind("\n") + 1].splitlines()]
    return [(line["step"], line["time"]) for line in lines]


if __name__ == "__main__":
    main()
