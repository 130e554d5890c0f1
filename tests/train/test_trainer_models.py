"""The models are what they say."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from lrtui.train.models import MODELS


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


def test_mlp_takes_width_and_depth():
    assert parameters(build("mlp", 1, 8, 10, width=5, depth=1)) == 64 * 5 + 5 + 5 * 10 + 10
