"""`parallel = "auto"` on GPUs: begin with one run each, add one to each while all together get faster, take it back where not.

How fast a GPU gets through its work with more runs on it cannot be told in advance: small models leave most of it idle,
large ones fill it alone. So it is measured, on the runs themselves: how much slower the ones that were there before have
become, against how many there are now. Memory comes first: one more is only tried where it fits beside the largest seen.

What it decides is journalled (`ParallelSet`, with the figures), what it has measured is not: another supervisor measures anew.
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
"""and over so many metric lines of every run."""
GAIN = 1.05
"""More at once must be this much faster in all, or they only share the loss when one dies."""
SPARE = 0.05
"""Share of a GPU's memory that stays free."""
LARGER = 1.25
"""The next run may need so much more memory than the largest until now."""


@dataclass(frozen=True, slots=True)
class Pace:
    """How far a run has come."""

    level: float
    lines: int


@dataclass
class AutoParallel:
    """What is known of how many runs a GPU carries; `settled` once it has its answer."""

    settled: bool
    _parallel: int = 0
    """What we set last; another number is a person's, and final."""
    _began: float = 0.0
    _first: Mapping[str, Pace] = field(default_factory=dict)
    """Where the runs stood when this window began."""
    _before: tuple[int, Mapping[str, float]] | None = None
    """How many there were, and how fast each was, before one more was tried."""

    def tick(
        self, sweep: Sweep, paces: Mapping[str, Pace], gpus: Sequence[Gpu], now: float
    ) -> list[ev.AnyEvent]:
        """Return what a look at the running runs makes of it; `now` is a monotonic clock, s."""
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
    """Return how fast the runs that were there before are now, against then; where none is left, the means."""
    both = [run for run in speeds if earlier.get(run, 0) > 0]
    if both:
        return sum(speeds[run] / earlier[run] for run in both) / len(both)
    then = sum(earlier.values()) / max(1, len(earlier))
    return sum(speeds.values()) / len(speeds) / then if then > 0 else 0.0


def _has_room(sweep: Sweep, gpus: Sequence[Gpu]) -> bool:
    """Return whether a further run fits on every GPU of the plan; not on one that does not answer."""
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
