"""What is proposed for output that nothing was read from: the lines that matter, and patterns that really read them."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lrtui.metrics.capture import Capture, Reading
from lrtui.metrics.capture.proposal import measurements, proposed
from lrtui.metrics.line import one_by_one
from lrtui.text.clean import runaway

MNIST = [
    "Downloading 9.9 MB",
    "Train Epoch: 1 [0/60000 (0%)]\tLoss: 2.300039",
    "Train Epoch: 1 [640/60000 (1%)]\tLoss: 1.213470",
    "Test set: Average loss: 0.0566, Accuracy: 9815/10000 (98%)",
    "Train Epoch: 2 [0/60000 (0%)]\tLoss: 0.300039",
    "Test set: Average loss: 0.0466, Accuracy: 9840/10000 (98%)",
]
KERAS = [
    "Epoch 1/2",
    "10/10 - 0s - 5ms/step - accuracy: 0.5 - loss: 1.2 - val_accuracy: 0.6 - val_loss: 1.1",
]
CASES = [
    ("step", "val_loss", "train_loss", ["step 1 loss 0.5"], 0.5),
    ("epoch", "val_acc", "train_loss", MNIST, 98.0),
    ("epoch", "val_loss", "train_loss", MNIST, 0.0566),
    ("epoch", "val_accuracy", "loss", KERAS, 0.6),
    ("epoch", "val_acc", "loss", ["12:00:00 INFO epoch 3 | train loss 0.3 | valid acc 92.5%"], 92.5),
    ("step", "val_loss", "loss", ["step 250: train loss 1.9, val loss 2.0", "iter 10: loss 2"], 2.0),
    ("epoch", "val_ppl", "loss", ["| end of epoch   1 | valid loss  5.91 | valid ppl   370.05"], 370.05),
    ("epoch", "val_loss", "loss", ["epoch=1 loss=1e-3"], 1e-3),
    ("step", "reward", "loss", ["update 7 return 3 reward -12.5"], -12.5),
]  # fmt: skip


def read(lines, reading, patterns):
    capture = Capture(
        Reading(unit=reading.unit, metric=reading.metric, loss=reading.loss, parse=tuple(patterns))
    )
    found = []
    capture.text("\n".join([*lines, ""]).encode(), found)
    capture.end(found, 1000, ok=True)
    return [m.values[reading.metric] for m in one_by_one(found) if reading.metric in m.values]


@pytest.mark.parametrize(("unit", "metric", "loss", "lines", "value"), CASES)
def test_the_metric_is_read(unit, metric, loss, lines, value) -> None:
    reading = Reading(unit=unit, metric=metric, loss=loss, horizon=1000)
    likely = measurements(lines, reading)
    assert 1 <= len(likely) <= 3
    assert set(likely) <= set(lines)
    patterns = proposed(likely, reading)
    assert read(lines, reading, patterns)[0] == value
    assert not any(map(runaway, patterns))


def test_a_name_that_no_group_can_have_gets_a_near_one() -> None:
    reading = Reading(unit="epoch", metric="Acc@1", loss="loss", horizon=10)
    (pattern,) = proposed(["Epoch: [0][ 10/200] Loss 1.2 Acc@1 30.2"], reading)
    assert "Acc_1" in re.compile(pattern).groupindex


@pytest.mark.parametrize("lines", [[], [""], ["lr 0.01", "batch size 32"], ["done in 3 s"]])
def test_nothing_is_proposed_for_other_numbers(lines) -> None:
    reading = Reading(unit="epoch", metric="val_loss", loss="loss", horizon=10)
    assert proposed(measurements(lines, reading), reading) == []


def test_a_traceback_is_no_measurement() -> None:
    frames = ['  File "/x/train.py", line 1348, in do_open', '    File "a.py", line 7, in <module>']
    reading = Reading(unit="epoch", metric="val_acc", loss="loss", horizon=10)
    assert measurements(frames, reading) == []


@pytest.mark.parametrize("before", ["", "[rank0]: "])
def test_an_exception_is_no_measurement(before) -> None:
    trace = [
        "Traceback (most recent call last):",
        '  File "train.py", line 1, in <module>',
        '    raise RuntimeError("Tried to allocate 20.00 GiB")',
        "RuntimeError: Tried to allocate 20.00 GiB",
    ]
    reading = Reading(unit="epoch", metric="val_acc", horizon=9.0, loss="loss")
    assert measurements([before + line for line in trace], reading) == []
    after = [*(before + line for line in trace), "epoch 1 loss 0.5"]
    assert measurements(after, reading) == ["epoch 1 loss 0.5"]


@given(st.lists(st.text(), max_size=6))
def test_what_is_proposed_reads_something(lines) -> None:
    lines = [" ".join(line.split()) for line in lines]
    reading = Reading(unit="epoch", metric="val_loss", loss="loss", horizon=10)
    patterns = proposed(measurements(lines, reading), reading)
    if patterns:
        capture = Capture(
            Reading(unit="epoch", metric="val_loss", loss="loss", parse=tuple(patterns))
        )
        found = []
        capture.text("\n".join([*lines, ""]).encode(), found)
        capture.end(found, 10, ok=True)
        assert found
