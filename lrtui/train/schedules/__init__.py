"""Schedules: the learning rate over the whole horizon, stepped after every optimizer step.

Imports nothing of torch. To add one: a file beside this one with a function
`(optimizer, steps, **options) -> LRScheduler`, and one line here. Each also takes `warmup`: the share of the
horizon in which the LR rises linearly to its value (`warmup.py`); the schedule proper spans the rest.
"""

from __future__ import annotations

from lrtui.train.table import NUMBER, Schedule

_WARMUP: dict[str, tuple[type, ...]] = {"warmup": NUMBER}

SCHEDULES: dict[str, Schedule] = {
    "constant": Schedule(
        where="lrtui.train.schedules.constant:constant",
        what="the same LR throughout",
        fields=_WARMUP,
    ),
    "cosine": Schedule(
        where="lrtui.train.schedules.cosine:cosine",
        what="half a cosine down to `end` times the LR (0 unless set)",
        fields={"end": NUMBER, **_WARMUP},
        principal="end",
    ),
    "step": Schedule(
        where="lrtui.train.schedules.step:step",
        what="times `gamma` (0.1 unless set) after every `every` (1/3 unless set) of the horizon",
        fields={"gamma": NUMBER, "every": NUMBER, **_WARMUP},
        principal="gamma",
    ),
}
