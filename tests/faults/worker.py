"""A training script that keeps its promises on disk: emit() lines and fsynced checkpoints, told to an oracle outside.

usage: worker.py ORACLE RUN UNTIL CHECKPOINT [SLEEP]

Like tests/stub.py: a second worker of one run writes ORACLE/RUN.doubled, and a step is told only after emit() has returned.
"""

import fcntl
import os
import sys
import time

from lrtui import emit

oracle, run, until, checkpoint, *rest = sys.argv[1:]
lock = os.open(f"{oracle}/{run}.lock", os.O_CREAT | os.O_RDWR)
try:
    fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
except BlockingIOError:
    open(f"{oracle}/{run}.doubled", "a").close()


def allowed():
    """Return how many steps this attempt may make now (see tests/stub.py)."""
    try:
        with open(f"{oracle}/hold") as file:
            return int(file.read())
    except FileNotFoundError:
        return float("inf")


lr = float(os.environ["LRTUI_LR"])
step = made = 0
if os.path.exists(checkpoint):
    with open(checkpoint) as file:
        step = int(file.read())
told = os.open(f"{oracle}/{run}.steps", os.O_CREAT | os.O_APPEND | os.O_WRONLY)
while step < float(until):
    time.sleep(float(rest[0]) if rest else 0.02)
    if made >= allowed():
        continue
    before = emit.__globals__["_OUTPUT"].dropped
    emit(step=step + 1, train_loss=1 / (step + 1), val_acc=1 - 1 / (step + 2 + lr))
    if emit.__globals__["_OUTPUT"].dropped > before:
        continue  # not written, so not told and not counted: the next try is the same step
    step += 1
    made += 1
    os.write(told, f"{os.environ['LRTUI_TOKEN'][:6]} {step}\n".encode())
    try:
        with open(f"{checkpoint}.tmp", "w") as file:
            file.write(str(step))
            file.flush()
            os.fsync(file.fileno())
        os.rename(f"{checkpoint}.tmp", checkpoint)
    except OSError:
        continue  # the earlier one stands
