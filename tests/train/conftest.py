"""Prepared data, and the trainer as a process."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from lrtui.train import prepared_arrays
from tests.train.running import Trainer, timeless, tiny_source


@pytest.fixture(autouse=True)
def no_imports_left(monkeypatch):
    """Take away what a model of the user's own leaves in `sys.path`: a child process gets that too."""
    monkeypatch.setattr(sys, "path", sys.path[:])


@pytest.fixture(scope="session")
def prepared(tmp_path_factory):
    """A prepared folder of 240 training, 60 validation and 60 test images of 8x8."""
    folder = tmp_path_factory.mktemp("prepared")
    path, _ = prepared_arrays.write(
        folder, "tiny", tiny_source(), classes=10, validation=60, flip=True, synthetic=True
    )
    return path


@pytest.fixture
def trainer(prepared, tmp_path):
    return Trainer(prepared, tmp_path)


@pytest.fixture
def same():
    return timeless


@pytest.fixture
def small_disk(tmp_path):
    """A file system of 64 KiB at tmp_path/data."""
    place = tmp_path / "data"
    place.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(place)]
    if os.geteuid() or subprocess.run(mount, check=False, capture_output=True).returncode:
        pytest.skip("needs root, and a kernel that lets it mount")
    yield place
    subprocess.run(["umount", str(place)], check=True)
