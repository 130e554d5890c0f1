"""The search on the screen: sensitivity, range test, rungs, budget, and what a waiting or stopped run says."""

import math
from pathlib import Path

import pytest

from lrtui.frontend.snapshot import DirectoryReader
from lrtui.metrics import Measurement, RunSeries
from lrtui.sweep import events as ev
from lrtui.sweep.layout import Layout
from lrtui.sweep.state import fold
from lrtui.tui import search_text, snapshot_thread
from lrtui.tui.charts import plot, range_chart, sensitivity_chart
from lrtui.tui.charts.curves import metric_names
from lrtui.tui.panels.answer_bar import counts, remaining
from lrtui.tui.snapshot_thread import Reader, SnapshotTaken
from lrtui.tui.verdict_view import VerdictView, judge
from lrtui.tui.view_model import View, ViewModel
from tests.recorded import make
from tests.tui import recordings
from tests.tui.conftest import settled, text_of
from tests.tui.terminal import Terminal

SIZE = (160, 45)


def model(events: list[ev.AnyEvent] | None = None, selected: str = "r04", **changes) -> ViewModel:
    snapshot = recordings.search_snapshot(events, **changes)
    from lrtui.frontend.run_colors import RunColors

    runs = [(run.id, run.setting.lr) for run in snapshot.sweep.trained()]
    return ViewModel(
        snapshot, View(selected=selected), RunColors().of(runs), verdicts=judge(snapshot.sweep)
    )


def art(picture: plot.Picture, width: int, height: int) -> list[str]:
    strips = plot.draw(picture, width, height, quick=True)
    return ["".join(segment.text for segment in strip) for strip in strips]


def words(shown: ViewModel, width: int = 100) -> str:
    lines = [line for row in search_text.rows(shown) for line in search_text.wrap(row, width)]
    return "\n".join("".join(word.text for word in line).rstrip() for line in lines)


# ---------------------------------------------------------------- sensitivity


def test_the_sensitivity_chart_marks_pick_bars_dead_and_what_is_equal() -> None:
    shown = model(recordings.search(whole=True))
    found = art(sensitivity_chart.picture(shown, 60, 14), 60, 14)
    assert "val_acc against lr, equal over 0.5 decades" in found[0]
    assert found[0].endswith("◆ 3e-03 ┐")
    body = "\n".join(found)
    assert all(mark in body for mark in ("◆D", "●E", "○C", "○B", "○A", "×G"))  # noqa: RUF001
    assert "×G" in found[-3], "dead runs lie at the bottom"  # noqa: RUF001
    column = next(
        line.index("◆") for line in found if "◆" in line and "D" in line and "┤" not in line[:2]
    )
    axis = found[-2]
    assert axis[column] == "━", "the pick is among what is equal"
    assert axis.index("═") < axis.index("━") < axis.rindex("━") < axis.rindex("═")
    tall = art(sensitivity_chart.picture(shown, 60, 60), 60, 60)
    above = [line[column] for line in tall[1:-2] if "⠀" < line[column] <= "⣿"]
    assert len(above) >= 2, "two seeds make a bar"


def test_a_point_stands_where_its_lr_and_its_value_are() -> None:
    shown = model()
    picture = sensitivity_chart.picture(shown, 60, 14)
    places = {glyph.text: (glyph.x, glyph.y) for glyph in picture.glyphs}
    assert places["○C"] == (pytest.approx(-3), 0.48)
    assert places["○E"] == (pytest.approx(-2), 0.52)
    assert places["×G"] == (pytest.approx(-1), picture.y_limits.low)  # noqa: RUF001
    picked = [text for text in places if text.startswith("◆")]
    assert picked == [f"◆{shown.mark(shown.verdicts.overall.runs[0]).letter}"]


@pytest.mark.parametrize("lr", [0.0, -1.0, math.nan, math.inf, 1e-320, 1e300])
def test_an_lr_that_no_logarithm_takes_does_not_end_the_monitor(lr: float) -> None:
    events = recordings.journal((lr, 1e-3, 3e-3, 1e-2, 3e-2))
    for index in range(5):
        run = f"r{index + 1:02d}"
        events.append(ev.RunReached(run=run, attempt=1, level=30.0, value=0.5 + index / 100))
        events.append(ev.RunEnded(run=run, attempt=1, kind="finished"))
    shown = model(events)
    assert len(art(sensitivity_chart.picture(shown, 60, 12), 60, 12)) == 12


def test_of_an_ended_sweep_the_journals_verdict_is_shown() -> None:
    sweep = fold(recordings.search(whole=True))
    assert (judge(sweep).overall.lr, judge(sweep).overall.low) == (3e-3, 1.4e-3)
    assert [reason.text for reason in judge(sweep).overall.reasons] == ["2 seeds"]


# ---------------------------------------------------------------- range test


def test_the_curve_of_a_range_test_has_its_suggestions() -> None:
    shown = model()
    picture = range_chart.picture(shown, 120, 20)
    assert [text for text, _ in picture.legend] == [
        "v valley 3.0e-03", "s steep 2.0e-02", "m minimum 1.0e-02", "i slide 1.0e-01",
    ]  # fmt: skip
    assert {g.text: round(g.x, 2) for g in picture.glyphs} == {
        "v": -2.52, "s": -1.7, "m": -2.0, "i": -1.0,
    }  # fmt: skip
    found = art(picture, 120, 20)
    letters = [
        next(i for i, c in enumerate(line) if c == "v") for line in found[1:-2] if "v" in line
    ]
    assert len(letters) == 1
    line = [row[letters[0]] for row in found[1:-2] if row[letters[0]] != " "]
    assert len(line) == 17, "the valley is a line from top to bottom"
    assert picture.y_limits.high < 8, "where the loss explodes it leaves at the top"


def test_a_script_that_prints_no_lr_is_taken_at_its_word() -> None:
    shown = model()
    series = RunSeries()
    for m in recordings.range_curve():
        loss = {"train_loss": m.values["train_loss"]}
        series.extend(1, [Measurement(m.level, m.step, m.epoch, None, m.time, loss)])
    run = shown.snapshot.sweep.runs["t01"]
    given, _ = range_chart.points(shown.snapshot.sweep.plan, run, shown.snapshot.series["t01"])
    assumed, _ = range_chart.points(shown.snapshot.sweep.plan, run, series)
    assert assumed == pytest.approx(given)


def test_a_range_test_is_no_run_among_the_others() -> None:
    shown = model(recordings.range_testing(), selected="", steps=40)
    assert shown.snapshot.standings == []
    assert metric_names(shown) == []
    assert counts(shown.snapshot) == "no runs yet"
    assert remaining(shown.snapshot) is None
    assert (
        range_chart.picture(shown, 80, 12).title == "range test, step 40/100: train_loss against lr"
    )
    behind = model()
    assert behind.mark("r01").letter == "A", "it takes no letter"
    assert behind.mark("t01").letter == "t01"


async def test_while_a_range_test_runs_the_monitor_says_so_and_shows_it(monitor, told) -> None:
    told.snapshot = recordings.search_snapshot(recordings.range_testing(), 40)
    async with monitor.run_test(size=SIZE) as pilot:
        await settled(pilot)
        shown = text_of(monitor)
        assert "range test 40/100" in shown.splitlines()[0]
        assert "range test, step 40/100" in shown
        assert "a range test comes first" not in shown, "the large area shows the test itself"
        assert "t01 1e-07 · output" in shown


async def test_t_shows_the_range_test_and_with_the_last_one_the_charts_again(monitor, told) -> None:
    told.snapshot = recordings.search_snapshot()
    async with monitor.run_test(size=(80, 24)) as pilot:
        await settled(pilot)
        await pilot.press("t")
        await settled(pilot)
        assert "range test" in text_of(monitor).splitlines()[2]
        await pilot.press("t")
        await settled(pilot)
        assert "val_acc by epoch" in text_of(monitor).splitlines()[2]


async def test_t_without_a_range_test_says_that_there_is_none(monitor) -> None:
    async with monitor.run_test(size=(80, 24)) as pilot:
        await settled(pilot)
        await pilot.press("t")
        await settled(pilot)
        assert "this sweep has no range test" in text_of(monitor)
        assert monitor.model.view.pane == "charts"


async def test_a_range_test_that_is_looked_at_can_be_killed(monitor, told, sent) -> None:
    told.snapshot = recordings.search_snapshot(recordings.range_testing(), 40)
    async with monitor.run_test(size=SIZE) as pilot:
        await settled(pilot)
        await pilot.press("K", "y")
        await settled(pilot)
        assert sent == [ev.KillRun(run="t01", attempt=1)]


# ---------------------------------------------------------------- rungs and budget


def test_the_search_tells_who_went_on_who_was_stopped_and_who_is_under_way() -> None:
    told = words(model())
    assert (
        "range t01 valley 3.0e-03  steep 2.0e-02  minimum 1.0e-02  slide 1.0e-01  diverged at 2.0e+00"
        in told
    )
    first = "epoch 4   kept  D 0.5500  E 0.5200  C 0.4800  pruned  B 0.3400  A 0.2100  F 0.1200"
    assert first in told
    assert "(cut 0.4800: 3 of 7)" in told
    assert "∞ G" in told
    assert "epoch 12  ○ C 0.4800  ◔ D 0.6100  ● E 0.5200" in told
    assert "epoch 36  not yet" in told
    assert "so far: use lr = " in told


def test_lrs_beyond_an_edge_and_further_seeds_have_their_rows() -> None:
    events = recordings.search(whole=True)
    at, edge = events[-1].at, ev.Setting(lr=0.3, optimizer="adam", schedule="cosine")
    late = ev.RunQueued(run="r09", setting=edge, seed=1, until=4.0, n=999, at=at + 1)
    user = ev.RunQueued(
        run="r10", setting=edge, seed=1, until=4.0, n=1000, at=at + 2, origin="user"
    )
    told = words(model([*events, late, user]))
    assert "wider     I 3e-01  (the best was at the edge)" in told
    assert "seeds     ✓ H 0.6200" in told
    assert "yours     ○ J" in told


def test_the_budget_counts_what_living_attempts_did_from_where_they_went_on() -> None:
    shown = model()
    ended = 1 + 6 * 4 + 2 + 8
    running = 3.0  # r05 stands at epoch 7 and went on from its checkpoint at 4
    assert shown.snapshot.sweep.spent == ended
    assert search_text.budget(shown.snapshot) == f"{ended + running:g} epochs, about 76 planned"


def test_a_budget_says_what_is_left() -> None:
    events = recordings.search()
    plan = ev.msgspec.structs.replace(events[0].plan, budget=50.0, budget_seconds=3600.0)
    events[0] = ev.msgspec.structs.replace(events[0], plan=plan)
    told = search_text.budget(recordings.search_snapshot(events))
    assert told == "38 of 50 epochs, 12 left, 9m59s of 1h, 50m01s left"


def test_several_groups_have_a_verdict_each() -> None:
    events = recordings.search(whole=True)[:-2]
    other = ev.Setting(lr=1e-3, optimizer="sgd", schedule="cosine")
    events += [
        ev.RunQueued(run="r20", setting=other, seed=1, until=36.0, n=500, at=recordings.NOW),
        *(
            ev.msgspec.structs.replace(e, at=recordings.NOW)
            for e in recordings._trained("r20", 1, 36.0, 0.3, 36.0)
        ),
        ev.RunEnded(run="r20", attempt=1, kind="finished", at=recordings.NOW),
    ]
    told = words(model(events, selected="r20"))
    assert "adam, cosine:" in told
    assert "here      sgd, cosine:" in told
    assert "sgd, cosine" in sensitivity_chart.picture(model(events, selected="r20"), 90, 12).title


async def test_s_and_r_replace_the_chart_never_the_leaderboard(monitor, told) -> None:
    told.snapshot = recordings.search_snapshot()
    async with monitor.run_test(size=(80, 24)) as pilot:
        await settled(pilot)
        for key, word in (("S", "against lr"), ("r", "search"), ("r", "by epoch"), ("S", "lr")):
            await pilot.press(key)
            await settled(pilot)
            assert word in text_of(monitor).splitlines()[2], key
            assert "3e-03" in "\n".join(text_of(monitor).splitlines()[13:])


async def test_the_search_scrolls(monitor, told) -> None:
    told.snapshot = recordings.search_snapshot()
    async with monitor.run_test(size=(80, 24)) as pilot:
        await settled(pilot)
        await pilot.press("r")
        await settled(pilot)
        assert "verdict" in text_of(monitor)
        assert "untested" not in text_of(monitor)
        await pilot.press("G")
        await settled(pilot)
        assert "untested" in text_of(monitor)
        await pilot.press("pageup", "pageup")
        await settled(pilot)
        assert "verdict" in text_of(monitor)


@pytest.mark.parametrize("size", [SIZE, (80, 24)])
async def test_a_waiting_run_says_at_which_rung_and_for_whom(monitor, told, size) -> None:
    told.snapshot = recordings.search_snapshot()
    async with monitor.run_test(size=size) as pilot:
        await settled(pilot)
        row = next(line for line in text_of(monitor).splitlines() if "wait@12" in line)
        assert "waits at epoch 1" in row
        if size == SIZE:
            assert "waits at epoch 12 for C E" in row


async def test_the_reason_of_a_stopped_run_is_readable(monitor, told) -> None:
    told.snapshot = recordings.search_snapshot()
    async with monitor.run_test(size=SIZE) as pilot:
        await settled(pilot)
        assert "4th of 6 at epoch 4" in text_of(monitor)


async def test_the_whole_reason_stands_with_the_settings(monitor, told) -> None:
    told.snapshot = recordings.search_snapshot()
    async with monitor.run_test(size=(80, 24)) as pilot:
        await settled(pilot)
        at = [s.runs[0] for s in monitor.model.snapshot.standings].index("r02")
        await pilot.press(*"j" * at, "enter")
        await settled(pilot)
        shown = " ".join(text_of(monitor).split())
        assert "4th of 6 at epoch 4 (val_acc 0.34," in shown
        assert "cut 0.48)" in shown


async def test_the_latest_step_of_the_search_stands_in_the_last_line(monitor, told) -> None:
    told.snapshot = recordings.search_snapshot()
    async with monitor.run_test(size=SIZE) as pilot:
        await settled(pilot)
        news = text_of(monitor).splitlines()[-2]
        assert "so far " in text_of(monitor).splitlines()[0]
        assert "epoch 4: D E C continue (3 of 7)" in news


# ---------------------------------------------------------------- idleness


def test_a_sweep_is_judged_once_for_each_change_of_it(tmp_path: Path, monkeypatch) -> None:
    directory = make(tmp_path / "some", ["finished", "finished", "running"], epochs=4)
    judged: list[object] = []
    monkeypatch.setattr(
        snapshot_thread, "judge", lambda sweep: judged.append(sweep) or VerdictView()
    )
    posts: list[object] = []
    follows, watcher = (
        Reader(directory, lambda m: bool(posts.append(m)) or True),
        DirectoryReader(directory),
    )
    while follows._look(watcher):  # a busy machine reads in several looks
        pass
    before = sum(isinstance(each, SnapshotTaken) for each in posts)
    for _ in range(4):
        follows._look(watcher)
    assert len(judged) == 1
    with Layout(directory).journal.open("ab") as file:
        n = watcher._sweep.n + 1
        file.write(ev.encode(ev.Warned(v=ev.VERSION, n=n, at=1.0, text="something")) + b"\n")
    for _ in range(3):
        follows._look(watcher)
    assert len(judged) == 2
    assert sum(isinstance(each, SnapshotTaken) for each in posts) == before + 1


@pytest.mark.parametrize("env", [{}, {"NO_COLOR": "1"}])
def test_an_idle_search_writes_nothing(tmp_path: Path, env: dict[str, str]) -> None:
    directory = make(tmp_path / "search", [])
    lines = [
        ev.encode(ev.msgspec.structs.replace(e, v=ev.VERSION)) + b"\n" for e in recordings.search()
    ]
    Layout(directory).journal.write_bytes(b"".join(lines))
    with Terminal(directory, 160, 45, **env) as terminal:
        terminal.shows("against lr")
        terminal.shows("about 76 planned")
        for key in ("S", "r", "t", "S"):
            terminal.press(key)
            terminal.rest()
        assert "◆" in terminal.text
        assert terminal.idle() == 0
        assert terminal.child.poll() is None
