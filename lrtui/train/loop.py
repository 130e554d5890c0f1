"""The training loop: steps, metric lines, evaluations, checkpoints; called by `__main__` for one run, by `multiplex.server` for several in turns.

    until the end is reached:
        at the end of an epoch (and at --until): evaluate, a metric line, a checkpoint
        one step
        a metric line at the end of a window
    and then, also on SIGTERM: a checkpoint

Every value in a metric line except `time` and `images_per_second` depends only on the options and the data:
lines and evaluations are placed by step counts, never by a clock, and the sums of a window are
kept in the checkpoint. So a run that was stopped anywhere resumes as if it had not been stopped.

A loss that is not finite is emitted like any other; the supervisor decides what to do about it.
"""

from __future__ import annotations

import contextlib
import os
import sys
import time
from typing import TYPE_CHECKING, Any, Protocol

import torch
from torch import Tensor
from torch.nn import functional

from lrtui.emit import emit
from lrtui.train import data
from lrtui.train.checkpoint import CheckpointError
from lrtui.train.models import entry_of
from lrtui.train.optimizers.build import resting
from lrtui.train.run_state import Training, resume, save, set_up
from lrtui.train.schedules.warmup import observe
from lrtui.train.step import Stepper, forward
from lrtui.train.stop_flag import Stop

if TYPE_CHECKING:
    from lrtui.train.options import Options

Batch = tuple[Tensor, Tensor]
EVALUATION_BATCH = 250
"""Small enough to react to SIGTERM within half a second while cnn7 is evaluated on one core."""
LONGEST_LOSS_SECONDS = 120.0
"""A crash loses at most about this much work, even if an epoch takes longer."""
SHORTEST_CHECKPOINT_SECONDS = 1.0
"""Epochs of milliseconds do not each wait for the disk."""


class Reporter(Protocol):
    """The destination of a run's metric lines and messages."""

    def emit(self, **metrics: float) -> None:
        """Write a metric line, as `lrtui.emit` does."""

    def say(self, text: str) -> None:
        """Print lines for the log."""

    def complain(self, text: str) -> None:
        """Print an error on stderr."""


class StopFlag(Protocol):
    """Whether the run should stop; checked between two steps, and in evaluations between two batches."""

    @property
    def asked(self) -> bool:
        """Whether a stop was requested."""


class ConsoleReporter:
    """The reporter of the only run in its process."""

    def emit(self, **metrics: float) -> None:
        """Append a metric line."""
        emit(**metrics)

    def say(self, text: str) -> None:
        """Print on stdout."""
        print(text, flush=True)

    def complain(self, text: str) -> None:
        """Print on stderr."""
        print(text, file=sys.stderr, flush=True)


def train(options: Options) -> int:
    """Train to `options.until`; return the exit code: 0, or 130 after Ctrl-C.

    Raises:
        UsageError: the prepared folder, the model or the options do not go together; a checkpoint of other settings.
        CheckpointError: damaged checkpoints; or the last one could not be written.

    """
    settle(options)
    training, stop = set_up(options), Stop()
    with side_stream(training.device):
        loop = TrainingLoop(training, stop, ConsoleReporter())
        with stop:
            while loop.step():
                pass
            loop.end()
    return 0 if loop.reached else stop.exit_code


def settle(options: Options) -> None:
    """Set the options of the whole process."""
    torch.set_num_threads(options.threads or len(os.sched_getaffinity(0)))
    # Adam's moments of a dead network sink to denormals: 108 ms a step for 5 million, flushed 3 ms
    torch.set_flush_denormal(True)


class TrainingLoop:
    """One run, resumed from its checkpoint if there is one: call `step` until it returns False, then `end`."""

    def __init__(self, training: Training, stop: StopFlag, reporter: Reporter) -> None:
        """Resume, and report what runs.

        Raises:
            UsageError: a checkpoint of other settings.
            CheckpointError: damaged checkpoints.

        """
        self.training = training
        self.reached = False
        """Whether the run reached its end, rather than a signal."""
        self._stop, self._reporter = stop, reporter
        self._every = _line_steps(training)
        self._stepper = Stepper(training)
        self._pending: list[_Line] = []
        """Metric lines whose numbers are still being copied from the device, oldest first."""
        reporter.say(introduction(training, resume(training)))
        if training.step >= training.until:
            training.evaluated = 0  # emit the last line again: a run without one has failed
        training.window.since = time.monotonic()

    def step(self, batch: Batch | None = None) -> bool:
        """Do what is due and take a step, on `batch` if given; return False if the run is over."""
        training = self.training
        if _evaluation_due(training) and not self._evaluate_and_emit():
            return False
        self._save_if_due()
        self.reached = training.step >= training.until
        if self.reached or self._stop.asked:
            return False
        self._stepper.step(batch)
        if _line_due(training, self._every):
            if _evaluation_due(training):  # one line for both
                due = _norm_due(training, self._every)
                training.grad_norm = float(_grad_norm(training).item()) if due else None
            else:
                self._pending.append(_Line(training))
                training.window.clear()
        self._emit_pending(wait=len(self._pending) > 1)  # at most a window ahead of the device
        return True

    def end(self) -> None:
        """Write the last checkpoint, and report how the run ended.

        Raises:
            CheckpointError: it cannot be written.

        """
        self._emit_pending(wait=True)
        try:
            save(self.training)
        except OSError as error:
            raise CheckpointError(f"the checkpoint could not be written ({error})") from error
        self._reporter.say("done" if self.reached else f"stopped at step {self.training.step}")

    def _emit_pending(self, *, wait: bool = False) -> None:
        """Emit the lines whose numbers have arrived; with `wait`, all lines."""
        while self._pending and (wait or self._pending[0].arrived()):
            line = self._pending.pop(0)
            self._reporter.emit(**line.place, **line.metrics())

    def _evaluate_and_emit(self) -> bool:
        """Evaluate on validation and test data and emit the line; return False if a signal interrupted it."""
        training = self.training
        trained = _trained(training) if _line_due(training, self._every) else {}
        began = time.monotonic()
        measured: dict[str, float] = {}
        with resting(training.optimizer):
            for name, part in (("val", training.data.val), ("test", training.data.test)):
                result = _evaluate(training, part, self._stop)
                if result is None:
                    return False
                measured[f"{name}_loss"], measured[f"{name}_acc"] = result
        if _is_regular(
            training
        ):  # one more at --until, where this process stops, must change nothing
            observe(training.schedule, measured["val_loss"])
        training.window.away += time.monotonic() - began
        training.evaluated = training.step
        self._emit_pending(wait=True)
        self._reporter.emit(**_place(training), **trained, **measured)
        if trained:
            training.window.clear()
        values = (f"{name} {value:.4g}" for name, value in measured.items())
        self._reporter.say(
            "  ".join((f"epoch {training.step / training.epoch_steps:.4g}", *values))
        )
        return True

    def _save_if_due(self) -> None:
        """Save a checkpoint at the end of epochs and regularly in long epochs; report disk errors."""
        training = self.training
        age = time.monotonic() - training.saved_at
        epoch_end = training.step % training.epoch_steps == 0
        if training.step == 0 or age < (
            SHORTEST_CHECKPOINT_SECONDS if epoch_end else LONGEST_LOSS_SECONDS
        ):
            return
        self._emit_pending(wait=True)
        try:
            save(training)
        except OSError as error:
            self._reporter.complain(f"the checkpoint could not be written ({error}); going on")
            training.saved_at = time.monotonic()


def _evaluate(training: Training, part: data.Part, stop: StopFlag) -> tuple[float, float] | None:
    """Return (mean loss, accuracy) on a part; None if a signal interrupted it."""
    loss = torch.zeros((), dtype=torch.float64, device=training.device)
    correct = torch.zeros((), dtype=torch.int64, device=training.device)
    training.model.eval()
    with torch.inference_mode():
        for images, labels in part.batches(EVALUATION_BATCH):
            if stop.asked:
                return None
            outputs = forward(training, training.data.inputs(images))
            loss += functional.cross_entropy(outputs, labels, reduction="sum")
            correct += (outputs.argmax(1) == labels).sum()
    return loss.item() / len(part), correct.item() / len(part)


def _evaluation_due(training: Training) -> bool:
    """Return whether an evaluation is due at this step and not emitted yet."""
    step = training.step
    if step in {0, training.evaluated}:
        return False
    return _is_regular(training) or step >= training.until


def _is_regular(training: Training) -> bool:
    """Return whether this step has an evaluation regardless of where the process stops."""
    options, every = training.options, training.epoch_steps
    if options.val_every is not None:
        unit = training.epoch_steps if options.unit == "epochs" else 1
        every = max(1, round(options.val_every * unit))
    return training.step % every == 0


def _line_due(training: Training, every: int) -> bool:
    """Return whether a window ends here: at the first step, every `every` steps of an epoch, and at its end."""
    index = training.step % training.epoch_steps
    return training.window.images > 0 and (training.step == 1 or index % every == 0)


def _norm_due(training: Training, every: int) -> bool:
    """Return whether the line at the end of this epoch has the gradient's norm: not every one if epochs are shorter than a window.

    It is half of the cost of a line of `linear`, whose epochs take 7 ms.
    """
    epochs = max(1, every // training.epoch_steps)
    return training.step % (epochs * training.epoch_steps) == 0 or every < training.epoch_steps


def _line_steps(training: Training) -> int:
    """Return the steps per metric line: 2 s of work or a 20th of an epoch, but at most 10 lines a second.

    Computed from a table of rough speeds, not measured, so that the same steps are emitted every time.
    """
    rate = entry_of(training.options.model.name).cpu_rate
    if training.device.type == "cuda":
        rate = max(rate, 200_000)
    batch = training.options.batch_size
    wanted = min(round(2 * rate / batch), training.epoch_steps // 20)
    return max(1, wanted, round(0.1 * rate / batch))


class _Line:
    """The metric line of a finished window; on a GPU its numbers are copied without blocking."""

    def __init__(self, training: Training) -> None:
        window = training.window
        self.place = _place(training)
        self._speed = _speed(training)
        self._images = window.images
        self._event: Any = None
        sums = (window.loss, window.correct, _grad_norm(training))
        if training.device.type == "cpu":
            self._sums = [value.item() for value in sums]
            return
        on_device = torch.stack([value.double() for value in sums])
        self._coming = torch.empty(len(sums), dtype=on_device.dtype, pin_memory=True)
        self._coming.copy_(on_device, non_blocking=True)
        self._event = torch.cuda.Event()  # type: ignore[no-untyped-call]
        self._event.record()

    def arrived(self) -> bool:
        """Whether its numbers can be read without waiting."""
        return self._event is None or bool(self._event.query())

    def metrics(self) -> dict[str, float]:
        """Return its numbers; wait for them if necessary."""
        if self._event is not None:
            self._event.synchronize()
            self._sums = self._coming.tolist()
        loss, correct, norm = self._sums
        return _means(loss, correct, self._images, norm) | self._speed


def _trained(training: Training) -> dict[str, float]:
    """Return the means over the window and, if it was computed, the gradient's norm at its last step."""
    window = training.window
    loss, correct = window.loss.item(), window.correct.item()
    return _means(loss, correct, window.images, training.grad_norm) | _speed(training)


def _means(loss: float, correct: float, images: int, norm: float | None) -> dict[str, float]:
    means = {"train_loss": loss / images, "train_acc": correct / images}
    return means if norm is None else means | {"grad_norm": norm}


def _speed(training: Training) -> dict[str, float]:
    """Return the window's speed; nothing right after a resume, before the first step."""
    window = training.window
    return (
        {"images_per_second": round(window.images_per_second(), 1)} if window.timed_images else {}
    )


def _place(training: Training) -> dict[str, float]:
    """Return the position of the run; `lr` is that of the last step."""
    epoch = round(training.step / training.epoch_steps, 6)
    return {"step": training.step, "epoch": epoch, "lr": training.lr}


def _grad_norm(training: Training) -> Tensor:
    """Return the norm of the whole gradient, () on the device."""
    gradients = [p.grad for p in training.model.parameters() if p.grad is not None]
    whole: Tensor
    if training.device.type == "cpu":  # the same, without torch's checks of each tensor
        whole = torch.linalg.vector_norm(torch.stack([*map(torch.linalg.vector_norm, gradients)]))
    else:
        whole = torch.nn.utils.get_total_norm(gradients)
    return whole


def introduction(training: Training, note: str) -> str:
    """Return a description of the run for the log."""
    options, about = training.options, training.data.about
    parameters = sum(parameter.numel() for parameter in training.model.parameters())
    where = (
        "1 GPU" if training.device.type == "cuda" else f"{torch.get_num_threads()} CPU thread(s)"
    )
    label = " (SYNTHETIC data)" if about.synthetic else ""
    data_said = f"{about.dataset}{label}: {len(training.data.members)} train, {about.val} val, {about.test} test images"
    length = f"{options.horizon:g} {options.unit} of {training.epoch_steps} steps"
    recipe = (
        f"{options.optimizer}, lr {options.lr:.2e}, {options.schedule}, batch {options.batch_size}"
    )
    lines = (
        f"{options.model}: {parameters:,} parameters; {data_said}",
        f"{recipe}, {length}, seed {options.seed}",
        f"{where}, {options.precision}, torch {torch.__version__}",
        *([note] if note else []),
    )
    return "\n".join(lines)


def side_stream(device: torch.device) -> contextlib.AbstractContextManager[object]:
    """Return the context of a run's work: on CUDA a stream other than the default, on which no graph can be captured."""
    if device.type == "cpu":
        return contextlib.nullcontext()
    return torch.cuda.stream(torch.cuda.Stream(device))  # type: ignore[no-untyped-call]
