"""The simulated cluster itself: what the tests of the launcher `slurm` stand on."""

from pathlib import Path

import pytest

from tests.slurm import cluster as module
from tests.slurm.cluster import Cluster, UnavailableError
from tests.until import until


def submit(slurm, tmp_path: Path, script: str, *options: str) -> str:
    """Submit a shell script whose output goes to tmp_path/out; return the id of the job."""
    words = ["sbatch", "--parsable", f"--output={tmp_path}/out", *options, f"--wrap={script}"]
    return slurm.run(*words)


def test_a_job_runs_on_its_gpu(slurm, tmp_path):
    submit(slurm, tmp_path, "echo $SLURMD_NODENAME, GPU $CUDA_VISIBLE_DEVICES", "--gres=gpu:1")
    said = until(lambda: (tmp_path / "out").exists() and (tmp_path / "out").read_text())
    assert said in ("n0, GPU 0\n", "n1, GPU 0\n")


def test_a_job_outlives_the_daemon_of_its_node(slurm, tmp_path):
    """Slurm declares the node down while the job's processes live, and `clear` ends them."""
    script = f"echo $$ > {tmp_path}/pid; exec sleep 600"
    job = submit(slurm, tmp_path, script, "--nodelist=n1", "--no-requeue")
    pid = int(until(lambda: (tmp_path / "pid").exists() and (tmp_path / "pid").read_text()))
    slurm.kill_node("n1")
    slurm.run("scontrol", "update", "nodename=n1", "state=down", "reason=test")
    until(lambda: slurm.state(job).startswith("NODE_FAIL"))
    assert pid in slurm.processes()
    slurm.clear()
    assert pid not in slurm.processes()


def test_missing_packages_are_named(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", "")
    monkeypatch.setattr(module, "SYSTEM", "")
    with pytest.raises(UnavailableError, match=r"apt-get install .* slurmctld slurmd"):
        Cluster(tmp_path).up()
