"""The state of one experiment directory. Looking changes nothing; what is safe to mend is mended on demand, under its lock."""

from __future__ import annotations

import os
import shlex
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import msgspec

from lrtui.cli.doctor import attempts, tree
from lrtui.cli.doctor.attempts import Attempts
from lrtui.cli.doctor.file_systems import free
from lrtui.cli.doctor.finding import Check, Finding, fail, listed, ok, warn
from lrtui.cli.doctor.prepared_data import examine
from lrtui.cli.doctor.tree import Tree
from lrtui.config.directory import read_experiment, read_origin
from lrtui.errors import OwnedElsewhereError, UserError
from lrtui.frontend.snapshot import SILENT_SECONDS, view_only
from lrtui.sweep import locks
from lrtui.sweep.events import AnyEvent, decode_command
from lrtui.sweep.files import read_untrusted
from lrtui.sweep.journal import JournalTail
from lrtui.sweep.journal_writer import Journal
from lrtui.sweep.layout import FORMAT, Layout
from lrtui.sweep.state import Sweep, fold
from lrtui.workers import keeper

_SHOWN = 20
"""Damaged lines that are named one by one."""


@dataclass
class Case:
    """A directory, read once: what the checks look at."""

    layout: Layout
    tree: Tree
    tail: JournalTail
    events: list[AnyEvent]
    sweep: Sweep
    torn: int
    """Bytes behind the journal's last whole line."""
    held: bool
    """Whether somebody holds the directory's lock: its supervisor."""
    attempts: Attempts

    @property
    def here(self) -> str:
        """The directory as one types it."""
        return shlex.quote(str(self.layout.root))


def open_case(directory: Path) -> Case:
    """Read a directory.

    Raises:
        UserError: it is none, or nothing in it is an experiment's.

    """
    layout = Layout(directory)
    if not directory.is_dir():
        raise UserError(
            "is no directory", str(directory), "see which experiments there are: lrtui ls"
        )
    walked = tree.walk(directory)
    if (
        not {layout.experiment.name, layout.journal.name, layout.format.name}
        & walked.entries.keys()
    ):
        what = "is no experiment directory (no experiment.toml, journal.jsonl or format in it)"
        raise UserError(what, str(directory), "see which experiments there are: lrtui ls")
    tail = JournalTail(layout.journal)
    held = locks.is_held(directory)
    events: list[AnyEvent] = []
    torn = 0
    if walked.is_file(layout.journal.name):
        events, torn = _read(tail, living=held)
    sweep = fold(events)
    return Case(layout, walked, tail, events, sweep, torn, held, attempts.look(walked, sweep))


@contextmanager
def owned(case: Case) -> Iterator[None]:
    """Hold the directory's lock, as its supervisor would, while it is repaired.

    Raises:
        OwnedElsewhereError: it belongs to another host or user, or is a copy.
        UserError: somebody holds the lock.

    """
    why = view_only(case.layout.root, case.sweep)
    if why:
        raise OwnedElsewhereError(
            f"not repaired: {why}",
            str(case.layout.root),
            f"own it first: lrtui {case.here} --takeover",
        )
    fd = None if case.held else locks.take(case.layout.root)
    if fd is None:
        raise UserError(
            "not repaired: a supervisor owns it",
            str(case.layout.root),
            f"stop it first: lrtui stop {case.here}",
        )
    try:
        yield
    finally:
        os.close(fd)


def _read(tail: JournalTail, *, living: bool) -> tuple[list[AnyEvent], int]:
    """Return the events and the length of a torn tail; a living supervisor may be in the middle of a line."""
    events = list(tail.rest())
    for _ in range(10 if living else 1):
        torn = os.stat(tail.path, follow_symlinks=False).st_size - tail.offset
        if torn <= 0 or not living:
            break
        time.sleep(0.05)
        events += tail.rest()
    return events, max(0, torn)


def checks(case: Case) -> dict[str, Check]:
    """Return the table of what is checked in a directory."""
    return {
        "format": lambda: form(case),
        "experiment": lambda: experiment(case),
        "owner": lambda: owner(case),
        "journal": lambda: journal(case),
        "events": lambda: story(case),
        "supervisor": lambda: supervisor(case),
        "attempts": lambda: attempts.standing(case.attempts, supervised=case.held),
        "processes": lambda: attempts.orphans(case.attempts),
        "identities": lambda: attempts.identities(case.tree, case.attempts),
        "folders": lambda: attempts.strangers(case.tree, case.sweep),
        "metrics": lambda: attempts.measured(case.attempts, case.sweep.plan),
        "inbox": lambda: inbox(case),
        "data": lambda: prepared(case),
        "report": lambda: report(case),
        "entries": lambda: tree.walked(case.tree),
        "links": lambda: tree.links(case.tree),
        "modes": lambda: tree.modes(case.tree),
        "leftovers": lambda: leftovers(case),
        "space": lambda: [free(case.layout.root, "this directory")],
    }


# ── what it is ────────────────────────────────────────────────────────────────────────────────────


def form(case: Case) -> list[Finding]:
    """Compare the directory's format with the one that this lrtui reads."""
    path = case.layout.format
    if path.name in case.tree.entries and not case.tree.is_file(path.name):
        return [
            fail("format is no plain file", f"put one there: echo {FORMAT} > format", str(path))
        ]
    if path.name not in case.tree.entries:
        return [
            warn(
                f"no {path.name} file: taken for format {FORMAT}",
                "nothing to do, if an lrtui of today made it",
                str(path),
            )
        ]
    found = read_untrusted(path).decode("utf-8", "replace").strip()
    if found != FORMAT:
        what = f"format {found[:20]!r}; this lrtui reads format {FORMAT}"
        return [fail(what, "open it with the lrtui that made it", str(path))]
    return [ok(f"format {found}", str(path))]


def experiment(case: Case) -> list[Finding]:
    """Read the frozen experiment, and look whether the place that it was started in is still there."""
    path = case.layout.experiment
    if not case.tree.is_file(path.name):
        what = f"{path.name} is missing or no plain file: no supervisor can go on"
        return [
            fail(
                what,
                "put back the file that was started (its path stands in origin.json), or view only: lrtui DIR --view",
                str(path),
            )
        ]
    if case.layout.format.name in case.tree.entries and not case.tree.is_file(
        case.layout.format.name
    ):
        return []  # `form` has said so, and what is no file is not read
    try:
        read_experiment(case.layout.root)
    except UserError as error:
        return [
            fail(
                f"cannot be read: {error.what}: {error}",
                f"mend it, or go on with a new sweep: lrtui check {shlex.quote(str(path))}",
                str(path),
            )
        ]
    found = [ok("experiment.toml can be read", str(path))]
    if case.tree.is_file(case.layout.origin.name):
        origin = read_origin(case.layout.root)
        if not os.path.isdir(origin.cwd):
            what = f"the folder in which it was started is gone: {origin.cwd}"
            found.append(
                warn(
                    what,
                    f"runs cannot start without it: mkdir -p {shlex.quote(origin.cwd)}",
                    str(case.layout.origin),
                )
            )
    return found


def owner(case: Case) -> list[Finding]:
    """Say whether its runs can be commanded from here."""
    why = view_only(case.layout.root, case.sweep)
    if why:
        return [
            warn(f"it can only be viewed: {why}", f"own it from here: lrtui {case.here} --takeover")
        ]
    return [ok("started on this host, and no copy")]


# ── journal ───────────────────────────────────────────────────────────────────────────────────────


def journal(case: Case) -> list[Finding]:
    """Name the damaged lines by their numbers, a torn end, and pieces that were cut off earlier."""
    path, tail = case.layout.journal, case.tail
    if path.name not in case.tree.entries:
        return [
            warn(
                "there is no journal: nothing was started yet",
                f"start it: lrtui {case.here}",
                str(path),
            )
        ]
    if not case.tree.is_file(path.name):
        return [
            fail(
                "journal.jsonl is no plain file: not read",
                "put the journal itself there",
                str(path),
            )
        ]
    found = [ok(f"{len(case.events)} events on {tail.lines} lines", str(path))]
    for line, why in tail.faults[:_SHOWN]:
        what = f"line {line} is no event of this lrtui: {why}"
        hint = f"it is passed over, so what it said is not known; look at it: sed -n {line}l {shlex.quote(str(path))}"
        if "journal version" in why:
            hint = "open the directory with the lrtui that wrote it"
        found.append(fail(what, hint, f"{path}:{line}"))
    if tail.bad > _SHOWN:
        found.append(
            fail(
                f"{tail.bad - _SHOWN} more such lines", f"less {shlex.quote(str(path))}", str(path)
            )
        )
    if case.torn:
        what = (
            f"the last line is torn: {case.torn} bytes without an end (a power cut, or a full disk)"
        )
        hint = f"the next supervisor cuts it off and keeps it in journal.bad; so does: lrtui doctor {case.here} --repair"
        found.append(warn(what, hint, f"{path}:{tail.lines + 1}", lambda: _cut(path)))
    kept = path.with_name("journal.bad")
    if kept.name in case.tree.entries:
        found.append(
            warn(
                "journal.bad holds torn lines that were cut off",
                "nothing to do; they were never acted upon",
                str(kept),
            )
        )
    return found


def _cut(path: Path) -> str:
    """Cut the torn end off, as a supervisor does when it opens the journal."""
    Journal(path)
    return "the torn end was cut off and kept in journal.bad"


def story(case: Case) -> list[Finding]:
    """Look whether the events follow each other: numbers without gaps, nothing that does not fit."""
    numbers = [event.n for event in case.events]
    gaps = [b for a, b in zip([0, *numbers], numbers, strict=False) if b != a + 1]
    found = []
    path = str(case.layout.journal)
    if gaps:
        what = f"events are missing, doubled or out of order before number {listed(gaps)}"
        found.append(
            fail(
                what,
                "what is missing is not known; compare with a backup if you have one, or start the runs in question again",
                path,
            )
        )
    if case.sweep.strange:
        what = f"{case.sweep.strange} event(s) do not fit what came before; they changed nothing"
        found.append(fail(what, f"see what is known of each run: lrtui explain {case.here}", path))
    return found or [ok("numbered without gaps, and each fits")]


# ── supervisor and inbox ──────────────────────────────────────────────────────────────────────────


def supervisor(case: Case) -> list[Finding]:
    """Say whether a supervisor owns the directory, and whether it answers."""
    beat = case.layout.beat
    status = case.tree.entries.get(beat.name)
    age = None if status is None else time.time() - _mtime(beat, status)
    fresh = age is not None and abs(age) < SILENT_SECONDS
    if case.held and fresh:
        return [ok(f"alive{_who(case)}")]
    if case.held:
        what = f"the lock is held and nobody beats{_who(case)}: a supervisor that is stopped or stuck, or another program in the folder"
        return [
            warn(
                what,
                f"see who holds it: fuser -v {case.here}; end it, and lrtui {case.here} adopts the runs",
                str(beat),
            )
        ]
    found = []
    if age is not None:
        what = f"beat is left over from a supervisor that died ({age:.0f} s ago)"
        hint = "the next supervisor takes it over; nothing to do"
        found.append(warn(what, hint, str(beat), None if fresh else lambda: _unlink(beat)))
    if case.sweep.closed is None and case.sweep.plan is not None:
        alive, queued = len(case.sweep.alive()), len(case.sweep.queued())
        what = f"none, and the sweep is not over ({alive} begun, {queued} queued)"
        return [*found, warn(what, f"one is started, and adopts what lives: lrtui {case.here}")]
    return [*found, ok("none, and none is needed")]


def _mtime(beat: Path, status: os.stat_result) -> float:
    """Return when the beat last came; it may have come since the walk."""
    try:
        return os.lstat(beat).st_mtime
    except OSError:
        return status.st_mtime


def _who(case: Case) -> str:
    """Return ", pid 4242" where owner.json names a process that lives, as it did when it wrote that."""
    try:
        who = msgspec.json.decode(read_untrusted(case.layout.owner), type=_Owner)
    except (ValueError, RecursionError):
        return ""
    same = who.boot_id == keeper.boot_id() and keeper.start_time(who.pid) == who.start
    return f", pid {who.pid}, lrtui {who.version[:20]}" if same else ""


class _Owner(msgspec.Struct, frozen=True):
    """owner.json: information only."""

    pid: int
    start: int | None
    boot_id: str
    version: str = ""


def inbox(case: Case) -> list[Finding]:
    """Say which commands wait, and what lies there that is none."""
    found = [
        _absent(case, folder)
        for folder in (case.layout.inbox, case.layout.done)
        if folder.name not in case.tree.entries
    ]
    waiting, expired, strange = [], [], []
    for name in case.tree.inside(case.layout.inbox.name):
        if name.startswith("."):
            continue
        command = _command(case, name)
        if command is None:
            strange.append(name)
        elif time.time() > command:
            expired.append(name)
        else:
            waiting.append(name)
    again = f"lrtui {case.here}"
    if strange:
        what = f"{len(strange)} in inbox/ that are no commands: {listed(strange)}"
        found.append(
            warn(
                what,
                f"the next supervisor refuses or removes them: {again}",
                str(case.layout.inbox / strange[0]),
            )
        )
    if expired:
        what = f"{len(expired)} command(s) came too late: {listed(expired)}"
        found.append(
            warn(
                what,
                f"the next supervisor refuses them; send them again if you still mean them: {again}",
                str(case.layout.inbox / expired[0]),
            )
        )
    if waiting and not case.held:
        what = f"{len(waiting)} command(s) wait and nobody reads them: {listed(waiting)}"
        found.append(
            warn(what, f"start a supervisor: {again}", str(case.layout.inbox / waiting[0]))
        )
    return found or [ok(f"{len(waiting)} command(s) waiting")]


def _absent(case: Case, folder: Path) -> Finding:
    hint = f"lrtui doctor {case.here} --repair makes it"
    return fail(f"there is no folder {folder.name}/", hint, str(folder), lambda: _make(folder))


def _command(case: Case, name: str) -> float | None:
    """Return when a command of the inbox expires (wall clock), None where it is none."""
    path = case.layout.inbox / name
    if not case.tree.is_file(f"{case.layout.inbox.name}/{name}") or not name.endswith(".json"):
        return None
    try:
        command = decode_command(read_untrusted(path))
    except ValueError:
        return None
    return command.sent + command.expires


# ── what goes with it ─────────────────────────────────────────────────────────────────────────────


def prepared(case: Case) -> list[Finding]:
    """Look whether the prepared data that the runs map are whole."""
    found = []
    for name, data in case.sweep.datasets.items():
        if not data.path:
            continue
        about, fault = examine(Path(data.path))
        if fault:
            what = f"{name}: the prepared data are gone or damaged: {data.path}: {fault}"
            hint = f"prepare them again: python -m lrtui.train.prepare --dataset {shlex.quote(name)} --data-dir {shlex.quote(str(Path(data.path).parent.parent))}"
            found.append(fail(what, hint, data.path))
        else:
            found.append(ok(f"{name}: {about}", data.path))
    return found or [ok("none prepared by lrtui")]


def report(case: Case) -> list[Finding]:
    """Look whether a sweep that is over has its report."""
    if case.sweep.closed is None:
        return [ok("written when the sweep is over")]
    again = f"lrtui report {case.here}"
    found = []
    for path in (case.layout.report_md, case.layout.report_json):
        if not case.tree.is_file(path.name):
            found.append(warn(f"{path.name} is missing", again, str(path)))
        elif case.tree.entries[path.name].st_mtime < case.sweep.at - 1:
            found.append(warn(f"{path.name} is older than the last event", again, str(path)))
    path = case.layout.report_json
    if case.tree.is_file(path.name):
        try:
            content = msgspec.json.decode(path.read_bytes())
        except (ValueError, RecursionError):
            content = None
        if not isinstance(content, dict) or "leaderboard" not in content:
            found.append(warn(f"{path.name} is damaged", again, str(path)))
    return found or [ok("report.md and report.json are there")]


def leftovers(case: Case) -> list[Finding]:
    """Name temporary files of processes that were killed."""
    builtin = case.sweep.plan is not None and case.sweep.plan.builtin
    return tree.temporaries(case.tree, builtin=builtin, living=case.attempts.living)


def _unlink(path: Path) -> str:
    path.unlink(missing_ok=True)
    return f"{path.name} removed"


def _make(folder: Path) -> str:
    folder.mkdir(mode=0o700, exist_ok=True)
    return f"{folder.name}/ made"
