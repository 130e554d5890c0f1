"""Replays `[search]` on the tables, beside a grid of 8 LRs x 3 values: `python -m tests.benchmarks.axes.replay`."""

from __future__ import annotations

import bisect
import json
import math
import os
import random
import statistics
import sys
from dataclasses import dataclass
from typing import Any

from lrtui.analysis.verdict import Verdict, verdict
from lrtui.config.rungs import decays, rungs
from lrtui.search import Auto, Space
from lrtui.search.surface_search import Surface
from lrtui.sweep.axis_places import share_of, value_of
from lrtui.sweep.events import Axis, Setting
from lrtui.sweep.state import Run, Sweep
from tests.benchmarks.axes.train import TABLES
from tests.search.simulated import Simulation

GRID = (8, 3)
SEEDS = int(os.environ.get("SEEDS", "8"))


@dataclass(frozen=True)
class Table:
    """A measured workload; between its places it is interpolated, in log10(lr) and along the axis."""

    data: dict[str, Any]

    @property
    def axis(self) -> Axis:
        """The whole axis."""
        values = self.data["axis"]
        return Axis(self.data["name"], values[0], values[-1], self.data["scale"])

    def at(self, what: str, setting: Setting, seed: int, level: int | None = None) -> float | None:
        """Return a number of one seed; None where it was not finite."""
        value = setting.axes[self.data["name"]]
        weights = [
            (a * b, j, i)
            for a, j in _between(
                [share_of(self.axis, v) for v in self.data["axis"]], share_of(self.axis, value)
            )
            for b, i in _between(
                [math.log10(lr) for lr in self.data["lrs"]], math.log10(setting.lr)
            )
            if a * b > 1e-9
        ]
        cells = self.data[what][seed]
        found = [(w, cells[j][i] if level is None else cells[j][i][level]) for w, j, i in weights]
        if any(each is None for _, each in found):
            return None
        return sum(w * each for w, each in found)

    def truth(self, setting: Setting) -> float:
        """Return the validation accuracy at the end, the mean over all seeds: what the search is to maximise."""
        last = len(self.data["levels"]) - 1
        seeds = range(len(self.data["value"]))
        return statistics.mean(self.at("value", setting, seed, last) or 0.1 for seed in seeds)

    def best(self) -> float:
        """Return the best of the table's places."""
        name = self.data["name"]
        return max(
            self.truth(Setting(lr, axes={name: value}))
            for value in self.data["axis"]
            for lr in self.data["lrs"]
        )


def _between(places: list[float], place: float) -> list[tuple[float, int]]:
    place = min(max(place, places[0]), places[-1])
    i = min(max(bisect.bisect_right(places, place) - 1, 0), len(places) - 2)
    share = (place - places[i]) / (places[i + 1] - places[i])
    return [(1 - share, i), (share, i + 1)]


def load(name: str) -> Table:
    """Return a table."""
    return Table(json.loads((TABLES / f"{name}.json").read_text()))


def simulate(  # noqa: PLR0917
    table: Table, low: float, high: float, axis: Axis, seed: int, order: int = 0
) -> tuple[Sweep, Verdict]:
    """Return the ended sweep of one search."""
    schedule = table.data["schedule"]
    levels = list(table.data["levels"])
    horizon = float(levels[-1])
    space = Space(
        optimizers=(table.data["optimizer"],),
        schedules=(schedule,),
        values={},
        seeds=1,
        seed=seed,
        horizon=horizon,
        rungs={schedule: rungs(horizon, "epoch", 0.05 * horizon)},
        share=1 / 3,
        decays=frozenset([schedule] if decays(schedule) else []),
        axes=(axis,),
    )

    def measure(setting: Setting, seed: int, level: float) -> tuple[float | None, float | None]:
        at = levels.index(round(level))
        return table.at("value", setting, seed, at), table.at("val_loss", setting, seed, at)

    def dies(run: Run, level: float) -> str | None:
        value = measure(run.setting, run.seed, level)[0]
        return "diverged" if value is None else None

    simulation = Simulation(
        strategy=Surface(Auto(7, low, high), (axis,)),
        space=space,
        measure=measure,
        dies=dies,
        val_images=400,
        order=random.Random(order),
    )
    sweep = simulation.run()
    return sweep, verdict(sweep)


def grid(table: Table, low: float, high: float, axis: Axis, seed: int) -> Setting:
    """Return the best by validation of 8 LRs x 3 values, all trained to the end."""
    step = math.log10(high / low) / (GRID[0] - 1)
    last = len(table.data["levels"]) - 1
    settings = [
        Setting(low * 10 ** (step * i), axes={axis.name: value_of(axis, share)})
        for i in range(GRID[0])
        for share in (0.0, 0.5, 1.0)
    ]
    return max(settings, key=lambda each: table.at("value", each, seed, last) or 0.0)


BOXES = {
    "AW": ((1e-4, 1e-1), (0.01, 3.0), (3e-4, 0.3), (0.03, 10.0)),
    "AC": ((1e-4, 1e-1), (0.01, 3.0), (3e-4, 0.3), (0.03, 10.0)),
    "SM": ((1e-3, 1.0), (0.0, 0.98), (3.2e-4, 0.3), (0.4, 0.99)),
}
"""Two boxes a table: LRs and axis of each."""


def main() -> None:
    """Print cost and regret of the search and of the grid, and what is said of the interaction."""
    verbose = "-v" in sys.argv
    every = []
    for name, ends in BOXES.items():
        table = load(name)
        best, horizon = table.best(), table.data["levels"][-1]
        lost, lost_grid, costs = [], [], []
        for (low, high), (least, most) in (ends[:2], ends[2:]):
            axis = Axis(table.data["name"], least, most, table.data["scale"])
            for seed in range(SEEDS):
                sweep, found = simulate(table, low, high, axis, seed)
                lost_grid.append(100 * (best - table.truth(grid(table, low, high, axis, seed))))
                assert found.setting is not None
                lost.append(100 * (best - table.truth(found.setting)))
                costs.append(sweep.spent / (horizon * GRID[0] * GRID[1]))
                if verbose:
                    words = [r.text for r in found.reasons if r.why in ("axis", "interaction")]
                    print(
                        name,
                        seed,
                        f"{lost[-1]:.2f} {costs[-1]:.0%} grid {lost_grid[-1]:.2f}",
                        found.lr,
                        found.axes,
                        f"{found.low:.2g}..{found.high:.2g}",
                        *words,
                        sep="  ",
                    )
        error = statistics.stdev(lost) / math.sqrt(len(lost))
        print(
            f"{name}: {len(lost)} searches, cost {statistics.mean(costs):.0%} (most {max(costs):.0%}), regret "
            f"{statistics.mean(lost):.2f} ± {error:.2f} (worst {max(lost):.2f}); grid {statistics.mean(lost_grid):.2f} (worst {max(lost_grid):.2f})",
            flush=True,
        )
        every += lost
    print(f"all: {statistics.mean(every):.2f}")


if __name__ == "__main__":
    main()
