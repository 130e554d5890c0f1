"""The comparison: `python -m tests.benchmarks.choosing [NAME ...] [--repeats 200] [--no-optuna] [--near]`.

Prints Markdown: the measured truth, what each method spends and loses, and the wall-clock on one, four and eight devices.

Spent: trained length in percent of grid-8's, range tests included. Regret: best mean test value of the dense grid minus the
mean test value at the picked LR, in points (0.01 of an accuracy; 0.01 nats for LM), mean (worst) over the repeats.
Off: percent of the picks that lose more than 5 points. Methods that draw nothing are replayed nine times: three measured seeds
of the trainings, each with the range tests of all three.

The dense grid has four LRs a decade; `--near` adds those an eighth of a decade off, within half a decade of where the best lie.
"""

from __future__ import annotations

import argparse
import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from tests.benchmarks.choosing import ours
from tests.benchmarks.choosing.peers import GRID, METHODS, Method, Pick
from tests.benchmarks.choosing.workloads import PARTS, WORKLOADS, Table, load, measured

OFF = 5.0
"""Points that nobody would call a good pick."""
DEVICES = 1, 4, 8
"""On so many the wall-clock is simulated."""


@dataclass(frozen=True, slots=True)
class Score:
    """One method on one workload."""

    spent: float
    """Percent of grid-8."""
    regrets: tuple[float, ...]
    seconds: tuple[float, ...]
    """On each number of `DEVICES`: means."""

    @property
    def off(self) -> float:
        """The percentage of picks that are far off."""
        return 100 * sum(regret > OFF for regret in self.regrets) / len(self.regrets)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", help=f"{', '.join(WORKLOADS)}; default: all measured")
    parser.add_argument("--repeats", type=int, default=200, help="of methods that draw at random")
    parser.add_argument("--no-optuna", action="store_true", help="without Optuna's methods")
    parser.add_argument("--part", choices=PARTS, default=PARTS[0], help="the other two at the end")
    parser.add_argument("--near", action="store_true", help="with 8 LRs a decade near the best")
    options = parser.parse_args()
    tables = [load(name) for name in options.names or measured(options.part)]
    if not options.near:
        tables = [table.coarser() for table in tables]
    methods = [Method("**lrtui auto**", searched), *METHODS]
    if options.no_optuna:
        methods = [method for method in methods if "Optuna" not in method.name]
    scores = {
        (method.name, table.name): score(method, table, options.repeats)
        for method in methods
        for table in tables
    }
    print(truth(tables))
    print(comparison(tables, [method.name for method in methods], scores))
    print(wall_clock(tables, [method.name for method in methods], scores))


def searched(table: Table, seed: int) -> Pick:
    """Return what lrtui's own search picks."""
    found = ours.search(table, seed)
    return Pick(found.lr, found.spent, found.legs)


def score(method: Method, table: Table, repeats: int) -> Score:
    """Replay a method."""
    if method.chance:
        picks = [method.pick(table, seed) for seed in range(repeats)]
    else:
        picks = [method.pick(other, seed) for other in table.rotated() for seed in table.seeds]
    full = GRID * table.horizon
    return Score(
        100 * statistics.fmean(pick.spent for pick in picks) / full,
        tuple(lost(table, pick.lr) for pick in picks),
        tuple(_mean(picks, devices) for devices in DEVICES),
    )


def lost(table: Table, lr: float | None) -> float:
    """Return the regret of a pick; no pick at all is as bad as the worst LR."""
    return max(map(table.regret, table.lrs)) if lr is None else table.regret(lr)


def truth(tables: Sequence[Table]) -> str:
    """Return what was measured."""
    lines = []
    for table in tables:
        best = table.best_lr()
        values = [table.test(best, seed) for seed in table.seeds]
        lines.append([
            f"{table.name}{'*' if table.data['held_out'] else ''}",
            f"{table.data['title']}, {table.horizon:g} {table.data['unit']}",
            f"{best:.1e}",
            f"{statistics.fmean(values):.4f} ± {statistics.stdev(values):.4f}",
            _span(table, 0.5),
            _span(table, 1.0),
        ])  # fmt: skip
    head = ["", "workload", "best lr", "test ± sd", "within 0.5 points", "within 1 point"]
    return (
        markdown(head, lines)
        + "\n\\* held out: lrtui's constants were frozen before it was looked at.\n"
    )


def comparison(
    tables: Sequence[Table], names: Sequence[str], scores: dict[tuple[str, str], Score]
) -> str:
    """Return the comparison: spent / regret mean (worst) / off."""
    head = ["spent % / regret mean (worst) / off %", *(table.name for table in tables)]

    def cell(found: Score) -> str:
        mean, worst = statistics.fmean(found.regrets), max(found.regrets)
        return f"{found.spent:.1f} / {mean:.2f} ({worst:.1f}) / {found.off:.0f}"

    return markdown(head, _rows(tables, names, scores, cell))


def wall_clock(
    tables: Sequence[Table], names: Sequence[str], scores: dict[tuple[str, str], Score]
) -> str:
    """Return the time to the pick on each number of devices, processes' starts included."""
    devices = " / ".join(map(str, DEVICES))
    head = [f"wall-clock s, {devices} devices", *(table.name for table in tables)]
    return markdown(
        head,
        _rows(tables, names, scores, lambda s: " / ".join(f"{each:.0f}" for each in s.seconds)),
    )


def markdown(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a table, its columns aligned for people who read the text."""
    widths = [max(len(row[i]) for row in [head, *rows]) for i in range(len(head))]
    lines = [
        "| " + " | ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) + " |"
        for row in [head, ["-" * width for width in widths], *rows]
    ]
    return "\n".join(lines) + "\n"


def _rows(
    tables: Sequence[Table],
    names: Sequence[str],
    scores: dict[tuple[str, str], Score],
    cell: Callable[[Score], str],
) -> list[list[str]]:
    return [[name, *(cell(scores[name, table.name]) for table in tables)] for name in names]


def _mean(picks: Sequence[Pick], devices: int) -> float:
    return statistics.fmean(ours.wall_clock(pick.legs, devices) for pick in picks)


def _span(table: Table, points: float) -> str:
    """Return the LRs within so many points of the best: an interval, or a list where it has gaps."""
    equal = table.equal(points)
    places = [table.lrs.index(lr) for lr in equal]
    if places[-1] - places[0] == len(places) - 1:
        return f"{equal[0]:.1e}" if len(equal) == 1 else f"{equal[0]:.1e}..{equal[-1]:.1e}"
    return ", ".join(f"{lr:.1e}" for lr in equal)


if __name__ == "__main__":
    main()
