"""Batches: the right pixels with the right labels, in an order that (seed, epoch) decides."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from lrtui.train import data, store
from tests.train.running import tiny_source

CPU = torch.device("cpu")


def load(folder, size=None, *, augment=False, share=1.0):
    return data.load(folder, size, share=share, augment=augment, device=CPU)


@pytest.fixture(scope="module")
def colour(tmp_path_factory):
    source = tiny_source(channels=3, size=8)
    path, _ = store.write(
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
    images, truth = store.open_part(colour, "train")
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
    images = torch.from_numpy(np.array(store.open_part(colour, "train")[0]))
    for place in range(32):
        image = torch.nn.functional.pad(images[order.index[place]], [1] * 4)
        down, right = order.shifts[place].tolist()
        expected = image[:, down : down + 8, right : right + 8]
        expected = expected.flip(-1) if order.flips[place] else expected
        expected = (expected.float() - arrays.mean[0]) * arrays.scale[0]
        torch.testing.assert_close(taken[place], expected)
    assert 0 < int(order.flips.sum()) < len(order.flips)


def test_what_must_not_be_mirrored_is_not(tmp_path):
    path, _ = store.write(
        tmp_path, "digits", tiny_source(), classes=10, validation=60, flip=False, synthetic=True
    )
    order = data.draw_order(load(path, augment=True), 0, 0, augment=True)
    assert not order.flips.any()


@pytest.mark.parametrize(
    ("size", "enlarge", "pad"), [(8, 4, 0), (28, 1, 2), (32, 1, 0), (16, 2, 0), (10, 3, 1)]
)
def test_small_images_are_enlarged_and_padded_to_32(tmp_path, size, enlarge, pad):
    source = tiny_source(size=size)
    path, _ = store.write(
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
    path, _ = store.write(
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
    train, val = store.split(labels, count, len(sizes))
    assert len(val) == count
    assert sorted([*train, *val]) == list(range(len(labels)))
    for label, size in enumerate(sizes):
        assert abs((labels[val] == label).sum() - size * count / len(labels)) < 1
    again = store.split(labels, count, len(sizes))
    assert all(np.array_equal(a, b) for a, b in zip((train, val), again, strict=True))


def test_the_arrays_are_mapped_and_not_read(colour):
    images, _ = store.open_part(colour, "train")
    assert isinstance(images, np.memmap)
    assert (
        load(colour).train.images.data_ptr() % 64 == 0
    )  # torch took the pages: npy data are aligned
