"""Everything that the panels draw from: one frozen value, replaced as a whole.

    Snapshot (files) + View (what the user chose) + marks (letters, colours) + pages (output, settings) + notice → ViewModel

The app alone makes view models; panels only read them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Literal, get_args

from lrtui.frontend.run_colors import RunMark
from lrtui.hardware.history import History
from lrtui.sweep.state import group_of
from lrtui.text.clean import clean
from lrtui.tui.verdict_view import VerdictView

if TYPE_CHECKING:
    from lrtui.frontend.snapshot import Snapshot
    from lrtui.sweep.events import Setting
    from lrtui.sweep.state import Run

Pane = Literal[
    "charts",
    "sensitivity",
    "range",
    "search",
    "output",
    "settings",
    "explain",
    "values",
    "derived",
    "journal",
    "hardware",
]
PANES: tuple[Pane, ...] = get_args(Pane)
SORTS = ("rank", "lr", "progress", "state")
WEIGHTS = (0.0, 0.3, 0.6, 0.8, 0.9, 0.95, 0.98)
USUAL_WEIGHT = 0.6
LONGEST_ID = 6
"""Letters of an id that stands for a run in charts and tables: ours have three, a stranger's journal says anything."""
UNMARKED = RunMark("·", "#d0d7de")


@dataclass(frozen=True, slots=True)
class View:
    """What the user chose to look at."""

    selected: str = ""
    """Run under the leaderboard's cursor; "" before there is one."""
    moved: bool = False
    """Whether the user moved the cursor; until all is read it stands on the leader else."""
    metric: str = ""
    """The metric of the first chart; "" for the usual one."""
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
    """Lines from the end of the output or the journal, or from the top of the settings or the search."""
    window: tuple[float, float] = (0.0, 1.0)
    """The share of the x axis that the charts show."""
    cursor: float | None = None
    """Where on the x axis the charts' cursor stands, 0 to 1 of the whole; None: there is none."""
    filter: str = ""
    """What the leaderboard and the charts are narrowed to (`filtering`)."""
    find: str = ""
    """What is looked for in the output."""
    below: tuple[str, int] = ("", 0)
    """The small pane that the wheel has scrolled, and how far: as `scroll` is for the large one."""
    test: str = ""
    """The range test that `t` has turned to; "" for that of the run under the cursor."""
    mouse: bool = False
    """Whether clicks and the wheel come to us instead of to the terminal."""

    def scroll_of(self, pane: str) -> int:
        """Return how far a pane of text is scrolled, the large one or a small one."""
        if self.pane == pane:
            return self.scroll
        return self.below[1] if self.below[0] == pane else 0


@dataclass(frozen=True, slots=True)
class Pages:
    """Text about one run, and the journal's, fetched by the reader."""

    run: str = ""
    output: tuple[str, ...] = ()
    settings: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    leader: str = ""
    leader_settings: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    journal: tuple[str, ...] = ()
    """What happened, oldest first."""


@dataclass(frozen=True, slots=True)
class Notice:
    """One line about what was just asked for."""

    text: str = ""
    bad: bool = False


@dataclass(frozen=True, slots=True)
class ViewModel:
    """What the screen shows."""

    snapshot: Snapshot | None = None
    view: View = View()
    marks: Mapping[str, RunMark] = field(default_factory=lambda: MappingProxyType({}))
    verdicts: VerdictView = field(default_factory=VerdictView)
    pages: Pages = Pages()
    history: History = field(default_factory=History)
    notice: Notice = Notice()
    view_only: str = ""
    """Why nothing can be asked of the supervisor; "" where it can."""

    def mark(self, run: str) -> RunMark:
        """Return a run's letter and colour; a range test goes by its id."""
        known = self.marks.get(run)
        if known is None and self.snapshot and run in self.snapshot.sweep.runs:
            return RunMark(clean(run, LONGEST_ID), UNMARKED.colour)
        return known or UNMARKED

    @property
    def run(self) -> Run | None:
        """The run under the cursor; the range test while it is looked at, or while there is nothing else."""
        under = self.snapshot.sweep.runs.get(self.view.selected) if self.snapshot else None
        return self.test or under if self.view.pane == "range" else under or self.test

    @property
    def tests(self) -> list[Run]:
        """All range tests, in the journal's order."""
        runs = self.snapshot.sweep.runs.values() if self.snapshot else ()
        return [run for run in runs if run.is_range_test]

    @property
    def test(self) -> Run | None:
        """The range test that is looked at: the one chosen, the one behind the run under the cursor, else the latest."""
        tests = self.tests
        chosen = [run for run in tests if run.id == self.view.test]
        under = self.snapshot.sweep.runs.get(self.view.selected) if self.snapshot else None
        if under is not None:
            chosen += [run for run in tests if _shares(run.setting, under.setting)]
        return next(iter([*chosen, *reversed(tests)]), None)

    @property
    def group(self) -> str:
        """What the settings that are compared with the run under the cursor share besides their LR."""
        runs = self.snapshot.sweep.runs if self.snapshot else {}
        if self.view.selected in runs:
            return group_of(runs[self.view.selected].setting)
        return next(iter(self.verdicts.groups), "")

    @property
    def is_search(self) -> bool:
        """Whether the sweep decides as it goes, so that there is something to tell about it."""
        sweep = self.snapshot.sweep if self.snapshot else None
        return sweep is not None and bool((sweep.plan and sweep.plan.rungs) or self.tests)

    @property
    def panes(self) -> list[Pane]:
        """The panes that have something to show, in the order of the key Tab."""
        without = {"range": not self.tests, "search": not self.is_search}
        return [pane for pane in PANES if not without.get(pane)]


def _shares(test: Setting, setting: Setting) -> bool:
    """Tell whether a range test stands for a setting: schedules share one."""
    return (test.optimizer, test.values) == (setting.optimizer, setting.values)
