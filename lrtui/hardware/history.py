"""The load of the machine while the monitor is open, in bounded memory: the reader samples, the pane draws.

Every two seconds at first. When the history is full, neighbours become one by their mean and the pace halves, so a day takes
as little memory as an hour.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct

if TYPE_CHECKING:
    from lrtui.hardware.cpu import Usage
    from lrtui.hardware.gpu import Gpu

MOST = 600
"""The most samples kept."""
EVERY_SECONDS = 2.0
_AT_FIRST_SECONDS = 0.5
"""The time until the second reading; a load is measured between two readings."""


class Sample(Struct, frozen=True):
    """Percentages at one moment; None if unknown."""

    at: float
    """By the monotonic clock, in seconds."""
    cpu: float | None
    memory: float | None
    gpus: tuple[tuple[int, float | None, float], ...] = ()
    """(index, utilisation, memory) of each GPU."""


class History(Struct, frozen=True):
    """The samples so far, oldest first, and the latest readings."""

    samples: tuple[Sample, ...] = ()
    usage: Usage | None = None
    gpus: tuple[Gpu, ...] = ()


class Recorder:
    """Collects samples; owned by the reader."""

    def __init__(self) -> None:
        self.history = History()
        self._every = EVERY_SECONDS
        self._group: list[Sample] = []
        """The readings for the next sample."""

    @property
    def due_at(self) -> float:
        """The time of the next reading, by the monotonic clock."""
        usage = self.history.usage
        rest = EVERY_SECONDS if self.history.samples else _AT_FIRST_SECONDS
        return usage.at + rest if usage else 0.0

    def add(self, usage: Usage, gpus: tuple[Gpu, ...]) -> History:
        """Add a reading and return the history."""
        samples = self.history.samples
        if self.history.usage is not None or usage.cpu is not None:
            self._group.append(sample(usage, gpus))
        if self._group and usage.at - self._group[0].at >= self._every - EVERY_SECONDS:
            samples = (*samples, mean(self._group))
            self._group = []
        if len(samples) >= MOST:
            samples = tuple(mean(samples[at : at + 2]) for at in range(0, len(samples), 2))
            self._every *= 2
        self.history = History(samples, usage, gpus)
        return self.history


def sample(usage: Usage, gpus: tuple[Gpu, ...]) -> Sample:
    """Return a reading as percentages."""
    total = usage.memory_total_mib
    memory = 100.0 * usage.memory_used_mib / total if total else None
    cards = tuple(
        (
            gpu.index,
            None if gpu.utilisation is None else float(gpu.utilisation),
            100.0 * gpu.memory_used_mib / max(1, gpu.memory_total_mib),
        )
        for gpu in gpus
    )
    return Sample(usage.at, usage.cpu, memory, cards)


def mean(samples: list[Sample] | tuple[Sample, ...]) -> Sample:
    """Merge several samples into one, at the time of the last."""
    last = samples[-1]
    if len(samples) == 1:
        return last
    cards = []
    for index, _, _ in last.gpus:
        same = [card for each in samples for card in each.gpus if card[0] == index]
        memory = sum(card[2] for card in same) / len(same)
        cards.append((index, _mean([card[1] for card in same]), memory))
    cpu = _mean([each.cpu for each in samples])
    return Sample(last.at, cpu, _mean([each.memory for each in samples]), tuple(cards))


def thinned(samples: tuple[Sample, ...], most: int) -> tuple[Sample, ...]:
    """Return at most `most` samples, each the mean of its neighbours, because a flickering load would fill the chart."""
    size = -(-len(samples) // max(1, most))
    return tuple(mean(samples[at : at + size]) for at in range(0, len(samples), max(1, size)))


def _mean(values: list[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return sum(known) / len(known) if known else None
