"""The view model: one frozen value that the panels draw from, replaced as a whole.

    Snapshot (files) + View (what the user chose) + marks (letters, colours) + pages (output, settings) + notice → ViewModel

Only the app creates view models; panels only read them.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Literal, get_args

from msgspec import Struct, field

from lrtui.frontend.run_colors import RunMark
from lrtui.hardware.history import History
from lrtui.sweep.allowed import id_and_lr
from lrtui.sweep.events import GroupKey
from lrtui.sweep.state import group_of, group_text
from lrtui.text.clean import clean
from lrtui.text.format import run_name
from lrtui.tui.verdict_view import VerdictView

if TYPE_CHECKING:
    from lrtui.analysis.study import Factor
    from lrtui.frontend.snapshot import Snapshot
    from lrtui.sweep.events import Setting
    from lrtui.sweep.state import Run

Pane = Literal[
    "charts",
    "sensitivity",
    "search",
    "range",
    "output",
    "settings",
    "hardware",
    "journal",
    "explain",
    "values",
    "derived",
    "study",
]
PANES: tuple[Pane, ...] = get_args(Pane)
TABS: Mapping[Pane, tuple[str, str]] = MappingProxyType(
    {
        "charts": ("Curves", "Curves"),
        "sensitivity": ("Sensitivity", "Sens"),
        "search": ("Search", "Search"),
        "range": ("Range test", "Range"),
        "output": ("Output", "Output"),
        "settings": ("Settings", "Set"),
        "hardware": ("Hardware", "HW"),
        "journal": ("Journal", "Jour"),
        "study": ("Study", "Study"),
    }
)
"""The panes with a numbered tab, by number, and their names on a wide and on a narrow screen; the last one only in a study."""
UNNUMBERED: Mapping[Pane, str] = MappingProxyType(
    {
        "explain": "Explain",
        "values": "Values",
        "derived": "Derived",
    }
)
"""The other panes: a tab of theirs is only there while they are shown."""
_OF_SWEEPS: tuple[Pane, ...] = ("sensitivity", "search", "range", "journal", "explain", "study")
"""The panes about what lrtui does with its own runs."""
SORTS = ("rank", "lr", "progress", "state")
WEIGHTS = (0.0, 0.3, 0.6, 0.8, 0.9, 0.95, 0.98)
USUAL_WEIGHT = 0.6
LONGEST_ID = 6
"""The longest id shown for a run in charts and tables: lrtui's have three letters, but a journal from elsewhere may hold anything."""
UNMARKED = RunMark("·", "#d0d7de")
_ID_AND_LR = re.compile(r"\b(r\d+) [\d.e+-]*\d")


class View(Struct, frozen=True):
    """The part of the data that the user chose to see."""

    selected: str = ""
    """The run under the leaderboard's cursor; "" before there is one."""
    moved: bool = False
    """Whether the user moved the cursor; otherwise it is on the leader until everything is read."""
    metric: str = ""
    """The metric of the first chart; "" for the default."""
    axis: int = 0
    """The number of times that `a` has switched the x axis."""
    smooth: bool = False
    weight: float = USUAL_WEIGHT
    log_y: bool = False
    sort: str = "rank"
    reverse: bool = False
    hidden: frozenset[str] = frozenset()
    pinned: str = ""
    pane: Pane = "charts"
    """The pane in the large area."""
    chosen: bool = False
    """Whether the user chose the pane; otherwise it follows the phase of the sweep."""
    charts: int = 2
    scroll: int = 0
    """Lines from the end of the output or the journal, or from the top of any other text."""
    window: tuple[float, float] = (0.0, 1.0)
    """The share of the x axis that the charts show."""
    cursor: float | None = None
    """The charts' cursor on the x axis, 0 to 1 of the whole; None: off."""
    filter: str = ""
    """The filter of the leaderboard and the charts (`frontend.run_filter`)."""
    find: str = ""
    """The text to find in the output."""
    below: tuple[str, int] = ("", 0)
    """The small pane that the wheel has scrolled, and its scroll offset."""
    test: str = ""
    """The range test chosen with `t`; "" for that of the run under the cursor."""
    mouse: bool = False
    """Whether lrtui, not the terminal, receives clicks and the wheel."""

    def scroll_of(self, pane: str) -> int:
        """Return the scroll offset of a text pane, large or small."""
        if self.pane == pane:
            return self.scroll
        return self.below[1] if self.below[0] == pane else 0


class Pages(Struct, frozen=True):
    """The text of one run and of the journal, fetched by the reader."""

    run: str = ""
    output: tuple[str, ...] = ()
    settings: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    leader: str = ""
    leader_settings: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    journal: tuple[str, ...] = ()
    """The events, oldest first."""


class Notice(Struct, frozen=True):
    """One line about the last command."""

    text: str = ""
    bad: bool = False


class ViewModel(Struct, frozen=True):
    """Everything that the screen shows."""

    snapshot: Snapshot | None = None
    view: View = View()
    marks: Mapping[str, RunMark] = field(default_factory=lambda: MappingProxyType({}))
    verdicts: VerdictView = field(default_factory=VerdictView)
    pages: Pages = Pages()
    history: History = field(default_factory=History)
    notice: Notice = Notice()
    view_only: str = ""
    """Why no command can be sent; "" if commands are possible."""

    def mark(self, run: str) -> RunMark:
        """Return a run's letter and colour; a range test is shown by its id."""
        known = self.marks.get(run)
        if known is None and self.snapshot and run in self.snapshot.sweep.runs:
            return RunMark(clean(run, LONGEST_ID), UNMARKED.colour)
        return known or UNMARKED

    def named(self, text: str) -> str:
        """Return a text of the supervisor with the runs' ids replaced by their letters: "C 3e-04 is queued"."""
        runs = self.snapshot.sweep.runs if self.snapshot else {}

        def name(found: re.Match[str]) -> str:
            run = runs.get(found[1])
            if run is None or run.id not in self.marks or found[0] != id_and_lr(run):
                return found[0]
            return run_name(self.marks[run.id].letter, run.setting.lr)

        return _ID_AND_LR.sub(name, text)

    @property
    def run(self) -> Run | None:
        """The run under the cursor; the range test in its pane, or if there is no other run."""
        under = self.snapshot.sweep.runs.get(self.view.selected) if self.snapshot else None
        return self.test or under if self.view.pane == "range" else under or self.test

    @property
    def tests(self) -> list[Run]:
        """All range tests, in the journal's order."""
        runs = self.snapshot.sweep.runs.values() if self.snapshot else ()
        return [run for run in runs if run.is_range_test]

    @property
    def test(self) -> Run | None:
        """The range test to show: the chosen one, else that of the run under the cursor, else the latest."""
        tests = self.tests
        chosen = [run for run in tests if run.id == self.view.test]
        under = self.snapshot.sweep.runs.get(self.view.selected) if self.snapshot else None
        if under is not None:
            chosen += [run for run in tests if _shares(run.setting, under.setting)]
        return next(iter([*chosen, *reversed(tests)]), None)

    @property
    def group(self) -> GroupKey:
        """The group (settings besides the LR) of the run under the cursor."""
        runs = self.snapshot.sweep.runs if self.snapshot else {}
        if self.view.selected in runs:
            return group_of(runs[self.view.selected].setting)
        return next(iter(self.verdicts.groups), GroupKey())

    @property
    def is_search(self) -> bool:
        """Whether the sweep decides as it goes, so that the search pane has content."""
        sweep = self.snapshot.sweep if self.snapshot else None
        return sweep is not None and bool((sweep.plan and sweep.plan.rungs) or self.tests)

    @property
    def is_study(self) -> bool:
        """Whether the sweep asks how the best LR moves with a factor."""
        plan = self.snapshot.sweep.plan if self.snapshot else None
        return plan is not None and bool(plan.study)

    @property
    def factor(self) -> Factor | None:
        """The factor of a study to show: the one that the run under the cursor varies, else the first."""
        factors = self.verdicts.factors
        under = self.snapshot.sweep.runs.get(self.view.selected) if self.snapshot else None
        level = group_text(group_of(under.setting)) if under else ""
        varied = (
            factor
            for factor in factors
            if any(each.group == level and not each.base for each in factor.levels)
        )
        return next(iter([*varied, *factors]), None)

    @property
    def panes(self) -> list[Pane]:
        """The panes that have content, in the order of Tab."""
        empty = {"range": not self.tests, "study": not self.is_study}
        if self.is_watched:
            empty |= dict.fromkeys(_OF_SWEEPS, True)
        return [pane for pane in PANES if not empty.get(pane)]

    @property
    def judging(self) -> bool:
        """Whether the first verdicts are still being computed: they come after the first snapshot."""
        ready = self.snapshot is not None and not self.is_watched and self.snapshot.sweep.trained()
        return bool(ready) and self.verdicts.overall is None

    @property
    def is_watched(self) -> bool:
        """Whether lrtui did not start these runs: nothing decides, and no verdict is given."""
        return self.snapshot is not None and self.snapshot.watched is not None


def _shares(test: Setting, setting: Setting) -> bool:
    """Return whether a range test applies to a setting: schedules share one."""
    return (test.optimizer, test.values) == (setting.optimizer, setting.values)
