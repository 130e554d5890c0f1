"""Log mode: prints one line per event of a sweep on stdout, for logs, CI and pipes; `--json` for JSON lines.

It reads the directory as the monitor does and owns nothing: Ctrl-C only detaches. `lrtui status` uses `leaderboard_text` too.
"""

from __future__ import annotations

import json as jsonlib
import math
import os
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TextIO

import msgspec
from typing_extensions import override

from lrtui.analysis import study
from lrtui.analysis.ranking import Standing
from lrtui.analysis.verdict import length, verdict
from lrtui.errors import DETACHED, NO_ANSWER
from lrtui.frontend.failure import about_output, ways_on, why_no_answer
from lrtui.frontend.narration import event_text
from lrtui.frontend.snapshot import DirectoryReader, Snapshot
from lrtui.metrics import RunSeries
from lrtui.sweep import events as ev
from lrtui.sweep.allowed import id_and_lr
from lrtui.sweep.mailbox import ensure_supervisor
from lrtui.sweep.state import Run, State, Sweep, group_of, group_words
from lrtui.text.clean import clean
from lrtui.text.format import (
    amount,
    amount_about,
    clock_time,
    duration,
    lr_text,
    number,
    setting_value,
)

_LOOK_SECONDS = 0.25
_PROGRESS_SECONDS = 5.0
_ALONE_SECONDS = 10.0
"""Seconds that a sweep may be without a living supervisor before another one is started."""
_MOST_AT_ONCE = 20
"""Evaluations of one run printed per snapshot; of more, only the latest."""


def run(
    directory: Path,
    *,
    json: bool = False,
    out: TextIO | None = None,
    follow: bool = True,
    start: bool = True,
    log: Log | None = None,
    heed: Callable[[Snapshot], int | None] = lambda _: None,
) -> int:
    """Print events until the sweep is closed; return its exit code, or 130 after Ctrl-C or a closed pipe.

    With follow=False only past events are printed, and the code is 1 while the sweep is open. With start=False a sweep is followed
    only while a supervisor owns it; none is started. `log` replaces lines and JSON; `heed` gets every snapshot and ends the mode
    with the code that it returns (text mode uses both).

    Raises:
        UserError: a supervisor was needed and could not be started.

    """
    out = out or sys.stdout
    log = log or (_Json(out) if json else Words(out))
    try:
        return _follow(directory, log, heed, follow=follow, start=start)
    except KeyboardInterrupt:
        back = f"detached; the runs continue. Attach again: lrtui {directory}   stop them: lrtui stop {directory}"
        print(f"\n{back}", file=sys.stderr if json else out)
        return DETACHED
    except BrokenPipeError:
        # The pipe is closed. Python would report that again when it flushes at exit.
        if out is sys.stdout:
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return DETACHED


def leaderboard_text(standings: Sequence[Standing], plan: ev.Plan, width: int) -> list[str]:
    """Return the leaderboard as lines of at most `width` characters; the reasons take what is left."""
    if not standings:
        return ["no runs yet"]
    head = ("#", "run", "lr", "state", plan.unit, clean(plan.metric, 20), "at", "± se", "val_loss", "eta", "why")  # fmt: skip
    rows = zip(standings, _besides(standings), strict=True)
    table = [head, *(_cells(plan, row, beside + _place(row)) for row, beside in rows)]
    columns = range(len(head) - 1)
    # Columns in which no row says anything are left out.
    shown = [c for c in columns if c < 6 or any(cells[c] for cells in table[1:])]
    wide = [max(len(cells[c]) for cells in table) for c in columns]
    lines = []
    for cells in table:
        line = "  ".join(
            cells[c].rjust(wide[c]) if c in {0, 5, 7, 8} else cells[c].ljust(wide[c]) for c in shown
        )
        lines.append(_cut(f"{line}  {cells[-1]}".rstrip(), width))
    return lines


def closing_lines(directory: Path, sweep: Sweep) -> list[str]:
    """Return the verdict, or why an ended sweep has none, with its reasons, a study's table of LR* by level, and the `ways_on`."""
    if sweep.plan is None:
        return []
    found = verdict(sweep)
    said = [found.headline(sweep.plan)]
    if sweep.closed is not None and found.lr is None and found.equal is None:
        said = f"no answer: {why_no_answer(sweep)}".splitlines()
    said += [f"  {reason.text}" for reason in found.reasons]
    if found.not_tested:
        said.append(f"  not tested: {', '.join(found.not_tested)}")
    for factor in study.study(sweep):
        said += ["", *study.lines(factor)]
    for words, command in ways_on(directory, sweep):
        said += ["", f"{words}: {command}"]
    return [clean(line) for line in said]


def _follow(
    directory: Path,
    log: Log,
    heed: Callable[[Snapshot], int | None],
    *,
    follow: bool,
    start: bool,
) -> int:
    reader = DirectoryReader(directory)
    seen = _Evaluations()
    alone_since = time.monotonic()
    while True:
        snapshot = reader.snapshot()
        _tell(snapshot, log, seen)
        left = heed(snapshot)
        if left is not None:
            return left
        closed = snapshot.sweep.closed
        vain = snapshot.supervisor != "alive" and (snapshot.view_only or not start)
        if not snapshot.reading and (closed or not follow or vain):
            log.end(snapshot)
            return closed.code if closed else NO_ANSWER
        if snapshot.supervisor == "alive" or snapshot.view_only or closed or not follow:
            alone_since = time.monotonic()
        elif start and time.monotonic() - alone_since > _ALONE_SECONDS:
            log.note(f"no supervisor answers ({snapshot.supervisor}); starting one")
            ensure_supervisor(directory)
            alone_since = time.monotonic()
        if not snapshot.reading:
            time.sleep(_LOOK_SECONDS)


def _tell(snapshot: Snapshot, log: Log, seen: _Evaluations) -> None:
    """Log the news of one snapshot: events in order, then evaluations."""
    for event in snapshot.events:
        log.event(event, snapshot.sweep)
        if isinstance(event, ev.RunLaunched):
            seen.launched(event)
        elif isinstance(event, ev.RunEnded):
            seen.ended.append(event.run)
    plan = snapshot.sweep.plan
    if plan is None:
        return
    for run_id, series in snapshot.series.items():
        found = seen.new(run_id, plan.metric, series)
        if found:
            log.evaluations(snapshot.sweep.runs[run_id], plan, found, series)
    while seen.ended and not snapshot.reading:  # whether it measured anything is known now
        run = snapshot.sweep.runs[seen.ended.pop(0)]
        if run.failed:
            log.output(run, about_output(snapshot, run))
    log.progress(snapshot)
    log.flush()


class _Evaluations:
    """The last reported evaluation of each run."""

    def __init__(self) -> None:
        self._told: dict[str, float] = {}
        self._versions: dict[str, int] = {}
        self.ended: list[str] = []
        """Ended runs whose output was not reported yet."""

    def launched(self, event: ev.RunLaunched) -> None:
        """An attempt from scratch reports its levels again."""
        if event.resumed_from is None:
            self._told.pop(event.run, None)

    def new(self, run_id: str, metric: str, series: RunSeries) -> list[tuple[float, float]]:
        """Return (level, value) of what was evaluated since the last call."""
        if self._versions.get(run_id) == series.version:
            return []
        self._versions[run_id] = series.version
        told = self._told.get(run_id, -math.inf)
        points = series.get(metric)
        found = [(x, y) for x, y in zip(points.x, points.y, strict=True) if x > told]
        if found:
            self._told[run_id] = found[-1][0]
        return found


# ---------------------------------------------------------------- words


class Log:
    """The destination of the log."""

    def __init__(self, out: TextIO) -> None:
        self._out = out

    def event(self, event: ev.AnyEvent, sweep: Sweep) -> None:
        """Report one event of the journal."""
        raise NotImplementedError

    def evaluations(
        self, run: Run, plan: ev.Plan, found: list[tuple[float, float]], series: RunSeries
    ) -> None:
        """Report a run's evaluations."""
        raise NotImplementedError

    def output(self, run: Run, lines: list[str]) -> None:
        """Report what the output of a failed run reveals."""

    def progress(self, snapshot: Snapshot) -> None:
        """Report the progress of runs that evaluate rarely, now and then."""

    def note(self, text: str) -> None:
        """Report a message of the log mode itself."""
        raise NotImplementedError

    def end(self, snapshot: Snapshot) -> None:
        """Report how the sweep ended."""
        raise NotImplementedError

    def flush(self) -> None:
        """Flush the output."""
        self._out.flush()


class Words(Log):
    """Lines for people."""

    def __init__(self, out: TextIO) -> None:
        super().__init__(out)
        self._progress_at = -math.inf
        self._levels: dict[str, float] = {}

    @override
    def event(self, event: ev.AnyEvent, sweep: Sweep) -> None:
        text = event_text(event, sweep)
        if text:
            self._line(event.at, text)

    @override
    def evaluations(
        self, run: Run, plan: ev.Plan, found: list[tuple[float, float]], series: RunSeries
    ) -> None:
        if len(found) > _MOST_AT_ONCE:
            self._line(time.time(), f"{id_and_lr(run)} {len(found) - 1} evaluations up to here")
            found = found[-1:]
        for level, value in found:
            others = [
                f"{name} {number(at[1])}"
                for name in dict.fromkeys(("val_loss", plan.loss))
                if name != plan.metric and (at := series.at(name, level)) is not None
            ]
            words = " ".join([f"{clean(plan.metric, 64)} {number(value)}", *others])
            self._line(
                time.time(),
                f"{id_and_lr(run)} {length(plan, level)}/{amount(run.length(plan.horizon))} {words}",
            )
        self._levels[run.id] = series.level

    @override
    def output(self, run: Run, lines: list[str]) -> None:
        for line in lines:
            self._line(time.time(), f"{id_and_lr(run)} {line}")

    @override
    def progress(self, snapshot: Snapshot) -> None:
        now = time.monotonic()
        if snapshot.reading or now - self._progress_at < _PROGRESS_SECONDS:
            return
        self._progress_at = now
        plan = snapshot.sweep.plan
        for row in snapshot.standings:
            run_id = row.runs[0]
            moved = row.level > self._levels.get(run_id, 0.0)
            if plan is None or row.state != State.RUNNING or not moved:
                continue
            self._levels[run_id] = row.level
            run = snapshot.sweep.runs[run_id]
            series = snapshot.series[run_id]
            loss = series.last(plan.loss)
            words = [f"{id_and_lr(run)} {length(plan, round(row.level, 3))}/{amount(row.horizon)}"]
            words += [f"{clean(plan.loss, 64)} {number(loss[1])}"] if loss else []
            words += [f"eta {duration(round(row.eta))}"] if row.eta is not None else []
            self._line(time.time(), " ".join(words))

    @override
    def note(self, text: str) -> None:
        self._line(time.time(), text)

    @override
    def end(self, snapshot: Snapshot) -> None:
        plan = snapshot.sweep.plan
        for text in (snapshot.problem, snapshot.view_only):
            if text:
                self._out.write(f"{clean(text)}\n")
        if plan is not None:
            lines = ["", *leaderboard_text(snapshot.standings, plan, 160), ""]
            lines += closing_lines(snapshot.directory, snapshot.sweep)
            self._out.writelines(f"{clean(line)}\n" for line in lines)
        self._out.flush()

    def _line(self, at: float, text: str) -> None:
        self._out.write(f"{clock_time(at)} {clean(text)}\n")


class _Json(Log):
    """JSON lines: the journal's events as they are, evaluations, and the end; ASCII only."""

    def event(self, event: ev.AnyEvent, sweep: Sweep) -> None:  # noqa: ARG002  # the journal's line says it all
        self._line(msgspec.to_builtins(event))

    def evaluations(
        self, run: Run, plan: ev.Plan, found: list[tuple[float, float]], series: RunSeries
    ) -> None:
        names = [name for name in series.names() if name != plan.metric]
        for level, value in found:
            values = {plan.metric: value}
            for name in names:
                at = series.at(name, level)
                if at is not None and at[0] == level:
                    values[name] = at[1]
            self._line(
                {
                    "event": "RunEvaluated",
                    "run": run.id,
                    "attempt": run.attempts[-1].number if run.attempts else 0,
                    "lr": run.setting.lr,
                    plan.unit: level,
                    "values": values,
                }
            )

    def output(self, run: Run, lines: list[str]) -> None:
        self._line({"event": "OutputExplained", "run": run.id, "lines": lines})

    def note(self, text: str) -> None:
        self._line({"event": "Noted", "text": text})

    def end(self, snapshot: Snapshot) -> None:
        found = verdict(snapshot.sweep)
        self._line(
            {
                "event": "LeaderboardRanked",
                "rows": msgspec.to_builtins(snapshot.standings),
                "problem": snapshot.problem,
                "view_only": snapshot.view_only,
            }
        )
        self._line({"event": "VerdictGiven", **msgspec.to_builtins(found)})
        for factor in study.study(snapshot.sweep):
            self._line({"event": "FactorStudied", **msgspec.to_builtins(factor)})
        self._out.flush()

    def _line(self, content: dict[str, Any]) -> None:
        text = jsonlib.dumps(_strict(content), ensure_ascii=True, allow_nan=False)
        self._out.write(text + "\n")


def _strict(value: Any) -> Any:
    """Return a value whose non-finite numbers are the words of a metric line."""
    if isinstance(value, dict):
        return {key: _strict(inner) for key, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [_strict(inner) for inner in value]
    if isinstance(value, float) and not math.isfinite(value):
        return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
    return value


# ---------------------------------------------------------------- the table


def _cells(plan: ev.Plan, row: Standing, beside: str) -> tuple[str, ...]:
    """Return one row's texts, in the order of the head."""
    seeds = f" +{len(row.runs) - 1}" if len(row.runs) > 1 else ""
    return (
        str(row.rank),
        clean(row.runs[0], 20) + seeds,
        lr_text(row.lr) + beside,
        row.state,
        f"{amount_about(row.level)}/{amount(row.horizon)}"
        if plan.unit == "epoch"
        else amount(row.level),
        number(row.value),
        "" if row.value_at is None else f"@{amount(row.value_at)}",
        "" if row.se is None else f"± {number(row.se)}",
        number(row.val_loss, "") if plan.metric != "val_loss" else "",
        "" if row.eta is None else duration(round(row.eta)),
        row.why,
    )


def _besides(rows: Sequence[Standing]) -> list[str]:
    """Return for each row what its setting has besides its LR and not all others have too."""
    each = [group_words(group_of(row.setting)) for row in rows]
    shared = set(each[0]).intersection(*each[1:])
    return ["".join(f" {clean(p, 30)}" for p in parts if p not in shared) for parts in each]


def _place(row: Standing) -> str:
    """Return a setting's values on the axes of [search]."""
    return "".join(
        f" {clean(name, 30)}={setting_value(value)}" for name, value in row.setting.axes.items()
    )


def _cut(line: str, width: int) -> str:
    return line if len(line) <= width else line[: max(1, width - 1)] + "…"
