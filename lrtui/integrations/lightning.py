"""Lightning 2 in a sweep, as `lightning` or `pytorch_lightning`.

from lrtui.integrations.lightning import LrtuiCallback, checkpoint

trainer = Trainer(..., callbacks=[LrtuiCallback()])
trainer.fit(model, data, ckpt_path=checkpoint())
"""

from __future__ import annotations

import importlib
import sys
from typing import Any

from lrtui.emit import emit
from lrtui.integrations.attempt import Attempt, checkpoint, number, random_states, set_random_states

__all__ = ["LrtuiCallback", "checkpoint"]

_imported = [name for name in ("lightning.pytorch", "pytorch_lightning") if name in sys.modules]
pl: Any = importlib.import_module((_imported or ["lightning.pytorch"])[0])
loggers: Any = importlib.import_module(f"{pl.__name__}.loggers")


class LrtuiCallback(pl.Callback):
    """Emits what the module logs, ends the attempt at {until} and on SIGTERM, and saves its checkpoint at the end.

    max_epochs or max_steps stays the whole length, so that the schedule does too.
    """

    def __init__(self) -> None:
        self.attempt = Attempt()
        self.lr: float | None = None
        self._ends = ""
        """Where the checkpoint of an attempt that ends is due: "now", "validation" or "epoch"."""
        self._limit: Any = None
        self._epoch: dict[str, Any] = {}
        """The random states before the batches of this epoch were drawn."""
        self._batches = 0
        """How many of them were trained on."""
        self._loaded: dict[str, Any] = {}

    def state_dict(self) -> dict[str, Any]:
        """Return the random states, which Lightning's checkpoints lack."""
        return {"epoch": self._epoch, "batches": self._batches, "now": random_states()}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Keep the states of the last attempt until the data is there."""
        self._loaded = state_dict

    def setup(self, trainer: Any, pl_module: Any, stage: str) -> None:
        """Note the random states before anything is drawn."""
        self._epoch = random_states()

    def on_train_start(self, trainer: Any, pl_module: Any) -> None:
        """Listen for SIGTERM in Lightning's place, which would end without a checkpoint, and to what is logged."""
        self._ends = ""
        self.attempt.listen()
        if self._loaded:
            self._draw_again(trainer.fit_loop._data_fetcher)  # noqa: SLF001
        if self.attempt.of_lrtui:
            trainer.loggers = [*trainer.loggers, _Logger(self, trainer)]

    def on_before_optimizer_step(self, trainer: Any, pl_module: Any, optimizer: Any) -> None:
        """Note the LR; set that of a range test."""
        lr = self.attempt.lr(trainer.global_step)
        for group in optimizer.param_groups if lr is not None else ():
            group["lr"] = lr
        self.lr = optimizer.param_groups[0]["lr"]

    def on_train_batch_end(
        self, trainer: Any, pl_module: Any, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Emit the loss if the module does not log it, and end the training after the last step of this attempt."""
        self._batches = batch_idx + 1
        if not self.attempt.of_lrtui or self._ends:
            return
        loss = number(outputs.get("loss") if isinstance(outputs, dict) else outputs)
        every = 1 if self.attempt.lr_steps else trainer.log_every_n_steps
        named = not self.attempt.lr_steps and "train_loss" in trainer.callback_metrics
        if loss is not None and every and trainer.global_step % every == 0 and not named:
            self.say(trainer, {"train_loss": loss})
        over = self.attempt.told or self.attempt.has_come_to(**_position(trainer))
        if not trainer.strategy.reduce_boolean_decision(over, all=False):
            return
        loop = trainer.fit_loop.epoch_loop
        due = loop._should_check_val_fx(trainer.fit_loop._data_fetcher)  # noqa: SLF001
        last = loop.batch_progress.is_last_batch
        self._ends = "epoch" if last else "validation" if due else "now"
        if not due:  # an early stop would validate
            self._limit, trainer.limit_val_batches = trainer.limit_val_batches, 0
        trainer.should_stop = True
        self._save_at(trainer, "now")

    def on_validation_end(self, trainer: Any, pl_module: Any) -> None:
        """Save after the last validation of an attempt."""
        self._save_at(trainer, "validation")

    def on_train_epoch_end(self, trainer: Any, pl_module: Any) -> None:
        """Save after the last epoch of an attempt."""
        self._epoch, self._batches = random_states(), 0
        told = trainer.strategy.reduce_boolean_decision(self.attempt.told, all=False)
        if told and not self._ends:
            self._ends, trainer.should_stop = "epoch", True
        self._save_at(trainer, "epoch")

    def on_train_end(self, trainer: Any, pl_module: Any) -> None:
        """Leave the trainer as it was."""
        if self._limit is not None:
            trainer.limit_val_batches, self._limit = self._limit, None
        trainer.loggers = [each for each in trainer.loggers if not isinstance(each, _Logger)]

    def say(self, trainer: Any, metrics: dict[str, Any]) -> None:
        """Emit one metric line, unless it would sum up an epoch that continues in the next attempt."""
        if self._ends == "now" and "train_loss" not in metrics:
            return
        lr = {} if self.lr is None else {"lr": self.lr}
        emit(**{**metrics, **lr, **_position(trainer)})

    def _draw_again(self, batches: Any) -> None:
        """Pass over the batches of this epoch that an earlier attempt trained on; loaders that do so themselves are left to it."""
        states, self._loaded = self._loaded, {}
        self._epoch = states["epoch"]
        if any(hasattr(each, "load_state_dict") for each in batches.combined_loader.flattened):
            return
        set_random_states(states["epoch"])
        iter(batches)
        for _ in range(states["batches"]):
            next(batches)
        batches.fetched -= states["batches"]  # Lightning adds them
        if states["batches"]:
            set_random_states(states["now"])

    def _save_at(self, trainer: Any, place: str) -> None:
        if self._ends != place or not self.attempt.checkpoint:
            return
        made = f"{self.attempt.checkpoint}.saving"
        trainer.save_checkpoint(made)
        if trainer.is_global_zero:
            self.attempt.put(made)


class _Logger(loggers.Logger):
    """Gets what Lightning's own loggers get."""

    def __init__(self, callback: LrtuiCallback, trainer: Any) -> None:
        super().__init__()
        self._callback, self._trainer = callback, trainer

    @property
    def name(self) -> str:
        """The name that Lightning asks for."""
        return "lrtui"

    @property
    def version(self) -> str:
        """The version that Lightning asks for."""
        return ""

    def log_hyperparams(self, *_: Any, **__: Any) -> None:
        """Take nothing: a run's settings are lrtui's."""

    def log_metrics(self, metrics: dict[str, Any], step: int | None = None) -> None:
        """Emit; what is logged both by step and by epoch keeps its plain name for the steps."""
        found = {(name.removesuffix("_step")): number(value) for name, value in metrics.items()}
        found = {
            name: value for name, value in found.items() if value is not None and name != "epoch"
        }
        if found and not self._callback.attempt.lr_steps:  # there each step has its line
            self._callback.say(self._trainer, found)


def _position(trainer: Any) -> dict[str, float]:
    batches = trainer.num_training_batches
    done = trainer.fit_loop.epoch_loop.batch_progress.current.ready
    part = done / batches if batches and batches != float("inf") else 0.0
    return {"step": trainer.global_step, "epoch": trainer.current_epoch + part}
