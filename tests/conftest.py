"""What every test has: a lab for real processes, its own folders, short waiting times, and the choice of campaigns."""

import fcntl
import gc
import os
import shutil
import signal
import sys
import tempfile

import hypothesis
import pytest

# Before lrtui is imported. A worker may take as long as ever to stop (`grace`), a supervisor stays until the test is over
# (`linger`), and torch may be imported as slowly as a test waits (`preload`): tests that wait for one of them set it.
SHORT = "settle=1e-9,tick=0.02,close_look=0.1,linger=60,retry=0.2,poll=0.01,preload=240"
os.environ["LRTUI_TIMING"] = SHORT
os.environ["PATH"] = f"{sys.prefix}/bin:{os.environ['PATH']}"  # as if the environment were active

# Before torch and numpy are loaded. Their threads wait in a loop that keeps a core busy: two in each of four processes
# make a training of 3 s take 20 to 60 s on two cores.
os.environ |= {"OMP_NUM_THREADS": "1", "OMP_WAIT_POLICY": "passive", "OPENBLAS_NUM_THREADS": "1"}

from tests.slurm.fixtures import slurm, slurm_cluster
from tests.supervisor.in_process import in_process
from tests.supervisor.lab import charts, lab, no_charts

__all__ = ["charts", "in_process", "lab", "no_charts", "slurm", "slurm_cluster"]

# In a shell's background Ctrl-C is ignored, and children would inherit that.
signal.signal(signal.SIGINT, signal.default_int_handler)

# The same examples each time, so that a change passes or fails for what it changes; a campaign draws new ones.
hypothesis.settings.register_profile("ci", deadline=None, derandomize=True)
hypothesis.settings.register_profile("campaign", deadline=None, max_examples=2000)


def pytest_addoption(parser):
    parser.addoption(
        "--campaign",
        action="store_true",
        help="run the tests marked `campaign` in full length, not a sample",
    )


def pytest_configure(config):
    _write_to_memory()
    profile = "campaign" if config.getoption("campaign") else "ci"
    hypothesis.settings.load_profile(profile)


@pytest.hookimpl(wrapper=True)
def pytest_collection():
    """Collect without looking for garbage, and pass over what is there then for the rest of the run.

    Each of four processes imports everything and makes 4,000 tests: 13.7 s of CPU, 8.6 s without the search for garbage.
    """
    gc.disable()
    result = yield
    gc.enable()
    gc.freeze()
    return result


def _write_to_memory(needed=4 << 30):
    """Put the tests' folders into memory, unless TMPDIR says where they are or there is little of it.

    An fsync on a disk takes 7 ms, and the suite makes tens of thousands.
    """
    memory = "/dev/shm"
    if "TMPDIR" in os.environ or not os.access(memory, os.W_OK | os.X_OK):
        return
    if shutil.disk_usage(memory).free >= needed:
        os.environ["TMPDIR"] = tempfile.tempdir = memory


@pytest.fixture
def campaign(request) -> bool:
    """Whether the whole campaign is asked for, not a sample."""
    return request.config.getoption("campaign")


def _shared_folder(tmp_path_factory):
    """Return the folder of all processes of this run of the suite."""
    base = tmp_path_factory.getbasetemp()
    return base.parent if "PYTEST_XDIST_WORKER" in os.environ else base


@pytest.fixture(autouse=True, scope="session")
def _no_state_of_the_users(tmp_path_factory):
    for name in ("CACHE", "CONFIG", "STATE"):
        os.environ[f"XDG_{name}_HOME"] = str(tmp_path_factory.mktemp(name.lower()))
    fonts = _shared_folder(tmp_path_factory) / "matplotlib"  # listing them takes 1.5 s
    fonts.mkdir(exist_ok=True)
    os.environ["MPLCONFIGDIR"] = str(fonts)


@pytest.fixture(autouse=True)
def _turn(request, tmp_path_factory):
    """Let a test marked `serial` run while no other test runs.

    All others share a lock that it takes for itself. A gate in front of it, which is held only while waiting for the lock,
    keeps others from overtaking.
    """
    alone = request.node.get_closest_marker("serial") is not None
    folder = _shared_folder(tmp_path_factory)
    with open(folder / "gate.lock", "w") as gate, open(folder / "turn.lock", "w") as turn:
        fcntl.flock(gate, fcntl.LOCK_EX)
        fcntl.flock(turn, fcntl.LOCK_EX if alone else fcntl.LOCK_SH)
        fcntl.flock(gate, fcntl.LOCK_UN)
        yield


@pytest.fixture(autouse=True)
def _numbers_as_they_were():
    """Undo what a training within this process does to it: its small numbers become zero, for all tests behind it."""
    yield
    if torch := sys.modules.get("torch"):
        torch.set_flush_denormal(False)
