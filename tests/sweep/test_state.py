"""The fold: total, the same however it is cut, and its states cannot lie."""

import functools

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lrtui.sweep import events as ev
from lrtui.sweep.allowed import stopped_with_sweep
from lrtui.sweep.events import Setting, decode_event, encode
from lrtui.sweep.state import ALIVE, State, Sweep, apply, differences, fold, group_of, group_text
from lrtui.text.format import lr_text
from tests.plans import plan_of

PLAN = plan_of(horizon=3)
RUNS = st.sampled_from(["r01", "r02", "r03"])
KINDS = st.sampled_from(["finished", "pruned", "killed", "failed", "diverged", "lost"])
ATTEMPTS = st.integers(0, 3)


def numbered(events):
    return [
        msgspec.structs.replace(event, v=ev.VERSION, n=n, at=float(n))
        for n, event in enumerate(events, 1)
    ]


def queued(run="r01", **kw):
    return ev.RunQueued(run=run, setting=Setting(lr=1e-3), seed=1, until=3.0, **kw)


def launched(run="r01", attempt=1):
    return ev.RunLaunched(run=run, attempt=attempt, token="t", until=3.0)


ANY = st.one_of(
    st.just(ev.SweepOpened(plan=PLAN)),
    st.builds(queued, RUNS, resume=st.booleans()),
    st.builds(launched, RUNS, ATTEMPTS),
    st.builds(ev.RunStarted, run=RUNS, attempt=ATTEMPTS, pid=st.just(7)),
    st.builds(ev.RunHeld, run=RUNS, attempt=ATTEMPTS, why=st.text()),
    st.builds(ev.RunAdopted, run=RUNS, attempt=ATTEMPTS, pid=st.just(8)),
    st.builds(
        ev.RunReached,
        run=RUNS,
        attempt=ATTEMPTS,
        level=st.floats(0, 3),
        value=st.none() | st.floats(0, 1),
    ),
    st.builds(ev.RunPausing, run=RUNS, attempt=ATTEMPTS),
    st.builds(ev.RunPaused, run=RUNS, attempt=ATTEMPTS),
    st.builds(ev.RunFrozen, run=RUNS, attempt=ATTEMPTS),
    st.builds(ev.RunThawed, run=RUNS, attempt=ATTEMPTS),
    st.builds(ev.RunWaiting, run=RUNS),
    st.builds(ev.RunPromoted, run=RUNS, until=st.just(9.0)),
    st.builds(ev.RunStopping, run=RUNS, attempt=ATTEMPTS, kind=KINDS, why=st.text()),
    st.builds(ev.RunEnded, run=RUNS, attempt=ATTEMPTS, kind=KINDS, why=st.text()),
    st.builds(ev.RunLost, run=RUNS, attempt=ATTEMPTS, why=st.text()),
    st.builds(ev.RunFlagged, run=RUNS, attempt=ATTEMPTS, rule=st.just("nan"), why=st.text()),
    st.builds(ev.BrakeSet, on=st.booleans(), why=st.text(), by=st.none() | st.just("c1")),
    st.builds(
        ev.CommandDone,
        command=st.just("StopSweep"),
        ok=st.booleans(),
        answer=st.text(),
        by=st.just("c1"),
    ),
    st.builds(ev.ParallelSet, parallel=st.integers(-3, 9)),
    st.builds(ev.Warned, text=st.text()),
    st.builds(ev.SweepClosed, code=st.integers(0, 6), why=st.text()),
)
JOURNALS = st.lists(ANY, max_size=40).map(numbered)


@given(JOURNALS)
def test_any_journal_folds_and_no_run_lies_about_its_state(journal):
    sweep = fold(journal)
    for run in sweep.runs.values():
        assert (run.ending is not None) == (run.state is State.ENDED)
        assert not (run.state in ALIVE and not run.attempts)
        assert [a.number for a in run.attempts] == sorted({a.number for a in run.attempts})
    assert sweep.parallel >= 1
    assert sweep.n == len(journal)


@given(JOURNALS, st.integers(0, 40))
def test_a_replay_that_is_cut_anywhere_equals_the_live_fold(journal, cut):
    before = live = functools.reduce(apply, journal[:cut], Sweep())
    assert fold(journal[cut:], fold(journal[:cut])) == fold(journal)
    assert fold(journal[cut:], before) == functools.reduce(apply, journal[cut:], live)
    assert before == fold(journal[:cut])  # which the second fold began with, and left as it was


def test_the_points_of_a_curve_survive():
    curve = ((2.0, 0.5), (1.0, 0.1), (9.0, 0.7), (3.0, 1e200), (3.0, -0.25))
    reached = ev.RunReached(run="r01", attempt=1, level=3.0, value=0.5, curve=curve)
    (found,) = fold(numbered([queued(), launched(), reached])).runs["r01"].reached
    assert found.curve == ((1.0, 0.1), (2.0, 0.5), (3.0, -0.25))
    bare = msgspec.structs.replace(reached, curve=())
    (found,) = fold(numbered([queued(), launched(), bare])).runs["r01"].reached
    assert found.curve == ((3.0, 0.5),)


@given(JOURNALS)
def test_a_journal_survives_the_disk(journal):
    assert fold([decode_event(encode(event)) for event in journal]) == fold(journal)


@given(st.binary(max_size=200))
def test_a_garbled_line_is_a_value_error_and_nothing_else(line):
    with pytest.raises(ValueError, match=r"\w"):
        decode_event(line)


@pytest.mark.parametrize(
    "line",
    [
        b"[" * 200_000,
        b'{"event":"RunEnded"}',
        b'{"event":"Nonsense","v":1}',
        b'{"event":"BrakeSet","v":9,"on":true}',
        b"\xff\xfe{",
    ],
)
def test_hostile_lines_are_refused(line):
    with pytest.raises(ValueError, match=r"\w"):
        decode_event(line)


def test_a_run_goes_from_queued_to_finished():
    story = [
        ev.SweepOpened(plan=PLAN),
        queued(),
        launched(),
        ev.RunStarted(run="r01", attempt=1, pid=4),
        ev.RunEnded(run="r01", attempt=1, kind="finished", code=0),
    ]
    states = []
    sweep = Sweep()
    for event in numbered(story):
        sweep = apply(sweep, event)
        states += [str(run.state) for run in sweep.runs.values()]
    assert states == ["queued", "starting", "running", "ended"]
    assert sweep.strange == 0


def test_an_ending_is_never_rewritten_and_a_restart_keeps_the_history():
    story = numbered(
        [
            queued(),
            launched(),
            ev.RunStarted(run="r01", attempt=1, pid=4),
            ev.RunEnded(run="r01", attempt=1, kind="killed", why="killed by you"),
            ev.RunEnded(run="r01", attempt=1, kind="finished"),
            queued(origin="user"),
            launched(attempt=2),
        ]
    )
    assert fold(story[:5]).runs["r01"].ending.kind == "killed"
    assert fold(story[:5]).strange == 1
    run = fold(story).runs["r01"]
    assert (run.state, run.ending, [a.number for a in run.attempts]) == (
        State.STARTING,
        None,
        [1, 2],
    )


def test_an_event_for_an_old_attempt_does_not_touch_the_new_one():
    story = numbered(
        [
            queued(),
            launched(),
            ev.RunLost(run="r01", attempt=1, why="x"),
            queued(),
            launched(attempt=2),
            ev.RunStopping(run="r01", attempt=1, kind="killed", why="late"),
        ]
    )
    assert fold(story).runs["r01"].state is State.STARTING


@pytest.mark.parametrize(
    ("lr", "text"), [(3e-4, "3e-04"), (625e-5, "6.25e-03"), (0.1, "1e-01"), (1.0, "1e+00")]
)
def test_learning_rates_have_one_text(lr, text):
    assert lr_text(lr) == text


@given(st.floats(min_value=1e-12, max_value=1e6))
def test_the_text_of_a_learning_rate_is_exact(lr):
    assert float(lr_text(lr)) == lr


STUDIED = msgspec.structs.replace(
    PLAN, dataset="digits", study=(("dataset", "digits"), ("optimizer", "adam"))
)


def test_the_data_sets_of_a_study_are_kept_by_name_and_a_setting_finds_its_own():
    events = numbered(
        [
            ev.SweepOpened(plan=STUDIED),
            ev.DataPreparing(attempt=1, token="a", dataset="digits"),
            ev.DataPrepared(dataset="digits", path="/d", classes=10),
            ev.DataPreparing(attempt=2, token="b", dataset="cifar100"),
        ]
    )
    between = fold(events)
    assert between.preparing
    assert between.data_wanted == "cifar100"
    assert between.data.path == "/d"
    sweep = fold(numbered([ev.DataPrepared(dataset="cifar100", path="/c", classes=100)]), between)
    assert not sweep.preparing
    assert sweep.data.path == sweep.data_of(Setting(1e-3)).path == "/d"
    assert sweep.data_of(Setting(1e-3, values={"dataset": "cifar100"})).classes == 100
    assert sweep.data_of(Setting(1e-3, values={"batch_size": 8})).path == "/d"


def test_a_journal_that_names_no_data_set_in_its_preparation_means_the_plans():
    old = b'{"event":"DataPreparing","v":2,"n":2,"at":2,"attempt":1,"token":"a"}'
    sweep = fold([*numbered([ev.SweepOpened(plan=STUDIED)]), decode_event(old)])
    assert sweep.data_wanted == "digits"
    assert not fold([ev.DataPrepared(dataset="digits", v=2, n=3, at=3.0)], sweep).preparing


def test_a_setting_differs_from_the_base_of_a_study_in_what_it_names():
    assert differences(STUDIED, Setting(1e-3, "adam", "constant")) == []
    mnist = {"dataset": "mnist", "other": 3}
    assert differences(STUDIED, Setting(1e-3, "adam", values=mnist)) == [("dataset", "mnist")]
    assert differences(STUDIED, Setting(1e-3, "sgd", values=mnist)) == [
        ("dataset", "mnist"),
        ("optimizer", "sgd"),
    ]


def test_a_group_names_its_model_in_words():
    setting = Setting(1e-3, "adam", values={"model": '{"mlp":{"width":64}}', "batch_size": 8})
    assert group_text(group_of(setting)) == "adam, model=mlp width=64, batch_size=8"


@pytest.mark.parametrize(
    "name",
    ["../../x", "/tmp/x", ".", "..", ".x", "", "a/b", "a\0", "a\n", "x" * 65],
)
def test_run_names_cannot_leave_the_directory(name):
    """The supervisor makes a folder per run and launches workers there: a journal may come from a stranger."""
    sweep = fold(numbered([queued(name), launched(name), queued("r01")]))
    assert list(sweep.runs) == ["r01"]
    assert sweep.strange == 2


def test_costs_that_cannot_be_added_up_are_refused():
    """The sum would be infinite, which no report could say."""
    charges = [
        ev.RunCharged(run="r01", attempt=1, spent=1.7e308, seconds=1.0),
        ev.RunCharged(run="r01", attempt=1, spent=1.0, seconds=1.7e308),
        ev.RunCharged(run="r01", attempt=1, spent=-1.0, seconds=1.0),
        ev.RunCharged(run="r01", attempt=1, spent=2.0, seconds=3.0),
    ]
    sweep = fold(numbered([queued(), *charges, *charges]))
    assert (sweep.spent, sweep.seconds, sweep.strange) == (4.0, 6.0, 6)


def test_what_came_to_its_end_while_the_sweep_was_stopped_does_not_begin_again():
    """r01 came to its rung, r02 to its end, r03 was paused, r04 was ended: the last two come back. A worker that begins meanwhile is known."""
    runs = ("r01", "r02", "r03", "r04")
    stops = [
        ev.RunStopping(run=run, attempt=1, kind="killed", why="", with_sweep=True)
        if run == "r04"
        else ev.RunPausing(run=run, attempt=1, with_sweep=True)
        for run in runs
    ]
    began = [ev.RunStarted(run=run, attempt=1, pid=7) for run in runs]
    ends = [
        ev.RunWaiting(run="r01"),
        ev.RunEnded(run="r02", attempt=1, kind="finished", why=""),
        ev.RunPaused(run="r03", attempt=1),
        ev.RunEnded(run="r04", attempt=1, kind="killed", why=""),
    ]
    started = [event for run in runs for event in (queued(run), launched(run))]
    stopping = fold(numbered([ev.SweepOpened(plan=PLAN), *started, *stops, *began]))
    assert [run.attempts[0].pid for run in stopping.runs.values()] == [7] * 4
    assert [str(run.state) for run in stopping.runs.values()] == ["pausing"] * 3 + ["stopping"]
    sweep = fold(numbered([ev.SweepOpened(plan=PLAN), *started, *stops, *began, *ends]))
    assert [run.id for run in stopped_with_sweep(sweep)] == ["r03", "r04"]
