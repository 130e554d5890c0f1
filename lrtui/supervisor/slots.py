"""Which GPUs the next run gets: a pure function of what runs now."""

from __future__ import annotations

from collections import Counter

from lrtui.sweep import Run, Sweep


def free_slots(sweep: Sweep) -> int:
    """Return how many runs may be started now; frozen and stopping runs hold their place."""
    return max(0, sweep.parallel - len(sweep.alive()))


def devices_for(sweep: Sweep) -> tuple[int, ...]:
    """Return the GPUs for one more run, the least loaded first; () on the CPU."""
    plan = sweep.plan
    if plan is None or not plan.devices:
        return ()
    load = Counter(dict.fromkeys(plan.devices, 0))
    for run in sweep.alive():
        load.update(run.attempts[-1].devices)
    ordered = sorted(plan.devices, key=lambda device: (load[device], plan.devices.index(device)))
    return tuple(sorted(ordered[: max(1, plan.gpus)]))


def beside(sweep: Sweep, run: Run) -> int:
    """Return how many other living runs share a GPU with this one, or the machine where it has none."""
    devices = set(run.attempts[-1].devices)
    others = (other for other in sweep.alive() if other.id != run.id)
    return sum(not devices or bool(devices & set(other.attempts[-1].devices)) for other in others)
