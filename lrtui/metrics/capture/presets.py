r"""The presets of `parse`, such as "keras": the lines that training frameworks print, by name.

A group `position` counts in the horizon's unit. `batch` and `batches` refine an epoch.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

_NUMBER = r"[-+]?(?:\d[\d.,]*(?:[eE][-+]?\d+)?%?|nan|inf)"


@dataclass(frozen=True, slots=True)
class PresetRule:
    """One kind of line."""

    pattern: str
    pairs: str = ""
    """Finds (name, value) pairs after the match; "" if the groups hold everything."""
    prefix: str = ""
    """Prefix of each pair's name."""
    names: Mapping[str, str] = field(default_factory=dict)
    """Metrics by the group that holds them, if the names differ."""
    shares: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    """Metrics in percent: 100 x the first group / the second."""


@dataclass(frozen=True, slots=True)
class Preset:
    """The lines of one framework."""

    rules: tuple[PresetRule, ...] = ()
    first: int | None = None
    """The number of the first epoch or step; None if it varies."""
    names: tuple[str, ...] = ()
    """The metrics that it can read; () if the script names them."""


_COLON_PAIRS = rf"([A-Za-z_][\w./@-]*): ({_NUMBER})"
_EQUALS_PAIRS = rf"(?<=[ ,])([A-Za-z_][\w./@-]*)=({_NUMBER})"
_TOP = rf"Acc@1\s+(?P<top1>{_NUMBER})(?:.*?Acc@5\s+(?P<top5>{_NUMBER}))?"
_PRECISION = rf"Prec@1\s+(?P<prec1>{_NUMBER})(?:.*?Prec@5\s+(?P<prec5>{_NUMBER}))?"
_PRECISION_NAMES = {"prec1": "Prec@1", "prec5": "Prec@5"}
_TOP_NAMES = {"top1": "Acc@1", "top5": "Acc@5"}

PRESETS = {
    # Trainer prints dicts, which need no pattern
    "hf": Preset(),
    "keras": Preset(
        (
            PresetRule(r"^Epoch (?P<epoch>\d+)(?:/\d+)?:?\s*$"),
            PresetRule(
                r"^\s*(?P<batch>\d+)/(?P<batches>\d+)\b.*? - (?=[A-Za-z_]\w*: )", _COLON_PAIRS
            ),
        ),
        first=1,
    ),
    "lightning": Preset(
        (
            PresetRule(
                r"Epoch (?P<epoch>\d+)(?:/\d+)?:?\s.*?\b(?P<batch>\d+)/(?P<batches>\d+)\b",
                _EQUALS_PAIRS,
            ),
            PresetRule(r"Epoch \d+/\d+ .*?\d+/\d+ .*?it/s", _COLON_PAIRS),
            PresetRule(r"^ {20,}(?=[A-Za-z_][\w./@-]*: )", _COLON_PAIRS),  # the bar continues
        ),
        first=0,
    ),
    "timm": Preset(
        (
            PresetRule(
                rf"^.*?Train: (?P<epoch>\d+) \[\s*(?P<batch>\d+)/(?P<batches>\d+).*?Loss: +(?P<train_loss>{_NUMBER})"
            ),
            PresetRule(
                # the last line of an evaluation; earlier ones have averages of a part
                rf"^.*?Test.*?: \[\s*(\d+)/\1\].*?Loss: +{_NUMBER} +\(\s*(?P<val_loss>{_NUMBER})\)"
                rf".*?Acc@1: +{_NUMBER} +\(\s*(?P<top1>{_NUMBER})\).*?Acc@5: +{_NUMBER} +\(\s*(?P<top5>{_NUMBER})\)",
                names=_TOP_NAMES,
            ),
        ),
        first=0,
        names=("train_loss", "val_loss", "Acc@1", "Acc@5"),
    ),
    # PyTorch's example, older scripts based on it (Prec@1), and the MetricLogger of torchvision and Meta's repositories
    "imagenet": Preset(
        (
            PresetRule(
                rf"^Epoch: \[(?P<epoch>\d+)\]\s*\[\s*(?P<batch>\d+)/(?P<batches>\d+)\].*?\b[Ll]oss:?\s+(?P<train_loss>{_NUMBER})"
            ),
            PresetRule(rf"^(?:\s*\*|Test:)\s+{_TOP}", names=_TOP_NAMES),
            PresetRule(rf"^\s*\*\s+{_PRECISION}", names=_PRECISION_NAMES),
        ),
        first=0,
        names=("train_loss", "Acc@1", "Acc@5", "Prec@1", "Prec@5"),
    ),
    "mnist": Preset(
        (
            PresetRule(
                rf"^Train Epoch: (?P<epoch>\d+) \[(?P<batch>\d+)/(?P<batches>\d+)\b.*?Loss: (?P<train_loss>{_NUMBER})"
            ),
            PresetRule(
                rf"^Test set: Average loss: (?P<val_loss>{_NUMBER}), Accuracy: (?P<correct>\d+)/(?P<of>\d+)",
                shares={"val_acc": ("correct", "of")},
            ),
        ),
        first=1,
        names=("train_loss", "val_loss", "val_acc"),
    ),
    "ultralytics": Preset(
        (
            PresetRule(
                rf"^\s*(?P<epoch>\d+)/\d+\s+[\d.]+G?\s+(?P<box>{_NUMBER})\s+(?P<cls>{_NUMBER})\s+(?P<dfl>{_NUMBER})\s+\d+\s+\d+:",
                names={
                    "box": "train/box_loss",
                    "cls": "train/cls_loss",
                    "dfl": "train/dfl_loss",
                },
            ),
            PresetRule(
                rf"^\s*all\s+\d+\s+\d+\s+(?P<p>{_NUMBER})\s+(?P<r>{_NUMBER})\s+(?P<m>{_NUMBER})\s+(?P<n>{_NUMBER})\s*$",
                names={
                    "p": "metrics/precision(B)",
                    "r": "metrics/recall(B)",
                    "m": "metrics/mAP50(B)",
                    "n": "metrics/mAP50-95(B)",
                },
            ),
        ),
        first=1,
        names=(
            *("train/box_loss", "train/cls_loss", "train/dfl_loss", "metrics/precision(B)"),
            *("metrics/recall(B)", "metrics/mAP50(B)", "metrics/mAP50-95(B)"),
        ),
    ),
    "xgboost": Preset(
        (PresetRule(r"^(?:\[[\d:]+\] )?\[(?P<position>\d+)\](?=\s+\S+:)", rf"(\S+?):({_NUMBER})"),),
        first=0,
    ),
    "lightgbm": Preset(
        (PresetRule(r"^\[(?P<position>\d+)\](?=\s+\S+'s )", rf"([^\t:]+'s [^\t:]+): ({_NUMBER})"),),
        first=1,
    ),
    "nanogpt": Preset(
        (
            PresetRule(
                rf"^step (?P<step>\d+): train loss (?P<train_loss>{_NUMBER}), val loss (?P<val_loss>{_NUMBER})"
            ),
            PresetRule(rf"^iter (?P<step>\d+): loss (?P<loss>{_NUMBER}),"),
        ),
        names=("train_loss", "val_loss", "loss"),
    ),
    "tqdm": Preset((PresetRule(r"(?P<position>\d+)/\d+ \[", _EQUALS_PAIRS),), first=1),
}
