"""What is broken around a training is said in a line; nothing begins again from nothing without being told to."""

from __future__ import annotations

import pytest
import torch

from lrtui.train.faults import explained
from lrtui.train.options import parse

OPTIONS = parse(["--prepared=x", "--model=mlp", "--lr=1e-3", "--epochs=1", "--batch-size=4096"])


@pytest.mark.parametrize(
    "said",
    [
        "CUDA out of memory. Tried to allocate 2.00 GiB.\nto free some, see the manual",
        "CUDA error: out of memory",
        "CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`",
    ],
)
def test_what_torch_says_of_a_full_memory_is_said_in_our_words(said):
    fault = explained(RuntimeError(said), OPTIONS)
    assert fault.code == 5
    first = said.partition("\n")[0]
    assert fault.text == (
        f"mlp with batches of 4,096 does not fit into memory ({first}); "
        "lower batch_size, or choose a smaller model"
    )


def test_an_error_that_is_no_lack_of_memory_stays_a_bug():
    assert explained(RuntimeError("CUDA error: device-side assert triggered"), OPTIONS) is None


OWN = """\
from torch import nn

def build(channels, size, classes):
    return nn.Sequential(nn.Flatten(), nn.Linear(channels * size**2, {width}), nn.Linear({width}, classes))
"""


def test_a_full_disk_is_said_and_the_old_checkpoint_stays_whole(trainer, small_disk):
    trainer.checkpoint = small_disk / "checkpoint"
    assert trainer.run(model="linear", epochs=3, until=1).returncode == 0
    before = trainer.checkpoint.read_bytes()
    (small_disk / "filler").write_bytes(bytes(64 * 1024 - len(before) - 8 * 1024))
    done = trainer.run(model="linear", epochs=3)
    assert done.returncode == 1
    last = done.stderr.splitlines()[-1]
    assert last.startswith("lrtui.train: the checkpoint could not be written (")
    assert "No space left on device" in last
    assert "Traceback" not in done.stderr
    assert trainer.lines()[-1]["epoch"] == 3  # it trained to its end all the same
    assert trainer.checkpoint.read_bytes() == before
    assert not list(small_disk.glob("*.tmp"))  # half a checkpoint does not keep the disk full
    (small_disk / "filler").unlink()
    done = trainer.run(model="linear", epochs=3)
    assert done.returncode == 0
    assert "resumed at step 15" in done.stdout


@pytest.mark.parametrize("part", ["settings", "generators"])
def test_a_checkpoint_that_lacks_a_part_is_damaged(trainer, part):
    for until in (1, 2):
        trainer.run(epochs=3, until=until)
    state = torch.load(trainer.checkpoint, weights_only=True)
    del state[part]
    torch.save(state, trainer.checkpoint)
    done = trainer.run(epochs=3)
    assert done.returncode == 0
    assert f"is damaged (it lacks {part}); going on from" in done.stdout
    assert "resumed at step 15" in done.stdout


def test_a_checkpoint_of_a_model_whose_code_was_changed_is_refused(trainer, tmp_path):
    own = {"model": "mine:build", "beside": tmp_path, "epochs": 2}
    (tmp_path / "mine.py").write_text(OWN.format(width=6))
    assert trainer.run(**own, until=1).returncode == 0
    (tmp_path / "mine.py").write_text(
        OWN.format(width=16)
    )  # longer: Python takes bytecode of the same second and size for good
    before = trainer.lines()
    done = trainer.run(**own)
    assert done.returncode == 2
    assert f"{trainer.checkpoint} does not fit the model" in done.stderr
    assert "size mismatch" in done.stderr
    assert done.stderr.count("\n") == 1
    assert trainer.lines() == before
    (tmp_path / "mine.py").write_text(OWN.format(width=6))
    assert "resumed at step 15" in trainer.run(**own).stdout


def test_a_folder_where_the_checkpoint_should_be_is_an_error(trainer):
    trainer.checkpoint.mkdir()
    done = trainer.run(epochs=1)
    assert done.returncode == 1
    assert "is damaged" in done.stderr
    assert "Traceback" not in done.stderr
    assert trainer.lines() == []


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_the_quick_convolutions_go_on_bit_identically(trainer, same, precision):
    """cnn7's last three, whose maps are small, and a batch that is smaller than the others."""
    big = {
        "model": '{"cnn7": {"width": 4}}',
        "epochs": 2,
        "batch_size": 100,
        "precision": precision,
        "data": 0.5,
    }
    assert trainer.run("whole", checkpoint=None, **big).returncode == 0
    assert trainer.run("parts", until=1, **big).returncode == 0
    assert trainer.run("parts", **big).returncode == 0
    assert same(trainer.lines("parts")) == same(trainer.lines("whole"))
