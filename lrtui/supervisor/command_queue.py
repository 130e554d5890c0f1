"""Handles the commands of the inbox: journals their effects, carries them out, and answers each command when it is done.

The loop calls `tick`; `commands` defines the effects. If a supervisor dies while a command is half done, the next supervisor
finishes it, because the journal holds the command's ID.
"""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Iterator

import msgspec

from lrtui.supervisor import commands
from lrtui.supervisor.ownership import opened
from lrtui.sweep import events as ev
from lrtui.sweep.allowed import Refusal
from lrtui.sweep.events import Answer
from lrtui.sweep.inbox import Inbox, Message
from lrtui.sweep.journal_writer import Journal
from lrtui.sweep.layout import Layout
from lrtui.sweep.state import Run
from lrtui.text.format import duration

MOST_SECONDS = 0.25
"""How long a tick handles commands: with 100,000 files in the inbox, the heartbeat continues and runs are still reaped and judged."""


class CommandQueue:
    """Carries out the commands of one directory."""

    def __init__(
        self,
        layout: Layout,
        journal: Journal,
        send: Callable[[Run, int], None],
        forgive: Callable[[], None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`send` signals a run; `forgive` is called once for each new command; `clock` returns seconds."""
        self._layout = layout
        self._inbox = Inbox(layout)
        self._journal = journal
        self._send = send
        self._forgive = forgive
        self._clock = clock
        self._unseen: Iterator[Message | None] | None = None
        """The rest of the inbox if the last tick ran out of time."""
        self._can_wait: set[str] = set()
        """IDs of the commands in that rest that were read and are not urgent."""

    def tick(self) -> None:
        """Handle the commands of the inbox in order of name, for at most `MOST_SECONDS`.

        The next tick continues where this one stopped, and lists the inbox again once it has seen every file. So commands that
        are still being carried out cannot keep later ones waiting. In a flood, kills and stops are handled first.
        """
        deadline = self._clock() + MOST_SECONDS
        if self._unseen is None:
            self._unseen = self._inbox.messages()
        for message in self._unseen:
            if message is not None:
                self._handle(message)
            if self._clock() >= deadline:
                self._handle_urgent(deadline + MOST_SECONDS)
                return
        self._unseen = None
        self._can_wait.clear()

    def _handle_urgent(self, deadline: float) -> None:
        """Handle the kills and stops among the unread commands, newest first."""
        for message in self._inbox.newest(but=self._can_wait):
            if message is not None and isinstance(message.command, ev.KillRun | ev.StopSweep):
                self._handle(message)
            elif message is not None:
                self._can_wait.add(message.id)
            if self._clock() >= deadline:
                return

    def _handle(self, message: Message) -> None:
        known = self._journal.sweep.commands.get(message.id)
        if known is not None:
            self._inbox.answer(message.id, Answer(known.ok, known.answer, known.hint))
            return
        command = message.command
        if command is None:
            self._answer(message.id, "?", Answer(ok=False, answer=f"unreadable: {message.fault}"))
            return
        name = type(command).__name__
        if message.id not in self._journal.sweep.commands:
            refused = self._begin(message.id, command)
            if refused is not None:
                self._answer(message.id, name, Answer(False, refused.what, refused.hint))
                return
        answer = commands.settled(command, self._journal.sweep)
        if answer is not None:
            self._answer(message.id, name, answer)

    def _begin(self, message_id: str, command: ev.AnyCommand) -> Refusal | None:
        """Journal the effects of a new command, then carry them out; return why it is refused, if it is."""
        late = time.time() - command.sent - command.expires
        if command.expires and late > 0:
            return Refusal(f"it expired {duration(late)} ago", "send it again")
        sweep = self._journal.sweep
        effects = commands.effects(command, sweep)
        if isinstance(effects, Refusal):
            return effects
        if sweep.closed is not None and sweep.plan is not None and effects:
            effects = [opened(self._layout, sweep.plan), *effects]
        sweep = self._journal.append(
            *(msgspec.structs.replace(effect, by=message_id) for effect in effects)
        )
        self._forgive()
        for effect in effects:
            if isinstance(effect, ev.RunFrozen):
                self._send(sweep.runs[effect.run], signal.SIGSTOP)
            elif isinstance(effect, ev.RunThawed):
                self._send(sweep.runs[effect.run], signal.SIGCONT)
        return None

    def _answer(self, message_id: str, command: str, answer: Answer) -> None:
        done = ev.CommandDone(
            command=command, ok=answer.ok, answer=answer.answer, hint=answer.hint, by=message_id
        )
        self._journal.append(done)
        self._inbox.answer(message_id, answer)
