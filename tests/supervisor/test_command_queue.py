"""The commands of a supervisor that is ticked in this process: their order in a tick, and how long a tick handles them."""

import os
import signal

import pytest

from lrtui.config.directory import open_experiment, read_experiment, read_origin
from lrtui.supervisor import command_queue, loop
from lrtui.supervisor.command_queue import CommandQueue
from lrtui.supervisor.planning import resolve
from lrtui.sweep import events as ev
from lrtui.sweep.journal import JournalTail
from lrtui.sweep.journal_writer import Journal
from lrtui.sweep.layout import Layout
from lrtui.sweep.mailbox import _drop
from lrtui.sweep.state import State
from lrtui.workers.launcher import Alive, Exited, Launcher
from lrtui.workers.launchers import LAUNCHERS
from tests.until import until

MANY = 3000


class FakeLauncher(Launcher):
    """Every attempt lives, whatever is sent to it."""

    def __init__(self) -> None:
        self.signals: list[int] = []

    def launch(self, job) -> None: ...

    def preload(self, modules, environment) -> None: ...

    def condition(self, root, token) -> Alive:
        return Alive(pid=os.getpid(), kept=True)

    def send(self, root, token, number) -> int:
        self.signals.append(number)
        return 1


@pytest.fixture
def launcher(monkeypatch) -> FakeLauncher:
    made = FakeLauncher()
    monkeypatch.setitem(LAUNCHERS, "local", lambda *_: made)
    return made


@pytest.fixture
def supervisor(lab, launcher) -> loop.Supervisor:
    open_experiment(lab.toml(), {}, under=lab.directory, new=False)
    experiment, origin = read_experiment(lab.directory), read_origin(lab.directory)
    made = loop.Supervisor(lab.directory, experiment, origin)
    made.open(resolve(experiment, origin.source))
    for _ in range(3):
        made.tick()
    assert made.sweep.runs["r01"].state is State.RUNNING
    return made


def test_a_kill_is_signalled_in_its_own_tick(supervisor, launcher) -> None:
    _drop(supervisor.layout, ev.KillRun(run="r01", attempt=1))
    supervisor.tick()
    assert launcher.signals == [signal.SIGTERM, signal.SIGCONT]


class Clock:
    """Goes on by a hundredth of a second each time that it is read."""

    now = 0.0

    def __call__(self) -> float:
        self.now += 0.01
        return self.now


@pytest.fixture
def layout(tmp_path) -> Layout:
    return Layout(tmp_path)


@pytest.fixture
def queue(layout) -> CommandQueue:
    journal = Journal(layout.journal)
    return CommandQueue(layout, journal, lambda *_: None, lambda: None, Clock())


def waiting(layout: Layout) -> list[str]:
    return sorted(os.listdir(layout.inbox))


def put(layout: Layout, name: str) -> None:
    (layout.inbox / name).write_bytes(b"{}")


@pytest.mark.parametrize("name", ["{:020d}-aaaaaaaa.json", "junk {}.txt"])
def test_a_tick_handles_a_bounded_part_of_a_full_inbox(layout, queue, name) -> None:
    for number in range(MANY):
        put(layout, name.format(number))
    at_first = waiting(layout)
    queue.tick()
    part = MANY - len(waiting(layout))
    assert part == pytest.approx(command_queue.MOST_SECONDS / 0.01, abs=1)
    assert waiting(layout) == at_first[part:]
    queue.tick()
    assert len(waiting(layout)) == pytest.approx(MANY - 2 * part, abs=1)


def test_a_flood_does_not_keep_a_kill_waiting(supervisor, launcher, monkeypatch) -> None:
    """It is signalled in the tick after it arrived and answered once the run has ended, whatever its name sorts behind."""
    queue, layout = supervisor.command_queue, supervisor.layout
    queue._clock = Clock()
    for number in range(MANY):
        put(layout, f"{number:020d}-aaaaaaaa.json")
    supervisor.tick()
    kill = _drop(layout, ev.KillRun(run="r01", attempt=1))
    supervisor.tick()
    assert launcher.signals == [signal.SIGTERM, signal.SIGCONT]
    monkeypatch.setattr(launcher, "condition", lambda *_: Exited(None, signal.SIGTERM))
    supervisor._close_look = True
    until(lambda: supervisor.tick() or (layout.done / f"{kill}.json").exists())
    assert len(waiting(layout)) > MANY / 2


def test_what_arrives_meanwhile_is_handled_after_what_was_there(layout, queue) -> None:
    names = [f"{number:020d}-aaaaaaaa.json" for number in range(100)]
    for name in names[:-1]:
        put(layout, name)
    queue.tick()
    put(layout, names[-1])
    ticks = 0
    while waiting(layout):
        queue.tick()
        ticks += 1
        assert ticks < 10
    done = JournalTail(layout.journal).rest()
    assert [f"{event.by}.json" for event in done] == names


def test_commands_in_progress_do_not_hold_up_later_ones(supervisor, launcher) -> None:
    supervisor.command_queue._clock = Clock()
    for _ in range(60):
        _drop(supervisor.layout, ev.StopSweep())
    last = _drop(supervisor.layout, ev.SetParallel(parallel=7))
    for _ in range(4):
        supervisor.tick()
    assert supervisor.sweep.parallel == 7
    assert (supervisor.layout.done / f"{last}.json").exists()
    assert supervisor.sweep.runs["r01"].alive
