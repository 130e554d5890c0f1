"""Each form of the report: what it holds, that it is safe to open, and that the same sweep gives the same bytes."""

from __future__ import annotations

import csv
import io
import itertools
import json
import math
import random
import re
import struct
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from types import MappingProxyType
from xml.etree import ElementTree as ET

import msgspec
import pytest
from msgspec import structs

from lrtui.analysis.ranking import rank
from lrtui.frontend.snapshot import Snapshot
from lrtui.metrics import Measurement, RunSeries
from lrtui.report import content, csv_tables, document, figures, markdown
from lrtui.report.figures import axes_and_panels, lr_sensitivity
from lrtui.report.figures import training_curves as curves
from lrtui.report.html import html
from lrtui.report.json_form import as_json, plain
from lrtui.report.model import Point, Report, Sensitivity
from lrtui.search import Auto, Space, Surface
from lrtui.sweep import events as ev
from lrtui.sweep.axis_places import share_of
from lrtui.sweep.state import Run, Sweep, fold
from lrtui.text.format import lr_interval, lr_text
from tests.search.simulated import Simulation

R = 9.0
RUNGS = {"constant": (1.0, 3.0, R)}
EVIL = "</script><script>alert(1)</script>\"'><img src=http://evil.example/x onerror=alert(2)>$x^2$ ]]> --> \ufffe"


# ---------------------------------------------------------------- sweeps without processes


def accuracy(setting: ev.Setting, seed: int, level: float) -> float:
    """Best around 3e-03 for adam, a decade higher for sgd; noisier the higher the LR."""
    best = -1.5 if setting.optimizer.startswith("sgd") else -2.5
    top = 0.93 - 0.06 * (math.log10(setting.lr) - best) ** 2
    noise = random.Random(f"{setting.lr}/{seed}/{level}").gauss(0, 0.004)
    return max(0.1, top * (1 - math.exp(-level / 2.5)) + noise)


def measure(setting: ev.Setting, seed: int, level: float) -> tuple[float, float]:
    value = accuracy(setting, seed, level)
    return value, 2.5 * (1 - value)


def ranged(run: Run) -> ev.RangeTested:
    return ev.RangeTested(
        run=run.id, valley=2e-3, steep=5e-3, minimum=2e-2, slide=8e-3, diverged=1.5, points=100
    )


def searched(optimizers=("adam",), *, seeds=3, dies=0.3, **space) -> Sweep:
    """A whole search by `auto`, in which LRs from `dies` on diverge."""
    simulation = Simulation(
        Auto(),
        Space(
            optimizers=tuple(optimizers), schedules=("constant",), values={}, seeds=seeds, seed=0,
            horizon=R, rungs=RUNGS, share=1 / 3, can_range_test=True, **space,
        ),
        measure,
        ranged=ranged,
        range_cost=0.5,
        val_images=5000,
        dies=lambda run, level: "diverged" if run.setting.lr >= dies else None,
    )  # fmt: skip
    return simulation.run()


def looked(sweep: Sweep, directory: Path = Path("runs/simulated")) -> Snapshot:
    """The sweep with the metric lines that its runs would have written."""
    series = {run.id: _lines(run) for run in sweep.runs.values() if run.attempts}
    return Snapshot(
        directory=directory, sweep=sweep, series=MappingProxyType(series), standings=rank(sweep, series), gpus=(),
        supervisor="none", view_only="", reading=False, journal_bad=0, problem="", read_at=1_700_000_000.0,
    )  # fmt: skip


def _lines(run: Run) -> RunSeries:
    made = RunSeries()
    if run.is_range_test:
        made.extend(1, [_line(i / 200, _risen(i)) for i in range(1, 101)])
        return made
    for attempt in run.attempts:
        last = max((r.level for r in run.reached if r.attempt == attempt.number), default=0.6)
        levels = [i / 4 for i in range(1, int(last * 4) + 1)]
        made.extend(attempt.number, [_line(level, _measured(run, level)) for level in levels])
    return made


def _risen(step: int) -> dict[str, float]:
    lr = 10 ** (-7 + 8 * (step - 1) / 99)
    noise = 0.05 * random.Random(step).gauss(0, 1)
    x = math.log10(lr)
    return {
        "lr": lr,
        "train_loss": 2.3 - 1.6 / (1 + math.exp(-3 * (x + 2.7))) + max(0.0, x + 1) ** 2 * 4 + noise,
    }


def _measured(run: Run, level: float) -> dict[str, float]:
    value, loss = measure(run.setting, run.seed, level)
    dead = run.ending is not None and run.ending.kind == "diverged"
    found = {"train_loss": math.nan if dead and level > 0.4 else loss * 0.9}
    if level == int(level):
        found |= {"val_acc": value, "val_loss": loss, "test_acc": value - 0.01}
    return found


def _line(level: float, values: dict[str, float]) -> Measurement:
    return Measurement(
        level=level, step=level * 100, epoch=level, tokens=None, time=level, values=values
    )


def told(*events: ev.AnyEvent, **plan) -> Sweep:
    """A sweep from bare events, numbered here."""
    opened = ev.SweepOpened(plan=ev.Plan(**{
        "name": "t", "source": "t.toml", "metric": "val_acc", "goal": "max", "loss": "train_loss", "unit": "epoch",
        "horizon": R,
    } | plan))  # fmt: skip
    return fold(
        ev.msgspec.structs.replace(e, n=n, at=float(n)) for n, e in enumerate([opened, *events], 1)
    )


def one_run(
    run: str, lr: float, value: float | None = None, *, kind="finished", why="", seed=0, **setting
):
    events = [
        ev.RunQueued(run=run, setting=ev.Setting(lr, **setting), seed=seed, until=R),
        ev.RunLaunched(run=run, attempt=1, token="t", until=R),
        ev.RunStarted(run=run, attempt=1, pid=1),
    ]
    if value is not None or kind == "finished":
        events.append(ev.RunReached(run=run, attempt=1, level=R, value=value))
    return [*events, ev.RunEnded(run=run, attempt=1, kind=kind, why=why)]


# ---------------------------------------------------------------- content


@pytest.fixture(scope="module")
def made():
    return content(looked(searched()))


def refuse(word):
    raise AssertionError(word)


def test_the_json_is_strict_and_holds_the_fields_that_are_promised(made):
    again = json.loads(as_json(made), parse_constant=refuse)
    assert again["version"] == 2
    assert {
        "version", "experiment", "title", "metric", "goal", "unit", "horizon", "verdict", "groups", "study", "sensitivity", "maps", "rungs",
        "ranges", "leaderboard", "leaderboard_note", "no_answer", "remedy", "next", "runs", "curves", "seeds", "settings", "data", "budget", "closed", "warnings", "versions",
        "ran_with", "experiment_file", "reproduce", "written",
    } == set(again)  # fmt: skip
    assert {
        "lr", "low", "high", "equal", "seeds", "epochs_spent", "epochs_grid", "reasons", "not_tested", "paste",
    } <= set(again["verdict"])  # fmt: skip


def test_the_json_is_of_the_types_that_the_report_has(made):
    """docs/report.md and its schema are made from these types."""
    again = msgspec.json.decode(as_json(made), type=Report)
    assert json.loads(as_json(again)) == json.loads(as_json(made))


def beside_the_lr() -> Sweep:
    """Return an ended search over the LR and two axes, in which the best LR falls by a decade over the first."""

    def measure(setting: ev.Setting, seed: int, level: float) -> tuple[float, float]:
        shares = [share_of(axis, setting.axes[axis.name]) for axis in AXES]
        off = math.log10(setting.lr) + 3 + (shares[0] - 0.5)
        value = 0.95 - 0.1 * off**2 - 0.1 * sum((share - 0.5) ** 2 for share in shares)
        return max(0.1, value), 1 - value

    rungs = {"constant": (1.0, R)}
    space = Space(("sgd",), ("constant",), {}, 1, 0, R, rungs, 1 / 3, axes=AXES)
    strategy = Surface(Auto(7, 1e-5, 1e-1), AXES)
    return Simulation(strategy, space, measure, dies=lambda *_: None).run()


AXES = (ev.Axis("momentum", 0.1, 0.99, "complement"), ev.Axis("<b>dropout", 0.0, 0.5, "linear"))


def test_a_search_beside_the_lr_has_a_heat_map_for_each_axis():
    """They replace the sensitivity chart, and name pick and axes wherever the answer stands."""
    made = content(looked(beside_the_lr()))
    assert [each.axis for each in made.maps] == [axis.name for axis in AXES]
    for each in made.maps:
        assert len(each.values) == len(each.axis_values)
        assert {len(row) for row in each.values} == {len(each.lrs)}
        top = max(max(row) for row in each.values)
        assert 0.92 < top < 0.97
        assert 1 <= len(each.limits) <= 4
        assert max(each.limits) <= top
    value = made.verdict.values["momentum"]
    page = html(made, {})
    lr = lr_text(made.verdict.lr)
    assert f'use lr = <span class="k">{lr}</span>, momentum = {value:g}, &lt;b&gt;dropout' in page
    assert "<b>dropout" not in page
    head = next(line for line in markdown(made).splitlines() if line.startswith("| lr |"))
    assert "momentum" in head
    with figures.style():
        figure = figures.draw(made)["sensitivity"]
    assert [ax.get_ylabel() for ax in figure.axes] == [axis.name for axis in AXES]
    (said,) = figure.legends
    words = [entry.get_text() for entry in said.get_texts()]
    assert {"recommended", "trained to the end", "trained less"} <= set(words)


def test_the_verdict_stands_with_its_interval_its_cost_and_lines_to_paste(made):
    found = made.verdict
    assert found.lr == 2e-3
    assert found.low < found.lr < found.high
    assert found.se > 0
    assert found.seeds == 2, "the seed that selected it is left out"
    sweep = searched()
    assert found.epochs_spent == pytest.approx(sweep.spent)
    seeds = {run.seed for run in sweep.trained()}
    lrs = {run.setting.lr for run in sweep.trained()}
    assert found.epochs_grid == 9 * len(lrs) * len(seeds), "a grid with the same seeds"
    assert found.paste.toml[0] == "lr = 2e-03"
    assert "lr=2e-03" in found.paste.torch[0]
    assert made.groups[0].lr == found.lr


def test_rungs_say_who_went_on_and_who_did_not_and_why(made):
    assert [rung.level for rung in made.rungs] == [1, 3]
    text = markdown(made)
    for rung in made.rungs:
        fates = {each.run: each for each in rung.runs}
        kept = len(rung.kept)
        assert [each.fate for each in rung.runs][:kept] == ["kept"] * kept
        for run in rung.pruned:
            assert f"at epoch {rung.level:g} (" in fates[run].why
            assert fates[run].why in text[text.index("## Rungs") : text.index("## Leaderboard")]
        best = max(each.value or 0 for each in rung.runs)
        assert fates[rung.kept[0]].value == best
        assert f"### At epoch {rung.level:g}: " in text
    assert any(rung.pruned for rung in made.rungs)


def test_a_run_that_died_on_the_way_to_a_rung_is_named_there():
    made = content(looked(searched(dies=3e-3)))
    dead = [each for rung in made.rungs for each in rung.runs if each.fate == "diverged"]
    assert dead
    assert {each.lr for each in dead} <= {6.3e-3, 2e-2, 6.3e-2}
    assert "| diverged |" in markdown(made)


def test_range_tests_stand_with_all_four_suggestions_and_their_curve(made):
    (test,) = made.ranges
    assert (test.valley, test.steep, test.minimum, test.slide) == (2e-3, 5e-3, 2e-2, 8e-3)
    assert len(test.curve) == 100
    assert test.curve[0][0] == pytest.approx(1e-7)
    row = next(line for line in markdown(made).splitlines() if line.startswith("| t01 "))
    assert "2.0e-03 | 5.0e-03 | 2.0e-02 | 8.0e-03 | 1.5e+00" in row


def test_a_range_test_that_prints_no_lr_is_taken_to_have_raised_it_evenly():
    sweep = searched()
    snapshot = looked(sweep)
    bare = RunSeries()
    bare.extend(1, [_line(i / 200, {"train_loss": 2.0}) for i in range(1, 101)])
    made = content(replace(snapshot, series=MappingProxyType({**snapshot.series, "t01": bare})))
    test, run = made.ranges[0], sweep.runs["t01"]
    assert test.curve[0][0] == run.setting.lr
    assert test.curve[-1][0] == pytest.approx(run.lr_to)


def test_a_first_row_that_is_not_recommended_is_explained(made):
    assert not made.leaderboard_note
    rates = {3e-4: 0.80, 1e-3: 0.900, 3e-3: 0.905, 1e-2: 0.86, 3e-2: 0.9055, 1e-1: 0.5}
    events = [e for n, (lr, v) in enumerate(rates.items()) for e in one_run(f"r{n}", lr, v)]
    seen = looked(told(ev.DataPrepared(val=400, classes=10), *events))
    first = sorted(seen.standings, key=lambda row: row.lr != 3e-2)
    other = content(replace(seen, standings=first))
    assert other.verdict.lr != other.leaderboard[0].lr == 3e-2
    note = other.leaderboard_note
    assert note.startswith("Recommended is 3e-03, not the first row, 3e-02: ")
    assert "within the noise" in note
    assert note in markdown(other)


def test_the_title_says_what_was_trained():
    sweep = told(*one_run("r1", 1e-3, 0.5, optimizer="adam"), model="cnn3", dataset="digits")
    sweep = replace(sweep, host="box", opened_at=86400 * 300.5)
    made = content(looked(sweep))
    assert made.title == ("cnn3", "digits", "adam", "9 epochs", "28 Oct 1970", "box/CPU")
    assert markdown(made).startswith("# cnn3 · digits · adam · 9 epochs · 28 Oct 1970 · box/CPU\n")


def test_a_failed_sweep_says_what_happened_and_what_to_do(tmp_path):
    events = [
        e for n in range(2) for e in one_run(f"r{n}", 10.0**-n, kind="failed", why="exit code 1")
    ]
    made = content(looked(told(*events, ev.SweepClosed(code=1, why="2 failed")), tmp_path))
    text = markdown(made)
    assert "**no answer: 2 of 2 runs failed: exit code 1**" in text
    assert f"    lrtui restart {tmp_path} --failed" in text
    assert "start another sweep" not in text, "its experiment file is not here"
    (source := tmp_path / "a.toml").touch()
    made = content(
        looked(told(*events, ev.SweepClosed(code=1, why=""), source=str(source)), tmp_path)
    )
    assert f"    lrtui {source} --new" in markdown(made)
    assert "provisional" not in drawn(made)[0]
    assert '<section class="answer failed">' in drawn(made)[0]


def test_the_remedy_for_missing_data_keeps_its_lines():
    closed = ev.SweepClosed(code=5, why="no data\nput it here:\n  /x/data")
    made = content(looked(told(closed)))
    assert (made.no_answer, made.remedy) == ("no data", ("put it here:", "  /x/data"))
    text = markdown(made)
    assert "**no answer: no data**\n\nWhat to do:\n\n    put it here:\n      /x/data\n" in text
    assert "- ended: exit code 5: no data\n" in text


def test_tables_name_groups_by_what_differs():
    base, eight = "sgd, constant", "sgd, constant, batch_size=8"
    assert document._differences([base, eight]) == {base: document.OWN, eight: "batch_size=8"}
    assert document._differences(["sgd, c", "adam, c"]) == {"sgd, c": "sgd", "adam, c": "adam"}


def test_slow_is_not_said_beside_the_chance_that_settled_it():
    said = "val_acc 0.1 is chance"
    flags = [
        ev.RunFlagged(run="r1", attempt=1, rule=rule, why=f"{said} ({rule})")
        for rule in ("slow", "chance")
    ]
    queued, launched, started, reached, ended = one_run("r1", 1e-1, 0.1)
    made = content(looked(told(queued, launched, started, *flags, reached, ended)))
    assert made.leaderboard[0].why == made.runs[0].why == f"chance: {said} (chance)"


def test_several_settings_get_a_verdict_each_and_one_table_of_all():
    made = content(looked(searched(("adam", "sgd"), seeds=1)))
    assert [each.optimizer for each in made.groups] == ["adam", "sgd"]
    assert made.verdict.optimizer == "adam"
    assert made.groups[0].lr < made.groups[1].lr
    text = markdown(made)
    assert "## Verdict for each setting" in text
    assert "| lr | adam | sgd |" in text
    page = html(made, {})
    assert page.count("Verdict for each setting") == 1


def test_a_study_stands_in_the_report():
    study = (("batch_size", 128),)
    events = [e for n, (size, best) in enumerate(((64, 1e-3), (128, 2e-3), (256, 4e-3)))
              for k, shift in enumerate((-1.0, -0.5, 0.0, 0.5, 1.0))
              for e in one_run(f"r{n}{k}", best * 10**shift, 0.9 - 0.04 * shift**2, optimizer="adam",
                               values={} if size == 128 else {"batch_size": size})]  # fmt: skip
    events.insert(0, ev.DataPrepared(dataset="digits", val=20_000, classes=10))
    events += one_run("r99", 8e-3, 0.9, optimizer="adam", values={"batch_size": 1024})
    made = content(looked(told(*events, study=study, predict=(("batch_size", 1024.0),))))
    (factor,) = made.study
    found = factor.prediction
    assert found.low < found.lr < found.high
    assert len(found.exponent) == 3
    assert (factor.check.lr, factor.check.value) == (8e-3, 0.9)
    assert [level.level for level in factor.levels] == [64, 128, 256]
    text = markdown(made)
    assert "## Study" in text
    assert "| 128 (the experiment's own) | 2.0e-03 |" in text
    assert factor.said[0] in text, "LR* and ~ need no escape"
    assert "predicted at batch_size 1024: LR* " in text
    assert "checked at batch_size 1024: 0.9000 with the predicted lr 8.0e-03" in text
    words = words_of(figures_of(made)["study"])
    assert {
        "64",
        "128",
        "256",
        "1024",
        "the law that the prediction follows",
        "LR* as predicted, with its interval",
        "LR* as measured there",
        "linear rule",
        "square-root rule",
        "LR* lies here, 90 %",
    } <= set(words)
    level, *levels = factor.levels
    opened = replace(factor, levels=(replace(level, edges=("lower",)), *levels))
    made = structs.replace(made, study=(opened,))
    assert "open: best at the edge of its search" in words_of(figures_of(made)["study"])


def test_values_that_are_not_finite_stand_as_words_and_leave_gaps():
    run = one_run("r1", 1e-3, math.nan) + one_run("r2", 1e-2, 0.5)
    snapshot = looked(told(*run))
    odd = RunSeries()
    values = [0.1, math.nan, math.inf, 0.4, math.nan]
    odd.extend(
        1,
        [
            _line(i + 1.0, {"val_acc": v, "val_loss": math.inf, "test_acc": math.nan})
            for i, v in enumerate(values)
        ],
    )
    made = content(replace(snapshot, series=MappingProxyType({**snapshot.series, "r1": odd})))
    json.loads(as_json(made), parse_constant=refuse)
    curve = next(each for each in made.curves if each.run == "r1")
    assert curve.y == (0.1, None, 0.4, None)
    own = plain(next(each for each in made.runs if each.run == "r1"))
    found = (own["value"], own["val_loss"], own["test"])
    assert found == ("NaN", "Infinity", {"test_acc": "NaN"})
    assert "nan" in markdown(made).lower()
    page, shown = drawn(made)
    assert "<svg" in page
    assert shown


# ---------------------------------------------------------------- tables


def test_the_csv_has_one_row_per_run_that_a_reader_of_csv_can_take():
    sweep = searched()
    made = content(looked(sweep))
    rows = list(csv.DictReader(io.StringIO(csv_tables.runs(made))))
    assert [row["run"] for row in rows] == list(sweep.runs)
    for row in rows:
        run = sweep.runs[row["run"]]
        assert float(row["lr"]) == run.setting.lr
        assert int(row["seed"]) == run.seed
        assert float(row["spent_epoch"]) == pytest.approx(run.spent)
        assert row["range_test"] == ("yes" if run.is_range_test else "no")
        if run.ending.kind == "finished" and not run.is_range_test:
            assert float(row["value"]) == pytest.approx(accuracy(run.setting, run.seed, R))
            assert float(row["at_epoch"]) == R
            assert float(row["test_acc"]) == pytest.approx(float(row["value"]) - 0.01)
    curves = list(csv.DictReader(io.StringIO(csv_tables.curves(made))))
    assert {row["metric"] for row in curves} == {"val_acc", "train_loss"}
    assert all(float(row["epoch"]) <= R for row in curves)


def test_a_cell_of_the_csv_is_never_a_formula_and_quotes_stay_inside():
    events = [
        *one_run(
            "r1", 1e-3, 0.5, why='=HYPERLINK("http://evil")', values={"wd": "+1", "b": 'a,"b"'}
        )
    ]
    made = content(looked(told(*events, name="@SUM(A1)")))
    (row,) = csv.DictReader(io.StringIO(csv_tables.runs(made)))
    assert row["why"] == '\'=HYPERLINK("http://evil")'
    assert row["experiment"] == "'@SUM(A1)"
    assert (row["set.wd"], row["set.b"]) == ("'+1", 'a,"b"')


# ---------------------------------------------------------------- the page and the charts


def drawn(made):
    with figures.style():
        charts = figures.draw(made)
        inline = {
            name: figures.inline(figure, name, f"{made.experiment} {name}")
            for name, figure in charts.items()
        }
    return html(made, inline), inline


class Page(HTMLParser):
    """Collects tags, attributes and text, and whether every tag was closed."""

    VOID = frozenset({"meta", "br"})

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str]] = []
        self.text: list[str] = []
        self.open: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += [(key, value or "") for key, value in attrs]
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += [(key, value or "") for key, value in attrs]

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text.append(data)


def check_alone(text: str) -> Page:
    """Assert that a page needs nothing but itself, and return it."""
    page = Page(text)
    assert page.open == []
    assert not {"script", "link", "img", "iframe", "object", "embed", "base", "form", "a"} & set(
        page.tags
    )
    for key, value in page.attributes:
        assert not key.startswith("on")
        assert key != "src"
        if "href" in key:
            assert value.startswith("#")
    styles = re.findall(r"<style>(.*?)</style>", text, re.DOTALL)
    assert "url(" not in "".join(styles)
    assert "@import" not in "".join(styles)
    assert "default-src 'none'" in text
    assert "width=device-width" in text
    return page


def test_the_page_stands_alone_with_its_charts_inside(made):
    text, _ = drawn(made)
    page = check_alone(text)
    assert page.tags.count("svg") == 3
    assert "http:" not in text, "not even a name space"
    assert "prefers-color-scheme:dark" in text
    said = "".join(page.text)
    interval = lr_interval(made.verdict.low, made.verdict.high, made.verdict.open)
    for words in (
        "use lr = 2e-03",
        interval,
        "Range test",
        "Rungs",
        "Leaderboard",
        "lr = 2e-03",
        "decades",
    ):
        assert words in said, words
    assert said.count(interval) == 1, "the interval once"
    ids = [value for key, value in page.attributes if key == "id"]
    assert len(ids) == len(set(ids)), "the charts share a page"


def test_colours_in_the_page_are_names_so_that_it_can_be_dark(made):
    text, inline = drawn(made)
    names = set(re.findall(r"var\((--\w+)\)", "".join(inline.values())))
    light, dark = text.split("@media (prefers-color-scheme:dark)")[:2]
    assert {"--ink", "--muted", "--grid", "--h0"} <= names
    for name in names:
        assert f"{name}:#" in light
        assert f"{name}:#" in dark
    assert not re.findall(r"(?:fill|stroke): #\w+", "".join(inline.values()))


def test_hostile_names_become_text_everywhere():
    events = [
        *one_run("r1", 1e-3, 0.5, why=EVIL, optimizer=EVIL, schedule=EVIL, values={EVIL: EVIL}),
        *one_run("r2", 1e-2, kind="failed", why=EVIL, optimizer=EVIL),
        ev.Warned(text=EVIL),
    ]
    made = content(looked(told(*events, name=EVIL, dataset=EVIL, model=EVIL, strategy=EVIL)))
    text, inline = drawn(made)
    page = check_alone(text)
    assert page.tags.count("h1") == 1
    assert "alert(1)" in "".join(page.text)
    for name, figure in figures_of(made).items():
        root = ET.fromstring(figure)
        assert not [
            each
            for each in root.iter()
            if each.tag.endswith(("script", "image", "foreignObject", "a"))
        ], name
    assert inline


def test_hostile_names_make_no_markup_in_markdown_as_others_render_it():
    # markdown-it comes with textual.
    rendered = pytest.importorskip("markdown_it").MarkdownIt(
        "gfm-like", {"html": True, "linkify": False}
    )
    events = one_run(
        "r1", 1e-3, 0.5, why=f"{EVIL} [x](http://e) `", optimizer=EVIL, values={EVIL: EVIL}
    )
    made = content(looked(told(*events, name=f"{EVIL}\n# x", dataset=EVIL)))
    warnings = (
        "# h",
        "- [x](y)",
        "1. one",
        "[a]: b",
        "> q",
        "* c *d*",
        "a\\",
        "&lt; < 3",
        "+ LR* ~ x^2",
        "\\<script>",
        "\\`<b>`",
    )
    made = structs.replace(made, warnings=warnings)
    page = Page(rendered.render(markdown(made)))
    assert not {"blockquote", "ol", "em"} & set(page.tags)
    assert {"# h", "- [x](y)", "1. one", "[a]: b", "> q", "* c *d*", "a\\", "+ LR* ~ x^2"} <= set(
        page.text
    )
    assert not {"script", "img", "a"} & set(page.tags)
    assert page.tags.count("h1") == 1
    assert "alert(1)" in "".join(page.text)


def figures_of(made) -> dict[str, str]:
    with figures.style():
        return {
            name: figures.svg(figure, name, made.experiment)
            for name, figure in figures.draw(made).items()
        }


def words_of(svg: str) -> list[str]:
    return [
        "".join(each.itertext()) for each in ET.fromstring(svg).iter() if each.tag.endswith("}text")
    ]


def test_the_sensitivity_chart_shows_pick_interval_equal_range_and_the_dead():
    rates = {1e-4: 0.80, 3.2e-4: 0.88, 1e-3: 0.905, 3.2e-3: 0.906, 1e-2: 0.89}
    events = [e for seed in (0, 1, 2) for n, (lr, v) in enumerate(rates.items())
              for e in one_run(f"r{n}s{seed}", lr, v + 0.0005 * seed, seed=seed, optimizer="adam")]  # fmt: skip
    events += one_run("r9", 0.1, kind="diverged", why="nan: train_loss", optimizer="adam")
    made = content(looked(told(ev.DataPrepared(val=50_000, classes=10), *events)))
    found = made.verdict
    words = words_of(figures_of(made)["sensitivity"])
    assert f"{found.lr:.1e}" in words
    assert f"{found.decades:.1f} decades" in words
    assert "equal within 0.005" in words
    assert "best LR lies here, 90 %" in words
    assert {
        "failed, diverged or learned nothing",
        "diverged",
        "a seed",
        "± standard error over seeds",
    } <= set(words)
    assert {"1e-04", "1e-03", "1e-02", "1e-01", "learning rate", "val_acc"} <= set(words)


def test_a_value_far_off_does_not_flatten_the_chart_and_is_named():
    rates = {1e-4: 0.70, 1e-3: 0.72, 1e-2: 0.71, 3e-2: 0.69, 1e-1: -900.0}
    events = [e for n, (lr, v) in enumerate(rates.items()) for e in one_run(f"r{n}", lr, v)]
    made = content(looked(told(*events, metric="r2")))
    low, high, log = axes_and_panels.limits(list(rates.values()), "max")
    assert (low > 0.5, high < 0.8, log) == (True, True, False)
    assert "-900.0" in " ".join(words_of(figures_of(made)["sensitivity"]))


def test_the_axis_is_that_of_the_lrs_trained_to_the_end_where_they_are_enough():
    def seen(*groups: list[Point]) -> list[float]:
        return lr_sensitivity._worth_seeing([Sensitivity(group="", points=each) for each in groups])

    one = content(looked(told(*one_run("r1", 1e-4, 0.8)))).sensitivity[0].points[0]
    full = [structs.replace(one, values=(v,), mean=v) for v in (0.8, 0.82, 0.9)]
    shorter = structs.replace(one, lr=1e-5, values=(0.1,), mean=0.1, full=False)
    few, enough = [shorter, *full], [shorter, *full, full[0]]
    assert min(seen(few)) == 0.1
    assert min(seen(enough)) == 0.8
    assert min(seen(few, few)) == 0.1


def test_losses_over_decades_get_a_log_axis_with_plain_numbers():
    rates = {1e-4: 3.0, 1e-3: 1.2, 1e-2: 0.9, 1e-1: 4e5}
    events = [e for n, (lr, v) in enumerate(rates.items()) for e in one_run(f"r{n}", lr, v)]
    words = words_of(
        figures_of(content(looked(told(*events, metric="val_loss", goal="min"))))["sensitivity"]
    )
    assert {"1", "10", "1000", "1e+05"} <= set(words)
    assert not any("$" in word for word in words)


def test_curves_are_labelled_by_lr_and_labels_keep_apart():
    words = words_of(figures_of(content(looked(searched())))["curves"])
    assert {"2e-03", "6.3e-04", "epochs", "dotted: rungs"} <= set(words)
    places = curves.apart([0.5, 0.5, 0.5, 0.99, 0.99], 0.1)
    assert all(b - a >= 0.1 - 1e-9 for a, b in itertools.pairwise(places))
    assert max(places) <= 1.0


def test_the_curves_of_a_stopped_sweep_fill_the_chart():
    made = content(looked(searched()))
    assert "epochs" in words_of(figures_of(made)["curves"])
    words = words_of(figures_of(structs.replace(made, horizon=1000 * made.horizon))["curves"])
    assert f"epochs (of {1000 * made.horizon:g})" in words


@pytest.mark.parametrize(
    "sweep",
    [
        pytest.param(told(), id="empty"),
        pytest.param(Sweep(), id="no plan"),
        pytest.param(told(ev.RunQueued(run="r1", setting=ev.Setting(1e-3), seed=0, until=R)), id="queued"),
        pytest.param(told(*(e for lr in (1e-3, 1e-2) for e in one_run(f"r{lr}", lr, kind="diverged", why="nan: x"))), id="all dead"),
        pytest.param(told(*one_run("r1", 1e-3, 0.5)), id="one run"),
        pytest.param(told(*one_run("r1", 1e-3, 0.0), *one_run("r2", 1.5e-3, 0.0), goal="min", metric="val_loss"), id="zeros"),
        pytest.param(told(*one_run("r1", 1e-3, 1e150), *one_run("r2", 1e-2, -1e150)), id="huge"),
        pytest.param(told(*(e for n in range(40) for e in one_run(f"r{n}", 10 ** (-4 + n / 20), 0.5 + n / 100))), id="forty"),
        pytest.param(told(*(e for n in range(15) for e in one_run(f"r{n}", 1e-3, 0.5, values={"wd": n}))), id="fifteen groups"),
    ],
)  # fmt: skip
def test_a_report_can_be_made_of_every_sweep(sweep):
    made = content(looked(sweep))
    json.loads(as_json(made), parse_constant=refuse)
    text, _ = drawn(made)
    check_alone(text)
    assert markdown(made).startswith("# ")
    assert next(csv.reader(io.StringIO(csv_tables.runs(made))))[0] == "experiment"
    for svg in figures_of(made).values():
        ET.fromstring(svg)


def test_when_all_died_the_report_says_what_to_try():
    made = content(looked(told(*(e for lr in (1e-3, 1e-2) for e in one_run(f"r{lr}", lr, kind="diverged", why="nan: x")))))  # fmt: skip
    assert made.verdict.lr is None
    assert "try lower than 1e-03" in markdown(made)
    text, inline = drawn(made)
    assert "Sensitivity" not in text, "nothing to draw"
    assert inline["sensitivity"] not in text


def test_the_same_sweep_gives_the_same_bytes(tmp_path, monkeypatch):
    first, second = content(looked(searched())), content(looked(searched()))
    assert as_json(first) == as_json(second)
    assert drawn(first)[0] == drawn(second)[0]
    assert figures_of(first) == figures_of(second)
    rc = tmp_path / "matplotlibrc"
    rc.write_text("font.size: 30\nlines.linewidth: 9\nsvg.fonttype: path\n")
    import matplotlib as mpl

    with mpl.rc_context(fname=rc):
        assert figures_of(second) == figures_of(first), "whatever the user's matplotlibrc says"
        assert mpl.rcParams["font.size"] == 30, "and it is left alone"


def test_the_png_is_a_picture_of_a_good_size_and_the_same_each_time(made):
    with figures.style():
        one = figures.png(figures.draw(made)["sensitivity"])
        two = figures.png(figures.draw(made)["sensitivity"])
    assert one[:8] == b"\x89PNG\r\n\x1a\n"
    width, height = struct.unpack(">II", one[16:24])
    assert (width > 1000, height > 500) == (True, True)
    assert one == two


def test_the_svg_file_can_be_read_by_a_strict_reader_and_its_links_lead_somewhere(made):
    for name, text in figures_of(made).items():
        root = ET.fromstring(text)
        assert root.tag == "{http://www.w3.org/2000/svg}svg"
        ids = {each.get("id") for each in root.iter()}
        for target in re.findall(r'(?:url\(#|href="#)([^")]+)', text):
            assert target in ids, (name, target)
        assert "date" not in text.lower()
