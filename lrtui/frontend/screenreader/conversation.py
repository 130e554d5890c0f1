"""A conversation: what is typed, the questions before a command that ends runs, and the answers of the supervisor."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

from lrtui.errors import NoAnswerError, UserError
from lrtui.frontend import requests
from lrtui.frontend.screenreader.sentences import called
from lrtui.frontend.snapshot import Snapshot
from lrtui.frontend.undo import UndoEntry
from lrtui.sweep import events as ev
from lrtui.sweep import mailbox
from lrtui.sweep.state import Run
from lrtui.text.clean import clean


@dataclass(frozen=True, slots=True)
class PendingQuestion:
    """Commands, each sent when the one before was done."""

    commands: tuple[ev.AnyCommand, ...]
    doing: str
    remember: bool = True


class Conversation:
    """Reads typed commands and prints the answers; all output comes from the thread that calls `heed`."""

    def __init__(
        self, directory: Path, out: TextIO, do: Callable[[Conversation, Snapshot, list[str]], None]
    ) -> None:
        """`do` is called with what was typed, word by word."""
        self.directory = directory
        self.deeds: list[UndoEntry] = []
        """The commands carried out, the latest last."""
        self.left: int | None = None
        """The exit code, once the user leaves."""
        self._out = out
        self._do = do
        self._typed: queue.Queue[str] = queue.Queue()
        self._answers: queue.Queue[tuple[str, UndoEntry | None]] = queue.Queue()
        self._question: PendingQuestion | None = None
        """The commands that a yes would send."""

    def say(self, text: str) -> None:
        """Write one line."""
        self._out.write(f"{clean(text)}\n")
        self._out.flush()

    def listen(self, words: TextIO) -> None:
        """Queue what is typed until the input ends; runs in a thread."""
        for line in words:
            self._typed.put(line)

    def heed(self, snapshot: Snapshot) -> int | None:
        """Carry out what was typed and print the answers; return an exit code if the user leaves."""
        while not self._answers.empty():
            text, deed = self._answers.get()
            self.say(text)
            if deed is not None:
                self.deeds.append(deed)
        while not snapshot.reading and self.left is None and not self._typed.empty():
            self._understand(self._typed.get().split(), snapshot)
        return self.left

    # ------------------------------------------------ words

    def _understand(self, words: list[str], snapshot: Snapshot) -> None:
        asked, self._question = self._question, None
        if asked is not None:
            if words and words[0].lower() in {"y", "yes"}:
                self.send(asked, snapshot)
                return
            self.say("Not done.")
            if not words or words[0].lower() in {"n", "no"}:
                return
        if not words:
            return
        self._do(self, snapshot, words)

    def run_named(self, snapshot: Snapshot, words: list[str]) -> Run | None:
        """Return the run that was named by letter, ID or LR; if there is none, say so and return None."""
        if not words:
            self.say("Which run? Say its letter, its id or its learning rate.")
            return None
        sweep = snapshot.sweep
        for run in sweep.runs.values():
            names = {run.id.lower(), called(sweep, run).split()[0].lower()}
            if words[0].lower() in names or requests.read_lr(words[0]) == run.setting.lr:
                return run
        known = ", ".join(called(sweep, run) for run in sweep.runs.values())
        self.say(f"There is no run {words[0]}. The runs are: {known or 'none yet'}.")
        return None

    def ask(self, asked: PendingQuestion, question: str) -> None:
        """Ask a question, and send the commands after a yes."""
        self._question = asked
        self.say(f"{question} Type yes or no.")

    def send(self, asked: PendingQuestion, snapshot: Snapshot) -> None:
        """Send commands in a thread; the answer is printed when it arrives."""
        self.say(f"{asked.doing}.")
        deed = UndoEntry(asked.commands[-1], snapshot.sweep) if asked.remember else None
        threading.Thread(target=self._deliver, args=(asked.commands, deed), daemon=True).start()

    def _deliver(self, commands: tuple[ev.AnyCommand, ...], deed: UndoEntry | None) -> None:
        try:
            for command in commands:
                answer = mailbox.send(self.directory, command)
                if not answer.ok:
                    hint = f" {answer.hint}." if answer.hint else ""
                    self._answers.put((f"Refused: {answer.answer}.{hint}", None))
                    return
            self._answers.put((f"Done: {answer.answer}.", deed))
        except NoAnswerError as error:
            self._answers.put((f"{error.what[:1].upper()}{error.what[1:]}.", None))
        except (UserError, OSError) as error:
            self._answers.put((f"Not done: {error}", None))
