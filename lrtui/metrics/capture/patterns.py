"""`parse`: the rules by which numbers are taken from text. Each rule is tried on each record.

A rule is a regular expression whose named groups are the fields. Rules of a preset may also take `name: value` pairs from the
record that they match, and call a group by a name that no group can have (`Acc@1`).
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from lrtui.metrics.capture.presets import PRESETS, PresetRule
from lrtui.metrics.capture.values import number
from lrtui.text.clean import runaway

LONGEST_TEXT = 1 << 12
"""The number of bytes of a record that a pattern sees: one with several `.*` takes a power of it in time."""
_ABSENT = frozenset({"", "-", "--", "n/a", "na", "none", "null"})
"""Text in place of a value that was not measured."""


@dataclass(slots=True)
class Matched:
    """What the rules took from one record."""

    numbers: dict[str, float] = field(default_factory=dict)
    refused: list[str] = field(default_factory=list)
    """The names whose text was not a number."""


class Patterns:
    """The rules of one experiment, compiled."""

    def __init__(self, parse: str | Sequence[str] | None) -> None:
        self._rules = [(compiled, rule) for rule in rules(parse) if (compiled := _compiled(rule))]

    def __bool__(self) -> bool:
        return bool(self._rules)

    def match(self, record: bytes) -> Matched | None:
        """Return what all rules together take from a record; None if no rule matches."""
        text = record[:LONGEST_TEXT].decode("utf-8", "replace")
        found: Matched | None = None
        for (regex, pairs), rule in self._rules:
            match = regex.search(text)
            if match is None:
                continue
            found = found or Matched()
            self._take(match, pairs, rule, found)
        return found

    def _take(
        self,
        match: re.Match[str],
        pairs: re.Pattern[str] | None,
        rule: PresetRule,
        found: Matched,
    ) -> None:
        for group, text in match.groupdict().items():
            if text is not None:
                _put(rule.names.get(group, group), text, found)
        for name, text in pairs.findall(match.string, match.end()) if pairs else ():
            _put(rule.prefix + name.strip(), text, found)
        for name, (part, whole) in rule.shares.items():
            parts = found.numbers
            if parts.get(whole) and part in parts:
                parts[name] = 100 * parts.pop(part) / parts.pop(whole)


def rules(parse: str | Sequence[str] | None) -> Iterable[PresetRule]:
    """Return the rules that `parse` names: a pattern, a preset, or a list of them."""
    each: Sequence[str] = (parse,) if isinstance(parse, str) else parse or ()
    for one in each:
        preset = PRESETS.get(one)
        if preset is not None:
            yield from preset.rules
        else:
            yield PresetRule(one)


def sources(parse: str | Sequence[str] | None) -> list[str]:
    """Return the regular expressions of `parse`, which the keeper of a capped log searches for."""
    return [rule.pattern for rule in rules(parse)]


def first_of(parse: str | Sequence[str] | None) -> int | None:
    """Return the number from which the named presets count; None if they do not say, or disagree."""
    each: Sequence[str] = (parse,) if isinstance(parse, str) else parse or ()
    said = {PRESETS[one].first for one in each if one in PRESETS}
    return said.pop() if len(said) == 1 else None


def _put(name: str, text: str, found: Matched) -> None:
    value = number(text)
    if value is None:
        if text.strip().lower() not in _ABSENT:
            found.refused.append(name)
    else:
        found.numbers.setdefault(name, value)


def _compiled(rule: PresetRule) -> tuple[re.Pattern[str], re.Pattern[str] | None] | None:
    """Return a rule's expressions; None for an invalid one, which is refused when the experiment is loaded and matches nothing in a copied directory."""
    if runaway(rule.pattern):
        return None
    with contextlib.suppress(re.error, RecursionError, OverflowError):
        return re.compile(rule.pattern), re.compile(rule.pairs) if rule.pairs else None
    return None
