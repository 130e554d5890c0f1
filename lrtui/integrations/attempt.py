"""What the callbacks share: how far this attempt trains, where its checkpoint is, and whether it was asked to stop.

Outside of lrtui the callbacks do nothing (`Attempt.of_lrtui`).
"""

from __future__ import annotations

import math
import os
import random
import shutil
import signal
import sys
import threading
from typing import Any

UNITS = {"LRTUI_EPOCHS": "epoch", "LRTUI_STEPS": "step", "LRTUI_TOKENS": "tokens"}


def checkpoint() -> str | None:
    """Return the path of the checkpoint that this attempt continues from; None if it starts from the beginning."""
    path = os.environ.get("LRTUI_CHECKPOINT", "")
    return path if path and os.path.exists(path) else None


class Attempt:
    """What lrtui asks of this process, read from its environment."""

    def __init__(self) -> None:
        self.of_lrtui = "LRTUI_METRICS" in os.environ
        self.lr_steps = int(os.environ.get("LRTUI_LR_STEPS", "0"))
        """The optimizer steps of a range test; 0: a training."""
        self.checkpoint = "" if self.lr_steps else os.environ.get("LRTUI_CHECKPOINT", "")
        """Where the checkpoint goes; "" if there is none."""
        self.unit = next((unit for name, unit in UNITS.items() if name in os.environ), "step")
        self.until = float(os.environ.get("LRTUI_UNTIL", "inf"))
        """The length, in `unit`s, at which this attempt ends; the schedule may be longer."""
        self.told = False
        """Whether SIGTERM has arrived: save and end."""

    def listen(self) -> None:
        """From now on SIGTERM sets `told` instead of ending the process; data loaders continue until the training ends them."""
        if not self.of_lrtui or threading.current_thread() is not threading.main_thread():
            return
        signal.signal(signal.SIGTERM, self._hear)
        _spare_loaders()

    def unlisten(self) -> None:
        """Let SIGTERM end the process again: the training is over."""
        if self.of_lrtui and signal.getsignal(signal.SIGTERM) == self._hear:
            signal.signal(signal.SIGTERM, signal.SIG_DFL)

    def lr(self, step: int) -> float | None:
        """Return the LR of an optimizer step of a range test, counted from 0; None in a training."""
        if not self.lr_steps:
            return None
        low, high = (float(os.environ[name]) for name in ("LRTUI_LR", "LRTUI_LR_TO"))
        share = step / max(1, self.lr_steps - 1)
        return low * math.pow(high / low, share)

    def has_come_to(self, **position: float) -> bool:
        """Return whether `position` (step, epoch, tokens) is the end of this attempt."""
        if self.lr_steps:
            return position["step"] >= self.lr_steps
        return self.of_lrtui and position.get(self.unit, 0.0) >= self.until * (1 - 1e-9)

    def put(self, made: str) -> None:
        """Make `made`, a file or folder in the folder `checkpoint`.saving or beside it, the checkpoint.

        A kill at any moment leaves this one or the one before it whole, on a file system that cannot exchange names perhaps that of an earlier attempt.
        """
        if os.path.isdir(self.checkpoint):  # a folder cannot be renamed over another one
            _exchange(made, self.checkpoint)
            shutil.rmtree(made, ignore_errors=True)
        else:
            os.replace(made, self.checkpoint)
        shutil.rmtree(f"{self.checkpoint}.saving", ignore_errors=True)

    def _hear(self, *_: object) -> None:
        self.told = True


def _exchange(one: str, other: str) -> None:
    """Exchange the names of two folders at once; one after the other where the file system cannot (NFS)."""
    import ctypes

    rename = getattr(ctypes.CDLL(None), "renameat2", None)
    here, exchange = -100, 2  # AT_FDCWD, RENAME_EXCHANGE
    if rename and rename(here, os.fsencode(one), here, os.fsencode(other), exchange) == 0:
        return
    parked = f"{other}.old"
    shutil.rmtree(parked, ignore_errors=True)
    os.rename(other, parked)
    os.rename(one, other)
    os.rename(parked, one)


def number(value: Any) -> Any:
    """Return what `emit` takes of `value`, a number or a scalar of a framework; else None."""
    try:
        return float(value)
    except (TypeError, ValueError, RuntimeError):
        return None


def random_states() -> dict[str, Any]:
    """Return the states of the random generators of Python and, if they are imported, numpy and torch; JSON can hold them."""
    version, words, gauss = random.getstate()
    states: dict[str, Any] = {"python": [version, list(words), gauss]}
    numpy, torch = sys.modules.get("numpy"), sys.modules.get("torch")
    if numpy is not None:
        name, key, *rest = numpy.random.get_state()
        states["numpy"] = [name, key.tolist(), *rest]
    if torch is not None:
        states["torch"] = torch.get_rng_state().tolist()
        states["cuda"] = [each.tolist() for each in torch.cuda.get_rng_state_all()]
    return states


def set_random_states(states: dict[str, Any]) -> None:
    """Go on with the random numbers where `random_states` was called."""
    numpy, torch = sys.modules.get("numpy"), sys.modules.get("torch")
    if "python" in states:
        version, words, gauss = states["python"]
        random.setstate((version, tuple(words), gauss))
    if numpy is not None and "numpy" in states:
        numpy.random.set_state(tuple(states["numpy"]))
    if torch is not None and "torch" in states:
        torch.set_rng_state(torch.tensor(states["torch"], dtype=torch.uint8))
        if len(states["cuda"]) == torch.cuda.device_count():
            torch.cuda.set_rng_state_all(
                [torch.tensor(each, dtype=torch.uint8) for each in states["cuda"]]
            )


def _spare_loaders() -> None:
    """Keep torch's data loaders from dying of the SIGTERM that a run's processes all get: the next batch would raise."""
    loaders: Any = sys.modules.get("torch.utils.data._utils.signal_handling")
    handle = getattr(loaders, "_set_worker_signal_handlers", None)
    if handle is None or handle.__name__ == "deaf":
        return

    def deaf() -> None:
        handle()
        signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])

    loaders._set_worker_signal_handlers = deaf  # noqa: SLF001
