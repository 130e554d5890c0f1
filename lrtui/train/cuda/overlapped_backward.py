"""On a GPU the gradients of a convolution's weights and of its inputs are computed side by side.

Small layers fill a fraction of a GPU, and autograd computes one gradient after the other. But only those of the inputs
are waited for by the layer below; those of the weights and biases are not needed before the optimizer's step. So they go
to a second stream, which in a CUDA graph becomes a second branch, and `join` brings both together again.

The kernels are those that autograd would have called, and so are the numbers; but a bias's gradient is summed in fp32.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn


def branch(model: nn.Module) -> None:
    """Let the convolutions of a model on a GPU use it. Each may be used once per step: its gradients are set, not accumulated."""
    for module in model.modules():
        if (
            type(module) is nn.Conv2d
            and module.padding_mode == "zeros"
            and module.padding != "same"
        ):
            module.__class__ = _BranchingConv2d


def join(device: torch.device) -> None:
    """Make this stream wait for the gradients computed on the second stream."""
    if device.type == "cuda":
        _Side.of(torch.cuda.current_stream(device)).join()


class _Side:
    """The stream beside a stream, and what it still reads."""

    _known: dict[int, _Side] = {}  # noqa: RUF012  # one for each stream of the process

    def __init__(self, main: torch.cuda.Stream) -> None:
        self.stream = torch.cuda.Stream(main.device)  # type: ignore[no-untyped-call]
        self.held: list[Tensor] = []

    @classmethod
    def of(cls, main: torch.cuda.Stream) -> _Side:
        return cls._known.get(main.cuda_stream) or cls._known.setdefault(
            main.cuda_stream, cls(main)
        )

    def join(self) -> None:
        if not self.held:
            return  # a stream that takes no part in a capture must not be waited for in it
        torch.cuda.current_stream(self.stream.device).wait_stream(self.stream)
        self.held.clear()


class _BranchingConv2d(nn.Conv2d):
    def forward(self, input: Tensor) -> Tensor:  # noqa: A002  # the name that torch gave it
        """Return what `nn.Conv2d` returns."""
        if not (input.is_cuda and torch.is_grad_enabled() and self.weight.requires_grad):
            return super().forward(input)
        lower = torch.is_autocast_enabled("cuda")
        dtype = torch.get_autocast_dtype("cuda") if lower else input.dtype
        result: Tensor = _Convolution.apply(input.to(dtype), self.weight, self.bias, self)
        return result


class _Convolution(torch.autograd.Function):
    """A convolution in the type of its inputs, which sets the gradients of its module itself."""

    @staticmethod
    def forward(
        ctx: Any, inputs: Tensor, weight: Tensor, bias: Tensor | None, module: nn.Conv2d
    ) -> Tensor:
        weight = weight.to(inputs.dtype)
        ctx.save_for_backward(inputs, weight)
        ctx.module = module
        given = None if bias is None else bias.to(inputs.dtype)
        return torch.conv2d(
            inputs, weight, given, module.stride, module.padding, module.dilation, module.groups
        )

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, None, None, None]:
        inputs, weight = ctx.saved_tensors
        module: nn.Conv2d = ctx.module
        side = _Side.of(torch.cuda.current_stream(gradient.device))
        side.stream.wait_stream(torch.cuda.current_stream(gradient.device))
        with torch.cuda.stream(side.stream):
            (_, found, _) = _gradients(gradient, inputs, weight, module, (False, True, False))
            module.weight.grad = torch.empty_like(module.weight).copy_(found)
            if module.bias is not None:
                module.bias.grad = _of_bias(gradient, module.bias.dtype)
        side.held += (gradient, inputs, weight)  # their memory is not another's before `join`
        if not ctx.needs_input_grad[0]:
            return None, None, None, None
        (of_inputs, _, _) = _gradients(gradient, inputs, weight, module, (True, False, False))
        return of_inputs, None, None, None


def _of_bias(gradient: Tensor, dtype: torch.dtype) -> Tensor:
    return gradient.sum((0, 2, 3), dtype=dtype)


def _gradients(
    gradient: Tensor,
    inputs: Tensor,
    weight: Tensor,
    module: nn.Conv2d,
    wanted: tuple[bool, bool, bool],
) -> Any:
    return torch.ops.aten.convolution_backward(
        gradient,
        inputs,
        weight,
        None,
        module.stride,
        module.padding,
        module.dilation,
        False,  # not transposed
        (0, 0),
        module.groups,
        wanted,
    )
