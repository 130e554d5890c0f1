"""The bank's stacked trainer: each run is what torch's own optimizer would have trained alone."""

import math

import pytest
import torch

from lrtui.train.optimizers.muon import MuonAndAdamW
from tests.benchmarks.choosing.stacked import Optimizer, build

LRS = (1e-4, 1e-2, math.inf, 3e-2)
"""The third run breaks: it must not touch the others."""
CASES = {
    "sgd": (torch.optim.SGD, {"momentum": 0.9, "nesterov": True, "weight_decay": 0.01}),
    "adam": (torch.optim.Adam, {"betas": (0.8, 0.95)}),
    "adamw": (torch.optim.AdamW, {"weight_decay": 0.1}),
    "nadam": (torch.optim.NAdam, {"betas": (0.8, 0.95)}),
    "radam": (torch.optim.RAdam, {"betas": (0.8, 0.95)}),
    "rmsprop": (torch.optim.RMSprop, {"alpha": 0.9}),
    "adagrad": (torch.optim.Adagrad, {}),
    "muon": (MuonAndAdamW, {}),
}


def loss(net, flat, x, y):
    return (net(flat, x) - y).square().mean((1, 2))


@pytest.mark.parametrize("name", CASES)
def test_stacked_runs_are_torchs(name):
    kind, options = CASES[name]
    net, draw = build("mlp 6 5", 4, 3), torch.Generator().manual_seed(0)
    batches = torch.randn(8, 10, 7, generator=draw)
    first = net.start(3)
    stacked = first.repeat(len(LRS), 1).requires_grad_()
    optimizer = Optimizer(name, net, options)
    for batch in batches:
        x, y = batch[:, :4].expand(len(LRS), -1, -1), batch[:, 4:].expand(len(LRS), -1, -1)
        (grad,) = torch.autograd.grad(loss(net, stacked, x, y).sum(), stacked)
        optimizer.step(stacked, grad, torch.tensor(LRS)[:, None])
    for place, lr in enumerate(LRS):
        if math.isfinite(lr):
            alone = by_torch(net, first, kind, {"lr": lr, **options}, batches)
            # torch's Muon orthogonalises in bfloat16: 8 bits
            close = {"rtol": 0.05, "atol": 0.02 * lr} if name == "muon" else {}
            torch.testing.assert_close(stacked[place].detach(), alone, **close)


def by_torch(net, first, kind, options, batches):
    """Return the parameters that torch's optimizer comes to on one run."""
    weights = [
        (part[0, 0] if part.shape[1] == 1 else part[0].T).clone().requires_grad_()
        for part in net.parts(first[None])
    ]
    optimizer = kind(weights, **options)
    for batch in batches:
        flat = torch.cat([(w if w.ndim == 1 else w.T).flatten() for w in weights])[None]
        optimizer.zero_grad()
        loss(net, flat, batch[None, :, :4], batch[None, :, 4:]).sum().backward()
        optimizer.step()
    return torch.cat([(w if w.ndim == 1 else w.T).flatten() for w in weights]).detach()
