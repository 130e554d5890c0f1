"""Trains the level that a study predicts, to check the prediction: `[study] predict = { batch_size = 4096 }, check = true`.

Once every other run has ended, the level gets the predicted LR and its neighbours, a factor of two apart. The first run of the
level keeps its prediction, so later measurements and added runs do not move it. The supervisor calls this after the strategy.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from lrtui.search.rounding import rounded
from lrtui.search.strategy import Decision, Space, at, find, start
from lrtui.sweep.state import State, Sweep, group_of

if TYPE_CHECKING:
    from lrtui.analysis.study import Factor

STEPS = (0, 1, -1, 2, -2)
"""Powers of two around the predicted LR, in the order in which they are started."""


def decide(sweep: Sweep, space: Space) -> list[Decision]:
    """Return the runs that check the predictions; none before the study's own runs have ended, or if no prediction is possible."""
    if not space.checked or sweep.plan is None or not sweep.trained():
        return []
    from lrtui.analysis import study  # needed only at the end, like the verdict

    decided: list[Decision] = []
    for factor, level in space.checked.items():
        cell = study.cell_of(sweep.plan, sweep, factor, level)
        if cell is None:
            continue
        centre = next(
            (
                run.setting.lr
                for run in sweep.trained()
                if run.origin == "strategy" and group_of(run.setting) == group_of(cell)
            ),
            None,
        )
        if centre is None and all(run.state is State.ENDED for run in sweep.runs.values()):
            centre = _predicted(study.study(sweep), factor)
        if centre is None:
            continue
        wanted = [
            (at(cell, rounded(centre * 2.0**step)), space.seed + i)
            for i in range(space.seeds)
            for step in STEPS
        ]
        decided += [
            start(setting, seed, space.horizon)
            for setting, seed in wanted
            if find(sweep, setting, seed) is None
        ]
    return decided


def cost(space: Space) -> float:
    """Return what checking the predictions costs, in the horizon's unit."""
    return len(space.checked) * len(STEPS) * space.seeds * space.horizon


def _predicted(factors: list[Factor], name: str) -> float | None:
    """Return the LR predicted for a factor, in two digits."""
    found = next((each.prediction for each in factors if each.name == name), None)
    return None if found is None or found.lr is None else rounded(found.lr)
