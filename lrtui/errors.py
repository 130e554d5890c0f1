"""What a user sees if something cannot be done: what, where, and how to fix it.

    UserError                exit code 2: usage, a bad file, a refused command
    ├── ExperimentError      exit code 2: all faults of one experiment file, at once
    ├── MachineError         exit code 5: disk full, no data, no GPU asked for, a directory that cannot be written
    │   └── NoAnswerError    exit code 5: the supervisor has not answered a command yet
    └── OwnedElsewhereError  exit code 6: another host or user owns the experiment

`lrtui.cli.main.main` is the only place that prints them. Anything else that escapes is an internal error: exit code 3.
"""

from __future__ import annotations

from typing import NamedTuple

NO_ANSWER = 1
"""Exit code of a sweep without an answer, and of one in which a run failed or was lost."""
DETACHED = 130
"""Exit code when the user left, with Ctrl-C or otherwise, and the runs continue."""


class UserError(Exception):
    """Something the user can fix.

    Attributes:
        what: one sentence: what is wrong.
        where: a path, a verb or a key; "" if `what` says it.
        hint: what to do next, ready to type where possible.

    """

    exit_code = 2

    def __init__(self, what: str, where: str = "", hint: str = "") -> None:
        super().__init__(what)
        self.what = what
        self.where = where
        self.hint = hint

    def __str__(self) -> str:
        head = f"{self.where}: {self.what}" if self.where else self.what
        return f"{head}\n  {self.hint}" if self.hint else head


class MachineError(UserError):
    """The machine lacks something: disk space, data, a GPU, write permission."""

    exit_code = 5


class NoAnswerError(MachineError):
    """The supervisor has not answered a command yet: it is not refused, it may still be carried out."""


class OwnedElsewhereError(UserError):
    """Another host or user owns this experiment directory."""

    exit_code = 6


class Fault(NamedTuple):
    """One fault of an experiment file, with its position in the text."""

    line: int
    """1-based; 0 if the fault has no position (a missing key)."""
    column: int
    """1-based, in characters."""
    length: int
    """The number of characters that the carets underline; at least 1."""
    what: str
    """What was expected and what was found."""
    hint: str
    """How to fix it."""
    source: str
    """The line of the file, without its newline."""

    def text(self, path: str) -> str:
        """Return the fault as the lines a user sees."""
        if self.line == 0:
            return f"{path}: {self.what}\n  {self.hint}"
        gutter = f"{self.line:>6} | "
        head = f"{path}:{self.line}:{self.column}: {self.what}"
        caret = " " * (len(gutter) + self.column - 1) + "^" * max(1, self.length)
        return f"{head}\n{gutter}{self.source}\n{caret}\n  {self.hint}"


class ExperimentError(UserError):
    """All faults of one experiment file."""

    def __init__(self, path: str, faults: list[Fault]) -> None:
        super().__init__(f"{len(faults)} fault(s)", path)
        self.path = path
        self.faults = faults

    def __str__(self) -> str:
        return "\n\n".join(fault.text(self.path) for fault in self.faults)
