"""Every optimizer trains, goes on from a checkpoint as if nothing had been, and takes part in a range test."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from lrtui.train import loop, run_state
from lrtui.train import step as stepping
from lrtui.train.optimizers import OPTIMIZERS
from lrtui.train.optimizers.build import resting
from lrtui.train.options import UsageError, parse
from lrtui.train.range_test import raise_lr
from lrtui.train.stop_flag import Stop

MLP = '{"mlp":{"width":32}}'
AVERAGING = ["adamw_schedulefree", "radam_schedulefree", "sgd_schedulefree"]


@pytest.fixture
def options(prepared, tmp_path):
    """The options of a tiny run of 6 steps an epoch, by its optimizer."""

    def make(optimizer, *more, model=MLP):
        if missing := OPTIMIZERS[optimizer].missing():
            pytest.skip(missing.how)
        argv = ["--prepared", str(prepared), "--optimizer", optimizer, "--model", model]
        lr = OPTIMIZERS[optimizer].usual_lr[0]
        argv += ["--lr", repr(lr), "--batch-size", "40", "--steps", "12", "--seed", "3"]
        return parse([*argv, "--checkpoint", str(tmp_path / "checkpoint"), *more])

    return make


def weights(run):
    return {name: value.clone() for name, value in run.model.state_dict().items()}


def same_weights(one, other):
    return all(torch.equal(one[name], other[name]) for name in one)


@pytest.mark.parametrize(
    "model", [MLP, "cnn3"], ids=["mlp", "cnn3"]
)  # cnn3's weights lie channels_last
@pytest.mark.parametrize("name", OPTIMIZERS)
def test_the_loss_falls(options, name, model):
    run = run_state.set_up(options(name, model=model))
    losses = [float(stepping.take_step(run)) for _ in range(12)]
    assert min(losses[6:]) < losses[0]


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_a_resumed_run_is_bit_identical(options, name):
    chosen = options(name, "--schedule", '{"cosine": {"warmup": 0.2}}')
    whole = run_state.set_up(chosen)
    parts = run_state.set_up(chosen)
    for _ in range(12):
        stepping.take_step(whole)
    for _ in range(5):
        stepping.take_step(parts)
    run_state.save(parts)
    parts = run_state.set_up(chosen)
    assert "resumed at step 5" in run_state.resume(parts)
    for _ in range(7):
        stepping.take_step(parts)
    assert same_weights(weights(whole), weights(parts))
    assert whole.lr == parts.lr


@pytest.mark.parametrize("name", ["adam", "rmsprop"])
def test_a_checkpoint_of_a_gpu_goes_on_on_the_cpu(options, name):
    run = run_state.set_up(options(name))
    stepping.take_step(run)
    for group in run.optimizer.param_groups:
        group["capturable"] = True  # as on a GPU; torch refuses it on the CPU
    run_state.save(run)
    again = run_state.set_up(options(name))
    assert run_state.resume(again).startswith("resumed at step 1")
    assert not any(group["capturable"] for group in again.optimizer.param_groups)
    stepping.take_step(again)


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_an_evaluation_or_a_checkpoint_more_changes_nothing(options, name):
    plain, looked_at = run_state.set_up(options(name)), run_state.set_up(options(name))
    with Stop() as stop:
        for step in range(6):
            stepping.take_step(plain)
            stepping.take_step(looked_at)
            with resting(looked_at.optimizer):
                assert loop._evaluate(looked_at, looked_at.data.val, stop) is not None
            if step == 2:
                run_state.save(looked_at)
    assert same_weights(weights(plain), weights(looked_at))


@pytest.mark.parametrize("name", AVERAGING)
def test_what_is_evaluated_and_kept_is_schedule_frees_average(options, name):
    run = run_state.set_up(options(name))
    for _ in range(6):
        stepping.take_step(run)
    trained = weights(run)
    run_state.save(run)
    run.optimizer.eval()
    average = weights(run)
    kept = torch.load(run.options.checkpoint, weights_only=True)["model"]
    assert same_weights(kept, average)
    assert not same_weights(kept, trained)


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_it_takes_part_in_a_range_test_whatever_the_schedule(options, name, tmp_path, monkeypatch):
    metrics = tmp_path / "metrics.jsonl"
    monkeypatch.setattr("lrtui.train.range_test.emit", lambda **line: _append(metrics, line))
    more = ("--schedule", "one_cycle", "--lr-to", "10", "--lr-steps", "10", "--threads", "1")
    chosen = options(name, *more)
    assert raise_lr(chosen, chosen.test) == 0
    rates = [json.loads(line)["lr"] for line in metrics.read_text().splitlines()]
    low = OPTIMIZERS[name].usual_lr[0]
    expected = [low * (10 / low) ** (i / 9) for i in range(len(rates))]
    assert rates == pytest.approx(expected)
    assert len(rates) > 2


def _append(path: Path, line):
    with path.open("a") as file:
        file.write(json.dumps(line) + "\n")


def test_muon_gives_convolutions_as_matrices_to_muon_and_the_rest_to_adamw(options):
    run = run_state.set_up(options("muon", model="cnn3"))
    hidden, rest = run.optimizer._hidden, run.optimizer._adamw.param_groups[0]["params"]
    named = {id(value): name for name, value in run.model.named_parameters()}
    assert all(value.ndim == 4 for value in hidden)
    head = [value for value in run.model.parameters() if value.ndim >= 2][-1]
    assert named[id(head)] in {named[id(value)] for value in rest}
    assert len(hidden) + len(rest) == len(named)


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_muons_step_is_that_of_torchs_muon_on_the_flattened_weights(layout):
    torch.manual_seed(0)
    from lrtui.train.optimizers.muon import MuonAndAdamW

    start = torch.randn(6, 5, 3, 3)
    weight = torch.nn.Parameter(start.clone().to(memory_format=layout))
    head = torch.nn.Parameter(torch.randn(2, 6))
    flat = torch.nn.Parameter(start.flatten(1).clone())
    ours = MuonAndAdamW([weight, head], lr=1e-2)
    theirs = torch.optim.Muon([flat], lr=1e-2, adjust_lr_fn="match_rms_adamw")
    for _ in range(3):
        gradient = torch.randn(6, 5, 3, 3)
        weight.grad, flat.grad = gradient.to(memory_format=layout), gradient.flatten(1)
        ours.step()
        theirs.step()
    moved = (flat - start.flatten(1)).norm()
    # bfloat16 inside, and another order of the columns: the last digits of that differ
    assert (weight.detach().flatten(1) - flat).norm() < 0.02 * moved


def test_a_model_without_hidden_weights_is_refused_for_muon(options):
    with pytest.raises(UsageError, match="it is for hidden weights"):
        run_state.set_up(options("muon", model="linear"))


def test_an_optional_package_that_is_missing_is_named_with_its_extra(prepared, monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    chosen = parse(
        ["--prepared", str(prepared), "--optimizer", "prodigy", "--lr", "1", "--steps", "9"]
    )
    with pytest.raises(UsageError, match=r"prodigyopt: pip install 'lrtui\[optimizers\]'"):
        run_state.set_up(chosen)
