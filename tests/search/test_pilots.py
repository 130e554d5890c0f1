"""Pilots: short runs of the whole schedule, then two full runs around their top; order-free, replayed alike, within what was announced."""

import math
import random

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lrtui.analysis.ranking import rank
from lrtui.analysis.verdict import verdict
from lrtui.config import parse
from lrtui.frontend.narration import event_text
from lrtui.metrics import Measurement, RunSeries
from lrtui.search import Auto, Space
from lrtui.search.halving import cost
from lrtui.search.pilots import vertex
from lrtui.search.rounding import rounded
from lrtui.supervisor.commands import effects
from lrtui.sweep import events as ev
from lrtui.sweep.state import fold
from tests.search.simulated import Simulation, ended

R, PILOT = 27.0, 3.0


def space(seeds=1, **more):
    return Space(
        ("adam",), ("one_cycle",), {}, seeds, 0, R, {"one_cycle": (PILOT, R)}, 1 / 3,
        frozenset({"one_cycle"}), {"adam": (1e-4, 1e-2)}, can_range_test=True, pilots={"one_cycle": PILOT}, **more,
    )  # fmt: skip


def peak(at, noise=0.0):
    def measure(setting, seed, level):
        x = math.log10(setting.lr) - at
        drawn = random.Random(f"{setting.lr} {seed} {level}").gauss(0, noise)
        return 0.9 * math.exp(-0.5 * x * x) + drawn, 1.0

    return measure


def searched(at=-2.0, short=None, valley=1e-3, strategy=None, space_=None, **more):
    """The simulation of a search whose full runs are best at 10**at, pilots at 10**short."""
    diverged = more.pop("diverged", None)
    told = lambda run: ev.RangeTested(run=run.id, valley=valley, diverged=diverged, points=90)  # noqa: E731
    noise = more.pop("noise", 0.0)
    short = at + 0.3 if short is None else short
    sim = Simulation(
        strategy or Auto(),
        space_ or space(),
        peak(at, noise),
        told,
        piloted=peak(short, noise),
        **more,
    )
    sim.run()
    return sim


def lrs(sweep, pilot):
    return sorted(run.setting.lr for run in sweep.trained() if run.pilot == pilot)


def test_two_lrs_around_the_pilots_top_train_to_the_end():
    sweep = searched(at=-2.1, short=-1.8).sweep
    assert lrs(sweep, pilot=True) == [3.2e-3, 1e-2, 3.2e-2]
    assert [math.log10(lr) for lr in lrs(sweep, pilot=False)] == pytest.approx(
        [-2.3, -1.8], abs=0.05
    )
    assert sweep.spent == 3 * PILOT + 2 * R
    assert verdict(sweep).lr == min(lrs(sweep, pilot=False))
    assert {run.until for run in sweep.trained() if run.pilot} == {PILOT}


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**31), st.integers(1, 7), st.floats(-5, 0))
def test_the_order_of_the_pilots_changes_nothing(seed, parallel, at):
    def what(order, parallel):
        sweep = searched(at, noise=0.05, order=random.Random(order), parallel=parallel).sweep
        return [(r.level, r.pruned, r.why) for r in _by_lr(sweep)], ended(sweep), sweep.spent

    assert what(seed, parallel) == what(0, 1)


def _by_lr(sweep):
    """The rungs with LRs in place of the names of runs, which depend on the order."""
    named = lambda runs: tuple(str(sweep.runs[run].setting.lr) for run in runs)  # noqa: E731
    return [msgspec.structs.replace(r, pruned=named(r.pruned)) for r in sweep.rungs]


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**31), st.floats(-5, 0), st.integers(1, 3))
def test_any_beginning_of_the_journal_ends_alike(seed, at, seeds):
    """What is decided after a crash is what would have been decided without it."""
    whole = searched(at, noise=0.05, space_=space(seeds), order=random.Random(seed))
    cut = random.Random(seed).randrange(1, len(whole.events))
    again = Simulation(
        Auto(),
        space(seeds),
        whole.measure,
        whole.ranged,
        piloted=whole.piloted,
        order=random.Random(seed + 1),
    )
    again.say(*whole.events[:cut])
    assert again.sweep == fold(whole.events[:cut])
    final = again.run()
    assert ended(final) == ended(whole.sweep)
    assert lrs(final, pilot=True) == lrs(whole.sweep, pilot=True)


@settings(max_examples=40, deadline=None)
@given(st.floats(-7, 1), st.floats(-1, 1), st.one_of(st.none(), st.floats(1e-3, 1)))
def test_widening_keeps_to_what_was_announced(at, shift, diverged):
    """Also where the range test's divergence capped the bracket: never more pilots than planned, and none up to there."""
    sweep = searched(at, at + shift, diverged=diverged).sweep
    assert sweep.spent <= cost(space(), Auto().count)[0]
    assert max(ended(sweep)) < (diverged or math.inf) * 1.001
    tried = lrs(sweep, pilot=True)
    best = max(tried, key=lambda lr: peak(at + shift)(ev.Setting(lr), 0, PILOT)[0])
    at_edge = best in {tried[0], tried[-1]}
    capped = diverged is not None and rounded(best * 10**0.5) >= diverged
    assert not at_edge or len(tried) == Auto().count or capped


def test_bounds_are_kept_and_all_their_lrs_are_pilots():
    sweep = searched(at=-0.5, strategy=Auto(5, 1e-4, 1e-2)).sweep
    assert lrs(sweep, pilot=True) == [1e-4, 3.16e-4, 1e-3, 3.16e-3, 1e-2]
    assert all(1e-4 < lr < 1e-2 for lr in lrs(sweep, pilot=False))


def test_a_finalist_never_has_a_pilots_lr():
    """One setting and seed is one run: a full run at a pilot's LR would be taken for it."""
    for at in (-2.6, -2.5, -2.1, -2.0):
        sweep = searched(at=at, short=at).sweep
        assert len(lrs(sweep, pilot=False)) == 2
        assert set(lrs(sweep, pilot=False)).isdisjoint(lrs(sweep, pilot=True))


def test_narrow_bounds_are_halved():
    sweep = searched(at=-3.0, strategy=Auto(3, 1e-3, 1.2e-3)).sweep
    assert lrs(sweep, pilot=True) == []
    assert verdict(sweep).lr is not None


def test_lower_lrs_follow_where_both_finalists_died():
    dies = lambda run, level: "diverged" if not run.pilot and run.setting.lr > 2e-3 else None  # noqa: E731
    sweep = searched(at=-2.0, dies=dies).sweep
    assert verdict(sweep).lr == min(lrs(sweep, pilot=False)) < 2e-3


def test_where_all_pilots_die_lower_ones_follow_to_the_end_of_the_plan():
    dies = lambda run, level: "diverged" if run.setting.lr > 2e-4 else None  # noqa: E731
    assert verdict(searched(at=-4.0, dies=dies).sweep).lr < 2e-4
    dies = lambda run, level: "diverged"  # noqa: E731
    assert len(searched(dies=dies).sweep.trained()) == Auto().count
    failed = searched(dies=lambda run, level: "failed")
    assert len(failed.sweep.trained()) == 3
    failed.dies = lambda run, level: None
    for run in failed.sweep.failed():
        failed.say(*effects(ev.RestartRun(run=run.id), failed.sweep))
    assert verdict(failed.run()).lr is not None
    assert {run.until for run in failed.sweep.trained() if run.pilot} == {PILOT}


def test_a_pilot_that_the_user_restarts_trains_the_full_length():
    sim = searched()
    pilot = next(run for run in sim.sweep.trained() if run.pilot)
    sim.say(*effects(ev.RestartRun(run=pilot.id, checkpoint=True), sim.sweep))
    again = sim.run().runs[pilot.id]
    assert (again.pilot, again.until, again.attempts[-1].resumed_from) == (False, R, None)
    assert again.ending.kind == "finished"


def test_the_finalists_begin_with_the_decision():
    """A supervisor ends a sweep in which nothing is queued or trains: as soon as the last pilot has ended there must be more to do."""
    sim = searched()
    at = next(i for i, event in enumerate(sim.events) if isinstance(event, ev.RungClosed))
    before = fold(sim.events[:at])
    decided = Auto().decide(before, space())
    assert [d.until for d in decided if isinstance(d, ev.RunQueued)] == [R, R]


def measured(level, value):
    return Measurement(level, None, level, None, None, {"val_acc": value})


def test_pilots_are_ranked_below_full_runs_and_never_with_them():
    """Whatever they measured, also while the finalists train: an early leader among them says nothing about the end."""
    sim = searched(at=-2.0, short=-1.5)
    runs = sim.sweep.trained()
    series = {run.id: RunSeries() for run in runs}
    for number, run in enumerate(runs):
        lines = [measured(PILOT, 0.99 if run.pilot else 0.5 + number / 100)]
        series[run.id].extend(1, lines if run.pilot else [*lines, measured(9.0, 0.6)])
    going = {run.id for run in runs if not run.pilot}
    over = (ev.RunReached, ev.RunCharged, ev.RunEnded)
    events = [e for e in sim.events if not (isinstance(e, over) and e.run in going)]
    for sweep in (sim.sweep, fold(events)):
        rows = rank(sweep, series)
        assert [sweep.runs[row.runs[0]].pilot for row in rows] == [False] * 2 + [True] * (
            len(rows) - 2
        )
        assert {row.horizon for row in rows[2:]} == {PILOT}
        assert all("pilot" in row.why for row in rows[2:])


def test_further_seeds_go_to_the_finalists():
    sweep = searched(space_=space(3)).sweep
    assert sorted(run.seed for run in sweep.trained() if not run.pilot) == [0, 0, 1, 1, 2, 2]


def test_the_journal_says_in_words_what_a_pilot_is():
    sim = searched()
    said = [event_text(event, sim.sweep) for event in sim.events]
    assert any("queued as a pilot: the whole schedule, to 3" in line for line in said)
    assert any(line.startswith("pilots, epoch 3: 4 pilots of the whole schedule") for line in said)
    assert any("pilot, 1st of 4 at epoch 3" in line for line in said)


@pytest.mark.parametrize(
    ("values", "top"),
    [
        ({-3: 0.5, -2: 0.9, -1: 0.5}, -2.0),
        ({-3: 0.7, -2: 0.9, -1: 0.5}, -2.17),
        ({-3: 0.8, -2: 0.9, -1: -math.inf}, -2.3),
        ({-3: -math.inf, -2: 0.9, -1: -math.inf}, -2.0),
        ({-3: 0.9, -2: 0.9, -1: 0.9}, -3.0),
        ({-2: 0.9, -1: 0.5}, -2.0),
        ({-2: -math.inf}, -2.0),
    ],
)
def test_the_top_lies_between_its_neighbours(values, top):
    assert vertex(values) == pytest.approx(top, abs=0.01)


BUILTIN = 'dataset = "digits"\nlr = "auto"\nepochs = 27\n'
OWN = 'metric = "max val_acc"\nlr = { auto = 7, from = 1e-4, to = 1e-1 }\n'


@pytest.mark.parametrize(
    ("text", "pilots"),
    [
        (BUILTIN + 'schedule = "one_cycle"', {"one_cycle": 3}),
        (BUILTIN + 'schedule = ["constant", "cosine"]', {"cosine": 3}),
        (BUILTIN + 'schedule = "cosine"\nkeep = "all"', {}),
        (
            'dataset = "digits"\nlr = { grid = 7, from = 1e-4, to = 1e-1 }\nschedule = "cosine"\nkeep = "1/3"',
            {},
        ),
        ('dataset = "digits"\nlr = "auto"\nepochs = 2\nschedule = "cosine"', {}),
        (OWN + 'epochs = 27\ncommand = ["train", "--lr={lr}", "--epochs={epochs}"]', {"": 3}),
        (OWN + 'steps = 100\ncommand = ["train", "--lr={lr}", "--n={horizon}"]', {"": 12}),
        (OWN + 'epochs = 27\ncommand = ["train", "--lr={lr}", "--until={until}"]', {}),
    ],
)
def test_who_gets_pilots(text, pilots):
    """Auto with a schedule that decays, or that is unknown, if the command says how long the whole run is."""
    assert parse(text, "x.toml").space().pilots == pilots
