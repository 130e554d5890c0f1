"""Learning rates that train together learn, to the last bit, what each learns alone."""

from __future__ import annotations

import hashlib
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from multiprocessing import get_context

import pytest
import torch

from lrtui.train import IMPORTS, loop, step
from lrtui.train.multiplex.runs import MultiplexedRuns
from lrtui.train.options import parse
from lrtui.train.run_state import set_up
from tests.train.round_robin import RoundRobin

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


def digest(training):
    """Return the SHA-256 of a run's weights and buffers, as they are in memory."""
    found = hashlib.sha256()
    for name, value in sorted(training.model.state_dict().items()):
        found.update(f"{name} {value.dtype} {tuple(value.shape)}".encode())
        found.update(value.detach().cpu().contiguous().view(-1).view(torch.uint8).numpy().data)
    return found.hexdigest()


def alone(options, steps):
    training = set_up(options)
    for _ in range(steps):
        step.take_step(training)
    return digest(training)


@pytest.mark.parametrize("setting", SETTINGS, ids=lambda setting: setting[0])
def test_weights_are_those_of_lone_runs_also_where_one_goes_and_one_comes(prepared, setting):
    every = runs(prepared, *setting)
    together = MultiplexedRuns()
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
    together = MultiplexedRuns()
    members = [together.set_up(each) for each in (first, second, replace(other, seed=1))]
    batches = [together.batch(member.training)[0] for member in members]
    assert batches[0] is batches[1]
    assert batches[2] is not batches[0]
    assert members[0].training.data is members[2].training.data


def test_the_process_keeps_its_own_dice(prepared):
    torch.manual_seed(7)
    expected = torch.rand(3).tolist()
    torch.manual_seed(7)
    turns = RoundRobin(runs(prepared, *SETTINGS[3]))
    turns.step()
    assert torch.rand(3).tolist() == expected


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_on_a_gpu_graphs_of_several_lrs_are_bit_equal_to_one_alone(prepared, monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0")
    every = runs(prepared, "--model=mlp")

    def digests(group):
        turns = RoundRobin(group)
        for _ in range(10):
            turns.step()
        torch.cuda.synchronize()
        return [digest(training) for training in turns.trainings]

    assert digests(every) == [digests([each])[0] for each in every]


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


def in_processes(groups):
    """Return the digests of each group's runs after some steps in turns, each group in a process of its own.

    They are forked from one process that has imported torch and computed nothing.
    """
    context = get_context("forkserver")
    context.set_forkserver_preload([__name__, *IMPORTS])
    with ProcessPoolExecutor(1, context, max_tasks_per_child=1) as processes:
        return list(processes.map(digests_after_some_steps, groups))


def digests_after_some_steps(group):
    loop.settle(group[0])
    if len(group) == 1:
        return [alone(group[0], 5)]
    turns = RoundRobin(group)
    for _ in range(5):
        turns.step()
    return [digest(training) for training in turns.trainings]


def test_weights_are_those_of_processes_of_their_own(prepared):
    first, second = runs(prepared, "--model=cnn3", "--schedule=cosine", rates=("1e-1", "1e-3"))
    together, *alone_ones = in_processes([[first, second], [first], [second]])
    assert together == [each for (each,) in alone_ones]


def test_a_model_that_differs_by_process_is_seen(prepared, tmp_path):
    (tmp_path / "unsteady.py").write_text(UNSTEADY)
    (options,) = runs(prepared, f"--beside={tmp_path}", "--model=unsteady:build", rates=("1e-3",))
    first, second = in_processes([[options], [options]])
    assert first != second
