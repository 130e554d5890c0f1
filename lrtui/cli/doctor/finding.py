"""What a check reports: a mark, what was found, and how to fix it."""

from __future__ import annotations

import enum
from collections.abc import Callable, Sequence
from dataclasses import dataclass


class Mark(enum.StrEnum):
    """How serious a finding is."""

    OK = "ok"
    WARN = "warn"
    """lrtui works, but something is slower, missing or wrong."""
    FAIL = "FAIL"
    """Training would fail here, or something was lost."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the doctor. Its texts may come from anywhere: `visit` cleans them before it prints them."""

    mark: Mark
    what: str
    hint: str = ""
    """The next step, ready to type where possible; never "" on a FAIL."""
    file: str = ""
    """The affected file; "" if there is none."""


Check = Callable[[], Sequence[Finding]]


def ok(what: str, file: str = "") -> Finding:
    """Return a finding that needs no action."""
    return Finding(Mark.OK, what, file=file)


def warn(what: str, hint: str, file: str = "") -> Finding:
    """Return a finding that the user should know."""
    return Finding(Mark.WARN, what, hint, file)


def fail(what: str, hint: str, file: str = "") -> Finding:
    """Return a finding that must be fixed."""
    return Finding(Mark.FAIL, what, hint, file)


def listed(names: Sequence[object], most: int = 5) -> str:
    """Return the first names, and how many more there are: "a, b and 12 more"."""
    shown = ", ".join(str(name) for name in names[:most])
    return shown if len(names) <= most else f"{shown} and {len(names) - most} more"
