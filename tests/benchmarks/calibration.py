"""How often the verdict's 90 % interval holds the best learning rate: `python -m tests.benchmarks.calibration [--sweeps 300]`.

Each sweep is simulated: seven LRs half a decade apart, the middle one up to three quarters of a decade beside the optimum; each
run's result is the workload's mean at that LR plus how far one of the seeds was from its mean at the nearest LR (val_loss
from the same seed), or normal noise where only a standard deviation is known. The events are folded and judged as those of
a real sweep. Beside these (grid), the searches of `lr = "auto"` are replayed (auto), once with each seed of the
table. Printed per workload, for one seed and three:

    held        how often the interval held the LR with the highest measured mean, and how often one of those that cannot be told
                from it (worse by less than two standard errors), how often it was open on a side, and its mean width in decades,
                open sides to their last LR
    equal       how often an equal range was given, which share of its width is truly equal, its mean width
    regret      mean and worst, in points, against the best of the LRs that were tried; beside it that of the highest mean

The means are those of `curves/*.json` (measured dense grids, see choosing/workloads.py) where a workload has one, else those
below, from the first measurements that lrtui was designed on.
"""

from __future__ import annotations

import argparse
import functools
import json
import math
import random
import statistics
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from lrtui.analysis.verdict import verdict
from lrtui.sweep import events as ev
from lrtui.sweep.state import Sweep, fold
from tests.benchmarks.choosing import ours
from tests.benchmarks.choosing.workloads import load

CURVES = Path(__file__).parent / "curves"
STEP = 0.5
COUNT = 7
OFFSET = 0.75


@dataclass(frozen=True, slots=True)
class At:
    """What training at one LR leads to."""

    mean: float
    sd: float = 0.0
    dead: float = 0.0
    """The share of seeds that die."""
    val_loss: float | None = None
    residuals: tuple[tuple[float, float, tuple[float, ...]], ...] = ()
    """How far each measured seed was from the mean, and from that of val_loss, and its values at the levels."""

    @property
    def spread(self) -> float:
        """The standard deviation between seeds."""
        if not self.residuals:
            return self.sd
        return math.sqrt(statistics.fmean([off * off for off, _, _ in self.residuals]))


@dataclass(frozen=True, kw_only=True)
class Truth:
    """A workload: what training leads to, over log10(lr)."""

    name: str
    source: str
    curve: dict[float, At]
    metric: str = "val_acc"
    goal: str = "max"
    unit: str = "epoch"
    horizon: float = 27
    classes: int = 10
    images: int = 0
    point: float = 0.01
    levels: tuple[float, ...] = ()

    @property
    def sign(self) -> float:
        return 1.0 if self.goal == "max" else -1.0

    @property
    def learns(self) -> bool:
        """Whether there is an LR that no seed dies at."""
        return any(at.dead == 0 for at in self.curve.values())

    @property
    def optimum(self) -> float:
        alive = {x: at for x, at in self.curve.items() if at.dead == 0}
        return max(alive, key=lambda x: self.sign * alive[x].mean)

    def at(self, x: float) -> At:
        """Return what lies between the measured LRs: the means on a line, deaths as at the nearest."""
        xs = sorted(self.curve)
        x = min(max(x, xs[0]), xs[-1])
        above = next(place for place in xs if place >= x)
        below = max(place for place in xs if place <= x)
        a, b = self.curve[below], self.curve[above]
        share = (x - below) / (above - below) if above > below else 0.0
        nearest, loss = (a if share < 0.5 else b), None
        if a.val_loss is not None and b.val_loss is not None:
            loss = a.val_loss + share * (b.val_loss - a.val_loss)
        return At(
            mean=a.mean + share * (b.mean - a.mean),
            sd=a.sd + share * (b.sd - a.sd),
            dead=nearest.dead,
            val_loss=loss,
            residuals=nearest.residuals,
        )

    def regret(self, x: float, beside: Sequence[float]) -> float:
        """Return by how many points `x` is worse than the best of these LRs."""
        best = max(self.sign * self.at(other).mean for other in beside)
        return (best - self.sign * self.at(x).mean) / self.point

    @functools.cached_property
    def best(self) -> list[float]:
        """The LRs that cannot be told from the optimum: worse by less than two standard errors. Few seeds say little of a spread: it is at least the usual one."""
        alive = sorted(
            (x for x, at in self.curve.items() if at.dead == 0),
            key=lambda x: -self.sign * self.curve[x].mean,
        )
        usual = statistics.median(self.curve[x].spread for x in alive[:6])
        errors = {
            x: max(at.spread, usual * (len(at.residuals) <= 6))
            / math.sqrt(max(3, len(at.residuals)))
            for x, at in self.curve.items()
        }
        top = self.curve[alive[0]].mean
        return [
            x
            for x in alive
            if abs(top - self.curve[x].mean) <= 2 * math.hypot(errors[alive[0]], errors[x])
        ]

    def share_within(self, within: float, low: float, high: float) -> float:
        """Return which share of a stretch is no worse than the optimum by more than `within`."""
        first, last = math.log10(low), math.log10(high)
        places = [first + (last - first) * i / 40 for i in range(41)]
        worse = [self.regret(x, [self.optimum]) * self.point for x in places]
        return sum(each <= within + 1e-9 for each in worse) / len(worse)


def _written(name: str, first: float, images: int, means: Sequence[float], sd: float) -> Truth:
    """Return a workload from its means in percent, four LRs a decade; the noise grows down the slopes, the last LR is dead."""
    best = max(means)
    curve = {
        first + i / 4: At(
            mean / 100,
            max(sd, 0.15 * (best - mean)) / 100,
            dead=1.0 if i == len(means) - 1 else 0.0,
        )
        for i, mean in enumerate(means)
    }
    return Truth(name=name, source="as designed on", curve=curve, images=images)


WRITTEN = (
    _written("FM", -5, 2000, (43, 56, 64, 69.4, 73, 76, 78.8, 81.2, 83.2, 84.2, 84.7, 85.1, 84.8, 83.4, 79, 55, 10), 0.35),
    _written("DA", -5, 400, (15, 40, 72, 88, 92, 94.6, 96.4, 97.4, 97.7, 97.9, 97.8, 98.4, 98.0, 97.2, 95, 70, 45), 0.45),
    _written("DS", -4, 400, (15, 30, 70, 88, 93, 95.7, 96.9, 97.3, 97.8, 98.2, 98.0, 97.8, 10), 0.45),
)  # fmt: skip


def workloads(*, frozen: bool = False) -> list[Truth]:
    """Return the measured workloads that anything learns on, and those written ones that were not measured; or the frozen ones."""
    folders = [CURVES / "frozen"] if frozen else [CURVES, CURVES / "bank"]
    found = [read(path) for folder in folders for path in sorted(folder.glob("*.json"))]
    measured = [truth for truth in found if truth.learns]
    if frozen:
        return measured
    names = {truth.name for truth in measured}
    return [*measured, *(truth for truth in WRITTEN if truth.name not in names)]


def read(path: Path) -> Truth:
    """Return a workload from its measured dense grid: the results at the horizon. A seed at chance or without a value is dead."""
    table = json.loads(path.read_text())
    classes, goal = int(table.get("classes", 0)), table["goal"]
    curve = {}
    for lr in table["lrs"]:
        runs = [run for run in table["runs"] if run["lr"] == lr]
        count = len(table["levels"])
        ends = [
            (run["value"][-1], run["val_loss"][-1], tuple(run["value"]) if len(run["value"]) == count else ())
            for run in runs
        ]  # fmt: skip
        alive = [
            end
            for end in ends
            if end[0] is not None and not (goal == "max" and classes and end[0] < 1.3 / classes)
        ]
        if not alive:
            curve[math.log10(lr)] = At(0.0, dead=1.0)
            continue
        curve[math.log10(lr)] = _at(alive, dead=1 - len(alive) / len(ends))
    # Where all died there is nothing to draw a line to but the neighbour's mean.
    alive_at = {x: at for x, at in curve.items() if at.dead < 1}
    for x, at in curve.items():
        if at.dead == 1 and alive_at:
            curve[x] = replace(alive_at[min(alive_at, key=lambda other: abs(other - x))], dead=1.0)
    return Truth(
        name=table["workload"],
        source="measured",
        curve=curve,
        metric=table["metric"],
        goal=goal,
        unit=table["unit"].rstrip("s"),
        horizon=float(table["horizon"]),
        classes=classes,
        images=int(table.get("val_images", 0)),
        point=float(table.get("point", 0.01)),
        levels=tuple(map(float, table["levels"])),
    )


def _at(alive: Sequence[tuple[float, float | None, tuple[float, ...]]], dead: float) -> At:
    """Return what the seeds (value, val_loss, curve) that lived say about an LR."""
    values = [value for value, _, _ in alive]
    losses = [loss for _, loss, _ in alive if loss is not None]
    mean, mean_loss = statistics.fmean(values), statistics.fmean(losses) if losses else 0.0
    # The variance of n residuals is (n-1)/n of one run's.
    grow = math.sqrt(len(alive) / (len(alive) - 1)) if len(alive) > 1 else 0.0
    residuals = tuple(
        (grow * (value - mean), 0.0 if loss is None else grow * (loss - mean_loss), curve)
        for value, loss, curve in alive
    )
    known = mean_loss if len(losses) == len(alive) else None
    return At(mean, dead=dead, val_loss=known, residuals=residuals)


# ---------------------------------------------------------------- one sweep


def simulate(truth: Truth, lrs: Sequence[float], seeds: int, rng: random.Random) -> Sweep:
    """Return the sweep that trained these LRs to the end, folded from its events."""
    plan = _plan(truth, seeds)
    told: list[ev.AnyEvent] = [
        ev.SweepOpened(plan=plan),
        ev.DataPrepared(classes=truth.classes, val=truth.images),
    ]
    for i, lr in enumerate(lrs):
        for seed in range(seeds):
            told += run(truth, f"r{i * seeds + seed + 1:02}", lr, seed, rng)
    return fold(told)


def _plan(truth: Truth, seeds: int) -> ev.Plan:
    return ev.Plan(
        name=truth.name,
        source="simulated",
        metric=truth.metric,
        goal=truth.goal,
        loss="train_loss",
        unit=truth.unit,
        horizon=truth.horizon,
        seeds=seeds,
    )


def run(truth: Truth, name: str, lr: float, seed: int, rng: random.Random) -> list[ev.AnyEvent]:
    """Return the events of one run."""
    at = truth.at(math.log10(lr))
    setting = ev.Setting(lr=lr, optimizer="adam", schedule="constant")
    told: list[ev.AnyEvent] = [
        ev.RunQueued(run=name, setting=setting, seed=seed, until=truth.horizon),
        ev.RunLaunched(run=name, attempt=1, token=name, until=truth.horizon),
        ev.RunStarted(run=name, attempt=1, pid=1),
    ]
    if rng.random() < at.dead:
        return [
            *told,
            ev.RunEnded(run=name, attempt=1, kind="diverged", why="simulated", rule="diverged"),
        ]
    off, loss_off, seen = rng.choice(at.residuals or ((rng.gauss(0, at.sd), 0.0, ()),))
    value = at.mean + off
    if truth.goal == "max":
        images = truth.images or 10_000
        value = round(min(max(value, 0.0), 1.0) * images) / images
    loss = None if at.val_loss is None else max(1e-6, at.val_loss + loss_off)
    reached = ev.RunReached(
        run=name, attempt=1, level=truth.horizon, value=value, val_loss=loss,
        curve=_curve(truth, seen, value),
    )  # fmt: skip
    return [
        *told,
        reached,
        ev.RunCharged(run=name, attempt=1, spent=truth.horizon),
        ev.RunEnded(run=name, attempt=1, kind="finished"),
    ]


def _curve(
    truth: Truth, values: Sequence[float | None], end: float | None = None
) -> tuple[tuple[float, float], ...]:
    """Return what a run was measured at on its way, moved to end at `end`: as far as its last value, up or down."""
    seen = [each for each in zip(truth.levels, values, strict=False) if each[1] is not None]
    if not seen:
        return ()
    off = 0.0 if end is None else end - seen[-1][1]
    top = 1.0 if truth.goal == "max" else math.inf
    return tuple((level, min(max(value + off, 1e-6), top)) for level, value in seen)


@dataclass(slots=True)
class Score:
    """What many verdicts were worth."""

    sweeps: int = 0
    held: int = 0
    held_best: int = 0
    open: int = 0
    width: float = 0.0
    equal: int = 0
    equal_right: float = 0.0
    equal_width: float = 0.0
    regrets: tuple[float, ...] = ()
    highest: tuple[float, ...] = ()
    milliseconds: float = 0.0

    @property
    def coverage(self) -> float:
        return self.held / max(1, self.sweeps)

    @property
    def best_coverage(self) -> float:
        return self.held_best / max(1, self.sweeps)


def judge(truth: Truth, seeds: int, sweeps: int) -> Score:
    """Return how the verdicts on so many simulated sweeps fared; the same each time."""
    rng = random.Random(f"{truth.name}/{seeds}")
    score = Score()
    for _ in range(sweeps):
        middle = truth.optimum + rng.uniform(-OFFSET, OFFSET)
        lrs = [float(f"{10 ** (middle + STEP * (i - COUNT // 2)):.3g}") for i in range(COUNT)]
        _add(score, truth, simulate(truth, lrs, seeds, rng), sweeps)
    return score


def searched(truth: Truth, seeds: int) -> Score:
    """Return how the verdicts of `lr = "auto"` fared, replayed once with each measured seed first."""
    table = load(truth.name)
    score = Score()
    for seed in table.seeds:
        _add(score, truth, ours.simulate(table, seed, seeds=seeds), len(table.seeds))
    return score


def _add(score: Score, truth: Truth, sweep: Sweep, sweeps: int) -> None:
    """Judge one sweep and add how its verdict fared."""
    began = time.perf_counter()
    found = verdict(sweep)
    score.milliseconds += (time.perf_counter() - began) * 1000 / sweeps
    score.sweeps += 1
    if found.lr is None or found.low is None or found.high is None:
        return  # nothing to compare it with: an interval that was not given held nothing
    best = 10**truth.optimum
    low = 10 ** min(truth.curve) if "below" in found.open_sides else found.low
    high = 10 ** max(truth.curve) if "above" in found.open_sides else found.high
    score.open += bool(found.open_sides)
    score.held += low <= best * (1 + 1e-9) and best <= high * (1 + 1e-9)
    score.held_best += any(
        low <= 10**x * (1 + 1e-9) and 10**x <= high * (1 + 1e-9) for x in truth.best
    )
    score.width += math.log10(found.high / found.low) / sweeps
    lrs = {run_.setting.lr for run_ in sweep.runs.values()}
    tried = [math.log10(lr) for lr in lrs if truth.at(math.log10(lr)).dead < 1]
    score.regrets += (truth.regret(math.log10(found.lr), tried),)
    score.highest += (truth.regret(math.log10(_highest(sweep)), tried),)
    if found.equal is not None and found.within is not None:
        score.equal += 1
        score.equal_right += truth.share_within(found.within, *found.equal)
        score.equal_width += math.log10(found.equal[1] / found.equal[0])


def _highest(sweep: Sweep) -> float:
    """Return the LR with the best mean over its seeds, of those without a dead one."""
    assert sweep.plan is not None
    sign = 1.0 if sweep.plan.goal == "max" else -1.0
    values: dict[float, list[float]] = {}
    for run_ in sweep.runs.values():
        whole = run_.reached and run_.reached[-1].level >= sweep.plan.horizon * 0.9
        value = run_.reached[-1].value if whole else None
        values.setdefault(run_.setting.lr, []).append(-math.inf if value is None else sign * value)
    return max(values, key=lambda lr: sum(values[lr]))


def main() -> None:
    """Print one row per workload and number of seeds."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--sweeps", type=int, default=300, help="per row (default 300); 0: the searches alone"
    )
    parser.add_argument("--frozen", action="store_true", help="the frozen half, at the end")
    options = parser.parse_args()
    print(
        f"{'workload':>16} {'seeds':>5} {'runs':>6} {'held':>6} {'best':>6} {'open':>5} {'decades':>8}"
        f" {'equal given':>12} {'truly':>6} {'decades':>8}"
        f" {'regret':>7} {'worst':>6} {'highest':>8} {'worst':>6} {'ms':>5}"
    )
    every: dict[str, list[Score]] = {}
    for truth in workloads(frozen=options.frozen):
        for seeds in (1, 3):
            if options.sweeps:
                score = judge(truth, seeds, options.sweeps)
                every.setdefault(f"{seeds} grid", []).append(score)
                print(_line(truth.name, seeds, "grid", score), flush=True)
            if truth.source == "measured":
                score = searched(truth, seeds)
                every.setdefault(f"{seeds} auto", []).append(score)
                print(_line(truth.name, seeds, "auto", score), flush=True)
    for kind, scores in every.items():
        mean, searches = statistics.fmean, sum(s.sweeps for s in scores)
        print(
            f"{kind}, {len(scores)} workloads, {searches} searches: held {mean(s.coverage for s in scores):.0%},"
            f" best {mean(s.best_coverage for s in scores):.0%}, open {mean(s.open / s.sweeps for s in scores):.0%},"
            f" {mean(s.width for s in scores):.2f} decades"
        )


def _line(name: str, seeds: int, runs: str, s: Score) -> str:
    mean, given, nan = statistics.fmean, max(1, s.equal), (math.nan,)
    return (
        f"{name:>16} {seeds:>5} {runs:>6} {s.coverage:>6.0%} {s.best_coverage:>6.0%}"
        f" {s.open / s.sweeps:>5.0%} {s.width:>8.2f} {s.equal / s.sweeps:>12.0%} {s.equal_right / given:>6.0%} {s.equal_width / given:>8.2f}"
        f" {mean(s.regrets or nan):>7.2f} {max(s.regrets or nan):>6.1f} {mean(s.highest or nan):>8.2f} {max(s.highest or nan):>6.1f}"
        f" {s.milliseconds:>5.0f}"
    )


if __name__ == "__main__":
    main()
