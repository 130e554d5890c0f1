"""`U` undoes what was done last in this monitor, says what it does, and asks before it ends a run."""

import re
import threading

import pytest

from lrtui.frontend.undo import NotYet, UndoEntry, Undoing, undoing
from lrtui.sweep import events as ev
from lrtui.sweep.allowed import Refusal
from lrtui.sweep.state import State, Sweep, fold
from tests.tui import recordings
from tests.tui.conftest import settled, text_of
from tests.tui.terminal import Terminal
from tests.until import until

OWNING = "import sys; from pathlib import Path; from lrtui import tui; sys.exit(tui.run(Path(sys.argv[1])))"
LATER = {"n": 99, "at": 1.0}


def then(*events: ev.AnyEvent, **plan: object) -> Sweep:
    return fold([*recordings.journal(**plan), *events])


BEFORE = then()
KILLED = ev.RunEnded(run="r04", attempt=1, kind="killed", why="killed by you", **LATER)
STOPPING = ev.RunStopping(run="r04", attempt=1, kind="killed", why="killed by you", **LATER)
AGAIN = [
    ev.RunQueued(
        run="r04",
        setting=BEFORE.runs["r04"].setting,
        seed=1,
        until=30.0,
        origin="user",
        **LATER,
    ),
    ev.RunLaunched(run="r04", attempt=2, token="t", until=30.0, **LATER),
]
PAUSED = [
    ev.RunPausing(run="r04", attempt=1, why="paused by you", n=98, at=1.0),
    ev.RunPaused(run="r04", attempt=1, **LATER),
]
ADDED = ev.RunQueued(
    run="r09",
    setting=ev.Setting(lr=2e-3, optimizer="adam"),
    seed=1,
    until=30.0,
    origin="user",
    **LATER,
)


def undo(command: ev.AnyCommand, now: Sweep, before: Sweep = BEFORE) -> Undoing | Refusal:
    return undoing(UndoEntry(command, before), now, lambda run: run.id)


@pytest.mark.parametrize(
    ("plan", "checkpoint", "says"),
    [({}, True, "continues from its checkpoint"), ({"checkpoints": False}, False, "from scratch")],
)
def test_a_kill_is_undone_by_going_on(plan, checkpoint, says) -> None:
    found = undo(ev.KillRun(run="r04", attempt=1), then(KILLED, **plan))
    assert found.command == ev.RestartRun(run="r04", attempt=1, checkpoint=checkpoint)
    assert says in found.says
    assert not found.victim


def test_an_added_run_is_killed_after_a_question() -> None:
    found = undo(ev.AddRun(lr=2e-3), then(ADDED))
    assert (found.command, found.victim) == (ev.KillRun(run="r09", attempt=1), "r09")


@pytest.mark.parametrize(
    ("command", "events", "back"),
    [
        (
            ev.PauseRun(run="r04", attempt=1),
            PAUSED,
            ev.ResumeRun(run="r04", attempt=1),
        ),
        (
            ev.FreezeRun(run="r04", attempt=1),
            [ev.RunFrozen(run="r04", attempt=1, **LATER)],
            ev.ResumeRun(run="r04", attempt=1),
        ),
        (
            ev.SetParallel(parallel=3),
            [ev.ParallelSet(parallel=3, **LATER)],
            ev.SetParallel(parallel=2),
        ),
    ],
)
def test_what_holds_a_run_or_changes_a_number_is_undone_without_a_question(
    command, events, back
) -> None:
    found = undo(command, then(*events))
    assert (found.command, found.victim) == (back, "")


def test_going_on_is_undone_by_what_held_the_run_before() -> None:
    frozen = then(ev.RunFrozen(run="r04", attempt=1, **LATER))
    found = undo(ev.ResumeRun(run="r04"), BEFORE, frozen)
    assert found.command == ev.FreezeRun(run="r04", attempt=1)


@pytest.mark.parametrize(
    ("command", "now", "says"),
    [
        (ev.KillRun(run="r04", attempt=1), then(KILLED, *AGAIN), "no longer killed"),
        (ev.PauseRun(run="r04", attempt=1), BEFORE, "has moved on meanwhile"),
        (ev.RestartRun(run="r04", attempt=1), BEFORE, "cannot be undone"),
        (ev.AddRun(lr=2e-3), BEFORE, "no longer exists"),
        (ev.SetParallel(parallel=3), BEFORE, "2 at a time already"),
        (ev.KillRun(run="r77"), BEFORE, "no longer exists"),
    ],
)
def test_what_has_changed_since_is_left_alone_and_said(command, now, says) -> None:
    assert says in str(undo(command, now))


@pytest.mark.parametrize(
    ("command", "now", "says"),
    [
        (ev.KillRun(run="r04", attempt=1), BEFORE, "still being ended"),
        (ev.KillRun(run="r04", attempt=1), then(STOPPING), "still being ended"),
        (ev.PauseRun(run="r04", attempt=1), then(PAUSED[0]), "on its way to a checkpoint"),
    ],
)
def test_what_is_still_being_done_can_be_undone_later(command, now, says) -> None:
    found = undo(command, now)
    assert isinstance(found, NotYet)
    assert says in str(found)


async def test_a_key_that_came_too_early_keeps_the_deed(monitor, sent) -> None:
    async with monitor.run_test(size=(80, 24)) as pilot:
        await settled(pilot)
        monitor.deeds.append(
            UndoEntry(ev.KillRun(run="r04", attempt=1), monitor.model.snapshot.sweep)
        )
        await pilot.press("U")
        await settled(pilot)
        assert "still being ended" in text_of(monitor)
        assert len(monitor.deeds) == 1
        assert sent == []


@pytest.mark.parametrize("ok", [True, False])
async def test_an_action_under_way_is_undone_when_it_is_done(
    monitor, told, monkeypatch, ok
) -> None:
    answered = threading.Event()  # set in any case: a thread waits for it
    commands: list[ev.AnyCommand] = []

    def send(directory, command):
        commands.append(command)
        answered.wait()
        if isinstance(command, ev.KillRun) and ok:
            run = command.run
            ended = [ev.msgspec.structs.replace(e, run=run) for e in (STOPPING, KILLED)]
            told.snapshot = recordings.snapshot([*recordings.journal(), *ended])
        return ev.Answer(ok=ok, answer="killed")

    monkeypatch.setattr("lrtui.sweep.mailbox.send", send)
    monkeypatch.setattr(told, "catch_up", lambda reader: reader.start())
    async with monitor.run_test(size=(80, 24)) as pilot:
        await settled(pilot)
        try:
            await pilot.press("K", "y")
            await pilot.pause()
            await pilot.press("U")
            await pilot.pause()
            assert "undone once it has finished" in text_of(monitor)
        finally:
            answered.set()
        await settled(pilot)
        assert monitor.under_way == 0
        assert [type(each) for each in commands] == [ev.KillRun, ev.RestartRun][: 1 + ok]


async def test_without_a_deed_there_is_nothing_to_undo(monitor, sent) -> None:
    async with monitor.run_test(size=(80, 24)) as pilot:
        await settled(pilot)
        await pilot.press("U")
        await settled(pilot)
        assert "nothing to undo in this monitor" in text_of(monitor)
        assert sent == []


def test_a_real_kill_a_pause_an_added_run_and_a_number_are_undone(lab) -> None:
    lab.start(lrs="1e-3, 3e-4", steps=100_000, flags="--sleep 0.05")
    lab.running("r01", 3)
    with Terminal(lab.directory, 120, 40, OWNING) as terminal:
        terminal.shows("running")
        terminal.press("K")
        terminal.shows("Kill ")
        victim = "r01" if "Kill A" in terminal.text else "r02"  # the cursor follows the leader
        terminal.press("y")
        terminal.shows("killed")
        terminal.shows("killed by you")
        steps = lab.told(victim)
        terminal.until(lambda: re.search(r"[AB] \S+ is ", terminal.text) is not None)
        terminal.press("U")
        terminal.until(lambda: lab.run(victim).state is State.RUNNING)
        assert lab.run(victim).attempts[-1].resumed_from == 1
        terminal.until(lambda: lab.told(victim) > steps)

        terminal.press(">")
        terminal.until(lambda: lab.sweep.parallel == 3)
        terminal.shows("parallel 3")
        terminal.press("n")
        terminal.shows("type a learning rate")
        terminal.press("2e-3")
        terminal.shows("= 2e-03")
        terminal.press("\r")
        terminal.until(lambda: "r03" in lab.sweep.runs)
        terminal.shows("C 2e-03 is")
        terminal.press("U")
        terminal.shows("Undo: kill C 2e-03")
        terminal.press("y")
        terminal.until(lambda: (run := lab.run("r03")) and run.ending)
        assert lab.run("r03").ending.kind == "killed"
        terminal.press("U")
        terminal.until(lambda: lab.sweep.parallel == 2)
    until(lambda: lab.run(victim).alive)
