"""How fast and how small a large sweep is read: `python -m tests.benchmarks.reading [--long]`.

Each count of points is measured in a process of its own, with the page cache warm. --long is 32 runs of 1,000,000 lines (3 GB on the disk). Goals (DESIGN.md): 8 runs x 2 metrics x 100,000 points complete
within 3 s; 120 MB.
"""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

from tests import recorded


def main() -> None:
    """Print a table: one row per size."""
    sizes = [(8, 1_000), (8, 10_000), (8, 100_000), (1000, 10)]
    if "--long" in sys.argv:
        sizes = [(32, 1_000_000)]
    print(
        f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}, n = 1"
    )
    print(f"{'runs x points':>16} {'first series':>13} {'complete':>9} {'CPU':>9} {'a line':>9} {'get+thin':>9} "
          f"{'idle look':>10} {'RSS before':>11} {'after':>7}")  # fmt: skip
    for runs, points in sizes:
        with tempfile.TemporaryDirectory() as folder:
            directory = recorded.dense(Path(folder, "sweep"), runs, points)
            command = [sys.executable, __file__, str(directory)]
            out = subprocess.run(command, check=True, capture_output=True, text=True).stdout
            r = json.loads(out)
            print(f"{f'{runs} x {points}':>16} {r['first']:>11.3f} s {r['complete']:>7.2f} s {r['cpu']:>7.2f} s {1e6 * r['cpu'] / runs / points:>6.2f} us {r['thin']:>6.1f} ms "
                  f"{r['idle']:>7.2f} ms {r['rss_before']:>8.0f} MB {r['rss']:>4.0f} MB")  # fmt: skip


def measure(directory: Path) -> None:
    """Read one directory through a DirectoryReader; print the figures as JSON."""
    from lrtui.frontend.snapshot import DirectoryReader
    from lrtui.metrics import thin

    before = rss()
    began, cpu = time.perf_counter(), time.process_time()
    watcher = DirectoryReader(directory)
    snapshot = watcher.snapshot(0.0)
    first = 0.0
    while snapshot.reading or not first:
        if not first and all(len(s) for s in snapshot.series.values()):
            first = time.perf_counter() - began
        snapshot = watcher.snapshot()
    complete, cpu = time.perf_counter() - began, time.process_time() - cpu
    after = rss()
    thin(next(iter(snapshot.series.values())).get("val_acc"), 120)
    began = time.perf_counter()
    for series in snapshot.series.values():
        thin(series.get("val_acc"), 120)
    drawn = time.perf_counter() - began
    began = time.perf_counter()
    for _ in range(20):
        watcher.snapshot()
    idle = (time.perf_counter() - began) / 20
    print(json.dumps({
        "first": first, "complete": complete, "cpu": cpu, "thin": drawn * 1e3, "idle": idle * 1e3,
        "rss_before": before, "rss": after,
    }))  # fmt: skip


def rss() -> float:
    """Return this process's resident memory in MB."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096 / 1e6


if __name__ == "__main__":
    if len(sys.argv) > 1 and sys.argv[1] != "--long":
        measure(Path(sys.argv[1]))
    else:
        main()
