"""One option of a script: how it is written in a command, and its default."""

from __future__ import annotations

import re
from dataclasses import dataclass

from lrtui.config.proposal.python_source import Constant


@dataclass(frozen=True, slots=True)
class Flag:
    """An option, an argument, a variable of the environment, or a piece of the source."""

    name: str
    """As the script calls it, without dashes: `learning-rate`, `model.optimizer.lr`."""
    form: str
    """How it is written, with `{}` for the value: `--lr={}`, `lr={}`, `{}`; for a piece of the source its new text."""
    default: Constant = None
    required: bool = False
    switch: bool = False
    """Whether it takes no value."""
    apart: bool = False
    """Whether the value is the next word."""
    behind: str | None = None
    """The option that takes it together with others, at the end of the command; "" if no option precedes them, None if it is passed separately."""
    verb: str = ""
    """The subcommand that takes it."""
    source: str = ""
    """The piece of the source that it replaces."""
    variable: bool = False
    """Whether it is a variable of the environment."""

    @property
    def argument(self) -> bool:
        """Whether it is positional."""
        return self.form == "{}" and not self.variable and not self.source

    def words(self, value: str) -> list[str]:
        """Return the words that pass a value."""
        if self.switch:
            return [self.form]
        return [self.form, value] if self.apart else [self.form.replace("{}", value, 1)]


def plain(name: str) -> str:
    """Return a name as roles compare it: `Learning-Rate` is learning_rate, `maxSteps` is max_steps."""
    spaced = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name)
    return re.sub(r"[-\s]+", "_", spaced).strip("_").lower()


def number(text: str) -> int | float | str:
    """Return the number that a text is, else the text."""
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text
