"""Builds an optimizer from a choice, with the operations that the loop needs besides stepping.

Where torch has a fused implementation it is used: one kernel for all parameters, 10 ms instead of 30 ms a step for
the 5.2 million parameters of cnn7 on one core. It differs from torch's default in the last bits.
"""

from __future__ import annotations

import contextlib
import inspect
from typing import TYPE_CHECKING, Any

import torch

from lrtui.train.optimizers import OPTIMIZERS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from torch import Tensor, nn
    from torch.optim import Optimizer

    from lrtui.train.options import Choice

_OF_THE_DEVICE = ("fused", "foreach", "capturable")
"""Keys of a parameter group that affect only how steps are computed, not their result."""


def build_optimizer(choice: Choice, model: nn.Module, lr: float) -> Optimizer:
    """Return the optimizer of a model's parameters, ready to train.

    Raises:
        ValueError: why it cannot be had: its package or torch's version, an option, or this model.

    """
    entry = OPTIMIZERS[choice.name]
    if missing := entry.missing():
        raise ValueError(f"it needs {missing.names}: {missing.how}")
    try:
        kind = entry.load()
        known = _arguments(kind, choice, on_gpu=next(model.parameters()).is_cuda)
        optimizer: Optimizer = kind(model.parameters(), lr=lr, **known)
    except (ValueError, TypeError, IndexError, RuntimeError) as error:
        raise ValueError(str(error).splitlines()[0]) from error
    except (ImportError, AttributeError) as error:
        raise ValueError(f"torch {torch.__version__} does not have it ({error})") from error
    # capturable without a graph is meant: the first steps, and those of a batch of another size
    optimizer._warned_capturable_if_run_uncaptured = True  # noqa: SLF001
    optimizer.register_load_state_dict_pre_hook(_keep_way)
    if _is_averaging(optimizer):
        optimizer.train()  # type: ignore[attr-defined] # schedulefree's
    return optimizer


@contextlib.contextmanager
def resting(optimizer: Optimizer) -> Iterator[None]:
    """Within the block the weights are those to evaluate; after it the trained ones, bit by bit.

    A schedule-free optimizer trains one set of weights and evaluates their average. Its own way back, `train()`, rounds, so that a
    run that was evaluated more often would differ; copying the weights avoids that.
    """
    if not _is_averaging(optimizer):
        yield
        return
    weights = _weights(optimizer)
    kept = [weight.detach().clone() for weight in weights]
    optimizer.eval()  # type: ignore[attr-defined] # schedulefree's
    try:
        yield
    finally:
        optimizer.train()  # type: ignore[attr-defined] # schedulefree's
        _put(weights, kept)


def trained_weights(optimizer: Optimizer) -> list[Tensor]:
    """Return what a checkpoint needs beside the weights that are handed out; [] if they are those that are trained."""
    if not _is_averaging(optimizer):
        return []
    return [weight.detach().clone() for weight in _weights(optimizer)]


def restore_weights(optimizer: Optimizer, kept: list[Tensor]) -> None:
    """Put back what `trained_weights` returned."""
    if kept:
        _put(_weights(optimizer), kept)


def _keep_way(optimizer: Optimizer, state: dict[str, Any]) -> None:
    """Keep a state that is about to be restored, perhaps from another device, from changing how steps are computed on this one."""
    for group, saved in zip(optimizer.param_groups, state["param_groups"], strict=True):
        saved.update({name: group[name] for name in _OF_THE_DEVICE if name in group})


def _weights(optimizer: Optimizer) -> list[Tensor]:
    return [weight for group in optimizer.param_groups for weight in group["params"]]


def _put(weights: list[Tensor], kept: list[Tensor]) -> None:
    with torch.no_grad():
        for weight, value in zip(weights, kept, strict=True):
            weight.copy_(value)


def _is_averaging(optimizer: Optimizer) -> bool:
    """Whether the trained weights differ from the evaluated ones: the optimizer has schedulefree's switch."""
    return hasattr(optimizer, "eval") and hasattr(optimizer, "train")


def _arguments(kind: Any, choice: Choice, *, on_gpu: bool) -> dict[str, Any]:
    """Return the keyword arguments: lists as the tuples of floats that torch wants, `fused` and `capturable` where they help."""
    known = {
        name: tuple(map(float, value)) if isinstance(value, list) else value
        for name, value in choice.options.items()
    }
    parameters = inspect.signature(kind).parameters
    if "fused" in parameters and not (choice.name == "adagrad" and on_gpu):
        known["fused"] = True  # torch has no fused Adagrad on the GPU
    if "capturable" in parameters and on_gpu:
        known["capturable"] = True  # as a CUDA graph needs it
    return known
