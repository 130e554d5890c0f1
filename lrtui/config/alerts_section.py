"""[alerts]: which events to report, and where, while no monitor is open.

[alerts]
command = ["notify-send", "{text}"]     {kind} {text} {run} {directory}; the same as JSON on stdin; no shell
webhook = "$SLACK_HOOK"                 POST of that JSON; a name after $ is looked up in the environment
on      = ["failed", "closed"]          default: all kinds
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from lrtui.config.fault_text import did_you_mean, found, names, show
from lrtui.config.toml_reader import Reader

KINDS = ("failed", "lost", "diverged", "flagged", "brake", "warning", "closed")
PLACEHOLDERS = ("kind", "text", "run", "directory")
_KEYS = ("command", "webhook", "on")
_USED = re.compile(r"\{(\w+)\}")
_VARIABLE = re.compile(r"\$[A-Za-z_]\w*", re.ASCII)


@dataclass(frozen=True, slots=True)
class Alerts:
    """The [alerts] section."""

    command: tuple[str, ...] = ()
    webhook: str = ""
    """An address, or $NAME; never the value of an environment variable."""
    on: tuple[str, ...] = KINDS

    def __bool__(self) -> bool:
        return bool(self.command or self.webhook)

    def __str__(self) -> str:
        hook = ["a webhook"] if self.webhook else []
        targets = " and ".join([*([" ".join(self.command)] if self.command else []), *hook])
        return f"{targets} ({'all' if self.on == KINDS else ', '.join(self.on)})" if targets else ""


def read_alerts(reader: Reader) -> Alerts:
    """Return the [alerts] section."""
    given = reader.table("alerts")
    for key in given:
        if key not in _KEYS:
            reader.unknown(("alerts", key), _KEYS, "key")
    command = _command(reader, given["command"]) if "command" in given else ()
    webhook = _webhook(reader, given["webhook"]) if "webhook" in given else ""
    on = _kinds(reader, given["on"]) if "on" in given else KINDS
    if given and not command and not webhook and not reader.faults:
        hint = 'Try: alerts = { command = ["notify-send", "{text}"] }'
        reader.fault(("alerts",), "alerts names neither a command nor a webhook", hint)
    return Alerts(command, webhook, on)


def _command(reader: Reader, value: object) -> tuple[str, ...]:
    path, example = ("alerts", "command"), 'Try: command = ["notify-send", "{text}"]'
    if not isinstance(value, list) or not value or not all(isinstance(w, str) for w in value):
        reader.fault(path, f"command must be a list of strings {found(value)}", example)
        return ()
    if not value[0] or any("\0" in word for word in value):
        reader.fault(path, "command names no program", example)
    for name in sorted({name for word in value for name in _USED.findall(word)}):
        if name not in PLACEHOLDERS:
            hint = did_you_mean(name, PLACEHOLDERS, "placeholders")
            reader.fault(path, f"unknown placeholder {names([name])}", hint)
    return tuple(value)


def _webhook(reader: Reader, value: object) -> str:
    if isinstance(value, str) and (
        value.startswith(("https://", "http://")) or _VARIABLE.fullmatch(value)
    ):
        return value
    hint = 'Write its address, or "$NAME" to read it from the environment.'
    reader.fault(("alerts", "webhook"), f"webhook must be a web address {found(value)}", hint)
    return ""


def _kinds(reader: Reader, value: object) -> tuple[str, ...]:
    kinds = value if isinstance(value, list) else [value]
    for kind in kinds:
        if kind not in KINDS:
            what = f"unknown kind of alert {show(kind)}"
            reader.fault(("alerts", "on"), what, did_you_mean(str(kind), KINDS, "kinds"))
    return tuple(kind for kind in KINDS if kind in kinds)
