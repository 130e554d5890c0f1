"""Why a job waits in Slurm's queue: which reasons are permanent, and what to do about those. Pure functions."""

from __future__ import annotations

import functools
import re

from lrtui.workers.slurm.job_options import Options, asked

_OTHER_WORDS = {"None": "", "JobArrayTaskLimit": "at_most is reached"}
_AGAIN = ", and run lrtui FILE again"
"""How to apply an edited [launcher] to a sweep that has started."""
_LASTING = (
    (
        r"\w*TimeLimit|\w*MaxWallDuration\w*",
        "the time limit is above what the site allows: {time} in [launcher]{again}",
    ),
    (
        r"PartitionDown|PartitionInactive",
        "wait until it is up, or name another partition in [launcher]{again}",
    ),
    (
        r"PartitionNodeLimit",
        "the partition allows no such job: name another partition in [launcher]{again}",
    ),
    (
        r"BadConstraints|PartitionConfig",
        "the partition has no node for such a job: lower what [launcher] asks for ({asked}){again}",
    ),
    (r"JobHeldUser", "the job is held: `scontrol release {job}` lets it start"),
    (
        r"JobHeldAdmin|JobHoldMaxRequeue|RequeueHold|.*requeued.*held.*",
        "the site holds the job: ask its administrators",
    ),
    (r"DependencyNeverSatisfied", "it waits for a job that failed: `scancel {job}`"),
    (r"AccountNotAllowed|InvalidAccount", "name another account in [launcher]{again}"),
    (
        r"InvalidQOS|QOSNotAllowed",
        "name another QOS, as extra = ['--qos=NAME'] in [launcher]{again}",
    ),
    (
        r"(?:QOS|Assoc)Max\w+PerJob\w*",
        "a job may not ask for so much: lower cpus, gres or time in [launcher]{again}",
    ),
    (r"ReservationDeleted", "the reservation is gone: remove it from extra in [launcher]{again}"),
)
"""Slurm's permanent reasons (%r of squeue 22.05), each with what to do."""


def in_words(reason: str, job: str, options: Options) -> str:
    """Return why a job waits: Slurm's reason and, if it is permanent, what to do; "" until Slurm has considered the job."""
    advice = lasting(reason, job, options)
    return f"{reason}: {advice}" if advice else _OTHER_WORDS.get(reason, reason)


def lasting(reason: str, job: str, options: Options) -> str:
    """Return what to do about a permanent reason; "" for a temporary one."""
    advice = _advice(reason)
    if not advice:
        return ""
    time = f'lower time = "{options.time}"' if options.time else "set a lower time"
    return advice.format(job=job, time=time, asked=asked(options), again=_AGAIN)


@functools.lru_cache(maxsize=64)
def _advice(reason: str) -> str:
    """Return the advice without the job's details, cached because a thousand waiting runs share a few reasons."""
    return next(
        (advice for pattern, advice in _LASTING if re.fullmatch(pattern, reason, re.IGNORECASE)),
        "",
    )
