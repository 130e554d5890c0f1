"""The quick way of a small convolution gives what `conv2d` gives, forward and backward, and the same every time."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import nn
from torch.nn import functional

from lrtui.train.cpu import convolution
from lrtui.train.cpu.convolution import convolve, quicken

MAPS = [(1, 1), (1, 4), (2, 2), (3, 2), (4, 4), (5, 5)]


def draw(height, width, dtype=torch.float32):
    images, inputs, outputs = 6, 5, 7
    generator = torch.Generator().manual_seed(1)
    shapes = (images, inputs, height, width), (outputs, inputs, 3, 3), (outputs,)
    shapes = (*shapes, (images, outputs, height, width))
    return [torch.randn(shape, generator=generator).to(dtype) for shape in shapes]


def gradients(convolution_of, inputs, weight, bias, given):
    leaves = [each.clone().requires_grad_() for each in (inputs, weight, bias)]
    output = convolution_of(*leaves)
    output.backward(given)
    return [output.detach(), *(leaf.grad for leaf in leaves)]


def exact(inputs, weight, bias, given):
    """In float64."""
    args = (each.double() for each in (inputs, weight, bias, given))
    return gradients(lambda x, w, b: functional.conv2d(x, w, b, padding=1), *args)


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
@pytest.mark.parametrize(("height", "width"), MAPS)
def test_float32_outputs_and_gradients_are_those_of_conv2d(height, width, layout):
    given = draw(height, width)
    given[:2] = (each.contiguous(memory_format=layout) for each in given[:2])
    for ours, truth in zip(gradients(convolve, *given), exact(*given), strict=True):
        torch.testing.assert_close(ours.double(), truth, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("images_at_once", [256, 4])
@pytest.mark.parametrize(("height", "width"), MAPS)
def test_bfloat16_is_rounded_once_as_conv2d_does(height, width, images_at_once, monkeypatch):
    monkeypatch.setattr(convolution, "IMAGES", images_at_once)
    given = draw(height, width, torch.bfloat16)
    truth = exact(*given)
    usual = gradients(lambda x, w, b: functional.conv2d(x, w, b, padding=1), *given)
    for ours, theirs, right in zip(gradients(convolve, *given), usual, truth, strict=True):
        assert ours.dtype == torch.bfloat16
        error, allowed = (ours.double() - right).abs(), (theirs.double() - right).abs()
        scale = right.abs().max()
        assert error.max() <= allowed.max() + scale * 2**-8


def network():
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(3, 64, 3, padding=1),
        nn.ReLU(inplace=True),
        nn.Conv2d(64, 64, 3, padding=1, bias=False),
        nn.BatchNorm2d(64),
        nn.ReLU(inplace=True),
        nn.Conv2d(64, 64, 3, padding=1, groups=2),
        nn.Conv2d(64, 64, 3, padding=1, stride=2),
        nn.Conv2d(64, 64, 3, padding=2, dilation=2),
        nn.Conv2d(64, 96, 3, padding="same"),
        nn.Flatten(),
        nn.LazyLinear(10),
    )


@pytest.mark.parametrize("bf16", [False, True])
def test_a_model_that_was_quickened_is_the_same_model(bf16):
    if bf16 and not convolution._multiplies_bf16():
        pytest.skip("this CPU has no instructions for bf16")
    images = torch.randn(8, 3, 4, 4)
    model = network()
    model(images)
    plain = copy.deepcopy(model)
    quicken(model)
    assert list(model.state_dict()) == list(plain.state_dict())
    outputs = []
    for each in (model, plain):
        with torch.autocast("cpu", torch.bfloat16, enabled=bf16):
            outputs.append(each(images).float())
        outputs[-1].square().sum().backward()
    assert not torch.equal(*outputs)  # it did go another way
    near = {"rtol": 0.1, "atol": 0.05} if bf16 else {"rtol": 1e-4, "atol": 1e-5}
    torch.testing.assert_close(*outputs, **near)
    for ours, theirs in zip(model.parameters(), plain.parameters(), strict=True):
        assert ours.grad.dtype == torch.float32
        scale = theirs.grad.abs().max()
        assert (ours.grad - theirs.grad).abs().max() <= scale * (0.1 if bf16 else 1e-4)


def test_a_copy_of_a_quickened_model_has_weights_of_its_own():
    model = nn.Sequential(nn.Conv2d(64, 64, 3, padding=1))
    quicken(model)
    images = torch.randn(2, 64, 4, 4)
    before = model(images)
    twin = copy.deepcopy(model)
    with torch.no_grad():
        model[0].weight.zero_()
    assert torch.equal(twin(images), before)


def test_large_maps_and_other_types_take_the_usual_way():
    model, plain = (nn.Sequential(nn.Conv2d(64, 64, 3, padding=1)) for _ in range(2))
    plain.load_state_dict(model.state_dict())
    quicken(model)
    for images in (torch.randn(2, 64, 5, 5), torch.randn(64, 4, 4)):
        assert torch.equal(model(images), plain(images))
    small = torch.randn(2, 64, 4, 4).double()
    assert torch.equal(model.double()(small), plain.double()(small))


def test_inputs_that_need_no_gradient_get_none():
    inputs, weight, bias, given = draw(4, 4)
    weight.requires_grad_()
    convolve(inputs, weight, bias).backward(given)
    assert inputs.grad is None
    assert bias.grad is None
    assert weight.grad is not None
