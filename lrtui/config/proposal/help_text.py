"""Options from what a script prints for --help: for parsers that its source does not show."""

from __future__ import annotations

import re
from collections.abc import Iterator

from lrtui.config.proposal.flag import Flag, number

_OPTION = re.compile(r"(?:^|(?<=[\s,|\[/]))--(?P<name>[A-Za-z][\w.-]*)(?P<value>[= ][^\s,\])]+)?")
_DEFAULT = re.compile(r"[\[(;,\s]default(?:s to)?[:= ]\s*[\"']?([^\s\]);,\"']+)", re.IGNORECASE)


def flags_of_help(text: str) -> list[Flag]:
    """Return the options that a help text describes, each once, with their defaults where it names them."""
    found: dict[str, Flag] = {}
    for name, takes_value, about in _described(text):
        default = _DEFAULT.search(about)
        value = number(default[1]) if default and default[1] != "None" else None
        flag = Flag(
            name, f"--{name}={{}}" if takes_value else f"--{name}", value, switch=not takes_value
        )
        known = found.get(name)
        if known is None or (known.default is None and value is not None):
            found[name] = flag
    return list(found.values())


def _described(text: str) -> Iterator[tuple[str, bool, str]]:
    """Yield each option with whether it takes a value, and the text up to the next one."""
    matches = list(_OPTION.finditer(text))
    for match, following in zip(matches, [*matches[1:], None], strict=False):
        about = text[match.end() : following.start() if following else len(text)]
        yield match["name"], bool(match["value"]), about
