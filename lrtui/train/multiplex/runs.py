"""Several runs in one process, in turns, each bit-equal to a run in its own process.

    CPU    one after the other
    CUDA   each on its own stream, so that small kernels of several runs share the GPU

Every run keeps its own weights, optimizer, schedule, window and generators. Shared are only read-only data: the
arrays, and the batch if two runs are about to use the same one. So no run can change another, and a run that leaves or
joins does not affect the others. `server.py` lets the runs of a sweep take turns so.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

import torch
from torch import Tensor

from lrtui.train.optimizers import OPTIMIZERS
from lrtui.train.run_state import Training, set_up
from lrtui.train.step import next_batch

if TYPE_CHECKING:
    from collections.abc import Callable

    from lrtui.train.options import Options

T = TypeVar("T")


class MultiplexedRuns:
    """The data that runs in one process share: the arrays, and the latest batch of each kind."""

    def __init__(self) -> None:
        self._arrays: dict[object, Any] = {}
        self._batches: dict[object, tuple[int, tuple[Tensor, Tensor]]] = {}

    def set_up(self, options: Options) -> Member:
        """Return a new run.

        Raises:
            UsageError: as `training.set_up`.

        """
        plain = OPTIMIZERS[options.optimizer.name].plain
        key = (options.prepared, options.data, options.augment, options.model.name, plain)
        others = _Generators()
        training = set_up(options, self._arrays.get(key))
        self._arrays[key] = training.data
        member = Member(training)
        others.restore()
        return member

    def batch(self, training: Training) -> tuple[Tensor, Tensor]:
        """Return the next batch of a run; if it is the same batch, the same tensors that the previous run received."""
        options = training.options
        key = (id(training.data), options.seed, options.batch_size)
        step, batch = self._batches.get(key, (-1, None))
        if batch is None or step != training.step:
            batch = next_batch(training)
            self._batches[key] = (training.step, batch)
        return batch


class Member:
    """One run among others; all its work is done in its `turn`."""

    def __init__(self, training: Training) -> None:
        self.training = training
        self.stream: Any = None
        """Its own stream, on CUDA."""
        self._generators = _Generators()
        if training.device.type == "cuda":
            self.stream = torch.cuda.Stream(training.device)  # type: ignore[no-untyped-call]

    def turn(self, work: Callable[[], T], batch: tuple[Tensor, Tensor] | None = None) -> T:
        """Return the result of `work`, run with this run's generators and on its stream, where it may read `batch`."""
        others = _Generators()
        self._generators.restore()
        try:
            if self.stream is None:
                return work()
            for tensor in batch or ():
                tensor.record_stream(self.stream)  # its memory is not given to another before
            self.stream.wait_stream(torch.cuda.current_stream(self.training.device))
            with torch.cuda.stream(self.stream):
                return work()
        finally:
            self._generators = _Generators()
            others.restore()


class _Generators:
    """The states of torch's generators, which all runs of a process would share. On CUDA they are one or two numbers on the CPU."""

    def __init__(self) -> None:
        self._cpu = torch.get_rng_state()
        self._cuda = torch.cuda.get_rng_state() if torch.cuda.is_initialized() else None  # type: ignore[no-untyped-call]

    def restore(self) -> None:
        torch.set_rng_state(self._cpu)
        if self._cuda is not None:
            torch.cuda.set_rng_state(self._cuda)
