"""A model of the user's own for tests of the built-in trainer, with the outside oracle of `stub.py`.

`folder` is where the oracle stands; each forward pass takes `sleep` seconds. A line is told to the oracle after `emit` wrote it.
"""

import fcntl
import os
import time
from pathlib import Path

from torch import Tensor, nn

from lrtui.train import loop


class Slow(nn.Module):
    """One linear layer that takes its time."""

    def __init__(self, inputs: int, classes: int, sleep: float) -> None:
        super().__init__()
        self.layer = nn.Linear(inputs, classes)
        self.sleep = sleep

    def forward(self, images: Tensor) -> Tensor:
        time.sleep(self.sleep if self.training else 0)
        return self.layer(images.flatten(1))


def build(channels: int, size: int, classes: int, folder: str = "", sleep: float = 0.02):
    run = Path(folder, os.environ["LRTUI_RUN"])
    lock = os.open(f"{run}.lock", os.O_CREAT | os.O_RDWR)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        with open(f"{run}.doubled", "a") as file:
            file.write(f"{os.getpid()}\n")
    told = os.open(f"{run}.steps", os.O_CREAT | os.O_APPEND | os.O_WRONLY)
    write = loop.emit

    def emit(**metrics: float) -> None:
        write(**metrics)
        os.write(told, f"{os.environ['LRTUI_TOKEN'][:6]} {metrics['step']}\n".encode())

    loop.emit = emit
    return Slow(channels * size * size, classes, sleep)
