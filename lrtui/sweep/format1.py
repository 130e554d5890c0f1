"""Reads journals of format 1 as current events.

Format 1 had only text for what format 2 has in fields: which rule ended a run, that a script ended by itself, what a warning is
about. Only this module parses that text. It is the text of the last lrtui that wrote format 1, so it does not follow today's
messages.

`EventReader` is for `journal`, `decode_answer` for `mailbox`; each upgrade is a pure function from one line of format 1 to one of format 2.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from lrtui.sweep.choice import choice_of
from lrtui.sweep.events import Answer, AnyEvent, GroupKey, RunQueued, Setting, decode_event
from lrtui.sweep.state import group_of

Line = dict[str, Any]


class EventReader:
    """Decodes the lines of one journal, in order: of format 1, of format 2, or first format 1 and then format 2."""

    def __init__(self) -> None:
        self._groups: dict[str, GroupKey] = {}
        """The groups of the runs queued so far, by their text in format 1."""

    def event(self, line: bytes) -> AnyEvent:
        """Return the event on a line.

        Raises:
            ValueError: it is malformed, or of another version.

        """
        try:
            return decode_event(line)
        except ValueError:
            old = _read(line)
            if old is None:
                raise
        upgrade = _UPGRADES.get(str(old.get("event")))
        line2 = _with_group(upgrade(old) if upgrade else old, self._groups)
        try:
            event: AnyEvent = msgspec.convert(line2, AnyEvent)
        except msgspec.ValidationError as error:
            raise ValueError(str(error)) from error
        if isinstance(event, RunQueued):
            self._groups.setdefault(_group_in_words(event.setting), group_of(event.setting))
        return event


def decode_answer(content: bytes) -> Answer:
    """Return an answer, of this lrtui's supervisor or of one that writes format 1.

    Raises:
        msgspec.MsgspecError: it is malformed.

    """
    old = msgspec.json.decode(content, type=_Answer)
    return Answer(old.ok, old.answer, old.hint or old.mend)


class _Answer(Answer, frozen=True, omit_defaults=True):
    mend: str = ""


def _read(line: bytes) -> Line | None:
    """Return a line of version 1; None for anything else."""
    try:
        found = msgspec.json.decode(line)
    except (msgspec.MsgspecError, RecursionError):
        return None
    return found if isinstance(found, dict) and found.get("v") == 1 else None


# ---------------------------------------------------------------- one upgrade per event that changed

_RULES = frozenset({"nan", "diverged", "collapsed", "chance", "beaten"})
_MEMORY = re.compile(r"memory of GPU (\d+) is nearly full")


def _stopping(old: Line) -> Line:
    return {**old, "rule": _rule(old)}


def _ended(old: Line) -> Line:
    early = old.get("kind") == "finished" and _why(old).startswith("ended by itself")
    return {**old, "rule": _rule(old), "early": early}


def _rule(old: Line) -> str | None:
    """Return the rule that ended a run: the reason began with its name, except for the rule `nan` while the run trained."""
    if old.get("kind") not in {"pruned", "diverged"}:
        return None
    word = _why(old).partition(":")[0]
    if word in _RULES:
        return word
    return "nan" if old["kind"] == "diverged" else None


def _lost(old: Line) -> Line:
    rule = next((rule for rule in ("crowded", "apart") if old.get(rule) is True), None)
    return {**old, "rule": rule}


def _warned(old: Line) -> Line:
    found = _MEMORY.match(str(old.get("text")))
    return {**old, "kind": "gpu memory", "gpu": int(found[1])} if found else old


def _answered(old: Line) -> Line:
    return {**old, "hint": old.get("mend", "")}


def _with_group(old: Line, groups: Mapping[str, GroupKey]) -> Line:
    """Return a line whose group is a key; the text of an unknown group is kept as the name of an optimizer."""
    words = old.get("group")
    if not isinstance(words, str):
        return old
    return {**old, "group": msgspec.to_builtins(groups.get(words) or GroupKey(words))}


def _group_in_words(setting: Setting) -> str:
    """Return what format 1 called a setting's group: "sgd momentum=0.9, cosine, wd=0.1"."""
    parts = [_choice_in_words(setting.optimizer), _choice_in_words(setting.schedule)]
    for name, value in setting.values.items():
        is_model = name == "model" and isinstance(value, str)
        parts.append(f"{name}={_choice_in_words(str(value)) if is_model else value}")
    return ", ".join(part for part in parts if part)


def _choice_in_words(text: str) -> str:
    chosen = choice_of(text)
    return " ".join([chosen.name, *(f"{key}={value}" for key, value in chosen.options.items())])


def _why(old: Line) -> str:
    return str(old.get("why", ""))


_UPGRADES: dict[str, Callable[[Line], Line]] = {
    "RunStopping": _stopping,
    "RunEnded": _ended,
    "RunLost": _lost,
    "Warned": _warned,
    "CommandDone": _answered,
}
