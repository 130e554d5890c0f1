"""3x3 convolutions on small maps, on the CPU, as matrix products: the same sums as `nn.Conv2d`, in another order.

oneDNN's convolutions are laid out for large maps. On maps of 4x4 and 2x2, where the article's network does two thirds
of its work, they reach a tenth (bf16, AMX) to a half (fp32) of what a product of matrices reaches on the same core; the
gradient of the weights suffers most. The sixth convolution (512 to 512 channels, 4x4, batch 128), forwards and
backwards, is 2.4 times as fast this way in fp32 and 3.5 times in bf16 (one core with AMX, torch 2.15). Products of fp32
are MKL's, which holds back on other processors than Intel's: on an AMD EPYC they reach 110 GFLOP/s on a core where oneDNN's
convolutions reach 230, so there only maps of 2x2 take this way in fp32.

    fp32    one product for each of the nine taps, over the places where it does not fall on the padding, which is
            31 % of them on a 4x4 map and 56 % on 2x2; sums are kept in fp32, so they may be added tap by tap
    bf16    the taps gathered into one long product, so that the sum is rounded to bf16 once, as in a convolution; the
            first row and the last do without the taps that fall on the padding above and below

Which way is taken depends on shapes, types and the CPU, never on a clock: the same run is the same to the last bit.
"""

from __future__ import annotations

import functools
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from torch.nn import functional

if TYPE_CHECKING:
    from collections.abc import Iterator

LARGEST_MAP, LARGEST_WITHOUT_MKL = 16, 4
"""Height times width; on an 8x8 map oneDNN is as fast or faster. The second is for fp32 where MKL holds back."""
FEWEST_CHANNELS = 64
"""With fewer channels on either side the many small products do not pay off."""
IMAGES = 256
"""Number of images that the bf16 method gathers at a time, which takes nine times their size."""


def quicken(model: nn.Module) -> None:
    """Let the model's suitable convolutions use the faster method on small maps; nothing else changes."""
    for module in model.modules():
        if type(module) is nn.Conv2d and _fits(module):
            module.__class__ = (
                _QuickConv2d  # a method of the module itself, so that copies of it are whole
            )


def convolve(inputs: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    """Return `conv2d(inputs, weight, bias, padding=1)` for a kernel of 3x3, differentiable once.

    Args:
        inputs: (N, in, H, W), float32 or bfloat16.
        weight: (out, in, 3, 3) of the same type.
        bias: (out,) of the same type.

    Returns:
        (N, out, H, W), its memory in the order N, H, W, out.

    """
    result: Tensor = _Convolution.apply(inputs, weight, bias)
    return result


def _fits(module: nn.Conv2d) -> bool:
    plain = module.groups == 1 and module.dilation == (1, 1) and module.padding_mode == "zeros"
    same_size = (
        module.kernel_size == (3, 3)
        and module.stride == (1, 1)
        and module.padding in {(1, 1), "same"}
    )
    return plain and same_size and min(module.in_channels, module.out_channels) >= FEWEST_CHANNELS


class _QuickConv2d(nn.Conv2d):
    """A convolution that `_fits`."""

    def forward(self, input: Tensor) -> Tensor:  # noqa: A002  # the name that torch gave it
        """Return what `nn.Conv2d` returns, by the faster method if the map is small."""
        lower = torch.is_autocast_enabled("cpu")
        dtype = torch.get_autocast_dtype("cpu") if lower else input.dtype
        known = dtype == torch.float32 or (dtype == torch.bfloat16 and _multiplies_bf16())
        if not known or input.device.type != "cpu" or not _is_small_map(input, dtype):
            return super().forward(input)
        bias = None if self.bias is None else self.bias.to(dtype)
        return convolve(input.to(dtype), self.weight.to(dtype), bias)


def _is_small_map(images: Tensor, dtype: torch.dtype) -> bool:
    slow = dtype == torch.float32 and not _is_intel()
    largest = LARGEST_WITHOUT_MKL if slow else LARGEST_MAP
    return images.ndim == 4 and images.shape[2] * images.shape[3] <= largest


@functools.cache
def _is_intel() -> bool:
    """Whether MKL runs at full speed here; True for an unknown processor."""
    try:
        said = Path("/proc/cpuinfo").read_text()
    except OSError:
        return True
    return "vendor_id" not in said or "GenuineIntel" in said


@functools.cache
def _multiplies_bf16() -> bool:
    """Whether this CPU has instructions for bf16; without them torch's product of bf16 matrices is a plain loop."""
    return bool(torch.ops.mkldnn._is_mkldnn_bf16_supported())  # noqa: SLF001


class _Convolution(torch.autograd.Function):
    """The three products of a convolution: its output, and the gradients of its inputs and its weights."""

    @staticmethod
    def forward(ctx: Any, inputs: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        images = inputs.permute(0, 2, 3, 1).contiguous()
        weight = weight.contiguous(memory_format=torch.channels_last)  # a tap is then a matrix
        kernel = weight.permute(2, 3, 1, 0)
        # kept for the gradient of the weights, where it is no more than IMAGES hold
        gathered = _gather(images) if _is_small(images) else []
        ctx.save_for_backward(images, weight, *gathered)
        # made as (N, out, H, W): a view of it could not be changed in place, as a ReLU does
        shape = (len(images), len(weight), *images.shape[1:3])
        out = torch.empty(shape, dtype=images.dtype, memory_format=torch.channels_last)
        _correlate(images, kernel, bias, out.permute(0, 2, 3, 1), gathered)
        return out

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, Tensor | None, Tensor | None]:
        images, weight, *gathered = ctx.saved_tensors
        given = gradient.permute(0, 2, 3, 1).contiguous()
        wanted = ctx.needs_input_grad
        of_inputs = of_weight = of_bias = None
        if wanted[0]:  # a convolution again, by the kernel turned by 180 degrees
            turned = weight.permute(2, 3, 0, 1)
            result = torch.empty_like(images)
            _correlate(given, turned, None, result, [], turn=True)
            of_inputs = result.permute(0, 3, 1, 2)
        if wanted[1]:
            of_weight = _weight_gradient(images, given, gathered).permute(0, 3, 1, 2)
        if wanted[2]:
            of_bias = given.flatten(0, 2).sum(0)
        return of_inputs, of_weight, of_bias


def _is_small(images: Tensor) -> bool:
    """Whether the bf16 way gathers all of these images at once."""
    return images.dtype != torch.float32 and len(images) <= IMAGES


def _correlate(
    images: Tensor,
    kernel: Tensor,
    bias: Tensor | None,
    out: Tensor,
    gathered: list[Tensor],
    *,
    turn: bool = False,
) -> None:
    """Fill `out` (N, H, W, out) from (N, H, W, in) and a kernel (3, 3, in, out), used upside down and mirrored with `turn`."""
    if images.dtype != torch.float32:
        _correlate_bands(images, kernel.flip(0, 1) if turn else kernel, out, gathered)
        if bias is not None:
            out.add_(bias)
        return
    places = images.permute(1, 2, 0, 3).contiguous()  # one place of all images after the other
    shape = (*places.shape[:3], kernel.shape[3])
    sums = places.new_zeros(shape) if bias is None else bias.expand(shape).contiguous()
    for down, right, strips in _taps(*places.shape[:2]):
        matrix = kernel[1 - down, 1 - right] if turn else kernel[1 + down, 1 + right]
        for to, at in strips:
            sums[to].flatten(0, -2).addmm_(places[at].flatten(0, -2), matrix)
    out.copy_(sums.permute(2, 0, 1, 3))


def _weight_gradient(images: Tensor, given: Tensor, gathered: list[Tensor]) -> Tensor:
    """Return (out, 3, 3, in) from the inputs (N, H, W, in) and the gradient of the outputs (N, H, W, out)."""
    shape = (given.shape[3], 3, 3, images.shape[3])
    if images.dtype != torch.float32:
        return _weight_gradient_of_bands(images, given, gathered).view(shape)
    places, wanted = (each.permute(1, 2, 0, 3).contiguous() for each in (images, given))
    out = images.new_zeros(shape)
    for down, right, strips in _taps(*places.shape[:2]):
        for to, at in strips:
            rows = wanted[to].flatten(0, -2)
            out[:, 1 + down, 1 + right].addmm_(rows.t(), places[at].flatten(0, -2))
    return out


def _correlate_bands(images: Tensor, kernel: Tensor, out: Tensor, gathered: list[Tensor]) -> None:
    """Do the same in bf16, the bias left out."""
    for part, result in zip(torch.split(images, IMAGES), torch.split(out, IMAGES), strict=True):
        bands = zip(_bands(part.shape[1]), gathered or _gather(part), strict=True)
        for (rows, down), neighbourhoods in bands:
            product = neighbourhoods @ kernel[down].reshape(-1, kernel.shape[3])
            result[:, rows] = product.view(result[:, rows].shape)


def _weight_gradient_of_bands(images: Tensor, given: Tensor, gathered: list[Tensor]) -> Tensor:
    """Do the same in bf16; return (out, 9 in)."""
    row = 3 * images.shape[3]
    sums = images.new_zeros(given.shape[3], 3 * row)
    for part, wanted in zip(torch.split(images, IMAGES), torch.split(given, IMAGES), strict=True):
        bands = zip(_bands(part.shape[1]), gathered or _gather(part), strict=True)
        for (rows, down), neighbourhoods in bands:
            matrix = wanted[:, rows].flatten(0, 2).t().contiguous()
            sums[:, down.start * row : down.stop * row].addmm_(matrix, neighbourhoods)
    return sums


def _gather(images: Tensor) -> list[Tensor]:
    """Return, for each of the map's bands, (N rows W, taps C): each place's neighbourhood, row by row, from (N, H, W, C)."""
    count, height, width, channels = images.shape
    padded = functional.pad(images, (0, 0, 1, 1, 1, 1))
    image, row, column, _ = padded.stride()
    windows = padded.as_strided(
        (count, height, width, 3, 3 * channels), (image, row, column, row, 1)
    )
    bands = (windows[:, rows, :, down] for rows, down in _bands(height))
    return [each.flatten(3).flatten(0, 2) for each in bands]


def _bands(height: int) -> list[tuple[slice, slice]]:
    """Return the rows of a map in bands, each with the taps (of -1, 0, 1) that do not fall on the padding above and below."""
    if height == 1:
        return [(slice(0, 1), slice(1, 2))]
    inner = [(slice(1, height - 1), slice(0, 3))] if height > 2 else []
    return [(slice(0, 1), slice(1, 3)), *inner, (slice(height - 1, height), slice(0, 2))]


Strip = tuple[Any, Any]


def _taps(height: int, width: int) -> Iterator[tuple[int, int, list[Strip]]]:
    """Yield each tap (down, right), and the strips of a (H, W, ...) map where it meets the map: (outputs, inputs).

    Strips follow each other in memory: with `right` 0 they are whole rows at once, else one row each.
    """
    for down in (-1, 0, 1):
        top, bottom = max(0, -down), height - max(0, down)
        for right in (-1, 0, 1):
            left, end = max(0, -right), width - max(0, right)
            if top >= bottom or left >= end:
                continue
            if right == 0:
                yield down, right, [(slice(top, bottom), slice(top + down, bottom + down))]
                continue
            columns, moved = slice(left, end), slice(left + right, end + right)
            yield down, right, [((y, columns), (y + down, moved)) for y in range(top, bottom)]
