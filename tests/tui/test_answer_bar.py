"""The frame of the monitor: the answer bar, the tabs, the footer, the help and the list of actions."""

import math
from dataclasses import replace

import pytest
from msgspec import structs

from lrtui.sweep import events as ev
from lrtui.tui.arrangement import arrange, beside, pane_of_phase
from lrtui.tui.columns import columns_for
from lrtui.tui.panels.answer_bar import AnswerBar
from lrtui.tui.panels.footer import Keys
from lrtui.tui.panels.tab_row import Tabs, tabs
from lrtui.tui.verdict_view import VerdictView, judge
from lrtui.tui.view_model import TABS, Notice, View, ViewModel
from tests.tui import recordings
from tests.tui.conftest import settled, text_of

WIDTHS = range(20, 241)


def model(events: list[ev.AnyEvent], steps: int = 100, **changes: object) -> ViewModel:
    snapshot = recordings.search_snapshot(events, steps)
    shown = View(selected=next((s.runs[0] for s in snapshot.standings), ""))
    return ViewModel(snapshot, shown, verdicts=judge(snapshot.sweep), **changes)


def failed(why: str = "it ended without a metric line") -> list[ev.AnyEvent]:
    events = [ev.SweepOpened(plan=recordings.plan(), host="box")]
    for run, lr in (("r01", 1e-3), ("r02", 1e-2)):
        events.append(ev.RunQueued(run=run, setting=ev.Setting(lr=lr), seed=1, until=30.0))
        events += recordings._launched(run, 1, 30.0)
        events.append(ev.RunEnded(run=run, attempt=1, kind="failed", why=why, code=1))
    said = ev.VerdictReached(lr=None, why=("no learning rate was trained to epoch 30",))
    return recordings._numbered([*events, said, ev.SweepClosed(code=1, why="2 of 2 runs failed")])


ENDED = recordings.search(whole=True)
STOPPED = recordings._numbered([
    *recordings.search(), ev.VerdictReached(lr=None), ev.SweepClosed(code=4, why="stopped by you")
])  # fmt: skip


def bar(shown: ViewModel, width: int, height: int = 1) -> list[str]:
    return [strip.text for strip in AnswerBar().draw(shown, width, height)]


def footer(shown: ViewModel, width: int = 160) -> str:
    return Keys().draw(shown, width, 1)[0].text


def test_an_ended_sweep_says_its_answer_first_and_its_reason_below() -> None:
    shown = model(ENDED)
    answer, reason = bar(shown, 160, 2)
    assert "✔ USE LR 3e-03   val_acc 0.6200   90 % range 1.4e-03 – 8.0e-03" in answer  # noqa: RUF001
    assert "27 % of a grid" in answer
    found = shown.verdicts.overall
    verdicts = structs.replace(shown.verdicts, overall=replace(found, spent=found.grid))
    whole = structs.replace(shown, verdicts=verdicts)
    assert "of a grid" not in bar(whole, 160, 2)[0], "nothing was saved"
    assert answer.rstrip()[-11:-5] == "ended "
    assert reason.startswith(" 2 seeds")
    for width in WIDTHS:
        (line,) = bar(shown, width)
        assert len(line) <= width
        assert "USE LR 3e-03" in line
        assert line.count("1.4e-03") == line.count("8.0e-03"), "no number is cut"


def test_the_rows_name_the_axes_and_what_measured_better() -> None:
    better = "1e-02 measured better by 0.0050, within the noise"
    said = ev.VerdictReached(lr=3e-3, axes={"momentum": 0.9}, why=(better, "2 seeds"))
    closed = ev.SweepClosed(code=0, why="")
    shown = model(recordings._numbered([*recordings.search(), said, closed]))
    answer, reason = bar(shown, 120, 2)
    assert "USE LR 3e-03, momentum 0.9" in answer
    assert reason.startswith(f" {better}; 2 seeds")


def test_an_empty_chart_says_that_the_verdict_is_computed() -> None:
    judged = model(recordings.search())
    assert not judged.judging
    assert structs.replace(judged, verdicts=VerdictView()).judging
    assert not ViewModel(recordings.snapshot(recordings.journal()[:1])).judging


def test_a_search_says_its_rung_and_what_is_best_so_far() -> None:
    line = bar(model(recordings.search()), 160)[0]
    assert "rung 2 of 3, to epoch 12" in line
    assert "so far 3e-03" in line
    assert "USE LR" not in line


def test_a_range_test_says_its_progress() -> None:
    line = bar(model(recordings.range_testing(), 40), 60)[0]
    assert "range test 40/100" in line
    assert "no runs yet" not in line


@pytest.mark.parametrize("events", [failed(), STOPPED])
def test_a_sweep_without_an_answer_never_has_a_tick(events: list[ev.AnyEvent]) -> None:
    shown = model(events)
    for width in WIDTHS:
        line = bar(shown, width)[0]
        assert line.lstrip().removeprefix("cifar100").lstrip().startswith("✖ NO ANSWER")
        assert "✔" not in line


def test_without_a_value_there_is_no_sensitivity_chart_and_no_trend() -> None:
    for events, shown in ((failed(), False), (ENDED, True)):
        found = model(events)
        columns = columns_for(found, found.snapshot.standings, 200)
        assert ("trend" in [column.title for column in columns]) == shown
    assert "sensitivity" not in beside(model(failed()), 160)
    assert "sensitivity" in beside(model(recordings.search()), 160)


def test_a_value_that_ranks_is_not_shown_twice() -> None:
    shown = model(ENDED)
    for value, latest, twice in ((math.nan, math.nan, False), (0.5, 0.5, False), (0.5, 0.4, True)):
        row = replace(shown.snapshot.standings[0], value=value, latest=latest, seeds=1)
        assert ("now" in [column.title for column in columns_for(shown, [row], 200)]) == twice


def test_a_failed_sweep_says_why_and_the_next_keys() -> None:
    line = bar(model(failed()), 120)[0]
    said = "2 of 2 runs failed: it ended without a metric line   l output   Ctrl-R retry failed"
    assert said in line
    assert "l output" in bar(model(failed("x" * 500)), 60)[0]
    assert "Ctrl-R" not in bar(model(failed(), view_only="a copy"), 120)[0]


def test_learning_rates_that_cannot_be_told_apart_are_an_answer() -> None:
    same = ev.VerdictReached(lr=None, equal=(1e-3, 1e-2))
    closed = ev.SweepClosed(code=0, why="7 of 7 runs finished")
    line = bar(model(recordings._numbered([*recordings.search(), same, closed])), 120)[0]
    assert "✔ 1.0e-03 – 1.0e-02 cannot be told apart" in line  # noqa: RUF001


@pytest.mark.parametrize("events", [ENDED, recordings.search()], ids=["ended", "running"])
def test_the_bar_says_that_files_are_being_read(events) -> None:
    shown = model(events)
    reading = structs.replace(shown, snapshot=replace(shown.snapshot, reading=True, read=0.348))
    for width in (60, 80, 160):
        assert "reading 34 %" in bar(reading, width)[0]
        assert "reading" not in bar(shown, width)[0]
    assert "ETA" not in bar(reading, 160)[0]


def test_no_message_replaces_the_answer() -> None:
    shown = model(ENDED, notice=Notice("written: view.png"))
    assert bar(shown, 120) == bar(model(ENDED), 120)


@pytest.mark.parametrize(
    ("events", "pane"),
    [
        (recordings.range_testing(), "range"),
        (recordings.search(), "charts"),
        (ENDED, "sensitivity"),
        (STOPPED, "charts"),
        (failed(), "charts"),
        (recordings._numbered([*failed()[:1], ev.SweepClosed(code=5, why="no data")]), "explain"),
    ],
)
def test_the_large_area_follows_the_phase(events: list[ev.AnyEvent], pane: str) -> None:
    assert pane_of_phase(model(events)) == pane


async def test_the_reason_of_a_sweep_without_runs_is_shown_in_full(monitor, told) -> None:
    why = "the data set is missing:\ncopy it to data/cifar100\nand start again " + "x " * 60
    told.snapshot = recordings.snapshot(
        recordings._numbered([*failed()[:1], ev.SweepClosed(code=5, why=why)]), supervisor="none"
    )
    async with monitor.run_test(size=(80, 24)) as pilot:
        await settled(pilot)
        lines = [line.strip() for line in text_of(monitor).splitlines()]
        assert {"the data set is missing:", "copy it to data/cifar100"} <= set(lines)
        assert "Start it again, once the cause is fixed: lrtui runs/cifar100" in lines
        assert sum(line.count("x ") + line.endswith("x") for line in lines[3:12]) == 60


async def test_a_chosen_tab_stays_when_the_sweep_ends(monitor, told) -> None:
    told.snapshot = recordings.search_snapshot()
    async with monitor.run_test(size=(120, 36)) as pilot:
        await settled(pilot)
        for number, pane in enumerate(TABS, 1):
            await pilot.press(str(number))
            assert monitor.model.view.pane == (pane if pane != "study" else "journal")
        told.snapshot = recordings.search_snapshot(ENDED)
        monitor._reader.start()
        await settled(pilot)
        assert monitor.model.view.pane == "journal"


async def test_a_click_on_a_tab_shows_it(monitor) -> None:
    async with monitor.run_test(size=(120, 36)) as pilot:
        await settled(pilot)
        await pilot.click(Tabs, offset=(text_of(monitor).splitlines()[2].index("Output"), 0))
        assert monitor.model.view.pane == "output"


@pytest.mark.parametrize("pane", ["charts", "journal", "explain"])
def test_the_tabs_fit_and_name_the_shown_pane(pane) -> None:
    shown = ViewModel(view=View(pane=pane))
    for width in range(40, 241):
        assert sum(len(text) for _, text in tabs(shown, width)) <= width
        named = [text.strip(" 12345678") for each, text in tabs(shown, width) if each == pane]
        assert named not in ([], [""]), "the pane that is shown has its name"


def test_keys_that_can_do_nothing_are_faint_or_absent() -> None:
    ended, running = model(ENDED), model(recordings.search())
    assert "Ctrl-R" not in footer(ended)
    assert "Ctrl-R retry failed" in footer(model(failed()))
    for shown, bold in ((running, True), (ended, False)):
        kill = next(s for s in Keys().draw(shown, 160, 1)[0] if s.text == "K")
        assert kill.style.bold == bold
    assert footer(running).index("next run") < footer(running).index("K kill")


def test_a_phones_width_has_tabs_and_chart() -> None:
    at = arrange(46, 44, 8, 2)
    assert (at.tabs, at.keys, at.charts) == (1, 1, 1)
    assert at.main > 20


@pytest.mark.parametrize(
    "size", [(20, 5), (20, 3), (46, 44), (60, 16), (80, 24), (120, 36), (240, 70)]
)
def test_the_rows_of_the_panels_fill_the_screen(size: tuple[int, int]) -> None:
    at = arrange(*size, 8, 2)
    rows = (at.answer, at.tabs, at.main, at.leaderboard, at.below, at.message, at.keys)
    assert sum(rows) == size[1]
    assert at.answer >= 1


async def test_the_help_is_searched_and_closed_by_its_keys_only(monitor) -> None:
    async with monitor.run_test(size=(120, 36)) as pilot:
        await settled(pilot)
        await pilot.press("question_mark")
        await pilot.pause()
        assert text_of(monitor).splitlines()[1].split()[1:3] == ["Runs", "Panes"], (
            "no column begins amid a group"
        )
        await pilot.press("G", "end", "x", "slash", *"freeze")
        await pilot.pause()
        assert "Freeze the run in memory" in text_of(monitor)
        assert "Kill the run" not in text_of(monitor)
        await pilot.press("escape")
        await pilot.pause()
        assert len(monitor.screen_stack) == 2
        await pilot.press("escape")
        await pilot.pause()
        assert len(monitor.screen_stack) == 1


async def test_an_action_is_chosen_from_a_list(monitor) -> None:
    async with monitor.run_test(size=(120, 36)) as pilot:
        await settled(pilot)
        await pilot.press("ctrl+p", *"hardware", "enter")
        await settled(pilot)
        assert monitor.model.view.pane == "hardware"
