"""Reads `metric = "max val_acc"`, the loss that the health rules read, and `parse` for scripts that print text."""

from __future__ import annotations

import re
import warnings
from dataclasses import dataclass

from lrtui.config.experiment import Objective
from lrtui.config.fault_text import did_you_mean, found, names, show
from lrtui.config.toml_reader import Reader, is_whole
from lrtui.metrics.capture.positions import NAMES as POSITIONS
from lrtui.metrics.capture.presets import PRESETS
from lrtui.metrics.deciding import goal_of
from lrtui.sweep.events import Unit
from lrtui.text.clean import runaway

STREAMED = (
    *("val_acc", "val_loss", "train_acc", "train_loss", "test_acc"),
    *("lr", "grad_norm", "images_per_second"),
)
"""The metrics that the built-in trainer emits."""
JUDGED = STREAMED[:5]
"""The metrics that can rank runs."""

_LONGEST_NAME = 128
_PRESET_LIKE = re.compile(r"[\w.+-]+")
"""Matches a possible misspelt preset: a pattern contains more than letters."""


@dataclass(frozen=True, slots=True)
class ParseRules:
    """`parse`, checked."""

    parse: str | tuple[str, ...]
    names: tuple[str, ...]
    """The metrics that it reads."""
    closed: bool
    """Whether it reads no others: a preset may read names that the script chooses."""

    def lacks(self, metric: str) -> bool:
        """Return whether it can never read a given metric."""
        return self.closed and metric not in self.names


def read_parse(reader: Reader, unit: Unit) -> ParseRules | None:
    """Return `parse`: a pattern, a preset, or a list of them; one of the patterns must name a position."""
    value = reader.data.get("parse")
    if value is None:
        return None
    each = value if isinstance(value, list) else [value]
    example = rf"parse = '{unit} (?P<{unit}>\d+) loss (?P<train_loss>\S+)'"
    if not each or not all(isinstance(one, str) and one for one in each):
        what = f"parse must be a regular expression, a preset or a list of them {found(value)}"
        reader.fault(("parse",), what, f"Try: {example}")
        return None
    faults = reader.count()
    groups: list[str] = []
    for one in each:
        if one in PRESETS:
            continue
        regex = _compiled(reader, one, example)
        groups += regex.groupindex if regex else ()
    if reader.count() > faults:
        return None
    presets = [PRESETS[one] for one in each if one in PRESETS]
    positions = {unit, "position", reader.data.get("position"), *POSITIONS[unit]}
    if not presets and not positions.intersection(groups):
        what = f"parse must name the horizon's unit: it has no group {unit}"
        given = names(dict.fromkeys(groups)) or "none"
        hint = f"Groups look like (?P<{unit}>\\d+); it has: {given}."
        reader.fault(("parse",), what, hint)
    known = [*groups, *(name for preset in presets for name in preset.names)]
    closed = all(preset.names for preset in presets)
    parse = value if isinstance(value, str) else tuple(each)
    return ParseRules(parse, tuple(dict.fromkeys(known)), closed)


def read_first(reader: Reader) -> int | None:
    """Return the number of the script's first step or epoch; None if it is detected."""
    value = reader.data.get("first")
    if value is None or (value in {0, 1} and is_whole(value, 0, 1)):
        return value
    what = f"first must be 0 or 1 {found(value)}"
    reader.fault(
        ("first",), what, "It is the number that your script gives its first step or epoch."
    )
    return None


def _compiled(reader: Reader, source: str, example: str) -> re.Pattern[str] | None:
    """Return a pattern, compiled; note what is wrong with it."""
    if _PRESET_LIKE.fullmatch(source):
        what = f"parse knows no preset {show(source)}"
        hint = did_you_mean(source, PRESETS, "presets")
        reader.fault(("parse",), what, f"{hint} A pattern has groups: {example}")
        return None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            regex = re.compile(source)
    except (re.error, RecursionError, OverflowError) as error:
        hint = f"Single quotes keep backslashes: {example}"
        reader.fault(("parse",), f"parse is not a Python regular expression: {error}", hint)
        return None
    if runaway(source):
        what = "parse repeats a group that itself repeats or has alternatives, so one line could block the reader forever"
        hint = "Write (?>...) around the repeated part, or simplify it: \\S+ instead of (\\w+ ?)+."
        reader.fault(("parse",), what, hint)
        return None
    return regex


def read_objective(reader: Reader, rules: ParseRules | None, *, builtin: bool) -> Objective:
    """Return `metric`; "max val_acc" by default for the built-in trainer."""
    default = Objective("val_acc", "max")
    value = reader.data.get("metric")
    if value is None and not reader.has("metric"):
        if not builtin:
            hint = 'Add the metric to optimise: metric = "max val_acc" or metric = "min val_loss"'
            reader.fault((), "the file has no metric", hint)
        return default
    words = value.split(maxsplit=1) if isinstance(value, str) else []
    if len(words) != 2 or words[0] not in {"max", "min"} or not _is_name(words[1]):
        reader.fault(
            ("metric",),
            f'metric must be "max NAME" or "min NAME" {found(value)}',
            _direction(value.split() if isinstance(value, str) else []),
        )
        return default
    objective = Objective(words[1].rstrip(), "max" if words[0] == "max" else "min")
    if builtin and objective.metric not in JUDGED:
        what = f"runs of the built-in trainer cannot be ranked by {show(objective.metric)}"
        reader.fault(("metric",), what, did_you_mean(objective.metric, JUDGED, "metrics"))
    elif builtin and objective.goal != goal_of(objective.metric):
        right = f"{goal_of(objective.metric)} {objective.metric}"
        what = f"{show(value)} would pick the worst run"
        reader.fault(("metric",), what, f'Try: metric = "{right}"')
    elif goal_of(objective.metric) not in {objective.goal, ""}:
        reader.notes.append(
            f'metric = "{objective.goal} {objective.metric}": is {_other(objective.goal)} meant?'
        )
    if rules and rules.lacks(objective.metric):
        what = f"parse has no group {objective.metric}, so no run could be ranked"
        hint = f"Add (?P<{objective.metric}>\\S+) to parse, or choose one of its groups: {names(rules.names)}."
        reader.fault(("metric",), what, hint)
    if "test" in re.split(r"[_./-]", objective.metric.lower()):
        reader.notes.append(
            f"selected on test: {objective.metric} decides, so it says nothing about new data"
        )
    return objective


def read_loss(reader: Reader, rules: ParseRules | None, *, builtin: bool) -> str:
    """Return the metric that the health rules read, `train_loss` by default."""
    loss = reader.string("loss", "train_loss", "the name of a metric", '"train_loss"')
    losses = ("train_loss", "val_loss")
    if not _is_name(loss):
        reader.fault(
            ("loss",),
            f"loss must be the name of a metric {found(loss)}",
            'Try: loss = "train_loss"',
        )
    elif builtin and loss not in losses:
        reader.fault(
            ("loss",),
            f"the built-in trainer emits no loss {show(loss)}",
            did_you_mean(loss, losses, "losses"),
        )
    elif rules and rules.lacks(loss) and reader.has("loss"):
        reader.fault(("loss",), f"parse has no group {loss}", f"Add (?P<{loss}>\\S+) to parse.")
    elif rules and rules.lacks(loss):
        reader.notes.append(
            f"parse has no group {loss}: no rule watches the loss (name another with loss = ..)"
        )
    return loss


def _is_name(text: str) -> bool:
    """Return whether a text can name a metric: it can be printed, and is not too long."""
    return text.isprintable() and bool(text.strip()) and len(text) <= _LONGEST_NAME


def _direction(words: list[str]) -> str:
    """Return the hint for an invalid metric, with the direction that its name suggests first."""
    metric = next((word for word in words if word not in {"max", "min"} and _is_name(word)), None)
    if metric is None:
        return 'Try: metric = "max val_acc"'
    goal = goal_of(metric)
    if goal:
        reason = "more is better" if goal == "max" else "less is better"
        return f'Try: metric = "{goal} {metric}" ({reason})'
    return f'Say which is better: metric = "max {metric}" or metric = "min {metric}"'


def _other(goal: str) -> str:
    return "min" if goal == "max" else "max"
