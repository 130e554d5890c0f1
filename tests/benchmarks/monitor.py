"""How fast and how quiet the monitor is, on a real pty: `python -m tests.benchmarks.monitor [--short] [--only WORD]`.

Records eight finished runs of 100,000 points of two metrics, opens the monitor on them at 160x45 and measures from the
start of the process: first paint (the footer), first chart (points in its frame) and the first one of the runs' whole length,
complete (all rows at their end, then silence); beside it the first paint of an empty Textual app;
then resident memory, bytes and CPU while idle, and the time from a key to its first byte.

Then a sweep that lives, eight runs that each write 10 lines a second, at 120x40: bytes a second where all is read; keys and lag
where 9,600 bytes a second are read; what comes after a minute in which nothing was read. At last 1,000 runs in one sweep.
"""

from __future__ import annotations

import argparse
import math
import os
import platform
import shutil
import statistics
import sys
import tempfile
import threading
from pathlib import Path
from time import perf_counter, sleep

from lrtui.sweep import events as ev
from lrtui.text.format import amount_short, lr_text
from tests.tui.terminal import CHILD, Terminal

LONG = 1_000_000
EMPTY_APP = """
from textual.app import App
from textual.widgets import Static
class Empty(App):
    def compose(self):
        yield Static("empty app")
Empty().run()
"""
LRS = (1e-4, 3e-4, 1e-3, 3e-3, 1e-2, 3e-2, 1e-1, 3e-1)


def record(
    root: Path, points: int, runs: int = 8, *, ended: bool = True, waves: bool = False
) -> Path:
    """Write an experiment of `runs` runs with `points` lines each; one that has not ended plans 20 times as many."""
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
        horizon=float(points if ended else 20 * points),
    )
    lines: list[ev.AnyEvent] = [ev.SweepOpened(plan=plan, inode=root.stat().st_ino)]
    for index in range(runs):
        run, lr = f"r{index + 1:02d}", LRS[index % len(LRS)] * (1 + index // len(LRS))
        lines += [
            ev.RunQueued(run=run, setting=ev.Setting(lr=lr), seed=1, until=float(points)),
            ev.RunLaunched(run=run, attempt=1, token="t", until=float(points)),
            ev.RunStarted(run=run, attempt=1, pid=1),
        ]
        if ended:
            lines.append(ev.RunEnded(run=run, attempt=1, kind="finished", code=0))
        folder = root / f"{run}-lr{lr_text(lr)}" / "a1"
        folder.mkdir(parents=True)
        (folder / "output.log").write_text("trained\n" * 50)
        with (folder / "metrics.jsonl").open("w") as file:
            for step in range(1, points + 1):
                file.write(_line(index, step, points, waves=waves))
    if ended:
        lines.append(ev.SweepClosed(code=0, why="all runs finished"))
    with (root / "journal.jsonl").open("wb") as file:
        for n, event in enumerate(lines, 1):
            file.write(
                ev.encode(ev.msgspec.structs.replace(event, v=ev.VERSION, n=n, at=1.79e9 + n))
                + b"\n"
            )
    return root


def _line(index: int, step: int, points: int, *, waves: bool) -> str:
    """Return a metric line; with `waves`, it has a third metric, which oscillates."""
    loss = 2.3 * math.exp(-step / points * (3 + index % 8)) + 0.1 + (step * 7919 % 97) / 970
    wave = f',"val_acc":{0.5 + 0.4 * math.sin(0.7 * step + index):.5f}' if waves else ""
    return f'{{"step":{step},"time":{step / 50:.2f},"train_loss":{loss:.5f},"val_loss":{loss * 1.1:.5f}{wave}}}\n'


class Training(threading.Thread):
    """Appends ten lines a second to every run's metric file until it is told to stop."""

    def __init__(self, directory: Path, points: int, *, waves: bool = False) -> None:
        super().__init__(daemon=True)
        self._files = sorted(directory.glob("r*/a1/metrics.jsonl"))
        self._step = points
        self._points = points
        self._waves = waves
        self._ended = threading.Event()

    def run(self) -> None:
        """Write."""
        while not self._ended.wait(0.1):
            self._step += 1
            for index, path in enumerate(self._files):
                with path.open("a") as file:
                    file.write(_line(index, self._step, self._points, waves=self._waves))

    def stop(self) -> None:
        """Write no more."""
        self._ended.set()
        self.join()


def _cursor(terminal: Terminal) -> int:
    """Return the row of the leaderboard's cursor."""
    return next((y for y, row in enumerate(terminal.screen.display) if "▌" in row), -1)


def _under(terminal: Terminal) -> list[str]:
    """Return the letters of the runs in whose rows the cursor is drawn."""
    return [row.partition("▌")[2].split()[1] for row in terminal.screen.display if "▌" in row]


def _key(terminal: Terminal, key: str, rate: int, run: str = "") -> float:
    """Return how many seconds after a key the cursor has moved on a terminal that reads so many bytes a second.

    With the letter of a `run` it has moved when it stands there and nowhere else: a frame that comes in parts may show two.
    """
    before = _cursor(terminal)
    terminal.press(key)
    pressed = perf_counter()
    began = len(terminal.raw)

    def there() -> bool:
        return _under(terminal) == [run] if run else _cursor(terminal) != before

    while not there() and perf_counter() - pressed < 30:
        may = int(rate * (perf_counter() - pressed)) - (len(terminal.raw) - began)
        if may > 0:
            terminal.read(0.02, may)
        sleep(0.01)
    return perf_counter() - pressed


def live(folder: Path, points: int, seconds: float, *, waves: bool) -> dict[str, float]:
    """Open the monitor on a sweep that lives and return what goes over the line."""
    directory = record(folder / f"live{waves}", points, ended=False, waves=waves)
    training = Training(directory, points, waves=waves)
    with Terminal(directory, 120, 40) as terminal:
        _settle(terminal)
        training.start()
        terminal.pump(16)  # 15 s without a key: nobody looks closely
        cpu = terminal.cpu_seconds()
        found = {"live, bytes/s": terminal.pump(seconds) / seconds}
        found["live, % CPU"] = 100 * (terminal.cpu_seconds() - cpu) / seconds
        sleep(seconds)  # nothing is read
        began = len(terminal.raw)
        terminal.press("m")
        found["unread, then read: key to its effect, s"] = _key(terminal, "j", 1 << 20)
        found["unread, then read: bytes until then"] = len(terminal.raw) - began
        training.stop()
        terminal.pump(1)
        last = terminal.pump(2)
        found["bytes later than 1 s after the last line"] = last
    return found


def _settle(terminal: Terminal) -> None:
    """Wait for the first chart, and answer cursor reports from then on, as terminals do."""
    terminal.screen.write_process_input = terminal.press
    terminal.until(lambda: _chart(terminal))
    terminal.pump(4)


def _chart(terminal: Terminal) -> bool:
    """Return whether a chart has points; those of the leaderboard's trends are in no frame."""
    return any("│" in row and any("⠀" < c <= "⣿" for c in row) for row in terminal.screen.display)


def _whole_chart(terminal: Terminal) -> bool:
    """Return whether a chart is that of the whole length; the title of any other says of which length it is a part."""
    return _chart(terminal) and "by step" in terminal.text and "by step, of" not in terminal.text


def slow(folder: Path, points: int) -> dict[str, float]:
    """Open the monitor on a sweep that lives, behind a line that turns slow; return when keys show their effect.

    The runs stand in the order of their LRs, so the cursor's row changes by keys alone.
    """
    directory = record(folder / "slow", points, ended=False)
    training = Training(directory, points)
    rate, keys = 9600, []
    with Terminal(directory, 120, 40) as terminal:
        _settle(terminal)
        terminal.press("okkkkkkkkk")  # by LR, and to the first row
        at = 0
        training.start()
        terminal.pump(3)
        for key in "jjllkkllmmjjkk" * 2:
            if key in "jk":
                at += 1 if key == "j" else -1
                keys.append(_key(terminal, key, rate, "ABCDEFGH"[at]))
            else:
                terminal.press(key)  # the whole screen changes meanwhile
                sleep(0.05)
        training.stop()
    shutil.rmtree(directory)
    return {
        f"{rate:,} bytes/s: key to its effect, s": statistics.median(keys),
        f"{rate:,} bytes/s: key to its effect at most, s": max(keys),
    }


def large(folder: Path) -> dict[str, float]:
    """Open the monitor on a thousand runs."""
    directory = folder / "large"
    if not directory.exists():
        record(directory, 20, 1000)
    with Terminal(directory, 160, 45) as terminal:
        found = {"1,000 runs: first paint, s": terminal.shows("? help")}
        terminal.until(lambda: "20/20" in terminal.text, 60)
        while terminal.pump(1.5):
            pass
        found["1,000 runs: complete, s"] = terminal.last_byte - terminal.began
        found["1,000 runs: memory, MB"] = terminal.memory_mb()
        found["1,000 runs: key to its effect, s"] = statistics.median(
            _key(terminal, key, 1 << 20) for key in "jjjj"
        )
        terminal.pump(5)  # what the keys set going comes to its end
        cpu = terminal.cpu_seconds()
        terminal.pump(5)
        found["1,000 runs: idle, % CPU"] = 100 * (terminal.cpu_seconds() - cpu) / 5
    return found


def long(directory: Path) -> dict[str, float]:
    """Open the monitor on long runs, and leave it."""
    found: dict[str, float] = {}
    done = f"{amount_short(LONG)}/{amount_short(LONG)}"
    with Terminal(directory, 160, 45) as terminal:
        terminal.shows("? help")
        found["first chart, s"] = terminal.until(lambda: _chart(terminal))
        found["long: first chart of the whole length, s"] = terminal.until(
            lambda: _whole_chart(terminal), 600
        )
        terminal.until(lambda: terminal.text.count(done) >= 8, 600)
        while terminal.pump(2.5):
            pass
        found["long: complete, s"] = terminal.last_byte - terminal.began
        found["until then, s of CPU"] = terminal.cpu_seconds()
        found["memory, MB"] = terminal.memory_mb()
        found["memory at most, MB"] = terminal.memory_mb("VmHWM")
        terminal.pump(10)
        cpu = terminal.cpu_seconds()
        found["idle, bytes/s"] = terminal.pump(10) / 10
        found["idle, % CPU"] = 100 * (terminal.cpu_seconds() - cpu) / 10
        terminal.press("q")
        pressed = perf_counter()
        terminal.until(lambda: terminal.child.poll() is not None)
        found["left, s"] = perf_counter() - pressed
    return found


def measure(directory: Path, points: int, idle_seconds: float) -> dict[str, float]:
    """Open the monitor once and return its figures."""
    done = f"{amount_short(points)}/{amount_short(points)}"
    with Terminal(directory, 160, 45, command=(sys.executable, "-c", EMPTY_APP)) as terminal:
        terminal.shows("empty app")
        empty = terminal.last_byte - terminal.began  # what the emulator needs is not counted
    with Terminal(directory, 160, 45, command=(sys.executable, "-c", CHILD)) as terminal:
        terminal.shows("? help")
        painted = terminal.last_byte - terminal.began
        found = {
            "first paint, s": painted,
            "first paint, ratio to an empty Textual app": painted / empty,
            "first chart, s": terminal.until(lambda: _chart(terminal)),
            "first chart of the whole length, s": terminal.until(lambda: _whole_chart(terminal)),
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
    "first paint, s": "<= 0.3",
    "first paint, ratio to an empty Textual app": "<= 1.5",
    "first chart of the whole length, s": "<= 0.5",
    "long: first chart of the whole length, s": "<= 1",
    "long: complete, s": "<= 20",
    "complete, s": "<= 3",
    "memory, MB": "<= 120",
    "live, bytes/s": "<= 1000",
    "9,600 bytes/s: key to its effect, s": "<= 1",
    "9,600 bytes/s: key to its effect at most, s": "<= 1",
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
    parser.add_argument(
        "--only", choices=("", "open", "live", "slow", "large", "long"), default="",
        help="long, 32 runs of 1,000,000 lines (3 GB on the disk), is measured only where it is asked for",
    )  # fmt: skip
    given = parser.parse_args()
    points = given.points or (10_000 if given.short else 100_000)
    times = given.times or (2 if given.short else 5)
    machine = f"Python {platform.python_version()}, {os.cpu_count()} CPUs, {platform.machine()}"
    print(f"{machine}, load {os.getloadavg()[0]:.1f}")
    seconds = 10 if given.short else 60
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        if given.only in ("", "open"):
            directory = record(folder / "benchmark", points)
            _print(
                f"8 runs x 2 metrics x {points} points, 160x45",
                [measure(directory, points, 5 if given.short else 10) for _ in range(times)],
            )
        if given.only in ("", "live"):
            for which, waves in (("", False), (", with a third metric that oscillates", True)):
                found = live(folder, 2000, seconds, waves=waves)
                _print(f"8 runs x 10 points/s, 120x40{which}", [found])
        if given.only in ("", "slow"):
            _print("the same behind a slow line", [slow(folder, 2000) for _ in range(times)])
        if given.only == "long":
            directory = record(folder / "long", LONG, 32)
            _print("32 runs x 2 metrics x 1,000,000 lines, 160x45", [long(directory) for _ in range(times)])  # fmt: skip
        if given.only in ("", "large"):
            _print("1,000 runs, 160x45", [large(folder) for _ in range(times)])


def _print(title: str, rounds: list[dict[str, float]]) -> None:
    print(f"\n{title}, n = {len(rounds)}\n{'':46}{'median':>10}{'worst':>10}   goal")
    for name in rounds[0]:
        values = [r[name] for r in rounds]
        print(
            f"{name:46}{statistics.median(values):10.2f}{max(values):10.2f}   {GOALS.get(name, '')}"
        )


if __name__ == "__main__":
    main()
