"""`parallel = "auto"` on GPUs: begin with one run per GPU, add one per GPU while the total throughput rises, else take it back.

How well runs share a GPU cannot be predicted: small models leave most of it idle, one large model fills it. So it is measured on
the runs themselves: how much slower the earlier runs have become, against how many run now. Memory comes first: another run is
tried only if one of the largest size seen would fit.

Decisions are journalled (`ParallelSet`, with the figures); measurements are not, so another supervisor measures again.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from lrtui.hardware.gpu import Gpu
from lrtui.sweep import events as ev
from lrtui.sweep.state import State, Sweep

WINDOW_SECONDS = 15.0
"""Speed is measured over at least this long,"""
WINDOW_LINES = 3
"""and over this many metric lines of every run."""
GAIN = 1.05
"""The total throughput must rise by this factor; otherwise more runs only share the loss when one dies."""
SPARE = 0.05
"""Share of a GPU's memory that stays free."""
LARGER = 1.25
"""The next run may need this many times the memory of the largest run so far."""


@dataclass(frozen=True, slots=True)
class Pace:
    """How far a run has come."""

    level: float
    lines: int


@dataclass
class AutoParallel:
    """What is known about how many runs a GPU can train at once; `settled` once that is decided."""

    settled: bool
    _parallel: int = 0
    """The number set here last; any other number was set by the user, and is final."""
    _began: float = 0.0
    _first: Mapping[str, Pace] = field(default_factory=dict)
    """Each run's progress when this window began."""
    _before: tuple[int, Mapping[str, float]] | None = None
    """The number of runs and the speed of each before one more was tried."""

    def tick(
        self, sweep: Sweep, paces: Mapping[str, Pace], gpus: Sequence[Gpu], now: float
    ) -> list[ev.AnyEvent]:
        """Return the new number of runs after a measurement, if it changes; `now` is a monotonic clock in seconds."""
        if self.settled or sweep.plan is None:
            return []
        if self._parallel not in (0, sweep.parallel):
            self.settled = True
            return []
        alive = sweep.alive()
        steady = len(alive) >= sweep.parallel and all(r.state is State.RUNNING for r in alive)
        if not steady or paces.keys() != self._first.keys():
            self._began, self._first = now, dict(paces) if steady else {}
            return []
        seconds = now - self._began
        heard = all(
            pace.lines - self._first[run].lines >= WINDOW_LINES for run, pace in paces.items()
        )
        if not paces or not heard or seconds < WINDOW_SECONDS:
            return []
        speeds = {run: (p.level - self._first[run].level) / seconds for run, p in paces.items()}
        return self._judge(sweep, speeds, gpus)

    def _judge(
        self, sweep: Sweep, speeds: Mapping[str, float], gpus: Sequence[Gpu]
    ) -> list[ev.AnyEvent]:
        """Return the next number of runs, after a window in which nothing changed."""
        assert sweep.plan is not None  # noqa: S101  # further() asked
        gained = ""
        if self._before is not None:
            count, earlier = self._before
            gain = len(speeds) / count * _slowing(earlier, speeds)
            gained = f"{len(speeds)} at once train {gain:.2f} times as fast as {count}"
            if gain < GAIN:
                self.settled = True
                return [ev.ParallelSet(parallel=count, why=gained)]
        has_room = _has_room(sweep, gpus)
        if not has_room or not sweep.queued():
            self._before = None
            self.settled = not has_room
            return []
        self._before = (len(speeds), speeds)
        self._parallel = sweep.parallel + len(sweep.plan.devices)
        why = f"{gained}; trying more" if gained else "there is room for one more on each GPU"
        return [ev.ParallelSet(parallel=self._parallel, why=why)]


def _slowing(earlier: Mapping[str, float], speeds: Mapping[str, float]) -> float:
    """Return the earlier runs' present speed relative to before; if none is left, the ratio of the mean speeds."""
    both = [run for run in speeds if earlier.get(run, 0) > 0]
    if both:
        return sum(speeds[run] / earlier[run] for run in both) / len(both)
    then = sum(earlier.values()) / max(1, len(earlier))
    return sum(speeds.values()) / len(speeds) / then if then > 0 else 0.0


def _has_room(sweep: Sweep, gpus: Sequence[Gpu]) -> bool:
    """Return whether another run fits on every GPU of the plan; False if a GPU does not respond."""
    assert sweep.plan is not None  # noqa: S101
    known = {gpu.index: gpu for gpu in gpus}
    for device in sweep.plan.devices:
        gpu = known.get(device)
        if gpu is None:
            return False
        runs = sum(device in run.attempts[-1].devices for run in sweep.alive())
        largest = gpu.memory_used_mib / max(1, runs)
        if gpu.memory_used_mib + LARGER * largest > (1 - SPARE) * gpu.memory_total_mib:
            return False
    return True
