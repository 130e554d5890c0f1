"""The models are what they say."""

from __future__ import annotations

import inspect

import pytest
import torch
from torch import nn

from lrtui.train.models import ARGUMENTS, MODELS


def build(name, channels=3, size=32, classes=100, **options):
    return MODELS[name].load()(channels, size, classes, **options)


def parameters(model):
    return sum(parameter.numel() for parameter in model.parameters())


def flops(model, inputs):
    """Two per multiply-add, for each convolution and linear layer, per image."""
    counts = []

    def count(layer, _, output):
        counts.append(2 * layer.weight[0].numel() * output[0].numel())

    for layer in model.modules():
        if isinstance(layer, (nn.Conv2d, nn.Linear)):
            layer.register_forward_hook(count)
    model(inputs)
    return counts


def test_cnn7_is_the_articles_network():
    model = build("cnn7")
    assert parameters(model) == 5_201_124
    assert sum(isinstance(layer, nn.Conv2d) for layer in model) == 7
    (linear,) = (layer for layer in model if isinstance(layer, nn.Linear))
    assert linear.in_features == 1024
    counts = flops(model, torch.zeros(1, 3, 32, 32))
    assert sum(counts) / 1e6 == pytest.approx(175.0, abs=0.05)
    assert counts[5] / sum(counts) == pytest.approx(0.43, abs=0.005)
    training = 3 * sum(counts) - counts[0]  # backward costs two forwards; no gradient of the images
    assert training / 1e6 == pytest.approx(524.8, abs=0.05)


def test_28_pixels_would_leave_256_features_so_they_are_padded():
    features = build("cnn7")[:-1]
    assert features(torch.zeros(1, 3, 28, 28)).shape == (1, 256)
    with pytest.raises(ValueError, match="32x32"):
        build("cnn7", size=28)


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("channels", [1, 3])
def test_every_model_gives_logits_and_gradients(name, channels):
    size = MODELS[name].size or 8
    model = build(name, channels, size, 7)
    outputs = model(torch.randn(2, channels, size, size))
    assert outputs.shape == (2, 7)
    outputs.sum().backward()
    assert all(parameter.grad is not None for parameter in model.parameters())


def test_cnn3_is_small():
    assert parameters(build("cnn3", 1, 8, 10)) == 23_946


def test_resnet_is_resnet_20_of_the_paper_with_projections():
    assert parameters(build("resnet", 3, 32, 10)) == 272_474
    convolutions = [m for m in build("resnet").modules() if isinstance(m, nn.Conv2d)]
    assert sum(layer.kernel_size == (3, 3) for layer in convolutions) == 19
    assert build("resnet", 1, 8, 10)(torch.zeros(2, 1, 8, 8)).shape == (2, 10)
    with pytest.raises(ValueError, match="at least 8x8"):
        build("resnet", 1, 4, 10)


def test_vit_begins_at_chance_and_knows_where_a_patch_lies():
    model = build("vit", 3, 32, 10)
    assert parameters(model) == 800_906
    images = torch.randn(2, 3, 32, 32)
    assert model(images).eq(0).all()
    nn.init.normal_(model.head.weight)
    moved = images.roll(4, 3)  # by one patch
    assert not torch.allclose(model(images), model(moved), atol=1e-3)
    rows = model.places.view(8, 8, -1)
    assert len({tuple(row.tolist()) for row in rows.flatten(0, 1)}) == 64
    with pytest.raises(ValueError, match="30x30 is no multiple"):
        build("vit", 3, 30, 10)
    with pytest.raises(ValueError, match="multiple of 4 and of heads"):
        build("vit", 3, 32, 10, width=20, heads=3)


@pytest.mark.parametrize("name", [name for name in MODELS if "width" in MODELS[name].fields])
def test_width_scales_the_whole_model(name):
    size = MODELS[name].size or 16
    default = inspect.signature(MODELS[name].load()).parameters["width"].default
    assert parameters(build(name, 3, size)) == parameters(build(name, 3, size, width=default))
    sizes = [parameters(build(name, 3, size, 10, width=default * factor)) for factor in (1, 2, 4)]
    assert 2 < sizes[2] / sizes[1] < 4.1
    assert sizes[2] / sizes[1] > sizes[1] / sizes[0]
    build(name, 3, size, 10, width=4)(torch.zeros(2, 3, size, size))


@pytest.mark.parametrize("name", MODELS)
def test_the_options_in_the_table_are_the_functions(name):
    taken = list(inspect.signature(MODELS[name].load()).parameters)
    assert taken == [*ARGUMENTS, *MODELS[name].fields]


@pytest.mark.parametrize("name", ["resnet", "vit"])
def test_a_model_learns_a_few_images_by_heart(name):
    torch.manual_seed(0)
    model = build(name, 1, 8, 4)
    images, labels = torch.randn(16, 1, 8, 8), torch.arange(16) % 4
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    for _ in range(40):
        optimizer.zero_grad()
        nn.functional.cross_entropy(model(images), labels).backward()
        optimizer.step()
    assert (model(images).argmax(1) == labels).all()


def test_mlp_takes_width_and_depth():
    assert parameters(build("mlp", 1, 8, 10, width=5, depth=1)) == 64 * 5 + 5 + 5 * 10 + 10
