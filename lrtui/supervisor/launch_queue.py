"""Launches queued runs: writes a launch's files, journals it, and calls the launcher.

The loop calls `further` each tick, and `again` for an attempt that no keeper has claimed.
"""

from __future__ import annotations

import logging
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

from lrtui.config import Experiment
from lrtui.config.directory import Origin
from lrtui.hardware import gpu
from lrtui.supervisor import slots, startup
from lrtui.sweep import events as ev
from lrtui.sweep.journal_writer import Journal
from lrtui.sweep.layout import Layout
from lrtui.sweep.state import Run, State, Sweep
from lrtui.text.format import size
from lrtui.train import IMPORTS
from lrtui.workers.launcher import Launcher, new_token

log = logging.getLogger("lrtui.supervisor")

LEAST_FREE_BYTES = 500 << 20
"""No runs are launched with less free disk space than this, in bytes."""
MOST_A_TICK = 100
"""At most this many runs are launched on a cluster per tick, because writing their files takes a while."""
MOST_RETRIES = 50
"""Ticks for which an unclaimed attempt is launched again."""


class LaunchQueue:
    """Launches the runs of one directory."""

    def __init__(
        self,
        layout: Layout,
        journal: Journal,
        *,
        experiment: Experiment,
        origin: Origin,
        launcher: Launcher,
        warn: Callable[[str, str | None], None],
    ) -> None:
        self._layout = layout
        self._journal = journal
        self._experiment = experiment
        self._origin = origin
        self._launcher = launcher
        self._warn = warn
        self._retries: dict[tuple[str, int], int] = {}
        self._said_no_room = False
        self._said_lost: frozenset[int] = frozenset()
        self.goes_on = False
        """Whether the latest tick left runs that could be launched at once."""

    def preload(self) -> None:
        """Import the workers' modules once in a preloaded process, while the data is prepared; only speed depends on it."""
        plan = self._sweep.plan
        if not self._experiment.builtin or self._sweep.closed is not None or plan is None:
            return
        try:
            self._launcher.preload(IMPORTS, startup.device_environment((), plan.threads))
        except OSError as error:
            log.warning("no preloaded process: %s", error)

    def tick(self) -> None:
        """Launch the next queued runs, as many as there are free slots."""
        self.goes_on = False
        if self._sweep.closed is not None or self._sweep.brake is not None:
            return
        if not self._sweep.queued() or not self._free():
            return
        gone = self._lost()
        if self._launcher.remote:
            if self.has_room():
                waiting = self._sweep.queued()
                self._launch(waiting[:MOST_A_TICK], gone)
                self.goes_on = len(waiting) > MOST_A_TICK
            return
        for run in self._sweep.queued()[: self._free(gone)]:
            if not self.has_room():
                return
            self._launch([run], gone)  # each sees what the launches before it have occupied

    def again(self, run: Run) -> bool:
        """Launch an unclaimed attempt again; return False when it must be given up.

        An attempt that had begun was claimed, so its directory was deleted or emptied, and its processes are gone.
        """
        key = run.attempt_key
        self._retries[key] = self._retries.get(key, 0) + 1
        begun = run.attempts[-1].pid is not None
        stopping = run.state in (State.STOPPING, State.PAUSING)
        if begun or stopping or self._retries[key] > MOST_RETRIES:
            return False
        if self._retries[key] % 5 == 1:
            self._make_folders(run, self._layout.attempt(run.folder, run.attempts[-1].number))
            self._start(run)
        return True

    def forget(self, run: Run) -> None:
        """Forget an attempt that has ended."""
        self._retries.pop(run.attempt_key, None)

    @property
    def _sweep(self) -> Sweep:
        return self._journal.sweep

    def _free(self, gone: frozenset[int] = frozenset()) -> int:
        """Return how many runs may be launched; a cluster's queue takes them all, and starts one after the other."""
        if not self._launcher.remote:
            return slots.free_slots(self._sweep, gone)
        return MOST_A_TICK if self._launcher.room(self._sweep.parallel) else 0

    def _launch(self, runs: Sequence[Run], gone: frozenset[int]) -> None:
        events = [self._launched(run, gone) for run in runs]
        self._journal.append(*events)
        for event in events:
            self._start(self._sweep.runs[event.run])

    def _launched(self, run: Run, gone: frozenset[int]) -> ev.RunLaunched:
        """Create a run's directories, and return the event that says that it is launched."""
        number = len(run.attempts) + 1
        folder = self._layout.root / run.folder
        resumed_from = startup.last_checkpoint(folder, run) if run.resume else None
        devices = slots.devices_for(self._sweep, gone)
        self._make_folders(run, self._layout.attempt(run.folder, number))
        return ev.RunLaunched(
            run=run.id,
            attempt=number,
            token=new_token(),
            until=run.until,
            devices=devices,
            resumed_from=resumed_from,
            shared=startup.may_share(self._experiment, run, devices),
        )

    def _make_folders(self, run: Run, root: Path) -> None:
        """Create the directories of a run and of its attempt, again if a power cut, a full disk or a person removed them."""
        lengthened = (
            run.origin == "user" and len(run.attempts) > 0
        )  # a pilot that trains to the end
        if lengthened or not (root.parent / "run.json").exists():
            builtin, plan = self._experiment.builtin, self._sweep.plan
            assert plan is not None, "a queued run was planned"  # noqa: S101
            trained_in = startup.precision(self._experiment, self._sweep) if builtin else ""
            startup.write_run(root.parent, run, plan, trained_in)
        root.mkdir(mode=0o700, exist_ok=True)

    def _start(self, run: Run) -> None:
        """Write the attempt's files, and hand it to the launcher; later ticks retry a failed launch."""
        try:
            job, warnings = startup.job(
                self._layout, run, self._experiment, self._sweep, self._origin
            )
        except ValueError as error:  # a file of [files] would be outside of the run's directory
            self._warn(f"could not be started: {error}; trying again", run.id)
            return
        for text in warnings:
            self._warn(text, run.id)
        try:
            self._launcher.launch(job)
        except OSError as error:
            self._warn(f"could not be started: {error.strerror}; trying again", run.id)

    def _lost(self) -> frozenset[int]:
        """Return the GPUs that no longer respond; warn once about each."""
        plan = self._sweep.plan
        if plan is None or not plan.devices:
            return frozenset()
        gone = slots.lost(self._sweep, gpu.read())
        for device in sorted(gone - self._said_lost):
            text = f"GPU {device} no longer responds; no new runs start on it. `nvidia-smi` and the kernel's log say why"
            self._warn(text, None)
        self._said_lost = gone
        return gone

    def has_room(self) -> bool:
        """Return whether the disk has space for another run; warn once if not, and again only after there was plenty."""
        free = shutil.disk_usage(self._layout.root).free
        if free >= LEAST_FREE_BYTES:
            self._said_no_room = self._said_no_room and free < 2 * LEAST_FREE_BYTES
            return True
        if not self._said_no_room:
            self._said_no_room = True
            text = f"only {size(free)} are free on the disk; nothing new is launched below {size(LEAST_FREE_BYTES)}, and runs may find no room for a checkpoint: free some"
            self._warn(text, None)
        return False
