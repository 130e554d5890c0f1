"""Why nothing can be recommended, and what to try instead.

`recommend` asks `nothing_to_choose` before it picks, and gives `without_answer` where that says why.
"""

from __future__ import annotations

from dataclasses import replace

from lrtui.analysis.ranking import shown_state
from lrtui.analysis.verdict.answer import Verdict
from lrtui.analysis.verdict.case import Case
from lrtui.analysis.verdict.points import Point, is_chance
from lrtui.analysis.verdict.reasons import dead_in_words
from lrtui.analysis.verdict.wording import length
from lrtui.sweep.state import State
from lrtui.text.clean import clean
from lrtui.text.format import count, lr_text, number

_TRY_MORE = (
    "check the data and its labels, train longer, or try learning rates that are decades apart"
)


def nothing_to_choose(case: Case, candidates: list[Point]) -> list[str] | None:
    """Return why there is nothing to choose from or between; None where there is."""
    if not candidates:
        return []
    metric = clean(case.plan.metric)
    if all(is_chance(case.sweep, case.plan, case.scale, point) for point in candidates):
        return [f"no run learned anything: {metric} stands where guessing does", _TRY_MORE]
    values = {value for point in candidates for value in point.values}
    losses = {point.val_loss for point in candidates}
    informed = [point for point in case.points if point.mean is not None and not point.dead]
    if len(candidates) < max(2, len(informed)) or len(values) > 1 or len(losses) > 1:
        return None
    only = number(values.pop())
    earlier = {
        r.value for run in case.runs for r in run.reached if r.level < 0.9 * (case.level or 0)
    }
    if earlier and earlier <= {candidates[0].mean}:
        return [
            f"no run learned anything: {metric} stood at {only} from the first to the last",
            _TRY_MORE,
        ]
    return [
        f"all {len(candidates)} learning rates ended with {metric} {only}: it cannot tell them apart",
        "train longer or on more data, or choose a metric that still differs, such as a validation loss",
    ]


def without_answer(case: Case, blank: Verdict, why: list[str]) -> Verdict:
    """Return a verdict that recommends nothing, says why, and what to try."""
    if why:
        same = [p.lr for p in case.candidates]
        told_apart = why[-1] is not _TRY_MORE
        equal = (min(same), max(same)) if told_apart else None
        within = 0.0 if told_apart else None
        said = [*why, *dead_in_words(case.points)]
        return replace(blank, equal=equal, within=within, reasons=tuple(said + _waiting(case)))
    plan, points = case.plan, case.points
    said = [
        f"no learning rate was trained to {length(plan, plan.horizon)} with a finite {clean(plan.metric)}"
    ]
    said += _waiting(case)
    gone = [p for p in points if p.dead and p.dead != "failed"]
    if gone and len(gone) == len(points):
        lowest, highest = lr_text(points[0].lr), lr_text(points[-1].lr)
        words = {p.dead for p in gone}
        how = "diverged" if words == {"diverged"} else "died"
        said.append(
            f"every learning rate {how}: try lower than {lowest} ({lowest} to {highest} were tried)"
        )
    elif gone:
        said += [f"{words}; try lower" for words in dead_in_words(gone)]
    said += _mend(case)
    return replace(blank, reasons=tuple(said))


def _waiting(case: Case) -> list[str]:
    open_runs = [run for run in case.sweep.runs.values() if run.state is not State.ENDED]
    return [f"wait: {count(len(open_runs), 'run')} not ended"] if open_runs else []


def _mend(case: Case) -> list[str]:
    """Say what to do about runs that ended without saying anything about their LR."""
    said = []
    failed = [run for run in case.runs if shown_state(run) in {"failed", "lost"}]
    if failed:
        run = failed[0]
        why = clean(run.why) or "see its output"
        said.append(f"{run.id} {shown_state(run)}: {why}; mend that first")
    if any(shown_state(run) == "killed" for run in case.runs):
        said.append("restart a run that was killed")
    finished = [run for run in case.runs if run.finished]
    if finished and not any(run.reached for run in case.runs):
        said.append(f"no run printed {clean(case.plan.metric)}: does the script emit it?")
    return said
