"""Pilots: short runs of the whole schedule, two longer ones, then one full run; order-free, replayed alike, within what was announced."""

import math
import random

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lrtui.analysis.ranking import rank
from lrtui.analysis.verdict import Why, verdict
from lrtui.config import parse
from lrtui.frontend.narration import event_text
from lrtui.metrics import Measurement, RunSeries
from lrtui.search import Auto, Space
from lrtui.search.halving import cost
from lrtui.search.pilots import longer_top, vertex
from lrtui.search.rounding import rounded
from lrtui.supervisor.commands import effects
from lrtui.sweep import events as ev
from lrtui.sweep.state import fold
from tests.search.simulated import Simulation, ended

R, PILOT, LONGER = 27.0, 3.0, 9.0


def space(seeds=1, **more):
    return Space(
        ("adam",), ("one_cycle",), {}, seeds, 0, R, {"one_cycle": (PILOT, LONGER, R)}, 1 / 3,
        frozenset({"one_cycle"}), {"adam": (1e-4, 1e-2)}, can_range_test=True, pilots={"one_cycle": (PILOT, LONGER)}, **more,
    )  # fmt: skip


def peak(at, noise=0.0):
    def measure(setting, seed, level):
        x = math.log10(setting.lr) - at
        drawn = random.Random(f"{setting.lr} {seed} {level}").gauss(0, noise)
        return 0.9 * math.exp(-0.5 * x * x) + drawn, 1.0

    return measure


def TESTED(run):  # noqa: N802  # a constant of a kind
    return ev.RangeTested(run=run.id, valley=1e-3, points=90)


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


def lrs(sweep, until):
    """The LRs of the first seed that were started for a length."""
    return sorted(r.setting.lr for r in sweep.trained() if r.until == until and r.seed == 0)


def test_one_lr_below_the_pilots_top_trains_to_the_end():
    sweep = searched(at=-2.15, short=-2.0).sweep
    assert lrs(sweep, PILOT) == [3.2e-3, 1e-2, 3.2e-2]
    assert [math.log10(lr) for lr in lrs(sweep, LONGER)] == pytest.approx([-2.4, -1.9], abs=0.05)
    assert [math.log10(lr) for lr in lrs(sweep, R)] == pytest.approx([-2.15], abs=0.05)
    assert sweep.spent == 3 * PILOT + 2 * LONGER + R
    assert [verdict(sweep).lr] == lrs(sweep, R)
    assert all(run.pilot is (run.until < R) for run in sweep.trained())


def test_the_longer_pilots_move_the_full_run():
    """As far as they differ from the shorter ones, beyond what is usual."""
    found = []
    for longer in (-2.3, -2.0, -1.7):
        measure = {PILOT: peak(-2.0), LONGER: peak(longer)}
        sim = Simulation(Auto(), space(), lambda setting, seed, level: (0.95, 1.0), TESTED)
        sim.piloted = lambda setting, seed, level, m=measure: m[level](setting, seed, level)
        found += lrs(sim.run(), R)
    low, middle, high = map(math.log10, found)
    assert middle - low == pytest.approx(0.3, abs=0.1)
    assert high - middle == pytest.approx(0.3, abs=0.1)


def test_a_full_run_below_its_pilots_has_a_lower_one():
    sim = searched(at=-3.5, short=-1.8)
    assert len(lrs(sim.sweep, R)) == 2
    assert verdict(sim.sweep).lr == min(lrs(sim.sweep, R))
    assert sim.sweep.spent <= cost(space(), Auto().count)[0] + R


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
    for length in (PILOT, LONGER, R):
        assert lrs(final, length) == lrs(whole.sweep, length)


@settings(max_examples=40, deadline=None)
@given(st.floats(-7, 1), st.floats(-1, 1), st.one_of(st.none(), st.floats(1e-3, 1)))
def test_widening_keeps_to_what_was_announced(at, shift, diverged):
    """Also where the range test's divergence capped the bracket: never more pilots than planned, and none up to there. A second full run, where the first one ends below the pilots, comes on top."""
    sweep = searched(at, at + shift, diverged=diverged).sweep
    further = R * (len(lrs(sweep, R)) - 1)
    assert sweep.spent - further <= cost(space(), Auto().count)[0]
    assert further in {0, R}
    assert max(ended(sweep)) < (diverged or math.inf) * 1.001
    tried = lrs(sweep, PILOT)
    best = max(tried, key=lambda lr: peak(at + shift)(ev.Setting(lr), 0, PILOT)[0])
    at_edge = best in {tried[0], tried[-1]}
    capped = diverged is not None and rounded(best * 10**0.5) >= diverged
    assert not at_edge or len(tried) == Auto().count or capped


def test_bounds_are_kept_and_all_their_lrs_are_pilots():
    for at in (-0.5, -6.0):
        sweep = searched(at=at, strategy=Auto(5, 1e-4, 1e-2)).sweep
        assert lrs(sweep, PILOT) == [1e-4, 3.16e-4, 1e-3, 3.16e-3, 1e-2]
        assert all(1e-4 < lr < 1e-2 for length in (LONGER, R) for lr in lrs(sweep, length))


def test_no_other_run_has_a_pilots_lr():
    """One setting and seed is one run: a full run at a pilot's LR would be taken for it."""
    for at in (-2.6, -2.5, -2.35, -2.1, -2.0, -1.85):
        sweep = searched(at=at, short=at).sweep
        tried = [lr for length in (PILOT, LONGER, R) for lr in lrs(sweep, length)]
        assert len(lrs(sweep, LONGER)) == 2
        assert len(set(tried)) == len(tried)


def test_narrow_bounds_are_halved():
    sweep = searched(at=-3.0, strategy=Auto(3, 1e-3, 1.2e-3)).sweep
    assert not any(run.pilot for run in sweep.trained())
    assert verdict(sweep).lr is not None


def test_lower_lrs_follow_where_the_full_run_died():
    dies = lambda run, level: "diverged" if not run.pilot and run.setting.lr > 2e-3 else None  # noqa: E731
    sweep = searched(at=-2.0, dies=dies).sweep
    assert verdict(sweep).lr == min(lrs(sweep, R)) < 2e-3


def test_lower_longer_pilots_follow_where_they_died():
    dies = lambda run, level: "diverged" if level > PILOT and run.setting.lr > 3e-3 else None  # noqa: E731
    sweep = searched(at=-2.0, dies=dies).sweep
    assert min(lrs(sweep, LONGER)) < 3e-3
    assert verdict(sweep).lr < 3e-3


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
    assert {run.until for run in failed.sweep.trained() if run.pilot} == {PILOT, LONGER}


def test_a_pilot_that_the_user_restarts_trains_the_full_length():
    sim = searched()
    pilot = next(run for run in sim.sweep.trained() if run.pilot)
    sim.say(*effects(ev.RestartRun(run=pilot.id, checkpoint=True), sim.sweep))
    again = sim.run().runs[pilot.id]
    assert (again.pilot, again.until, again.attempts[-1].resumed_from) == (False, R, None)
    assert again.ending.kind == "finished"


def test_what_follows_begins_with_the_decision():
    """A supervisor ends a sweep in which nothing is queued or trains: as soon as the last pilot has ended there must be more to do."""
    sim = searched()
    closed = [i for i, event in enumerate(sim.events) if isinstance(event, ev.RungClosed)]
    untils = []
    for at in closed:
        decided = Auto().decide(fold(sim.events[:at]), space())
        untils.append([d.until for d in decided if isinstance(d, ev.RunQueued)])
    assert untils == [[LONGER, LONGER], [R]]


def measured(level, value):
    return Measurement(level, None, level, None, None, {"val_acc": value})


def test_pilots_are_ranked_below_full_runs_and_never_with_them():
    """Whatever they measured, also while the finalists train: an early leader among them says nothing about the end."""
    sim = searched(at=-2.0, short=-1.85)
    runs = sim.sweep.trained()
    series = {run.id: RunSeries() for run in runs}
    for number, run in enumerate(runs):
        lines = [
            measured(run.until if run.pilot else PILOT, 0.99 if run.pilot else 0.5 + number / 100)
        ]
        series[run.id].extend(1, lines if run.pilot else [*lines, measured(9.0, 0.6)])
    going = {run.id for run in runs if not run.pilot}
    over = (ev.RunReached, ev.RunCharged, ev.RunEnded)
    events = [e for e in sim.events if not (isinstance(e, over) and e.run in going)]
    for sweep in (sim.sweep, fold(events)):
        rows = rank(sweep, series)
        assert [sweep.runs[row.runs[0]].pilot for row in rows] == [False] + [True] * (len(rows) - 1)
        assert [row.horizon for row in rows[1:3]] == [LONGER] * 2
        assert {row.horizon for row in rows[3:]} == {PILOT}
        assert all("pilot" in row.why for row in rows[1:])


def test_further_seeds_go_to_the_full_run():
    sweep = searched(space_=space(3)).sweep
    assert sorted(run.seed for run in sweep.trained() if not run.pilot) == [0, 1, 2]


def test_the_journal_says_in_words_what_a_pilot_is():
    sim = searched()
    said = [event_text(event, sim.sweep) for event in sim.events]
    assert any("queued as a pilot: the whole schedule, to 3" in line for line in said)
    assert any(line.startswith("pilots, epoch 3: 4 pilots of the whole schedule") for line in said)
    assert any(line.startswith("pilots, epoch 9: 2 pilots of the whole schedule") for line in said)
    assert any("pilot, 1st of 4 at epoch 3" in line for line in said)


def test_no_cliff_moves_the_full_run_below_the_longer_pilots():
    low, high = -0.5, 0.0
    cliff = {low: -2.9, high: -3.2}
    assert longer_top(-0.1, cliff, bend=0.1, noise=0.01) == low
    even = {low: -2.9, high: -2.9}
    assert low < longer_top(-0.1, even, bend=0.1, noise=0.01) < high


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
        (BUILTIN + 'schedule = "one_cycle"', {"one_cycle": (3, 9)}),
        (BUILTIN + 'schedule = ["constant", "cosine"]', {"cosine": (3, 9)}),
        (BUILTIN + 'schedule = "cosine"\nkeep = "all"', {}),
        (
            'dataset = "digits"\nlr = { grid = 7, from = 1e-4, to = 1e-1 }\nschedule = "cosine"\nkeep = "1/3"',
            {},
        ),
        ('dataset = "digits"\nlr = "auto"\nepochs = 2\nschedule = "cosine"', {}),
        ('dataset = "digits"\nlr = "auto"\nepochs = 3\nschedule = "cosine"', {"cosine": (1,)}),
        (OWN + 'epochs = 27\ncommand = ["train", "--lr={lr}", "--epochs={epochs}"]', {"": (3, 9)}),
        (OWN + 'steps = 100\ncommand = ["train", "--lr={lr}", "--n={horizon}"]', {"": (12, 34)}),
        (OWN + 'epochs = 27\ncommand = ["train", "--lr={lr}", "--until={until}"]', {}),
    ],
)
def test_who_gets_pilots(text, pilots):
    """Auto with a schedule that decays, or that is unknown, if the command says how long the whole run is."""
    assert parse(text, "x.toml").space().pilots == pilots


# ---------------------------------------------------------------- the verdict


def test_the_interval_rests_on_pilots_where_one_lr_came_to_the_end():
    """It ends on both sides, lies lower than the pilots' top, and says what it is made of."""
    found = verdict(searched(at=-2.15, short=-2.0, val_images=2000).sweep)
    assert found.open_sides == ()
    assert found.low is not None and found.high is not None  # noqa: PT018
    low, high = math.log10(found.low), math.log10(found.high)
    assert low < -2.15 < high
    assert (low + high) / 2 < -2.05
    assert 0.8 < high - low < 1.6
    (why,) = (reason.text for reason in found.reasons if reason.why is Why.RUNNER_UP)
    assert "rests on 5 shorter runs of the whole schedule" in why


def test_an_interval_from_pilots_is_open_where_they_rise_to_the_edge():
    found = verdict(searched(at=0.4, short=0.4, val_images=2000, diverged=0.5).sweep)
    assert found.open_sides == ("above",)


def test_three_full_runs_speak_for_themselves():
    """Pilots are not taken for runs at lower LRs then: the interval is narrower, around the full runs' top."""
    sim = searched(at=-2.15, short=-2.0, val_images=2000)
    wide = verdict(sim.sweep)
    for lr in (2e-3, 2.5e-2):
        sim.say(*effects(ev.AddRun(lr=lr), sim.sweep))
    found = verdict(sim.run())
    assert len(lrs(sim.sweep, R)) == 3
    assert found.high / found.low < wide.high / wide.low
    assert math.log10(found.low) < -2.15 < math.log10(found.high)


def test_the_verdict_names_the_full_runs_that_make_it_surer():
    """A quarter of a decade to each side of the pick, until they have been trained."""
    sim = searched(at=-2.15, short=-2.0, val_images=2000)

    def surer():
        return [r.text for r in verdict(sim.sweep).reasons if r.why is Why.SURER]

    (text,) = surer()
    words, _, command = text.partition(": ")
    assert words == "surer with 2 more full runs beside it"
    lower, upper = map(float, command.removeprefix("lrtui add DIR --lr ").split(" --lr "))
    (full,) = lrs(sim.sweep, R)
    assert math.log10(full / lower) == pytest.approx(0.25, abs=0.02)
    assert math.log10(upper / full) == pytest.approx(0.25, abs=0.02)
    for lr in (lower, upper):
        sim.say(*effects(ev.AddRun(lr=lr), sim.sweep))
        assert not surer(), "no advice while runs wait"
    sim.run()
    assert not surer()
