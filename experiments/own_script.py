"""Logistic regression by plain SGD, standard library only: all that a script needs to take part in a sweep.

It takes the LR and the lengths from its command line, prints one JSON object per line, and goes on from its
checkpoint. Any language can do that. `python own_script.py --lr 0.1 --epochs 5` works without lrtui too.
"""

import argparse
import json
import math
import os
import random

parser = argparse.ArgumentParser()
parser.add_argument("--lr", type=float, required=True)
parser.add_argument("--seed", type=int, default=0)
parser.add_argument("--epochs", type=int, default=20)
parser.add_argument("--until", type=float, help="stop here; default: the end")
parser.add_argument("--lr-to", type=float, help="raise the LR from --lr to this ...")
parser.add_argument("--lr-steps", type=int, default=0, help="... in so many steps; 0: train")
parser.add_argument("--checkpoint", default="", help="kept here, and gone on from where it exists")
args = parser.parse_args()

# Two classes that overlap, in eight measurements of very different size: small LRs crawl, large ones bounce.
data = random.Random("the same data for every run")
SCALES = [8, 4, 2, 1, 1, 0.5, 0.5, 0.1]
labels = [data.randrange(2) for _ in range(12_000)]
points = [[scale * data.gauss(0.5 * label, 1) for scale in SCALES] for label in labels]
examples = list(zip(points, labels, strict=True))
train, val = examples[:10_000], examples[10_000:]


def predict(weights: list[float], point: list[float]) -> float:
    """The probability of class 1."""
    logit = sum(w * x for w, x in zip(weights, [*point, 1], strict=True))
    return 1 / (1 + math.exp(-max(-50.0, min(50.0, logit))))


def evaluate(weights: list[float], examples: list[tuple[list[float], int]]) -> tuple[float, float]:
    """Mean loss and share of right answers."""
    ones = [(predict(weights, point), label) for point, label in examples]
    chances = [one if label else 1 - one for one, label in ones]
    loss = -sum(math.log(max(chance, 1e-12)) for chance in chances) / len(chances)
    return loss, sum(chance > 0.5 for chance in chances) / len(chances)


def learn(weights: list[float], examples: list[tuple[list[float], int]], lr: float) -> list[float]:
    """The weights after one look at each example."""
    for point, label in examples:
        error = label - predict(weights, point)
        weights = [w + lr * error * x for w, x in zip(weights, [*point, 1], strict=True)]
    return weights


start = random.Random(args.seed)
weights, done = [start.gauss(0, 0.1) for _ in range(9)], 0

# A range test, if asked for: a little training at each of many LRs, and how well it goes. Nothing of it is kept.
for step in range(args.lr_steps):
    lr = args.lr * (args.lr_to / args.lr) ** (step / (args.lr_steps - 1))
    few = start.sample(train, 100)
    line = {"step": step + 1, "epoch": (step + 1) * 100 / len(train), "lr": lr}
    print(json.dumps({**line, "train_loss": evaluate(weights, few)[0]}), flush=True)
    weights = learn(weights, few, lr)
if args.lr_steps:
    raise SystemExit

if os.path.exists(args.checkpoint):
    with open(args.checkpoint) as file:
        weights, done = json.load(file)

for epoch in range(done + 1, math.ceil(args.until or args.epochs) + 1):
    # The order depends on seed and epoch alone, so a resumed run sees what an unbroken one would have seen.
    order = random.Random(f"{args.seed} {epoch}").sample(train, len(train))
    weights = learn(weights, order, args.lr)
    loss, acc = evaluate(weights, train)
    val_loss, val_acc = evaluate(weights, val)
    # One JSON object per line is all that lrtui wants. Python has another way: from lrtui import emit; emit(epoch=..)
    line = {"epoch": epoch, "train_loss": loss, "val_loss": val_loss, "train_acc": acc}
    print(json.dumps({**line, "val_acc": val_acc}), flush=True)
    if args.checkpoint:  # whole or not at all, even if killed now
        with open(args.checkpoint + ".tmp", "w") as file:
            json.dump([weights, epoch], file)
        os.replace(args.checkpoint + ".tmp", args.checkpoint)
