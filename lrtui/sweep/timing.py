"""Waiting times of the supervisor and its clients. Read once; tests shorten them with LRTUI_TIMING.

LRTUI_TIMING is a factor for all of them ("0.1"), or sets some by name ("tick=0.02,grace=1"), or both ("0.1,grace=15").
"""

from __future__ import annotations

import os
from dataclasses import asdict, dataclass, replace


@dataclass(frozen=True, slots=True)
class Timing:
    """Waiting times, all in seconds."""

    tick: float = 0.1
    """Between two ticks of the supervisor."""
    close_look: float = 0.5
    """Metrics are read, and processes looked for in /proc, this often; an exit.json is noticed every tick (0.7 % of a core
    became 0.3 % with two idle runs)."""
    far_tick: float = 0.5
    """Between two ticks of a cluster's supervisor: each lists the inbox on the file server, and a login node is shared."""
    far_look: float = 2.0
    """The same for runs on other machines: each poll is a request to a file server."""
    queue: float = 15.0
    """Slurm's queue is asked at most this often."""
    late: float = 30.0
    """A shared file system may show what a node wrote with this delay: a silent job is given up no sooner."""
    lease: float = 20.0
    """An owner on another host that has not renewed its lease for this long is gone."""
    linger: float = 5.0
    """From the end of a sweep to the end of its supervisor."""
    beat: float = 2.0
    """Between two touches of the beat file."""
    grace: float = 15.0
    """How long a worker may take to write its checkpoint after SIGTERM."""
    settle: float = 1.0
    """A pause sends SIGTERM when the checkpoint has not been written to for this long."""
    poll: float = 0.02
    """Between two polls of a client for its answer."""
    preload: float = 60.0
    """For an answer of the process that forks the workers: importing torch from a slow disk takes the longest."""
    retry: float = 1.0
    """Before a supervisor retries what a full disk or another supervisor's lock prevented."""


def parse(text: str) -> Timing:
    """Return the waiting times that a value of LRTUI_TIMING asks for.

    Raises:
        ValueError: it has an unknown name, or a value that is not a positive number.

    """
    timing = Timing()
    for part in filter(None, text.split(",")):
        name, _, value = part.rpartition("=")
        seconds = float(value)
        if not seconds > 0:
            raise ValueError(f"LRTUI_TIMING: {part!r} is not positive")
        if not name:
            timing = Timing(**{key: each * seconds for key, each in asdict(timing).items()})
        elif name in asdict(timing):
            timing = replace(timing, **{name: seconds})
        else:
            raise ValueError(f"LRTUI_TIMING: there is no {name!r}")
    return timing


TIMING = parse(os.environ.get("LRTUI_TIMING", ""))
"""The waiting times of this process."""
