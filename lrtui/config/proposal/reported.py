"""How a script reports, and which of its metrics decides."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from lrtui.sweep.events import Unit

LARGER = frozenset(
    [
        "acc",
        "accuracy",
        "acc1",
        "acc5",
        "acc@1",
        "acc@5",
        "top1",
        "top5",
        "f1",
        "auc",
        "auroc",
        "bleu",
        "rouge",
        "iou",
        "miou",
        "map",
        "psnr",
        "ssim",
        "r2",
        "reward",
        "rewards",
        "return",
        "returns",
        "episodic_return",
        "score",
        "precision",
        "recall",
        "prec",
        "prec@1",
        "prec@5",
        "dice",
    ]
)
SMALLER = frozenset(
    [
        "loss",
        "nll",
        "ppl",
        "perplexity",
        "bpc",
        "bpb",
        "mse",
        "rmse",
        "mae",
        "error",
        "err",
        "wer",
        "cer",
        "fid",
        "elbo",
    ]
)
SPLITS = {
    **dict.fromkeys(
        ("val", "valid", "validation", "eval", "evaluation", "evaluate", "dev", "test"), "val"
    ),
    **dict.fromkeys(("train", "training"), "train"),
}
"""Words that name the data of a measurement."""


@dataclass(frozen=True, slots=True)
class Report:
    """How a script reports."""

    metric: str = ""
    """The metric that should decide, with "max" or "min" before it; "" if none was found."""
    loss: str = ""
    parse: tuple[str, ...] = ()
    unit: Unit | None = None
    """The unit of the lines' positions; None if they have none."""
    first: int | None = None
    """The number of the first epoch; None if uncertain."""
    read: str = ""
    """The files that its logger writes, instead of lines."""
    doubt: str = ""
    """Notes on what is uncertain."""


def decider(names: Iterable[str]) -> str:
    """Return "max NAME" or "min NAME" for the metric that should decide: of validation before training, accuracy before loss."""
    ranked = []
    for place, name in enumerate(names):
        parts = {*re.split(r"[_./ -]", name.lower()), name.lower()}
        goal = "max" if parts & LARGER else "min" if parts & SMALLER else ""
        if goal:
            validates = any(SPLITS.get(part) == "val" for part in parts)
            ranked.append(
                (
                    ("train" in parts) - validates,
                    goal == "min",
                    bool(parts & {"best", "max"}),
                    "5" in name,
                    place,
                    f"{goal} {name}",
                )
            )
    return min(ranked)[-1] if ranked else ""
