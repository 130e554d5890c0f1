"""Simulated sweeps with a known best learning rate, read from the output that scripts would print.

Scripts evaluate in rhythms of their own, count from 0 or 1, end early, print nan, put evaluations on lines without a position, and tie. The
values rise along straight lines, so that interpolation is exact, and never cross: the order of two runs is the same at every length.
"""

from __future__ import annotations

import json
import random
from dataclasses import dataclass
from pathlib import Path

import pytest

from lrtui.analysis.ranking import rank
from lrtui.analysis.verdict import verdict
from tests.analysis.outputs import PrintedSweep
from tests.plans import plan_of

LRS = [1e-4, 3e-4, 1e-3, 3e-3, 1e-2, 3e-2, 1e-1]
SAMPLE, ALL = 60, 3000


@dataclass(frozen=True)
class Script:
    """What one run prints."""

    lr: float
    quality: float
    every: int
    """Evaluates every so many epochs."""
    ends: int
    """The last epoch."""
    nan: bool
    """Whether its last evaluation is nan."""

    @property
    def evaluated(self) -> list[int]:
        return list(range(self.every, self.ends + 1, self.every))


@dataclass(frozen=True)
class World:
    """One sweep's scripts, and how they print."""

    scripts: list[Script]
    horizon: int
    goal: str
    first: int
    """0 or 1: from which number the scripts count epochs."""
    apart: bool
    """Whether an evaluation is a record without a position, after the epoch's training line."""
    end: str
    """What ends a record."""

    def output(self, script: Script) -> str:
        sign = 1 if self.goal == "max" else -1
        records = []
        for epoch in range(1, script.ends + 1):
            train = {"epoch": epoch - 1 + self.first, "train_loss": 1 / epoch}
            value = {}
            if epoch in script.evaluated:
                exact = 5 + sign * script.quality * epoch / self.horizon
                nan = script.nan and epoch == script.evaluated[-1]
                value = {"score": float("nan") if nan else exact}
            records += [train, value] if self.apart and value else [train | value]
        return "".join(json.dumps(record) + self.end for record in records)


def world(seed: int) -> World:
    rng = random.Random(seed)
    horizon = rng.choice([6, 20, 60])
    scripts = []
    for lr in sorted(rng.sample(LRS, rng.randint(2, 6))):
        every = rng.choice([1, 1, 2, 3, max(1, horizon // 7), max(1, horizon // 3)])
        ends = horizon if rng.random() < 0.7 else rng.randint(every, horizon)
        quality = rng.choice([0.1, 0.5, 1.0, 1.5, 2.0, 3.0])
        scripts.append(Script(lr, quality, every, ends, nan=rng.random() < 0.1))
    if all(script.nan or not script.evaluated for script in scripts):
        scripts[0] = Script(scripts[0].lr, 1.0, 1, horizon, nan=False)
    return World(
        scripts, horizon, rng.choice(["max", "min"]), rng.choice([0, 1]),
        rng.random() < 0.5, rng.choice(["\n", "\r\n", "\r"]),
    )  # fmt: skip


def played(world: World, root: Path) -> PrintedSweep:
    plan = plan_of(
        metric="score", goal=world.goal, horizon=world.horizon, builtin=False, value="auto"
    )
    printed = PrintedSweep(root, plan)
    for script in world.scripts:
        printed.run(script.lr, world.output(script))
    return printed


def common(a: Script, b: Script) -> bool:
    """Tell whether both were evaluated far enough to be compared somewhere."""
    return min(a.evaluated[-1], b.evaluated[-1]) >= max(a.evaluated[0], b.evaluated[0])


@pytest.mark.campaign
@pytest.mark.parametrize("part", range(4))
def test_the_verdict_is_never_worse_at_every_common_length(tmp_path, campaign, part):
    for seed in range(part, ALL if campaign else SAMPLE, 4):
        made = world(seed)
        printed = played(made, tmp_path / str(seed))
        found, board = verdict(printed.sweep), rank(printed.sweep, printed.series)
        sound = {
            script.lr: script for script in made.scripts if script.evaluated and not script.nan
        }
        if found.lr is None:
            assert len({script.quality for script in sound.values()}) == 1, seed
            continue
        pick = sound[found.lr]
        better = [
            other
            for other in sound.values()
            if other.quality > pick.quality and common(other, pick)
        ]
        assert not better, (seed, pick, better)
        assert found.low <= found.lr <= found.high if found.low else True
        first = sound.get(board[0].lr)
        assert first is not None, (seed, board[0])
        assert first.quality == pick.quality or not common(first, pick), (seed, pick, first)
