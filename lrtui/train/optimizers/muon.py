"""Muon (Jordan 2024) for the hidden weights, AdamW for all others, as both their authors say, under one LR.

Hidden is every weight with two dimensions or more but the last, which is the output layer; biases and scales have one. A
convolution's weight (out, in, k, k) is taken as the matrix (out, in k k), as in Jordan's own code; torch's Muon takes only
matrices. One LR can serve both parts because Muon's is scaled to the size of AdamW's steps unless `adjust_lr_fn` says otherwise
("match_rms_adamw": Liu et al. 2025, section 2.2).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch.optim import AdamW, Muon, Optimizer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from torch import Tensor


class MuonAndAdamW(Optimizer):
    """Two optimizers as one: their parameter groups are its own, so a schedule drives both.

    `weight_decay` is of both; `betas` is AdamW's, the others Muon's, with torch's defaults.

    Raises:
        ValueError: the model has no hidden weights.

    """

    def __init__(
        self,
        params: Iterable[Tensor],
        lr: float,
        *,
        weight_decay: float = 0.1,
        momentum: float = 0.95,
        nesterov: bool = True,
        ns_coefficients: tuple[float, float, float] = (3.4445, -4.775, 2.0315),
        eps: float = 1e-7,
        ns_steps: int = 5,
        adjust_lr_fn: str = "match_rms_adamw",
        betas: tuple[float, float] = (0.9, 0.999),
    ) -> None:
        every = list(params)
        self._hidden = [weight for weight in every if weight.ndim >= 2][:-1]
        if not self._hidden:
            raise ValueError("it is for hidden weights, and this model has none: take adamw")
        super().__init__(every, {"lr": lr})
        self._matrices = [_matrix(weight.detach(), weight) for weight in self._hidden]
        hidden = set(map(id, self._hidden))
        self._muon = Muon(
            self._matrices,
            lr=lr,
            weight_decay=weight_decay,
            momentum=momentum,
            nesterov=nesterov,
            ns_coefficients=ns_coefficients,
            eps=eps,
            ns_steps=ns_steps,
            adjust_lr_fn=adjust_lr_fn,
        )
        self._adamw = AdamW(
            [weight for weight in every if id(weight) not in hidden],
            lr=lr,
            betas=betas,
            weight_decay=weight_decay,
            fused=True,
        )
        self._share_groups()

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> None:  # type: ignore[override] # torch overloads it
        """Take a step of both."""
        del closure
        for weight, matrix in zip(self._hidden, self._matrices, strict=True):
            matrix.grad = None if weight.grad is None else _matrix(weight.grad, weight)
        self._muon.step()  # type: ignore[no-untyped-call] # torch leaves it unannotated
        self._adamw.step()

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Clear the gradients of all parameters."""
        super().zero_grad(set_to_none)
        for weight in self._hidden:
            if set_to_none:
                weight.grad = None
            elif weight.grad is not None:
                weight.grad.zero_()

    def state_dict(self) -> dict[str, Any]:
        """Return the states of both."""
        return {"muon": self._muon.state_dict(), "adamw": self._adamw.state_dict()}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take over what `state_dict` returned."""
        self._muon.load_state_dict(state_dict["muon"])
        self._adamw.load_state_dict(state_dict["adamw"])
        self._share_groups()

    def _share_groups(self) -> None:
        self.param_groups = [*self._muon.param_groups, *self._adamw.param_groups]


def _matrix(values: Tensor, weight: Tensor) -> Tensor:
    """Return a weight's values or gradient as a matrix with its first dimension as rows, a view where `values` is the weight.

    The columns' order follows the weight's memory; an orthogonalised matrix does not depend on it.
    """
    if weight.ndim == 4 and weight.is_contiguous(memory_format=torch.channels_last):
        values = values.permute(0, 2, 3, 1)
    shape = (len(weight), -1)
    return values.view(shape) if values.is_contiguous() else values.reshape(shape)
