"""The example experiments: each loads, each is a lesson, the own script runs."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from lrtui.config import argv, describe, load, planned

ROOT = Path(__file__).parents[1]
FILES = sorted((ROOT / "experiments").glob("*.toml"))
SCRIPT = ROOT / "experiments" / "own_script.py"


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_every_example_loads_without_notes_and_says_what_to_look_at(path):
    experiment = load(path)
    assert experiment.notes == ()
    assert planned(experiment)
    assert describe(experiment)
    assert "# Try it:" in experiment.text
    assert "# What to see:" in experiment.text
    assert experiment.text.startswith(f"# experiments/{path.name}: ")


def test_the_articles_experiment_has_its_numbers():
    experiment = load(ROOT / "experiments" / "cifar100.toml")
    assert [start.setting.lr for start in planned(experiment)] == [0.1, 0.00625, 0.001, 0.0003]
    assert (experiment.dataset, experiment.model, experiment.optimizers) == (
        "cifar100",
        "cnn7",
        ("adam",),
    )
    assert "6.25e-05" in experiment.text


def test_the_first_story_has_its_three_lrs():
    experiment = load(ROOT / "experiments" / "mnist.toml")
    assert [start.setting.lr for start in planned(experiment)] == [1e-3, 3e-4, 1e-1]


def lines(*args):
    env = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    command = [sys.executable, "-I", str(SCRIPT), *args]
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=env, timeout=300)
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_the_own_script_runs_with_the_command_of_its_file(tmp_path):
    experiment = load(ROOT / "experiments" / "own_script.toml")
    checkpoint = str(tmp_path / "checkpoint")
    words = argv(experiment, {"lr": 1e-3, "seed": 0, "until": 2.0, "checkpoint": checkpoint})
    assert words[:2] == ["python3", "experiments/own_script.py"]
    assert [line["epoch"] for line in lines(*words[2:])] == [1, 2]
    assert [line["epoch"] for line in lines(*words[2:-2], "--until=3", words[-1])] == [3]


def test_the_own_script_goes_on_exactly_where_it_stopped(tmp_path):
    args = ["--lr=1e-2", "--seed=1", "--epochs=4"]
    checkpoint = f"--checkpoint={tmp_path / 'c'}"
    resumed = lines(*args, "--until=2", checkpoint) + lines(*args, checkpoint)
    assert resumed == lines(*args)


def test_the_own_script_shows_that_the_lr_matters():
    losses = {
        lr: lines(f"--lr={lr}", "--epochs=6")[-1]["val_loss"] for lr in ("1e-6", "1e-3", "1e-1")
    }
    assert losses["1e-3"] + 0.1 < min(losses["1e-6"], losses["1e-1"])
