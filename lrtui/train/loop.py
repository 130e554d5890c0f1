"""The training: steps, metric lines, evaluations, checkpoints; called by `__main__`.

    until the end is reached:
        one step
        a metric line where a window ends
        at the end of an epoch (and at --until): evaluate, a metric line, a checkpoint
        on SIGTERM: a checkpoint, and out

Every value in a metric line, but `time` and `images_per_second`, is a function of the options and the data alone:
where lines and evaluations fall depends on counts of steps, never on a clock, and what a window has summed up is
kept in the checkpoint. So a run that was stopped anywhere goes on as if nothing had been.

A loss that is no longer finite is data like any other. What to do about it is for whoever watches.
"""

from __future__ import annotations

import os
import sys
import time
from typing import TYPE_CHECKING

import torch
from torch import Tensor
from torch.nn import functional

from lrtui.emit import emit
from lrtui.train import data
from lrtui.train.checkpoint import CheckpointError
from lrtui.train.models import entry_of
from lrtui.train.optimizers import OPTIMIZERS
from lrtui.train.optimizers.build import resting
from lrtui.train.quick import skip_compiler
from lrtui.train.schedules.warmup import advance, observe
from lrtui.train.stop import Stop
from lrtui.train.training import Training, resume, save, set_up

if TYPE_CHECKING:
    from collections.abc import Callable

    from lrtui.train.options import Options

EVALUATION_BATCH = 250
"""Small enough that SIGTERM is heard within half a second while cnn7 is evaluated on one core."""
LONGEST_LOSS_SECONDS = 120.0
"""A crash loses at most about this much work, also where an epoch takes longer."""
SHORTEST_CHECKPOINT_SECONDS = 1.0
"""Epochs of milliseconds do not each wait for the disk."""


def train(options: Options) -> int:
    """Train to `options.until`; return the exit code: 0, or 130 after Ctrl-C.

    Raises:
        UsageError: the prepared folder, the model or the options do not go together; a checkpoint of other settings.
        CheckpointError: damaged checkpoints; or the last one could not be written.

    """
    settle(options)
    training = set_up(options)
    introduce(training, resume(training))
    training.window.since = time.monotonic()
    with Stop() as stop:
        reached = _run(training, stop)
        try:
            save(training)
        except OSError as error:
            raise CheckpointError(f"the checkpoint could not be written ({error})") from error
    print("done" if reached else f"stopped at step {training.step}", flush=True)
    return 0 if reached else stop.exit_code


def settle(options: Options) -> None:
    """Set what holds for the whole process."""
    skip_compiler()
    torch.set_num_threads(options.threads or len(os.sched_getaffinity(0)))
    # Adam's moments of a dead network sink to denormals: 108 ms a step for 5 million, flushed 3 ms
    torch.set_flush_denormal(True)


def _run(training: Training, stop: Stop) -> bool:
    """Go on until the end; False where a signal came first."""
    every = _line_steps(training)
    while True:
        if _evaluation_due(training) and not _evaluate_and_emit(training, stop, every):
            return False
        _save_if_due(training)
        if training.step >= training.until:
            return True
        if stop.asked:
            return False
        take_step(training)
        if _line_due(training, every):
            training.grad_norm = _grad_norm(training)
            if not _evaluation_due(training):
                _emit(training, _trained(training))


def take_step(training: Training, batch: tuple[Tensor, Tensor] | None = None) -> Tensor:
    """Take one optimizer step on the next batch, and add it to the window; return the batch's mean loss, () on the device.

    `batch` is what `next_batch` returns, for who has it already.
    """
    training.lr = training.optimizer.param_groups[0]["lr"]
    inputs, labels = batch or next_batch(training)
    loss = learn(training, inputs, labels)
    advance(training.schedule)
    training.step += 1
    training.window.images += len(labels)
    training.window.timed_images += len(labels)
    return loss


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


def _differentiate(training: Training, inputs: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
    """Return the outputs and the mean loss, () on the device, with the gradients in place."""
    outputs = _forward(training, inputs)
    loss = functional.cross_entropy(outputs, labels)
    training.optimizer.zero_grad(set_to_none=True)
    loss.backward()  # type: ignore[no-untyped-call] # torch leaves it unannotated
    return outputs, loss


def _again(
    training: Training, inputs: Tensor, labels: Tensor, first: Tensor
) -> Callable[[], float]:
    """Return a function that returns `first`, and from its second call on computes loss and gradients anew."""
    known = [first.detach()]

    def closure() -> float:
        loss = known.pop() if known else _differentiate(training, inputs, labels)[1]
        return float(loss.item())

    return closure


def next_batch(training: Training) -> tuple[Tensor, Tensor]:
    """Return inputs and labels of the step that follows; a function of the options and the step alone."""
    epoch, index = divmod(training.step, training.epoch_steps)
    options = training.options
    if training.order is None or training.order[0] != epoch:
        order = data.draw_order(training.data, options.seed, epoch, augment=options.augment)
        training.order = (epoch, order)
    return training.data.take(training.order[1], index * options.batch_size, options.batch_size)


def _forward(training: Training, inputs: Tensor) -> Tensor:
    """Return float32 logits, computed in the run's precision."""
    enabled = training.options.precision == "bf16"
    with torch.autocast(training.device.type, torch.bfloat16, enabled=enabled):
        outputs: Tensor = training.model(inputs)
    return outputs.float()


def _evaluate_and_emit(training: Training, stop: Stop, every: int) -> bool:
    """Measure on validation and test data and write the line; False where a signal came in between."""
    trained = _trained(training) if _line_due(training, every) else {}
    began = time.monotonic()
    measured: dict[str, float] = {}
    with resting(training.optimizer):
        for name, part in (("val", training.data.val), ("test", training.data.test)):
            result = _evaluate(training, part, stop)
            if result is None:
                return False
            measured[f"{name}_loss"], measured[f"{name}_acc"] = result
    if _is_regular(training):  # one more at --until, where this process stops, must change nothing
        observe(training.schedule, measured["val_loss"])
    training.window.away += time.monotonic() - began
    training.evaluated = training.step
    _emit(training, trained | measured)
    _say(training, measured)
    return True


def _evaluate(training: Training, part: data.Part, stop: Stop) -> tuple[float, float] | None:
    """Return (mean loss, accuracy) on a part; None where a signal came."""
    loss = torch.zeros((), dtype=torch.float64, device=training.device)
    correct = torch.zeros((), dtype=torch.int64, device=training.device)
    training.model.eval()
    with torch.inference_mode():
        for images, labels in part.batches(EVALUATION_BATCH):
            if stop.asked:
                return None
            outputs = _forward(training, training.data.inputs(images))
            loss += functional.cross_entropy(outputs, labels, reduction="sum")
            correct += (outputs.argmax(1) == labels).sum()
    return loss.item() / len(part), correct.item() / len(part)


def _evaluation_due(training: Training) -> bool:
    """Whether this step wants an evaluation whose line has not been written."""
    step = training.step
    if step in {0, training.evaluated}:
        return False
    return _is_regular(training) or step >= training.until


def _is_regular(training: Training) -> bool:
    """Whether an evaluation falls on this step wherever the process stops."""
    options, every = training.options, training.epoch_steps
    if options.val_every is not None:
        unit = training.epoch_steps if options.unit == "epochs" else 1
        every = max(1, round(options.val_every * unit))
    return training.step % every == 0


def _line_due(training: Training, every: int) -> bool:
    """Whether a window ends here: at the very first step, each `every` of an epoch, and its end."""
    index = training.step % training.epoch_steps
    return training.window.images > 0 and (training.step == 1 or index % every == 0)


def _line_steps(training: Training) -> int:
    """Return the steps per metric line: 2 s of work or a 20th of an epoch, but at most 10 lines a second.

    Reckoned from a table of rough speeds, not measured, so that the same steps are written every time.
    """
    rate = entry_of(training.options.model.name).cpu_rate
    if training.device.type == "cuda":
        rate = max(rate, 200_000)
    batch = training.options.batch_size
    wanted = min(round(2 * rate / batch), training.epoch_steps // 20)
    return max(1, wanted, round(0.1 * rate / batch))


def _grad_norm(training: Training) -> float:
    gradients = [p.grad.norm() for p in training.model.parameters() if p.grad is not None]
    return float(torch.stack(gradients).norm().item())


def _trained(training: Training) -> dict[str, float]:
    """Return the means over the window and the gradient's norm at its last step."""
    window = training.window
    numbers = {
        "train_loss": window.loss.item() / window.images,
        "train_acc": window.correct.item() / window.images,
        "grad_norm": training.grad_norm,
    }
    if window.timed_images:  # 0 after a resume right before this line
        numbers["images_per_second"] = round(window.images_per_second(), 1)
    return numbers


def _emit(training: Training, metrics: dict[str, float]) -> None:
    """Write one metric line; one with training metrics ends the window. `lr` is that of the last step."""
    epoch = round(training.step / training.epoch_steps, 6)
    emit(step=training.step, epoch=epoch, lr=training.lr, **metrics)
    if "train_loss" in metrics:
        training.window.clear()


def _save_if_due(training: Training) -> None:
    """Keep a checkpoint at ends of epochs, and in long epochs now and then; trouble with the disk is said."""
    age = time.monotonic() - training.saved_at
    epoch_end = training.step % training.epoch_steps == 0
    if training.step == 0 or age < (
        SHORTEST_CHECKPOINT_SECONDS if epoch_end else LONGEST_LOSS_SECONDS
    ):
        return
    try:
        save(training)
    except OSError as error:
        print(
            f"the checkpoint could not be written ({error}); going on", file=sys.stderr, flush=True
        )
        training.saved_at = time.monotonic()


def introduce(training: Training, note: str) -> None:
    """Print what runs, for the log."""
    options, about = training.options, training.data.about
    parameters = sum(parameter.numel() for parameter in training.model.parameters())
    where = (
        "1 GPU" if training.device.type == "cuda" else f"{torch.get_num_threads()} CPU thread(s)"
    )
    label = " (SYNTHETIC data)" if about.synthetic else ""
    print(
        f"{options.model}: {parameters:,} parameters; {about.dataset}{label}: {len(training.data.members)} train, "
        f"{about.val} val, {about.test} test images\n"
        f"{options.optimizer}, lr {options.lr:.2e}, {options.schedule}, batch {options.batch_size}, "
        f"{options.horizon:g} {options.unit} of {training.epoch_steps} steps, seed {options.seed}\n"
        f"{where}, {options.precision}, torch {torch.__version__}",
        *([note] if note else []),
        sep="\n",
        flush=True,
    )


def _say(training: Training, measured: dict[str, float]) -> None:
    """Print an evaluation, for people who read the log."""
    place = f"epoch {training.step / training.epoch_steps:.4g}"
    print(place, *(f"{name} {value:.4g}" for name, value in measured.items()), sep="  ", flush=True)
