"""Names as a tool takes them: made of what a script or a file calls something, one for each original, the same for every run."""

from __future__ import annotations

from lrtui.text.clean import clean

_LONGEST = 200


class Names:
    """Gives each original one name, and no two the same. A tool with rules of its own overrides what is public but `of`."""

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
        """Return a cleaned name of at most 200 characters as the tool takes it."""
        return name

    def free(self, name: str) -> bool:
        """Return whether a name can be given; of a name with enough different numbers behind it, one must be."""
        return name not in self._taken

    def take(self, name: str) -> None:
        """Note that a name is given."""
        self._taken.add(name)
