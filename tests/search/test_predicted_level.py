"""Training the predicted level: after the study, around the prediction, and the same after a crash at any event."""

import math
from types import MappingProxyType

import pytest

from lrtui.analysis.study import study
from lrtui.search import Grid, Space, predicted_level
from lrtui.supervisor.commands import with_ids
from lrtui.sweep import events as ev
from lrtui.sweep.state import fold
from tests.plans import plan_of
from tests.search.simulated import Simulation

SPACE = Space(
    optimizers=("adam",),
    schedules=("constant",),
    values=MappingProxyType({}),
    seeds=2,
    seed=0,
    horizon=9.0,
    study=MappingProxyType({"width": (16, 64)}),
    checked=MappingProxyType({"width": 512.0}),
)


def accuracy(setting, seed, _level):
    best = 1e-2 * (setting.values.get("width", 32) / 32) ** -0.5
    return 0.95 - 0.04 * math.log10(setting.lr / best) ** 2 + 0.0005 * seed, None


class Both:
    """As the supervisor asks: the strategy, and when it wants nothing, what checks the prediction."""

    def decide(self, sweep, space):
        rates = Grid(grid=17, from_=1e-4, to=1.0)
        return rates.decide(sweep, space) or predicted_level.decide(sweep, space)


def swept(measure=accuracy):
    simulation = Simulation(Both(), SPACE, measure)
    plan = plan_of(horizon=9.0, seeds=2, study=(("width", 32),), predict=(("width", 512.0),))
    simulation.say(ev.SweepOpened(plan=plan), ev.DataPrepared(dataset="d", val=2000, classes=10))
    simulation.run()
    return simulation


def test_the_level_is_trained_around_the_prediction_when_all_else_has_ended():
    simulation = swept()
    runs = [run for run in simulation.sweep.trained() if run.setting.values.get("width") == 512]
    (factor,) = study(simulation.sweep)
    centre = float(f"{factor.prediction.lr:.1e}")
    lrs = [run.setting.lr for run in runs]
    assert lrs[0] == factor.check.lr == centre
    assert lrs == pytest.approx([centre * 2**k for k in (0, 1, -1, 2, -2)] * 2, rel=0.06)
    assert [run.seed for run in runs] == [0] * 5 + [1] * 5
    first = next(
        e.n for e in simulation.events if isinstance(e, ev.RunQueued) and e.run == runs[0].id
    )
    ended = [e.n for e in simulation.events if isinstance(e, ev.RunEnded)]
    assert sum(n < first for n in ended) == 17 * 3 * 2
    assert predicted_level.cost(SPACE) == len(runs) * 9


def test_a_crash_between_two_events_leads_to_the_same_runs():
    simulation = swept()
    queued = [e for e in simulation.events if isinstance(e, ev.RunQueued)]
    wanted = [(e.setting, e.seed) for e in queued]
    for event in queued[-9:]:
        sweep = fold(each for each in simulation.events if each.n < event.n)
        again = with_ids(predicted_level.decide(sweep, SPACE), sweep)
        known = [(run.setting, run.seed) for run in sweep.trained()]
        assert [*known, *((each.setting, each.seed) for each in again)] == wanted


def test_nothing_is_trained_where_nothing_can_be_predicted():
    def rising(setting, _seed, _level):
        return 0.5 + 0.01 * math.log10(setting.lr), None

    simulation = swept(rising)
    assert all(run.setting.values.get("width") != 512 for run in simulation.sweep.trained())
    (factor,) = study(simulation.sweep)
    assert "at the edge of their search" in factor.prediction.why
