"""Several learning rates of one setting in one process, step by step in turns, each bit-equal to a run of its own.

    CPU    one after the other on the same batch
    CUDA   each on a stream of its own, so that small kernels of several runs share the GPU; and the device's whole step
           (forward, loss, backward, optimizer, window) as one CUDA graph, where `_can_be_captured` says so

Every run keeps its own weights, optimizer, schedule, window and generator; only data and batch are shared, which do not
depend on the LR. So none can change another, and one that is dropped leaves the others as they are. What is measured is
copied from the device without waiting (`note`, `ready`).

Nothing of the CUDA half has been run yet: no GPU was at hand. `verify.py` compares it with lone runs where there is one.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from lrtui.train.loop import learn, next_batch, take_step
from lrtui.train.models import is_own
from lrtui.train.optimizers import OPTIMIZERS
from lrtui.train.schedules.warmup import advance
from lrtui.train.training import Training, set_up

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lrtui.train.options import Options

EAGER_STEPS = 3
"""Taken before a graph is captured: libraries choose their workspaces, the optimizer makes its state."""


@dataclass(frozen=True, slots=True)
class Reading:
    """What one run's window held when it was noted."""

    number: int
    """The run's place among those that `Together` was given."""
    step: int
    train_loss: float
    """Mean over the window's images."""
    train_acc: float


class Together:
    """Runs that differ in nothing but the LR; `alive` are those that go on, by their place."""

    def __init__(self, runs: Sequence[Options]) -> None:
        """Set the runs up at their beginning.

        Raises:
            UsageError: as `training.set_up`.
            ValueError: they differ in more than the LR and where they keep their checkpoints.

        """
        if len(set(map(setting_of, runs))) != 1:
            raise ValueError("runs that train together differ in their learning rates alone")
        self.alive: dict[int, _Member] = {}
        shared = None
        for number, options in enumerate(runs):
            training = set_up(options, shared)
            shared = training.data
            self.alive[number] = _Member(training)
        self._device = training.device
        self._noted: list[_Noted] = []

    def step(self) -> None:
        """Take one step of every run; on CUDA without waiting for it."""
        if not self.alive:
            return
        batch = next_batch(next(iter(self.alive.values())).training)
        for member in self.alive.values():
            member.step(*batch)
        for member in self.alive.values():
            member.join()  # before the next batch may take this one's memory

    def drop(self, number: int) -> None:
        """Let one run go, its memory with it; the others go on as if it had never been."""
        del self.alive[number]

    def note(self) -> None:
        """Have every window's sums copied to the CPU and begun anew; `ready` returns them once they are there."""
        for number, member in self.alive.items():
            window = member.training.window
            sums = torch.stack((window.loss, window.correct.double())) / max(window.images, 1)
            self._noted.append(_Noted(number, member.training.step, sums))
            window.clear()

    def ready(self, *, wait: bool = False) -> list[Reading]:
        """Return the readings that have arrived, oldest first; all of them with `wait`."""
        if wait and self._device.type == "cuda":
            torch.cuda.synchronize(self._device)
        found = []
        while self._noted and self._noted[0].arrived():
            found.append(self._noted.pop(0).reading())
        return found


@dataclass(slots=True)
class _Member:
    """One run, and on CUDA its stream and graph."""

    training: Training
    generator: Tensor = field(default_factory=torch.get_rng_state)
    """The state of the CPU's, which all runs of the process would share."""
    stream: Any = None
    eager: int = 0
    """Steps taken one kernel at a time."""
    rates: _LrOnDevice | None = None
    captured: _Captured | None = None

    def step(self, inputs: Tensor, labels: Tensor) -> None:
        """Take a step on this batch."""
        if self.training.device.type == "cpu":
            torch.set_rng_state(self.generator)
            take_step(self.training, (inputs, labels))
            self.generator = torch.get_rng_state()
            return
        self.stream = self.stream or torch.cuda.Stream(self.training.device)  # type: ignore[no-untyped-call]
        self.stream.wait_stream(torch.cuda.current_stream(self.training.device))
        with torch.cuda.stream(self.stream):
            self._on_device(inputs, labels)

    def join(self) -> None:
        """Let what is issued from now on wait for this run's step."""
        if self.stream is not None:
            torch.cuda.current_stream(self.training.device).wait_stream(self.stream)

    def _on_device(self, inputs: Tensor, labels: Tensor) -> None:
        training = self.training
        if not _can_be_captured(training):
            take_step(training, (inputs, labels))
            return
        self.rates = self.rates or _LrOnDevice(training)
        if self.captured is None and self.eager >= EAGER_STEPS:
            self.captured = _Captured(training, self.rates, inputs, labels)
        training.lr = training.optimizer.param_groups[0]["lr"]
        if self.captured is not None and self.captured.fits(labels):
            self.captured.replay(inputs, labels)
        else:  # the first steps, and an epoch's smaller last batch
            with self.rates:
                learn(training, inputs, labels)
            self.eager += 1
        advance(training.schedule)
        training.step += 1
        training.window.images += len(labels)
        training.window.timed_images += len(labels)


class _LrOnDevice:
    """While entered, the optimizer reads its LRs from the device, as a graph must; the schedule keeps numbers."""

    def __init__(self, training: Training) -> None:
        self._groups = training.optimizer.param_groups
        self._tensors = [torch.zeros((), device=training.device) for _ in self._groups]
        self._numbers: list[float] = []
        for group in self._groups:
            if "capturable" in group:
                group["capturable"] = True

    def __enter__(self) -> None:
        self._numbers = [group["lr"] for group in self._groups]
        for group, tensor in zip(self._groups, self._tensors, strict=True):
            group["lr"] = tensor.fill_(group["lr"])

    def __exit__(self, *exception: object) -> None:
        for group, number in zip(self._groups, self._numbers, strict=True):
            group["lr"] = number


class _Captured:
    """A run's whole step on the device as one CUDA graph, for batches of one size."""

    def __init__(
        self, training: Training, rates: _LrOnDevice, inputs: Tensor, labels: Tensor
    ) -> None:
        self._training, self._rates = training, rates
        self._inputs, self._labels = inputs.clone(), labels.clone()
        self._graph = torch.cuda.CUDAGraph()
        with (
            _LrOnDevice(training),
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
    if OPTIMIZERS[name].closure or is_own(training.options.model.name):
        return False
    if any("Dropout" in type(each).__name__ for each in training.model.modules()):
        return False
    groups = training.optimizer.param_groups
    return name == "sgd" or all("capturable" in group for group in groups)


class _Noted:
    """Sums of a window on their way to the CPU."""

    def __init__(self, number: int, step: int, sums: Tensor) -> None:
        self._number, self._step = number, step
        self._event: Any = None
        self._sums = sums
        if sums.is_cuda:
            self._sums = torch.empty(2, dtype=sums.dtype, pin_memory=True)
            self._sums.copy_(sums, non_blocking=True)
            self._event = torch.cuda.Event()  # type: ignore[no-untyped-call]
            self._event.record()

    def arrived(self) -> bool:
        return self._event is None or bool(self._event.query())

    def reading(self) -> Reading:
        loss, correct = self._sums.tolist()
        return Reading(self._number, self._step, loss, correct)


def setting_of(options: Options) -> str:
    """Return all that runs must share to train together, as text."""
    return repr(replace(options, lr=1.0, checkpoint=None))
