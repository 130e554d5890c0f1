"""`supervisor = "job"` in [launcher]: the supervisor runs as a Slurm job, for login nodes that do not allow long-lived processes.

On the login node, a herald starts in its place: it submits the job, unless one is queued or running, beats until the job has taken
the lease, and ends. Monitor and verbs communicate with the job through files, as with any supervisor. Before its time limit the job
submits its successor, which Slurm starts when the job has ended; the next `lrtui` resubmits a killed one.
"""

from __future__ import annotations

import logging
import os
import shlex
import signal
import sys
import time
import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from lrtui.supervisor import lease
from lrtui.sweep import locks
from lrtui.sweep.layout import Layout
from lrtui.sweep.timing import TIMING

IN_JOB = "--job"
"""The argument that marks the supervisor running as the job."""
_SECONDS = 60.0

log = logging.getLogger("lrtui.supervisor")


class Herald:
    """Stands in for the supervisor's job of one directory until that has begun."""

    def __init__(
        self, layout: Layout, settings: Mapping[str, Any], arguments: Sequence[str]
    ) -> None:
        self._layout = layout
        self._words = _words(layout.root, settings, arguments)
        self._name = _name(layout.root)
        self._before = lease.generation(layout.lease)

    def speak(self) -> str:
        """Return when the job has begun, has left the queue, or is not needed; return why Slurm refuses it, "" if it does not."""
        self._layout.slurm.mkdir(mode=0o700, exist_ok=True)
        lock = locks.take(self._layout.slurm)
        if lock is None or locks.is_held(self._layout.root) or lease.lives(self._layout.lease):
            return ""
        try:
            return self._submit() or self._wait()
        finally:
            os.close(lock)

    def _submit(self) -> str:
        """Submit the job if needed; return why Slurm refuses it."""
        from lrtui.workers.slurm.queue import call, named, refused_words  # as everything of Slurm

        while not self._begun():
            found = named(self._name)
            if found is False:
                done = call(self._words, _SECONDS)
                if why := refused_words(done):
                    return why
                found = done.code == 0 or None
            if found:
                return ""
            self._beat(
                TIMING.queue
            )  # Slurm does not respond, or did not say whether it accepted the job
        return ""

    def _wait(self) -> str:
        from lrtui.workers.slurm.queue import named

        looks = 0
        while not self._begun():
            self._beat(TIMING.queue)
            looks = looks + 1 if named(self._name) is False else 0
            if looks > 1 and not self._begun():
                log.error(
                    "the supervisor's job left Slurm's queue before it began; see slurm/supervisor.out"
                )
                break
        return ""

    def _begun(self) -> bool:
        return lease.generation(self._layout.lease) > self._before

    def _beat(self, seconds: float) -> None:
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline and not self._begun():
            self._layout.beat.touch(mode=0o600)
            time.sleep(min(TIMING.beat, TIMING.far_tick))


class TimeLimit:
    """In the job: records Slurm's warning of the time limit."""

    def __init__(self) -> None:
        self.near = False
        signal.signal(signal.SIGUSR2, self._warned)

    def _warned(self, *_: object) -> None:
        self.near = True


def succeed(layout: Layout, settings: Mapping[str, Any]) -> None:
    """Submit the successor of this job; if that fails, the next `lrtui` does it."""
    from lrtui.workers.slurm.queue import call

    done = call(_words(layout.root, settings, ()), _SECONDS)
    log.info("the time limit is near; the next job: %s", (done.out or done.err).strip())


def is_wanted(settings: Mapping[str, Any], arguments: Sequence[str]) -> bool:
    """Return whether this process must submit the supervisor as a job instead of being the supervisor."""
    return settings.get("supervisor") == "job" and IN_JOB not in arguments


def _name(directory: Path) -> str:
    return f"lrtui-supervisor-{zlib.crc32(os.fsencode(directory)):08x}"


def _words(directory: Path, settings: Mapping[str, Any], arguments: Sequence[str]) -> list[str]:
    from lrtui.workers.slurm.job_options import supervisor_words

    timing = os.environ.get("LRTUI_TIMING")
    command = [
        *(["env", f"LRTUI_TIMING={timing}"] if timing else []),
        *(sys.executable, "-m", "lrtui.supervisor", str(directory), IN_JOB, *arguments),
    ]
    wrap = f"exec {shlex.join(command)}"
    return supervisor_words(settings, _name(directory), Layout(directory).slurm, wrap)
