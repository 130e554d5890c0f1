"""A sweep on images and with a model of the user's own, from another folder than the experiment file's; what a good one
leaves is in tests/hostile/test_on_disk.py."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.supervisor.lab import NO_CHARTS

ROOT = Path(__file__).parents[2]
FILE = """\
dataset    = { folder = "images", size = 8, val = 0.2 }
model      = { "my_model:build" = { width = 4 } }
batch_size = 8
epochs     = 2
lr         = [1e-2, 1e-3]
"""
MODEL = """\
from torch import nn


def build(channels, size, classes, width):
    return nn.Sequential(
        nn.Flatten(), nn.Linear(channels * size**2, width), nn.ReLU(), nn.Linear(width, classes)
    )
"""


def write_mine(folder):
    """Write the user's folder: an experiment file, a model, and 60 images of dark and of light."""
    rng = np.random.default_rng(0)
    for name, least in (("dark", 0), ("light", 120)):
        (folder / "images" / name).mkdir(parents=True)
        for number in range(30):
            pixels = rng.integers(least, least + 130, (9, 12, 3)).astype(np.uint8)
            Image.fromarray(pixels).save(folder / "images" / name / f"{number}.png")
    (folder / "x.toml").write_text(FILE)
    (folder / "my_model.py").write_text(MODEL)
    return folder


@pytest.fixture
def mine(tmp_path):
    return write_mine(tmp_path / "mine")


def lrtui(folder, *words, umask=-1, **environment):
    """Run lrtui in a folder beside the user's."""
    elsewhere = folder / "elsewhere"
    elsewhere.mkdir(exist_ok=True)
    return subprocess.run(
        [sys.executable, "-m", "lrtui", *words],
        cwd=elsewhere,
        env={**os.environ, "PYTHONPATH": str(ROOT), "CUDA_VISIBLE_DEVICES": "", **environment},
        umask=umask,
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )


@pytest.mark.parametrize(
    ("spoil", "code", "said"),
    [
        (lambda mine: (mine / "images" / "dark" / "0.png").write_bytes(b"x"), 2, "0.png (cannot"),
        (lambda mine: (mine / "my_model.py").unlink(), 2, "x.toml:2:"),
        (lambda mine: os.rename(mine / "images", mine / "photos"), 2, "no such folder"),
        (
            lambda mine: (mine / "my_model.py").write_text("def build(*a, **k): 1 / 0"),
            1,
            "division",
        ),
    ],
)
def test_a_mistake_is_said_with_the_documented_exit_code(mine, tmp_path, spoil, code, said):
    spoil(mine)
    done = lrtui(tmp_path, "../mine/x.toml", "--headless", PYTHONPATH=f"{NO_CHARTS}:{ROOT}")
    assert done.returncode == code, done.stdout + done.stderr
    assert said in done.stdout + done.stderr
    assert "Traceback" not in done.stdout + done.stderr
