"""The LR range test (Smith 2017): the LR rises from step to step while the loss is watched; called by `__main__`.

    step 1 uses --lr, step --lr-steps uses --lr-to, between them each step's LR is the last one's times the same factor
    a metric line for each step, with that step's LR and the loss of its batch
    the test ends early if the loss diverges

It shows where learning begins and where it breaks, for a few seconds' work. The schedule, --until and --checkpoint have no
part in it: nothing is evaluated, and the trained weights are discarded. The supervisor interprets the curve.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from lrtui.emit import emit
from lrtui.train.loop import introduction, settle
from lrtui.train.options import Choice
from lrtui.train.run_state import Training, set_up
from lrtui.train.step import take_step
from lrtui.train.stop_flag import Stop

if TYPE_CHECKING:
    from lrtui.train.options import Options, RangeTest

SMOOTHING = 0.98
"""The share of the old in each new mean; this and the next are fastai's."""
TURNED = 4.0
"""The test ends when the smoothed loss is more than this many times its lowest."""


def raise_lr(options: Options, test: RangeTest) -> int:
    """Run the test and return the exit code: 0, or 130 after Ctrl-C.

    Raises:
        UsageError: the prepared folder, the model or the options do not go together.

    """
    settle(options)
    training = set_up(replace(options, schedule=Choice("constant", {}), checkpoint=None))
    note = f"range test: to lr {test.to:.2e} in {test.steps} steps; nothing of it is kept"
    print(introduction(training, note), flush=True)
    with Stop() as stop:
        end = _climb(training, test, stop)
    print(end or f"stopped at step {training.step}", flush=True)
    return 0 if end else stop.exit_code


def _climb(training: Training, test: RangeTest, stop: Stop) -> str:
    """Take the steps; return how the test ended as text, "" if a signal came first."""
    smoothed = Smoothed()
    for step in range(1, test.steps + 1):
        if stop.asked:
            return ""
        for group in training.optimizer.param_groups:
            group["lr"] = rate(training.options.lr, test, step)
        loss = float(take_step(training).item())
        epoch = round(training.step / training.epoch_steps, 6)
        emit(step=training.step, epoch=epoch, lr=training.lr, train_loss=loss)
        if turn := smoothed.turn(loss):
            return f"stopped at step {step}, lr {training.lr:.2e}: {turn}"
    return "done"


def rate(lr: float, test: RangeTest, step: int) -> float:
    """Return the LR of a step, from 1."""
    share = (step - 1) / (test.steps - 1)
    return float(lr ** (1 - share) * test.to**share)


@dataclass(slots=True)
class Smoothed:
    """The exponential mean of the losses so far, and its lowest value."""

    sum: float = 0.0
    weight: float = 0.0
    """Of what `sum` holds: below 1, because it began at nothing; the mean is sum / weight."""
    lowest: float = math.inf

    def turn(self, loss: float) -> str:
        """Add the next loss; return why the test ends, "" while it continues."""
        if not math.isfinite(loss):
            return f"the loss is {loss}"
        self.sum = SMOOTHING * self.sum + (1 - SMOOTHING) * loss
        self.weight = SMOOTHING * self.weight + (1 - SMOOTHING)
        mean = self.sum / self.weight
        self.lowest = min(self.lowest, mean)
        if mean > TURNED * self.lowest:
            return f"the smoothed loss is {mean:.4g}, its lowest was {self.lowest:.4g}"
        return ""
