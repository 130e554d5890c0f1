"""Presets read what the frameworks themselves wrote: every value at its length, and no epoch is complete before its evaluation."""

from dataclasses import dataclass
from pathlib import Path

import pytest

from lrtui.metrics import Reading
from lrtui.metrics.capture import Capture
from lrtui.metrics.capture.patterns import first_of
from lrtui.metrics.line import Found, one_by_one

LOGS = Path(__file__).parents[1] / "data" / "framework_logs"


@dataclass(frozen=True)
class Log:
    """What a log holds, as the framework's own history or the eye says."""

    file: str
    preset: str
    metric: str
    loss: str
    truth: dict[str, list[float]]
    """By metric: its value at length 1, 2, ..."""
    unit: str = "epoch"
    names: int = 0
    """How many metrics there are in all; 0: those of `truth`."""
    live: bool = True
    """Whether an epoch is known to be over no earlier than its evaluation is written."""

    @property
    def horizon(self) -> int:
        return len(self.truth[self.metric])

    @property
    def reading(self) -> Reading:
        return Reading(
            self.unit,
            parse=self.preset,
            horizon=self.horizon,
            metric=self.metric,
            loss=self.loss,
            first=first_of(self.preset),
        )


LIGHTNING = {"val_loss": [1.01, 0.919, 0.845], "val_acc": [0.417, 0.531, 0.635]}
TQDM = {
    "loss": [1, 0.667, 0.5, 0.4, 0.333, 0.286, 0.25, 0.222, 0.2, 0.182, 0.167, 0.167],
    "acc": [0.0833, 0.167, 0.25, 0.333, 0.417, 0.5, 0.583, 0.667, 0.75, 0.833, 0.917, 0.917],
}
EVERY = [
    Log(
        "keras-3.15.1.log",
        "keras",
        "val_accuracy",
        "loss",
        {
            "val_accuracy": [0.6042, 0.6562, 0.6875],
            "val_loss": [0.8141, 0.7571, 0.709],
            "loss": [0.8677, 0.7978, 0.7433],
        },
        names=4,
    ),
    Log(
        "keras-3.15.1-verbose2.log",
        "keras",
        "val_accuracy",
        "loss",
        {
            "accuracy": [0.3438, 0.3854, 0.4167],
            "loss": [1.5421, 1.3474, 1.1843],
            "val_accuracy": [0.375, 0.3958, 0.4688],
            "val_loss": [1.3995, 1.2277, 1.0846],
        },
    ),
    Log(
        "transformers-5.24.0.log",
        "hf",
        "eval_loss",
        "loss",
        {
            "eval_loss": [0.6102, 0.4874, 0.4601],
            "eval_accuracy": [0.8333, 0.8854, 0.8854],
            "loss": [0.6935, 0.4936, 0.4187],
        },
        names=12,
        live=False,  # the record before the evaluation has the same exact length
    ),
    Log(
        "lightning-2.6.6-tqdm.log",
        "lightning",
        "val_loss",
        "train_loss",
        {**LIGHTNING, "train_loss": [1.11, 0.976, 0.839]},
    ),
    Log(
        "lightning-2.6.6-rich-pty.log",
        "lightning",
        "val_loss",
        "train_loss",
        {**LIGHTNING, "train_loss": [1.11, 0.976, 0.839]},
        live=False,  # the columns that do not fit the terminal come a line later
    ),
    Log(
        "pytorch_mnist-77f55b9.log",
        "mnist",
        "val_acc",
        "train_loss",
        {"val_acc": [100, 100], "val_loss": [0.0004, 0.0001]},
        names=3,
    ),
    Log(
        "pytorch_imagenet-77f55b9.log",
        "imagenet",
        "Acc@1",
        "train_loss",
        {"Acc@1": [16.667, 16.667], "Acc@5": [83.333, 66.667], "train_loss": [8.8355, 7.3732]},
    ),
    Log(
        "deit-7e160fe.log",
        "imagenet",
        "Acc@1",
        "train_loss",
        {"Acc@1": [66.667, 100], "Acc@5": [100, 100]},
        names=3,  # the loss of a batch stands where the batch begins, [0/6]
    ),
    Log(
        "timm-1.0.31.log",
        "timm",
        "Acc@1",
        "train_loss",
        {"Acc@1": [33.333, 16.667], "Acc@5": [83.333, 83.333], "val_loss": [1.773, 1.723]},
        names=4,
    ),
    Log(
        "ultralytics-8.4.190.log",
        "ultralytics",
        "metrics/mAP50-95(B)",
        "train/cls_loss",
        {
            "metrics/mAP50-95(B)": [0, 0],
            "train/cls_loss": [0.07517, 0.07506],
            "train/box_loss": [1.556e-06, 8.153e-08],
        },
        names=7,
    ),
    Log(
        "xgboost-3.2.0.log",
        "xgboost",
        "val-mlogloss",
        "train-mlogloss",
        {
            "val-mlogloss": [0.7557, 0.57979, 0.45507, 0.36402, 0.29385, 0.24613],
            "train-merror": [0.1875, 0.07292, 0.02083, 0.01042, 0.01042, 0.01042],
        },
        unit="step",
        names=4,
    ),
    Log(
        "lightgbm-4.7.0.log",
        "lightgbm",
        "val loss set's multi_logloss",
        "training's multi_logloss",
        {
            "val loss set's multi_logloss": [
                0.904249, 0.796702, 0.707221, 0.629164, 0.559925, 0.501128,
            ],
            "training's multi_error": [0.239583, 0.21875, 0.15625, 0.114583, 0.0833333, 0.0625],
        },
        unit="step",
        names=4,
    ),
    Log("tqdm-4.70.1.log", "tqdm", "acc", "loss", TQDM, unit="step"),
    Log("tqdm-4.70.1-pty.log", "tqdm", "acc", "loss", TQDM, unit="step"),
]  # fmt: skip


def values(found: list[Found], name: str) -> dict[float, float]:
    """Return a metric by length; of several values at one length the last counts, as in a series."""
    return {m.level: m.values[name] for m in one_by_one(found) if name in m.values}


@pytest.mark.parametrize("log", EVERY, ids=lambda log: log.file)
def test_a_preset_reads_its_frameworks_log(log):
    capture, found = Capture(log.reading), []
    capture.text((LOGS / log.file).read_bytes() + b"\n", found)
    capture.end(found, float(log.horizon), ok=True)
    assert capture.complete == log.horizon
    assert len(capture.names) == (log.names or len(log.truth))
    for name, truth in log.truth.items():
        got = values(found, name)
        assert {level: got.get(level) for level in range(1, log.horizon + 1)} == dict(
            enumerate(truth, 1)
        )


@pytest.mark.parametrize(
    "log",
    [log for log in EVERY if log.live and log.preset != "tqdm"],
    ids=lambda log: log.file,
)
def test_an_epoch_is_complete_with_its_own_evaluation(log):
    """Read as it is written, record by record: a rung compares what the deciding metric is at that moment."""
    capture, found = Capture(log.reading), []
    truth = dict(enumerate(log.truth[log.metric], 1))
    for record in (LOGS / log.file).read_bytes().replace(b"\r", b"\n").split(b"\n"):
        capture.text(record + b"\n", found)
        for level in range(1, int(capture.complete) + 1):
            assert values(found, log.metric)[level] == truth[level], record


def test_nanogpts_evaluations_come_before_their_steps():
    reading = Reading("step", parse="nanogpt", horizon=10, metric="val_loss", loss="loss")
    capture, found = Capture(reading), []
    capture.text((LOGS / "nanogpt-3adf61e.log").read_bytes(), found)
    assert values(found, "val_loss") == {0: 2.801, 5: 2.8011, 10: 2.7908}
    assert values(found, "train_loss") == {0: 2.8021, 5: 2.798, 10: 2.7989}
    assert values(found, "loss")[10] == 2.7795
    assert len(values(found, "loss")) == 11


def test_lightnings_rich_bar_says_its_last_values_in_a_pipe():
    """It writes nothing else there: a sweep of such runs is ranked at its end only."""
    log = EVERY[3]
    capture, found = Capture(log.reading), []
    capture.text((LOGS / "lightning-2.6.6-rich.log").read_bytes(), found)
    capture.end(found, 3.0, ok=True)
    assert [values(found, name) for name in log.truth] == [
        {3: truth[-1]} for truth in log.truth.values()
    ]


def test_every_preset_has_a_log():
    from lrtui.metrics.capture.presets import PRESETS

    assert {log.preset for log in EVERY} | {"nanogpt"} == set(PRESETS)
