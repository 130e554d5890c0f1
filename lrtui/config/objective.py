"""Reads `metric = "max val_acc"`, the loss that the health rules read, and `parse` for scripts that print text."""

from __future__ import annotations

import re
import warnings

from lrtui.config.experiment import Objective
from lrtui.config.fault_text import did_you_mean, found, names, show
from lrtui.config.toml_reader import Reader
from lrtui.sweep.events import Unit
from lrtui.text.clean import runaway

STREAMED = (
    *("val_acc", "val_loss", "train_acc", "train_loss", "test_acc"),
    *("lr", "grad_norm", "images_per_second"),
)
"""The metrics that the built-in trainer emits."""
JUDGED = STREAMED[:5]
"""The metrics that can rank runs."""

_METRIC = re.compile(r"[A-Za-z0-9_./-]+")
_SMALLER = re.compile(r"loss|err|perplexity|ppl|mae|mse|rmse|nll|wer|fid|bpc|bpb", re.IGNORECASE)
_LARGER = re.compile(r"acc|auc|f1|iou|bleu|rouge|precision|recall|score|map|psnr|r2", re.IGNORECASE)


def read_regex(reader: Reader, unit: Unit) -> re.Pattern[str] | None:
    """Return `parse`, compiled; it must name the horizon's unit."""
    source = reader.data.get("parse")
    if source is None:
        return None
    example = rf"parse = '{unit} (?P<{unit}>\d+) loss (?P<train_loss>\S+)'"
    if not isinstance(source, str) or not source:
        reader.fault(
            ("parse",), f"parse must be a regular expression {found(source)}", f"Try: {example}"
        )
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
    if unit not in regex.groupindex:
        what = f"parse must name the horizon's unit: it has no group {unit}"
        given = names(regex.groupindex) or "none"
        reader.fault(("parse",), what, f"Groups look like (?P<{unit}>\\d+); it has: {given}.")
    return regex


def read_objective(reader: Reader, regex: re.Pattern[str] | None, *, builtin: bool) -> Objective:
    """Return `metric`; "max val_acc" by default for the built-in trainer."""
    default = Objective("val_acc", "max")
    value = reader.data.get("metric")
    if value is None and not reader.has("metric"):
        if not builtin:
            hint = 'Add the metric to optimise: metric = "max val_acc" or metric = "min val_loss"'
            reader.fault((), "the file has no metric", hint)
        return default
    words = value.split() if isinstance(value, str) else []
    if len(words) != 2 or words[0] not in {"max", "min"} or not _METRIC.fullmatch(words[1]):
        reader.fault(
            ("metric",),
            f'metric must be "max NAME" or "min NAME" {found(value)}',
            _direction(words),
        )
        return default
    objective = Objective(words[1], "max" if words[0] == "max" else "min")
    if builtin and objective.metric not in JUDGED:
        what = f"runs of the built-in trainer cannot be ranked by {show(objective.metric)}"
        reader.fault(("metric",), what, did_you_mean(objective.metric, JUDGED, "metrics"))
    elif builtin and objective.goal != _goal(objective.metric):
        right = f"{_goal(objective.metric)} {objective.metric}"
        what = f"{show(value)} would pick the worst run"
        reader.fault(("metric",), what, f'Try: metric = "{right}"')
    elif _goal(objective.metric) not in {objective.goal, ""}:
        reader.notes.append(
            f'metric = "{objective.goal} {objective.metric}": is {_other(objective.goal)} meant?'
        )
    if regex and objective.metric not in regex.groupindex:
        what = f"parse has no group {objective.metric}, so no run could be ranked"
        hint = f"Add (?P<{objective.metric}>\\S+) to parse, or choose one of its groups: {names(regex.groupindex)}."
        reader.fault(("metric",), what, hint)
    if "test" in re.split(r"[_./-]", objective.metric.lower()):
        reader.notes.append(
            f"selected on test: {objective.metric} decides, so it says nothing about new data"
        )
    return objective


def read_loss(reader: Reader, regex: re.Pattern[str] | None, *, builtin: bool) -> str:
    """Return the metric that the health rules read, `train_loss` by default."""
    loss = reader.string("loss", "train_loss", "the name of a metric", '"train_loss"')
    losses = ("train_loss", "val_loss")
    if not _METRIC.fullmatch(loss):
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
    elif regex and loss not in regex.groupindex and reader.has("loss"):
        reader.fault(("loss",), f"parse has no group {loss}", f"Add (?P<{loss}>\\S+) to parse.")
    elif regex and loss not in regex.groupindex:
        reader.notes.append(
            f"parse has no group {loss}: no rule watches the loss (name another with loss = ..)"
        )
    return loss


def _direction(words: list[str]) -> str:
    """Return the hint for an invalid metric, with the direction that its name suggests first."""
    metric = next(
        (word for word in words if word not in {"max", "min"} and _METRIC.fullmatch(word)), None
    )
    if metric is None:
        return 'Try: metric = "max val_acc"'
    goal = _goal(metric)
    if goal:
        reason = "more is better" if goal == "max" else "less is better"
        return f'Try: metric = "{goal} {metric}" ({reason})'
    return f'Say which is better: metric = "max {metric}" or metric = "min {metric}"'


def _goal(metric: str) -> str:
    if _SMALLER.search(metric):
        return "min"
    return "max" if _LARGER.search(metric) else ""


def _other(goal: str) -> str:
    return "min" if goal == "max" else "max"
