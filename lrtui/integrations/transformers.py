"""Hugging Face's Trainer in a sweep.

from lrtui.integrations.transformers import LrtuiCallback, checkpoint

trainer = Trainer(..., callbacks=[LrtuiCallback()])
trainer.train(resume_from_checkpoint=checkpoint())
"""

from __future__ import annotations

import os
import shutil
from typing import Any

from transformers import TrainerCallback

from lrtui.emit import emit
from lrtui.integrations.attempt import Attempt, checkpoint, number

__all__ = ["LrtuiCallback", "checkpoint"]
_NAMES = {"loss": "train_loss", "learning_rate": "lr"}


class LrtuiCallback(TrainerCallback):
    """Emits what the Trainer logs, ends the attempt at {until} and on SIGTERM, and saves its checkpoint at the end.

    The checkpoint is one of the Trainer's own folders. max_steps or num_train_epochs stays the whole length, so that the schedule does too.
    """

    def __init__(self) -> None:
        self._attempt = Attempt()
        self._ends = False
        self._theirs: str | None = None
        """The Trainer's output_dir while it is replaced by the attempt's."""

    def on_train_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Listen for SIGTERM."""
        self._ends = False
        self._attempt.listen()

    def on_log(
        self, args: Any, state: Any, control: Any, logs: dict[str, Any] | None = None, **_: Any
    ) -> None:
        """Emit one metric line; skip the summary of a whole training."""
        if not self._attempt.of_lrtui or not logs or "train_runtime" in logs:
            return
        line = {_NAMES.get(name, name): number(value) for name, value in logs.items()}
        line = {name: value for name, value in line.items() if value is not None}
        tested = self._attempt.lr(state.global_step - 1)
        emit(**{**line, **({} if tested is None else {"lr": tested}), **_position(state)})

    def on_pre_optimizer_step(
        self, args: Any, state: Any, control: Any, optimizer: Any = None, **_: Any
    ) -> None:
        """Set the LR of a range test."""
        lr = self._attempt.lr(state.global_step)
        for group in optimizer.param_groups if lr is not None else ():
            group["lr"] = lr

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """End the training after the last step of this attempt."""
        control.should_log = control.should_log or self._attempt.lr_steps > 0
        if self._is_over(args, state):
            self._ends = control.should_training_stop = control.should_log = True

    def on_epoch_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Save. The Trainer calls this after the last step, also in the middle of an epoch, when nothing else is due."""
        self._ends = self._ends or self._is_over(args, state)
        if not self._ends:
            return
        control.should_training_stop = True
        if state.epoch % 1:
            control.should_evaluate = control.should_save = False
        if self._attempt.checkpoint and not control.should_save:
            self._theirs, args.output_dir = args.output_dir, f"{self._attempt.checkpoint}.saving"
            shutil.rmtree(args.output_dir, ignore_errors=True)
            control.should_save = True

    def on_save(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Put what the Trainer saved in the checkpoint's place."""
        if not self._ends or not self._attempt.checkpoint:
            return
        made = os.path.join(args.output_dir, f"checkpoint-{state.global_step}")
        if args.world_size > 1:
            _wait_for_all()
        if self._theirs is None:  # the Trainer's own, which it may need
            copy = f"{self._attempt.checkpoint}.saving"
            if state.is_world_process_zero:
                shutil.rmtree(copy, ignore_errors=True)
                made = shutil.copytree(made, copy)
        else:
            args.output_dir, self._theirs = self._theirs, None
        if state.is_world_process_zero:
            self._attempt.put(made)

    def _is_over(self, args: Any, state: Any) -> bool:
        over = self._attempt.told or self._attempt.has_come_to(**_position(state))
        if not self._attempt.of_lrtui or args.world_size == 1:
            return over
        return _any_of_all(over, args.device)


def _position(state: Any) -> dict[str, float]:
    tokens = getattr(state, "num_input_tokens_seen", 0)
    seen = {"tokens": tokens} if tokens else {}
    return {"step": state.global_step, "epoch": state.epoch or 0.0, **seen}


def _any_of_all(mine: bool, device: Any) -> bool:
    """Return whether a process of the job says yes: all of them must end at the same step."""
    import torch

    flag = torch.tensor(int(mine), device=device)
    torch.distributed.all_reduce(flag, torch.distributed.ReduceOp.MAX)
    return bool(flag)


def _wait_for_all() -> None:
    import torch

    torch.distributed.barrier()
