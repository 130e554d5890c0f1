"""Checks who owns a directory: the host and inode that a sweep was opened on. The loop asks before it touches a run."""

from __future__ import annotations

import os
import socket

from lrtui import __version__
from lrtui.sweep import events as ev
from lrtui.sweep.layout import Layout
from lrtui.sweep.state import Sweep
from lrtui.workers.launcher import LOCAL


def is_ours(sweep: Sweep, layout: Layout) -> bool:
    """Return whether this is the directory that was opened, on its host, not a copy.

    The runs of a cluster's sweep belong to no host: any login node may own them.
    """
    if sweep.plan is None:
        return True
    host, inode = _here(layout)
    return sweep.inode == inode and (sweep.host == host or sweep.plan.launcher != LOCAL)


def opened(layout: Layout, plan: ev.Plan) -> ev.SweepOpened:
    """Return the event that makes this host the directory's owner."""
    host, inode = _here(layout)
    return ev.SweepOpened(plan=plan, host=host, inode=inode, version=__version__, pid=os.getpid())


def _here(layout: Layout) -> tuple[str, int]:
    return socket.gethostname(), os.stat(layout.root).st_ino
