"""What the terminal can do: the monitor draws on stderr and reads keys from stdin."""

from __future__ import annotations

import os
import re
import select
import sys
import termios
import time
import tty
from collections.abc import Mapping

from lrtui.cli.doctor.finding import Check, Finding, ok, warn
from lrtui.tui.arrangement import LARGE, SMALL

_ANSWER_SECONDS = 2.0
_ASK_SYNCHRONIZED = b"\x1b[?2026$p"
_ASK_WHO = b"\x1b[c"
"""Every terminal answers this one, so what has not come before it never comes."""


def there() -> list[Finding]:
    """Say whether there is a terminal at all."""
    if _draws():
        return [ok("stdin and stderr are a terminal: the monitor can open")]
    return [ok("none here: lrtui prints its log instead of opening the monitor")]


def term() -> list[Finding]:
    """Say what TERM names, and how many colours it has."""
    return [_term(os.environ)] if _draws() else []


def _term(environment: Mapping[str, str]) -> Finding:
    name = environment.get("TERM", "")
    if name in {"", "dumb", "unknown"}:
        return warn(f"TERM is {name or 'not set'}: no monitor there", "export TERM=xterm-256color")
    colours = colours_of(name)
    if "NO_COLOR" in environment:
        return ok(f"TERM={name}; NO_COLOR is set: letters and line styles instead of colours")
    if environment.get("COLORTERM", "") in {"truecolor", "24bit"}:
        return ok(f"TERM={name}, true colours")
    if colours is None:
        return warn(
            f"TERM={name} is not known on this machine",
            "export TERM=xterm-256color, or install its terminfo (ncurses-term)",
        )
    if colours < 256:
        return warn(
            f"TERM={name}, {colours} colours: the runs' colours are hard to tell apart",
            "export TERM=xterm-256color if your terminal has them (most do)",
        )
    return ok(f"TERM={name}, {colours} colours")


def colours_of(name: str) -> int | None:
    """Return how many colours terminfo gives a terminal, None where it does not know it."""
    try:
        import curses

        with open(os.devnull, "wb") as nowhere:
            curses.setupterm(name, nowhere.fileno())
            return max(0, curses.tigetnum("colors"))
    except (ImportError, OSError, curses.error):
        return None


def encoding() -> list[Finding]:
    """Say whether the terminal's character set is UTF-8: charts are drawn with braille and line characters."""
    return [_encoding(os.environ)]


def _encoding(environment: Mapping[str, str]) -> Finding:
    chosen = next(
        (environment[key] for key in ("LC_ALL", "LC_CTYPE", "LANG") if environment.get(key)), ""
    )
    if re.search(r"utf-?8", chosen, re.IGNORECASE):
        return ok(f"UTF-8 ({chosen})")
    return warn(
        f"the locale ({chosen or 'not set'}) is not UTF-8: charts may show as question marks",
        "export LANG=C.UTF-8",
    )


def size() -> list[Finding]:
    """Say how much the monitor can show."""
    if not _draws():
        return []
    width, height = os.get_terminal_size(sys.stderr.fileno())
    text = f"{width} x {height}"
    if width < SMALL[0] or height < SMALL[1]:
        return [
            warn(
                f"{text}: the leaderboard stands alone",
                f"enlarge the window to {SMALL[0]} x {SMALL[1]} or more, better {LARGE[0]} x {LARGE[1]}",
            )
        ]
    if width < LARGE[0] or height < LARGE[1]:
        return [ok(f"{text}: one chart at a time ({LARGE[0]} x {LARGE[1]} shows two)")]
    return [ok(text)]


def multiplexer() -> list[Finding]:
    """Say what stands between us and the terminal."""
    between = [
        name
        for name, key in (("tmux", "TMUX"), ("screen", "STY"), ("SSH", "SSH_CONNECTION"))
        if os.environ.get(key)
    ]
    name = os.environ.get("TERM", "")
    if "tmux" in between and not name.startswith(("tmux", "screen")):
        what = f"inside tmux with TERM={name}: tmux expects a name of its own"
        return [warn(what, "set -g default-terminal tmux-256color   # in ~/.tmux.conf")]
    return [
        ok(f"through {' and '.join(between)}" if between else "no tmux, screen or SSH in between")
    ]


def synchronized() -> list[Finding]:
    """Say whether the terminal shows a frame at once (mode 2026), where it can be asked."""
    if not _draws() or os.tcgetpgrp(sys.stdin.fileno()) != os.getpgrp():
        return []
    answer = _ask(sys.stdin.fileno(), sys.stderr.fileno())
    if answer is None:
        return [
            ok("the terminal does not say whether it shows frames at once (synchronized output)")
        ]
    yes = answer in {1, 2, 3}
    return [ok(f"synchronized output: {'yes' if yes else 'no; a slow link may show half a frame'}")]


def _ask(keys: int, screen: int) -> int | None:
    """Return the terminal's answer on mode 2026 (DECRPM: 0 unknown, 1 set, 2 reset, ...), None where none comes in time."""
    before = termios.tcgetattr(keys)
    heard = b""
    try:
        tty.setcbreak(keys, termios.TCSANOW)
        os.write(screen, _ASK_SYNCHRONIZED + _ASK_WHO)
        deadline = time.monotonic() + _ANSWER_SECONDS
        while not re.search(rb"\x1b\[\?[0-9;]*c", heard) and len(heard) < 4096:
            left = deadline - time.monotonic()
            if left <= 0 or not select.select([keys], [], [], left)[0]:
                break
            heard += os.read(keys, 256)
    finally:
        termios.tcsetattr(keys, termios.TCSANOW, before)
    match = re.search(rb"\x1b\[\?2026;(\d)\$y", heard)
    return int(match[1]) if match else None


def _draws() -> bool:
    return all(file is not None and file.isatty() for file in (sys.__stdin__, sys.__stderr__))


CHECKS: dict[str, Check] = {
    "terminal": there,
    "TERM": term,
    "encoding": encoding,
    "size": size,
    "between": multiplexer,
    "frames": synchronized,
}
