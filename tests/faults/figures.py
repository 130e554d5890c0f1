"""What supervision costs and how fast it comes back; printed, not asserted.

    python -m tests.faults.figures [adoption] [supervisor] [stops] [thousand]

adoption: kill -9 of the supervisor to the last RunAdopted, 16 running and 1,000 known runs, 20 times.
supervisor: memory and processor of an idle one with two runs, and while a worker prints 100 MB, and 100 MB without a newline.
stops: 100 stops of a tree with fork, spawn, forkserver and setsid; who is left. thousand: 1,000 queued runs to their end.
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from lrtui.config.directory import open_experiment
from lrtui.sweep import events as ev
from lrtui.sweep.mailbox import ensure_supervisor
from lrtui.workers import keeper
from tests.faults.labs import careful
from tests.faults.oracle import sound
from tests.faults.test_limits import rss_mib
from tests.faults.test_machine import TREE
from tests.supervisor.chaos import supervisor_pid
from tests.supervisor.lab import Lab
from tests.until import until


def start(lab: Lab, parallel: int, **kw: object) -> None:
    """Begin a sweep with so many runs at once."""
    file = lab.toml(**kw)
    file.write_text(file.read_text().replace("parallel = 2", f"parallel = {parallel}"))
    open_experiment(file, {}, under=lab.directory, new=False)
    ensure_supervisor(lab.directory)


def adoption(lab: Lab) -> str:
    lrs = ", ".join(f"{i}e-6" for i in range(1, 1001))
    start(lab, 16, words=careful(lab, 0.5), steps=10_000, lrs=lrs)
    until(lambda: sum(run.state == "running" for run in lab.sweep.alive()) == 16, 120)
    took = []
    for _ in range(20):
        lab.kill_supervisor()
        before = len(lab.events("RunAdopted"))
        began = time.time()
        lab.revive()
        until(lambda b=before: len(lab.events("RunAdopted")) - b >= 16, 60, every=1.0)
        took.append(lab.events("RunAdopted")[before + 15].at - began)
    took.sort()
    doubled = len(lab.doubled())
    return f"all 16 of 1,000 adopted: median {took[9]:.2f} s, p95 {took[18]:.2f} s, max {took[-1]:.2f} s (n=20, from exec on); {doubled} doubled"


def supervisor(lab: Lab) -> str:
    lab.start(words=careful(lab, 1), steps=10_000, lrs="1e-3, 3e-4")
    lab.running("r01")
    lab.running("r02")
    pid = until(lambda: supervisor_pid(lab.directory))
    time.sleep(5)
    began, used = time.monotonic(), cpu_seconds(pid)
    time.sleep(30)
    share = (cpu_seconds(pid) - used) / (time.monotonic() - began)
    idle = rss_mib(pid)
    lab.send(ev.StopSweep(), 60)
    lab.closed()
    flood = Lab(_made(lab.folder / "flood"))
    script = flood.folder / "flood.py"
    script.write_text(
        "import sys, time\n"
        'print(\'{"step": 1, "val_acc": 0.5, "train_loss": 1}\', flush=True)\n'
        "for i in range(1000): sys.stderr.write(('y' * 99 + chr(10)) * 1000)\n"
        "sys.stderr.flush(); print(flush=True)\n"
        "for i in range(100): sys.stderr.write('x' * 1_000_000)\n"
        "sys.stderr.flush(); time.sleep(3)\n"
        'print(\'\\n{"step": 2, "val_acc": 0.5, "train_loss": 1}\', flush=True)\n'
    )
    flood.start(words=[sys.executable, str(script)], steps=2)
    pid, most = until(lambda: supervisor_pid(flood.directory)), 0.0
    while flood.sweep.closed is None:
        most = max(most, rss_mib(pid))
        time.sleep(0.05)
    kind = flood.run().ending.kind
    flood.clean_up()
    return f"idle {idle:.1f} MiB, {share:.2%} of a core with two runs (30 s); 200 MB of output: at most {most:.1f} MiB, the run {kind}"


def stops(lab: Lab, trees: int = 100) -> str:
    os.environ["LRTUI_TIMING"] = "grace=0.3"
    script = lab.folder / "tree.py"
    script.write_text(TREE)
    lrs = ", ".join(f"{i}e-6" for i in range(1, trees + 1))
    start(lab, 2, words=[sys.executable, str(script)], steps=5, lrs=lrs)
    everybody: set[int] = set()
    for number in range(1, trees + 1):
        run = f"r{number:02d}"
        token = until(
            lambda run=run: (r := lab.run(run)) and r.attempts and r.attempts[-1].token, 60
        )
        found = until(lambda token=token: len(b := keeper.bearers(token)) >= 8 and b, 60)
        everybody |= {*found, *(child for pid in found for child in keeper.children(pid))}
        assert lab.send(ev.KillRun(run=run), 60).ok
    lab.closed()
    time.sleep(1)
    left = [pid for pid in everybody if not keeper.is_zombie(pid)]
    return f"{trees} stops of {len(everybody)} processes: {len(left)} left, {len(lab.left())} with a token"


def thousand(lab: Lab) -> str:
    lrs = ", ".join(f"{i}e-6" for i in range(1, 1001))
    began = time.monotonic()
    start(lab, 4, words=careful(lab, 0.001), steps=2, lrs=lrs)
    pid, most = until(lambda: supervisor_pid(lab.directory)), 0.0
    while lab.sweep.closed is None:
        most = max(most, rss_mib(pid))
        time.sleep(1)
    sound(lab)
    return f"1,000 runs ended once each in {time.monotonic() - began:.0f} s; supervisor at most {most:.1f} MiB"


def cpu_seconds(pid: int) -> float:
    """Return the processor time that a process has used."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _made(folder: Path) -> Path:
    folder.mkdir()
    return folder


FIGURES: dict[str, Callable[[Lab], str]] = {
    each.__name__: each for each in (adoption, supervisor, stops, thousand)
}

if __name__ == "__main__":
    del os.environ["LRTUI_TIMING"]  # tests.conftest shortens the tests' waiting times
    for name in sys.argv[1:] or FIGURES:
        with tempfile.TemporaryDirectory(prefix="lrtui-figures-", ignore_cleanup_errors=True) as at:
            os.chdir(at)
            lab = Lab(Path(at))
            try:
                print(f"{name}: {FIGURES[name](lab)}", flush=True)
            finally:
                lab.clean_up()
                os.chdir("/")
