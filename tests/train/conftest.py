"""Prepared data, and the trainer as a process."""

from __future__ import annotations

import pytest

from lrtui.train import store
from tests.train.running import Trainer, timeless, tiny_source


@pytest.fixture(scope="session")
def prepared(tmp_path_factory):
    """A prepared folder of 240 training, 60 validation and 60 test images of 8x8."""
    folder = tmp_path_factory.mktemp("prepared")
    path, _ = store.write(
        folder, "tiny", tiny_source(), classes=10, validation=60, flip=True, synthetic=True
    )
    return path


@pytest.fixture
def trainer(prepared, tmp_path):
    return Trainer(prepared, tmp_path)


@pytest.fixture
def same():
    return timeless
