"""Runs of one process that take their steps in turns: what tests compare and benchmarks time."""

from __future__ import annotations

from functools import partial

from lrtui.train.multiplex.runs import MultiplexedRuns
from lrtui.train.step import Stepper


class RoundRobin:
    """Runs that take their steps in turns, without lines or evaluations: what is compared and timed."""

    def __init__(self, runs):
        """Set them up.

        Raises:
            UsageError: as `training.set_up`.

        """
        self._runs = MultiplexedRuns()
        self._members = [self._runs.set_up(options) for options in runs]
        self._steppers = [Stepper(member.training) for member in self._members]

    @property
    def trainings(self):
        """The runs, in the order that they came in."""
        return [member.training for member in self._members]

    def step(self):
        """Take one step of each."""
        for member, stepper in zip(self._members, self._steppers, strict=True):
            batch = self._runs.batch(member.training)
            member.turn(partial(stepper.step, batch), batch)
