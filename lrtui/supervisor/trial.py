"""One attempt of an experiment's command, to show what is read from it: started by a sweep's launcher, without a supervisor."""

from __future__ import annotations

import contextlib
import json
import signal
import time
from pathlib import Path

from lrtui.config import Experiment
from lrtui.config.directory import read_origin
from lrtui.metrics import MetricLog, Reading
from lrtui.supervisor.launch_queue import LaunchQueue
from lrtui.supervisor.ownership import opened
from lrtui.supervisor.planning import resolve
from lrtui.sweep import events as ev
from lrtui.sweep.files import read_untrusted
from lrtui.sweep.journal_writer import Journal
from lrtui.sweep.layout import AttemptLayout, Layout
from lrtui.sweep.timing import TIMING
from lrtui.workers.launcher import Alive, Exited
from lrtui.workers.local import Local


class Trial:
    """The first run of an experiment, in a directory of its own.

    Raises:
        MachineError: GPUs were asked for that are not there.

    """

    def __init__(self, directory: Path, experiment: Experiment, start: ev.RunQueued) -> None:
        layout = Layout(directory)
        journal = Journal(layout.journal)
        plan = resolve(experiment, experiment.path)
        journal.append(opened(layout, plan), start)
        self._launcher = Local()
        self.warnings: list[str] = []
        """Why it could not be started, in words."""
        launching = LaunchQueue(
            layout,
            journal,
            experiment=experiment,
            origin=read_origin(directory),
            launcher=self._launcher,
            warn=lambda text, _run: self.warnings.append(text),
        )
        self.began = time.monotonic()
        launching.tick()
        run = journal.sweep.runs[start.run]
        self._token = run.attempts[-1].token if run.attempts else ""
        self.files = AttemptLayout(layout.attempt(run.folder, max(1, len(run.attempts))))
        self.log = MetricLog(self.files.root, Reading.of(plan), start.until)
        self.ending: Exited | None = None
        """How the worker ended by itself; None while it runs, or if it was stopped."""

    def argv(self) -> list[str]:
        """Return what was started; [] if nothing was."""
        content = read_untrusted(self.files.argv)
        return list(json.loads(content)["argv"]) if content else []

    @property
    def program(self) -> str:
        """The path of the program that the command's bare first word stands for; "" if it is a path, or nothing was started."""
        return str(json.loads(read_untrusted(self.files.argv) or b"{}").get("found", ""))

    def over(self) -> bool:
        """Return whether no process of the attempt is alive, perhaps because none was started."""
        if not self._token:
            return True
        condition = self._launcher.condition(self.files.root, self._token)
        if isinstance(condition, Exited):
            self.ending = condition
        return not isinstance(condition, Alive)

    def stop(self) -> None:
        """End everything that was started: SIGTERM, then SIGKILL after the grace of a sweep; returns when no process is left."""
        if self.over():
            return
        deadline = time.monotonic() + TIMING.grace
        self._send(signal.SIGTERM)
        with contextlib.suppress(KeyboardInterrupt):  # a second Ctrl-C does not wait for the grace
            while time.monotonic() < deadline and not self.over():
                time.sleep(TIMING.tick)
        while not self.over():
            self._send(signal.SIGKILL)
            time.sleep(TIMING.tick)
        self.ending = None

    def _send(self, number: int) -> None:
        self._launcher.send(self.files.root, self._token, number)
