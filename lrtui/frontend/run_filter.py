"""Filters runs: `lr>=1e-3 state:running adam`. Every word must hold; one that begins with `-` must not.

lr>=1e-3  epoch<10  value>0.5  best>0.5  rank<=3      comparisons, also of val_loss; a run without the number has it not
state:running  optimizer:sgd  schedule:cosine         a part of that text; so do run: and why: and the names of axes
adam                                                  a part of any of them
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable
from typing import TYPE_CHECKING

from lrtui.frontend.requests import read_lr
from lrtui.text.format import lr_text

if TYPE_CHECKING:
    from lrtui.analysis.ranking import Standing

_COMPARISON = re.compile(r"(\w+)(>=|<=|!=|>|<|=)(.+)")
_OPERATORS: dict[str, Callable[[float, float], bool]] = {
    ">=": operator.ge,
    "<=": operator.le,
    "!=": operator.ne,
    ">": operator.gt,
    "<": operator.lt,
    "=": operator.eq,
}
_NUMBERS: dict[str, Callable[[Standing], float | None]] = {
    "lr": lambda s: s.lr,
    "rank": lambda s: s.rank,
    "epoch": lambda s: s.level,
    "step": lambda s: s.level,
    "tokens": lambda s: s.level,
    "value": lambda s: s.value,
    "best": lambda s: s.best,
    "val_loss": lambda s: s.val_loss,
}

Test = Callable[["Standing"], bool]


def matcher(text: str) -> Test | str:
    """Return what a filter asks of a standing, or what is wrong with it."""
    tests: list[Test] = []
    for word in text.split():
        wanted = word.removeprefix("-")
        test = _test(wanted)
        if isinstance(test, str):
            return test
        tests.append(test if wanted == word else _not(test))
    return lambda standing: all(test(standing) for test in tests)


def matches(text: str) -> Test:
    """Return the filter; a malformed one matches every run."""
    found = matcher(text)
    return (lambda _: True) if isinstance(found, str) else found


def _test(word: str) -> Test | str:
    compared = _COMPARISON.fullmatch(word)
    if compared:
        name, sign, given = compared.groups()
        number = read_lr(given) if name == "lr" else _number(given)
        if name not in _NUMBERS:
            return f"{name} is not one of {', '.join(_NUMBERS)}"
        if isinstance(number, str):
            return number if name == "lr" else f"{given} is not a number"
        read, holds = _NUMBERS[name], _OPERATORS[sign]
        return lambda s: (value := read(s)) is not None and holds(value, number)
    name, colon, part = word.partition(":")
    if colon:
        return lambda s: part.lower() in _texts(s).get(name, "").lower()
    return lambda s: any(word.lower() in text.lower() for text in _texts(s).values())


def _not(test: Test) -> Test:
    return lambda standing: not test(standing)


def _number(text: str) -> float | str:
    try:
        return float(text)
    except ValueError:
        return text


def _texts(standing: Standing) -> dict[str, str]:
    """Return what words are looked for in."""
    setting = standing.setting
    return {
        **{name: str(value) for name, value in setting.values.items()},
        "run": " ".join(standing.runs),
        "lr": lr_text(standing.lr),
        "optimizer": setting.optimizer,
        "schedule": setting.schedule,
        "state": standing.state,
        "why": standing.why,
    }
