"""The resources that a sweep gets on this machine: GPUs, number of runs at once, threads per run. Decided once, journalled in the plan."""

from __future__ import annotations

import os
from dataclasses import dataclass

from lrtui.config import Experiment
from lrtui.errors import MachineError
from lrtui.hardware import gpu
from lrtui.text.format import gib
from lrtui.workers.launcher import LOCAL

_BUSY_SHARE = 0.1
"""A GPU is left to other processes if they use more than this share of its memory."""


SLURM_HINT = "`sinfo` lists partitions and what their nodes have; change [launcher]"


@dataclass(frozen=True, slots=True)
class Allocation:
    """What runs may use."""

    devices: tuple[int, ...]
    """GPU indices; empty on the CPU."""
    gpus: int
    """Per run; 0 on the CPU."""
    parallel: int
    threads: int
    """Per run."""
    notes: tuple[str, ...] = ()
    """What is left out, and how to use it anyway."""


def allocate(experiment: Experiment) -> Allocation:
    """Return the resources of this machine for an experiment.

    Raises:
        MachineError: requested GPUs do not exist.

    """
    if experiment.launcher.get("kind", LOCAL) != LOCAL:
        return _lent_by_slurm(experiment)
    cores = len(os.sched_getaffinity(0))
    devices, notes = _devices(experiment)
    gpus = min(max(1, experiment.gpus), len(devices)) if devices else 0
    if experiment.gpus > len(devices) and (devices or experiment.gpus > 1):
        raise MachineError(
            f"a run asks for {experiment.gpus} GPUs and {len(devices)} are free",
            experiment.path,
            "lower `gpus`, name other `devices`, or wait until the other processes end",
        )
    room = len(devices) // gpus if gpus else min(cores, _runs_at_first(experiment))
    parallel = experiment.parallel if isinstance(experiment.parallel, int) else max(1, room)
    together = experiment.isolation == "shared" and not devices  # one by one: each may use all
    threads = cores if together else max(1, cores // parallel)
    return Allocation(devices, gpus, parallel, threads, notes)


def _lent_by_slurm(experiment: Experiment) -> Allocation:
    """Return the resources of a cluster's job, after Slurm has confirmed that it would run one.

    Raises:
        MachineError: Slurm is missing, or refuses such a job.

    """
    from lrtui.workers.slurm.job_options import options_of
    from lrtui.workers.slurm.queue import tried

    options = options_of(experiment.launcher)
    trial = tried(options)
    if trial.refused:
        raise MachineError(trial.answer, experiment.path, SLURM_HINT)
    wanted = experiment.parallel if isinstance(experiment.parallel, int) else options.at_most
    return Allocation((), options.gpus, min(wanted, options.at_most), options.cpus)


def _runs_at_first(experiment: Experiment) -> int:
    """Return how many runs there are, as far as is known: with fewer than cores each gets several threads."""
    return len(experiment.space().cells()) * experiment.strategy.count


def _devices(experiment: Experiment) -> tuple[tuple[int, ...], tuple[str, ...]]:
    """Return the GPUs to use, and notes on those that other processes use."""
    found = {reading.index: reading for reading in gpu.read()}
    if experiment.devices is not None:
        missing = [index for index in experiment.devices if index not in found]
        if missing:
            raise MachineError(
                f"there is no GPU {missing[0]} (found: {sorted(found) or 'none'})",
                experiment.path,
                "leave out `devices` to use the GPUs that exist, or the CPU",
            )
        return experiment.devices, ()
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    seen = [reading for _, reading in sorted(found.items()) if _is_visible(reading, visible)]
    busy = [one for one in seen if one.memory_used_mib > _BUSY_SHARE * one.memory_total_mib]
    free = tuple(one.index for one in seen if one not in busy)
    return free, tuple(_note(one, alone=not free) for one in busy)


def _note(busy: gpu.Gpu, *, alone: bool) -> str:
    used, total = gib(busy.memory_used_mib), gib(busy.memory_total_mib)
    instead = "training on the CPU instead" if alone else "it is not used"
    return (
        f"GPU {busy.index} is in use by other processes ({used} of {total} GiB); {instead}; "
        f"devices = [{busy.index}] in the experiment file shares it"
    )


def _is_visible(reading: gpu.Gpu, visible: str | None) -> bool:
    """Return whether an inherited CUDA_VISIBLE_DEVICES admits a GPU (by index or by UUID)."""
    if visible is None:
        return True
    words = [word.strip() for word in visible.split(",")]
    return str(reading.index) in words or any(
        word and reading.uuid.startswith(word) for word in words if word.startswith("GPU-")
    )
