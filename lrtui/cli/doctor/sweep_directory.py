"""The state of one experiment directory. Nothing is changed, and no link is followed: a supervisor repairs when it starts."""

from __future__ import annotations

import os
import shlex
import stat
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from lrtui.cli.doctor.disk import free
from lrtui.cli.doctor.finding import Check, Finding, fail, listed, ok, warn
from lrtui.cli.doctor.prepared_data import examine
from lrtui.config.directory import read_experiment, read_origin
from lrtui.errors import UserError
from lrtui.frontend.snapshot import SILENT_SECONDS, view_only
from lrtui.supervisor import lease
from lrtui.sweep import locks
from lrtui.sweep.events import VersionError
from lrtui.sweep.journal import JournalTail
from lrtui.sweep.layout import Layout
from lrtui.sweep.state import State, Sweep, fold
from lrtui.workers.launcher import LOCAL, Alive, Condition, Unclaimed, Vanished
from lrtui.workers.local import Local

_SHOWN = 20
"""At most this many damaged lines are listed one by one."""


@dataclass
class Case:
    """A directory, read once for all checks."""

    layout: Layout
    tail: JournalTail
    sweep: Sweep
    held: bool
    """Whether a process holds the directory's lock: its supervisor."""
    elsewhere: str = ""
    """The other host on which the supervisor of a cluster's sweep runs."""

    @property
    def here(self) -> str:
        """The directory as the user would type it."""
        return shlex.quote(str(self.layout.root))


def open_case(directory: Path) -> Case:
    """Read a directory.

    Raises:
        UserError: it is not a directory, or contains no experiment.

    """
    layout = Layout(directory)
    hint = "see which experiments there are: lrtui ls"
    if not directory.is_dir():
        raise UserError("is not a directory", str(directory), hint)
    if not any(map(os.path.lexists, (layout.experiment, layout.journal, layout.format))):
        what = "is not an experiment directory (no experiment.toml, journal.jsonl or format in it)"
        raise UserError(what, str(directory), hint)
    tail = JournalTail(layout.journal)
    held = locks.is_held(directory)
    elsewhere = lease.host(layout.lease) if not held and lease.lives(layout.lease) else ""
    return Case(layout, tail, fold(tail.rest()), held, elsewhere)


def checks(case: Case) -> dict[str, Check]:
    """Return the checks for a directory."""
    return {
        "experiment": lambda: experiment(case),
        "journal": lambda: journal(case),
        "supervisor": lambda: supervisor(case),
        "attempts": lambda: attempts(case),
        "data": lambda: prepared(case),
        "space": lambda: [free(case.layout.root, "this directory")],
    }


def experiment(case: Case) -> list[Finding]:
    """Check whether the frozen experiment can be read, controlled from here and started again."""
    path = case.layout.experiment
    for each in (path, case.layout.format):
        if each.exists() and not is_plain(each):
            return [
                fail(f"{each.name} is not a regular file", "put the file itself there", str(each))
            ]
    try:
        read_experiment(case.layout.root)
    except UserError as error:
        hint = f"fix it, or view what there is: lrtui {case.here} --view"
        return [fail(f"cannot be read: {error.what}", error.hint or hint, str(path))]
    found = [ok("can be read", str(path))]
    if why := view_only(case.layout.root, case.sweep):
        hint = f"own it from here: lrtui {case.here} --takeover"
        found.append(warn(f"it can only be viewed: {why}", hint))
    cwd = read_origin(case.layout.root).cwd
    if not os.path.isdir(cwd):
        what = f"the folder in which it was started is gone: {cwd}"
        found.append(warn(what, f"runs cannot start without it: mkdir -p {shlex.quote(cwd)}"))
    return found


def journal(case: Case) -> list[Finding]:
    """Report damaged lines by number, a torn end, and events that do not fit."""
    path, tail, sweep = case.layout.journal, case.tail, case.sweep
    if not os.path.lexists(path):
        return [warn("missing: nothing was started yet", f"start it: lrtui {case.here}")]
    if not is_plain(path):
        return [fail("journal.jsonl is not a regular file: not read", "put the journal there")]
    found = [ok(f"{tail.lines - tail.bad} events on {tail.lines} lines", str(path))]
    for line, why in tail.faults[:_SHOWN]:
        what = f"line {line} is not an event that this lrtui knows: {why}"
        hint = f"it is skipped; look at it: sed -n {line}l {shlex.quote(str(path))}"
        if isinstance(why, VersionError):
            hint = "open the directory with the lrtui that wrote it"
        found.append(fail(what, hint, f"{path}:{line}"))
    if tail.bad > _SHOWN:
        more = tail.bad - min(_SHOWN, len(tail.faults))
        found.append(fail(f"{more} more such lines", f"less {shlex.quote(str(path))}", str(path)))
    torn = path.lstat().st_size - tail.offset
    if torn > 0 and not (
        case.held or case.elsewhere
    ):  # a supervisor may be in the middle of a line
        what = f"the last line is torn: {torn} bytes without an end (a power cut, or a full disk)"
        hint = "the next supervisor cuts it off and keeps it in journal.bad; nothing to do"
        found.append(warn(what, hint, f"{path}:{tail.lines + 1}"))
    if sweep.strange:
        what = f"{sweep.strange} event(s) do not fit what came before; they changed nothing"
        hint = f"see what is known of each run: lrtui explain {case.here}"
        found.append(fail(what, hint, str(path)))
    return found


def supervisor(case: Case) -> list[Finding]:
    """Report whether a supervisor owns the directory, and whether it responds."""
    beat, sweep = case.layout.beat, case.sweep
    if case.elsewhere:
        return [ok(f"alive on {case.elsewhere}")]
    if not case.held and locks.is_held(case.layout.slurm):
        return [ok("its job waits in Slurm's queue; see supervisor.log")]
    if case.held and is_plain(beat) and time.time() - beat.lstat().st_mtime < SILENT_SECONDS:
        return [ok("alive")]
    if case.held:
        what = "the lock is held, but the supervisor has been silent for more than 6 s"
        hint = (
            f"see who holds it: fuser -v {case.here}; end it, and lrtui {case.here} adopts the runs"
        )
        return [warn(what, hint, str(beat))]
    if sweep.closed is None and sweep.plan is not None:
        what = f"none, and the sweep is not over ({len(sweep.alive())} begun, {len(sweep.queued())} queued)"
        return [warn(what, f"start one, which adopts what lives: lrtui {case.here}")]
    return [ok("none, and none is needed")]


def attempts(case: Case) -> list[Finding]:
    """Report attempts that differ from the journal, and processes that outlived their attempt. No process is signalled."""
    plan = case.sweep.plan
    if plan is not None and plan.launcher != LOCAL:
        return [ok(f"{len(case.sweep.alive())} attempts are managed by {plan.launcher}")]
    groups: dict[str, list[str]] = {}
    found, count = [], 0
    launcher, bearers = Local(), _bearers()
    again = f"lrtui {case.here}"
    for name, token, is_open in _known(case.sweep):
        count += 1
        root = case.layout.root / name
        if not all(is_folder(folder) for folder in (root.parent, root)):
            groups.setdefault(_MISSING, []).append(name)
            continue
        condition = launcher.condition(root, token)
        if what := _difference(condition, is_open=is_open, supervised=case.held):
            groups.setdefault(what, []).append(name)
        orphaned = isinstance(condition, Alive) and condition.orphans
        if token in bearers and (orphaned or not is_open):
            found.append(_outlived(name, bearers[token]))
    for what, names in groups.items():
        found.append(warn(f"{len(names)} {what}: {listed(names)}", _NEXT.get(what, again)))
    return found or [ok(f"{count} attempts are as the journal says")]


_MISSING = "without a folder (deleted?)"
_NEXT = {_MISSING: "their metric lines are gone; start such a run again: lrtui restart DIR RUN"}


def _known(sweep: Sweep) -> Iterator[tuple[str, str, bool]]:
    """Yield (folder, token, whether a process is expected) of each attempt in the journal."""
    for run in sweep.runs.values():
        for attempt in run.attempts:
            is_open = attempt is run.attempt and (run.alive or run.state is State.LOST)
            yield f"{run.folder}/a{attempt.number}", attempt.token, is_open
    if sweep.data_attempt:
        preparing = sweep.preparing and sweep.closed is None
        yield f"data/a{sweep.data_attempt}", sweep.data_token, preparing


def _difference(condition: Condition, *, is_open: bool, supervised: bool) -> str:
    """Return how an attempt differs from what the journal expects; "" if it does not, or if a supervisor will handle it."""
    if not is_open or supervised:
        return ""
    match condition:
        case Alive():
            return "alive without a supervisor"
        case Unclaimed():
            return "launched and never claimed"
        case Vanished():
            return "ended without an exit.json"
    return "ended, which the journal does not say yet"


def _bearers() -> dict[str, list[str]]:
    """Return the pids of the living processes by the LRTUI_TOKEN in their environment, in one pass for all attempts."""
    import psutil

    found: dict[str, list[str]] = {}
    for process in psutil.process_iter(["environ"]):
        token = (process.info["environ"] or {}).get("LRTUI_TOKEN")
        if token:
            found.setdefault(token, []).append(str(process.pid))
    return found


def _outlived(name: str, pids: list[str]) -> Finding:
    """Report processes that carry the token of an ended attempt; a stop leaves none."""
    what = f"{name} is over, and processes that it started live: {' '.join(pids)}"
    return fail(what, f"see what they are: ps -o pid,ppid,etime,args -p {','.join(pids)}")


def prepared(case: Case) -> list[Finding]:
    """Check that the prepared data that the runs map are complete."""
    found = []
    for name, data in case.sweep.datasets.items():
        if not data.path:
            continue
        about, fault = examine(Path(data.path))
        if fault:
            what = f"{name}: the prepared data are gone or damaged: {data.path}: {fault}"
            folder = shlex.quote(str(Path(data.path).parent.parent))
            hint = (
                f"python -m lrtui.train.prepare --dataset {shlex.quote(name)} --data-dir {folder}"
            )
            found.append(fail(what, hint, data.path))
        else:
            found.append(ok(f"{name}: {about}", data.path))
    return found or [ok("none prepared by lrtui")]


def is_plain(path: Path) -> bool:
    """Return whether the path is a regular file, not a link."""
    return _is(path, stat.S_ISREG)


def is_folder(path: Path) -> bool:
    """Return whether the path is a folder, not a link."""
    return _is(path, stat.S_ISDIR)


def _is(path: Path, kind: object) -> bool:
    try:
        return bool(kind(path.lstat().st_mode))  # type: ignore[operator]
    except OSError:
        return False
