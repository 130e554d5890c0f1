"""Every key does what the table of keys says."""

import math

import pytest

from lrtui.sweep import events as ev
from lrtui.tui.keymap import KEYMAP
from lrtui.tui.panels import Leaderboard
from lrtui.tui.view_model import USUAL_WEIGHT
from tests.tui import recordings
from tests.tui.conftest import eventually, settled, text_of

SIZE = (160, 45)


def test_no_key_is_taken_twice() -> None:
    keys = [name for key in KEYMAP for name in key.keys.split(",")]
    assert len(keys) == len(set(keys))


async def test_the_first_of_the_leaderboard_is_selected_and_j_k_and_arrows_move(monitor) -> None:
    async with monitor.run_test(size=SIZE) as pilot:
        await settled(pilot)
        order = [s.runs[0] for s in monitor.model.snapshot.standings]
        assert monitor.model.view.selected == order[0]
        for key, at in (("j", 1), ("down", 2), ("k", 1), ("up", 0), ("k", 0), ("G", 7), ("g", 0)):
            await pilot.press(key)
            assert monitor.model.view.selected == order[at], key


async def test_a_kill_names_its_victim_and_takes_y(monitor, sent) -> None:
    async with monitor.run_test(size=SIZE) as pilot:
        await settled(pilot)
        await pilot.press("K")
        await pilot.pause()
        assert "Kill D 3e-03, epoch 13/30?" in text_of(monitor)
        await pilot.press("y")
        await settled(pilot)
        assert sent == [ev.KillRun(run="r04", attempt=1)]
        assert "done so" in text_of(monitor)


@pytest.mark.parametrize("key", ["n", "escape", "q", "c"])
async def test_a_kill_that_is_not_affirmed_sends_nothing(monitor, sent, key) -> None:
    async with monitor.run_test(size=SIZE) as pilot:
        await settled(pilot)
        await pilot.press("K", key)
        await settled(pilot)
        assert sent == []
        assert monitor.is_running
        assert len(monitor.screen_stack) == 1


async def test_a_plain_k_never_kills(monitor, sent) -> None:
    async with monitor.run_test(size=SIZE) as pilot:
        await settled(pilot)
        await pilot.press("k", "y", "enter")
        await settled(pilot)
        assert sent == []


async def test_restart_asks_only_where_a_process_lives(monitor, sent) -> None:
    async with monitor.run_test(size=SIZE) as pilot:
        await settled(pilot)
        await pilot.press("R")
        await pilot.pause()
        assert "Restart D 3e-03" in text_of(monitor)
        await pilot.press("enter")
        await settled(pilot)
        await pilot.press("G", "R")
        await settled(pilot)
        last = monitor.model.snapshot.standings[-1].runs[0]
        assert sent[:2] == [ev.KillRun(run="r04", attempt=1), ev.RestartRun(run="r04", attempt=1)]
        assert sent[2:] == [ev.RestartRun(run=last, attempt=1)]


async def test_an_edited_lr_starts_a_run_like_the_selected_one(monitor, sent) -> None:
    async with monitor.run_test(size=SIZE) as pilot:
        await settled(pilot)
        await pilot.press("e")
        await pilot.pause()
        await pilot.press(*"625e-5")
        await pilot.pause()
        assert "= 6.25e-03" in text_of(monitor)
        await pilot.press("enter")
        await settled(pilot)
        assert sent == [ev.AddRun(lr=625e-5, parent="r04")]


@pytest.mark.parametrize("typed", ["0", "-1", "nan", "inf", "abc", "1e999", "1_0"])
async def test_a_bad_lr_is_refused_in_place(monitor, sent, typed) -> None:
    async with monitor.run_test(size=(80, 24)) as pilot:
        await settled(pilot)
        await pilot.press("n", *typed, "enter")
        await pilot.pause()
        assert len(monitor.screen_stack) == 2
        await pilot.press("escape")
        await settled(pilot)
        assert sent == []


async def test_n_adds_a_run(monitor, sent) -> None:
    async with monitor.run_test(size=SIZE) as pilot:
        await settled(pilot)
        await pilot.press("n", *"2e-3", "enter")
        await settled(pilot)
        assert sent == [ev.AddRun(lr=2e-3)]


async def test_z_pauses_and_resumes_and_shift_f_freezes_and_thaws(monitor, sent, told) -> None:
    async with monitor.run_test(size=SIZE) as pilot:
        await settled(pilot)
        await pilot.press("z")
        await settled(pilot)
        await pilot.press("F")
        await settled(pilot)
        frozen = [*recordings.journal(), ev.RunFrozen(run="r04", attempt=1, n=99, at=1.0)]
        told.snapshot = recordings.snapshot(frozen)
        monitor._reader.start()
        await settled(pilot)
        await pilot.press("F")
        await settled(pilot)
        await pilot.press("z")
        await settled(pilot)
    assert sent == [
        ev.PauseRun(run="r04", attempt=1),
        ev.FreezeRun(run="r04", attempt=1),
        ev.ResumeRun(run="r04", attempt=1),
        ev.ResumeRun(run="r04", attempt=1),
    ]


async def test_pausing_what_does_not_run_says_why_not(monitor, sent) -> None:
    async with monitor.run_test(size=SIZE) as pilot:
        await settled(pilot)
        await pilot.press("G", "z")
        await settled(pilot)
        assert "only a running run can be paused" in text_of(monitor)
        assert sent == []


async def test_more_and_fewer_at_a_time(monitor, sent) -> None:
    async with monitor.run_test(size=SIZE) as pilot:
        await settled(pilot)
        await pilot.press("greater_than_sign")
        await settled(pilot)
        await pilot.press("less_than_sign")
        await settled(pilot)
    assert sent == [ev.SetParallel(parallel=3), ev.SetParallel(parallel=1)]


@pytest.mark.parametrize("key", ["K", "R", "e", "n", "z", "F", "greater_than_sign"])
@pytest.mark.parametrize("why", ["it is a copy of the directory that was started", "stopped"])
async def test_where_nothing_can_be_asked_acting_keys_say_why(
    monitor, sent, told, key, why
) -> None:
    if why == "stopped":
        stop = ev.BrakeSet(on=True, why="stopped by you", stop=True, n=89)
        closed = ev.SweepClosed(code=4, why="stopped by you", n=90)
        events = [*recordings.journal(), stop, closed]
        told.snapshot = recordings.snapshot(events, supervisor="none")
    else:
        told.snapshot = recordings.snapshot(view_only=why, supervisor="none")
    async with monitor.run_test(size=(80, 24)) as pilot:
        await settled(pilot)
        await pilot.press(key)
        await settled(pilot)
        told_why = monitor.model.notice.text
        assert ("--resume" if why == "stopped" else "view only") in told_why
        assert told_why[:40] in text_of(monitor)
        assert sent == []


async def test_after_the_end_of_a_sweep_a_run_can_be_added(monitor, sent, told) -> None:
    events = [*recordings.journal(), ev.SweepClosed(code=0, why="all runs finished", n=90)]
    told.snapshot = recordings.snapshot(events, supervisor="none")
    async with monitor.run_test(size=(80, 24)) as pilot:
        await settled(pilot)
        await pilot.press("n", *"2e-3", "enter")
        await settled(pilot)
    assert sent == [ev.AddRun(lr=2e-3)]


async def test_the_metric_turns_and_comes_back(monitor) -> None:
    async with monitor.run_test(size=(80, 24)) as pilot:
        await settled(pilot)
        seen = []
        for _ in range(5):
            seen.append(text_of(monitor).splitlines()[2].split()[1])
            await pilot.press("m")
            await settled(pilot)
        assert seen == ["val_acc", "val_loss", "train_loss", "train_acc", "lr"]
        assert text_of(monitor).splitlines()[2].split()[1] == "val_acc"


async def test_y_a_s_and_the_amount_of_smoothing(monitor) -> None:
    async with monitor.run_test(size=SIZE) as pilot:
        await settled(pilot)
        await pilot.press("y", "a", "s")
        await settled(pilot)
        assert "smooth 0.6  x step  y log" in text_of(monitor).splitlines()[2]
        await pilot.press("plus")
        assert monitor.model.view.weight > USUAL_WEIGHT
        await pilot.press("0")
        assert monitor.model.view.weight == USUAL_WEIGHT
        for _ in range(5):
            await pilot.press("minus")
        assert not monitor.model.view.smooth
        await pilot.press("a")
        await settled(pilot)
        assert "x time" in text_of(monitor).splitlines()[2]


async def test_sort_changes_the_order_but_not_the_ranks(monitor) -> None:
    async with monitor.run_test(size=SIZE) as pilot:
        await settled(pilot)
        await pilot.press("o")
        await settled(pilot)
        board = monitor.query_one(Leaderboard)._strips
        lrs = [strip.text[1:].split()[3] for strip in board[1:]]
        assert [float(lr) for lr in lrs] == sorted(float(lr) for lr in lrs)
        await pilot.press("O")
        await settled(pilot)
        assert [s.text[1:].split()[3] for s in monitor.query_one(Leaderboard)._strips[1:]] == lrs[
            ::-1
        ]


async def test_hide_show_and_pin(monitor) -> None:
    async with monitor.run_test(size=SIZE) as pilot:
        await settled(pilot)
        await pilot.press("space")
        await settled(pilot)
        assert monitor.model.view.hidden == {"r04"}
        assert "D 3e-03 " not in text_of(monitor).splitlines()[1]
        await pilot.press("A", "p")
        await settled(pilot)
        assert monitor.model.view.hidden == set()
        assert monitor.model.view.pinned == "r04"


async def test_output_and_settings_replace_the_chart_never_the_leaderboard(monitor) -> None:
    async with monitor.run_test(size=(80, 24)) as pilot:
        await settled(pilot)
        for key, word in (
            ("l", "output"),
            ("enter", "settings"),
            ("tab", "hardware"),
            ("tab", "journal"),
            ("tab", "why"),
            ("tab", "values"),
            ("tab", "derived"),
            ("tab", "val_acc by epoch"),
            ("tab", "sensitivity"),
            ("tab", "search"),
            ("tab", "output"),
        ):
            await pilot.press(key)
            await settled(pilot)
            assert word in text_of(monitor).splitlines()[2], key
            assert "#  run    lr        state" in text_of(monitor)
        await pilot.press("escape")
        await settled(pilot)
        assert "val_acc by epoch" in text_of(monitor)


async def test_the_output_scrolls_and_follows(monitor) -> None:
    async with monitor.run_test(size=(80, 24)) as pilot:
        await settled(pilot)
        await pilot.press("l", "g")
        await settled(pilot)
        assert "epoch 0:" in text_of(monitor)
        await pilot.press("pagedown")
        await settled(pilot)
        assert "epoch 0:" not in text_of(monitor)
        await pilot.press("f")
        await settled(pilot)
        assert "epoch 59:" in text_of(monitor)


async def test_help_lists_every_key_and_closes(monitor) -> None:
    async with monitor.run_test(size=(200, 60)) as pilot:
        await settled(pilot)
        await pilot.press("question_mark")
        await pilot.pause()
        shown = text_of(monitor)
        assert all(key.help in shown for key in KEYMAP)
        await pilot.press("escape")
        await settled(pilot)
        assert len(monitor.screen_stack) == 1


@pytest.mark.parametrize(
    ("keys", "code"), [(["q", "enter"], 0), (["q", "d"], 0), (["ctrl+c"], 130)]
)
async def test_leaving_detaches(monitor, sent, keys, code) -> None:
    async with monitor.run_test(size=(80, 24)) as pilot:
        await settled(pilot)
        await pilot.press(*keys)
        await pilot.pause()
    assert monitor.return_value == code
    assert sent == []


async def test_ctrl_c_detaches_from_within_a_question(monitor, sent) -> None:
    async with monitor.run_test(size=(80, 24)) as pilot:
        await settled(pilot)
        await pilot.press("e", "ctrl+c")
        await pilot.pause()
    assert monitor.return_value == 130


async def test_q_can_stop_all_or_be_cancelled(monitor, sent) -> None:
    async with monitor.run_test(size=(80, 24)) as pilot:
        await settled(pilot)
        await pilot.press("q", "c")
        await settled(pilot)
        assert monitor.is_running
        await pilot.press("q", "s")
        await eventually(lambda: monitor.return_value is not None)
    assert sent == [ev.StopSweep()]
    assert monitor.return_value == 4


async def test_q_leaves_at_once_where_nothing_lives(monitor, told) -> None:
    told.snapshot = recordings.snapshot(view_only="it is a copy")
    async with monitor.run_test(size=(80, 24)) as pilot:
        await settled(pilot)
        await pilot.press("q")
        await pilot.pause()
    assert monitor.return_value == 0


async def test_a_run_that_is_added_changes_no_others_colour(monitor, told) -> None:
    async with monitor.run_test(size=(80, 24)) as pilot:
        await settled(pilot)
        before = dict(monitor.model.marks)
        new = ev.RunQueued(run="r09", setting=ev.Setting(lr=2e-3), seed=1, until=30.0, n=99, at=1.0)
        told.snapshot = recordings.snapshot([*recordings.journal(), new])
        monitor._reader.start()
        await settled(pilot)
        assert {run: monitor.model.marks[run] for run in before} == before
        assert monitor.model.marks["r09"].letter == "I"


async def test_unequal_lengths_are_never_compared(monitor) -> None:
    async with monitor.run_test(size=(120, 32)) as pilot:
        await settled(pilot)
        ranked = [
            s
            for s in monitor.model.snapshot.standings
            if s.value is not None and s.state == "running"
        ]
        assert len({s.value_at for s in ranked}) == 1
        assert not any(math.isnan(s.value) for s in ranked)
