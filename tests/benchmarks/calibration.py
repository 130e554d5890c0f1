"""How often the verdict's 90 % interval holds the best learning rate: `python -m tests.benchmarks.calibration [--sweeps 300]`.

Each sweep is simulated: seven LRs half a decade apart, the middle one up to three quarters of a decade beside the optimum; each
run's result is the workload's mean at that LR plus how far one of the seeds was from its mean at the nearest LR (val_loss
from the same seed), or normal noise where only a standard deviation is known. The events are folded and judged as those of
a real sweep. Printed per workload, for one seed and three:

    held        how often the interval held the true optimum, and how often an LR that is worse by a tenth of a point at most
                (the optimum of a measured curve is itself known no better), how often it was open on a side, and its mean width in decades,
                open sides to their last LR
    equal       how often an equal range was given, which share of its width is truly equal, its mean width
    regret      mean and worst, in points, against the best of the LRs that were tried; beside it that of the highest mean

The means are those of `curves/*.json` (measured dense grids, see choosing/workloads.py) where a workload has one, else those
below, from the first measurements that lrtui was designed on.
"""

from __future__ import annotations

import argparse
import json
import math
import random
import statistics
import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from lrtui.analysis.verdict import verdict
from lrtui.sweep import events as ev
from lrtui.sweep.state import Sweep, fold

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
    residuals: tuple[tuple[float, float], ...] = ()
    """How far each measured seed was from the mean, and from that of val_loss."""


@dataclass(frozen=True, slots=True, kw_only=True)
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
    measured: dict[float, list[tuple[float | None, ...]]] = field(default_factory=dict)
    """By log10(lr), for each seed: the values at `levels`. Empty where only the ends are known."""
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

    def regret_in(self, low: float, high: float) -> float:
        """Return by how many points the best LR between two is worse than the optimum."""
        ends = math.log10(low), math.log10(high)
        inside = [x for x in self.curve if ends[0] <= x <= ends[1] and self.curve[x].dead < 1]
        return min(self.regret(x, [self.optimum]) for x in (*inside, *ends))

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
        ends = [(run["value"][-1], run["val_loss"][-1]) for run in runs]
        alive = [
            (value, loss)
            for value, loss in ends
            if value is not None and not (goal == "max" and classes and value < 1.3 / classes)
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
        measured={
            math.log10(lr): [tuple(run["value"]) for run in table["runs"] if run["lr"] == lr]
            for lr in table["lrs"]
        },
        levels=tuple(map(float, table["levels"])),
    )


def _at(alive: Sequence[tuple[float, float | None]], dead: float) -> At:
    """Return what the seeds (value, val_loss) that lived say about an LR."""
    values = [value for value, _ in alive]
    losses = [loss for _, loss in alive if loss is not None]
    mean, mean_loss = statistics.fmean(values), statistics.fmean(losses) if losses else 0.0
    # The variance of n residuals is (n-1)/n of one run's.
    grow = math.sqrt(len(alive) / (len(alive) - 1)) if len(alive) > 1 else 0.0
    residuals = tuple(
        (grow * (value - mean), 0.0 if loss is None else grow * (loss - mean_loss))
        for value, loss in alive
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
    off, loss_off = rng.choice(at.residuals or ((rng.gauss(0, at.sd), 0.0),))
    value = at.mean + off
    if truth.goal == "max":
        images = truth.images or 10_000
        value = round(min(max(value, 0.0), 1.0) * images) / images
    loss = None if at.val_loss is None else max(1e-6, at.val_loss + loss_off)
    return [
        *told,
        ev.RunReached(run=name, attempt=1, level=truth.horizon, value=value, val_loss=loss),
        ev.RunCharged(run=name, attempt=1, spent=truth.horizon),
        ev.RunEnded(run=name, attempt=1, kind="finished"),
    ]


def halve(truth: Truth, xs: Sequence[float], rng: random.Random) -> Sweep:
    """Return the sweep that halved these LRs of the dense grid, one measured seed each: rungs at R/9, R/3 and R, a third is kept."""
    plan = _plan(truth, 1)
    rungs = [truth.horizon / 9, truth.horizon / 3, truth.horizon]
    told: list[ev.AnyEvent] = [
        ev.SweepOpened(plan=plan),
        ev.DataPrepared(classes=truth.classes, val=truth.images),
    ]
    seeds = {f"r{i:02}": rng.choice(truth.measured[x]) for i, x in enumerate(xs)}
    for i, x in enumerate(xs):
        setting = ev.Setting(lr=float(f"{10**x:.2g}"), optimizer="adam", schedule="constant")
        told.append(ev.RunQueued(run=f"r{i:02}", setting=setting, seed=0, until=rungs[0]))
    racing = list(seeds)
    for number, rung in enumerate(rungs, 1):
        place = sum(level <= rung * (1 + 1e-9) for level in truth.levels) - 1
        values = {name: seeds[name][place] for name in racing}
        for name in racing:
            told += [
                ev.RunLaunched(run=name, attempt=number, token=name, until=rung),
                ev.RunReached(run=name, attempt=number, level=truth.levels[place], value=values[name]),
            ]  # fmt: skip
        sound = [name for name in racing if values[name] is not None]
        sound.sort(key=lambda name: -truth.sign * values[name])
        kept = tuple(sound[: max(2, math.ceil(len(racing) / 3))])
        ended: ev.EndingKind = "finished" if rung == rungs[-1] else "pruned"
        if ended == "pruned":
            gone = tuple(name for name in racing if name not in kept)
            told += [ev.RunWaiting(run=name) for name in racing]
            told += [
                ev.RungClosed(group=ev.GroupKey("adam", "constant"), level=rung, kept=kept, pruned=gone),
                *(ev.RunPromoted(run=name, until=rungs[number]) for name in kept),
            ]  # fmt: skip
        else:
            gone = tuple(racing)
        for name in gone:
            kind: ev.EndingKind = "diverged" if values[name] is None else ended
            told.append(
                ev.RunEnded(run=name, attempt=number, kind=kind, why="simulated", rule="beaten")
            )
        racing = list(kept)
    return fold(told)


@dataclass(slots=True)
class Score:
    """What many verdicts were worth."""

    sweeps: int = 0
    held: int = 0
    held_near: int = 0
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
    def near_coverage(self) -> float:
        return self.held_near / max(1, self.sweeps)


def judge(truth: Truth, seeds: int, sweeps: int, *, halving: bool = False) -> Score:
    """Return how the verdicts on so many simulated sweeps fared; the same each time."""
    rng = random.Random(f"{truth.name}/{seeds}")
    score = Score()
    for _ in range(sweeps):
        if halving:
            xs = sorted(truth.curve)
            first = xs.index(truth.optimum) + rng.randint(-3, 3) - COUNT // 2 * 2
            sweep = halve(truth, xs[max(0, first) : max(0, first + 2 * COUNT) : 2], rng)
        else:
            middle = truth.optimum + rng.uniform(-OFFSET, OFFSET)
            lrs = [float(f"{10 ** (middle + STEP * (i - COUNT // 2)):.3g}") for i in range(COUNT)]
            sweep = simulate(truth, lrs, seeds, rng)
        _add(score, truth, sweep, sweeps)
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
    score.held_near += truth.regret_in(low, high) <= 0.1
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
    parser.add_argument("--sweeps", type=int, default=300, help="per row (default 300)")
    parser.add_argument("--frozen", action="store_true", help="the frozen half, at the end")
    options = parser.parse_args()
    print(
        f"{'workload':>9} {'seeds':>5} {'runs':>6} {'held':>6} {'nearly':>6} {'open':>5} {'decades':>8}"
        f" {'equal given':>12} {'truly':>6} {'decades':>8}"
        f" {'regret':>7} {'worst':>6} {'highest':>8} {'worst':>6} {'ms':>5}"
    )
    for truth in workloads(frozen=options.frozen):
        ways = [(1, False), (3, False)] + [(1, True)] * bool(truth.measured)
        for seeds, halving in ways:
            score = judge(truth, seeds, options.sweeps, halving=halving)
            print(_line(truth, seeds, halving, score), flush=True)


def _line(truth: Truth, seeds: int, halving: bool, s: Score) -> str:
    mean, given = statistics.fmean, max(1, s.equal)
    return (
        f"{truth.name:>9} {seeds:>5} {'halved' if halving else 'full':>6} {s.coverage:>6.0%} {s.near_coverage:>6.0%}"
        f" {s.open / s.sweeps:>5.0%} {s.width:>8.2f} {s.equal / s.sweeps:>12.0%} {s.equal_right / given:>6.0%} {s.equal_width / given:>8.2f}"
        f" {mean(s.regrets):>7.2f} {max(s.regrets):>6.1f} {mean(s.highest):>8.2f} {max(s.highest):>6.1f}"
        f" {s.milliseconds:>5.0f}   {truth.source}"
    )


if __name__ == "__main__":
    main()
