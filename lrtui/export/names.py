"""Names as a tool takes them: made of what a script or a file calls something, one for each original, the same for every run."""

from __future__ import annotations

from collections.abc import Callable

from lrtui.text.clean import clean

_LONGEST = 200


class Names:
    """Gives each original one name, and no two the same."""

    def __init__(self, shape: Callable[[str], str] = str) -> None:
        """`shape` makes a cleaned name of at most 200 characters one that the tool takes."""
        self._shape = shape
        self._given: dict[str, str] = {}
        self._taken: set[str] = set()
        self._next: dict[str, int] = {}

    def of(self, original: str) -> str:
        """Return the name of an original."""
        known = self._given.get(original)
        if known is not None:
            return known
        wanted = self._shape(clean(original, _LONGEST).strip()) or "_"
        name = wanted
        while name in self._taken:
            self._next[wanted] = self._next.get(wanted, 1) + 1
            name = f"{wanted}_{self._next[wanted]}"
        self._taken.add(name)
        self._given[original] = name
        return name
