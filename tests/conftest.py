"""The lab: a folder with one experiment, for every test that needs real processes."""

import os
import signal
import sys

import pytest

from tests.supervisor.lab import lab

__all__ = ["lab"]

# In a shell's background Ctrl-C is ignored, and children would inherit that.
signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(autouse=True, scope="session")
def _no_state_of_the_users(tmp_path_factory):
    os.environ["XDG_CACHE_HOME"] = str(tmp_path_factory.mktemp("cache"))
    os.environ["XDG_STATE_HOME"] = str(tmp_path_factory.mktemp("state"))


@pytest.fixture(autouse=True)
def _numbers_as_they_were():
    """Undo what a training within this process does to it: its small numbers become zero, for all tests behind it."""
    yield
    if torch := sys.modules.get("torch"):
        torch.set_flush_denormal(False)
