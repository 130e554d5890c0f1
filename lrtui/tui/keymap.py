"""The table of keys, used by dispatch, the footer, the help screen and the command palette.

To add a key: one line here and one `action_...` in `lrtui.tui.app`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from lrtui.tui.user_keys import changed

Group = Literal["Runs", "Leaderboard", "Charts", "Panes", "Monitor"]


@dataclass(frozen=True, slots=True)
class Key:
    """One action of the user and its keys."""

    keys: str
    """Textual's names, comma separated."""
    action: str
    """Name of the app's action."""
    shown: str
    """The key as it is displayed."""
    label: str
    """The label in the footer."""
    help: str
    """What the key does, for the help screen and the command palette."""
    group: Group
    footer: int = 0
    """Importance in the footer, 1 first; 0: not in the footer."""
    acts: bool = False
    """Whether it sends a command to the supervisor."""


USUAL: tuple[Key, ...] = (
    Key("K,ctrl+k", "kill", "K", "kill", "Kill the run (asks first)", "Runs", 3, acts=True),
    Key(
        "R",
        "restart",
        "R",
        "restart",
        "Restart the run from scratch, as a new attempt",
        "Runs",
        4,
        acts=True,
    ),
    Key(
        "ctrl+r",
        "restart_failed",
        "Ctrl-R",
        "retry",
        "Restart all runs that failed",
        "Runs",
        acts=True,
    ),
    Key(
        "e",
        "edit",
        "e",
        "edit lr",
        "Start a run like this one with another LR",
        "Runs",
        5,
        acts=True,
    ),
    Key("n", "new", "n", "new", "Add a run with an LR that you type", "Runs", 6, acts=True),
    Key(
        "z",
        "pause",
        "z",
        "pause",
        "Pause the run at a checkpoint; again: resume",
        "Runs",
        7,
        acts=True,
    ),
    Key(
        "F",
        "freeze",
        "F",
        "freeze",
        "Freeze the run in memory; again: thaw it",
        "Runs",
        acts=True,
    ),
    Key(
        "greater_than_sign",
        "parallel(1)",
        ">",
        "more",
        "Run one more at a time",
        "Runs",
        acts=True,
    ),
    Key(
        "less_than_sign",
        "parallel(-1)",
        "<",
        "fewer",
        "Run one fewer at a time",
        "Runs",
        acts=True,
    ),
    Key(
        "U",
        "undo",
        "U",
        "undo",
        "Undo your last action in this monitor",
        "Runs",
        acts=True,
    ),
    Key("j,down", "move(1)", "j ↓", "down", "Next run", "Leaderboard"),
    Key("k,up", "move(-1)", "k ↑", "up", "Previous run", "Leaderboard"),
    Key("o", "sort", "o", "sort", "Sort by rank, LR, progress or state", "Leaderboard", 15),
    Key("O", "reverse", "O", "reverse", "Reverse the order", "Leaderboard"),
    Key("space", "hide", "Space", "hide", "Hide or show the run's curve", "Leaderboard", 16),
    Key(
        "slash",
        "filter",
        "/",
        "filter",
        "Filter runs (lr>=1e-3 adam); in the log: find",
        "Leaderboard",
        16,
    ),
    Key("A", "show_all", "A", "show all", "Show every curve", "Leaderboard"),
    Key("p", "pin", "p", "pin", "Keep the run's curve on top", "Leaderboard"),
    Key("m", "metric", "m", "metric", "Next metric", "Charts", 9),
    Key("comma", "metrics", ",", "metrics", "Choose the metric from a list", "Charts"),
    Key("y", "log_y", "y", "log", "Logarithmic y axis", "Charts", 14),
    Key("s", "smooth", "s", "smooth", "Smoothing on or off", "Charts", 13),
    Key("plus,equals_sign", "weight(1)", "+", "smoother", "More smoothing", "Charts"),
    Key("minus", "weight(-1)", "-", "rougher", "Less smoothing", "Charts"),
    Key("0", "weight(0)", "0", "usual", "Default smoothing, 0.6", "Charts"),
    Key("a", "axis", "a", "axis", "x axis: epoch, step or time", "Charts", 17),
    Key(
        "c",
        "cursor",
        "c",
        "cursor",
        "Cursor in the charts; again: its values; off",
        "Charts",
        20,
    ),
    Key("right", "across(1)", "→", "right", "Move the cursor or the zoomed chart right", "Charts"),
    Key("left", "across(-1)", "←", "left", "Move the cursor or the zoomed chart left", "Charts"),
    Key("shift+right", "across(10)", "⇧→", "far right", "Move ten times as far right", "Charts"),
    Key("shift+left", "across(-10)", "⇧←", "far left", "Move ten times as far left", "Charts"),
    Key("i", "zoom(1)", "i", "zoom in", "Zoom in around the cursor", "Charts"),
    Key("u", "zoom(-1)", "u", "zoom out", "Zoom out", "Charts"),
    Key("x", "zoom(0)", "x", "whole", "Show the whole x axis", "Charts"),
    Key("1", "charts(1)", "1", "one", "One wide chart", "Charts"),
    Key("2", "charts(2)", "2", "two", "Two charts", "Charts"),
    Key("4", "charts(4)", "4", "four", "Four charts", "Charts"),
    Key(
        "S",
        "sensitivity",
        "S",
        "sensitivity",
        "Sensitivity: the final metric against the LR",
        "Panes",
        10,
    ),
    Key("r", "search", "r", "rungs", "The search: verdict, rungs, budget, reasons", "Panes", 11),
    Key("t", "range", "t", "range", "Range test curve; again: the next one", "Panes", 12),
    Key("l", "output", "l", "log", "Output of the run; again: charts", "Panes", 8),
    Key("v", "derived", "v", "derived", "Train/test gap, unsteadiness, time to target", "Panes"),
    Key("J", "journal", "J", "journal", "Journal: all events, with time and origin", "Panes"),
    Key("H", "hardware", "H", "hardware", "Hardware: CPU, GPUs and memory over time", "Panes"),
    Key("enter", "settings", "Enter", "settings", "Settings of the run", "Panes", 18),
    Key("E", "explain", "E", "explain", "Explain why the run waits, runs or ended", "Panes"),
    Key("escape", "charts_back", "Esc", "charts", "Back to the charts", "Panes"),
    Key(
        "tab", "pane(1)", "Tab", "pane", "Next pane: charts, sensitivity, output, ...", "Panes", 19
    ),
    Key("shift+tab", "pane(-1)", "⇧Tab", "pane back", "Previous pane", "Panes"),
    Key("f", "follow", "f", "follow", "Follow the output", "Panes"),
    Key("g,home", "scroll_to(-1)", "g", "top", "Top of the text", "Panes"),
    Key("G,end", "scroll_to(1)", "G", "end", "End of the text", "Panes"),
    Key("pageup", "page(-1)", "PgUp", "page up", "One page up", "Panes"),
    Key("pagedown", "page(1)", "PgDn", "page down", "One page down", "Panes"),
    Key(
        "w",
        "export",
        "w",
        "export",
        "Export the view: PNG, SVG, text, CSV",
        "Monitor",
    ),
    Key("M", "mouse", "M", "mouse", "Mouse on or off (select, zoom, scroll)", "Monitor"),
    Key("T", "theme", "T", "theme", "Theme: dark, light, high contrast", "Monitor"),
    Key("question_mark", "help", "?", "help", "This help", "Monitor", 1),
    Key("q,ctrl+q", "leave", "q", "quit", "Quit: detach or stop all runs", "Monitor", 2),
    Key("ctrl+l", "redraw", "Ctrl-L", "redraw", "Redraw the screen", "Monitor"),
    Key("ctrl+c", "interrupt", "Ctrl-C", "detach", "Detach; the runs continue", "Monitor"),
)

KEYMAP = changed(USUAL)
"""The table with the changes from the user's key file."""

ACTIONS: dict[str, str] = {
    "ctrl+p": "command_palette",
    **{name: key.action for key in KEYMAP for name in key.keys.split(",")},
}
"""The action of each key on the main screen, by Textual's key names."""
