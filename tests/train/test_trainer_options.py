"""A mistake on the command line is one clear line, at once."""

from __future__ import annotations

import subprocess
import sys

import pytest

from lrtui.train.models import MODELS
from lrtui.train.optimizers import OPTIMIZERS
from lrtui.train.options import Choice, UsageError, choose, parse
from lrtui.train.schedules import SCHEDULES


@pytest.mark.parametrize(
    ("kind", "table", "text", "choice"),
    [
        ("optimizer", OPTIMIZERS, "adam", Choice("adam", {})),
        ("optimizer", OPTIMIZERS, '{"sgd": {"momentum": 0.9}}', Choice("sgd", {"momentum": 0.9})),
        ("optimizer", OPTIMIZERS, '{"sgd":{},"momentum":0.9}', Choice("sgd", {"momentum": 0.9})),
        ("schedule", SCHEDULES, '{"cosine": {"warmup": 0.05}}', Choice("cosine", {"warmup": 0.05})),
        (
            "schedule",
            SCHEDULES,
            '{"step":0.5,"warmup":0.05}',
            Choice("step", {"gamma": 0.5, "warmup": 0.05}),
        ),
        (
            "schedule",
            SCHEDULES,
            '{"warmup":0.05,"step":0.5}',
            Choice("step", {"gamma": 0.5, "warmup": 0.05}),
        ),
        ("model", MODELS, '{"mlp": {"width": 64}}', Choice("mlp", {"width": 64})),
    ],
)
def test_a_choice_is_a_name_or_json_of_the_experiment_files_shape(kind, table, text, choice):
    assert choose(kind, text, table) == choice


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--epochs", "3"], "--lr"),
        (["--lr", "1e-3"], "either --epochs or --steps"),
        (["--lr", "1e-3", "--epochs", "3", "--steps", "3"], "either --epochs or --steps"),
        (["--lr", "0", "--epochs", "3"], "--lr must be above 0"),
        (["--lr", "nan", "--epochs", "3"], "--lr must be above 0"),
        (["--lr", "x", "--epochs", "3"], "--lr"),
        (
            ["--lr", "1", "--epochs", "3", "--until", "4"],
            "--until 4 lies beyond the horizon of 3 epochs",
        ),
        (["--lr", "1", "--epochs", "3", "--data", "1.5"], "--data is a share"),
        (["--lr", "1", "--epochs", "3", "--seed", "-1"], "--seed"),
        (["--lr", "1", "--epochs", "3", "--model", "cnn8"], "no model 'cnn8'; known: cnn7, cnn3"),
        (["--lr", "1", "--epochs", "3", "--optimizer", '{"sgd": 3}'], "takes a table of options"),
        (["--lr", "1", "--epochs", "3", "--optimizer", '{"sgd"'], "neither a name nor JSON"),
        (["--lr", "1", "--epochs", "3", "--optimizer", "{}"], "no optimizer ''"),
        (
            ["--lr", "1", "--epochs", "3", "--schedule", '{"cosine":{"t":1}}'],
            "cosine has no option 't'",
        ),
        (["--lr", "1", "--epochs", "3", "--wrong", "1"], "unrecognized arguments: --wrong"),
    ],
)
def test_a_mistake_is_said_in_one_line(arguments, said):
    with pytest.raises(UsageError) as raised:
        parse(["--prepared", "there", *arguments])
    assert said in str(raised.value)
    assert "\n" not in str(raised.value)


def test_the_process_answers_a_mistake_before_it_imports_torch():
    words = [
        "-X",
        "importtime",
        "-m",
        "lrtui.train",
        "--prepared",
        "x",
        "--lr",
        "1",
        "--epochs",
        "1",
        "--model",
        "gpt",
    ]
    done = subprocess.run([sys.executable, *words], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    *imports, said = done.stderr.splitlines()
    assert said == f"lrtui.train: no model 'gpt'; known: {', '.join(MODELS)}"
    modules = {line.rpartition("|")[2].strip() for line in imports}
    assert "lrtui.train.options" in modules
    assert not modules & {"torch", "numpy"}


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (
            {"optimizer": '{"sgd": {"momentum": -1}}'},
            "optimizer sgd refuses momentum = -1: it must be at least 0",
        ),
        ({"schedule": '{"cosine": {"warmup": 1}}'}, "schedule cosine refuses warmup = 1"),
        ({"optimizer": "muon", "model": "linear"}, "optimizer muon: it is for hidden weights"),
        ({"prepared": "nowhere"}, "--prepared: nowhere is no prepared data set"),
    ],
)
def test_what_the_trainer_refuses_is_one_line(trainer, options, said):
    done = trainer.run(**options)
    assert done.returncode == 2
    assert said in done.stderr
    assert done.stderr.count("\n") == 1
