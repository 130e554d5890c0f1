"""One optimizer step: the next batch, forward, loss, backward, the optimizer, the window's sums.

    take_step    the step as it is, kernel by kernel
    Stepper      the same; on CUDA the device's whole step (forward to window) as one CUDA graph, where `_can_be_captured`
                 says so, so that a small model does not wait for Python

Nothing here looks at a number on the device, so a GPU is never waited for.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import torch
from torch import Tensor
from torch.nn import functional
from torch.nn.modules.dropout import _DropoutNd

from lrtui.train import data
from lrtui.train.cuda.overlapped_backward import join
from lrtui.train.models import is_custom
from lrtui.train.optimizers import OPTIMIZERS
from lrtui.train.schedules.warmup import advance

if TYPE_CHECKING:
    from collections.abc import Callable

    from lrtui.train.run_state import Training

EAGER_STEPS = 3
"""Taken before a graph is captured: libraries choose their workspaces, the optimizer makes its state."""


def take_step(training: Training, batch: tuple[Tensor, Tensor] | None = None) -> Tensor:
    """Take one optimizer step on the next batch, and add it to the window; return the batch's mean loss, () on the device.

    `batch` is what `next_batch` returns, for who has it already.
    """
    training.lr = training.optimizer.param_groups[0]["lr"]
    inputs, labels = batch or next_batch(training)
    loss = learn(training, inputs, labels)
    _count(training, len(labels))
    return loss


def next_batch(training: Training) -> tuple[Tensor, Tensor]:
    """Return inputs and labels of the next step; they depend only on the options and the step."""
    epoch, index = divmod(training.step, training.epoch_steps)
    options = training.options
    if training.order is None or training.order[0] != epoch:
        order = data.draw_order(training.data, options.seed, epoch, augment=options.augment)
        training.order = (epoch, order)
    return training.data.take(training.order[1], index * options.batch_size, options.batch_size)


def learn(training: Training, inputs: Tensor, labels: Tensor) -> Tensor:
    """Do a step's work on the device and no other: new weights, the window's sums; return the mean loss, ()."""
    window = training.window
    training.model.train()
    outputs, loss = _differentiate(training, inputs, labels)
    if OPTIMIZERS[training.options.optimizer.name].closure:
        # it asks for the loss again where it has moved; the first time it is the one above
        training.optimizer.step(_again(training, inputs, labels, loss))
    else:
        training.optimizer.step()
    window.loss.add_(loss.detach().double(), alpha=len(labels))
    window.correct.add_((outputs.detach().argmax(1) == labels).sum())
    return loss.detach()


def forward(training: Training, inputs: Tensor) -> Tensor:
    """Return float32 logits, computed in the run's precision."""
    enabled = training.options.precision == "bf16"
    with torch.autocast(training.device.type, torch.bfloat16, enabled=enabled):
        outputs: Tensor = training.model(inputs)
    return outputs.float()


def _differentiate(training: Training, inputs: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
    """Return the outputs and the mean loss, () on the device, with the gradients in place."""
    outputs = forward(training, inputs)
    loss = functional.cross_entropy(outputs, labels)
    training.optimizer.zero_grad(set_to_none=True)
    loss.backward()  # type: ignore[no-untyped-call] # torch leaves it unannotated
    join(training.device)
    return outputs, loss


def _again(
    training: Training, inputs: Tensor, labels: Tensor, first: Tensor
) -> Callable[[], float]:
    """Return a function that returns `first`, and from its second call on computes loss and gradients again."""
    known = [first.detach()]

    def closure() -> float:
        loss = known.pop() if known else _differentiate(training, inputs, labels)[1]
        return float(loss.item())

    return closure


def _count(training: Training, images: int) -> None:
    """Do what a step leaves to the CPU."""
    advance(training.schedule)
    training.step += 1
    training.window.images += images
    training.window.timed_images += images


class Stepper:
    """Takes the steps of one run, on the device's current stream, which must be the same every time."""

    def __init__(self, training: Training) -> None:
        self._training = training
        self._eager = 0
        """Steps taken one kernel at a time."""
        self._rates: _LrOnDevice | None = None
        self._captured: _CapturedStep | None = None

    def step(self, batch: tuple[Tensor, Tensor] | None = None) -> None:
        """Take a step as `take_step` does."""
        training = self._training
        if training.device.type == "cpu" or not _can_be_captured(training):
            take_step(training, batch)
            return
        inputs, labels = batch or next_batch(training)
        self._rates = self._rates or _LrOnDevice(training)
        if self._captured is None and self._eager == EAGER_STEPS and _on_own_stream():
            self._capture(inputs, labels)
        training.lr = training.optimizer.param_groups[0]["lr"]
        if self._captured is not None and self._captured.fits(labels):
            self._captured.replay(inputs, labels)
        else:  # the first steps, and an epoch's smaller last batch
            with self._rates:
                learn(training, inputs, labels)
            self._eager += 1
        _count(training, len(labels))

    def _capture(self, inputs: Tensor, labels: Tensor) -> None:
        """Try to capture once; a step that cannot be captured runs kernel by kernel, with the same results."""
        assert self._rates is not None, "made by the first step"  # noqa: S101
        try:
            self._captured = _CapturedStep(self._training, self._rates, inputs, labels)
        except RuntimeError as error:
            self._eager += 1
            reason = str(error).partition("\n")[0]
            print(f"no CUDA graph ({reason}); going on without", file=sys.stderr, flush=True)


def _on_own_stream() -> bool:
    """Whether the current stream is one that can be captured: any but the default one."""
    return bool(torch.cuda.current_stream() != torch.cuda.default_stream())


class _LrOnDevice:
    """While entered, the optimizer reads its LRs from the device, as a graph must; the schedule keeps numbers."""

    def __init__(self, training: Training) -> None:
        self._groups = training.optimizer.param_groups
        self._tensors = [torch.zeros((), device=training.device) for _ in self._groups]
        self._numbers: list[float] = []

    def __enter__(self) -> None:
        self._numbers = [group["lr"] for group in self._groups]
        for group, tensor in zip(self._groups, self._tensors, strict=True):
            group["lr"] = tensor.fill_(group["lr"])

    def __exit__(self, *exception: object) -> None:
        for group, number in zip(self._groups, self._numbers, strict=True):
            group["lr"] = number


class _CapturedStep:
    """A run's whole step on the device as one CUDA graph, for batches of one size."""

    def __init__(
        self, training: Training, rates: _LrOnDevice, inputs: Tensor, labels: Tensor
    ) -> None:
        self._training, self._rates = training, rates
        self._inputs, self._labels = inputs.clone(), labels.clone()
        self._graph = torch.cuda.CUDAGraph()
        with (
            rates,
            torch.cuda.graph(self._graph, stream=torch.cuda.current_stream()),
        ):
            learn(training, self._inputs, self._labels)
        self._gradients = [weight.grad for weight in training.model.parameters()]

    def fits(self, labels: Tensor) -> bool:
        """Whether the batch has as many images as the graph was captured with."""
        return len(labels) == len(self._labels)

    def replay(self, inputs: Tensor, labels: Tensor) -> None:
        """Do the step's work on this batch."""
        self._inputs.copy_(inputs)
        self._labels.copy_(labels)
        with self._rates:
            self._graph.replay()
        parameters = self._training.model.parameters()
        for weight, gradient in zip(parameters, self._gradients, strict=True):
            weight.grad = gradient  # an eager step has put others in their place


def _can_be_captured(training: Training) -> bool:
    """Whether the step is the same kernels every time: no loss asked for again, no dice, an optimizer that admits it."""
    name = training.options.optimizer.name
    if OPTIMIZERS[name].closure or is_custom(training.options.model.name):
        return False
    if any(isinstance(each, _DropoutNd) and each.p > 0 for each in training.model.modules()):
        return False
    groups = training.optimizer.param_groups
    return name == "sgd" or all("capturable" in group for group in groups)
