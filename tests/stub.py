"""A training script for tests, with an outside oracle: nothing of lrtui, nothing random.

usage: stub.py ORACLE RUN LR UNTIL CHECKPOINT [--sleep S] [--ignore-term] [--fork] [--setsid] [--nan] [--fail]

While there is a file ORACLE/hold, an attempt makes no more steps than the number in it.

Two workers of one run are seen because each takes a non-blocking flock on ORACLE/RUN.lock, outside the experiment: the second
writes to ORACLE/RUN.doubled. Every step is appended to ORACLE/RUN.steps *after* its metric line was written.
"""

import fcntl
import json
import os
import signal
import subprocess
import sys
import time


def train(words, environ):
    """Make one step at a time; the caller waits in between."""
    oracle, run, lr, until, checkpoint, *flags = words
    sleep = pause(flags)
    if "--fail" in flags:
        raise SystemExit("stub: cannot find the data")
    step = 0
    if os.path.exists(checkpoint):
        with open(checkpoint) as file:
            step = int(file.read())
    metrics = os.open(environ["LRTUI_METRICS"], os.O_CREAT | os.O_APPEND | os.O_WRONLY)
    told = os.open(f"{oracle}/{run}.steps", os.O_CREAT | os.O_APPEND | os.O_WRONLY)
    while step < float(until):
        yield
        step += 1
        loss = "NaN" if "--nan" in flags else 1 / step
        line = {
            "step": step,
            "train_loss": loss,
            "val_acc": 1 - 1 / (step + float(lr)),
            "time": step * sleep,
        }
        os.write(metrics, json.dumps(line).encode() + b"\n")
        os.write(told, f"{environ['LRTUI_TOKEN'][:6]} {step}\n".encode())
        with open(f"{checkpoint}.tmp", "w") as file:
            file.write(str(step))
        os.rename(f"{checkpoint}.tmp", checkpoint)
    os.close(metrics)
    os.close(told)


def pause(flags):
    """Return the seconds that a step takes."""
    return float(flags[flags.index("--sleep") + 1]) if "--sleep" in flags else 0.02


def main(words):
    oracle, run, _lr, _until, _checkpoint, *flags = words
    lock = os.open(f"{oracle}/{run}.lock", os.O_CREAT | os.O_RDWR)
    os.set_inheritable(lock, False)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        with open(f"{oracle}/{run}.doubled", "a") as file:
            file.write(f"{os.getpid()}\n")
    if "--ignore-term" in flags:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    if "--fork" in flags and os.fork() == 0:
        os.close(lock)
        time.sleep(600)
    if "--setsid" in flags:
        subprocess.Popen(["sleep", "600"], start_new_session=True)
    for made, _ in enumerate(train(words, os.environ)):
        time.sleep(pause(flags))
        while made >= allowed(oracle):
            time.sleep(0.01)


def allowed(oracle):
    try:
        with open(f"{oracle}/hold") as file:
            return int(file.read())
    except FileNotFoundError:
        return float("inf")


if __name__ == "__main__":
    main(sys.argv[1:])
