"""The rules for commands: the front ends and the supervisor agree in every state, and a command means one attempt."""

import dataclasses
from types import MappingProxyType

import pytest

from lrtui.frontend import requests
from lrtui.supervisor.commands import effects
from lrtui.sweep import events as ev
from lrtui.sweep.allowed import ALLOWED_STATES, Refusal, current_attempt
from lrtui.sweep.state import Ending, State, Sweep, fold
from tests.tui import recordings

REQUESTS = {
    "kill": requests.kill,
    "restart": requests.restart,
    "pause": requests.pause,
    "freeze": requests.freeze,
    "resume": requests.resume,
}
RUN = "r04"


def sweep_with(state: State, *, stopping: bool = False, checkpoints: bool = True) -> Sweep:
    """Return a recorded sweep with one run in the wanted state."""
    sweep = fold(recordings.journal(checkpoints=checkpoints))
    ending = Ending("killed", None, 9, 1.0, "killed by you") if state is State.ENDED else None
    run = dataclasses.replace(sweep.runs[RUN], state=state, ending=ending)
    runs = MappingProxyType({**sweep.runs, RUN: run})
    return dataclasses.replace(sweep, runs=runs, stopping=stopping, brake="x" if stopping else None)


@pytest.mark.parametrize("checkpoints", [True, False])
@pytest.mark.parametrize("stopping", [True, False])
@pytest.mark.parametrize("name", REQUESTS)
@pytest.mark.parametrize("state", State)
def test_front_end_and_supervisor_agree(state, name, stopping, checkpoints) -> None:
    sweep = sweep_with(state, stopping=stopping, checkpoints=checkpoints)
    asked = REQUESTS[name](sweep, sweep.runs[RUN])
    kinds = {"kill": ev.KillRun, "restart": ev.RestartRun, "pause": ev.PauseRun}
    kinds |= {"freeze": ev.FreezeRun, "resume": ev.ResumeRun}
    found = effects(kinds[name](run=RUN), sweep)
    assert isinstance(asked, Refusal) == isinstance(found, Refusal)
    if isinstance(asked, Refusal):
        assert asked == found
        return
    assert state in ALLOWED_STATES[kinds[name]]
    assert effects(asked, sweep) == found
    after = fold([event for event in found], sweep)  # noqa: C416  # every event fits the state
    assert after.strange == sweep.strange
    assert after.runs[RUN].state is not state


@pytest.mark.parametrize("state", State)
def test_a_living_run_is_killed_and_restarted(state) -> None:
    sweep = sweep_with(state)
    both = requests.kill_and_restart(sweep, sweep.runs[RUN])
    killable = state in ALLOWED_STATES[ev.KillRun]
    assert isinstance(both, Refusal) != killable
    if killable and sweep.runs[RUN].alive:
        stopping = fold(effects(both[0], sweep), sweep)
        number = len(sweep.runs[RUN].attempts)
        ended = fold([ev.RunEnded(run=RUN, attempt=number, kind="killed")], stopping)
        assert not isinstance(effects(both[1], ended), Refusal)


@pytest.mark.parametrize("started", [True, False])
@pytest.mark.parametrize("name", REQUESTS)
def test_a_command_never_hits_a_restarted_run(name, started) -> None:
    """The run is restarted between reading and sending; its new process may have started or not."""
    before = next(
        sweep
        for state in State
        for sweep in [sweep_with(state)]
        if sweep.runs[RUN].state is not State.QUEUED
        and not isinstance(REQUESTS[name](sweep, sweep.runs[RUN]), Refusal)
    )
    command = REQUESTS[name](before, before.runs[RUN])
    ended = sweep_with(State.ENDED)
    now = fold(effects(requests.restart(ended, ended.runs[RUN]), ended), ended)
    if started:
        launched = ev.RunLaunched(run=RUN, attempt=2, token="t", until=30.0)
        now = fold([launched, ev.RunStarted(run=RUN, attempt=2, pid=1)], now)
    found = effects(command, now)
    assert isinstance(found, Refusal)
    assert "moved on to attempt 2" in found.what


def test_a_queued_run_is_killed_although_it_starts_meanwhile() -> None:
    ended = sweep_with(State.ENDED)
    queued = fold(effects(requests.restart(ended, ended.runs[RUN]), ended), ended)
    command = requests.kill(queued, queued.runs[RUN])
    launched = fold([ev.RunLaunched(run=RUN, attempt=2, token="t", until=30.0)], queued)
    assert current_attempt(queued.runs[RUN]) == current_attempt(launched.runs[RUN]) == 2
    assert not isinstance(effects(command, launched), Refusal)


@pytest.mark.parametrize("number", [-1, 0, 1, 1024, 1025])
def test_the_number_of_runs_at_once_has_limits(number) -> None:
    sweep = sweep_with(State.RUNNING)
    asked = requests.parallel(sweep, number)
    assert isinstance(asked, Refusal) == (not 1 <= number <= 1024)
    assert isinstance(effects(ev.SetParallel(parallel=number), sweep), Refusal) == (
        not 1 <= number <= 1024
    )


@pytest.mark.parametrize("seed", [-(2**63), -1, 0, 2**32 - 1, 2**32, 2**70])
def test_seeds_are_those_that_generators_take(seed) -> None:
    sweep = sweep_with(State.RUNNING)
    possible = 0 <= seed < 2**32
    assert isinstance(requests.add(sweep, 7e-4, None, seed=seed), Refusal) != possible
    assert isinstance(effects(ev.AddRun(lr=7e-4, seed=seed), sweep), Refusal) != possible


def test_what_exists_is_not_added_again() -> None:
    sweep = sweep_with(State.RUNNING)
    lr = sweep.runs[RUN].setting.lr
    assert "already" in str(requests.add(sweep, lr, RUN))
    assert "positive number, 1.0e-30 to 1.0e+30, not" in str(requests.add(sweep, -1.0))
    assert "no run 'r99'" in str(requests.add(sweep, 0.5, "r99"))
    assert requests.add(sweep, 0.0123) == ev.AddRun(lr=0.0123)
