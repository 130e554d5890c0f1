"""What decides is never the wording: with every sentence of a journal in another language, all that follows is the same.

tests/test_import_hygiene.py finds code that reads a sentence; tests/analysis/test_verdict.py rewords the verdict's own reasons.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any, get_args

import msgspec
import pytest

from lrtui.analysis.ranking import rank
from lrtui.analysis.verdict import verdict
from lrtui.frontend.narration import alert_kind
from lrtui.frontend.snapshot import DirectoryReader
from lrtui.report import content
from lrtui.report.json_form import as_json
from lrtui.search import Auto
from lrtui.supervisor.circuit_breaker import FAST_FAILURES, CircuitBreaker
from lrtui.supervisor.commands import effects
from lrtui.supervisor.outcome import EVICTIONS_FORGIVEN, after_loss, exit_code, verdict_event
from lrtui.sweep import events as ev
from lrtui.sweep import state
from lrtui.sweep.allowed import Refusal
from lrtui.sweep.journal import JournalTail
from lrtui.sweep.layout import FORMAT, AttemptLayout, Layout
from lrtui.sweep.state import Run, Sweep, fold
from lrtui.workers.launcher import Cause, Vanished
from tests.analysis.outputs import PrintedSweep
from tests.plans import plan_of
from tests.search import test_halving, test_pilots
from tests.search.simulated import Simulation
from tests.sweep.test_format1 import NAMES, RECORDED, SENTENCES, facts

WORDS = ("why", "text", "answer", "hint", "passed_over")
"""The fields of events that hold sentences."""
IDENTIFIERS = {
    "axes", "by", "checksum", "command", "dataset", "host", "kept", "metric", "parent", "path", "precision", "pruned", "run", "token", "version",
}  # fmt: skip
"""The other texts: names that are compared, or facts for the report."""


def reworded(event: ev.AnyEvent) -> ev.AnyEvent:
    """Return an event whose sentences are in another language."""
    changes = {name: translated(getattr(event, name)) for name in WORDS if hasattr(event, name)}
    return msgspec.structs.replace(event, **changes)


def translated(words: Any) -> Any:
    if isinstance(words, str):
        return words[::-1]
    if isinstance(words, tuple):
        return tuple(translated(each) for each in words)
    return words


def wordless(events: Iterable[ev.AnyEvent] | Refusal) -> Any:
    """Return events without their sentences; of a refusal only that it is one."""
    if isinstance(events, Refusal):
        return Refusal
    emptied = {str: "", tuple: ()}
    return [
        msgspec.structs.replace(
            event, **{n: emptied[type(getattr(event, n))] for n in WORDS if hasattr(event, n)}
        )
        for event in events
    ]


def test_each_text_of_an_event_is_a_sentence_or_a_name():
    """A field that is added later is reworded here, too, or is said to be no sentence."""

    def has_text(kind: Any) -> bool:
        return kind is str or any(map(has_text, get_args(kind)))

    texts = {
        field.name
        for event in get_args(ev.AnyEvent)
        for field in msgspec.structs.fields(event)
        if has_text(field.type)
    }
    assert texts - {*WORDS} == IDENTIFIERS


# ---------------------------------------------------------------- journals


def numbered(events: Iterable[ev.AnyEvent]) -> list[ev.AnyEvent]:
    return [
        msgspec.structs.replace(event, v=ev.VERSION, n=n, at=float(n))
        for n, event in enumerate(events, 1)
    ]


def piloted() -> list[ev.AnyEvent]:
    """A search with pilots, its rungs, and a verdict that passed over a higher value."""
    sim = test_pilots.searched()
    found = verdict_event(sim.sweep)
    higher = ((max(run.setting.lr for run in sim.sweep.trained()), "within the noise"),)
    found = msgspec.structs.replace(found, passed_over=higher)
    return [*sim.events, found, exit_code(sim.sweep, found)]


def halved() -> list[ev.AnyEvent]:
    """A halving in which runs diverged and failed, ended by its budget."""
    dies = lambda run, level: {1e-1: "diverged", 1e-4: "failed"}.get(run.setting.lr)  # noqa: E731
    sim = Simulation(test_halving.SEVEN, test_halving.SPACE, test_halving.peak(), dies=dies)
    spent = ev.BudgetReached(spent=sim.run().spent, why="the budget of 9 epochs is spent")
    sweep = fold([*sim.events, spent])
    return [*sim.events, spent, exit_code(sweep, verdict_event(sweep))]


def on_a_cluster() -> list[ev.AnyEvent]:
    """Runs that were held, cut off, cancelled and refused; then the brake, and a stop."""
    plan = plan_of(unit="step", horizon=9, launcher="slurm", checkpoints=True, parallel=3)
    told: list[ev.AnyEvent] = [ev.SweepOpened(plan=plan), ev.DataPrepared(val=400, classes=10)]
    for n, lr in enumerate((1e-4, 1e-3, 1e-2, 1e-1, 1.0), 1):
        run = f"r{n:02}"
        told += [
            ev.RunQueued(run=run, setting=ev.Setting(lr=lr), seed=0, until=9, why="asked for"),
            ev.RunLaunched(run=run, attempt=1, token="t", until=9),
            ev.RunHeld(run=run, attempt=1, why="Priority"),
            ev.RunStarted(run=run, attempt=1, pid=1),
        ]
    told += [
        ev.RunReached(run="r01", attempt=1, level=9, value=0.5),
        ev.RunEnded(run="r01", attempt=1, kind="finished", why="trained to its end, then exit code 1", code=1),
        ev.RunEnded(run="r02", attempt=1, kind="killed", why="cancelled in Slurm by someone"),
        ev.RunEnded(run="r03", attempt=1, kind="failed", why="Slurm does not run it: no such partition"),
        ev.RunFlagged(run="r04", attempt=1, rule="slow", why="val_acc 0.1 is chance"),
        ev.RunStopping(run="r04", attempt=1, kind="pruned", why="collapsed: so it is", rule="collapsed"),
        ev.RunEnded(run="r04", attempt=1, kind="pruned", why="collapsed: so it is", rule="collapsed"),
        ev.RunLost(run="r05", attempt=1, why="preempted in Slurm", rule="evicted", level=3),
        ev.RunQueued(run="r05", setting=ev.Setting(lr=1.0), seed=0, until=9, resume=True, why="cut off (preempted in Slurm); queued again"),
        ev.ParallelSet(parallel=1, why="r05 ran out of memory beside 2 other runs"),
        ev.Warned(text="memory of GPU 0 is nearly full", kind="gpu memory", gpu=0),
        ev.BrakeSet(on=True, why="3 runs in a row failed at once"),
        ev.BrakeSet(on=False),
        ev.BrakeSet(on=True, why="stopped by you", stop=True),
    ]  # fmt: skip
    sweep = fold(numbered(told))
    return [*told, exit_code(sweep, verdict_event(sweep))]


def written(directory: Path, events: list[ev.AnyEvent]) -> Path:
    """Write a directory with this journal, and a metric line for each value that it holds."""
    layout = Layout(directory)
    directory.mkdir()
    layout.format.write_text(f"{FORMAT}\n")
    layout.journal.write_bytes(b"".join(ev.encode(event) + b"\n" for event in events))
    sweep = fold(events)
    assert sweep.strange == 0
    for run in sweep.runs.values():
        for reached in run.reached:
            files = AttemptLayout(layout.attempt(run.folder, reached.attempt))
            files.root.mkdir(parents=True, exist_ok=True)
            with files.metrics.open("a") as file:
                line = {sweep.plan.unit: reached.level, sweep.plan.metric: reached.value}
                file.write(json.dumps(line) + "\n")
    return directory


STORIES = {"piloted": piloted, "halved": halved, "on a cluster": on_a_cluster}


@pytest.fixture(params=[*NAMES, *STORIES])
def directory(request, tmp_path) -> Path:
    if request.param in STORIES:
        return written(tmp_path / "sweep", numbered(STORIES[request.param]()))
    return Path(shutil.copytree(RECORDED / request.param, tmp_path / request.param))


def test_other_words_change_no_decision(directory, monkeypatch):
    events = list(JournalTail(Layout(directory).journal).rest())
    own, other = fold(events), fold(reworded(event) for event in events)
    decided = decisions(directory, own)
    words = state.group_words
    monkeypatch.setattr(state, "group_words", lambda group: ["!", *words(group)])
    if own.closed is not None:
        assert own.closed.why != other.closed.why
        codes = [exit_code(each, verdict_event(each)).code for each in (own, other)]
        assert codes[0] == codes[1]
    assert decided == decisions(directory, other)
    assert list(map(alert_kind, events)) == list(map(alert_kind, map(reworded, events)))


def decisions(directory: Path, sweep: Sweep) -> Any:
    """Return all that follows from a sweep: states, ranks, verdicts, the numbers of the report, what each command would do."""
    snapshot = DirectoryReader(directory).snapshot(60.0)
    assert not snapshot.problem
    rows = rank(sweep, snapshot.series)
    snapshot = replace(snapshot, sweep=sweep, standings=rows)
    worded = SENTENCES | {"reasons", "why", "warnings", "written", "group", "leaderboard_note", "no_answer", "reached"}  # fmt: skip
    commands = [
        kind(run=run)
        for run in sweep.runs
        for kind in (ev.KillRun, ev.RestartRun, ev.PauseRun, ev.ResumeRun, ev.FreezeRun)
    ]
    return (
        facts(json.loads(as_json(content(snapshot))), worded),
        [(row.rank, row.runs, row.state, row.value) for row in rows],
        wordless([verdict_event(sweep)]),
        [
            wordless(effects(each, sweep))
            for each in (*commands, ev.ReopenSweep(), ev.StopSweep(), ev.AddRun(lr=0.123))
        ],
    )


# ---------------------------------------------------------------- what decides while a sweep runs


class Translated(Simulation):
    """A sweep whose journal is in another language."""

    def say(self, *events: ev.AnyEvent) -> None:
        super().say(*map(reworded, events))


def test_a_search_goes_the_same_way_in_other_words():
    dies = lambda run, level: "diverged" if run.setting.lr > 2e-2 else None  # noqa: E731
    ways = []
    for kind in (Simulation, Translated):
        pilots = kind(
            Auto(), test_pilots.space(2), test_pilots.peak(-2.0), test_pilots.TESTED,
            piloted=test_pilots.peak(-1.7), dies=dies,
        )  # fmt: skip
        rungs = kind(test_halving.SEVEN, test_halving.SPACE, test_halving.peak(), dies=dies)
        for sim in (pilots, rungs):
            sim.run()
            assert verdict(sim.sweep).lr is not None
        ways.append(wordless([*pilots.events, *rungs.events]))
    assert ways[0] == ways[1]
    assert any(isinstance(event, ev.RungClosed) for event in ways[0])


PLAN = plan_of(unit="step", horizon=9, launcher="slurm")
LINES = "".join(f'{{"step": {i}, "val_acc": 0.{i}}}\n' for i in range(1, 5))


@pytest.mark.parametrize("cause", get_args(Cause))
def test_a_clusters_words_change_no_ending(tmp_path, cause):
    found = []
    for words in ("time limit of 4h", "cancelled; refused; preempted in Slurm", ""):
        each = []
        for n, (output, checkpoint) in enumerate([(LINES, True), (LINES, False), ("", True)]):
            sweep = PrintedSweep(tmp_path / f"{len(found)}{n}", PLAN)
            sweep.run(1e-3, output, ending=Vanished(cause, words), checkpoint=checkpoint)
            (run,) = sweep.sweep.runs.values()
            each.append((run.state, run.ending and run.ending.kind, run.losses, run.evictions))
        found.append(each)
    assert found[0] == found[1] == found[2]


@pytest.mark.parametrize("rule", [None, "evicted", "crowded", "apart"])
@pytest.mark.parametrize("evictions", [0, EVICTIONS_FORGIVEN - 1, EVICTIONS_FORGIVEN])
def test_words_of_a_loss_change_nothing(rule, evictions):
    """Whether it is queued again, and after how many evictions it is given up."""
    sweep = fold(numbered(on_a_cluster()[:6]))
    run = replace(sweep.runs["r01"], evictions=evictions, furthest=3.0)
    lost = ev.RunLost(run="r01", attempt=1, why="preempted in Slurm", rule=rule, level=3.0)
    assert wordless(after_loss(sweep, run, lost)) == wordless(
        after_loss(sweep, run, reworded(lost))
    )


def test_the_brake_counts_failures_of_any_words():
    def braked(why: str) -> Any:
        brake, sweep = CircuitBreaker(), Sweep()
        for n in range(FAST_FAILURES):
            run = failed(f"r{n:02}", why)
            events = brake.after(replace(sweep, runs={run.id: run}), run, 0)
        return wordless(events)

    assert braked("exit code 1: no such file") == braked("killed by you") == braked("") != []


def failed(name: str, why: str) -> Run:
    told = [
        ev.SweepOpened(plan=PLAN),
        ev.RunQueued(run=name, setting=ev.Setting(lr=1e-3), seed=0, until=9),
        ev.RunLaunched(run=name, attempt=1, token="t", until=9),
        ev.RunEnded(run=name, attempt=1, kind="failed", why=why),
    ]
    return fold(numbered(told)).runs[name]
