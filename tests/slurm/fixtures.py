"""One cluster for all tests of a session; each test finds it idle and leaves it idle."""

import shutil
import tempfile
from pathlib import Path

import pytest

from tests.slurm.cluster import Cluster, UnavailableError


@pytest.fixture(scope="session")
def slurm_cluster():
    """A cluster of two nodes with 4 CPUs and 2 GPUs each; the tests are skipped where none can run."""
    folder = Path(tempfile.mkdtemp(prefix="lrtui-slurm-"))  # its sockets need a short path
    folder.chmod(0o755)
    made = Cluster(folder)
    try:
        made.up()
    except UnavailableError as error:
        pytest.skip(str(error))
    else:
        yield made
        made.down()
    finally:
        shutil.rmtree(folder)


@pytest.fixture
def slurm(slurm_cluster, monkeypatch):
    """Return the session's cluster, idle, with an environment in which sbatch and lrtui find it."""
    for name, value in slurm_cluster.environment.items():
        monkeypatch.setenv(name, value)
    yield slurm_cluster
    slurm_cluster.clear()
