"""Delivers key presses one at a time, so that keys typed ahead reach the screen that the previous key opened.

Over a slow connection, and when a user types ahead, a terminal delivers many keys at once. Textual sends all of them to the widget
that has the focus when they arrive: those after `/` would never reach its field, and those after an answer would be lost with the
dialog (seen with 8.2.8). Here a key waits until the receiver of the key before it has handled that one.
"""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING, Any

from textual.app import App
from textual.events import Key, Paste
from typing_extensions import override

from lrtui.tui.keymap import ACTIONS

if TYPE_CHECKING:
    from collections.abc import Awaitable, Sequence

    from textual.events import Event
    from textual.message_pump import MessagePump

_PATIENCE = 0.2
"""Seconds that a widget has for a key before the next one goes to the focused widget; a closing widget never answers."""


class KeyQueue(App[int], inherit_bindings=False):
    """A mixin of App that orders keys and does not interpret them."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._keys: deque[Key | Paste] = deque()
        """The typed keys that are not delivered yet."""
        self._settling: asyncio.Task[None] | None = None
        """Set when the last key has taken effect."""
        self._opening: Awaitable[None] | None = None
        """Done when the last dialog is on the screen."""

    @override
    async def on_event(self, event: Event) -> None:
        if isinstance(event, Key | Paste) and not event.is_forwarded:
            self._keys.append(event)
            await self._take_turns()
        else:
            await super().on_event(event)

    @override
    def push_screen(self, *args: Any, **options: Any) -> Any:
        self._opening = super().push_screen(*args, **options)
        return self._opening

    async def _take_turns(self) -> None:
        """Deliver the queued keys until one goes to a widget, which must handle it first, or the app exits."""
        while self._keys and self._settling is None and not self._exit:
            await self._opened()
            event = self._keys.popleft()
            if isinstance(event, Key) and len(self.screen_stack) == 1 and event.key in ACTIONS:
                await self.run_action(ACTIONS[event.key])
                continue
            takers = (self.focused or self.screen).ancestors_with_self
            await super().on_event(event)
            self._settling = asyncio.create_task(self._settle(takers))

    async def _settle(self, takers: Sequence[MessagePump]) -> None:
        """Wait until a key, and the messages that its widget posts in turn (`Submitted`), have bubbled up to the app."""
        for taker in (*takers, *takers):
            done = asyncio.Event()
            if taker.call_later(done.set):
                try:
                    await asyncio.wait_for(done.wait(), _PATIENCE)
                except TimeoutError:
                    break
        self._settling = None
        self.call_later(self._take_turns)

    async def _opened(self) -> None:
        """Wait until the last dialog accepts keys."""
        opening, self._opening = self._opening, None
        if opening is None:
            return
        await opening
        screen = self.screen
        if self.focused is None and (fields := screen.query("Input")):
            screen.set_focus(fields.first())
