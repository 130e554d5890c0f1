"""Everything that the panels draw from: one frozen value, replaced as a whole.

    Snapshot (files) + View (what the user chose) + marks (letters, colours) + pages (output, settings) + notice → Scene

The app alone makes scenes; panels only read them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Literal

from lrtui.tui.marks import Mark

if TYPE_CHECKING:
    from lrtui.sweep import Run
    from lrtui.watcher import Snapshot

Pane = Literal["charts", "output", "settings"]
PANES: tuple[Pane, ...] = ("charts", "output", "settings")
SORTS = ("rank", "lr", "progress", "state")
WEIGHTS = (0.0, 0.3, 0.6, 0.8, 0.9, 0.95, 0.98)
USUAL_WEIGHT = 0.6
UNMARKED = Mark("·", "#d0d7de")


@dataclass(frozen=True, slots=True)
class View:
    """What the user chose to look at."""

    selected: str = ""
    """Run under the leaderboard's cursor; "" before there is one."""
    moved: bool = False
    """Whether the user moved the cursor; until all is read it stands on the leader else."""
    turn: int = 0
    """How far `m` has turned the metrics."""
    axis: int = 0
    """How far `a` has turned the x axes."""
    smooth: bool = False
    weight: float = USUAL_WEIGHT
    log_y: bool = False
    sort: str = "rank"
    reverse: bool = False
    hidden: frozenset[str] = frozenset()
    pinned: str = ""
    pane: Pane = "charts"
    """What stands in the large area."""
    charts: int = 2
    scroll: int = 0
    """Lines from the end of the output, or from the top of the settings."""
    follow: bool = True


@dataclass(frozen=True, slots=True)
class Pages:
    """Text about one run, fetched by the reader."""

    run: str = ""
    output: tuple[str, ...] = ()
    settings: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    leader: str = ""
    leader_settings: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))


@dataclass(frozen=True, slots=True)
class Notice:
    """One line about what was just asked for."""

    text: str = ""
    bad: bool = False


@dataclass(frozen=True, slots=True)
class Scene:
    """What the screen shows."""

    snapshot: Snapshot | None = None
    view: View = View()
    marks: Mapping[str, Mark] = field(default_factory=lambda: MappingProxyType({}))
    pages: Pages = Pages()
    notice: Notice = Notice()
    view_only: str = ""
    """Why nothing can be asked of the supervisor; "" where it can."""

    def mark(self, run: str) -> Mark:
        """Return a run's letter and colour."""
        return self.marks.get(run, UNMARKED)

    @property
    def run(self) -> Run | None:
        """The run under the cursor."""
        return self.snapshot.sweep.runs.get(self.view.selected) if self.snapshot else None
