"""Snapshots made by hand: a sweep in which every kind of run occurs, without files, clocks or a supervisor."""

from __future__ import annotations

import math
import random
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType

from lrtui.analysis.ranking import rank
from lrtui.analysis.study import Exponent, Factor, Level
from lrtui.analysis.verdict import Noise, Reason, Verdict, Why, groups, sensitivity
from lrtui.frontend.snapshot import Snapshot
from lrtui.metrics import Measurement, RunSeries
from lrtui.sweep import events as ev
from lrtui.sweep.state import Sweep, fold, group_text
from lrtui.tui.verdict_view import VerdictView

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


# ---------------------------------------------------------------- a search

SEARCH_LRS = (1e-4, 3e-4, 1e-3, 3e-3, 1e-2, 3e-2, 1e-1)
AT_RUNG = (0.21, 0.34, 0.48, 0.55, 0.52, 0.12)
"""The values at epoch 4; the last LR diverged before."""
RUNGS = (4.0, 12.0, 36.0)


def range_testing() -> list[ev.AnyEvent]:
    """The beginning of a search: its range test runs."""
    opened = ev.SweepOpened(
        plan=plan(
            horizon=36.0, rungs=(("cosine", RUNGS), ("constant", RUNGS)), planned=76.0, keep="1/3"
        ),
        host="box",
    )
    test = ev.Setting(lr=1e-7, optimizer="adam", schedule="constant")
    return _numbered([
        opened,
        ev.DataPrepared(path="data", dataset="cifar100", classes=100, val=5000),
        ev.RunQueued(run="t01", setting=test, seed=1, until=36.0, lr_to=10.0, lr_steps=100),
        ev.RunLaunched(run="t01", attempt=1, token="t", until=36.0),
        ev.RunStarted(run="t01", attempt=1, pid=3999),
    ])  # fmt: skip


def search(*, whole: bool = False) -> list[ev.AnyEvent]:
    """A search behind its first rung: of three promoted runs one waits, one runs, one is queued; or all of it."""
    events = range_testing()
    events += [
        ev.RunCharged(run="t01", attempt=1, spent=1.0, seconds=20.0),
        ev.RangeTested(
            run="t01", valley=3e-3, steep=2e-2, minimum=1e-2, slide=1e-1, diverged=2.0, points=100
        ),
        ev.RunEnded(run="t01", attempt=1, kind="finished", why="valley 3.0e-03", code=0),
    ]
    ids = [f"r{i + 1:02d}" for i in range(len(SEARCH_LRS))]
    for run, lr in zip(ids, SEARCH_LRS, strict=True):
        setting = ev.Setting(lr=lr, optimizer="adam", schedule="cosine")
        events.append(ev.RunQueued(run=run, setting=setting, seed=1, until=4.0))
    for run, value in zip(ids, AT_RUNG, strict=False):
        events += _trained(run, 1, 4.0, value, 4.0)
        events.append(ev.RunWaiting(run=run))
    why = "nan: three values of train_loss were not finite"
    events += [
        *_launched("r07", 1, 4.0),
        ev.RunStopping(run="r07", attempt=1, kind="diverged", why=why),
        ev.RunCharged(run="r07", attempt=1, spent=2.0, seconds=20.0),
        ev.RunEnded(run="r07", attempt=1, kind="diverged", why=why),
        ev.RungClosed(
            group=ev.GroupKey("adam", "cosine"),
            level=4.0,
            kept=("r04", "r05", "r03"),
            pruned=("r02", "r01", "r06"),
            cut=0.48,
            why="3 of 7",
        ),
    ]
    for place, (run, value) in enumerate((("r02", 0.34), ("r01", 0.21), ("r06", 0.12)), 4):
        why = f"{place}th of 6 at epoch 4 (val_acc {value}, cut 0.48)"
        events.append(ev.RunEnded(run=run, attempt=1, kind="pruned", why=why, rule="beaten"))
    events += [ev.RunPromoted(run=run, until=12.0) for run in ("r04", "r05", "r03")]
    events += [*_trained("r04", 2, 12.0, 0.61, 8.0, 1), ev.RunWaiting(run="r04")]
    events += _launched("r05", 2, 12.0, 1)
    if whole:
        events += _end_of_search()
    return _numbered(events)


def _end_of_search() -> list[ev.AnyEvent]:
    events = _trained("r05", 2, 12.0, 0.60, 8.0, 1, launched=True)
    events += [ev.RunWaiting(run="r05"), *_trained("r03", 2, 12.0, 0.52, 8.0, 1)]
    events += [
        ev.RunWaiting(run="r03"),
        ev.RungClosed(
            group=ev.GroupKey("adam", "cosine"), level=12.0, kept=("r04", "r05"), pruned=("r03",), cut=0.6, why="2 of 3"
        ),
        ev.RunPromoted(run="r04", until=36.0),
        ev.RunPromoted(run="r05", until=36.0),
        ev.RunEnded(run="r03", attempt=2, kind="pruned", why="3rd of 3 at epoch 12", rule="beaten"),
    ]  # fmt: skip
    for run, value in (("r04", 0.66), ("r05", 0.64)):
        events += _trained(run, 3, 36.0, value, 24.0, 2)
        events.append(ev.RunEnded(run=run, attempt=3, kind="finished", code=0))
    setting = ev.Setting(lr=3e-3, optimizer="adam", schedule="cosine")
    events.append(ev.RunQueued(run="r08", setting=setting, seed=2, until=36.0))
    events += _trained("r08", 1, 36.0, 0.62, 36.0)
    events.append(ev.RunEnded(run="r08", attempt=1, kind="finished", code=0))
    verdict = ev.VerdictReached(
        lr=3e-3,
        group=ev.GroupKey("adam", "cosine"),
        low=1.4e-3,
        high=8e-3,
        equal=(2e-3, 6e-3),
        why=("2 seeds",),
    )
    return [*events, verdict, ev.SweepClosed(code=0, why="all runs finished")]


def _launched(run: str, attempt: int, until: float, resumed: int | None = None) -> list:
    return [
        ev.RunLaunched(run=run, attempt=attempt, token="t", until=until, resumed_from=resumed),
        ev.RunStarted(run=run, attempt=attempt, pid=4000),
    ]


def _trained(  # noqa: PLR0917
    run: str,
    attempt: int,
    until: float,
    value: float,
    spent: float,
    resumed: int | None = None,
    *,
    launched: bool = False,
) -> list:
    before = [] if launched else _launched(run, attempt, until, resumed)
    return [
        *before,
        ev.RunReached(run=run, attempt=attempt, level=until, value=value, val_loss=1 - value),
        ev.RunCharged(run=run, attempt=attempt, spent=spent, seconds=spent * 10),
    ]


def _numbered(events: list[ev.AnyEvent]) -> list[ev.AnyEvent]:
    return [ev.msgspec.structs.replace(e, n=n, at=NOW - 600 + n) for n, e in enumerate(events, 1)]


def range_curve(steps: int = 100) -> list[Measurement]:
    """A loss that falls from 1e-4 on, is lowest at 0.1 and turns."""
    found = []
    for i in range(1, steps + 1):
        decade = -7 + 8 * (i - 1) / 99
        fall = 2.5 / (1 + math.exp(-2 * (decade + 2.5)))
        loss = 4.6 - fall + (10 ** (decade + 1) if decade > -1 else 0)
        values = {"lr": 10**decade, "train_loss": loss + 0.05 * math.sin(9.0 * i)}
        found.append(
            Measurement(
                level=i / 98, step=float(i), epoch=i / 98, tokens=None, time=i * 0.2, values=values
            )
        )
    return found


def search_snapshot(
    events: list[ev.AnyEvent] | None = None, steps: int = 100, **changes: object
) -> Snapshot:
    """A snapshot of a search; curves end where the journal says that the runs are."""
    sweep = fold(events or search())
    measured: dict[str, RunSeries] = {}
    for index, run in enumerate(sweep.runs.values()):
        if not run.attempts:
            continue
        measured[run.id] = RunSeries()
        if run.is_range_test:
            measured[run.id].extend(1, range_curve(steps))
            continue
        level = max((reached.level for reached in run.reached), default=2.0)
        level += 3 if run.alive else 0
        measured[run.id].extend(1, curve(index - 1, int(level)))
    return snapshot(
        events or search(),
        sweep=sweep,
        series=MappingProxyType(measured),
        standings=rank(sweep, measured),
        **changes,
    )


def judgement(sweep: Sweep) -> VerdictView:
    """Verdicts made by hand, so that the screens do not change with every constant of the real ones."""
    points = {group: tuple(sensitivity(sweep, group)) for group in groups(sweep)}
    made = {
        group: Verdict(group=group, reasons=(Reason(Why.NOTHING, "no LR was compared"),))
        for group in points
    }
    if (adam := ev.GroupKey("adam", "cosine")) in made:
        made[adam] = Verdict(
            lr=3e-3,
            group=adam,
            value=0.62,
            low=1.4e-3,
            high=8e-3,
            noise=Noise.SEEDS,
            equal=(2e-3, 6e-3),
            within=0.005,
            provisional=sweep.closed is None,
            reasons=(
                Reason(Why.MEASURED, "best of 3 learning rates"),
                Reason(Why.NOISE, "1 seed: noise unknown"),
            ),
            not_tested=("< 1e-04", "> 1e-01"),
        )
    overall = next(iter(made.values()), None)
    if (said := sweep.verdict) is not None and said.group in made:
        overall = made[said.group] = Verdict(lr=said.lr, group=said.group, provisional=False)
    factors = (studied(ended=sweep.closed is not None),) if sweep.plan.study else ()
    return VerdictView(overall, MappingProxyType(made), MappingProxyType(points), factors)


# ---------------------------------------------------------------- a study

BEST_AT = {8: 1e-3, 32: 3e-3, 128: 1e-2, 512: 1e-2}
"""By batch size: the best LR; 32 is the experiment's own."""


def study(*, ended: bool = True) -> list[ev.AnyEvent]:
    """A study of batch sizes: five LRs at each of four levels, all finished; or its last level still queued."""
    events: list[ev.AnyEvent] = [
        ev.SweepOpened(plan=plan(name="study", study=(("batch_size", 32),)), host="box")
    ]
    sizes = sorted(BEST_AT, key=lambda size: size != 32)  # the own level is queued first
    runs = [(size, lr) for size in sizes for lr in (3e-4, 1e-3, 3e-3, 1e-2, 3e-2)]
    for index, (size, lr) in enumerate(runs, 1):
        run, values = f"r{index:02d}", {} if size == 32 else {"batch_size": size}
        setting = ev.Setting(lr=lr, optimizer="adam", schedule="constant", values=values)
        events.append(ev.RunQueued(run=run, setting=setting, seed=1, until=30.0))
        if ended or size < 512:
            value = round(0.7 - 0.1 * abs(math.log10(lr / BEST_AT[size])), 4)
            events += _trained(run, 1, 30.0, value, 30.0)
            events.append(ev.RunEnded(run=run, attempt=1, kind="finished", code=0))
    if ended:
        said = ev.VerdictReached(lr=3e-3, group=ev.GroupKey("adam", "constant"), why=("1 seed",))
        events += [said, ev.SweepClosed(code=0, why="all runs finished")]
    return _numbered(events)


def studied(*, ended: bool = True) -> Factor:
    """What became of the batch size: written by hand, so that it does not change with every constant of the verdict."""
    levels = tuple(
        Level(
            size,
            str(size),
            size == 32,
            group_text(ev.GroupKey("adam", "constant", (("batch_size", size),) if size != 32 else ())),
            lr=lr, low=lr / 3, high=lr * 3, by_noise=True, edges=("upper",) if size == 512 else (), value=0.7, provisional=not ended,
            linear=3e-3 * size / 32, root=3e-3 * math.sqrt(size / 32), fitted=3e-3 * (size / 32) ** 0.57,
        )
        for size, lr in BEST_AT.items()
    )  # fmt: skip
    return Factor(
        "batch_size", levels, numeric=True, held="epochs were held, 30 at every level: a larger batch means fewer steps",
        trend="rises", exponent=Exponent(0.57, 0.3, 0.84), excluded=("linear",), provisional=not ended,
    )  # fmt: skip
