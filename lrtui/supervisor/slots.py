"""Which GPUs the next run gets: a pure function of what runs now."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection

from lrtui.hardware.gpu import Gpu
from lrtui.sweep.state import Run, Sweep

MOMENT_SECONDS = 5.0


def lost(sweep: Sweep, readings: Collection[Gpu]) -> frozenset[int]:
    """Return the plan's GPUs that no longer respond; none if too few respond for a run: then the runs report the fault."""
    plan = sweep.plan
    if plan is None or not plan.devices:
        return frozenset()
    gone = set(plan.devices) - {reading.index for reading in readings}
    return frozenset(gone if len(plan.devices) - len(gone) >= max(1, plan.gpus) else ())


def free_slots(sweep: Sweep, gone: Collection[int] = ()) -> int:
    """Return how many runs may be started now; frozen and stopping runs occupy a slot, and slots of lost GPUs are gone."""
    plan = sweep.plan
    share = len(gone) / len(plan.devices) if plan and plan.devices else 0.0
    most = sweep.parallel - int(sweep.parallel * share)
    return max(0, most - len(sweep.alive()))


def devices_for(sweep: Sweep, gone: Collection[int] = ()) -> tuple[int, ...]:
    """Return the GPUs for one more run, the least loaded first; () on the CPU."""
    plan = sweep.plan
    if plan is None or not plan.devices:
        return ()
    load = Counter({device: 0 for device in plan.devices if device not in gone})
    for run in sweep.alive():
        load.update(device for device in run.attempts[-1].devices if device in load)
    ordered = sorted(load, key=lambda device: (load[device], plan.devices.index(device)))
    return tuple(sorted(ordered[: max(1, plan.gpus)]))


def beside(sweep: Sweep, run: Run, now: float) -> int:
    """Return how many other runs share a GPU with this one (or the machine, without a GPU), or did until a moment ago.

    Runs that fill a memory together die together, and one of them is examined last.
    """
    devices = set(run.attempts[-1].devices)
    since = max(run.attempts[-1].launched_at, now - MOMENT_SECONDS)
    return sum(
        not devices or bool(devices & set(other.attempts[-1].devices))
        for other in sweep.runs.values()
        if other.id != run.id
        and (other.alive or (other.attempts and (other.attempts[-1].ended_at or 0.0) > since))
    )
