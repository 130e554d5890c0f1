"""What other terminal monitors need for the points of `monitor`: `python -m tests.benchmarks.peers PYTHON [--points N] [--times N]`.

PYTHON has them: pip install terminalboard==0.5.3 lightning-metrics-tui==0.2.0 'plotext<6' tensorboard==2.21.0 wandb==0.31.0.
The same points are written as each reads them (six minutes), and each is opened at 160x45, in turn with lrtui. lrtui and
terminalboard draw all eight runs; LEET and ltui are taken as they open, with the curves of one.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter

from tests.benchmarks.monitor import record
from tests.tui.terminal import CHILD, ROOT, Terminal

STILL = 5.0
"""Seconds without a change on the screen after which it is held to be complete."""
TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class Peer:
    """One monitor."""

    name: str
    command: tuple[str, ...]
    """In PYTHON's folder; none for lrtui."""
    data: str
    keys: str = "jk"
    """Keys that change something on the screen; none where it changes all the time."""


PEERS = (
    Peer("lrtui", (), ""),
    Peer("wandb leet", ("wandb", "leet"), "wandb/wandb", "\x1b[B\x1b[A"),
    Peer("terminalboard", ("terminalboard",), "tensorboard", keys="\x1b[C\x1b[D"),
    Peer("ltui", ("ltui",), "lightning", keys=""),
)


def family(terminal: Terminal) -> Iterator[Path]:
    """Yield the /proc folders of all processes on the terminal."""
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            fields = (folder / "stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(fields[3]) == terminal.child.pid:
            yield folder


def cpu(terminal: Terminal) -> float:
    """Return the CPU seconds of all of them, ended children included."""
    texts = [(folder / "stat").read_text().rpartition(")")[2].split() for folder in family(terminal)]  # fmt: skip
    return sum(int(ticks) for fields in texts for ticks in fields[11:15]) / TICKS


def memory(terminal: Terminal) -> float:
    """Return the resident memory of all of them, in MB."""
    pages = (int((folder / "statm").read_text().split()[1]) for folder in family(terminal))
    return sum(pages) * os.sysconf("SC_PAGE_SIZE") / 1e6


def complete(terminal: Terminal) -> float:
    """Wait until the screen is still; return when it last changed, in seconds since the start."""
    shown, at = terminal.text, perf_counter()
    while perf_counter() - at < STILL:
        terminal.read(0.05)
        if terminal.text != shown:
            shown, at = terminal.text, perf_counter()
    return at - terminal.began


def key(terminal: Terminal, keys: str) -> float:
    """Press a key and return how many milliseconds later its first byte comes."""
    while terminal.read(0.3):
        pass
    terminal.press(keys)
    pressed, began = perf_counter(), len(terminal.raw)
    terminal.until(lambda: len(terminal.raw) > began)
    return 1000 * (terminal.last_byte - pressed)


def measure(peer: Peer, folder: Path, directory: Path) -> dict[str, float]:
    """Open a monitor once and return its figures."""
    command = [str(folder / peer.command[0]), *peer.command[1:]] if peer.command else ()
    with Terminal(directory, 160, 45, CHILD, command, WANDB_ERROR_REPORTING="false") as terminal:
        found = {"first chart, s": terminal.until(lambda: any("⠀" < c <= "⣿" for c in terminal.text), 90)}  # fmt: skip
        found["complete, s"] = complete(terminal)
        found["CPU until then, s"] = cpu(terminal)
        found["memory, MB"] = memory(terminal)
        terminal.pump(5)
        before = cpu(terminal)
        found["idle, bytes/s"] = terminal.pump(10) / 10
        found["idle, % CPU"] = 10 * (cpu(terminal) - before)
        if peer.keys:
            half = len(peer.keys) // 2
            waits = [key(terminal, each) for each in (peer.keys[:half], peer.keys[half:]) * 3]
            found["key to first byte, ms"] = statistics.median(waits)
    return found


def main() -> None:
    """Measure and print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("python", type=Path)
    parser.add_argument("--points", type=int, default=100_000)
    parser.add_argument("--times", type=int, default=3)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        own, others = record(Path(name, "lrtui"), given.points), Path(name, "peers")
        write = [str(given.python), "-m", "tests.benchmarks.peer_data", str(own), str(others)]
        subprocess.run(write, check=True, cwd=ROOT)
        report(given.python.parent, own, others, given.times)


def report(folder: Path, own: Path, others: Path, times: int) -> None:
    """Measure each monitor so many times, in turn, and print the medians."""
    rounds: dict[str, list[dict[str, float]]] = {peer.name: [] for peer in PEERS}
    for _ in range(times):
        for peer in PEERS:
            directory = others / peer.data if peer.data else own
            rounds[peer.name].append(measure(peer, folder, directory))
    print(f"{'n = ' + str(times):24}" + "".join(f"{peer.name:>16}" for peer in PEERS))
    for figure in rounds["lrtui"][0]:
        values = [[found[figure] for found in rounds[peer.name] if figure in found] for peer in PEERS]  # fmt: skip
        print(f"{figure:24}" + "".join(f"{statistics.median(each):16.2f}" if each else f"{'-':>16}" for each in values), flush=True)  # fmt: skip


if __name__ == "__main__":
    main()
