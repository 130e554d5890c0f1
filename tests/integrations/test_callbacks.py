"""The callbacks for frameworks, each with the real framework: cut into attempts, a training comes to the same as in one go."""

import json
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest


def scenario(*arguments) -> dict:
    if find_spec(arguments[2]) is None:  # importing it here would take seconds
        pytest.skip(f"needs {arguments[2]}")
    done = subprocess.run(
        [sys.executable, "-m", "tests.integrations.scenario", *map(str, arguments)],
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-5000:]
    return json.loads(done.stdout)


def test_transformers(tmp_path):
    """Rung in the middle of an epoch, SIGTERM in the next one; max_steps is the whole length, so the schedule is the same."""
    made = scenario("hf", tmp_path, "transformers", "STEPS", 8, 2, 5)
    first, second, third = made["parts"]
    assert made["equal"]
    assert first + second + third == made["lines"]
    assert [part[-1]["step"] for part in made["parts"]] == [2, 6, 8]
    assert set(first[0]) == {"step", "epoch", "train_loss", "lr", "grad_norm"}
    assert [line["step"] for line in made["lines"] if "eval_loss" in line] == [4, 8]
    assert [(line["step"], line["lr"]) for line in made["range"]] == [
        (1, 0.01),
        (2, pytest.approx(0.1)),
        (3, 1),
    ]
    assert made["left"] == ["out-p", "out-r", "out-w", "p", "w"]


def test_lightning(tmp_path):
    """Rung at an epoch's end, SIGTERM in the middle of the next one: shuffled batches and dropout go on as they would have."""
    made = scenario("lit", tmp_path, "lightning", "EPOCHS", 3, 1, 6)
    assert made["equal"]
    lines, *parts = (
        [line for line in each if "train_loss_epoch" not in line]
        for each in (made["lines"], *made["parts"])
    )
    assert [line for part in parts for line in part] == lines
    assert [part[-1]["step"] for part in parts] == [4, 7, 12]
    assert [(line["epoch"], "val_loss" in line) for line in lines[3:6]] == [
        (1, False),
        (1, True),
        (1.25, False),
    ]
    assert [(line["step"], line["lr"]) for line in made["range"]] == [
        (1, 0.01),
        (2, pytest.approx(0.1)),
        (3, 1),
    ]
    assert made["left"] == ["p", "w"]


def test_keras(tmp_path):
    """Rung and SIGTERM at the ends of epochs: Keras has no other place to go on from."""
    made = scenario("ker", tmp_path, "keras", "EPOCHS", 4, 2, 12)
    first, second, third = made["parts"]
    assert made["equal"]
    assert first + second + third == made["lines"]
    assert [part[-1]["step"] for part in made["parts"]] == [8, 12, 16]
    assert set(first[0]) == {"step", "epoch", "train_loss", "val_loss", "lr"}
    assert [line["lr"] for line in made["range"]] == [0.01, pytest.approx(0.1), 1]
    assert made["left"] == ["p", "w"]
