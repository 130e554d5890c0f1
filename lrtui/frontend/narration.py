"""Describes events: one line for each event of the journal. The log mode prints them, the monitor lists them."""

from __future__ import annotations

from collections.abc import Callable

from lrtui.sweep import events as ev
from lrtui.sweep.allowed import Namer, id_and_lr
from lrtui.sweep.state import Sweep, group_of, group_text
from lrtui.text.clean import clean
from lrtui.text.format import (
    amount,
    amount_about,
    duration,
    lr_range,
    lr_rounded,
    lr_text,
    number,
    plural,
    setting_value,
)


def event_text(event: ev.AnyEvent, sweep: Sweep, named: Namer = id_and_lr) -> str:
    """Return an event as one line for people; "" for internal events."""
    words = _WORDS.get(type(event))
    text = words(event, sweep) if words else ""
    run = sweep.runs.get(getattr(event, "run", None) or "")
    return clean(f"{named(run)} {text}" if run is not None and text else text)


def alert_kind(event: ev.AnyEvent) -> str:
    """Return which kind of alert an event is, "" for none: for [alerts] and for the monitor's bell."""
    match event:
        case ev.RunEnded(kind="failed" | "lost" | "diverged" as kind):
            return kind
        case ev.RunFlagged():
            return "flagged"
        case ev.BrakeSet(on=True, stop=False):
            return "brake"
        case ev.Warned():
            return "warning"
        case ev.SweepClosed():
            return "closed"
        case _:
            return ""


def _opened(e: ev.SweepOpened, _: Sweep) -> str:
    plan = e.plan
    what = " ".join(part for part in (plan.model, plan.dataset) if part)
    return (
        f"sweep {plan.name} opened: {what or 'your command'}, {amount(plan.horizon)} {plural(plan.unit)}, "
        f"{plan.goal} {plan.metric}, {plan.parallel} at a time; "
        f"{plan.strategy}; about {amount(plan.planned)} {plural(plan.unit)} in all"
    )


def _prepared(e: ev.DataPrepared, _: Sweep) -> str:
    kind = " (synthetic)" if e.synthetic else ""
    precision = f"; every run trains in {e.precision}" if e.precision else ""
    return f"data ready: {e.dataset}{kind}, {e.train} train, {e.val} validation, {e.test} test{precision}"


def _queued(e: ev.RunQueued, _: Sweep) -> str:
    pilot = f" as a pilot: the whole schedule, to {amount(e.until)}" if e.pilot else ""
    return f"queued{pilot}{f', seed {e.seed}' if e.seed else ''}{_because(e.why)}"


def _launched(e: ev.RunLaunched, _: Sweep) -> str:
    where = f" on GPU {', '.join(map(str, e.devices))}" if e.devices else ""
    again = f", from the checkpoint of attempt {e.resumed_from}" if e.resumed_from else ""
    return f"launched (attempt {e.attempt}){where}{again}"


def _ended(e: ev.RunEnded, _: Sweep) -> str:
    how = f" (signal {e.signal})" if e.signal and e.kind not in {"killed", "pruned"} else ""
    return f"{e.kind}{how}{_because(e.why)}"


def _ranged(e: ev.RangeTested, sweep: Sweep) -> str:
    """Describe what the rules suggest for the curve of a range test."""
    if e.valley is None:
        return f"range test suggests nothing{_because(e.why)}"
    read = {"valley": e.valley, "steep": e.steep, "minimum/10": e.minimum, "slide": e.slide}
    said = ", ".join(f"{name} {lr_rounded(lr)}" for name, lr in read.items() if lr is not None)
    turned = "" if e.diverged is None else f"; the loss turned at {lr_rounded(e.diverged)}"
    return f"range test: {said}{turned}. The valley brackets the search{_how_long(sweep)}"


def _how_long(sweep: Sweep) -> str:
    """Estimate the remaining time at the speed so far."""
    if sweep.plan is None or sweep.plan.planned <= 0 or sweep.spent <= 0 or sweep.seconds <= 0:
        return ""
    seconds = sweep.plan.planned * sweep.seconds / sweep.spent / max(1, sweep.parallel)
    return f"; about {duration(round(seconds))} to go"


def _rung(e: ev.RungClosed, sweep: Sweep) -> str:
    unit = sweep.plan.unit if sweep.plan else ""
    metric = clean(sweep.plan.metric, 40) if sweep.plan else ""
    several = len({group_of(run.setting) for run in sweep.trained()}) > 1
    group = f" of {group_text(e.group)}" if several and e.group != ev.GroupKey() else ""
    cut = "" if e.cut is None else f", cut {metric} {number(e.cut)}"
    if not e.kept and any(sweep.runs[run].pilot for run in e.pruned if run in sweep.runs):
        return f"pilots, {unit} {amount(e.level)}{group}: {e.why}"
    lrs = ", ".join(lr_text(sweep.runs[run].setting.lr) for run in e.kept if run in sweep.runs)
    return f"rung {unit} {amount(e.level)}{group}: {e.why}{cut}; continuing: {lrs or 'none'}"


def _verdict(e: ev.VerdictReached, _: Sweep) -> str:
    if e.lr is None:
        same = f"{lr_range(*e.equal)} cannot be told apart" if e.equal else "no answer"
        return f"verdict: {same}"
    axes = "".join(f", {name} = {setting_value(value)}" for name, value in e.axes.items())
    return f"verdict: {'so far ' * e.provisional}{lr_text(e.lr)}{axes}"


def _brake(e: ev.BrakeSet, _: Sweep) -> str:
    return f"launching is paused{_because(e.why)}" if e.on else "launching again"


def _answered(e: ev.CommandDone, _: Sweep) -> str:
    return f"command {'done' if e.ok else 'refused'}: {e.answer}"


def _because(why: str) -> str:
    return f": {why}" if why else ""


_WORDS: dict[type[ev.Event], Callable[..., str]] = {
    ev.SweepOpened: _opened,
    ev.DataPreparing: lambda e, _: f"preparing {e.dataset or 'the data'}",
    ev.DataPrepared: _prepared,
    ev.RunQueued: _queued,
    ev.RunLaunched: _launched,
    ev.RunStarted: lambda e, _: f"started, pid {e.pid}",
    ev.RunHeld: lambda e, _: f"waits in the cluster's queue{_because(e.why)}",
    ev.RunWaiting: lambda _e, _: "waits at its rung for the others",
    ev.RunPromoted: lambda e, _: f"promoted to {amount(e.until)}",
    ev.RunPausing: lambda e, _: f"pausing{_because(e.why)}",
    ev.RunPaused: lambda _e, _: "paused with its checkpoint",
    ev.RunFrozen: lambda _e, _: "frozen; its memory stays in use",
    ev.RunThawed: lambda _e, _: "resumed",
    ev.RunStopping: lambda e, _: f"stopping{_because(e.why)}",
    ev.RunEnded: _ended,
    ev.RunLost: lambda e, _: f"{'cut off' if e.rule == 'evicted' else 'lost'}{_because(e.why)}",
    ev.RunAdopted: lambda e, _: f"found alive, pid {e.pid}",
    ev.RunFlagged: lambda e, _: f"flagged by {e.rule}{_because(e.why)}",
    ev.RangeTested: _ranged,
    ev.RungClosed: _rung,
    ev.BudgetReached: lambda e, _: (
        f"{e.why}: {amount_about(e.spent)} spent; the running runs write their checkpoints"
    ),
    ev.VerdictReached: _verdict,
    ev.ParallelSet: lambda e, _: f"{e.parallel} at a time{f': {e.why}' if e.why else ''}",
    ev.Warned: lambda e, _: f"warning: {e.text}",
    ev.BrakeSet: _brake,
    ev.CommandDone: _answered,
    ev.SweepClosed: lambda e, _: (
        f"sweep ended with exit code {e.code}{_because(e.why.partition(chr(10))[0])}"
    ),
}
