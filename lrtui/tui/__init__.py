"""The monitor: shows an experiment directory in the terminal. `run` is the entry point; only this package imports textual.

reader (thread) → SnapshotTaken → app: ViewModel → panels          keys → actions → lrtui.sweep.mailbox.send → events → reader
"""

from __future__ import annotations

import contextlib
import gc
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from lrtui.errors import UserError

if TYPE_CHECKING:
    from lrtui.frontend.snapshot import SnapshotSource


def run(
    directory: Path,
    *,
    view_only: bool = False,
    notice: str = "",
    most_bytes: int = 0,
    remembered_as: Path | None = None,
    browser: tuple[int, int] | None = None,
    source: SnapshotSource | None = None,
) -> int:
    """Open the monitor and return when the user leaves it. It prints nothing; the caller prints how to reopen it.

    It shows an experiment directory, or what `source` follows there.

    The view is restored from the last visit (`view_store`), by default of that directory. The monitor sends at most `most_bytes` per second; 0 for no limit.
    With `browser` (columns, rows), it is drawn on pipes for a tab of `lrtui serve`.

    Returns 0 after quitting, 4 if the sweep was stopped, 130 for Ctrl-C, 143 and 129 for SIGTERM and SIGHUP. The runs continue in
    all cases but 4.

    Raises:
        UserError: there is no terminal to draw on.

    """
    if browser is None and not _on_terminal():
        raise _no_terminal(directory)
    if browser is None:
        _forget_exported_size()
    gc.disable()  # until the first snapshot: objects made before it stay alive, and scanning them costs 30 ms
    from lrtui.tui.app import Monitor  # textual costs 150 ms
    from lrtui.tui.view_store import ViewStore

    app = Monitor(
        directory,
        view_only=view_only,
        notice=notice,
        most_bytes=most_bytes,
        view_store=ViewStore(remembered_as or directory),
        in_browser=browser is not None,
        source=source,
    )
    code = app.run(mouse=browser is not None, size=browser)
    app.wait()
    if app.bug is not None:
        raise app.bug
    return 0 if code is None else code


def replay(directory: Path, speed: float, *, most_bytes: int = 0) -> int:
    """Replay a recorded sweep in the monitor at `speed` times the original speed; return as `run` does.

    Raises:
        UserError: the directory has no recording, or there is no terminal to draw on.

    """
    import tempfile

    from lrtui.tui.playback import Player

    if not _on_terminal():
        raise _no_terminal(directory)
    with tempfile.TemporaryDirectory(prefix="lrtui-replay-") as name:
        player = Player(directory, Path(name), speed)
        player.start()
        try:
            notice = (
                f"replay of {directory}, {speed:g} times the original speed; nothing is launched"
            )
            return run(
                Path(name),
                view_only=True,
                notice=notice,
                most_bytes=most_bytes,
                remembered_as=directory,
            )
        finally:
            player.stop()


def _on_terminal() -> bool:
    ends = (sys.__stdin__, sys.__stderr__)
    return all(end is not None and end.isatty() for end in ends)


def _forget_exported_size() -> None:
    """Make Textual ask the terminal for its size: it prefers COLUMNS and LINES, which do not change on a resize."""
    with contextlib.suppress(OSError):
        if all(os.get_terminal_size()):  # a serial line does not know it
            for name in ("COLUMNS", "LINES"):
                os.environ.pop(name, None)


def _no_terminal(directory: Path) -> UserError:
    return UserError(
        "the monitor draws on stderr and reads keys from stdin; one of them is not a terminal",
        hint=f"use the log mode: lrtui {directory} --headless",
    )
