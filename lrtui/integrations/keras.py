"""Keras 3 in a sweep, with any of its backends.

from lrtui.integrations.keras import LrtuiCallback

model.fit(..., callbacks=[LrtuiCallback()])
"""

from __future__ import annotations

import json
import os
import shutil
import signal
from typing import Any

import keras

from lrtui.emit import emit
from lrtui.integrations.attempt import Attempt, checkpoint, number, random_states, set_random_states

__all__ = ["LrtuiCallback"]
_EVERY = 10
"""Batches between two metric lines within an epoch."""
_NAMES = {"loss": "train_loss", "learning_rate": "lr"}


class LrtuiCallback(keras.callbacks.Callback):
    """Emits Keras' logs, ends the attempt at {until} and on SIGTERM, saves a checkpoint after each epoch, and continues from it.

    `epochs` stays the whole length, so that a schedule does too. If the length is in steps, an attempt may end within an epoch; the next
    one then begins with that epoch's data from the start, since Keras cannot pass over batches.
    """

    def __init__(self) -> None:
        super().__init__()
        self._attempt = Attempt()
        self._epoch = 0
        self._batches = 0
        self._total = 0.0
        """The sum of the epoch's losses, in a range test."""
        self._cut = False
        """Whether the attempt ends within this epoch."""

    def on_train_begin(self, logs: Any = None) -> None:
        """Load the checkpoint, if there is one, and listen for SIGTERM."""
        found = checkpoint()
        if not self._attempt.of_lrtui:
            return
        if self._attempt.lr_steps:
            self._prepare_range_test()
        elif found:
            self._load(found)
        self._attempt.listen()

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        """Count its batches from 0."""
        self._epoch, self._batches, self._total = epoch, 0, 0.0

    def on_train_batch_begin(self, batch: int, logs: Any = None) -> None:
        """Set the LR of a range test."""
        if self._attempt.lr_steps and not self._has_schedule():
            self.model.optimizer.learning_rate = self._attempt.lr(self._steps())

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        """Emit now and then; end here if the attempt ends within the epoch."""
        new = batch + 1 - self._batches
        self._batches = batch + 1
        if not self._attempt.of_lrtui:
            return
        if self._attempt.lr_steps:
            self._emit({"loss": self._own_loss(logs, new)}, self._position())
        elif self._batches % _EVERY < new and not self._is_last():
            self._emit(logs, self._position())
        if self._is_last():
            return
        told = self._attempt.told
        if told or self._attempt.has_come_to(**self._position()):
            self._cut = self.model.stop_training = True
            if self._attempt.unit != "epoch":
                self._save(self._epoch)
        if told:
            raise SystemExit(128 + signal.SIGTERM)

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        """Emit the epoch's metrics; after a whole epoch save, and end here if the attempt ends."""
        if not self._attempt.of_lrtui or self._attempt.lr_steps:
            return
        position = self._position(whole=not self._cut)
        self._emit(logs, position)
        if self._cut:  # and saved
            return
        self._save(epoch + 1)
        if self._attempt.has_come_to(**position):
            self.model.stop_training = True
        elif self._attempt.told:
            raise SystemExit(128 + signal.SIGTERM)

    def on_train_end(self, logs: Any = None) -> None:
        """Let a further fit begin at its own first epoch, and SIGTERM end the process again."""
        self.model._initial_epoch = None  # noqa: SLF001
        self._attempt.unlisten()

    def _own_loss(self, logs: Any, batches: int) -> float:
        """Return the loss of the last batches; Keras' own is the mean since the epoch began."""
        before, self._total = self._total, self._batches * (number((logs or {}).get("loss")) or 0.0)
        return (self._total - before) / max(1, batches)

    def _emit(self, logs: Any, position: dict[str, float]) -> None:
        line = {_NAMES.get(name, name): number(value) for name, value in (logs or {}).items()}
        line = {name: value for name, value in line.items() if value is not None}
        rate = keras.ops.convert_to_numpy(self.model.optimizer.learning_rate)
        tested = self._attempt.lr(self._steps() - 1)
        emit(**{"lr": number(rate) if tested is None else tested, **line, **position})

    def _position(self, *, whole: bool = False) -> dict[str, float]:
        """Return the training's position, after a whole epoch or within one."""
        batches = self.params.get("steps")
        share = 1.0 if whole else self._batches / batches if batches else 0.0
        return {"step": self._steps(), "epoch": self._epoch + share}

    def _is_last(self) -> bool:
        """Return whether the current epoch has no more batches, as far as its length is known."""
        whole = self.params.get("steps")
        return bool(whole) and self._batches >= whole

    def _steps(self) -> int:
        return int(keras.ops.convert_to_numpy(self.model.optimizer.iterations))

    def _has_schedule(self) -> bool:
        rate = getattr(self.model.optimizer, "_learning_rate", None)
        return isinstance(rate, keras.optimizers.schedules.LearningRateSchedule)

    def _prepare_range_test(self) -> None:
        """Replace a schedule, which cannot be set to a number."""
        if self._has_schedule():
            last = max(1, self._attempt.lr_steps - 1)
            low, high = (self._attempt.lr(step) or 0.0 for step in (0, last))
            rising = keras.optimizers.schedules.ExponentialDecay(low, last, high / low)
            self.model.optimizer.learning_rate = rising

    def _save(self, epoch: int) -> None:
        """Write weights, optimizer and random numbers; training continues with `epoch`."""
        if not self._attempt.checkpoint:
            return
        made = f"{self._attempt.checkpoint}.saving"
        shutil.rmtree(made, ignore_errors=True)
        os.mkdir(made)
        self.model.save_weights(os.path.join(made, "model.weights.h5"))
        state = {"epoch": epoch, "random": random_states(), "seeds": self._seeds()}
        with open(os.path.join(made, "state.json"), "w", encoding="utf-8") as file:
            json.dump(state, file)
        self._attempt.put(made)

    def _load(self, found: str) -> None:
        with open(os.path.join(found, "state.json"), encoding="utf-8") as file:
            state = json.load(file)
        if not self.model.optimizer.built:
            self.model.optimizer.build(self.model.trainable_variables)
        self.model.load_weights(os.path.join(found, "model.weights.h5"))
        self.model._initial_epoch = state["epoch"]  # as Keras' own BackupAndRestore does  # noqa: SLF001
        set_random_states(state["random"])
        for generator, seed in zip(self._generators(), state["seeds"]):  # noqa: B905  # Python 3.8
            generator.state.assign(seed)

    def _generators(self) -> list[Any]:
        """Return the generators of layers such as Dropout, whose states are not weights."""
        return [
            each
            for layer in self.model._flatten_layers()  # noqa: SLF001
            for each in getattr(layer, "_seed_generators", ())
        ]

    def _seeds(self) -> list[Any]:
        return [keras.ops.convert_to_numpy(each.state).tolist() for each in self._generators()]
