"""Why nothing can be recommended, and what to try instead.

`recommend` calls `nothing_to_choose` before it picks, and returns `without_answer` if that gives a reason.
"""

from __future__ import annotations

from dataclasses import replace

from lrtui.analysis.verdict.answer import Reason, Verdict, Why
from lrtui.analysis.verdict.case import Case
from lrtui.analysis.verdict.points import Point, is_chance
from lrtui.analysis.verdict.reasons import dead
from lrtui.analysis.verdict.wording import length
from lrtui.sweep.allowed import id_and_lr
from lrtui.sweep.state import State, shown_state
from lrtui.text.clean import clean
from lrtui.text.format import count, lr_text, number

_TRY_MORE = Reason(
    Why.ADVICE,
    "check the data and its labels, train longer, or try learning rates that are decades apart",
)


def nothing_to_choose(case: Case, candidates: list[Point]) -> list[Reason] | None:
    """Return why there is nothing to choose from or between; None if there is."""
    if not candidates:
        return []
    metric = clean(case.plan.metric)
    if all(is_chance(case.sweep, case.plan, case.scale, point) for point in candidates):
        words = f"no run learned anything: {metric} is at chance level"
        return [Reason(Why.NOT_LEARNED, words), _TRY_MORE]
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
        words = f"no run learned anything: {metric} stood at {only} from the first to the last"
        return [Reason(Why.NOT_LEARNED, words), _TRY_MORE]
    words = f"all {len(candidates)} learning rates ended with {metric} {only}: it cannot tell them apart"
    advice = "train longer or on more data, or choose a metric that still differs, such as a validation loss"
    return [Reason(Why.INDISTINCT, words), Reason(Why.ADVICE, advice)]


def without_answer(case: Case, blank: Verdict, why: list[Reason]) -> Verdict:
    """Return a verdict that recommends nothing, says why, and what to try."""
    if why:
        same = [point.lr for point in case.candidates]
        indistinct = any(reason.why is Why.INDISTINCT for reason in why)
        return replace(
            blank,
            equal=(min(same), max(same)) if indistinct else None,
            within=0.0 if indistinct else None,
            reasons=(*why, *dead(case.points), *_waiting(case)),
        )
    plan, points = case.plan, case.points
    nothing = f"no learning rate was trained to {length(plan, plan.horizon)} with a finite {clean(plan.metric)}"
    said = [Reason(Why.NOTHING, nothing), *_waiting(case)]
    gone = [p for p in points if p.dead and p.dead != "failed"]
    if gone and len(gone) == len(points):
        lowest, highest = lr_text(points[0].lr), lr_text(points[-1].lr)
        words = {p.dead for p in gone}
        how = "diverged" if words == {"diverged"} else "diverged or learned nothing"
        said.append(
            Reason(
                Why.DEAD,
                f"every learning rate {how}: try lower than {lowest} ({lowest} to {highest} were tried)",
            )
        )
    elif gone:
        said += [Reason(Why.DEAD, f"{reason.text}; try lower") for reason in dead(gone)]
    said += [Reason(Why.ADVICE, advice) for advice in _advice(case)]
    return replace(blank, reasons=tuple(said))


def _waiting(case: Case) -> list[Reason]:
    open_runs = [run for run in case.sweep.runs.values() if run.state is not State.ENDED]
    first = "wait: " if case.sweep.closed is None else ""
    words = f"{first}{count(len(open_runs), 'run')} not ended"
    return [Reason(Why.WAITING, words)] if open_runs else []


def _advice(case: Case) -> list[str]:
    """Say what to do about runs that ended without saying anything about their LR."""
    said = []
    failed = [run for run in case.runs if shown_state(run) in {"failed", "lost"}]
    if failed:
        run = failed[0]
        why = clean(run.why) or "see its output"
        said.append(f"{id_and_lr(run)} {shown_state(run)}: {why}; fix that first")
    if any(shown_state(run) == "killed" for run in case.runs):
        said.append("restart a run that was killed")
    finished = [run for run in case.runs if run.finished]
    if finished and not any(run.reached for run in case.runs):
        said.append(f"no run printed {clean(case.plan.metric)}: does the script emit it?")
    return said
