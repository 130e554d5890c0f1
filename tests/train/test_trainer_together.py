"""Learning rates that train together learn, to the last bit, what each learns alone."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from lrtui.train import loop
from lrtui.train.options import parse
from lrtui.train.together import Together
from lrtui.train.training import set_up
from lrtui.train.verify import digest

ROOT = Path(__file__).parents[2]
RATES = ("1e-1", "1e-2", "1e-3", "6.25e-5")
SETTINGS = [
    ("--model=mlp", "--optimizer=adam"),
    ('--model={"cnn7":{"width":4}}', '--optimizer={"sgd":{"momentum":0.9}}', "--schedule=cosine"),
    ("--model=cnn3", "--optimizer=adamw", "--precision=bf16", "--augment"),
    ('--model={"vit":{"dropout":0.2,"width":16,"depth":1}}', "--schedule=one_cycle"),
    ("--model=linear", "--optimizer=lbfgs"),
]


def runs(prepared, *more, rates=RATES):
    words = [f"--prepared={prepared}", "--batch-size=32", "--epochs=3", "--threads=1", *more]
    return [parse([*words, f"--lr={lr}"]) for lr in rates]


def alone(options, steps):
    training = set_up(options)
    for _ in range(steps):
        loop.take_step(training)
    return digest(training)


@pytest.mark.parametrize("setting", SETTINGS, ids=lambda setting: setting[0])
def test_weights_are_those_of_lone_runs_also_where_one_is_dropped_midway(prepared, setting):
    every = runs(prepared, *setting)
    together = Together(every)
    for _ in range(5):
        together.step()
    together.drop(1)
    for _ in range(5):  # 8 steps an epoch: into the second one, over a batch of 16
        together.step()
    found = {number: digest(each.training) for number, each in together.alive.items()}
    assert found == {number: alone(every[number], 10) for number in (0, 2, 3)}
    assert len(set(found.values())) == 3


def test_readings_are_the_means_of_each_window(prepared):
    every = runs(prepared, "--model=mlp", rates=("1e-2", "1e-3"))
    together = Together(every)
    for _ in range(3):
        together.step()
    together.note()
    together.step()
    together.note()
    found = together.ready(wait=True)
    assert [(each.number, each.step) for each in found] == [(0, 3), (1, 3), (0, 4), (1, 4)]
    assert together.ready() == []
    lone = set_up(every[1])
    losses = [loop.take_step(lone).item() for _ in range(4)]
    assert found[1].train_loss == pytest.approx(sum(losses[:3]) / 3)
    assert found[3].train_loss == pytest.approx(losses[3])
    assert 0 <= found[1].train_acc <= 1


def test_runs_of_different_settings_do_not_train_together(prepared):
    mixed = [*runs(prepared, rates=("1e-2",)), *runs(prepared, "--seed=1", rates=("1e-2",))]
    with pytest.raises(ValueError, match="learning rates alone"):
        Together(mixed)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_on_a_gpu_graphs_of_several_lrs_are_bit_equal_to_one_alone(prepared, monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0")
    every = runs(prepared, "--model=mlp")
    together = Together(every)
    lone = [Together([each]) for each in every]
    for group in (together, *lone):
        for _ in range(10):
            group.step()
    torch.cuda.synchronize()
    for number, group in enumerate(lone):
        assert digest(group.alive[0].training) == digest(together.alive[number].training)


FILE = 'dataset = "digits"\nmodel = "mlp"\nepochs = 1\nbatch_size = 32\nlr = [1e-1, 1e-3]\n'
UNSTEADY = """\
import os
from torch import nn

def build(channels, size, classes):
    class Unsteady(nn.Module):
        def __init__(self):
            super().__init__()
            self.last = nn.Linear(channels * size**2, classes)

        def forward(self, images):
            return self.last(images.flatten(1)) * (1 + os.getpid() % 1009 / 1e4)

    return Unsteady()
"""


def verify(tmp_path, text, *more):
    (tmp_path / "x.toml").write_text(text)
    (tmp_path / "unsteady.py").write_text(UNSTEADY)
    return subprocess.run(
        [sys.executable, "-m", "lrtui", "verify", "x.toml", *more],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(ROOT), "CUDA_VISIBLE_DEVICES": ""},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


def test_verify_says_that_all_weights_are_equal(tmp_path):
    done = verify(tmp_path, FILE, "--steps", "5")
    assert (done.returncode, done.stderr) == (0, "")
    head, _, *rows, last = done.stdout.splitlines()
    assert head.startswith("mlp, adam, constant, batch 32, fp32, seed 0: 5 steps")
    assert [row.split()[0] for row in rows] == ["0.1", "0.001"]
    assert all(row.split()[1] == row.split()[2] for row in rows)
    assert last == "equal to the last bit"
    assert not (tmp_path / "runs").exists()


def test_verify_finds_a_model_that_is_not_the_same_twice(tmp_path):
    done = verify(tmp_path, FILE.replace('"mlp"', '"unsteady:build"'), "--steps", "3")
    assert done.returncode == 1, done.stderr
    assert "DIFFERENT" in done.stdout
    assert done.stdout.splitlines()[-1].startswith("NOT equal")


@pytest.mark.parametrize(
    ("text", "code", "said"),
    [
        (FILE.replace("32", "100000"), 2, "batch_size"),
        (FILE.replace('"mlp"', '"nowhere:build"'), 2, "nowhere"),
        (
            'command = ["t", "{lr}"]\nepochs = 1\nmetric = "max a"\nlr = 1e-3\n',
            2,
            "a command of its own",
        ),
    ],
)
def test_verify_names_what_is_wrong(tmp_path, text, code, said):
    done = verify(tmp_path, text)
    assert done.returncode == code, done.stdout + done.stderr
    assert said in done.stderr
    assert "Traceback" not in done.stderr


def test_verify_of_a_search_takes_rates_from_its_range(tmp_path):
    done = verify(tmp_path, FILE.replace("[1e-1, 1e-3]", "{ auto = 3 }"), "--steps", "1")
    assert done.returncode == 0, done.stderr
    assert len(done.stdout.splitlines()) == 2 + 4 + 1
