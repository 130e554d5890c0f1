"""Where a record stands in training: the memory of positions of one stream of records.

A small state machine whose state depends only on the records, not on how they were divided among reads: reading a file again
after a restart gives the same lengths. A *label* is the length that a record belongs to, in the horizon's unit; an integer
epoch that its script prints many times means "inside this epoch", so its label is the epoch's end, and `complete` says how
far training is known to have come.
"""

from __future__ import annotations

import math
import sys

import msgspec

from lrtui.metrics.capture.reading import Reading
from lrtui.metrics.deciding import EVALUATES

NAMES = {
    "step": (
        *("trainer/global_step", "global_step", "step", "iteration", "iter", "it", "itr"),
        *("_step", "num_updates", "update"),
    ),
    "epoch": ("epoch", "trainer/epoch", "current_epoch", "epoch_num", "_epoch"),
    "tokens": (
        *("tokens", "num_tokens", "tokens_seen", "consumed_tokens"),
        *("num_input_tokens_seen", "train/tokens", "n_tokens"),
    ),
}
"""The scripts' names of each unit, the most trusted first; case is ignored. No plurals: those are settings."""
FAR = 2.0
"""A position beyond this many horizons is a bad record, not progress."""
_MOST_HELD = 100
_SURE = 10
"""From this many steps on, a run that exits with 0 one step short of its end counted from 0, whatever its first position."""


class Placed(msgspec.Struct, frozen=True):
    """A record with its label."""

    label: float
    fields: dict[str, float]


class Memory(msgspec.Struct):
    """All that is remembered of a stream's positions."""

    last: float | None = None
    """The label of the last record."""
    began: float | None = None
    """The first position as printed."""
    epoch: float | None = None
    """The integer epoch of the last position as printed."""
    zero: bool | None = None
    """Whether epochs count from 0; None: not known yet."""
    exact: bool = False
    """Whether positions are lengths: steps, or epochs with a fraction."""
    batches: bool = False
    """Whether batches refine the epochs."""
    complete: float = 0.0
    counted: int = 0
    """The number of values of the deciding metric in this epoch."""
    repeats: bool | None = None
    """Whether an earlier epoch had several."""
    held: list[dict[str, float]] = []
    """Records of epoch 0, while it is not known whether that is the first epoch or what was measured before it."""


class Positions:
    """Gives each record of one stream its label."""

    def __init__(self, reading: Reading) -> None:
        self._reading = reading
        self._counts = reading.unit == "epoch" and not reading.exact
        """Whether integers are epochs, inside which a record may lie."""
        self.limit = min(FAR * reading.horizon + 1, sys.float_info.max)
        self.memory = Memory(exact=not self._counts)
        if self._counts and reading.first is not None:
            self.memory.zero = reading.first == 0
        self._shift = 1 - reading.first if reading.first is not None and not self._counts else 0
        self._own = EVALUATES.search(reading.metric) is not None
        """Whether the deciding metric's name is that of an evaluation."""
        self.plain = not self._counts and self._shift == 0
        """Whether a position above 0 is its record's label, without further checks."""

    def place(
        self, position: float | None, fields: dict[str, float], *, whole: bool = True
    ) -> tuple[list[Placed], str]:
        """Return the records whose labels are now known, in order, and why this one is not taken ("" if it is, or is held back).

        `whole`: whether the position was written without a fraction (0, not 0.0).
        """
        memory = self.memory
        batch, batches = fields.pop("batch", None), fields.pop("batches", None)
        if position is not None and not math.isfinite(position):
            return [], "have no number as their position"
        if position is not None and position > self.limit:
            return [], f"stand far beyond the horizon ({self._reading.horizon:g})"
        ahead = memory.last is not None and memory.last > 0
        if position is None or (
            position <= 0 and ahead and not (memory.zero and memory.epoch == 0)
        ):
            return self._belonging(batch, batches, fields)
        if position < 0:
            return [], "have a position below 0"
        if memory.began is None:
            memory.began = position
        if not self._counts:
            return [self._at(position + self._shift, fields)], ""
        return self._in_epoch(position, batch, batches, fields, whole=whole), ""

    def came_to(self, last: float, complete: float) -> None:
        """Record the last and the furthest of plain positions; `last` is 0 if there were none."""
        if last:
            self.memory.last = last
            self.memory.complete = max(self.memory.complete, complete)

    def end(self, until: float) -> list[Placed]:
        """Return the records that were held back, after a process that trained to `until` exited with 0."""
        placed = self._release(zero=True) if self.memory.held else []
        memory = self.memory
        if memory.last is None:
            return placed
        if memory.last < until:
            left = until - memory.last
            counted_from_0 = (
                not self._counts
                and self._reading.first is None
                and left == 1
                and (memory.began == 0 or until >= _SURE)
            )
            if counted_from_0 or (memory.batches and left < 1):
                placed.append(Placed(until, {}))
                memory.last = until
        memory.complete = max(memory.complete, memory.last)
        return placed

    def forget_settings(self, position: float | None) -> None:
        """Start over at the first measurement if it lies before the positions read so far: those were settings, such as a schedule's step size."""
        last = self.memory.last
        if position is not None and last is not None and position < last:
            fresh = Positions(self._reading)
            self.memory = fresh.memory

    def flush(self) -> list[Placed]:
        """Return the records that were held back, after a process failed or was stopped."""
        return self._release(zero=True) if self.memory.held else []

    def go_on_from(self, earlier: Positions) -> None:
        """Count positions as an earlier attempt did."""
        if self.memory.began is None and self.memory.zero is None and self._counts:
            self.memory.zero = earlier.memory.zero

    # ── one record ────────────────────────────────────────────────────────────────────────────────

    def _at(self, label: float, fields: dict[str, float]) -> Placed:
        self.memory.last = label
        self.memory.complete = max(self.memory.complete, label)
        return Placed(label, fields)

    def _belonging(
        self, batch: float | None, batches: float | None, fields: dict[str, float]
    ) -> tuple[list[Placed], str]:
        """Place a record without a position: it belongs to the last one."""
        memory = self.memory
        if memory.held:
            return self._hold(fields), ""
        if memory.last is None:
            unit = self._reading.unit
            other = next((each for each in NAMES if each in fields), None)
            if other is None:
                return [], f"came before any {unit}"
            return [], f'say {other}, and no {unit} (position = "{other}" if that counts {unit}s)'
        if memory.epoch is None:
            return [Placed(memory.last, fields)], ""
        if batch is not None and batches:
            return [self._batch(memory.epoch, batch, batches, fields)], ""
        if self._decides(fields):
            if memory.batches:  # an evaluation follows the end of its epoch
                memory.last = self._label(memory.epoch)
                memory.complete = max(memory.complete, memory.last)
            self._evaluated()
        return [Placed(memory.last, fields)], ""

    def _in_epoch(
        self,
        position: float,
        batch: float | None,
        batches: float | None,
        fields: dict[str, float],
        *,
        whole: bool,
    ) -> list[Placed]:
        """Place a record that names an epoch."""
        memory = self.memory
        if batch is not None and batches and position.is_integer():
            memory.zero = position == 0 if memory.zero is None else memory.zero
            return [*self._release(zero=memory.zero), self._batch(position, batch, batches, fields)]
        if memory.exact or not position.is_integer():
            memory.exact = True
            memory.epoch = None
            return [*self._release(zero=False), self._at(position, fields)]
        if memory.zero is None:
            if position == 0:
                if whole and self._reading.loss in fields:
                    memory.zero = True
                else:
                    return self._hold(fields)
            else:
                memory.zero = bool(memory.held) and not self._started_with_evaluation(fields)
        placed = self._release(zero=memory.zero)
        placed.append(self._counted(position, fields))
        return placed

    def _counted(self, position: float, fields: dict[str, float]) -> Placed:
        """Place a record that names a whole epoch: somewhere inside it, or its end."""
        memory = self.memory
        label = self._label(position)
        if position != memory.epoch:
            if memory.counted:
                memory.repeats = memory.counted > 1
            memory.counted = 0
            memory.epoch = position
            memory.batches = False
            memory.complete = max(memory.complete, label - 1)
        memory.last = label
        if self._decides(fields):
            self._evaluated()
        return Placed(label, fields)

    def _batch(
        self, epoch: float, batch: float, batches: float, fields: dict[str, float]
    ) -> Placed:
        memory = self.memory
        if epoch != memory.epoch:
            memory.epoch, memory.counted = epoch, 0
        memory.batches = True
        begin = epoch if memory.zero else max(0.0, epoch - 1)
        label = begin + min(1.0, max(0.0, batch / batches))
        if batch == 0 and memory.last is not None and begin < memory.last <= begin + 1:
            label = memory.last  # a bar that is set back for the next epoch
        seen, memory.counted = memory.counted, memory.counted + self._decides(fields)
        if label < begin + 1 or (memory.counted and not seen):
            return self._at(label, fields)
        # Complete when the next epoch begins: until then a bar shows the last evaluation.
        memory.last = label
        return Placed(label, fields)

    def _label(self, epoch: float) -> float:
        """Return the length at an epoch's end. A script that counts from 0 and reaches the horizon's number began with an evaluation."""
        if not self.memory.zero or epoch == self._reading.horizon:
            return epoch
        return epoch + 1

    # ── evaluations ───────────────────────────────────────────────────────────────────────────────

    def _decides(self, fields: dict[str, float]) -> bool:
        return self._reading.metric in fields

    def _evaluated(self) -> None:
        """Count a value of the deciding metric: if there is one per epoch, it ends the epoch."""
        memory = self.memory
        memory.counted += 1
        once = not memory.repeats and (self._own or memory.repeats is False)
        if once and memory.last is not None:
            memory.complete = max(memory.complete, memory.last)

    # ── epoch 0 ───────────────────────────────────────────────────────────────────────────────────

    def _hold(self, fields: dict[str, float]) -> list[Placed]:
        """Hold back a record of epoch 0 until it is known what 0 means: a repeated name means training inside an epoch."""
        memory = self.memory
        inside = any(name in each for each in memory.held for name in fields)
        memory.held = [*memory.held, fields]
        if inside or len(memory.held) >= _MOST_HELD:
            memory.zero = True
            return self._release(zero=True)
        return []

    def _release(self, *, zero: bool) -> list[Placed]:
        memory = self.memory
        held, memory.held = memory.held, []
        if not held:
            return []
        memory.zero = zero
        if memory.exact:
            return [self._at(0.0, fields) for fields in held]
        return [self._counted(0.0, fields) for fields in held]

    def _started_with_evaluation(self, fields: dict[str, float]) -> bool:
        """Return whether the records of epoch 0 were measured before training: they lack the training loss, the next record has it."""
        held = {name for each in self.memory.held for name in each}
        losses = (name for name in fields if name == self._reading.loss or "loss" in name.lower())
        return any(name not in held for name in losses)
