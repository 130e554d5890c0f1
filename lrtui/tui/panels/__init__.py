"""The panels of the monitor: each draws lines only from a `ViewModel`.

To add one that takes turns with the charts: one file here, one line in LARGE, and its name in `lrtui.tui.view_model.Pane`. Others
have their place in `lrtui.tui.arrangement`.
"""

from lrtui.tui.panels.answer_bar import AnswerBar
from lrtui.tui.panels.best_by_level import Study
from lrtui.tui.panels.chart import Chart
from lrtui.tui.panels.derived import Derived
from lrtui.tui.panels.event_list import Journal
from lrtui.tui.panels.explanation import Explain
from lrtui.tui.panels.footer import Keys
from lrtui.tui.panels.hardware import Hardware
from lrtui.tui.panels.leaderboard import Leaderboard
from lrtui.tui.panels.lines import Lines
from lrtui.tui.panels.message_line import MessageLine
from lrtui.tui.panels.output import Output
from lrtui.tui.panels.range_curve import RangeTest
from lrtui.tui.panels.readout import Values
from lrtui.tui.panels.search import Search
from lrtui.tui.panels.sensitivity import Sensitivity
from lrtui.tui.panels.settings import Settings
from lrtui.tui.panels.tab_row import Tabs
from lrtui.tui.view_model import Pane

LARGE: dict[Pane, type[Lines]] = {
    "output": Output,
    "sensitivity": Sensitivity,
    "range": RangeTest,
    "search": Search,
    "settings": Settings,
    "explain": Explain,
    "journal": Journal,
    "values": Values,
    "derived": Derived,
    "hardware": Hardware,
    "study": Study,
}
"""What can be shown instead of the charts, and side by side below the leaderboard."""

__all__ = ["LARGE", "AnswerBar", "Chart", "Keys", "Leaderboard", "Lines", "MessageLine", "Tabs"]
