"""The progress of all living attempts. The loop reads it, judges by it, and concludes from it when an attempt has ended."""

from __future__ import annotations

import time

from lrtui.analysis.chance import chance_in
from lrtui.supervisor.progress import Progress
from lrtui.sweep.journal_writer import Journal
from lrtui.sweep.layout import Layout
from lrtui.sweep.state import Run


class ProgressTracker:
    """A cache of the measurements; if lost, it is read again from the files."""

    def __init__(self, layout: Layout, journal: Journal) -> None:
        self._layout = layout
        self._journal = journal
        self._progress: dict[tuple[str, int], Progress] = {}

    def tick(self) -> None:
        """Read what the started attempts have written since the last call."""
        now = time.monotonic()
        for run in self._journal.sweep.alive():
            if run.attempts[-1].pid is not None:
                progress = self.of(run)
                if progress.read():
                    progress.signs.receive(now)

    def of(self, run: Run) -> Progress:
        """Return the progress of a run's latest attempt."""
        key = run.attempt_key
        if key not in self._progress:
            self._progress[key] = self._from(run, len(run.attempts))
        return self._progress[key]

    def at_end(self, run: Run) -> Progress:
        """Return the progress of a run's latest attempt, which has ended, with all that it wrote.

        If that is nothing, what it went on from is read anew: an attempt that was given up may have written on.
        """
        progress = self.of(run)
        progress.read_all()
        if not progress.lines and run.attempts[-1].resumed_from is not None:
            progress = self._from(run, len(run.attempts))
            progress.read_all()
        return progress

    def known(self) -> dict[str, Progress]:
        """Return the progress of the living runs that have printed something."""
        runs = self._journal.sweep.runs
        return {
            run_id: progress
            for (run_id, number), progress in self._progress.items()
            if (run := runs[run_id]).alive and run.attempts[-1].number == number
        }

    def forget(self, run: Run) -> None:
        """Forget an attempt that has ended."""
        self._progress.pop(run.attempt_key, None)

    def _from(self, run: Run, number: int) -> Progress:
        """Return the measurements of an attempt, and of those that it continues from."""
        sweep, attempt = self._journal.sweep, run.attempts[number - 1]
        assert sweep.plan is not None, "a run was planned"  # noqa: S101
        root = self._layout.attempt(run.folder, number)
        progress = Progress(root, sweep.plan, run, attempt, chance_in(sweep))
        if attempt.resumed_from is not None and 0 < attempt.resumed_from < number:
            progress.go_on_from(self._from(run, attempt.resumed_from))
        return progress
