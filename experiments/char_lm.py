"""A small language model: guesses the next character of Python's own source code. PyTorch, one process, one CPU thread.

What a script of this kind needs for lrtui: the LR and the lengths from the command line, a metric line now and then, a
checkpoint, and (for `lr = "auto"`) a range test. `python char_lm.py --lr 1e-2` works without lrtui's monitor too.
"""

import argparse
import math
import os
import sysconfig
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional

from lrtui import emit

parser = argparse.ArgumentParser()
parser.add_argument("--lr", type=float, required=True)
parser.add_argument("--schedule", choices=["constant", "cosine"], default="constant")
parser.add_argument("--seed", type=int, default=0)
parser.add_argument("--steps", type=int, default=540, help="the full length")
parser.add_argument("--until", type=float, help="stop here; default: the end")
parser.add_argument("--checkpoint", default="", help="kept here, and gone on from where it exists")
parser.add_argument("--lr-to", type=float, help="range test: raise the LR from --lr to this ...")
parser.add_argument("--lr-steps", type=int, default=0, help="... in so many steps; 0: train")
args = parser.parse_args()

BATCH, LENGTH, EVERY = 16, 64, 20
MODULES = "argparse ast calendar configparser csv datetime difflib doctest enum fractions inspect ipaddress logging/__init__"

torch.set_num_threads(1)  # more are no faster for so small a model, and change the last digits
torch.set_flush_denormal(True)
torch.manual_seed(args.seed)

# The text: modules that come with every Python. Of each ten pages one validates and one tests.
folder = Path(sysconfig.get_paths()["stdlib"])
text = "".join((folder / f"{name}.py").read_text(errors="ignore") for name in MODULES.split())
codes = torch.tensor([ord(c) - 31 if " " <= c <= "~" else 0 for c in text])
pages = codes.split(4000)
val, test = torch.cat(pages[4::10]), torch.cat(pages[9::10])
train = torch.cat([page for number, page in enumerate(pages) if number % 10 not in {4, 9}])


class Model(nn.Module):
    """Characters in, scores of the next character out."""

    def __init__(self) -> None:
        super().__init__()
        self.embed = nn.Embedding(96, 32)
        self.read = nn.GRU(32, 96, batch_first=True)
        self.guess = nn.Linear(96, 96)

    def forward(self, characters: Tensor) -> Tensor:
        """(N, L) -> (N, L, 96)."""
        return self.guess(self.read(self.embed(characters))[0])


def loss_on(pieces: Tensor) -> Tensor:
    """Mean loss in nats; each character of a piece is guessed from those before it."""
    return functional.cross_entropy(model(pieces[:, :-1]).flatten(0, 1), pieces[:, 1:].flatten())


@torch.no_grad()
def evaluate(data: Tensor) -> float:
    """Loss on the same 256 pieces each time, spread over the data."""
    return loss_on(data.unfold(0, LENGTH + 1, len(data) // 260)[:256]).item()


def rate(step: int) -> float:
    """The LR of a step: the schedule spans the full length, wherever this process stops."""
    if args.schedule == "constant":
        return args.lr
    return args.lr * (1 + math.cos(math.pi * (step - 1) / args.steps)) / 2


def learn(step: int, lr: float) -> float:
    """One optimizer step; returns the loss before it."""
    # The batch depends on seed and step alone, so a resumed run sees what an unbroken one would have seen.
    draw = torch.Generator().manual_seed(args.seed * 1_000_003 + step)
    starts = torch.randint(len(train) - LENGTH, (BATCH,), generator=draw)
    loss = loss_on(train[starts[:, None] + torch.arange(LENGTH + 1)])
    optimizer.param_groups[0]["lr"] = lr
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss.item()


model = Model()
optimizer = torch.optim.Adam(model.parameters(), lr=args.lr)

for step in range(args.lr_steps):  # the range test, if asked for; nothing of it is kept
    lr = args.lr * (args.lr_to / args.lr) ** (step / (args.lr_steps - 1))
    emit(step=step + 1, lr=lr, train_loss=learn(step + 1, lr))
if args.lr_steps:
    raise SystemExit

done, losses = 0, []
if os.path.exists(args.checkpoint):
    saved = torch.load(args.checkpoint)
    done, losses = saved["step"], saved["losses"]
    model.load_state_dict(saved["model"])
    optimizer.load_state_dict(saved["optimizer"])

until = min(args.steps, math.ceil(args.until or args.steps))
for step in range(done + 1, until + 1):
    losses.append(learn(step, rate(step)))
    if step % EVERY and step < until:
        continue
    measured = {"val_loss": evaluate(val), "test_loss": evaluate(test)}
    emit(step=step, lr=rate(step), train_loss=sum(losses) / len(losses), **measured)
    if step % EVERY == 0:
        losses = []
    if args.checkpoint:  # whole or not at all, even if killed now
        state = {"model": model.state_dict(), "optimizer": optimizer.state_dict()}
        torch.save({"step": step, "losses": losses, **state}, args.checkpoint + ".tmp")
        os.replace(args.checkpoint + ".tmp", args.checkpoint)
