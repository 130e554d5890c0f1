"""What a run's output reveals: unread lines that look like measurements, and the last lines of a failed run.

For the log, `lrtui explain`, the monitor's output pane and the report.
"""

from __future__ import annotations

import json
import re
import shlex
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from lrtui.errors import MachineError
from lrtui.metrics import Reading
from lrtui.metrics.capture.proposal import fitting, measurements
from lrtui.metrics.capture.records import records
from lrtui.sweep.files import read_last_lines, read_untrusted
from lrtui.sweep.layout import AttemptLayout, Layout
from lrtui.text.clean import clean

if TYPE_CHECKING:
    from lrtui.frontend.snapshot import Snapshot
    from lrtui.sweep.state import Run, Sweep

_LAST_LINES = 5
_END_BYTES = 1 << 17
_NO_MODULE = re.compile("(?:ModuleNotFound|Import)Error: No module named ")
_NO_LRTUI = "No module named 'lrtui"
_FOUND_BY = (
    "Python did not find lrtui: lrtui puts it on PYTHONPATH, which `python -I`, `python -E`, containers and `inject = false` keep from the script. "
    "Start the script without them, or print JSON lines instead of calling emit."
)


def why_no_answer(sweep: Sweep) -> str:
    """Return why an ended sweep has no answer: what most of its failed runs say, or, perhaps in several lines, what ended it; "" while it continues."""
    failed = [run.ending.why for run in sweep.failed() if run.ending]
    if sweep.closed is None or not failed:
        return "\n".join(map(clean, sweep.closed.why.splitlines())) if sweep.closed else ""
    (why, _), *_ = Counter(failed).most_common(1)
    return clean(f"{len(failed)} of {len(sweep.runs)} runs failed: {why}")


def ways_on(directory: Path, sweep: Sweep) -> list[tuple[str, str]]:
    """Return what continues a sweep that was stopped, failed before its first run, or in which runs failed: words and a command for a shell."""
    place = shlex.quote(str(directory))
    if sweep.stopping:
        return [("Continue the sweep, which was stopped", f"lrtui {place} --resume")]
    if sweep.closed is not None and sweep.failed():
        words = "Run the failed runs again, once the cause is fixed"
        again = [(words, f"lrtui restart {place} --failed")]
        plan = sweep.plan
        if (
            plan is None
            or any(run.finished for run in sweep.trained())
            or not Path(plan.source).is_file()
        ):
            return again
        anew = f"lrtui {shlex.quote(plan.source)} --new"
        return [*again, ("If the cause is in the experiment file, start another sweep", anew)]
    if sweep.closed is not None and sweep.closed.code == MachineError.exit_code and not sweep.runs:
        return [("Start it again, once the cause is fixed", f"lrtui {place}")]
    return []


def about_output(snapshot: Snapshot, run: Run) -> list[str]:
    """Return near misses, and for a failed run the last lines of its output and `advice`; safe to show."""
    series = snapshot.series.get(run.id)
    lines = [f"not read: {miss}" for miss in series.misses] if series is not None else []
    if not run.failed:
        return lines
    advised = advice(snapshot, run)
    return [*last_lines(snapshot, run), *(advised or lines)]


def last_lines(snapshot: Snapshot, run: Run) -> list[str]:
    """Return the last lines of a run's output under a heading; [] if there are none."""
    last = [line for line in _output(snapshot, run) if line.strip()][-_LAST_LINES:]
    return ["the last lines of its output:", *(f"  {line}" for line in last)] if last else []


def advice(snapshot: Snapshot, run: Run) -> list[str]:
    """Return what helps a failed run without any measurement.

    That is why it could not import lrtui, or lines that looked like measurements and the patterns that would read them.
    """
    series, plan = snapshot.series.get(run.id), snapshot.sweep.plan
    if plan is None or not run.failed or snapshot.reading or (series and series.names()):
        return []
    reading = Reading.of(plan, range_test=run.is_range_test)
    output = _output(snapshot, run)
    if any(_NO_LRTUI in line for line in output):
        return [_FOUND_BY]
    if any(_NO_MODULE.match(line) for line in output):
        return _interpreter(snapshot, run)
    found = measurements(output, reading)
    if not found:
        return []
    shown = ["no metric line was read; these lines look like measurements:"]
    shown += [f"  {line.strip()}" for line in found]
    patterns = fitting(output, reading)
    return [*shown, "this reads them:", f"  {parse_key(patterns)}"] if patterns else shown


def _interpreter(snapshot: Snapshot, run: Run) -> list[str]:
    """Return which program a bare `python` was: a virtual environment that is not active is not searched; [] if the command has its path."""
    files = _files(snapshot, run)
    try:
        started = json.loads(read_untrusted(files.argv) or b"{}") if files else {}
        word, found = clean(str(started["argv"][0])), clean(str(started["found"]))
    except (ValueError, TypeError, KeyError, IndexError, RecursionError):
        return []
    if not found:
        return []
    return [
        f"{word} was {found}",
        "  if the script needs another environment, activate it before `lrtui`,",
        f"  or write the path of its {word} into `command`",
    ]


def parse_key(patterns: Sequence[str]) -> str:
    """Return the line of an experiment file that sets these patterns."""
    each = [json.dumps(pattern) if "'" in pattern else f"'{pattern}'" for pattern in patterns]
    return f"parse = {each[0]}" if len(each) == 1 else f"parse = [{', '.join(each)}]"


def _output(snapshot: Snapshot, run: Run) -> list[str]:
    """Return the end of what a run's latest attempt wrote, by lines."""
    files = _files(snapshot, run)
    if files is None:
        return []
    return [clean(line) for line in records(read_last_lines(files.output, _END_BYTES))]


def _files(snapshot: Snapshot, run: Run) -> AttemptLayout | None:
    """Return the files of a run's latest attempt; None before the first."""
    if run.attempt is None:
        return None
    return AttemptLayout(Layout(snapshot.directory).attempt(run.folder, run.attempt.number))
