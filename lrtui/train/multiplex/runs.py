"""Several runs in one process, in turns, each bit-equal to a run of its own.

    CPU    one after the other
    CUDA   each on a stream of its own, so that small kernels of several runs share the GPU

Every run keeps its own weights, optimizer, schedule, window and generators. What is shared does not depend on who uses it: the
arrays, and the batch where two runs are about to learn from the same one. So none can change another, and one that goes or
comes leaves the others as they are. `server.py` lets the runs of a sweep take turns so.
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
    """What runs in one process share: the arrays, and the latest batch of each kind."""

    def __init__(self) -> None:
        self._arrays: dict[object, Any] = {}
        self._batches: dict[object, tuple[int, tuple[Tensor, Tensor]]] = {}

    def set_up(self, options: Options) -> Member:
        """Return a run at its beginning.

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
        """Return the next batch of a run, the very tensors that the last run of its kind got, where it is the same batch."""
        options = training.options
        key = (id(training.data), options.seed, options.batch_size)
        step, batch = self._batches.get(key, (-1, None))
        if batch is None or step != training.step:
            batch = next_batch(training)
            self._batches[key] = (training.step, batch)
        return batch


class Member:
    """One run among others: whatever it does, it does in its `turn`."""

    def __init__(self, training: Training) -> None:
        self.training = training
        self.stream: Any = None
        """Of its own, on CUDA."""
        self._generators = _Generators()
        if training.device.type == "cuda":
            self.stream = torch.cuda.Stream(training.device)  # type: ignore[no-untyped-call]

    def turn(self, work: Callable[[], T], batch: tuple[Tensor, Tensor] | None = None) -> T:
        """Return what `work` returns, done with this run's generators and on its stream, on which it may read `batch`."""
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
    """The states of torch's generators, which all runs of a process would share. On CUDA it is a number or two on the CPU."""

    def __init__(self) -> None:
        self._cpu = torch.get_rng_state()
        self._cuda = torch.cuda.get_rng_state() if torch.cuda.is_initialized() else None  # type: ignore[no-untyped-call]

    def restore(self) -> None:
        torch.set_rng_state(self._cpu)
        if self._cuda is not None:
            torch.cuda.set_rng_state(self._cuda)
