"""The load of CPU and memory, in total and of each worker, read from /proc.

The monitor's reader asks; nothing is decided by it. A share of time is measured between two readings, so the first has none.
Where /proc cannot be read a value is missing, never an error. (psutil reads every process to find a worker's children: 10 ms
for each among 110 processes, here 0.2 ms.)
"""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from lrtui.workers import keeper

_PAGE = os.sysconf("SC_PAGE_SIZE")
_TICKS = os.sysconf("SC_CLK_TCK")
_MIB = 1 << 20
_MOST_PROCESSES = 64
"""The most processes counted per worker; a script with more shows less than it uses."""


@dataclass(frozen=True, slots=True)
class Taken:
    """The usage of one worker and its children."""

    cpu: float | None
    """Percent of one core since the previous reading; None at the first."""
    memory_mib: int
    """Resident memory; shared pages count for each process."""


@dataclass(frozen=True, slots=True)
class Usage:
    """The machine at one moment."""

    at: float
    """By the monotonic clock, in seconds."""
    cpu: float | None = None
    """Percent of all cores since the previous reading; None if unknown."""
    memory_used_mib: int = 0
    memory_total_mib: int = 0
    """0 if unknown."""
    workers: Mapping[str, Taken] = field(default_factory=lambda: MappingProxyType({}))


class Meter:
    """Reads the machine repeatedly and keeps the counters of the last reading."""

    def __init__(self) -> None:
        self._machine: tuple[int, int] | None = None
        self._workers: dict[tuple[str, int, int], tuple[float, float]] = {}
        """(CPU seconds, when) by worker."""

    def read(self, workers: Mapping[str, tuple[int, int]]) -> Usage:
        """Return the present; `workers` gives (pid, start in clock ticks since boot) of each worker by its name."""
        now = time.monotonic()
        machine = _machine_ticks()
        cpu = None
        if machine and self._machine and machine[1] > self._machine[1]:
            busy, all_ = machine[0] - self._machine[0], machine[1] - self._machine[1]
            cpu = 100.0 * min(max(busy / all_, 0.0), 1.0)
        self._machine = machine
        used, total = _memory_mib()
        taken: dict[str, Taken] = {}
        counters: dict[tuple[str, int, int], tuple[float, float]] = {}
        for name, (pid, start) in workers.items():
            found = _tree(pid, start)
            if found is None:
                continue
            seconds, memory = found
            before = self._workers.get((name, pid, start))
            counters[name, pid, start] = (seconds, now)
            share = None
            if before and now > before[1]:
                share = 100.0 * max(0.0, seconds - before[0]) / (now - before[1])
            taken[name] = Taken(share, memory)
        self._workers = counters
        return Usage(now, cpu, used, total, MappingProxyType(taken))


def _machine_ticks() -> tuple[int, int] | None:
    """Return (busy, all) clock ticks of all cores since boot."""
    try:
        with open("/proc/stat", "rb") as file:
            numbers = [int(word) for word in file.readline().split()[1:9]]
    except (OSError, ValueError):
        return None
    if len(numbers) < 5:
        return None
    idle = numbers[3] + numbers[4]  # waiting for a disk is idle, too
    return sum(numbers) - idle, sum(numbers)


def _memory_mib() -> tuple[int, int]:
    """Return (used, total); memory that the kernel can reclaim immediately counts as free."""
    found: dict[bytes, int] = {}
    try:
        with open("/proc/meminfo", "rb") as file:
            for row in file:
                name, _, rest = row.partition(b":")
                if name in (b"MemTotal", b"MemAvailable"):
                    found[name] = int(rest.split()[0]) // 1024
    except (OSError, ValueError, IndexError):
        return 0, 0
    total = found.get(b"MemTotal", 0)
    return max(0, total - found.get(b"MemAvailable", total)), total


def _tree(pid: int, start: int) -> tuple[float, int] | None:
    """Return (CPU seconds, resident MiB) of a process and its live descendants; None if the pid now belongs to another process."""
    root = _stat(pid)
    if root is None or root[19] != start:
        return None
    waiting, ticks, pages, seen = [(pid, root)], 0, 0, 0
    while waiting and seen < _MOST_PROCESSES:
        number, fields = waiting.pop()
        seen += 1
        ticks += sum(fields[11:15])  # user and system, its own and its reaped children's
        pages += max(0, fields[21])
        for child in _children(number):
            stat = _stat(child)
            if stat is not None:
                waiting.append((child, stat))
    return ticks / _TICKS, pages * _PAGE // _MIB


def _stat(pid: int) -> list[int] | None:
    """Return the numbers of /proc/PID/stat from the state (here 0) on."""
    fields = keeper.stat_fields(pid)
    return [0, *map(int, fields[1:22])] if fields else None


def _children(pid: int) -> list[int]:
    """Return the children of all threads of a process."""
    try:
        threads = os.listdir(f"/proc/{pid}/task")
    except OSError:  # it ended meanwhile
        return []
    return [child for thread in threads for child in keeper.children_of(pid, int(thread))]
