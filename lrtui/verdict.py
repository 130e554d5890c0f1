"""Which learning rate to use, and what speaks for it: words about the leaderboard.

Only a setting that was trained to the horizon is recommended, and none of which a seed diverged. There is no interval here:
with one seed the noise is unknown, and the verdict says so instead of guessing.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from lrtui.sweep import Run, State, Sweep, besides_lr, lr_text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lrtui.events import Plan
    from lrtui.ranking import Standing

_JUDGED = frozenset({"finished", "pruned", "diverged"})
"""States in which something was learned about a learning rate."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """A recommendation."""

    lr: float | None
    """None where nothing can be recommended; the reasons then say what to try."""
    runs: tuple[str, ...]
    value: float | None
    value_at: float | None
    provisional: bool
    """Whether runs are left that could change it."""
    reasons: tuple[str, ...]
    not_tested: tuple[str, ...]

    def headline(self, plan: Plan) -> str:
        """Return the verdict in one line."""
        if self.lr is None:
            return "no learning rate to recommend yet"
        so_far = "so far: " if self.provisional else ""
        value = "" if self.value is None else f" ({plan.metric} {number(self.value)})"
        return f"{so_far}use lr = {lr_text(self.lr)}{value}"


def verdict(sweep: Sweep, standings: Sequence[Standing]) -> Verdict:
    """Return the best setting that was trained to the horizon, how sure that is, and what was not tried."""
    plan = sweep.plan
    if plan is None:
        return Verdict(None, (), None, None, True, ("nothing was started",), ())
    open_runs = [run for run in sweep.runs.values() if run.state is not State.ENDED]
    sound = [row for row in standings if _is_sound(sweep, row)]
    best = sound[0] if sound else None
    if best is None:
        reasons = _without_answer(sweep, plan, standings, len(open_runs))
    else:
        reasons = _reasons(sweep, plan, standings, sound)
        if open_runs:
            reasons.append(f"provisional: {_count(open_runs, 'run')} not ended")
    return Verdict(
        lr=best.lr if best else None,
        runs=best.runs if best else (),
        value=best.value if best else None,
        value_at=best.value_at if best else None,
        provisional=bool(open_runs),
        reasons=tuple(reasons),
        not_tested=tuple(_not_tested(standings)),
    )


def number(value: float | None) -> str:
    """Return a metric's value as people read it: 0.4123, 3.1e-05, nan, "-" where there is none."""
    if value is None:
        return "-"
    return f"{value:.4g}" if value == 0 or not 1e-3 <= abs(value) < 1e4 else f"{value:.4f}"[:7]


def length(plan: Plan, level: float | None) -> str:
    """Return a length of training in the plan's unit: "epoch 4", "step 12000"."""
    return f"{plan.unit} {0 if level is None else level:.10g}"


def _is_sound(sweep: Sweep, row: Standing) -> bool:
    """Tell whether a setting was trained to the end and no seed of it diverged."""
    if row.state != "finished" or row.value is None or not math.isfinite(row.value):
        return False
    return not any(_diverged(sweep.runs[run]) for run in row.runs if run in sweep.runs)


def _diverged(run: Run) -> bool:
    return run.ending is not None and run.ending.kind == "diverged"


def _reasons(
    sweep: Sweep, plan: Plan, standings: Sequence[Standing], sound: list[Standing]
) -> list[str]:
    best = sound[0]
    differ = len({tuple(besides_lr(row.setting)) for row in standings}) > 1
    beside = f" with {', '.join(besides_lr(best.setting))}" if differ else ""
    found = f"{number(best.value)} at {length(plan, best.value_at)}{beside}"
    said = [f"best {plan.metric} of {_count(sound, 'setting')} trained to the end: {found}"]
    if best.value_at is not None and best.value_at < plan.horizon * (1 - 1e-9):
        said.append(
            f"its last comparable evaluation was at {length(plan, best.value_at)} of {plan.horizon:.10g}"
        )
    said += _runner_up(plan, sound)
    said += _edge(best, standings)
    if best.seeds < 2:
        said.append("1 seed: noise unknown")
    elif best.se is not None:
        said.append(f"{best.seeds} seeds: {number(best.mean)} ± {number(best.se)} (standard error)")
    dead = sorted({row.lr for row in standings if _dead(sweep, row)})
    if dead:
        said.append(f"diverged, not to be recommended: {', '.join(map(lr_text, dead))}")
    if "test" in plan.metric.lower():
        said.append("selected on test data: expect less on new data; select on validation data")
    return said


def _dead(sweep: Sweep, row: Standing) -> bool:
    return any(_diverged(sweep.runs[run]) for run in row.runs if run in sweep.runs)


def _runner_up(plan: Plan, sound: list[Standing]) -> list[str]:
    if len(sound) < 2:
        return ["nothing to compare it with: no other setting was trained to the end"]
    best, second = sound[0], sound[1]
    assert best.value is not None and second.value is not None  # noqa: S101, PT018  # sound rows have values
    gap = abs(best.value - second.value)
    words = f"next best: {_name(second, best)} with {number(second.value)}, behind by {number(gap)}"
    if plan.within is not None and gap <= plan.within:
        words += f" (equal within {plan.within:g})"
    return [words]


def _name(row: Standing, beside: Standing) -> str:
    """Return an LR, with what else differs from the setting that it stands beside."""
    shared = besides_lr(beside.setting)
    other = [part for part in besides_lr(row.setting) if part not in shared]
    return " ".join([lr_text(row.lr), *other])


def _edge(best: Standing, standings: Sequence[Standing]) -> list[str]:
    """Say where no LR beyond the best one was judged, among settings that differ only in their LR."""
    judged = [row.lr for row in standings if row.state in _JUDGED and _alike(row, best)]
    said = []
    if best.lr <= min(judged):
        said.append(f"best at the edge of the search: try lower than {lr_text(best.lr)}")
    if best.lr >= max(judged):
        said.append(f"best at the edge of the search: try higher than {lr_text(best.lr)}")
    return said


def _alike(a: Standing, b: Standing) -> bool:
    return (a.setting.optimizer, a.setting.schedule, a.setting.values) == (
        b.setting.optimizer,
        b.setting.schedule,
        b.setting.values,
    )


def _not_tested(standings: Sequence[Standing]) -> list[str]:
    """Return the ranges beyond the LRs that were judged, and the LRs about which nothing was learned."""
    judged = [row.lr for row in standings if row.state in _JUDGED]
    said = [f"< {lr_text(min(judged))}", f"> {lr_text(max(judged))}"] if judged else []
    return said + [
        f"{lr_text(row.lr)} ({row.state})" for row in standings if row.state not in _JUDGED
    ]


def _without_answer(
    sweep: Sweep, plan: Plan, standings: Sequence[Standing], open_runs: int
) -> list[str]:
    """Say why nothing can be recommended, and what to try."""
    said = [f"no setting was trained to {length(plan, plan.horizon)} with a finite {plan.metric}"]
    states = [row.state for row in standings]
    dead = [row.lr for row in standings if _dead(sweep, row)]
    if open_runs:
        said.append("wait: " + _count([None] * open_runs, "run") + " not ended")
    if dead and len(dead) == len(standings):
        said.append(f"every learning rate diverged: try lower than {lr_text(min(dead))}")
    elif dead:
        said.append(f"diverged: {', '.join(map(lr_text, sorted(dead)))}; try lower")
    failed = [row for row in standings if row.state in {"failed", "lost"}]
    if failed:
        run = failed[0]
        said.append(f"{run.runs[0]} {run.state}: {run.why or 'see its output'}; mend that first")
    if "killed" in states:
        said.append("restart a run that was killed")
    if "finished" in states and not any(row.value is not None for row in standings):
        said.append(f"no run printed {plan.metric}: does the script emit it?")
    return said


def _count(things: Sequence[object], noun: str) -> str:
    return f"{len(things)} {noun}{'' if len(things) == 1 else 's'}"
