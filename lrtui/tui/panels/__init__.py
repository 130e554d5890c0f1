"""What the monitor is made of: each panel draws lines from a `Scene` and knows nothing else.

To add a panel: one file here, one line in this table, and its place in `lrtui.tui.arrange`.
"""

from lrtui.tui.panels.alert import Alert
from lrtui.tui.panels.chart import Chart
from lrtui.tui.panels.keys import Keys
from lrtui.tui.panels.leaderboard import Leaderboard
from lrtui.tui.panels.output import Output
from lrtui.tui.panels.settings import Settings
from lrtui.tui.panels.status import Status

__all__ = ["Alert", "Chart", "Keys", "Leaderboard", "Output", "Settings", "Status"]
