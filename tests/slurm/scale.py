"""A thousand runs of 10 s on 64 simulated nodes, the supervisor killed midway: how long, how many calls, what was lost.

    python -m tests.slurm.scale [--runs 1000] [--nodes 64] [--bare]

Two runs fit on a node, so 80 s is the least that 1,000 runs can take on 64. With --bare the same script runs as an array without
lrtui: what the machine can do. It exits with 1 if anything was lost or doubled.
"""

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from tests.slurm.cluster import Cluster
from tests.slurm.lab import Far
from tests.supervisor.chaos import supervisor_pid
from tests.supervisor.lab import STUB, Lab
from tests.until import until

STEPS, STEP_SECONDS = 20, 0.5


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--runs", type=int, default=1000)
    parser.add_argument("--nodes", type=int, default=64)
    parser.add_argument("--bare", action="store_true")
    options = parser.parse_args()
    os.environ.pop("LRTUI_TIMING", None)  # tests.conftest shortens the tests' waiting times
    with tempfile.TemporaryDirectory(prefix="lrtui-scale-") as name:
        folder = Path(name)
        (folder / "c").mkdir()
        cluster = Cluster(folder / "c")
        cluster.up(options.nodes, cpus=2, gpus=2)
        lab = Lab(folder)
        try:
            os.environ.update(cluster.environment)
            far = Far(lab, cluster)
            os.environ["PATH"] = f"{far.bin}:{os.environ['PATH']}"
            (_measure_bare if options.bare else _measure)(far, options.runs, 2 * options.nodes)
        finally:
            lab.clean_up()
            cluster.down()
    return 0


def _measure(far: Far, runs: int, at_once: int) -> None:
    lrs = ", ".join(f"{i + 1}e-6" for i in range(runs))
    began = time.monotonic()
    far.start(
        lrs=lrs,
        steps=STEPS,
        flags=f"--sleep {STEP_SECONDS}",
        parallel=at_once,
        launcher="gres = 'gpu:1'",
    )
    _wait(lambda: _ended(far) > runs // 2)
    far.lab.kill_supervisor()
    killed = time.monotonic()
    known = far.lab.lrtui("status", str(far.lab.directory))
    status = time.monotonic() - killed
    before = far.lab.sweep.n
    far.lab.revive()
    until(lambda: far.lab.sweep.n > before)
    back = time.monotonic() - killed - status
    memory = 0.0

    def over() -> bool:
        nonlocal memory
        closed = far.lab.sweep.closed is not None
        if not closed:  # the verdict at the end takes more, for as long as it takes
            memory = max(memory, _memory_mib(far))
        return closed

    _wait(over)
    took = time.monotonic() - began
    asked = len([words for words in far.calls("squeue") if "-o" in words])
    print(
        f"{runs} runs, {at_once} at once: {took:.0f} s; {len(far.submissions())} sbatch, {asked} squeue; after kill -9 midway "
        f"`lrtui status` took {status:.1f} s (exit {known.returncode}) and the next supervisor's first event {back:.1f} s; "
        f"load {os.getloadavg()[0]:.0f}, supervisor at most {memory:.1f} MiB until the end"
    )
    far.sound()


def _measure_bare(far: Far, runs: int, at_once: int) -> None:
    oracle = far.lab.oracle
    run = "r$SLURM_ARRAY_TASK_ID"
    words = f"{oracle} {run} 1e-3 {STEPS} {oracle}/{run}.ckpt --sleep {STEP_SECONDS}"
    files = f"LRTUI_TOKEN=bare LRTUI_METRICS={oracle}/{run}.jsonl"
    options = (f"--array=0-{runs - 1}%{at_once}", "--gres=gpu:1", "--chdir=/", "--output=/dev/null")
    began = time.monotonic()
    far.slurm.run("sbatch", *options, f"--wrap={files} exec {sys.executable} {STUB} {words}")
    _wait(lambda: not far.slurm.run("squeue", "--noheader"))
    lines = sum(len(file.read_text().splitlines()) for file in oracle.glob("*.jsonl"))
    took = time.monotonic() - began
    print(
        f"bare: {runs} runs, {at_once} at once: {took:.0f} s, {lines} lines; load {os.getloadavg()[0]:.0f}"
    )


def _wait(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + 1800
    while not condition():
        assert time.monotonic() < deadline, "not over after 30 minutes"
        time.sleep(1)


def _ended(far: Far) -> int:
    return sum(run.ending is not None for run in far.lab.sweep.runs.values())


def _memory_mib(far: Far) -> float:
    pid = supervisor_pid(far.lab.directory)
    text = Path(f"/proc/{pid}/status").read_text() if pid else "VmRSS: 0 kB"
    return int(text.partition("VmRSS:")[2].split()[0]) / 1024


if __name__ == "__main__":
    raise SystemExit(main())
