"""Replays `[search]` on the tables, beside a grid of 8 LRs x 3 values: `python -m tests.benchmarks.axes.replay`."""

from __future__ import annotations

import bisect
import itertools
import json
import math
import os
import random
import statistics
import sys
from collections.abc import Sequence
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

Box = tuple[tuple[float, float], tuple[float, float]]
GRID = (8, 3)
SEEDS = int(os.environ.get("SEEDS", "8"))


@dataclass(frozen=True)
class Table:
    """A measured workload; between its places it is interpolated, in log10(lr) and along the axis.

    Along a ridge, if the workload names its slope: with momentum the product lr / (1 - momentum) decides. Without that, places
    midway between four others were up to 1.0 points (20 at the cliff) below what training them gave; with it up to 0.2 (5).
    """

    data: dict[str, Any]

    @property
    def axis(self) -> Axis:
        """The whole axis."""
        values = self.data["axis"]
        return Axis(self.data["name"], values[0], values[-1], self.data["scale"])

    def at(self, what: str, setting: Setting, seed: int, level: int | None = None) -> float | None:
        """Return a number of one seed; None where it was not finite."""
        cells = self.data[what][seed % len(self.data[what])]
        found = [
            (w, cells[j][i] if level is None else cells[j][i][level])
            for w, j, i in self._weights(setting)
        ]
        if any(each is None for _, each in found):
            return None
        return sum(w * each for w, each in found)

    def truth(self, setting: Setting) -> float:
        """Return the validation accuracy at the end, the mean over seeds: what the search is to maximise."""
        return sum(w * self.data["truth"][j][i] for w, j, i in self._weights(setting))

    def best(self) -> float:
        """Return the best of the table's places."""
        return max(map(max, self.data["truth"]))

    def _weights(self, setting: Setting) -> list[tuple[float, int, int]]:
        """Return weight, index along the axis and index of the LR of the places around a setting."""
        shares = [share_of(self.axis, value) for value in self.data["axis"]]
        here, lr = share_of(self.axis, setting.axes[self.data["name"]]), math.log10(setting.lr)
        lrs, slope = [math.log10(each) for each in self.data["lrs"]], self.data.get("slope", 0.0)
        return [
            (a * b, j, i)
            for a, j in _between(shares, here)
            for b, i in _between(lrs, lr + slope * (shares[j] - here))
            if a * b > 1e-9
        ]


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
        seeds=2,
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


_ADAMW = (
    ((1e-4, 1e-1), (0.01, 3.0)),
    ((3e-4, 0.3), (0.03, 10.0)),
    ((2e-4, 5e-2), (0.02, 5.0)),
    ((1.5e-4, 0.2), (0.015, 2.0)),
    ((2.5e-4, 0.15), (0.012, 6.0)),
    ((1.2e-4, 0.06), (0.04, 2.5)),
    ((5e-4, 0.25), (0.025, 8.0)),
    ((1.7e-4, 0.08), (0.01, 1.5)),
    ((4e-4, 0.12), (0.015, 4.0)),
    ((1.3e-4, 0.25), (0.03, 3.5)),
)
_MOMENTUM = (
    ((1e-3, 1.0), (0.0, 0.98)),
    ((3.2e-4, 0.3), (0.4, 0.99)),
    ((2e-3, 0.5), (0.2, 0.98)),
    ((5e-4, 0.6), (0.0, 0.985)),
    ((1.5e-3, 0.8), (0.3, 0.985)),
    ((4e-4, 0.25), (0.1, 0.99)),
    ((7e-4, 1.2), (0.0, 0.97)),
    ((2.5e-3, 0.4), (0.5, 0.985)),
    ((6e-4, 0.5), (0.2, 0.99)),
    ((1.2e-3, 0.7), (0.6, 0.98)),
)
CHOSEN = 4
"""Constants were chosen on so many boxes of each table; the others were looked at once."""
BOXES = {"AW": _ADAMW, "AC": _ADAMW, "SM": _MOMENTUM}
"""The boxes of each table: LRs and axis."""


def main() -> None:
    """Print cost and regret of the search and of the grid, and what is said of the interaction."""
    verbose = "-v" in sys.argv
    for name, boxes in BOXES.items():
        for what, some in (("chosen on", boxes[:CHOSEN]), ("looked at once", boxes[CHOSEN:])):
            _replay(name, what, some, verbose=verbose)


def _replay(name: str, what: str, boxes: Sequence[Box], *, verbose: bool) -> None:
    table = load(name)
    best, horizon = table.best(), table.data["levels"][-1]
    lost, lost_grid, costs = [], [], []
    for ((low, high), (least, most)), seed in itertools.product(boxes, range(SEEDS)):
        axis = Axis(table.data["name"], least, most, table.data["scale"])
        sweep, found = simulate(table, low, high, axis, seed)
        assert found.setting is not None
        lost.append(100 * (best - table.truth(found.setting)))
        lost_grid.append(100 * (best - table.truth(grid(table, low, high, axis, seed))))
        costs.append(sweep.spent / (horizon * GRID[0] * GRID[1]))
        if verbose:
            words = [r.text for r in found.reasons if r.why in ("axis", "interaction")]
            regrets = f"{lost[-1]:.2f} {costs[-1]:.0%} grid {lost_grid[-1]:.2f}"
            interval = f"{found.low:.2g}..{found.high:.2g}"
            print(name, seed, regrets, found.lr, found.axes, interval, *words, sep="  ")
    error, grid_error = (
        statistics.stdev(each) / math.sqrt(len(each)) for each in (lost, lost_grid)
    )
    print(
        f"{name}, {what}: {len(lost)} searches, cost {statistics.mean(costs):.0%} (most {max(costs):.0%}), regret "
        f"{statistics.mean(lost):.2f} ± {error:.2f} (worst {max(lost):.2f}); grid {statistics.mean(lost_grid):.2f} ± {grid_error:.2f} (worst {max(lost_grid):.2f})",
        flush=True,
    )


if __name__ == "__main__":
    main()
