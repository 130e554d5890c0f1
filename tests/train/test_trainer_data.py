"""Batches: the right pixels with the right labels, in an order that (seed, epoch) decides."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from lrtui.train import data, prepared_arrays
from tests.train.running import ROOT, tiny_source

CPU = torch.device("cpu")


NO_GPU = pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no NVIDIA GPU")
DEVICES = ["cpu", pytest.param("cuda", marks=(pytest.mark.gpu, NO_GPU))]


def load(folder, size=None, *, augment=False, share=1.0, device=CPU):
    return data.load(folder, size, share=share, augment=augment, device=device)


@pytest.fixture(scope="module")
def colour(tmp_path_factory):
    source = tiny_source(channels=3, size=8)
    path, _ = prepared_arrays.write(
        tmp_path_factory.mktemp("c"),
        "colour",
        source,
        classes=10,
        validation=60,
        flip=True,
        synthetic=True,
    )
    return path


def test_a_batch_is_the_normalised_pixels(colour):
    arrays = load(colour)
    order = data.draw_order(arrays, 5, 0, augment=False)
    inputs, labels = arrays.take(order, 16, 16)
    images, truth = prepared_arrays.open_part(colour, "train")
    index = order.index[16:32].numpy()
    mean = images.mean(axis=(0, 2, 3), keepdims=True, dtype=np.float64)
    std = images.std(axis=(0, 2, 3), keepdims=True, dtype=np.float64)
    np.testing.assert_allclose(inputs.numpy(), (images[index] - mean) / std, atol=1e-5)
    assert labels.tolist() == truth[index].tolist()


def test_an_epoch_sees_each_image_once_in_an_order_of_its_own(prepared):
    arrays = load(prepared)
    orders = [
        data.draw_order(arrays, seed, epoch, augment=False).index
        for seed in (0, 1)
        for epoch in (0, 1)
    ]
    for order in orders:
        assert sorted(order.tolist()) == list(range(240))
    assert len({tuple(order.tolist()) for order in orders}) == 4
    again = data.draw_order(arrays, 1, 1, augment=False).index
    assert torch.equal(again, orders[3])


def test_augmentation_shifts_and_mirrors_and_never_mixes_images(colour):
    arrays = load(colour, augment=True)
    assert arrays.fit.crop == 1
    order = data.draw_order(arrays, 0, 0, augment=True)
    taken, _ = arrays.take(order, 0, 32)
    images = torch.from_numpy(np.array(prepared_arrays.open_part(colour, "train")[0]))
    for place in range(32):
        image = torch.nn.functional.pad(images[order.index[place]], [1] * 4)
        down, right = order.shifts[place].tolist()
        expected = image[:, down : down + 8, right : right + 8]
        expected = expected.flip(-1) if order.flips[place] else expected
        expected = (expected.float() - arrays.mean[0]) * arrays.scale[0]
        torch.testing.assert_close(taken[place], expected)
    assert 0 < int(order.flips.sum()) < len(order.flips)


def one_by_one(arrays, order, start, count, images):
    """Fit, crop, mirror and normalise image by image, pixel by pixel, as data.py does all at once."""
    fit, taken = arrays.fit, []
    mean, scale = arrays.mean.cpu().view(-1), arrays.scale.cpu().view(-1)
    for place in range(start, start + count):
        image = images[order.index[place]]
        channels, size = image.shape[0], fit.size
        canvas = torch.zeros(channels, size + 2 * fit.crop, size + 2 * fit.crop)
        inner = image.shape[1] * fit.enlarge
        first = fit.crop + fit.pad
        for row in range(inner):
            for column in range(inner):
                pixel = image[:, row // fit.enlarge, column // fit.enlarge]
                canvas[:, first + row, first + column] = pixel.float()
        down, right = order.shifts[place].tolist()
        window = canvas[:, down : down + size, right : right + size]
        if order.flips[place]:
            window = torch.stack([window[:, :, size - 1 - column] for column in range(size)], 2)
        taken.append(torch.stack([(window[c] - mean[c]) * scale[c] for c in range(channels)]))
    return torch.stack(taken)


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize(("source_size", "model_size"), [(8, None), (8, 32), (10, 16)])
def test_augmentation_at_once_is_exactly_that_of_a_loop_over_the_images(
    tmp_path, device, source_size, model_size
):
    source = tiny_source(channels=3, size=source_size)
    path, _ = prepared_arrays.write(
        tmp_path, "x", source, classes=10, validation=60, flip=True, synthetic=True
    )
    arrays = load(path, model_size, augment=True, device=torch.device(device))
    order = data.draw_order(arrays, 3, 2, augment=True)
    inputs, labels = arrays.take(order, 5, 12)
    images, truth = (
        torch.from_numpy(np.array(each)) for each in prepared_arrays.open_part(path, "train")
    )
    assert inputs.device.type == labels.device.type == device
    assert torch.equal(inputs.cpu(), one_by_one(arrays, order, 5, 12, images))
    assert torch.equal(labels.cpu(), truth[order.index[5:17].cpu()])


def test_a_share_of_the_data_is_balanced_the_same_every_time_and_used_alone(tmp_path):
    labels = np.repeat(np.arange(4), [100, 60, 30, 10])
    images = np.arange(200, dtype=np.uint8)[:, None, None, None].repeat(64).reshape(200, 1, 8, 8)
    few = np.arange(0, 200, 10)
    source = prepared_arrays.Source(
        images, labels, images[few], labels[few], "x", images[few], labels[few]
    )
    path, _ = prepared_arrays.write(
        tmp_path, "x", source, classes=4, validation=0, flip=False, synthetic=True
    )
    half = load(path, share=0.5)
    assert np.bincount(labels[half.members.numpy()]).tolist() == [50, 30, 15, 5]
    assert data.steps_per_epoch(half, 32) == 4
    order = data.draw_order(half, 7, 0, augment=False)
    assert sorted(order.index.tolist()) == half.members.tolist()
    assert torch.equal(load(path, share=0.5).members, half.members)
    assert len(load(path, share=0.001).members) == 1


def test_the_order_is_that_of_seed_and_epoch_in_every_process(prepared):
    code = (
        "import sys, torch; from pathlib import Path; from lrtui.train import data\n"
        "arrays = data.load(Path(sys.argv[1]), None, share=0.5, augment=True, device=torch.device('cpu'))\n"
        "torch.manual_seed(int(sys.argv[2])); torch.rand(int(sys.argv[2]))\n"
        "order = data.draw_order(arrays, 11, 5, augment=True)\n"
        "print(order.index.tolist(), order.shifts.tolist(), order.flips.tolist())"
    )
    said = subprocess.run(
        [sys.executable, "-c", code, str(prepared), "1"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    torch.manual_seed(2)
    torch.rand(2)
    arrays = load(prepared, share=0.5, augment=True)
    order = data.draw_order(arrays, 11, 5, augment=True)
    assert said == f"{order.index.tolist()} {order.shifts.tolist()} {order.flips.tolist()}\n"


def test_what_must_not_be_mirrored_is_not(tmp_path):
    path, _ = prepared_arrays.write(
        tmp_path, "digits", tiny_source(), classes=10, validation=60, flip=False, synthetic=True
    )
    order = data.draw_order(load(path, augment=True), 0, 0, augment=True)
    assert not order.flips.any()


@pytest.mark.parametrize(
    ("size", "enlarge", "pad"), [(8, 4, 0), (28, 1, 2), (32, 1, 0), (16, 2, 0), (10, 3, 1)]
)
def test_small_images_are_enlarged_and_padded_to_32(tmp_path, size, enlarge, pad):
    source = tiny_source(size=size)
    path, _ = prepared_arrays.write(
        tmp_path, "x", source, classes=10, validation=60, flip=True, synthetic=True
    )
    arrays = load(path, 32)
    assert (arrays.fit.enlarge, arrays.fit.pad) == (enlarge, pad)
    images = arrays.train.images[:2]
    fitted = arrays._fitted(images)
    assert fitted.shape == (2, 1, 32, 32)
    inner = fitted[:, :, pad : 32 - pad : enlarge, pad : 32 - pad : enlarge]
    assert torch.equal(inner[:, :, :size, :size], images)
    assert fitted.sum() == images.sum() * enlarge**2


def test_images_larger_than_the_model_takes_are_refused(tmp_path):
    path, _ = prepared_arrays.write(
        tmp_path, "x", tiny_source(size=40), classes=10, validation=60, flip=True, synthetic=True
    )
    with pytest.raises(ValueError, match="40x40 do not fit a model that takes 32x32"):
        load(path, 32)


@given(
    sizes=st.lists(st.integers(5, 40), min_size=2, max_size=6),
    share=st.floats(0.05, 0.9),
)
@settings(max_examples=50)
def test_a_split_is_stratified_disjoint_and_always_the_same(sizes, share):
    labels = np.repeat(np.arange(len(sizes)), sizes)
    count = max(1, round(share * len(labels)))
    train, val = prepared_arrays.split(labels, count, len(sizes))
    assert len(val) == count
    assert sorted([*train, *val]) == list(range(len(labels)))
    for label, size in enumerate(sizes):
        assert abs((labels[val] == label).sum() - size * count / len(labels)) < 1
    again = prepared_arrays.split(labels, count, len(sizes))
    assert all(np.array_equal(a, b) for a, b in zip((train, val), again, strict=True))


def test_the_arrays_are_mapped_and_not_read(colour):
    images, _ = prepared_arrays.open_part(colour, "train")
    assert isinstance(images, np.memmap)
    assert (
        load(colour).train.images.data_ptr() % 64 == 0
    )  # torch took the pages: npy data are aligned


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        ("label", "the train part has labels outside of 0..9"),
        ("cut", "the train part cannot be read"),
        ("shape", "the train part has another shape than described"),
        ("type", "the train part has another type than described"),
        ("about", "is no prepared data set"),
        ("mean", "is no prepared data set (mean is no list[float])"),
        ("gone", "is no prepared data set"),
    ],
)
def test_damaged_arrays_are_refused_before_the_training(trainer, prepared, tmp_path, damage, said):
    folder = tmp_path / "damaged"
    shutil.copytree(prepared, folder)
    images, labels = (np.load(folder / f"train_{what}.npy") for what in ("images", "labels"))
    if damage == "label":
        np.save(folder / "train_labels.npy", np.where(labels == 3, 10, labels))
    elif damage == "cut":
        file = folder / "train_images.npy"
        file.write_bytes(file.read_bytes()[:-1])
    elif damage == "shape":
        np.save(folder / "train_images.npy", images[:, :, :-1])
    elif damage == "type":
        np.save(folder / "train_images.npy", images.astype(np.float32))
    elif damage == "about":
        (folder / "about.json").write_text("[1, 2]")
    elif damage == "mean":
        about = json.loads((folder / "about.json").read_text())
        (folder / "about.json").write_text(json.dumps(about | {"mean": ["a"]}))
    else:
        shutil.rmtree(folder)
    done = trainer.run(prepared=folder)
    assert done.returncode == 2
    assert said in done.stderr
    assert "run lrtui.train.prepare (--force writes it again)" in done.stderr
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"batch_size": 241}, "a batch of 241 is more than the 240 training images of tiny;"),
        ({"batch_size": 64, "data": 0.1}, "more than the 24 training images of tiny with --data"),
    ],
)
def test_a_batch_of_more_images_than_there_are_is_refused(trainer, options, said):
    done = trainer.run(**options)
    assert done.returncode == 2
    assert said in done.stderr
    assert "lower batch_size" in done.stderr


def test_what_does_not_fit_into_memory_is_exit_5(trainer):
    """A layer of 1 GiB where 512 MiB more than torch itself takes may be had."""
    code = (
        "import resource, runpy, torch; pages = int(open('/proc/self/statm').read().split()[0])\n"
        "resource.setrlimit(resource.RLIMIT_AS, (pages * resource.getpagesize() + 2**29,) * 2)\n"
        "runpy.run_module('lrtui.train', run_name='__main__', alter_sys=True)"
    )
    words = trainer.argv(model='{"mlp": {"width": 16384}}')
    done = subprocess.run(
        [sys.executable, "-c", code, *words[3:]],
        cwd=trainer.folder,
        env=os.environ | {"PYTHONPATH": str(ROOT), "CUDA_VISIBLE_DEVICES": ""},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 5
    assert "mlp (width 16384) with batches of 16 does not fit into memory" in done.stderr
    assert "lower batch_size" in done.stderr
    assert done.stderr.count("\n") == 1
