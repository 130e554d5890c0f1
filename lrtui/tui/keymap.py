"""The table of keys, used by dispatch, the footer, the help screen and the command palette.

To add a key: one line here and one `action_...` in `lrtui.tui.actions`.
"""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

from lrtui.tui.user_keys import changed

Group = Literal["Runs", "Leaderboard", "Charts", "Panes", "Monitor"]


class Key(Struct, frozen=True):
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
    on: tuple[str, ...] = ()
    """The panes with which the footer shows it; (): with all."""
    acts: bool = False
    """Whether it sends a command to the supervisor."""


_CHARTS = ("charts",)
_TEXTS = ("output", "search", "settings", "journal", "explain")

USUAL: tuple[Key, ...] = (
    Key("K,ctrl+k", "kill", "K", "kill", "Kill the run (asks first)", "Runs", 5, acts=True),
    Key(
        "R",
        "restart",
        "R",
        "restart",
        "Restart the run from scratch, as a new attempt",
        "Runs",
        10,
        acts=True,
    ),
    Key(
        "ctrl+r",
        "restart_failed",
        "Ctrl-R",
        "retry failed",
        "Restart all runs that failed",
        "Runs",
        3,
        acts=True,
    ),
    Key(
        "e",
        "edit",
        "e",
        "edit lr",
        "Start a run like this one with another LR",
        "Runs",
        13,
        acts=True,
    ),
    Key("n", "new", "n", "new", "Add a run with an LR that you type", "Runs", 16, acts=True),
    Key(
        "z",
        "pause",
        "z",
        "pause",
        "Pause the run at a checkpoint; again: resume",
        "Runs",
        15,
        acts=True,
    ),
    Key(
        "F",
        "freeze",
        "F",
        "freeze",
        "Freeze the run in memory; again: resume it",
        "Runs",
        acts=True,
    ),
    Key(
        "greater_than_sign",
        "parallel(1)",
        ">",
        "one more",
        "Run one more at a time",
        "Runs",
        acts=True,
    ),
    Key(
        "less_than_sign",
        "parallel(-1)",
        "<",
        "one fewer",
        "Run one fewer at a time",
        "Runs",
        acts=True,
    ),
    Key("U", "undo", "U", "undo", "Undo your last action in this monitor", "Runs", acts=True),
    Key("j,down", "move(1)", "j ↓", "next run", "Next run", "Leaderboard", 4),
    Key("k,up", "move(-1)", "k ↑", "previous run", "Previous run", "Leaderboard"),
    Key("o", "sort", "o", "sort", "Sort by rank, LR, progress or state", "Leaderboard", 19),
    Key("O", "reverse", "O", "reverse order", "Reverse the order", "Leaderboard"),
    Key(
        "space",
        "hide",
        "Space",
        "hide curve",
        "Hide or show the run's curve",
        "Leaderboard",
        20,
        on=_CHARTS,
    ),
    Key(
        "slash",
        "filter",
        "/",
        "filter",
        "Filter runs (lr>=1e-3 adam); in the log: find",
        "Leaderboard",
        9,
    ),
    Key("A", "show_all", "A", "show all", "Show every curve", "Leaderboard"),
    Key("p", "pin", "p", "pin curve", "Keep the run's curve on top", "Leaderboard"),
    Key("m", "metric", "m", "metric", "Next metric", "Charts", 6, on=_CHARTS),
    Key("comma", "metrics", ",", "metric list", "Choose the metric from a list", "Charts"),
    Key("y", "log_y", "y", "log y", "Log y axis; lr, grad_norm: linear", "Charts", 12, on=_CHARTS),
    Key("s", "smooth", "s", "smoothing", "Smoothing on or off", "Charts", 17, on=_CHARTS),
    Key("plus,equals_sign", "weight(1)", "+", "smoother", "More smoothing", "Charts"),
    Key("minus", "weight(-1)", "-", "rougher", "Less smoothing", "Charts"),
    Key("0", "weight(0)", "0", "default smoothing", "Default smoothing, 0.6", "Charts"),
    Key("a", "axis", "a", "x axis", "x axis: epoch, step or time", "Charts"),
    Key(
        "c",
        "cursor",
        "c",
        "cursor",
        "Cursor in the charts; again: its values; off",
        "Charts",
        11,
        on=_CHARTS,
    ),
    Key("right", "across(1)", "→", "right", "Move the cursor or the zoomed chart right", "Charts"),
    Key("left", "across(-1)", "←", "left", "Move the cursor or the zoomed chart left", "Charts"),
    Key("shift+right", "across(10)", "⇧→", "far right", "Move ten times as far right", "Charts"),
    Key("shift+left", "across(-10)", "⇧←", "far left", "Move ten times as far left", "Charts"),
    Key("i", "zoom(1)", "i", "zoom in", "Zoom in at the cursor or newest points", "Charts"),
    Key("u", "zoom(-1)", "u", "zoom out", "Zoom out", "Charts"),
    Key("x", "zoom(0)", "x", "whole axis", "Show the whole x axis", "Charts"),
    Key("C", "charts", "C", "charts", "One, two or four charts", "Charts", 14, on=_CHARTS),
    Key("1,2,3,4,5,6,7,8,9", "tab", "1-9", "tabs", "The tab with this number", "Panes"),
    Key(
        "S",
        "sensitivity",
        "S",
        "sensitivity",
        "Sensitivity: the final metric against the LR",
        "Panes",
    ),
    Key("r", "search", "r", "search", "The search: verdict, rungs, budget, reasons", "Panes"),
    Key("t", "range", "t", "range test", "Range test curve; again: the next one", "Panes"),
    Key("l", "output", "l", "output", "Output of the run; again: charts", "Panes"),
    Key(
        "v",
        "derived",
        "v",
        "derived values",
        "Train/validation gap, roughness, time to target",
        "Panes",
    ),
    Key("J", "journal", "J", "journal", "Journal: all events, with time and origin", "Panes"),
    Key("H", "hardware", "H", "hardware", "Hardware: CPU, GPUs and memory over time", "Panes"),
    Key("enter", "settings", "Enter", "settings", "Settings of the run", "Panes"),
    Key("E", "explain", "E", "explain", "Explain why the run waits, runs or ended", "Panes", 8),
    Key("escape", "charts_back", "Esc", "charts", "Back to the charts", "Panes"),
    Key(
        "tab", "pane(1)", "Tab", "next pane", "Next pane: charts, sensitivity, output, ...", "Panes"
    ),
    Key("shift+tab", "pane(-1)", "⇧Tab", "previous pane", "Previous pane", "Panes"),
    Key("f", "follow", "f", "follow", "Follow the output", "Panes", 7, on=("output",)),
    Key("g,home", "scroll_to(-1)", "g", "top", "Top of the text", "Panes"),
    Key("G,end", "scroll_to(1)", "G", "end", "End of the text", "Panes"),
    Key("pageup", "page(-1)", "PgUp", "page up", "One page up", "Panes"),
    Key("pagedown", "page(1)", "PgDn", "page down", "One page down", "Panes", 6, on=_TEXTS),
    Key("w", "export", "w", "export", "Export the view: PNG, SVG, text, CSV", "Monitor", 18),
    Key("M", "mouse", "M", "mouse", "Mouse on or off (select, zoom, scroll)", "Monitor"),
    Key("T", "theme", "T", "theme", "Theme: dark, light, high contrast", "Monitor"),
    Key("question_mark", "help", "?", "help", "This help", "Monitor", 1),
    Key("q,ctrl+q", "leave", "q", "quit", "Quit: detach or stop all runs", "Monitor", 2),
    Key("ctrl+p", "palette", "Ctrl-P", "actions", "Choose an action from a list", "Monitor"),
    Key("ctrl+l", "redraw", "Ctrl-L", "redraw", "Redraw the screen", "Monitor"),
    Key("ctrl+c", "interrupt", "Ctrl-C", "detach", "Detach; the runs continue", "Monitor"),
)

KEYMAP = changed(USUAL)
"""The table with the changes from the user's key file."""

ACTIONS: dict[str, str] = {
    name: f"tab({number})" if key.action == "tab" else key.action
    for key in KEYMAP
    for number, name in enumerate(key.keys.split(","), 1)
}
"""The action of each key on the main screen, by Textual's key names."""


def shown_key(action: str) -> str:
    """Return the key of an action as it is displayed."""
    return next((key.shown for key in KEYMAP if key.action == action), "")
