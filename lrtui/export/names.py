"""Names that a tool accepts, made from those of scripts and files: one for each original, the same for every run."""

from __future__ import annotations

from lrtui.text.clean import clean

_LONGEST = 200


class Names:
    """Gives each original a unique name. A tool with its own rules overrides the public methods except `of`."""

    def __init__(self) -> None:
        self._given: dict[str, str] = {}
        self._taken: set[str] = set()
        self._next: dict[str, int] = {}

    def of(self, original: str) -> str:
        """Return the name of an original."""
        known = self._given.get(original)
        if known is not None:
            return known
        wanted = self.shape(clean(original, _LONGEST).strip()) or "_"
        name = wanted
        while not self.free(name):
            self._next[wanted] = self._next.get(wanted, 1) + 1
            name = f"{wanted}_{self._next[wanted]}"
        self.take(name)
        self._given[original] = name
        return name

    def shape(self, name: str) -> str:
        """Return a cleaned name of at most 200 characters that the tool accepts."""
        return name

    def free(self, name: str) -> bool:
        """Return whether a name is free and valid; among the names made by appending numbers, one must be."""
        return name not in self._taken

    def take(self, name: str) -> None:
        """Record that a name is taken."""
        self._taken.add(name)
