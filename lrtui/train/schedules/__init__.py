"""Schedules: the learning rate over the whole horizon, stepped after every optimizer step.

Imports nothing of torch. To add one: a file beside this one with a function
`(optimizer, steps, **options) -> LRScheduler`, and one line here. Each also takes `warmup`: the share of the
horizon in which the LR rises linearly to where the schedule begins (`warmup.py`); the schedule proper spans the rest,
and shares in its options are shares of that.
"""

from __future__ import annotations

from typing import Any

from lrtui.train.registry import NUMBER, PART, SHARE, Numbers, Range, Schedule

_WARMUP: dict[str, tuple[type, ...]] = {"warmup": NUMBER}
_FEW = Range(least=1, most=1000)
_RANGES: dict[str, Range] = {
    "warmup": Range(least=0, below=1),
    "end": SHARE,
    **dict.fromkeys(("gamma", "decay", "low"), PART),
}
"""Ranges that hold for every option of that name."""


def _schedule(name: str, what: str, fields: dict[str, tuple[type, ...]], **rest: Any) -> Schedule:
    return Schedule(
        where=f"lrtui.train.schedules.{name}:{name}",
        what=what,
        fields={**fields, **_WARMUP},
        ranges=_RANGES | rest.pop("ranges", {}),
        **rest,
    )


def _one_cycle(options: dict[str, Any]) -> tuple[str, str] | None:
    for name in ("end", "start"):
        if name in options and options.get("end", 4e-6) > options.get("start", 0.04):
            return (
                name,
                "must leave the end (4e-6 unless set) no higher than the start (0.04 unless set)",
            )
    return None


SCHEDULES: dict[str, Schedule] = {
    "constant": _schedule("constant", "the same LR throughout", {}, decays=False),
    "step": _schedule(
        "step",
        "times `gamma` (0.1 unless set) after every `every` (1/3 unless set) of the horizon",
        {"gamma": NUMBER, "every": NUMBER},
        ranges={"every": Range(least=1e-3, most=1)},
        principal="gamma",
    ),
    "multi_step": _schedule(
        "multi_step",
        "times `gamma` (0.1 unless set) at each share of the horizon in `at` ([0.5, 0.75] unless set)",
        {"at": (Numbers,), "gamma": NUMBER},
        ranges={"at": Range(above=0, below=1)},
        principal="at",
    ),
    "exponential": _schedule(
        "exponential",
        "times the same factor at every step, down to `end` times the LR (0.01 unless set)",
        {"end": NUMBER},
        ranges={"end": PART},
        principal="end",
    ),
    "polynomial": _schedule(
        "polynomial",
        "times (1 - share done) to the power of `power` (2 unless set)",
        {"power": NUMBER},
        ranges={"power": Range(above=0, most=100)},
        principal="power",
    ),
    "linear": _schedule(
        "linear",
        "a straight line down to `end` times the LR (0 unless set)",
        {"end": NUMBER},
        principal="end",
    ),
    "cosine": _schedule(
        "cosine",
        "half a cosine down to `end` times the LR (0 unless set)",
        {"end": NUMBER},
        principal="end",
    ),
    "cosine_restarts": _schedule(
        "cosine_restarts",
        "`cycles` cosines (3 unless set), each `longer` times as long as the one before (1 unless set), down to `end` (0 unless set)",
        {"cycles": (int,), "longer": (int,), "end": NUMBER},
        ranges={"cycles": _FEW, "longer": Range(least=1, most=10)},
        principal="cycles",
    ),
    "plateau": _schedule(
        "plateau",
        "times `factor` (0.1 unless set) after more than `patience` evaluations (3 unless set) without a lower validation loss",
        {
            "factor": NUMBER,
            "patience": (int,),
            "threshold": NUMBER,
            "cooldown": (int,),
            "end": NUMBER,
        },
        ranges={
            "factor": Range(above=0, below=1),
            **dict.fromkeys(("patience", "threshold", "cooldown"), Range(least=0)),
        },
        principal="factor",
    ),
    "one_cycle": _schedule(
        "one_cycle",
        "up from `start` times the LR (0.04 unless set) to the LR in `warmup` (0.3 unless set), then down to `end` (4e-6 unless set); the momentum is not cycled",
        {"start": NUMBER, "end": NUMBER, "shape": (str,)},
        ranges={"warmup": Range(above=0, below=1), **dict.fromkeys(("start", "end"), PART)},
        words={"shape": ("cos", "linear")},
        together=_one_cycle,
        warmup=0.3,
        own_warmup=True,
        principal="warmup",
    ),
    "cyclical": _schedule(
        "cyclical",
        "`cycles` triangles (4 unless set) from `low` times the LR (0.1 unless set) up to the LR and back, with `halve` each half as high as the last",
        {"cycles": (int,), "low": NUMBER, "halve": (bool,)},
        ranges={"cycles": _FEW},
        principal="cycles",
    ),
    "wsd": _schedule(
        "wsd",
        "held, then in the last `decay` of the horizon (0.2 unless set) a straight line down to `end` times the LR (0 unless set)",
        {"decay": NUMBER, "end": NUMBER},
        principal="decay",
    ),
}
