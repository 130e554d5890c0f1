"""Lowers the LR when the validation loss no longer falls: torch's ReduceLROnPlateau, fed with the run's evaluations."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch.optim.lr_scheduler import LRScheduler, ReduceLROnPlateau

if TYPE_CHECKING:
    from torch.optim import Optimizer


def plateau(
    optimizer: Optimizer,
    steps: int,
    *,
    factor: float = 0.1,
    patience: int = 3,
    threshold: float = 1e-4,
    cooldown: int = 0,
    end: float = 0.0,
) -> LRScheduler:
    """Return a schedule that multiplies the LR by `factor` after more than `patience` evaluations without a lower loss.

    `steps` does not matter. The LR never falls below `end` times its value.
    """
    del steps
    return Plateau(
        optimizer,
        factor=factor,
        patience=patience,
        threshold=threshold,
        cooldown=cooldown,
        min_lr=end,
    )


class Plateau(LRScheduler):
    """The LR times a share that torch's ReduceLROnPlateau lowers.

    Stepped like any schedule, so that a warm-up goes before it; `observe` gets each evaluation. torch's class drives an
    optimizer of its own whose LR is that share, beginning at 1, because SequentialLR does not take it.
    """

    def __init__(self, optimizer: Optimizer, **settings: Any) -> None:
        self._share = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=1.0)
        self._judge = ReduceLROnPlateau(self._share, mode="min", eps=0.0, **settings)
        super().__init__(optimizer)

    def get_lr(self) -> list[Any]:
        """Return the LR of each group."""
        share = self._share.param_groups[0]["lr"]
        return [base * share for base in self.base_lrs]

    def observe(self, loss: float) -> None:
        """Add an evaluation; the next step already has the new LR. Evaluations during the warm-up do not count."""
        if self.last_epoch < 0:
            return
        self._judge.step(loss)
        for group, lr in zip(self.optimizer.param_groups, self.get_lr(), strict=True):
            group["lr"] = lr

    def state_dict(self) -> dict[str, Any]:
        """Return the place, and what torch's judge remembers."""
        state = super().state_dict()
        del state["_share"], state["_judge"]
        return {
            **state,
            "judge": self._judge.state_dict(),
            "share": self._share.param_groups[0]["lr"],
        }

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take over what `state_dict` returned."""
        rest = {k: v for k, v in state_dict.items() if k not in {"judge", "share"}}
        super().load_state_dict(rest)
        self._judge.load_state_dict(state_dict["judge"])
        self._share.param_groups[0]["lr"] = state_dict["share"]
