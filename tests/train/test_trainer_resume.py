"""A run that was stopped anywhere goes on as if nothing had been: real processes, real signals."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest
import torch

from lrtui.train import prepared_arrays
from tests.train.running import tiny_source
from tests.until import until as wait_until

# cnn3 with augmentation, momentum, a schedule with warm-up and lines within the epoch (every 2nd step here); 15 steps an epoch. No test
# sees the end, however late it looks.
LONG = {
    "model": "cnn3",
    "optimizer": '{"sgd": {"momentum": 0.9}}',
    "schedule": '{"cosine": {"warmup": 0.0005}}',
    "lr": "0.05",
    "batch_size": 16,
    "epochs": 4000,
    "augment": True,
}


def test_the_same_seed_gives_the_same_metrics_and_another_seed_others(trainer, same):
    for name, seed in (("a", 3), ("b", 3), ("c", 4)):
        assert trainer.run(name, seed=seed, checkpoint=None).returncode == 0
    assert same(trainer.lines("a")) == same(trainer.lines("b"))
    assert same(trainer.lines("a")) != same(trainer.lines("c"))


def test_stopping_at_until_and_going_on_equals_one_run(trainer, same):
    common = {"schedule": '{"cosine": {"warmup": 0.1}}', "epochs": 5}
    assert trainer.run("whole", checkpoint=None, **common).returncode == 0
    assert trainer.run("parts", until=2, **common).returncode == 0
    assert trainer.lines("parts")[-1]["epoch"] == 2
    assert "val_acc" in trainer.lines("parts")[-1]
    assert trainer.run("parts", until=4, **common).returncode == 0
    assert trainer.run("parts", **common).returncode == 0
    assert same(trainer.lines("parts")) == same(trainer.lines("whole"))


def test_until_within_an_epoch_adds_an_evaluation_and_changes_nothing_else(trainer, same):
    assert trainer.run("whole", checkpoint=None, epochs=3).returncode == 0
    assert trainer.run("parts", until=1.5, epochs=3).returncode == 0
    extra = trainer.lines("parts")[-1]
    assert extra["step"] == 22
    assert "val_acc" in extra
    assert trainer.run("parts", epochs=3).returncode == 0
    others = [line for line in same(trainer.lines("parts")) if line["step"] != 22]
    assert others == [line for line in same(trainer.lines("whole")) if line["step"] != 22]


def test_a_run_that_is_already_there_ends_well_and_says_its_last_line_again(trainer, same):
    assert trainer.run(epochs=2).returncode == 0
    before, kept = trainer.lines()[-1], trainer.checkpoint.read_bytes()
    done = trainer.run("again.jsonl", epochs=2)
    assert (done.returncode, done.stderr) == (0, "")
    (again,) = same(trainer.lines("again.jsonl"))
    assert again.items() <= before.items()
    assert again["val_acc"] == before["val_acc"]
    assert trainer.checkpoint.read_bytes() == kept


@pytest.mark.parametrize("step", [1, 40, 150])
def test_sigterm_at_any_step_then_resume_is_bit_identical(trainer, same, step):
    process = trainer.start(**LONG)
    trainer.wait_for_step(step)
    process.send_signal(signal.SIGTERM)
    out, _ = process.communicate(timeout=300)
    assert process.returncode == 0
    assert "stopped at step" in out
    first = trainer.lines()
    kept = torch.load(trainer.checkpoint, weights_only=True)["place"]["step"]
    assert kept >= step
    done = goes_on(trainer, kept)
    assert f"resumed at step {kept}" in done.stdout
    assert all(line["step"] > kept or "val_acc" in line for line in trainer.lines()[len(first) :])
    assert same(trainer.lines()) == same(trainer.lines("whole"))


def goes_on(trainer, step):
    """Resume a run behind a step for an epoch and what is left of one; also train as far without a break, to `whole`."""
    until = step // 15 + 2
    assert trainer.run("whole", until=until, **LONG, checkpoint=None).returncode == 0
    done = trainer.run(until=until, **LONG)
    assert done.returncode == 0
    return done


def test_kill_minus_9_then_resume_gives_the_same_metrics(trainer, same):
    process = trainer.start(until=10, **LONG)
    process.communicate(timeout=300)
    process = trainer.start(**LONG)
    trainer.wait_for_step(200)
    process.kill()
    process.communicate(timeout=300)
    first = trainer.lines()
    goes_on(trainer, first[-1]["step"])
    again = trainer.lines()[len(first) :]
    kept = [line for line in first if line["step"] < again[0]["step"]]  # as every reader does
    assert same(kept + again) == same(trainer.lines("whole"))


HELD = """
import contextlib, torch

class Held(torch.nn.Linear):
    trained = False

    def forward(self, images):
        self.trained = self.trained or self.training
        if self.trained and not self.training:
            with contextlib.suppress(FileNotFoundError):
                open("evaluating").close()  # a fifo: the evaluation waits here until the test writes
        return super().forward(images.flatten(1))

def build(channels, size, classes):
    return Held(channels * size * size, classes)
"""


def test_sigterm_during_an_evaluation(trainer, same, tmp_path):
    """It is heard, and the evaluation is made good by the next attempt."""
    source = tiny_source(train=30_320, test=30_000)
    trainer.prepared, _ = prepared_arrays.write(
        tmp_path, "wide", source, classes=10, validation=30_000, flip=True, synthetic=True
    )
    (tmp_path / "held.py").write_text(HELD)
    options = {"model": "held:build", "epochs": 2}
    assert trainer.run("whole", checkpoint=None, **options).returncode == 0
    fifo = tmp_path / "evaluating"
    os.mkfifo(fifo)
    process = trainer.start(**options)
    with fifo.open("w"):  # opens when the evaluation waits
        process.terminate()
        fifo.unlink()
    process.communicate(timeout=300)
    assert process.returncode == 0
    state = torch.load(trainer.checkpoint, weights_only=True)["place"]
    assert state["step"] in {20, 40}
    assert state["evaluated"] < state["step"]
    assert trainer.run(**options).returncode == 0
    assert same(trainer.lines()) == same(trainer.lines("whole"))


def test_sigterm_before_the_training_ends_the_process_at_once(trainer):
    process = trainer.start_from_nothing(epochs=1000)
    wait_until(lambda: b"lrtui.train" in Path(f"/proc/{process.pid}/cmdline").read_bytes())
    process.terminate()
    process.communicate(timeout=300)
    assert process.returncode in {0, -signal.SIGTERM}


def test_a_damaged_checkpoint_falls_back_on_the_previous_one_and_says_so(trainer, same):
    assert trainer.run("whole", checkpoint=None, epochs=3).returncode == 0
    for until in (1, 2):
        assert trainer.run("parts", until=until, epochs=3).returncode == 0
    _flip_a_byte(trainer.checkpoint)
    done = trainer.run("again", epochs=3)
    assert done.returncode == 0
    assert f"{trainer.checkpoint} is damaged" in done.stdout
    assert "resumed at step 15" in done.stdout
    assert same(trainer.lines("again")) == [
        line for line in same(trainer.lines("whole")) if line["step"] > 15
    ]


def test_a_missing_newest_checkpoint_goes_on_from_the_previous_one(trainer):
    for until in (1, 2):
        trainer.run(until=until, epochs=3)
    trainer.checkpoint.unlink()
    assert "resumed at step 15" in trainer.run(epochs=3).stdout


def test_two_damaged_checkpoints_are_an_error_never_a_restart(trainer):
    for until in (1, 2):
        trainer.run(until=until, epochs=3)
    before = trainer.lines()
    os.truncate(trainer.checkpoint, 3000)
    os.truncate(f"{trainer.checkpoint}.previous", 0)
    done = trainer.run(epochs=3)
    assert done.returncode == 1
    assert done.stderr.count("is damaged") == 2
    assert "Traceback" not in done.stderr
    assert trainer.lines() == before


@pytest.mark.parametrize(
    ("other", "said"),
    [
        ({"lr": "1e-2"}, "lr 0.003 there, 0.01 here"),
        ({"model": "linear"}, "model 'mlp' there, 'linear' here"),
        ({"optimizer": "sgd"}, "optimizer 'adam' there, 'sgd' here"),
        ({"epochs": 4}, "horizon '2 epochs' there, '4 epochs' here"),
        ({"seed": 9}, "seed 3 there, 9 here"),
        ({"precision": "bf16"}, "dtype 'fp32' there, 'bf16' here"),
    ],
)
def test_a_checkpoint_of_other_settings_is_refused(trainer, other, said):
    trainer.run(epochs=2, until=1)
    done = trainer.run(**({"epochs": 2} | other))
    assert done.returncode == 2
    assert said in done.stderr
    assert done.stderr.count("\n") == 1


def test_another_thread_count_is_said(trainer):
    trainer.run(epochs=2, until=1)
    done = trainer.run(epochs=2, threads=2)
    assert done.returncode == 0
    assert "made with 1 threads" in done.stdout


def test_a_checkpoint_that_cannot_be_written_does_not_end_the_training(trainer, tmp_path):
    where = tmp_path / "gone" / "checkpoint"
    done = trainer.run(checkpoint=where, epochs=2)
    assert done.returncode == 1
    assert "checkpoint could not be written" in done.stderr
    assert "Traceback" not in done.stderr
    assert trainer.lines()[-1]["epoch"] == 2


def _flip_a_byte(path):
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
