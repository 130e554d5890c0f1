"""From a strategy's decisions to the events that say them."""

from __future__ import annotations

from lrtui.search import Close, Decision, Promote, Prune, Start
from lrtui.supervisor.commands import next_id
from lrtui.sweep import events as ev
from lrtui.sweep.events import AnyEvent
from lrtui.sweep.state import Sweep


def events_of(decisions: list[Decision], sweep: Sweep) -> list[AnyEvent]:
    """Return one event for each decision, in their order; new runs get the next ids."""
    made: list[AnyEvent] = []
    named = {True: 0, False: 0}
    for decision in decisions:
        match decision:
            case Start():
                ranging = decision.lr_steps > 0
                made.append(
                    ev.RunQueued(
                        run=next_id(sweep, named[ranging], range_test=ranging),
                        setting=decision.setting,
                        seed=decision.seed,
                        until=decision.until,
                        lr_to=decision.lr_to,
                        lr_steps=decision.lr_steps,
                    )
                )
                named[ranging] += 1
            case Close():
                made.append(
                    ev.RungClosed(
                        group=decision.group,
                        level=decision.level,
                        kept=decision.kept,
                        pruned=decision.pruned,
                        cut=decision.cut,
                        why=decision.why,
                    )
                )
            case Promote(run=run, until=until):
                made.append(ev.RunPromoted(run=run, until=until))
            case Prune(run=run, why=why, kind=kind, rule=rule):
                number = len(sweep.runs[run].attempts)
                made.append(ev.RunEnded(run=run, attempt=number, kind=kind, why=why, rule=rule))
    return made
