"""The pane of a study: LR* against the factor, and the best LR by level."""

from dataclasses import replace

import pytest
from msgspec import structs

from lrtui.analysis.prediction import Seen, predict
from lrtui.analysis.study import Factor
from lrtui.frontend.run_colors import RunMark
from lrtui.sweep.state import group_of, group_text
from lrtui.tui.arrangement import beside, pane_of_phase
from lrtui.tui.charts import curves, plot, study_chart
from lrtui.tui.panels.best_by_level import Study
from lrtui.tui.panels.tab_row import tabs
from lrtui.tui.view_model import View, ViewModel
from tests.tui import recordings


def model(*, ended: bool = True, selected: str = "r01") -> ViewModel:
    snapshot = recordings.search_snapshot(recordings.study(ended=ended))
    marks = {run: RunMark(run[1:], "#ffffff") for run in snapshot.sweep.runs}
    verdicts = recordings.judgement(snapshot.sweep)
    return ViewModel(snapshot, View(selected=selected), marks, verdicts)


def pane(width: int, height: int = 14, **of: object) -> list[str]:
    return [strip.text for strip in Study().paint(model(**of), width, height)]


def test_the_chart_shows_lr_star_its_interval_and_the_rules() -> None:
    factor = recordings.studied()
    strips = plot.draw(study_chart.picture(factor, 12), 60, 12, quick=True)
    lines = [strip.text for strip in strips]
    assert "LR* against batch_size" in lines[0]
    assert "fit 0.57" in lines[0]
    text = "\n".join(lines)
    assert (text.count("○"), text.count("●")) == (3, 1), "the own level is filled"
    assert text.count("▲") == 1, "the side that is open"
    assert "▼" not in text
    assert all(rule in text for rule in ("fit", "lin", "sqr"))
    assert [place.split() for place in lines[-1:]] == [["8", "32", "128", "512"]]


def test_a_level_without_an_answer_and_names_are_drawn() -> None:
    levels = [
        replace(each, level=name, text=name, linear=None, root=None, fitted=None)
        for each, name in zip(recordings.studied().levels, "abcd", strict=True)
    ]
    levels[0] = replace(levels[0], lr=None, low=None, high=None, why="every run diverged")
    factor = replace(
        recordings.studied(), levels=tuple(levels), numeric=False, exponent=None, excluded=()
    )
    text = "\n".join(s.text for s in plot.draw(study_chart.picture(factor, 12), 60, 12, quick=True))
    assert "×" in text  # noqa: RUF001  # the sign on the chart
    assert "fit" not in text


@pytest.mark.parametrize("width", [40, 80, 110, 160, 240])
def test_each_level_has_a_row_beside_the_chart(width: int) -> None:
    lines = pane(width)
    assert len(lines) <= 14
    assert all(len(line) <= width for line in lines)
    text = "\n".join(lines)
    assert "1.0e-02  3.3e-03..> 3.0e-02" in text
    assert ("LR* against" in text) == (width >= 80)
    assert ("square-root 6.0e-03" in text) == (width >= 140)
    assert "rises with it" in text


def test_the_large_area_of_a_study_that_ended_is_its_answer() -> None:
    assert pane_of_phase(model()) == "study"
    assert pane_of_phase(model(ended=False)) == "charts"
    assert "study" in beside(model(ended=False), 160)


def test_the_tab_is_only_there_in_a_study() -> None:
    other = ViewModel(recordings.search_snapshot())
    for width in (60, 80, 160):
        assert "study" in dict(tabs(model(), width))
        assert "study" not in dict(tabs(other, width))
    assert "study" not in other.panes


def test_messages_name_runs_as_the_leaderboard_does() -> None:
    shown = model()
    assert shown.named("r02 1e-03 is killed; r03 3e-03 is queued") == "02 1e-03 is killed; 03 3e-03 is queued"  # fmt: skip
    for other in ("r02 5e-03 is killed", "runs/r02-lr1e-03/a1", "r99 1e-03", "r02"):
        assert shown.named(other) == other


def test_the_factor_is_the_one_that_the_run_under_the_cursor_varies() -> None:
    shown = model(selected="r06")
    first = replace(recordings.studied(), name="data", levels=recordings.studied().levels[1:2])
    two = structs.replace(shown.verdicts, factors=(first, recordings.studied()))
    assert structs.replace(shown, verdicts=two).factor == recordings.studied()
    own = structs.replace(shown, verdicts=two, view=View(selected="r01"))
    assert own.factor == first, "the experiment's own level belongs to every factor"


def test_the_curves_are_those_of_the_level_under_the_cursor() -> None:
    shown = model(selected="r06")
    runs = shown.snapshot.sweep.runs
    level = group_of(runs["r06"].setting)
    drawn = set(runs) - curves.absent(shown)
    assert {group_of(runs[run].setting) for run in drawn} == {level}
    pinned = structs.replace(shown, view=View(selected="r06", pinned="r01"))
    assert set(runs) - curves.absent(pinned) == {*drawn, "r01"}
    assert group_text(level) in curves.picture(shown, "val_acc", 60, 12, curves.Framing()).title


def test_the_chart_reaches_to_the_predicted_level() -> None:
    known = [(8, 1.5e-3), (32, 3e-3), (128, 6e-3)]
    seen = [Seen(size, lr, lr / 1.5, lr * 1.5) for size, lr in known]
    factor = replace(recordings.studied(), prediction=predict("batch_size", seen, 512))
    drawn = plot.draw(study_chart.picture(factor, 16), 60, 16, quick=True)
    lines = [strip.text for strip in drawn]
    assert lines[-1].split() == ["8", "32", "128", "512"]
    assert "predicted" in lines[0]
    assert "\n".join(lines[1:]).count("◆") == 1
    assert "fit 0.57" not in lines[0], "the law that the prediction follows takes its place"
    said = "\n".join(strip.text for strip in Study().paint(with_factor(factor), 160, 20))
    assert "predicted at batch_size 512: LR* " in said


def with_factor(factor: Factor) -> ViewModel:
    shown = model()
    return structs.replace(shown, verdicts=structs.replace(shown.verdicts, factors=(factor,)))
