"""Why a run failed is seen wherever one looks: log, explain, report and monitor show its output and a `parse` that reads it."""

import dataclasses
import io
import json
from types import SimpleNamespace

import pytest

from lrtui.cli import explain
from lrtui.cli.inspect import snapshot_of
from lrtui.frontend import log_mode
from lrtui.frontend.failure import about_output, advice, parse_key
from lrtui.frontend.snapshot import DirectoryReader
from lrtui.report import content
from lrtui.report.blocks import Code
from lrtui.report.document import document
from lrtui.sweep.layout import AttemptLayout, Layout
from lrtui.tui.snapshot_thread import Reader
from tests.recorded import make

PRINTED = "loading data\n\x1b[31mepoch 1: train loss 2.1, val acc 31.5%\x1b[0m\nepoch 2: train loss 1.9, val acc 35.0%\nbye\n"
PARSE = r"parse = '\bepoch\s*(?P<epoch>\d+).*?\btrain +loss\s*(?P<train_loss>\S+).*?\bval +acc\s*(?P<val_acc>\S+)'"


@pytest.fixture
def directory(tmp_path):
    """Return a sweep whose first run failed, printed text, and measured nothing; the second finished."""
    made = make(tmp_path / "sweep", ["failed", "finished"], epochs=4, closed=1)
    run = snapshot_of(made).sweep.runs["r01"]
    files = AttemptLayout(Layout(made).attempt(run.folder, 1))
    files.metrics.unlink(missing_ok=True)
    files.output.write_text(PRINTED)
    return made


def test_a_failed_run_shows_its_output_and_what_reads_it(directory) -> None:
    snapshot = snapshot_of(directory)
    said = about_output(snapshot, snapshot.sweep.runs["r01"])
    assert said[:2] == ["the last lines of its output:", "  loading data"]
    assert "  epoch 1: train loss 2.1, val acc 31.5%" in said
    assert said[-1] == f"  {PARSE}"
    assert about_output(snapshot, snapshot.sweep.runs["r02"]) == []


def test_a_script_without_lrtui_hears_why(directory) -> None:
    output = AttemptLayout(Layout(directory).attempt("r01-lr1e-05", 1)).output
    output.write_text(f"{PRINTED}ModuleNotFoundError: No module named 'lrtui'\n")
    snapshot = snapshot_of(directory)
    (said,) = advice(snapshot, snapshot.sweep.runs["r01"])
    assert "`python -I`" in said
    assert "print JSON lines" in said


def test_a_missing_module_names_the_python(directory) -> None:
    files = AttemptLayout(Layout(directory).attempt("r01-lr1e-05", 1))
    files.output.write_text("ModuleNotFoundError: No module named 'torch'\n")
    snapshot = snapshot_of(directory)
    assert advice(snapshot, snapshot.sweep.runs["r01"]) == [], "an older lrtui did not write it"
    files.argv.write_text(json.dumps({"argv": ["python3", "a.py"], "found": "/usr/bin/python3"}))
    said = advice(snapshot, snapshot.sweep.runs["r01"])
    assert said[0] == "python3 was /usr/bin/python3"
    assert max(map(len, said)) < 78, "the output pane cuts its lines"


def test_near_misses_are_quoted_for_every_run(directory) -> None:
    series = snapshot_of(directory).series["r02"]
    series.misses = ("3 records came before any epoch: x",)
    snapshot = dataclasses.replace(snapshot_of(directory), series={"r02": series})
    said = about_output(snapshot, snapshot.sweep.runs["r02"])
    assert said == ["not read: 3 records came before any epoch: x"]


def test_a_run_that_measured_gets_no_pattern(directory) -> None:
    files = AttemptLayout(Layout(directory).attempt("r01-lr1e-05", 1))
    files.metrics.write_text('{"epoch": 1, "train_loss": 2.1}\n')
    snapshot = snapshot_of(directory)
    assert advice(snapshot, snapshot.sweep.runs["r01"]) == []
    assert "  bye" in about_output(snapshot, snapshot.sweep.runs["r01"])


def test_the_log_shows_it(directory) -> None:
    out = io.StringIO()
    log_mode.run(directory, out=out, follow=False)
    assert f"r01 1e-05   {PARSE}\n" in out.getvalue()
    assert "r01 1e-05   bye\n" in out.getvalue()
    out = io.StringIO()
    log_mode.run(directory, out=out, follow=False, json=True)
    told = [json.loads(line) for line in out.getvalue().splitlines()]
    assert [e["run"] for e in told if e["event"] == "OutputExplained"] == ["r01"]


def test_explain_shows_it(directory, capsys) -> None:
    assert explain.run(SimpleNamespace(directory=directory, runs=["r01"])) == 0
    assert f"    {PARSE}\n" in capsys.readouterr().out


def test_the_report_shows_it(directory) -> None:
    made = content(snapshot_of(directory))
    shown = [b for b in document(made) if isinstance(b, Code) and b.label.startswith("r01")]
    assert f"  {PARSE}" in shown[0].lines
    assert [run.run for run in made.runs if run.output] == ["r01"]


def test_the_output_pane_shows_it_last(directory) -> None:
    reader = DirectoryReader(directory)
    snapshot = reader.snapshot(60)
    thread = Reader(directory, lambda _: None)
    shown = thread._output(reader, snapshot, snapshot.sweep.runs["r01"])
    assert shown[0] == "loading data"
    assert shown[-1] == f"  {PARSE}"


def test_several_patterns_become_a_list() -> None:
    assert parse_key(["a", "b'c"]) == """parse = ['a', "b'c"]"""
