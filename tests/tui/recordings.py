"""Snapshots made by hand: a sweep in which every kind of run occurs, without files, clocks or a supervisor."""

from __future__ import annotations

import math
import random
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType

from lrtui import events as ev
from lrtui.metrics import Measurement, RunSeries
from lrtui.ranking import rank
from lrtui.sweep import Sweep, fold
from lrtui.watcher import Snapshot

NOW = 1_790_000_000.0
LRS = (1e-4, 3e-4, 1e-3, 3e-3, 1e-2, 3e-2, 1e-1, 3e-1)
ENDINGS = {5: "pruned", 6: "killed", 7: "diverged"}


def plan(**changes: object) -> ev.Plan:
    base = ev.Plan(
        name="cifar100",
        source="cifar100.toml",
        metric="val_acc",
        goal="max",
        loss="train_loss",
        unit="epoch",
        horizon=30.0,
        parallel=2,
        dataset="cifar100",
        model="cnn7",
    )
    return ev.msgspec.structs.replace(base, **changes)


def journal(lrs: tuple[float, ...] = LRS, **changes: object) -> list[ev.AnyEvent]:
    """A sweep in mid-flight: of eight runs some run, one waits, three have ended in three ways."""
    events: list[ev.AnyEvent] = [ev.SweepOpened(plan=plan(**changes), host="box")]
    for index, lr in enumerate(lrs):
        run = f"r{index + 1:02d}"
        events.append(
            ev.RunQueued(run=run, setting=ev.Setting(lr=lr, optimizer="adam"), seed=1, until=30.0)
        )
        if index == 0:
            continue
        events.append(ev.RunLaunched(run=run, attempt=1, token="t", until=30.0))
        events.append(ev.RunStarted(run=run, attempt=1, pid=4000 + index))
        kind = ENDINGS.get(index)
        if kind:
            why = {
                "pruned": "rung 2: 6th of 8",
                "killed": "killed by you",
                "diverged": "nan: three values of train_loss were not finite",
            }[kind]
            events.append(ev.RunStopping(run=run, attempt=1, kind=kind, why=why))
            events.append(ev.RunEnded(run=run, attempt=1, kind=kind, why=why, code=143))
    return [ev.msgspec.structs.replace(e, n=n, at=NOW - 600 + n) for n, e in enumerate(events, 1)]


def curve(index: int, epochs: int, per_epoch: int = 4) -> list[Measurement]:
    noise = random.Random(index)
    best = 1.0 - abs(index - 3) * 0.12
    found = []
    for i in range(1, epochs * per_epoch + 1):
        epoch = i / per_epoch
        fall = math.exp(-epoch / (3 + index))
        loss = 4.6 * fall + (1.2 - best) * 2 + noise.random() * 0.1
        if index == 7 and epoch > 3:
            loss = math.nan if epoch > 4 else loss * 8
        values = {"train_loss": loss, "lr": LRS[index % len(LRS)]}
        if i % per_epoch == 0:
            values["val_loss"] = loss * 1.1
            values["val_acc"] = max(0.01, best * 0.64 * (1 - fall) + noise.random() * 0.01)
            values["train_acc"] = values["val_acc"] * 1.1
        found.append(
            Measurement(
                level=epoch, step=i * 98.0, epoch=epoch, tokens=None, time=i * 5.0, values=values
            )
        )
    return found


def series(
    sweep: Sweep, epochs: tuple[int, ...] = (0, 14, 14, 13, 12, 10, 6, 5)
) -> dict[str, RunSeries]:
    made = {}
    for index, run in enumerate(sweep.runs):
        made[run] = RunSeries()
        if count := epochs[index % len(epochs)]:
            made[run].extend(1, curve(index, count))
    return made


def snapshot(events: list[ev.AnyEvent] | None = None, **changes: object) -> Snapshot:
    sweep = fold(events or journal())
    measured = series(sweep)
    made = Snapshot(
        directory=Path("runs/cifar100"),
        sweep=sweep,
        series=MappingProxyType(measured),
        standings=rank(sweep, measured),
        gpus=(),
        supervisor="alive",
        view_only="",
        reading=False,
        journal_bad=0,
        problem="",
        read_at=NOW,
    )
    return replace(made, **changes)
