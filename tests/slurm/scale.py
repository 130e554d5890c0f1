"""A thousand runs of 10 s on 64 simulated nodes, the supervisor killed midway: how long, how many calls, what was lost.

    python -m tests.slurm.scale [--runs 1000] [--nodes 64]

Two runs fit on a node, so 80 s is the least that 1,000 runs can take on 64. It exits with 1 if anything was lost or doubled.
"""

import argparse
import os
import tempfile
import time
from pathlib import Path

from tests.slurm.cluster import Cluster
from tests.slurm.lab import Far
from tests.supervisor.chaos import supervisor_pid
from tests.supervisor.lab import Lab
from tests.until import until

STEPS, STEP_SECONDS = 20, 0.5


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--runs", type=int, default=1000)
    parser.add_argument("--nodes", type=int, default=64)
    options = parser.parse_args()
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
            _measure(far, options.runs, 2 * options.nodes)
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
    until(lambda: _ended(far) > runs // 2, every=0.5)
    far.lab.kill_supervisor()
    killed = time.monotonic()
    known = far.lab.lrtui("status", str(far.lab.directory))
    status = time.monotonic() - killed
    before = far.lab.sweep.n
    far.lab.revive()
    until(lambda: far.lab.sweep.n > before)
    back = time.monotonic() - killed - status
    deadline = time.monotonic() + 1200
    while not far.lab.sweep.closed:
        assert time.monotonic() < deadline, "not over after 20 minutes"
        time.sleep(0.5)
    took = time.monotonic() - began
    asked = len([words for words in far.calls("squeue") if "-o" in words])
    print(
        f"{runs} runs, {at_once} at once: {took:.0f} s; {len(far.submissions())} sbatch, {asked} squeue; after kill -9 midway "
        f"`lrtui status` took {status:.1f} s (exit {known.returncode}) and the next supervisor's first event {back:.1f} s; "
        f"load {os.getloadavg()[0]:.0f}, supervisor {_memory_mib(far):.0f} MiB"
    )
    far.sound()


def _ended(far: Far) -> int:
    return sum(run.ending is not None for run in far.lab.sweep.runs.values())


def _memory_mib(far: Far) -> float:
    pid = supervisor_pid(far.lab.directory)
    text = Path(f"/proc/{pid}/status").read_text() if pid else "VmRSS: 0 kB"
    return int(text.partition("VmRSS:")[2].split()[0]) / 1024


if __name__ == "__main__":
    raise SystemExit(main())
