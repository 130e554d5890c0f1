"""How far a study's prediction may be trusted: `python -m tests.benchmarks.choosing.predictions [STUDY ...] [--published FILE.csv ...]`.

The levels of a study of the bank were all trained. Three or four neighbouring ones go into a sweep as a user would have trained them (every second LR, so half a
decade apart, with three seeds), `analysis.study` predicts a level that is 4, 8 or 16 times the largest of them, and the table of that level says what
the predicted LR loses, what the best LR of the largest trained level loses, and whether the interval holds an LR that cannot be told from the best.

--published reads tables of final losses of language models (github.com/step-law/steplaw, data/dense_lr_bs_loss.csv and moe_lr_bs_loss.csv; not
part of this repository): the factor is the batch size, and the amount of data at one batch size.
"""

from __future__ import annotations

import argparse
import collections
import csv
import math
import statistics
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import msgspec

from lrtui.analysis.study import study
from lrtui.sweep import events as ev
from lrtui.sweep.state import Sweep, fold
from tests.benchmarks.choosing.workloads import STUDIES, Table, load, path_of

TIMES = (4, 8, 16)
POINT = 0.01
"""Nats of a published loss that are called a point."""
Results = Mapping[float, list[float | None]]
"""By LR: the metric at the end, one for each seed; None where it was not finite."""


@dataclass(frozen=True, slots=True)
class Case:
    """A prediction, and what the trained target says about it."""

    times: int
    lost: float | None = None
    """Points that the predicted LR loses; None where nothing was predicted."""
    kept: float | None = None
    """Points that the best LR of the largest trained level loses."""
    held: bool = False
    """Whether the interval holds an LR that cannot be told from the best."""
    held_best: bool = False
    """Whether it holds the one that was measured as the best."""
    width: float = 0.0
    """Of the interval, in decades."""
    why: str = ""


@dataclass(frozen=True, slots=True)
class Truth:
    """What is known of a trained level."""

    regret: Callable[[float], float]
    """Points that an LR loses."""
    best: float
    equal: tuple[float, ...]
    """LRs that cannot be told from the best."""


@dataclass(frozen=True, slots=True)
class Task:
    """What the levels of a study have in common."""

    factor: str
    optimizer: str
    metric: str
    images: int = 0
    classes: int = 0


def judged(
    task: Task, levels: Mapping[float, Results], times: int, target: float, truth: Truth
) -> Case:
    """Return what a study of these levels predicts for the target, and what that is worth."""
    (found,) = study(sweep_of(task, levels, target))
    last = found.levels[-1].lr
    kept = truth.regret(last) if last is not None else None
    made = found.prediction
    if made is None or made.lr is None or made.low is None or made.high is None:
        return Case(times, kept=kept, why=made.why if made else "")
    inside = [made.low <= lr <= made.high for lr in (truth.best, *truth.equal)]
    width = math.log10(made.high / made.low)
    return Case(times, truth.regret(made.lr), kept, any(inside), inside[0], width)


def sweep_of(task: Task, levels: Mapping[float, Results], target: float) -> Sweep:
    """Return an ended sweep with one evaluation a run."""
    base = next(iter(levels))
    plan = ev.Plan(
        name="s", source="", metric=task.metric, goal="min" if "loss" in task.metric else "max", loss="train_loss",
        unit="epoch", horizon=1, study=((task.factor, base),), predict=((task.factor, target),),
    )  # fmt: skip
    events: list[ev.AnyEvent] = [
        ev.SweepOpened(plan=plan),
        ev.DataPrepared(dataset="d", val=task.images, classes=task.classes),
    ]
    for level, results in levels.items():
        for lr, values in results.items():
            for seed, value in enumerate(values):
                run = f"r{len(events):02}"
                named: dict[str, ev.Scalar] = {} if level == base else {task.factor: level}
                setting = ev.Setting(lr, task.optimizer, "constant", named)
                events += [
                    ev.RunQueued(run=run, setting=setting, seed=seed, until=1),
                    ev.RunLaunched(run=run, attempt=1, token="t", until=1),
                ]
                if value is None:
                    events.append(ev.RunEnded(run=run, attempt=1, kind="diverged", why="nan"))
                    continue
                events += [
                    ev.RunReached(run=run, attempt=1, level=1, value=value),
                    ev.RunEnded(run=run, attempt=1, kind="finished"),
                ]
    return fold(msgspec.structs.replace(each, n=n, at=n) for n, each in enumerate(events, 1))


# ---------------------------------------------------------------- the bank


def of_bank(name: str) -> Iterator[Case]:
    """Return the cases of a study, from the levels whose tables are there."""
    chosen = STUDIES[name]
    tables = _trained(name)
    for small, target, times in windows(list(tables)):
        for first in (0, 1):
            aim = tables[target]
            task = Task(
                chosen.axis,
                aim.data["optimizer"],
                aim.data["metric"],
                aim.data["val_images"],
                aim.data["classes"],
            )
            levels = {level: _ended(tables[level], first) for level in small}
            truth = Truth(aim.regret, aim.best_lr(), tuple(aim.best_lrs()))
            yield judged(task, levels, times, target, truth)


def windows(levels: list[int]) -> Iterator[tuple[list[int], int, int]]:
    """Return (levels to train, level to predict, how many times the largest of them it is)."""
    for count in (3, 4):
        for begin in range(len(levels) - count + 1):
            small = levels[begin : begin + count]
            for times in TIMES:
                if small[-1] * times in levels:
                    yield small, small[-1] * times, times


def _ended(table: Table, first: int) -> Results:
    """Return the ends of the runs at every second LR."""
    return {
        lr: [table.value(lr, seed, table.horizon) for seed in table.seeds]
        for lr in table.lrs[first::2]
    }


# ---------------------------------------------------------------- published tables


def published(path: Path, factor: str) -> Iterator[Case]:
    """Return the cases of the tables in a CSV file."""
    tables: dict[tuple[str, str], dict[float, dict[float, float]]] = collections.defaultdict(dict)
    own, held = ("bs", "D") if factor == "batch_size" else ("D", "bs")
    with path.open() as file:
        for row in csv.DictReader(file):
            group = (row["N"] + "/" + row.get("Na", ""), row[held])
            level = tables[group].setdefault(float(row[own]), {})
            level[float(row["lr"])] = float(row["smooth loss"])
    for levels in tables.values():
        known = {level: losses for level, losses in sorted(levels.items()) if len(losses) >= 7}
        yield from _of_group(factor, known)


def _of_group(factor: str, levels: dict[float, dict[float, float]]) -> Iterator[Case]:
    """Return the cases of one model: trained are the levels within a factor of nine (of the data: three)."""
    for largest in levels:
        least = largest / 9 if factor == "batch_size" else 0.0
        small = [level for level in levels if least <= level <= largest]
        small = small if factor == "batch_size" else small[-3:]
        for times in TIMES if len(small) > 2 else ():
            target = next((each for each in levels if 0.8 <= each / largest / times <= 1.25), None)
            if target is None:
                continue
            losses = levels[target]
            best = min(losses, key=losses.__getitem__)
            equal = tuple(lr for lr in losses if losses[lr] - losses[best] <= POINT / 20)
            truth = Truth(lambda lr, losses=losses: _regret(losses, lr), best, equal)
            given: dict[float, Results] = {
                level: {lr: [levels[level][lr]] for lr in sorted(levels[level])[::2]}
                for level in small
            }
            yield judged(Task(factor, "adamw", "val_loss"), given, times, target, truth)


def _regret(losses: Mapping[float, float], lr: float) -> float:
    """Return how many points an LR loses, between those of the table by a straight line, beyond them by the last one."""
    lrs = sorted(losses)
    inside = min(max(lr, lrs[0]), lrs[-1])
    right = next(i for i, each in enumerate(lrs) if each >= inside) or 1
    a, b = lrs[right - 1], lrs[right]
    part = math.log(inside / a) / math.log(b / a)
    loss = losses[a] + part * (losses[b] - losses[a])
    return (loss - min(losses.values())) / POINT


# ---------------------------------------------------------------- said


def table(name: str, cases: Iterable[Case]) -> list[str]:
    """Return the lines of a study: over all targets, and by how far they are away."""
    found = list(cases)
    lines = [_line(name, found)] if found else []
    for times in TIMES:
        some = [case for case in found if case.times == times]
        lines += [_line(f"{name}, {times} times", some)] if some else []
    return lines


def _line(name: str, cases: list[Case]) -> str:
    made = [case for case in cases if case.lost is not None]
    lost = [case.lost for case in made if case.lost is not None]
    kept = [case.kept for case in made if case.kept is not None]
    if not made:
        return f"| {name} | {len(cases)} | 0 | | | | | | |"
    good, same = (f"{sum(x <= 0.5 for x in each) / len(each):.0%}" for each in (lost, kept))
    return (
        f"| {name} | {len(cases)} | {len(made)} | {statistics.fmean(lost):.2f} | {good} | {statistics.fmean(kept):.2f} | {same} "
        f"| {sum(case.held for case in made) / len(made):.0%} ({sum(case.held_best for case in made) / len(made):.0%}) "
        f"| {statistics.fmean(case.width for case in made):.2f} |"
    )


def main() -> None:
    """Print a table in Markdown, and why what was not predicted was not."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("studies", nargs="*", metavar="STUDY", help=", ".join(STUDIES))
    parser.add_argument("--published", nargs="*", type=Path, default=[])
    given = parser.parse_args()
    print(
        "| study | cases | predicted | lost, points | ≤ 0.5 | LR kept, points | ≤ 0.5 | interval holds (the measured best) | width |"
    )
    print("|---|---|---|---|---|---|---|---|---|")
    every: list[Case] = []
    complete = [name for name in STUDIES if len(_trained(name)) > 3]
    for name in given.studies or ([] if given.published else complete):
        cases = list(of_bank(name))
        every += cases
        print("\n".join(table(name, cases)))
    for path in given.published:
        for factor in ("batch_size", "data"):
            cases = list(published(path, factor))
            every += cases
            print("\n".join(table(f"{path.stem}, {factor}", cases)))
    print("\n".join(table("all", every)))
    reasons = collections.Counter(case.why.split(";")[0] for case in every if case.lost is None)
    print(*(f"{count} x {why}" for why, count in reasons.most_common(8)), sep="\n")


def _trained(name: str) -> dict[int, Table]:
    """Return the tables of a study's levels that are there."""
    levels = STUDIES[name].workloads.items()
    return {level: load(each.name) for level, each in levels if path_of(each).exists()}


if __name__ == "__main__":
    main()
