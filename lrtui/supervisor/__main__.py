"""`python -m lrtui.supervisor DIR`: take the lock, own the runs, end when they have ended.

A client starts it detached, with stdio on /dev/null and supervisor.log. It ends 5 s (`Timing.linger`) after the sweep was closed;
before that it reads the inbox once more, so that no command is dropped.
"""

from __future__ import annotations

import contextlib
import errno
import logging
import os
import signal
import socket
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from lrtui import __version__
from lrtui.config.directory import read_experiment, read_origin
from lrtui.errors import UserError
from lrtui.supervisor import leftovers, own_job
from lrtui.supervisor.lease import Lease, take
from lrtui.supervisor.loop import Supervisor
from lrtui.supervisor.own_job import IN_JOB, TimeLimit
from lrtui.supervisor.planning import resolve
from lrtui.supervisor.report_process import ReportProcess, begin
from lrtui.sweep import locks
from lrtui.sweep.events import SweepClosed
from lrtui.sweep.files import write_atomic
from lrtui.sweep.layout import Layout
from lrtui.sweep.timing import TIMING
from lrtui.workers import keeper
from lrtui.workers.launcher import LOCAL

_LOG_BYTES = 1 << 20
_ANOTHER_IS_ACTIVE = 75

log = logging.getLogger("lrtui.supervisor")


def main(arguments: list[str]) -> int:
    """Supervise the directory named on the command line; return an exit code."""
    directory = Path(arguments[0]).resolve()
    layout = Layout(directory)
    os.umask(0o077)
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    settings, refusal = _launcher(layout), ""
    if own_job.is_wanted(settings, arguments):
        refusal = own_job.Herald(layout, settings, arguments[1:]).speak()
        if not refusal:
            return _ANOTHER_IS_ACTIVE
    lock = locks.take(directory, patience_seconds=TIMING.retry)
    if lock is None:
        return _ANOTHER_IS_ACTIVE
    inode = os.stat(directory).st_ino
    _log_to(layout.log)
    lease: Lease | None = None
    try:
        if read_experiment(directory).launcher["kind"] != LOCAL:
            lease = take(layout.lease)
            if lease is None:
                log.info("a supervisor on another host owns the directory")
                return _ANOTHER_IS_ACTIVE
        limit = TimeLimit() if IN_JOB in arguments else None
        takeover = "--takeover" in arguments
        while (code := _own(layout, inode, lease, limit, refusal, takeover=takeover)) is None:
            time.sleep(TIMING.retry)  # no disk space to begin
    except Exception:
        log.exception(
            "internal error in lrtui, or the directory was removed; the runs continue, and the next lrtui adopts them"
        )
        return 3
    else:
        return code
    finally:
        if _is_there(layout, inode) and (lease is None or lease.release()):
            layout.beat.unlink(missing_ok=True)
        os.close(lock)


def _launcher(layout: Layout) -> Mapping[str, Any]:
    """Return the launcher's settings; {} if the experiment cannot be read, which is reported once the lock is held."""
    try:
        return read_experiment(layout.root).launcher
    except (UserError, OSError):
        return {}


def _own(
    layout: Layout,
    inode: int,
    lease: Lease | None,
    limit: TimeLimit | None,
    refusal: str,
    *,
    takeover: bool,
) -> int | None:
    """Own the runs until the sweep is closed and no commands are left; return None if there is no disk space to begin."""
    try:
        supervisor = _begin(layout, takeover=takeover)
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT) or not _is_there(layout, inode):
            raise
        log.error("%s; the journal cannot be written; waiting for disk space", error)
        return None
    if supervisor is None:
        log.error(
            "the directory was started elsewhere, or is a copy; it is owned only with --takeover"
        )
        return 6
    if refusal:
        supervisor.warn(f"{refusal}; the supervisor runs on {socket.gethostname()} instead")
    closed_at: float | None = None
    report = ReportProcess(lambda: begin(layout.root))
    while True:
        if not _is_there(layout, inode):
            log.error(
                "the experiment directory was deleted; its runs continue without a supervisor"
            )
            return 5
        try:
            if lease is not None and not lease.renew():
                log.error("a supervisor on another host has taken over")
                return _ANOTHER_IS_ACTIVE
            supervisor.tick()
        except OSError as error:
            log.error("%s; trying again in %g s", error, TIMING.retry)
            time.sleep(TIMING.retry)
        closed = supervisor.sweep.closed
        reported = report.tick(closed.n if closed else 0)
        if closed is None:
            closed_at = None
        elif closed_at is None:
            closed_at = time.monotonic()
        elif reported and time.monotonic() - closed_at > TIMING.linger and not _has_letters(layout):
            return 0
        if limit is not None and limit.near:
            own_job.succeed(layout, supervisor.experiment.launcher)
            return 0
        if not supervisor.launching.goes_on:
            time.sleep(TIMING.far_tick if lease is not None else TIMING.tick)


def _begin(layout: Layout, *, takeover: bool) -> Supervisor | None:
    """Return the directory's supervisor with its sweep opened; None if this process may not own the directory."""
    experiment = read_experiment(layout.root)
    origin = read_origin(layout.root)
    _say_who(layout)
    supervisor = Supervisor(layout.root, experiment, origin)
    if not supervisor.may_own(takeover=takeover):
        return None
    if removed := leftovers.remove(layout.root):
        log.info("removed %d temporary file(s) that dead processes left behind", removed)
    try:
        plan = supervisor.sweep.plan or resolve(experiment, origin.source)
    except UserError as error:
        plan = resolve(experiment, origin.source, on_cpu=True)
        supervisor.open(plan)
        supervisor.append(SweepClosed(code=error.exit_code, why=str(error)))
    supervisor.open(plan)
    supervisor.launching.preload()
    return supervisor


def _is_there(layout: Layout, inode: int) -> bool:
    """Return whether the locked directory is still at its path; another directory there must not be written to."""
    try:
        return os.stat(layout.root).st_ino == inode
    except OSError:
        return False


def _say_who(layout: Layout) -> None:
    who = {
        "pid": os.getpid(),
        "start": keeper.start_time(os.getpid()),
        "boot_id": keeper.boot_id(),
        "host": socket.gethostname(),
        "version": __version__,
    }
    write_atomic(layout.root / "owner.json", msgspec.json.encode(who))


def _has_letters(layout: Layout) -> bool:
    return any(not name.startswith(".") for name in os.listdir(layout.inbox))


class Log(logging.FileHandler):
    """A log of limited size: a full file is renamed to .1. logging.handlers has the same, but imports pickle and queues (0.6 MiB)."""

    def emit(self, record: logging.LogRecord) -> None:
        """Write a line; never raises."""
        with contextlib.suppress(OSError):
            super().emit(record)
            if os.path.getsize(self.baseFilename) > _LOG_BYTES:
                self.close()  # the next line opens it again
                os.replace(self.baseFilename, f"{self.baseFilename}.1")


def _log_to(path: Path) -> None:
    handler = Log(path)
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
    logging.getLogger().addHandler(handler)
    logging.getLogger().setLevel(logging.INFO)


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
