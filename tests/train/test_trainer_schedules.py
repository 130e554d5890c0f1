"""The learning rate over the horizon."""

from __future__ import annotations

import math

import pytest
import torch

from lrtui.train.schedules import SCHEDULES
from lrtui.train.schedules.warmup import advance, build_schedule


def rates(name, steps, **options):
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=0.2)
    schedule = build_schedule(SCHEDULES[name], optimizer, steps, options)
    found = []
    for _ in range(steps):
        found.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        advance(schedule)
    return found


def test_constant_stays():
    assert rates("constant", 10) == [0.2] * 10


@pytest.mark.parametrize("end", [0.0, 0.1])
def test_cosine_is_the_papers_formula(end):
    expected = [
        0.2 * (end + (1 - end) * (1 + math.cos(math.pi * step / 50)) / 2) for step in range(50)
    ]
    assert rates("cosine", 50, end=end) == pytest.approx(expected, rel=1e-9)


def test_step_falls_at_thirds_by_ten():
    expected = [0.2] * 10 + [0.02] * 10 + [0.002] * 10
    assert rates("step", 30) == pytest.approx(expected)


@pytest.mark.parametrize("name", SCHEDULES)
def test_a_warm_up_rises_linearly_and_the_schedule_spans_the_rest(name):
    found = rates(name, 100, warmup=0.2)
    assert found[:20] == pytest.approx([0.2 * (step + 1) / 21 for step in range(20)])
    assert found[20:] == pytest.approx(rates(name, 80))


@pytest.mark.parametrize("name", SCHEDULES)
def test_a_schedule_goes_on_from_its_state(name):
    def make():
        optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=0.2)
        return optimizer, build_schedule(SCHEDULES[name], optimizer, 40, {"warmup": 0.1})

    def run(optimizer, schedule, count):
        found = []
        for _ in range(count):
            optimizer.step()
            advance(schedule)
            found.append(optimizer.param_groups[0]["lr"])
        return found

    optimizer, schedule = make()
    whole = run(optimizer, schedule, 40)
    for at in (2, 4, 17):
        first, its = make()
        run(first, its, at)
        second, resumed = make()
        second.load_state_dict(first.state_dict())
        resumed.load_state_dict(its.state_dict())
        assert run(second, resumed, 40 - at) == whole[at:]
