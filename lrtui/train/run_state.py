"""One run: built from the options, saved and resumed. `loop.py` drives it.

What a checkpoint holds: weights, optimizer, schedule, place (step; the order of the data follows from seed and
epoch), the open window's sums, generator states, the settings that must agree, and what it was made with (thread count, versions).
"""

from __future__ import annotations

import os
import platform
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from lrtui.train import checkpoint, data, prepared_arrays
from lrtui.train.cpu.convolution import quicken
from lrtui.train.cuda.overlapped_backward import branch
from lrtui.train.models import entry_of, is_custom
from lrtui.train.models.custom import IMAGES, build, try_out
from lrtui.train.optimizers import OPTIMIZERS
from lrtui.train.optimizers.build import (
    build_optimizer,
    resting,
    restore_weights,
    trained_weights,
)
from lrtui.train.options import Options, UsageError
from lrtui.train.schedules import SCHEDULES
from lrtui.train.schedules.warmup import build_schedule

if TYPE_CHECKING:
    from lrtui.train.data import EpochOrder


@dataclass(slots=True)
class Window:
    """Sums over the training steps since the last metric line."""

    loss: Tensor
    """() float64 on the device: sum over images."""
    correct: Tensor
    """() int64 on the device."""
    images: int = 0
    timed_images: int = 0
    """Only those of this process."""
    since: float = field(default_factory=time.monotonic)
    away: float = 0.0
    """Seconds since `since` that were spent on other things than training."""

    def clear(self) -> None:
        """Reset the window."""
        self.loss.zero_()
        self.correct.zero_()
        self.images = self.timed_images = 0
        self.since, self.away = time.monotonic(), 0.0

    def images_per_second(self) -> float:
        """Return the speed of training in this window."""
        seconds = time.monotonic() - self.since - self.away
        return self.timed_images / max(seconds, 1e-9)


@dataclass(slots=True)
class Training:
    """One run: its parts and its position."""

    options: Options
    device: torch.device
    data: data.Data
    model: nn.Module
    optimizer: torch.optim.Optimizer
    schedule: torch.optim.lr_scheduler.LRScheduler
    epoch_steps: int
    total: int
    """The horizon in steps."""
    until: int
    """Where this process stops, in steps."""
    window: Window
    lr: float
    """The rate of the last step taken."""
    grad_norm: float | None = None
    """At the last step that ended a window."""
    step: int = 0
    """Optimizer steps done."""
    evaluated: int = 0
    """The step of the last evaluation whose line was written."""
    saved: tuple[int, int] = (0, 0)
    """(step, evaluated) of the last checkpoint."""
    saved_at: float = field(default_factory=time.monotonic)
    order: tuple[int, EpochOrder] | None = None
    """An epoch and its order."""


def set_up(options: Options, arrays: data.Data | None = None) -> Training:
    """Return the run at its beginning; `arrays` are those of another run of the same data, model and batch size.

    Raises:
        UsageError: the prepared folder, the model and the options do not go together.

    """
    device = chosen_device()
    arrays = arrays or _load(options, device)
    _require_batch(options, arrays)
    torch.manual_seed(options.seed)
    model = _model(options, arrays).to(device).to(memory_format=arrays.layout)
    if device.type == "cpu":
        quicken(model)
    elif not is_custom(options.model.name):
        branch(model)
    if is_custom(options.model.name):
        few = arrays.inputs(arrays.train.images[:IMAGES]), arrays.train.labels[:IMAGES]
        try_out(options.model, options.beside, model, few, arrays.about.classes)
    optimizer = _optimizer(options, model)
    epoch_steps = data.steps_per_epoch(arrays, options.batch_size)
    total = _steps(options, options.horizon, epoch_steps)
    zero = torch.zeros((), dtype=torch.float64, device=device)
    return Training(
        options=options,
        device=device,
        data=arrays,
        model=model,
        optimizer=optimizer,
        schedule=_schedule(options, optimizer, total),
        epoch_steps=epoch_steps,
        total=total,
        until=_steps(options, options.until, epoch_steps),
        window=Window(zero, zero.long()),
        lr=options.lr,
    )


def resume(training: Training) -> str:
    """Resume from the checkpoint, if there is one; return a note for the log, "" if there is none.

    Raises:
        UsageError: it belongs to other settings.
        checkpoint.CheckpointError: all that there is, is damaged.

    """
    path = training.options.checkpoint
    if path is None:
        return ""
    try:
        found = checkpoint.load(path, _settings(training))
    except checkpoint.OtherSettingsError as error:
        raise UsageError(str(error)) from None
    if found is None:
        return ""
    state, note = found
    try:
        _restore(training, state)
    except (RuntimeError, ValueError, KeyError, TypeError, AttributeError) as error:
        reason = " ".join(str(error).split())[:300]
        raise UsageError(
            f"{path} does not fit the model and the optimizer as they are now ({type(error).__name__}: {reason}); "
            "was the model changed? Restart the run from scratch, or put the code back"
        ) from None
    notes = [f"resumed at step {training.step}", *([note] if note else [])]
    threads = state["made_with"]["threads"]
    if training.device.type == "cpu" and threads != torch.get_num_threads():
        notes.append(
            f"made with {threads} threads: the last digits will differ from an uninterrupted run's"
        )
    return "; ".join(notes)


def save(training: Training) -> None:
    """Write a checkpoint, unless the last one says the same.

    Raises:
        OSError: it cannot be written.

    """
    path, place = training.options.checkpoint, (training.step, training.evaluated)
    if path is None or place == training.saved:
        return
    began = time.monotonic()
    checkpoint.save(path, _state(training))
    training.saved, training.saved_at = place, time.monotonic()
    training.window.away += training.saved_at - began


def _state(training: Training) -> dict[str, Any]:
    window = training.window
    epoch, index = divmod(training.step, training.epoch_steps)
    cuda = torch.cuda.get_rng_state_all() if training.device.type == "cuda" else []
    kept = trained_weights(training.optimizer)
    with resting(training.optimizer):
        weights = training.model.state_dict()
        if kept:
            weights = {name: value.clone() for name, value in weights.items()}
    return {
        "settings": _settings(training),
        "model": weights,
        "trained weights": kept,
        "optimizer": training.optimizer.state_dict(),
        "schedule": training.schedule.state_dict(),
        "place": {
            "step": training.step,
            "seed": training.options.seed,
            "epoch": epoch,
            "index": index,
            "evaluated": training.evaluated,
            "lr": training.lr,
            "grad_norm": training.grad_norm,
        },
        "window": {"loss": window.loss, "correct": window.correct, "images": window.images},
        "generators": {"cpu": torch.get_rng_state(), "cuda": cuda},
        "made_with": {
            "threads": torch.get_num_threads(),
            "device": training.device.type,
            "torch": str(torch.__version__),
            "python": platform.python_version(),
        },
    }


def _restore(training: Training, state: dict[str, Any]) -> None:
    training.model.load_state_dict(state["model"])
    training.optimizer.load_state_dict(state["optimizer"])
    restore_weights(training.optimizer, state.get("trained weights", []))
    training.schedule.load_state_dict(state["schedule"])
    place, window = state["place"], state["window"]
    training.step, training.evaluated = place["step"], place["evaluated"]
    training.lr, training.grad_norm = place["lr"], place["grad_norm"]
    training.saved = (training.step, training.evaluated)
    training.window.loss.copy_(window["loss"])
    training.window.correct.copy_(window["correct"])
    training.window.images = window["images"]
    torch.set_rng_state(state["generators"]["cpu"])
    if training.device.type == "cuda" and state["generators"]["cuda"]:
        torch.cuda.set_rng_state_all(state["generators"]["cuda"])


def _settings(training: Training) -> dict[str, Any]:
    """Return the settings that must be equal in a checkpoint and the run that resumes from it."""
    options = training.options
    return {
        "data checksum": training.data.about.checksum,
        "data": options.data,
        "model": str(options.model),
        "optimizer": str(options.optimizer),
        "schedule": str(options.schedule),
        "lr": options.lr,
        "batch size": options.batch_size,
        "horizon": f"{options.horizon:g} {options.unit}",
        "seed": options.seed,
        "dtype": options.precision,
        "augment": options.augment,
    }


def chosen_device() -> torch.device:
    """Return this process's GPU, if any: without CUDA_VISIBLE_DEVICES none is touched."""
    given = os.environ.get("CUDA_VISIBLE_DEVICES", "")
    return torch.device("cuda" if given and torch.cuda.is_available() else "cpu")


def _load(options: Options, device: torch.device) -> data.Data:
    size = entry_of(options.model.name).size
    layout = _layout(options)
    try:
        return data.load(
            options.prepared,
            size,
            share=options.data,
            augment=options.augment,
            device=device,
            layout=layout,
        )
    except (prepared_arrays.DamagedError, ValueError) as error:
        raise UsageError(
            f"--prepared: {error}; run lrtui.train.prepare (--force writes it again)"
        ) from None


def _require_batch(options: Options, arrays: data.Data) -> None:
    """Refuse a batch larger than the training set: it would silently be smaller."""
    count = len(arrays.members)
    if options.batch_size > count:
        share = "" if options.data == 1 else f" with --data {options.data:g}"
        raise UsageError(
            f"a batch of {options.batch_size:,} is more than the {count:,} training images of "
            f"{arrays.about.dataset}{share}; lower batch_size"
        )


def _layout(options: Options) -> torch.memory_format:
    """Return channels_last, the faster memory layout on CPU and GPU, or the plain one where the optimizer takes no other."""
    plain = OPTIMIZERS[options.optimizer.name].plain
    return torch.contiguous_format if plain else torch.channels_last


def _model(options: Options, arrays: data.Data) -> nn.Module:
    about, choice = arrays.about, options.model
    shape = (about.channels, arrays.fit.size, about.classes)
    if is_custom(choice.name):
        return build(choice, options.beside, shape)
    try:
        model: nn.Module = entry_of(choice.name).load()(*shape, **choice.options)
    except ValueError as error:
        raise UsageError(f"model {choice}: {error}") from None
    return model


def _optimizer(options: Options, model: nn.Module) -> torch.optim.Optimizer:
    try:
        return build_optimizer(options.optimizer, model, options.lr)
    except ValueError as error:
        raise UsageError(f"optimizer {options.optimizer}: {error}") from None


def _schedule(
    options: Options, optimizer: torch.optim.Optimizer, total: int
) -> torch.optim.lr_scheduler.LRScheduler:
    choice = options.schedule
    try:
        return build_schedule(SCHEDULES[choice.name], optimizer, total, choice.options)
    except ValueError as error:
        raise UsageError(f"schedule {choice}: {error}") from None


def _steps(options: Options, length: float, epoch_steps: int) -> int:
    """Return a length in the horizon's unit as whole steps, at least one."""
    return max(1, round(length * (epoch_steps if options.unit == "epochs" else 1)))
