"""The worker of the directories beside this file: val_acc peaks at LR 1e-2 and rises with the steps; some LRs come to grief.

worker.py LR [--until N] [--steps N] [--checkpoint PATH] [--lr-to LR --lr-steps N] [--batch N] [--pause SECONDS] [--early N]

1: the loss is not finite. 0.3: exit code 3. 0.1: val_acc collapses after step 4. 3: val_acc stays at chance.
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
parser.add_argument("--pause", type=float, default=0.01)
parser.add_argument("--batch", type=float, default=32)
parser.add_argument("--early", type=int, default=0)
args = parser.parse_args()

for i in range(args.lr_steps):
    lr = args.lr * (args.lr_to / args.lr) ** (i / (args.lr_steps - 1))
    x = math.log10(lr)
    loss = 2.3 - 1.5 / (1 + math.exp(-2.5 * (x + 3))) + max(0.0, x + 0.5) ** 2 * 20
    print(json.dumps({"step": i + 1, "lr": lr, "train_loss": loss}), flush=True)
if args.lr_steps:
    raise SystemExit

done = 0
if args.checkpoint and os.path.exists(args.checkpoint):
    with open(args.checkpoint) as file:
        done = int(file.read())
best = -2 + 0.5 * math.log2(args.batch / 32)
peak = 0.9 * math.exp(-0.5 * (math.log10(args.lr) - best) ** 2)
if args.lr == 0.3:
    print("the data is upside down", file=sys.stderr)
    raise SystemExit(3)
last = int(min(args.until, args.steps))
for step in range(done + 1, last + 1):
    time.sleep(args.pause)
    acc = 0.1 + (peak - 0.1) * (1 - math.exp(-step / 9))
    if args.lr == 3 or (args.lr == 0.1 and step > 4):
        acc = 0.1
    loss = math.nan if args.lr == 1 else round(2.3 * (1 - acc), 4)
    line = {
        "step": step,
        "train_loss": loss,
        "val_loss": round(2.4 * (1 - acc), 4),
        "val_acc": round(acc, 4),
    }
    print(json.dumps(line), flush=True)
    if args.checkpoint:
        with open(args.checkpoint + ".tmp", "w") as file:
            file.write(str(step))
        os.replace(args.checkpoint + ".tmp", args.checkpoint)
    if step == args.early:
        raise SystemExit
if args.lr in (0.1, 1, 3):
    time.sleep(3)
