"""A worker that learns nothing and knows how it would: val_acc peaks at LR 1e-2, and rises with the steps.

curve.py LR [--until N] [--steps N] [--checkpoint PATH] [--lr-to LR --lr-steps N] [--pause SECONDS] [--no-range] [--seed N] [--hold PATH]

While there is a file PATH, a run that goes on from a checkpoint waits.
"""

import argparse
import json
import math
import os
import sys
import time

parser = argparse.ArgumentParser()
parser.add_argument("lr", type=float)
parser.add_argument("--until", type=float, default=1e9)
parser.add_argument("--steps", type=float, default=27)
parser.add_argument("--checkpoint", default="")
parser.add_argument("--lr-to", type=float, default=0)
parser.add_argument("--lr-steps", type=int, default=0)
parser.add_argument("--pause", type=float, default=0.005)
parser.add_argument("--seed", type=int, default=0)
parser.add_argument("--no-range", action="store_true")
parser.add_argument("--hold", default="")


def train(args, out):
    """Make one step at a time, each with a line in `out`; the caller waits in between."""
    if args.lr_steps and args.no_range:
        raise SystemExit("this script takes part in no range test")
    for i in range(args.lr_steps):
        lr = args.lr * (args.lr_to / args.lr) ** (i / (args.lr_steps - 1))
        x = math.log10(lr)
        loss = 2.3 - 1.5 / (1 + math.exp(-2.5 * (x + 3))) + max(0.0, x + 0.5) ** 2 * 20
        print(json.dumps({"step": i + 1, "lr": lr, "train_loss": loss}), file=out, flush=True)
    if args.lr_steps:
        return

    done = 0
    if args.checkpoint and os.path.exists(args.checkpoint):
        with open(args.checkpoint) as file:
            done = int(file.read())
    peak = 0.9 * math.exp(-0.5 * (math.log10(args.lr) + 2) ** 2)
    for step in range(done + 1, int(min(args.until, args.steps)) + 1):
        yield
        acc = peak * (1 - math.exp(-step / 9))
        line = {
            "step": step,
            "train_loss": 2.3 * (1 - acc),
            "val_loss": 2.4 * (1 - acc),
            "val_acc": acc,
        }
        print(json.dumps(line), file=out, flush=True)
        if args.checkpoint:
            with open(args.checkpoint + ".tmp", "w") as file:
                file.write(str(step))
            os.replace(args.checkpoint + ".tmp", args.checkpoint)


if __name__ == "__main__":
    asked = parser.parse_args()
    while os.path.exists(asked.checkpoint) and os.path.exists(asked.hold):
        time.sleep(0.01)
    for _ in train(asked, sys.stdout):
        time.sleep(asked.pause)
