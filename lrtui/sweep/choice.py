"""A model, optimizer, schedule or data set with its options, and the text of it in settings, journals and command lines.

`config.choices` makes each from the experiment file; everything later reads the text through `choice_of`.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Mapping
from typing import Any

from msgspec import Struct


class Choice(Struct, frozen=True):
    """A name with its options: `{ sgd = { momentum = 0.9 } }`."""

    name: str
    options: Mapping[str, Any]

    @property
    def text(self) -> str:
        """The normalised spelling: only the name, or compact JSON {NAME:{options}} with sorted options."""
        if not self.options:
            return self.name
        return json.dumps({self.name: dict(sorted(self.options.items()))}, separators=(",", ":"))

    @property
    def words(self) -> str:
        """The text for people: "sgd momentum=0.9"."""
        return " ".join([self.name, *(f"{key}={value}" for key, value in self.options.items())])


@functools.lru_cache(maxsize=1024)
def choice_of(text: str) -> Choice:
    """Return the choice with this `Choice.text`; any other text, which a foreign journal may contain, is taken as a name."""
    try:
        table = json.loads(text) if text.startswith("{") else None
    except (ValueError, RecursionError):
        table = None
    if isinstance(table, dict) and len(table) == 1:
        name, options = next(iter(table.items()))
        if isinstance(options, dict):
            return Choice(name, options)
    return Choice(text, {})
