"""What is trained is what a plain loop trains; what is written is what was measured."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
import torch
from torch.nn import functional

from lrtui.train import data, prepared_arrays
from lrtui.train import step as stepping
from lrtui.train.options import parse
from lrtui.train.run_state import set_up


def options(prepared, *more):
    base = [
        "--prepared",
        str(prepared),
        "--lr",
        "3e-3",
        "--batch-size",
        "16",
        "--epochs",
        "3",
        "--threads",
        "1",
    ]
    return parse([*base, *more])


@pytest.mark.parametrize(
    ("model", "name", "kind"),
    [
        ("mlp", "adam", lambda p: torch.optim.Adam(p, lr=3e-3)),
        ("cnn3", "adamw", lambda p: torch.optim.AdamW(p, lr=3e-3)),
        ("mlp", '{"sgd":{"momentum":0.9}}', lambda p: torch.optim.SGD(p, lr=3e-3, momentum=0.9)),
        ("mlp", "rmsprop", lambda p: torch.optim.RMSprop(p, lr=3e-3)),
        ("linear", "adagrad", lambda p: torch.optim.Adagrad(p, lr=3e-3)),
    ],
)
def test_losses_equal_those_of_a_plain_loop(prepared, model, name, kind):
    training = set_up(options(prepared, "--model", model, "--optimizer", name))
    ours = []
    for _ in range(20):  # 15 steps an epoch: into the second one
        before = training.window.loss.item()
        stepping.take_step(training)
        ours.append((training.window.loss.item() - before) / 16)

    reference = set_up(options(prepared, "--model", model)).model
    optimizer = kind(reference.parameters())
    images, labels = prepared_arrays.open_part(prepared, "train")
    pixels = torch.from_numpy(np.array(images)).float() / 255
    mean, std = pixels.mean(), pixels.std(correction=0)
    theirs = []
    for step in range(20):
        order = data.draw_order(training.data, 0, step // 15, augment=False).index
        batch = order[step % 15 * 16 :][:16]
        optimizer.zero_grad()
        loss = functional.cross_entropy(
            reference((pixels[batch] - mean) / std), torch.from_numpy(np.array(labels))[batch]
        )
        loss.backward()
        optimizer.step()
        theirs.append(loss.item())
    assert ours == pytest.approx(theirs, rel=2e-4)
    assert ours[0] == pytest.approx(theirs[0], rel=1e-6)


def test_with_equal_inputs_and_optimizer_losses_are_equal_to_the_last_bit(prepared):
    training = set_up(options(prepared, "--model", "mlp"))
    reference = set_up(options(prepared, "--model", "mlp"))
    optimizer = torch.optim.Adam(reference.model.parameters(), lr=3e-3, fused=True)
    for step in range(10):
        before = training.window.loss.item()
        stepping.take_step(training)
        order = data.draw_order(reference.data, 0, 0, augment=False)
        inputs, labels = reference.data.take(order, step * 16, 16)
        optimizer.zero_grad()
        loss = functional.cross_entropy(reference.model(inputs), labels)
        loss.backward()
        optimizer.step()
        assert training.window.loss.item() - before == pytest.approx(16 * loss.item(), rel=1e-12)
    for ours, theirs in zip(training.model.parameters(), reference.model.parameters(), strict=True):
        assert torch.equal(ours, theirs)


def test_lines_bear_the_promised_fields_and_evaluations_end_epochs(trainer):
    done = trainer.run(epochs=2, model="cnn3")
    assert (done.returncode, done.stderr) == (0, "")
    lines = trainer.lines()
    assert [line["step"] for line in lines] == sorted({line["step"] for line in lines})
    trained = {
        "step",
        "epoch",
        "time",
        "lr",
        "train_loss",
        "train_acc",
        "grad_norm",
        "images_per_second",
    }
    evaluated = {"val_loss", "val_acc", "test_loss", "test_acc"}
    assert set(lines[0]) == trained
    assert lines[0]["step"] == 1
    assert [line["epoch"] for line in lines if evaluated <= set(line)] == [1, 2]
    assert set(lines[-1]) == trained | evaluated
    assert lines[-1]["val_acc"] > 0.5
    assert "1 CPU thread" in done.stdout
    assert "SYNTHETIC" in done.stdout


def test_the_gradients_norm_is_told_ten_times_a_second_at_most_where_epochs_are_shorter(trainer):
    trainer.run(epochs=45, model="linear", checkpoint=None)
    lines = trainer.lines()
    assert [line["epoch"] for line in lines if "val_acc" in line] == [*range(1, 46)]
    assert all("train_loss" in line for line in lines)
    told = [line["epoch"] for line in lines if "grad_norm" in line][1:]
    assert len(told) < 5
    assert told == [told[0] * (1 + index) for index in range(len(told))]


def test_train_loss_is_the_mean_over_the_images_since_the_last_line(prepared, trainer):
    trainer.run(epochs=1, checkpoint=None, model="mlp")
    training = set_up(options(prepared, "--model", "mlp", "--seed", "3"))
    losses = []
    for _ in range(15):
        before = training.window.loss.item()
        stepping.take_step(training)
        losses.append((training.window.loss.item() - before) / 16)
    first, last = trainer.lines()
    assert first["train_loss"] == pytest.approx(losses[0])
    assert last["train_loss"] == pytest.approx(sum(losses[1:]) / 14)


def test_a_loss_that_explodes_is_data_and_the_training_ends_normally(trainer):
    done = trainer.run(optimizer="sgd", lr="1e20", epochs=2)
    assert (done.returncode, done.stderr) == (0, "")
    lines = trainer.lines()
    assert lines[-1]["epoch"] == 2
    assert lines[-1]["train_loss"] == "NaN"
    assert lines[-1]["val_loss"] == "NaN"
    assert 0 <= lines[-1]["val_acc"] <= 1


def test_a_horizon_in_steps_evaluates_where_asked(trainer):
    done = trainer.run(steps=20, val_every=8, until=18, schedule="cosine")
    assert done.returncode == 0
    assert [line["step"] for line in trainer.lines() if "val_acc" in line] == [8, 16, 18]


def test_the_schedule_spans_the_horizon_not_until(trainer):
    trainer.run("all", epochs=4, checkpoint=None, schedule="cosine")
    trainer.run("part", epochs=4, until=2, checkpoint=None, schedule="cosine")
    rates = [{line["step"]: line["lr"] for line in trainer.lines(name)} for name in ("all", "part")]
    assert rates[1].items() <= rates[0].items()
    assert rates[1][30] == pytest.approx(3e-3 / 2, rel=0.06)


def test_bf16_trains_and_is_deterministic(trainer, same):
    for name in ("a", "b"):
        assert trainer.run(name, precision="bf16", checkpoint=None, model="cnn3").returncode == 0
    assert same(trainer.lines("a")) == same(trainer.lines("b"))
    assert trainer.lines("a")[-1]["val_acc"] > 0.5


def test_a_tenth_of_the_data_is_a_tenth_of_each_class(prepared, trainer):
    training = set_up(options(prepared, "--model", "mlp", "--data", "0.25"))
    labels = training.data.train.labels[training.data.members]
    assert torch.bincount(labels).tolist() == [6] * 10
    assert "60 train" in trainer.run(data=0.25, epochs=1).stdout


def test_small_images_fit_cnn7(trainer):
    done = trainer.run(model="cnn7", epochs=1, until=0.2, lr="1e-3")
    assert (done.returncode, done.stderr) == (0, "")
    assert trainer.lines()[-1]["val_loss"] > 0


def test_a_training_process_imports_neither_torchvision_nor_pil_nor_sklearn(prepared):
    code = (
        "import sys; sys.argv[1:] = sys.argv[1:]\n"
        "from lrtui.train.__main__ import main; main()\n"
        "print('HEAVY', *sorted({'torchvision', 'PIL', 'sklearn', 'textual'} & set(sys.modules)))"
    )
    argv = [
        "--prepared",
        str(prepared),
        "--lr",
        "1e-2",
        "--epochs",
        "1",
        "--model",
        "linear",
        "--threads",
        "1",
    ]
    done = subprocess.run(
        [sys.executable, "-c", code, *argv], capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines()[-1] == "HEAVY"


def test_the_trainer_knows_of_lrtui_only_emit():
    code = (
        "import sys; before = set(sys.modules); import lrtui.train.loop, lrtui.train.prepare, lrtui.train.datasets.vision\n"
        "print(*sorted(n for n in sys.modules if n.startswith('lrtui.') and not n.startswith('lrtui.train')))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["lrtui.emit"]
