"""How many runs a GPU carries. The GPUs are readings, faked; the runs are events; the clock is the test's."""

from dataclasses import replace

import msgspec
import pytest

from lrtui.hardware.gpu import Gpu
from lrtui.supervisor.auto_parallel import WINDOW_SECONDS, AutoParallel, Pace
from lrtui.sweep import events as ev
from lrtui.sweep.state import fold
from tests.sweep.test_state import PLAN, numbered, queued


def gpu(index=0, used=4_000):
    return Gpu(index, "H100", used, 80_000, 0, f"GPU-{index}", ())


class Machine:
    """A sweep of eight runs on GPUs where `speed(n)` is the speed of each of n runs."""

    def __init__(self, speed, *, devices=(0,), memory=lambda n: 4_000 * n, runs=8) -> None:
        plan = msgspec.structs.replace(PLAN, devices=devices, gpus=1, parallel=len(devices))
        self.events = [ev.SweepOpened(plan=plan)]
        self.events += [queued(f"r{i:02d}") for i in range(1, runs + 1)]
        self.speed, self.memory, self.devices = speed, memory, devices
        self.packing, self.now, self.levels = AutoParallel(settled=False), 0.0, {}
        self.said = []

    @property
    def sweep(self):
        return fold(numbered(self.events))

    def run(self, seconds=400.0):
        while self.now < seconds:
            self.tick()
        return self.sweep.parallel

    def tick(self):
        sweep = self.sweep
        for run in sweep.queued()[: sweep.parallel - len(sweep.alive())]:
            device = self.devices[len(sweep.alive()) % len(self.devices)]
            self.events += [
                ev.RunLaunched(run=run.id, attempt=1, token="t", until=30, devices=(device,)),
                ev.RunStarted(run=run.id, attempt=1, pid=1),
            ]
            sweep = self.sweep
        self.now += 1.0
        alive = sweep.alive()
        for run in alive:
            self.levels[run.id] = self.levels.get(run.id, 0.0) + self.speed(len(alive))
        paces = {run.id: Pace(self.levels[run.id], int(self.levels[run.id] * 10)) for run in alive}
        each = len(alive) // len(self.devices)
        gpus = [gpu(index, self.memory(each)) for index in self.devices]
        made = self.packing.tick(sweep, paces, gpus, self.now)
        self.said += made
        self.events += made


def test_small_models_are_packed_until_nothing_waits():
    machine = Machine(lambda n: 1.0)
    assert machine.run() == 8
    assert "trying more" in machine.said[-1].why


def test_a_gpu_that_is_full_with_one_goes_back_to_one_with_the_figure():
    machine = Machine(lambda n: 1.0 / n)
    assert machine.run() == 1
    assert [made.parallel for made in machine.said] == [2, 1]
    assert machine.said[-1].why == "2 at once train 1.00 times as fast as 1"
    assert machine.packing.settled


def test_it_stops_where_one_more_gains_nothing():
    machine = Machine(lambda n: min(1.0, 3.0 / n))  # three fill it
    assert machine.run() == 3


@pytest.mark.parametrize(("total_each", "most"), [(20_000, 3), (50_000, 1)])
def test_no_more_than_memory_holds(total_each, most):
    machine = Machine(lambda n: 1.0, memory=lambda n: total_each * n)
    assert machine.run() == most


def test_every_gpu_gets_one_more():
    machine = Machine(lambda n: min(1.0, 4.0 / n), devices=(0, 1))
    assert machine.run() == 4
    assert [made.parallel for made in machine.said] == [4, 6, 4]


def test_a_number_that_a_person_sets_is_final():
    machine = Machine(lambda n: 1.0)
    machine.run(WINDOW_SECONDS + 3)
    assert machine.sweep.parallel == 2
    machine.events.append(ev.ParallelSet(parallel=3))
    assert machine.run() == 3


def test_a_gpu_that_does_not_answer_gets_no_more():
    machine = Machine(lambda n: 1.0)
    machine.memory = lambda n: 0
    machine.packing.tick = lambda sweep, paces, gpus, now: AutoParallel.tick(
        machine.packing, sweep, paces, [], now
    )
    assert machine.run() == 1


def test_nothing_is_judged_by_a_window_in_which_runs_came_or_went():
    machine = Machine(lambda n: 1.0, runs=2)
    machine.run(WINDOW_SECONDS - 2)
    machine.events.append(ev.RunEnded(run="r01", attempt=1, kind="finished"))
    machine.run(WINDOW_SECONDS + 5)
    assert not machine.said
    assert replace(machine.packing, settled=True).tick(machine.sweep, {}, [], 0.0) == []
