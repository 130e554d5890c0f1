"""Imported by a monitor on a pseudo-terminal: marks when it has come to rest, since silence proves nothing on a busy machine.

It also appends a byte to the file in TEST_LOOKS for each look at the directory, so that a test can let an idle monitor live on.

The test types `ASK` (a terminal's word for "I have the focus", which changes nothing) behind the keys whose effect it waits for. When
everything before it has had its effect, `MARK` is written to the terminal, behind all that shows it; a terminal ignores it.
"""

from __future__ import annotations

import asyncio
import os

ASK = "\x1b[I"
MARK = "\x1b]7777;at rest\x07"


def install() -> None:
    """Let every app of this process answer."""
    from textual import events
    from textual.app import App

    heed = App.on_event
    answers: set[asyncio.Task[None]] = set()

    async def on_event(self, event: events.Event) -> None:
        await heed(self, event)
        if isinstance(event, events.AppFocus):
            answers.add(asyncio.create_task(_answer(self)))

    App.on_event = on_event
    _count_looks()


def _count_looks() -> None:
    from lrtui.frontend.snapshot import DirectoryReader

    look = DirectoryReader.snapshot

    def counted(self, *args, **kw):
        with open(os.environ["TEST_LOOKS"], "a") as file:
            file.write(".")
        return look(self, *args, **kw)

    DirectoryReader.snapshot = counted


async def _answer(app) -> None:
    """Answer once the app rests at two looks in a row: between them the loop runs everything that is due."""
    rested = 0
    while rested < 2:
        await asyncio.sleep(0.02)
        rested = rested + 1 if _rests(app) else 0
    app._driver.write(MARK)
    app._driver.flush()


def _rests(app) -> bool:
    """Tell whether nothing waits: no key, message, worker, drawing, animation, nor a frame for the terminal."""
    from lrtui.tui.panels.chart_panel import ChartPanel

    snapshot = app.model.snapshot
    if app._keys or app._settling is not None or snapshot is None or snapshot.reading:
        return False
    if any(worker.is_running for worker in app.workers) or not app.animator._idle_event.is_set():
        return False
    for screen in app.screen_stack:
        if screen._dirty_widgets or screen._layout_required or screen._callbacks:
            return False
        for node in (app, *screen.walk_children(with_self=True)):
            if not node._message_queue.empty() or (isinstance(node, ChartPanel) and node._busy):
                return False
    writer = getattr(app._driver, "writer", None)
    return writer is None or not writer._wanted
