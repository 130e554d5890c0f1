"""What `lrtui FILE` and `lrtui DIR` do before they show anything: find or create the directory, and start a supervisor for its runs."""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping
from pathlib import Path

from lrtui.errors import DETACHED, NoAnswerError, OwnedElsewhereError, UserError
from lrtui.sweep.events import ReopenSweep
from lrtui.sweep.journal import JournalTail
from lrtui.sweep.layout import UPDATE, Layout, newer_format
from lrtui.sweep.state import Sweep, fold
from lrtui.text.clean import clean

_LISTED = 8
"""At most this many files of a folder are named in a message."""


def directory_of(
    path: Path, overrides: Mapping[str, str], *, under: Path | None, new: bool
) -> tuple[Path, bool]:
    """Return the experiment directory for a file or directory on the command line, and whether this call created it."""
    if not path.is_dir():
        from lrtui.config.directory import open_experiment

        return open_experiment(path, overrides, under=under, new=new)
    existing(path)
    if overrides or new or under is not None:
        raise UserError(
            "a directory is opened as it was started",
            str(path),
            "give the experiment file with these options instead",
        )
    return path, False


def existing(directory: Path) -> Path:
    """Return an experiment directory.

    Raises:
        UserError: it is not one.

    """
    if not Layout(directory).experiment.is_file():
        what = "is not an experiment directory" if directory.is_dir() else "does not exist"
        raise UserError(what, str(directory), _inside(directory))
    return directory


def _inside(directory: Path) -> str:
    """Return a hint for a directory that is not an experiment: what it contains."""
    files = sorted(each for each in directory.glob("*.toml") if each.name != "pyproject.toml")
    opened = sorted(each.parent for each in directory.glob("*/experiment.toml"))
    for found, what in ((files, "experiment files"), (opened, "experiments")):
        if found:
            more = f" and {len(found) - _LISTED} more" if len(found) > _LISTED else ""
            listed = clean(", ".join(map(str, found[:_LISTED])), 400)
            return f"give one of the {what} in it: {listed}{more}"
    from lrtui.frontend.watch.tree import holds_logs

    if directory.is_dir() and holds_logs(directory):
        return f"show the runs whose logs are in it: lrtui watch {directory}"
    return "see which experiments there are: lrtui ls"


def ours(directory: Path) -> Path:
    """Return an experiment directory whose runs this user may control from this machine.

    Raises:
        UserError: it is not an experiment directory, or one of a newer lrtui.
        OwnedElsewhereError: it is a copy, or of another host or user.

    """
    if newer := newer_format(Layout(existing(directory))):
        raise UserError(newer, str(directory), UPDATE)
    why = foreign(existing(directory), _sweep(directory))
    if why:
        raise OwnedElsewhereError(why, str(directory), _how_to_own(directory))
    return directory


def prepare(directory: Path, *, resume: bool, view: bool, takeover: bool) -> str:
    """Start a supervisor if the runs need one; return why the directory can only be viewed, "" if commands can be sent.

    Raises:
        UserError: there is nothing left to continue, or it is for a newer lrtui to continue.
        OwnedElsewhereError: it cannot be owned from here, and --resume or --takeover was given.

    """
    if newer := newer_format(Layout(directory)):
        if resume or takeover:
            raise UserError(newer, str(directory), UPDATE)
        return newer
    sweep = _sweep(directory)
    why = "opened with --view" if view else foreign(directory, sweep)
    takeover = takeover and not view
    if why and not (takeover and _can_take_over(directory)):
        if resume or takeover:
            raise OwnedElsewhereError(why, str(directory), _how_to_own(directory))
        return why
    from lrtui.sweep.mailbox import ensure_supervisor

    if sweep.closed is None or takeover:
        ensure_supervisor(directory, takeover=takeover)
    if sweep.closed is not None and (resume or sweep.closed.code == 5):
        _reopen(directory, must=resume)
    return ""


def _reopen(directory: Path, *, must: bool) -> None:
    from lrtui.sweep.mailbox import send

    try:
        answer = send(directory, ReopenSweep())
    except NoAnswerError:
        if must:
            raise
        return
    if not answer.ok and must:
        raise UserError(answer.answer, str(directory), answer.hint.replace("DIR", str(directory)))


def _can_take_over(directory: Path) -> bool:
    """Return whether `--takeover` can make this user own a directory: another user's is never taken over."""
    return directory.stat().st_uid == os.getuid() and os.access(directory, os.W_OK)


def _how_to_own(directory: Path) -> str:
    if _can_take_over(directory):
        return f"own it from here: lrtui {directory} --takeover"
    return f"view it: lrtui {directory}; to continue it yourself, copy it and run lrtui COPY --takeover"


def foreign(directory: Path, sweep: Sweep) -> str:
    """Return why this machine or user cannot own the runs of a directory, "" if it can."""
    found = directory.stat()
    if found.st_uid != os.getuid():
        return f"it belongs to another user (uid {found.st_uid})"
    if not os.access(directory, os.W_OK):
        return "it is read-only"
    if sweep.host and sweep.host != socket.gethostname():
        return f"it was started on another host ({clean(sweep.host, 60)})"
    if sweep.inode and sweep.inode != found.st_ino:
        return "it is a copy of the directory that was started"
    return ""


def why_not_drawn() -> str:
    """Return why this terminal cannot show the monitor, "" if it can."""
    term = os.environ.get("TERM", "")
    if term in {"", "dumb", "unknown"}:
        return f"TERM={term}: this terminal cannot place a cursor" if term else "TERM is not set"
    return ""


def monitor(directory: Path, why_view: str, most_bytes: int = 0) -> int:
    """Open the monitor, which sends at most `max_bytes` bytes per second (0: no limit); on exit print how to come back.

    Returns the exit code: of the sweep if it has ended, DETACHED if the runs continue.

    Raises:
        UserError: there is no terminal to draw on.

    """
    from lrtui import tui

    code = tui.run(
        directory,
        view_only=bool(why_view),
        notice=f"view only: {why_view}" if why_view else "",
        most_bytes=most_bytes,
    )
    print(farewell(directory))
    closed = _sweep(directory).closed
    return code or (DETACHED if closed is None else closed.code)


def in_browser(directory: Path, size: tuple[int, int], *, view: bool) -> int:
    """Open the monitor for a tab of `lrtui serve`: as `lrtui DIR` does, but on pipes, and nothing else is printed."""
    why_view = prepare(existing(directory), resume=False, view=view, takeover=False)
    from lrtui import tui

    notice = f"view only: {why_view}" if why_view else ""
    return tui.run(directory, view_only=bool(why_view), notice=notice, browser=size)


def farewell(directory: Path) -> str:
    """Return what the terminal shows after the monitor closes: the verdict of an ended sweep, and how to come back."""
    sweep = _sweep(directory)
    if sweep.closed is not None or sweep.stopping:
        from lrtui.frontend.log_mode import closing_lines

        how = "has ended" if sweep.closed else "was stopped"
        if sweep.closed and sweep.trained():
            how += f": {clean(sweep.closed.why)}"
        return "\n".join([
            f"the sweep {how}", "", *closing_lines(directory, sweep), "",
            f"see it again: lrtui {directory}", f"the report:   {directory}/report.md",
        ])  # fmt: skip
    alive, queued = len(sweep.alive()), len(sweep.queued())
    return (
        f"detached; {alive} running, {queued} queued; the runs continue\n"
        f"  attach again:  lrtui {directory}\n  print state:   lrtui status {directory}\n  stop them all: lrtui stop {directory}"
    )


def _sweep(directory: Path) -> Sweep:
    return fold(JournalTail(Layout(directory).journal).rest())
