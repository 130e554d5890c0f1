"""The LRs that the user listed: `lr = [1e-1, 1e-3]`, or one number."""

from __future__ import annotations

from dataclasses import dataclass

from lrtui.search.halving import search
from lrtui.search.strategy import Decision, Space
from lrtui.sweep.state import Sweep
from lrtui.text.format import lr_text


@dataclass(frozen=True, slots=True)
class Listed:
    """Every one of these LRs, to the end."""

    lr: tuple[float, ...]

    @property
    def count(self) -> int:
        """The number of LRs that it tries."""
        return len(self.lr)

    def rates(self, seed: int) -> tuple[float, ...]:  # noqa: ARG002 - the same for every seed
        """Return the LRs in the order given."""
        return self.lr

    def decide(self, sweep: Sweep, space: Space) -> list[Decision]:
        """Return the runs that the sweep lacks, and the decisions of its rungs."""
        return search(sweep, space, self.lr)

    def describe(self) -> str:
        """Return a description of the list."""
        count = len(self.lr)
        return f"{count} given LR{'s' * (count > 1)}: {', '.join(map(lr_text, self.lr))}"
