"""Learning rates that train together learn, to the last bit, what each learns alone."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from lrtui.train import step
from lrtui.train.multiplex.runs import Together, Turns
from lrtui.train.options import parse
from lrtui.train.run_state import set_up
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
        step.take_step(training)
    return digest(training)


@pytest.mark.parametrize("setting", SETTINGS, ids=lambda setting: setting[0])
def test_weights_are_those_of_lone_runs_also_where_one_goes_and_one_comes(prepared, setting):
    every = runs(prepared, *setting)
    together = Together()
    members = {number: together.set_up(every[number]) for number in (0, 1, 2)}
    steps = dict.fromkeys(members, 0)

    def round_of_steps():
        for number, member in members.items():
            batch = together.batch(member.training)
            member.turn(lambda batch=batch, run=member.training: step.take_step(run, batch))
            steps[number] += 1

    for _ in range(5):
        round_of_steps()
    del members[1]
    members[3], steps[3] = together.set_up(every[3]), 0
    for _ in range(5):  # 8 steps an epoch: the first ones go into the second, over a batch of 16
        round_of_steps()
    found = {number: digest(each.training) for number, each in members.items()}
    assert found == {number: alone(every[number], steps[number]) for number in (0, 2, 3)}
    assert len(set(found.values())) == 3


def test_runs_at_the_same_step_learn_from_the_same_tensors(prepared):
    first, second, other = runs(prepared, "--model=mlp", rates=("1e-2", "1e-3", "1e-4"))
    together = Together()
    members = [together.set_up(each) for each in (first, second, replace(other, seed=1))]
    batches = [together.batch(member.training)[0] for member in members]
    assert batches[0] is batches[1]
    assert batches[2] is not batches[0]
    assert members[0].training.data is members[2].training.data


def test_the_process_keeps_its_own_dice(prepared):
    torch.manual_seed(7)
    expected = torch.rand(3).tolist()
    torch.manual_seed(7)
    turns = Turns(runs(prepared, *SETTINGS[3]))
    turns.step()
    assert torch.rand(3).tolist() == expected


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_on_a_gpu_graphs_of_several_lrs_are_bit_equal_to_one_alone(prepared, monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0")
    every = runs(prepared, "--model=mlp")

    def digests(group):
        turns = Turns(group)
        for _ in range(10):
            turns.step()
        torch.cuda.synchronize()
        return [digest(training) for training in turns.trainings]

    assert digests(every) == [digests([each])[0] for each in every]


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
