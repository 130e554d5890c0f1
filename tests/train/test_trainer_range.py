"""A range test raises the LR step by step, says what each step's loss was, stops where it has turned, and leaves no trace."""

from __future__ import annotations

import json
import math
import subprocess
import sys
from itertools import pairwise

import pytest
import torch
from torch.nn import functional

from lrtui.search.range_test import suggest
from lrtui.train import data
from lrtui.train.options import RangeTest, UsageError, parse
from lrtui.train.range_test import Smoothed, rate
from lrtui.train.run_state import set_up
from tests.train.running import ROOT

EPOCH_STEPS = 15
LR, LR_TO, LR_STEPS = 1e-6, 1e-2, 40
"""Adam does not diverge here."""


def climb(trainer, lines="metrics.jsonl", **more):
    """Run a range test to its good end and return its lines."""
    done = trainer.run(lines, **{"lr": LR, "lr_to": LR_TO, "lr_steps": LR_STEPS, **more})
    assert (done.returncode, done.stderr) == (0, "")
    return trainer.lines(lines), done.stdout.splitlines()


def test_the_lr_rises_by_one_factor_from_the_first_step_to_the_last(trainer):
    lines, said = climb(trainer)
    assert said[-1] == "done"
    assert "range test: to lr 1.00e-02 in 40 steps; nothing of it is kept" in said
    assert [line["step"] for line in lines] == list(range(1, LR_STEPS + 1))
    assert (lines[0]["lr"], lines[-1]["lr"]) == (LR, LR_TO)
    factors = [b["lr"] / a["lr"] for a, b in pairwise(lines)]
    assert factors == pytest.approx([(LR_TO / LR) ** (1 / 39)] * 39, rel=1e-9)
    assert [line["epoch"] for line in lines] == [round(i / EPOCH_STEPS, 6) for i in range(1, 41)]
    assert {frozenset(line) for line in lines} == {
        frozenset({"step", "epoch", "lr", "train_loss", "time"})
    }


@pytest.mark.parametrize("optimizer", ["adam", '{"sgd":{"momentum":0.9}}'])
def test_losses_and_lrs_are_those_of_a_plain_loop(prepared, trainer, optimizer):
    lines, _ = climb(trainer, optimizer=optimizer)
    argv = ["--prepared", str(prepared), "--model", "mlp", "--optimizer", optimizer]
    argv += ["--lr", str(LR), "--batch-size", "16", "--epochs", "3", "--seed", "3"]
    reference = set_up(parse(argv))
    losses = []
    for step in range(LR_STEPS):
        epoch, index = divmod(step, EPOCH_STEPS)
        order = data.draw_order(reference.data, 3, epoch, augment=False)
        inputs, labels = reference.data.take(order, index * 16, 16)
        reference.optimizer.param_groups[0]["lr"] = LR * (LR_TO / LR) ** (step / 39)
        reference.optimizer.zero_grad()
        loss = functional.cross_entropy(reference.model(inputs), labels)
        loss.backward()
        reference.optimizer.step()
        losses.append(loss.item())
    assert [line["train_loss"] for line in lines] == pytest.approx(losses, rel=1e-4)
    assert losses[-1] < losses[0]  # so that a wrong LR would show


@pytest.mark.parametrize(
    "more",
    [
        {"schedule": '{"step": 0.5, "warmup": 0.5}'},
        {"schedule": '{"cosine": {"warmup": 0.1}}', "val_every": 0.5},
        {"until": 1},
        {"until": 99},
        {"epochs": None, "steps": 5},
    ],
)
def test_schedule_until_and_horizon_have_no_part_in_it(trainer, same, more):
    plain, _ = climb(trainer, "plain")
    lines, said = climb(trainer, "other", **more)
    assert same(lines) == same(plain)
    assert ", constant, " in said[1]
    assert said[-1] == "done"


def test_the_seed_decides_on_weights_and_order(trainer, same):
    runs = [same(climb(trainer, f"{i}", seed=seed)[0]) for i, seed in enumerate((1, 1, 2))]
    assert runs[0] == runs[1]
    assert runs[0] != runs[2]


def test_it_stops_where_the_smoothed_loss_has_turned_and_its_reader_sees_the_same_place(trainer):
    lines, said = climb(trainer, lr="1e-4", lr_to="1e4", lr_steps=100)
    assert 20 < len(lines) < 100
    last = lines[-1]
    assert said[-1].startswith(
        f"stopped at step {last['step']}, lr {last['lr']:.2e}: the smoothed loss is "
    )
    losses = [float(line["train_loss"]) for line in lines]
    rates = [line["lr"] for line in lines]
    assert suggest(rates, losses).diverged == last["lr"]
    assert suggest(rates[:-1], losses[:-1]).diverged is None


def test_a_loss_that_is_no_longer_finite_is_said_and_ends_it(trainer):
    lines, said = climb(trainer, optimizer="sgd", lr="1e30", lr_to="1e35", lr_steps=50)
    assert lines[0]["train_loss"] > 0
    assert [line["train_loss"] for line in lines[1:]] == ["NaN"]
    assert said[-1] == f"stopped at step 2, lr {lines[1]['lr']:.2e}: the loss is nan"


def test_no_checkpoint_is_read_or_written(trainer):
    climb(trainer)
    assert [path.name for path in trainer.folder.iterdir()] == ["metrics.jsonl"]

    assert trainer.run("trained", epochs=2).returncode == 0
    before = contents(trainer.folder)
    assert any(name.startswith("checkpoint") for name in before)
    lines, said = climb(trainer, "again")
    assert lines[0]["step"] == 1  # and not where the checkpoint is
    assert "going on" not in " ".join(said)
    after = contents(trainer.folder)
    after.pop("again")
    assert after == before

    trainer.checkpoint.write_bytes(b"torn")
    climb(trainer, "third")
    assert trainer.checkpoint.read_bytes() == b"torn"


def contents(folder):
    return {path.name: (path.read_bytes(), path.stat().st_mtime_ns) for path in folder.iterdir()}


@pytest.mark.parametrize("lr_to", ["3e-3", "1e-9", "nan", None])
def test_with_0_steps_it_is_a_training_like_any(trainer, same, lr_to):
    trainer.run("plain", epochs=2, checkpoint=trainer.folder / "a", schedule="cosine")
    done = trainer.run(
        "zero",
        epochs=2,
        checkpoint=trainer.folder / "b",
        schedule="cosine",
        lr_to=lr_to,
        lr_steps=0,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert same(trainer.lines("zero")) == same(trainer.lines("plain"))
    assert "val_acc" in trainer.lines("zero")[-1]
    weights = [torch.load(trainer.folder / name, weights_only=True)["model"] for name in "ab"]
    assert weights[0].keys() == weights[1].keys()
    assert all(torch.equal(weights[0][name], weights[1][name]) for name in weights[0])


def test_sigterm_ends_it_well(trainer):
    process = trainer.start(lr="1e-9", lr_to="1e-8", lr_steps=1_000_000)
    trainer.wait_for_step(30)
    process.terminate()
    out, err = process.communicate(timeout=300)
    assert (process.returncode, err) == (0, "")
    lines = trainer.lines()
    assert out.splitlines()[-1] == f"stopped at step {lines[-1]['step']}"
    assert [path.name for path in trainer.folder.iterdir()] == ["metrics.jsonl"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--lr-to=1e-3", "--lr-steps=100"], "--lr-to must be above --lr 0.001 and finite"),
        (["--lr-to=1e-4", "--lr-steps=100"], "(found 0.0001)"),
        (["--lr-to=nan", "--lr-steps=100"], "--lr-to must be above"),
        (["--lr-to=inf", "--lr-steps=100"], "--lr-to must be above"),
        (["--lr-steps=100"], "--lr-steps needs --lr-to"),
        (["--lr-to=1", "--lr-steps=9"], "--lr-steps is 0 (no range test) or at least 10 (found 9)"),
        (["--lr-to=1", "--lr-steps=-1"], "--lr-steps is 0 (no range test) or at least 10"),
        (["--lr-to=1", "--lr-steps=1e2"], "--lr-steps"),
    ],
)
def test_a_test_that_cannot_be_is_refused_in_one_line(arguments, said):
    with pytest.raises(UsageError) as raised:
        parse(["--prepared", "there", "--lr=1e-3", "--epochs=3", *arguments])
    assert said in str(raised.value)
    assert "\n" not in str(raised.value)


def test_the_process_refuses_with_2(trainer):
    done = trainer.run(lr_to="1e-3", lr_steps=100)
    assert done.returncode == 2
    assert done.stderr == (
        "lrtui.train: --lr-to must be above --lr 0.003 and finite: "
        "a range test raises the LR (found 0.001)\n"
    )
    assert trainer.lines() == []


@pytest.mark.parametrize(("lr", "to"), [(1e-7, 10.0), (1e-300, 1e300)])
def test_both_ends_of_the_lrs_are_exact(lr, to):
    test = RangeTest(to, 100)
    assert (rate(lr, test, 1), rate(lr, test, 100)) == (lr, to)
    assert rate(lr, test, 50) < rate(lr, test, 51) < to


def test_smoothing_forgives_one_bad_batch_and_not_a_turn():
    one = Smoothed()
    assert [one.turn(loss) for loss in [2.0] * 50 + [40.0] + [2.0] * 50] == [""] * 101
    turned = Smoothed()
    said = [turned.turn(loss) for loss in [2.0] * 50 + [40.0] * 50]
    first = next(i for i, words in enumerate(said) if words)
    before, mean = (debiased(([2.0] * 50 + [40.0] * 50)[:count]) for count in (first, first + 1))
    assert before <= 4 * 2 < mean
    assert said[first] == f"the smoothed loss is {mean:.4g}, its lowest was 2"
    assert Smoothed().turn(math.inf) == "the loss is inf"


def debiased(losses):
    weights = [0.98**age for age in reversed(range(len(losses)))]
    return sum(w * loss for w, loss in zip(weights, losses, strict=True)) / sum(weights)


def test_the_own_script_takes_part_and_keeps_nothing(tmp_path):
    checkpoint = tmp_path / "checkpoint"
    argv = [sys.executable, "-I", str(ROOT / "experiments" / "own_script.py"), "--lr=1e-7"]
    argv += ["--lr-to=10", "--lr-steps=100", "--until=1", f"--checkpoint={checkpoint}"]
    done = subprocess.run(argv, capture_output=True, text=True, check=True, timeout=300)
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert [line["step"] for line in lines] == list(range(1, 101))
    assert lines[0]["lr"] == 1e-7
    assert lines[-1]["lr"] == pytest.approx(10)
    found = suggest([line["lr"] for line in lines], [line["train_loss"] for line in lines])
    assert 1e-5 < found.valley < 1e-1  # 1e-4 and 1e-3 train well
    assert found.diverged is not None
    assert not checkpoint.exists()
