"""From the inbox to the answers: what a command causes is journalled before it happens, and answered when it is done.

The loop calls `further` each tick; what a command means is said in `commands`. One that was half done when a supervisor died is
finished by the next one, since the journal knows it.
"""

from __future__ import annotations

import signal
import time
from collections.abc import Callable

import msgspec

from lrtui.supervisor import commands
from lrtui.supervisor.ownership import opened
from lrtui.sweep import events as ev
from lrtui.sweep.events import Answer
from lrtui.sweep.inbox import Inbox, Message
from lrtui.sweep.journal_writer import Journal
from lrtui.sweep.layout import Layout
from lrtui.sweep.state import Run


class CommandQueue:
    """Carries out the commands of one directory."""

    def __init__(
        self,
        layout: Layout,
        journal: Journal,
        send: Callable[[Run, int], None],
        forgive: Callable[[], None],
    ) -> None:
        """`send` signals a run; `forgive` is called for each command that is seen for the first time."""
        self._layout = layout
        self._inbox = Inbox(layout)
        self._journal = journal
        self._send = send
        self._forgive = forgive

    def tick(self) -> None:
        """Take every command one step further."""
        for message in self._inbox.messages():
            self._obey(message)

    def _obey(self, message: Message) -> None:
        known = self._journal.sweep.commands.get(message.id)
        if known is not None:
            self._inbox.answer(message.id, Answer(known.ok, known.answer, known.hint))
            return
        command = message.command
        if command is None:
            self._answer(message.id, "?", Answer(ok=False, answer=f"unreadable: {message.fault}"))
            return
        name = type(command).__name__
        try:
            if message.id not in self._journal.sweep.commands:
                self._begin(message.id, command)
        except commands.Refusal as refusal:
            self._answer(message.id, name, Answer(False, refusal.what, refusal.hint))
            return
        answer = commands.settled(command, self._journal.sweep)
        if answer is not None:
            self._answer(message.id, name, answer)

    def _begin(self, message_id: str, command: ev.AnyCommand) -> None:
        """Journal the effects of a command that is seen for the first time, then let them happen."""
        late = time.time() - command.sent - command.expires
        if command.expires and late > 0:
            raise commands.Refusal(f"it expired {late:.0f} s ago", "send it again")
        sweep = self._journal.sweep
        effects = commands.effects(command, sweep)
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

    def _answer(self, message_id: str, command: str, answer: Answer) -> None:
        done = ev.CommandDone(
            command=command, ok=answer.ok, answer=answer.answer, hint=answer.hint, by=message_id
        )
        self._journal.append(done)
        self._inbox.answer(message_id, answer)
