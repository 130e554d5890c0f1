"""lrtui's trainer beside plain scripts: `python -m tests.benchmarks.train [PART ..] [--short] [--data-dir DIR]`.

    steps     the article's network on Fashion-MNIST (batch 128, Adam): images per second after the first step, and the
              seconds from starting the process to the end of its first step
    sweep     four LRs of the same, a look at the test images included, on the clock: four plain scripts one after the
              other, and `lrtui FILE --headless` in fp32 and bf16
    digits    four short runs of a small network on digits, likewise
    ceiling   what the network's convolutions alone would reach on this machine, by torch's and by lrtui's way
    emission  the share of a run's time that its metric lines take
    gpu       step modes, many LRs, determinism, start, augmentation; says so where there is no GPU

Without PART all of them. Contenders take turns, in rounds, so that whatever else the machine does meets all of them;
ratios are formed within a round. The tables give medians, the range of the ratio, and n.
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
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

BATCH = 128
RATES = (3e-3, 1e-3, 3e-4, 6.25e-5)
"""Of the article's, but for 0.1, which diverges: lrtui would stop it early, which would flatter it here."""
HERE = Path(__file__).parent
CPU = os.environ | {"CUDA_VISIBLE_DEVICES": ""}


@dataclass(frozen=True, slots=True)
class Setting:
    data_dir: Path
    short: bool
    rounds: int
    gpu: bool

    @property
    def environment(self) -> dict[str, str]:
        return {"CUDA_VISIBLE_DEVICES": "0", **os.environ} if self.gpu else CPU


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("parts", nargs="*", metavar="PART", help=", ".join(PARTS))
    parser.add_argument("--short", action="store_true", help="fewer rounds and steps")
    parser.add_argument("--rounds", type=int, help="default: 5, with --short 2")
    parser.add_argument("--data-dir", type=Path, default=Path("data"))
    parser.add_argument("--gpu", action="store_true", help="steps and sweep on the GPU too")
    options = parser.parse_args()
    if unknown := set(options.parts) - set(PARTS):
        parser.error(f"no part {', '.join(unknown)}; there are {', '.join(PARTS)}")
    rounds = options.rounds or (2 if options.short else 5)
    setting = Setting(options.data_dir.absolute(), options.short, rounds, options.gpu)
    cores = len(os.sched_getaffinity(0))
    print(f"{cores} cores, {platform.machine()}, Python {platform.python_version()}", flush=True)
    for name in options.parts or PARTS:
        print(f"\n{name}", flush=True)
        PARTS[name](setting)


def prepare(data_dir: Path, dataset: str = "fashion_mnist") -> str:
    words = ["-m", "lrtui.train.prepare", "--dataset", dataset, "--data-dir", str(data_dir)]
    done = subprocess.run([sys.executable, *words], stdout=subprocess.PIPE, text=True, check=True)
    return str(json.loads(done.stdout)["path"])


@dataclass(slots=True)
class Table:
    """Figures of contenders, round by round; the first is what the others are compared with."""

    titles: tuple[str, ...]
    more_is_better: bool
    found: dict[str, list[tuple[float, ...]]] = field(default_factory=dict)

    def add(self, number: int, name: str, *figures: float) -> None:
        self.found.setdefault(name, []).append(figures)
        said = "  ".join(f"{figure:.5g}" for figure in figures)
        print(f"round {number + 1}: {name}: {said}", file=sys.stderr, flush=True)

    def show(self) -> None:
        base = next(iter(self.found.values()))
        heads = "".join(f"{title:>14}" for title in self.titles)
        print(f"{f'n = {len(base)}':40}{heads}{'ratio (range)':>22}")
        for name, rows in self.found.items():
            pairs = zip(rows, base, strict=True)
            ratios = [a[0] / b[0] if self.more_is_better else b[0] / a[0] for a, b in pairs]
            medians = map(statistics.median, zip(*rows, strict=True))
            cells = "".join(f"{median:14.5g}" for median in medians)
            span = f"{statistics.median(ratios):.2f} ({min(ratios):.2f}..{max(ratios):.2f})"
            print(f"{name:40}{cells}{span:>22}", flush=True)


# ── steps ─────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class Contender:
    name: str
    processes: int
    threads: int
    precision: str = "fp32"
    plain: bool = False


CONTENDERS = (
    Contender("plain script, DataLoader workers=2", 1, 2, plain=True),
    Contender("lrtui fp32, 1 run x 2 threads", 1, 2),
    Contender("lrtui fp32, 2 runs x 1 thread", 2, 1),
    Contender("lrtui bf16, 1 run x 2 threads", 1, 2, "bf16"),
    Contender("lrtui bf16, 2 runs x 1 thread", 2, 1, "bf16"),
)


def steps(setting: Setting) -> None:
    prepared = prepare(setting.data_dir)
    table = Table(("images/s", "first step, s"), more_is_better=True)
    count = 13 if setting.short else 41
    for number in range(setting.rounds):
        for contender in CONTENDERS:
            table.add(number, contender.name, *measure(contender, setting, prepared, count))
    table.show()


def measure(
    contender: Contender, setting: Setting, prepared: str, count: int
) -> tuple[float, float]:
    """Run a contender once; return its images per second, all processes added, and the seconds to the first step."""
    with tempfile.TemporaryDirectory() as folder:
        files = [Path(folder) / f"{number}" for number in range(contender.processes)]
        began = time.monotonic()
        processes = [start(contender, setting, prepared, count, file) for file in files]
        while not all(marks(file) for file in files):
            time.sleep(0.01)
        first = time.monotonic() - began
        while any(marks(file)[-1][0] < count for file in files):
            time.sleep(0.05)
        for process in processes:
            process.terminate()
            process.wait()
        return sum(speed(marks(file)) for file in files), first


def start(
    contender: Contender, setting: Setting, prepared: str, count: int, file: Path
) -> subprocess.Popen[bytes]:
    if contender.plain:
        script = [str(HERE / "plain.py"), str(setting.data_dir), str(contender.threads), str(file)]
        return subprocess.Popen(
            [sys.executable, *script], env=setting.environment, stdout=subprocess.DEVNULL
        )
    options = {
        "prepared": prepared,
        "model": "cnn7",
        "lr": 1e-3,
        "batch-size": BATCH,
        "steps": count * 100,  # it is stopped long before; no evaluation falls into the measurement
        "val-every": count * 100,
        "threads": contender.threads,
        "precision": contender.precision,
    }
    argv = [sys.executable, "-m", "lrtui.train"]
    for name, value in options.items():
        argv += [f"--{name}", str(value)]
    environment = setting.environment | {"LRTUI_METRICS": str(file)}
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


# ── sweeps on the clock ───────────────────────────────────────────────────────────────────────────


def sweep(setting: Setting) -> None:
    """Four LRs; each run of lrtui looks at 6,000 validation and 10,000 test images at its end, the script's at the latter."""
    prepare(setting.data_dir)
    count = (1000 if setting.gpu else 150) if not setting.short else 40

    def plain() -> float:
        return clocked([plain_words(str(setting.data_dir), 2, count, lr) for lr in RATES], setting)

    def ours(precision: str) -> float:
        text = (
            f'dataset = "fashion_mnist"\nmodel = "cnn7"\nsteps = {count}\nbatch_size = {BATCH}\n'
            f'lr = {list(RATES)}\nprecision = "{precision}"\ndata_dir = "{setting.data_dir}"\n'
        )
        return headless(text, setting)

    contenders: dict[str, Callable[[], float]] = {
        "four plain scripts, one after the other": plain,
        "lrtui FILE --headless, fp32": lambda: ours("fp32"),
        "lrtui FILE --headless, bf16": lambda: ours("bf16"),
    }
    in_rounds(contenders, setting)


def digits(setting: Setting) -> None:
    """Four LRs on a network of 84 thousand weights; both sides look at held-out images after each epoch."""
    prepare(setting.data_dir, "digits")
    epochs = 5

    def plain() -> float:
        return clocked([plain_words("digits", 2, epochs, lr) for lr in RATES], setting)

    def ours() -> float:
        text = (
            f'dataset = "digits"\nmodel = "mlp"\nepochs = {epochs}\nbatch_size = 32\n'
            f'lr = {list(RATES)}\ndata_dir = "{setting.data_dir}"\n'
        )
        return headless(text, setting)

    contenders = {
        "four plain scripts, one after the other": plain,
        "lrtui FILE --headless": ours,
    }
    in_rounds(contenders, setting)


def in_rounds(contenders: dict[str, Callable[[], float]], setting: Setting) -> None:
    table = Table(("seconds",), more_is_better=False)
    for number in range(setting.rounds):
        for name, run in contenders.items():
            table.add(number, name, run())
    table.show()


def plain_words(place: str, threads: int, length: int, lr: float) -> list[str]:
    words = [str(HERE / "plain.py"), place, str(threads), os.devnull, str(length), str(lr)]
    return [sys.executable, *words]


def clocked(commands: Sequence[Sequence[str]], setting: Setting) -> float:
    """Return how long the commands take, one after the other."""
    began = time.monotonic()
    for words in commands:
        subprocess.run(words, env=setting.environment, stdout=subprocess.DEVNULL, check=True)
    return time.monotonic() - began


def headless(text: str, setting: Setting) -> float:
    with tempfile.TemporaryDirectory(
        ignore_cleanup_errors=True
    ) as folder:  # its supervisor lingers
        file = Path(folder) / "sweep.toml"
        file.write_text(text)
        began = time.monotonic()
        words = [sys.executable, "-m", "lrtui", str(file), "--headless", "--dir", f"{folder}/run"]
        done = subprocess.run(
            words, env=setting.environment, capture_output=True, text=True, check=False
        )
        took = time.monotonic() - began
        if done.returncode:
            sys.exit(done.stdout + done.stderr)
        return took


# ── parts that compute in a process of their own ──────────────────────────────────────────────────


def ceiling(setting: Setting) -> None:
    del setting
    for threads in sorted({1, len(os.sched_getaffinity(0))}):
        aside("convolutions", str(threads), environment=CPU)


def emission(setting: Setting) -> None:
    for dataset, model in (("digits", "linear"), ("fashion_mnist", "cnn7")):
        aside("emission", prepare(setting.data_dir, dataset), model, environment=CPU)


def gpu(setting: Setting) -> None:
    words = [sys.executable, "-m", "tests.benchmarks.gpu", prepare(setting.data_dir)]
    words += [str(setting.data_dir)]
    subprocess.run([*words, *(["--short"] if setting.short else [])], check=True)


def aside(part: str, *words: str, environment: dict[str, str]) -> None:
    """Run a part of `inside.py`: nothing that was measured before is still in its memory."""
    command = [sys.executable, "-m", "tests.benchmarks.inside", part, *words]
    subprocess.run(command, env=environment, check=True)


PARTS: dict[str, Callable[[Setting], None]] = {
    "steps": steps,
    "sweep": sweep,
    "digits": digits,
    "ceiling": ceiling,
    "emission": emission,
    "gpu": gpu,
}

if __name__ == "__main__":
    main()
