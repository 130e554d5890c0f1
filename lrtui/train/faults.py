"""What an exception that ends a training means to its user: a text and an exit code; asked by `__main__` and `host`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from lrtui.train.checkpoint import CheckpointError
from lrtui.train.options import UsageError

if TYPE_CHECKING:
    from lrtui.train.options import Options

_NO_MEMORY = ("out of memory", "ALLOC_FAILED", "can't allocate memory", "std::bad_alloc")
"""What torch says where an allocation fails: on a GPU, in cuBLAS or cuDNN there, on a CPU."""


@dataclass(frozen=True, slots=True)
class Fault:
    """An end that is no bug of ours."""

    code: int
    text: str


def explained(error: Exception, options: Options) -> Fault | None:
    """Return what to say of it, and the exit code; None where it is a bug, whose traceback is wanted."""
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
