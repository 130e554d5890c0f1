"""What the terminal can do: the monitor draws on stderr and reads keys from stdin."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Mapping

from lrtui.cli.doctor.finding import Check, Finding, ok, warn


def terminal() -> list[Finding]:
    """Report whether the monitor can open, and whether its colours and lines are shown."""
    if not all(file is not None and file.isatty() for file in (sys.__stdin__, sys.__stderr__)):
        return [ok("none: lrtui prints its log instead of opening the monitor")]
    width, height = os.get_terminal_size(sys.stderr.fileno())
    return [ok(f"{width} x {height}"), *judge(os.environ)]


def judge(environment: Mapping[str, str]) -> list[Finding]:
    """Return what prevents the monitor from opening or from being drawn well, given these environment variables."""
    found = []
    name = environment.get("TERM", "")
    export = "export TERM=xterm-256color"
    if name in {"", "dumb", "unknown"}:
        what = f"TERM is {name or 'not set'}: the monitor cannot open"
        found.append(warn(what, export))
    elif (colours := colours_of(name)) is None:
        what = f"TERM={name} is unknown on this machine"
        found.append(warn(what, f"{export}, or install its terminfo (ncurses-term)"))
    elif colours < 256 and not environment.keys() & {"NO_COLOR", "COLORTERM"}:
        what = f"TERM={name} has {colours} colours: the runs' colours are hard to distinguish"
        found.append(warn(what, f"{export} if your terminal has them (most do)"))
    keys = ("LC_ALL", "LC_CTYPE", "LANG")
    locale = next((environment[key] for key in keys if environment.get(key)), "")
    if not re.search(r"utf-?8", locale, re.IGNORECASE):
        what = f"the locale ({locale or 'not set'}) is not UTF-8: charts are drawn in ASCII"
        found.append(warn(what, "export LANG=C.UTF-8"))
    return found


def colours_of(name: str) -> int | None:
    """Return how many colours terminfo gives a terminal; None for an unknown terminal."""
    try:
        import curses

        with open(os.devnull, "wb") as nowhere:
            curses.setupterm(name, nowhere.fileno())
            return max(0, curses.tigetnum("colors"))
    except (ImportError, OSError, curses.error):
        return None


CHECKS: dict[str, Check] = {"terminal": terminal}
