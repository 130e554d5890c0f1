"""Sends alerts: starts the command or webhook of [alerts] for each event that calls for it, never twice.

An alert is journalled (`Alerted`) before it is sent: a supervisor that dies in between loses the alert, and none repeats one. Text
that a worker wrote is cleaned, and reaches the command as one word of its argv and as JSON on stdin; there is no shell.
"""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from lrtui.config.alerts_section import Alerts
from lrtui.frontend.narration import alert_kind
from lrtui.sweep import events as ev
from lrtui.sweep.allowed import id_and_lr
from lrtui.sweep.state import Sweep
from lrtui.text.clean import clean
from lrtui.text.format import lr_text

SECONDS = 30.0
"""A command that takes longer, in seconds, is ended."""
AT_ONCE = 5
"""At most this many events are sent at one time; the rest is only counted."""

log = logging.getLogger("lrtui.supervisor")


class AlertSender:
    """Starts the alert commands, and ends those that take too long."""

    def __init__(self, alerts: Alerts, directory: Path, cwd: str) -> None:
        self._alerts, self._directory, self._cwd = alerts, directory, cwd
        self._living: list[tuple[subprocess.Popen[bytes], float]] = []

    def due(self, sweep: Sweep, events: Sequence[ev.AnyEvent]) -> list[dict[str, str]]:
        """Return the alerts for events that have had none yet."""
        if not self._alerts:
            return []
        new = [event for event in events if event.n > sweep.alerted]
        told = [(event, kind) for event in new if (kind := alert_kind(event)) in self._alerts.on]
        messages = [self._letter(sweep, event, kind) for event, kind in told]
        if len(messages) <= AT_ONCE:
            return messages
        rest = f"and {len(messages) - AT_ONCE + 1} more; see lrtui {self._directory}"
        return [*messages[: AT_ONCE - 1], {**messages[-1], "run": "", "text": rest}]

    def notify(self, messages: Sequence[dict[str, str]]) -> None:
        """Start the commands of [alerts]; log those that cannot be started."""
        self._end_late()
        for message in messages:
            content = json.dumps(message).encode()
            if self._alerts.command:
                self._start([_fill(word, message) for word in self._alerts.command], content)
            if self._alerts.webhook:
                address = {"url": address_of(self._alerts.webhook), "letter": message}
                words = [sys.executable, "-m", "lrtui.supervisor.webhook"]
                self._start(words, json.dumps(address).encode())

    def _letter(self, sweep: Sweep, event: ev.AnyEvent, kind: str) -> dict[str, str]:
        run = str(getattr(event, "run", None) or "")
        subject = id_and_lr(sweep.runs[run]) if run in sweep.runs else run
        name = sweep.plan.name if sweep.plan else ""
        why = getattr(event, "why", "") or getattr(event, "text", "")
        said = f"{subject} {kind}: {why}" if run else f"{kind}: {why}"
        if isinstance(event, ev.SweepClosed) and sweep.verdict is not None and sweep.verdict.lr:
            said = f"closed: use lr = {lr_text(sweep.verdict.lr)} ({why})"
        return {
            "kind": kind,
            "text": clean(f"lrtui {name}: {said}", 500),
            "run": run,
            "directory": str(self._directory),
        }

    def _start(self, words: list[str], content: bytes) -> None:
        environment = {k: v for k, v in os.environ.items() if not k.startswith("LRTUI_")}
        try:
            child = subprocess.Popen(
                words,
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                cwd=self._cwd,
                env=environment,
                start_new_session=True,
            )
        except (OSError, ValueError) as error:
            log.error("alert: %s cannot be started: %s", words[0], error)
            return
        assert child.stdin is not None  # noqa: S101  # it was asked for
        try:
            child.stdin.write(content)  # far less than a pipe holds
            child.stdin.close()
        except BrokenPipeError:
            log.info("alert: %s reads no input", words[0])
        self._living.append((child, time.monotonic()))

    def _end_late(self) -> None:
        """Forget the commands that ended, and end those that take too long."""
        for child, began in self._living:
            if child.poll() is None and time.monotonic() - began > SECONDS:
                child.kill()
                child.wait()
            if child.returncode:
                log.error("alert: %s ended with %s", child.args[0], child.returncode)  # type: ignore[index]
        self._living = [pair for pair in self._living if pair[0].returncode is None]


def address_of(webhook: str) -> str:
    """Return a webhook's address; "" if the environment lacks the variable."""
    return os.environ.get(webhook[1:], "") if webhook.startswith("$") else webhook


def _fill(word: str, message: dict[str, str]) -> str:
    """Return a word of the command with its placeholders filled in, each once."""
    parts = word.split("{")
    done = parts[:1]
    for part in parts[1:]:
        name, closed, rest = part.partition("}")
        done.append(message[name] + rest if closed and name in message else "{" + part)
    return "".join(done)
