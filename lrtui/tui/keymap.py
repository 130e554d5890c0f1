"""The one table of keys: it feeds dispatch, the footer, the help screen and the command palette.

To add a key: one line here and one `action_...` in `lrtui.tui.app`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from lrtui.tui.user_keys import changed

Group = Literal["Runs", "Leaderboard", "Charts", "Panes", "Monitor"]


@dataclass(frozen=True, slots=True)
class Key:
    """One thing that the user can ask for."""

    keys: str
    """Textual's names, comma separated."""
    action: str
    """Name of the app's action."""
    shown: str
    """How the key is written for people."""
    label: str
    """The footer's word."""
    help: str
    """What it does, for the help screen and the command palette."""
    group: Group
    footer: int = 0
    """Importance in the footer, 1 first; 0: not there."""
    acts: bool = False
    """Whether it asks something of the supervisor."""


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
        "e",
        "edit",
        "e",
        "edit lr",
        "Start a run like this one with another LR",
        "Runs",
        5,
        acts=True,
    ),
    Key("n", "new", "n", "new", "Add a run with an LR of your own", "Runs", 6, acts=True),
    Key(
        "z",
        "pause",
        "z",
        "pause",
        "Pause the run by a checkpoint; again: go on",
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
        "One more run at a time",
        "Runs",
        acts=True,
    ),
    Key(
        "less_than_sign",
        "parallel(-1)",
        "<",
        "fewer",
        "One run less at a time",
        "Runs",
        acts=True,
    ),
    Key(
        "U",
        "undo",
        "U",
        "undo",
        "Undo what you did last here; says what it does",
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
        "Only some runs: lr>=1e-3 adam; in the log: find",
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
    Key("0", "weight(0)", "0", "usual", "The usual smoothing, 0.6", "Charts"),
    Key("a", "axis", "a", "axis", "x axis: epoch, step or time", "Charts", 17),
    Key(
        "c",
        "cursor",
        "c",
        "cursor",
        "A cursor in the charts; again: its values; off",
        "Charts",
        20,
    ),
    Key("right", "across(1)", "→", "right", "Cursor to the right, or the zoomed chart", "Charts"),
    Key("left", "across(-1)", "←", "left", "Cursor to the left, or the zoomed chart", "Charts"),
    Key("shift+right", "across(10)", "⇧→", "far right", "Ten times as far to the right", "Charts"),
    Key("shift+left", "across(-10)", "⇧←", "far left", "Ten times as far to the left", "Charts"),
    Key("i", "zoom(1)", "i", "zoom in", "Zoom in, around the cursor", "Charts"),
    Key("u", "zoom(-1)", "u", "zoom out", "Zoom out", "Charts"),
    Key("x", "zoom(0)", "x", "whole", "The whole x axis", "Charts"),
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
    Key("t", "range", "t", "range", "Curve of the range test; again: the next one", "Panes", 12),
    Key("l", "output", "l", "log", "Output of the run; again: the charts", "Panes", 8),
    Key("v", "derived", "v", "derived", "Train/test gap, unsteadiness, time to a target", "Panes"),
    Key("J", "journal", "J", "journal", "Journal: what happened when, and by whom", "Panes"),
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
        "Write what is seen: PNG, SVG, text, CSV",
        "Monitor",
    ),
    Key("M", "mouse", "M", "mouse", "Mouse on or off: select, zoom, scroll by it", "Monitor"),
    Key("T", "theme", "T", "theme", "Theme: dark, light, high contrast", "Monitor"),
    Key("question_mark", "help", "?", "help", "This help", "Monitor", 1),
    Key("q,ctrl+q", "leave", "q", "quit", "Leave: detach, or stop all", "Monitor", 2),
    Key("ctrl+l", "redraw", "Ctrl-L", "redraw", "Draw the screen anew", "Monitor"),
    Key("ctrl+c", "interrupt", "Ctrl-C", "detach", "Detach; the runs go on", "Monitor"),
)

KEYMAP = changed(USUAL)
"""The table as the user's own file changes it."""

ACTIONS: dict[str, str] = {
    "ctrl+p": "command_palette",
    **{name: key.action for key in KEYMAP for name in key.keys.split(",")},
}
"""What each key does in the monitor itself, by Textual's names of keys."""
