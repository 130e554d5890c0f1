"""What a check says: a mark, what was found, and how to mend what is amiss."""

from __future__ import annotations

import enum
from collections.abc import Callable, Sequence
from dataclasses import dataclass


class Mark(enum.StrEnum):
    """How a finding is meant."""

    OK = "ok"
    WARN = "warn"
    """lrtui works; something is slower, missing or not as it should be."""
    FAIL = "FAIL"
    """Training here fails, or something was lost."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the doctor. Its texts may come from anywhere: `visit` cleans them before it shows them."""

    mark: Mark
    what: str
    hint: str = ""
    """The next step, ready to type where possible; never "" on a FAIL."""
    file: str = ""
    """The file that is meant; "" where there is none."""
    repair: Callable[[], str] | None = None
    """Mends it and returns what was done; only where nothing can be lost. Called with the directory's lock held.

    Raises OSError where it cannot.
    """


Check = Callable[[], Sequence[Finding]]


def ok(what: str, file: str = "") -> Finding:
    """Return a finding that needs nothing."""
    return Finding(Mark.OK, what, file=file)


def warn(what: str, hint: str, file: str = "", repair: Callable[[], str] | None = None) -> Finding:
    """Return a finding that the user should know."""
    return Finding(Mark.WARN, what, hint, file, repair)


def fail(what: str, hint: str, file: str = "", repair: Callable[[], str] | None = None) -> Finding:
    """Return a finding that must be mended."""
    return Finding(Mark.FAIL, what, hint, file, repair)


def listed(names: Sequence[object], most: int = 5) -> str:
    """Return the first names, and how many more there are: "a, b and 12 more"."""
    shown = ", ".join(str(name) for name in names[:most])
    return shown if len(names) <= most else f"{shown} and {len(names) - most} more"
