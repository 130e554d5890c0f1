"""Hours of a living sweep with its monitor open: does anything grow?

    python -m tests.benchmarks.soak [--hours 2]

Four runs at a time, each ten metric lines a second for four minutes, so that runs are started and ended all the while; the
monitor on a pseudo-terminal of 120x40 whose bytes are read. Every half minute the resident memory of the supervisor and of the
monitor, their open files, their CPU time and the number of processes are written down. In the end: the median of the second
quarter (what came before is growing up) against the median of the last, the CPU shares, and what the oracle says of lost and doubled
steps. Exit code 1 if a step is lost or doubled or a run has no ending of its own.
"""

from __future__ import annotations

import argparse
import csv
import os
import statistics
import sys
import tempfile
import time
from pathlib import Path

from lrtui.config.directory import open_experiment
from lrtui.sweep.mailbox import ensure_supervisor
from tests.supervisor.chaos import STUB, Outcome, end, judge, present, supervisor_pid
from tests.tui.terminal import Terminal

AT_ONCE = 4
RUN_SECONDS = 240
FIELDS = ("seconds", "who", "rss_kb", "files", "cpu_seconds", "processes")


def write(folder: Path, hours: float) -> tuple[Path, int]:
    """Write the experiment; return its file and the number of its runs."""
    runs = max(AT_ONCE, round(hours * 3600 / RUN_SECONDS * AT_ONCE))
    (folder / "oracle").mkdir()
    words = [sys.executable, STUB, folder / "oracle", "{run}", "{lr}", "{until}", "{checkpoint}"]
    command = ", ".join(f"'{word}'" for word in [*words, "--sleep", "0.1"])
    lrs = ", ".join(f"{1e-4 * (1 + i / 10):.6g}" for i in range(runs))
    file = folder / "soak.toml"
    file.write_text(
        f"command = [{command}]\nsteps = {RUN_SECONDS * 10}\nmetric = 'max val_acc'\nlr = [{lrs}]\nparallel = {AT_ONCE}\n"
    )
    return file, runs


def sample(pid: int) -> tuple[int, int, float]:
    """Return resident memory in kB, the number of open files, and CPU seconds of a process."""
    status = Path(f"/proc/{pid}/status").read_text()
    rss = next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmRSS"))
    stat = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (
        rss,
        len(os.listdir(f"/proc/{pid}/fd")),
        (int(stat[11]) + int(stat[12])) / os.sysconf("SC_CLK_TCK"),
    )


def soak(folder: Path, hours: float) -> Outcome:
    file, runs = write(folder, hours)
    directory, _ = open_experiment(file, {}, under=folder / "run", new=False)
    ensure_supervisor(directory)
    rows: list[dict[str, float | str]] = []
    began = time.monotonic()
    with (
        Terminal(directory, 120, 40) as terminal,
        open("soak.csv", "w", newline="") as out,
    ):
        table = csv.DictWriter(out, FIELDS)
        table.writeheader()
        while present(directory).closed is None and time.monotonic() - began < 1.5 * hours * 3600:
            terminal.pump(30)
            for who, pid in (
                ("supervisor", supervisor_pid(directory)),
                ("monitor", terminal.child.pid),
            ):
                if pid is None:
                    continue
                rss, files, cpu = sample(pid)
                row = dict(
                    zip(
                        FIELDS,
                        (time.monotonic() - began, who, rss, files, cpu, len(os.listdir("/proc"))),
                        strict=True,
                    )
                )
                rows.append(row)
                table.writerow(row)
            out.flush()
            terminal.raw.clear()
    outcome = Outcome(trials=1)
    judge(folder, directory, outcome, runs)
    end(directory)
    for who in ("supervisor", "monitor"):
        _say(who, [row for row in rows if row["who"] == who])
    return outcome


def _say(who: str, rows: list[dict[str, float | str]]) -> None:
    quarter = len(rows) // 4
    if not quarter:
        return
    early, late = rows[quarter : 2 * quarter], rows[-quarter:]

    def median(part: list[dict[str, float | str]], field: str) -> float:
        return statistics.median(float(row[field]) for row in part)

    seconds = float(rows[-1]["seconds"]) - float(rows[0]["seconds"])
    share = (float(rows[-1]["cpu_seconds"]) - float(rows[0]["cpu_seconds"])) / max(seconds, 1)
    print(
        f"{who}: {median(early, 'rss_kb') / 1000:.1f} MB in the second quarter, {median(late, 'rss_kb') / 1000:.1f} MB in the last, "
        f"at most {max(float(r['rss_kb']) for r in rows) / 1000:.1f} MB; open files {median(early, 'files'):.0f} and "
        f"{median(late, 'files'):.0f}; {share:.2%} of a core over {seconds / 60:.0f} minutes (n = {len(rows)} samples)"
    )


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--hours", type=float, default=2.0)
    with tempfile.TemporaryDirectory(prefix="lrtui-soak-", ignore_cleanup_errors=True) as name:
        result = soak(Path(name), parser.parse_args().hours)
    print(result.text())
    raise SystemExit(1 if result.faults() else 0)
