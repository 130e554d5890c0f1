"""Maps an exception that ends a training to a message and an exit code, for `__main__` and `multiplex.server`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from lrtui.train.checkpoint import CheckpointError
from lrtui.train.options import UsageError

if TYPE_CHECKING:
    from lrtui.train.options import Options

_NO_MEMORY = ("out of memory", "ALLOC_FAILED", "can't allocate memory", "std::bad_alloc")
"""torch's messages of a failed allocation: on a GPU, in cuBLAS or cuDNN, on a CPU."""


@dataclass(frozen=True, slots=True)
class Fault:
    """A failure that is not a bug of lrtui."""

    code: int
    text: str


def explained(error: Exception, options: Options) -> Fault | None:
    """Return the message and the exit code; None for a bug, whose traceback should be printed."""
    if isinstance(error, UsageError):
        return Fault(2, str(error))
    if isinstance(error, CheckpointError):
        return Fault(1, str(error))
    if isinstance(error, MemoryError) or (
        isinstance(error, RuntimeError) and any(said in str(error) for said in _NO_MEMORY)
    ):
        reason = str(error).partition("\n")[0]
        text = (
            f"{options.model} with batches of {options.batch_size:,} does not fit into memory "
            f"({reason}); lower batch_size, or choose a smaller model"
        )
        return Fault(5, text)
    return None
