"""`precision = "auto"` is answered once for a sweep, and every run trains in what was answered."""

from __future__ import annotations

import json

import pytest

from lrtui.config import describe, parse
from lrtui.supervisor.startup import precision as precision_of
from lrtui.sweep import events as ev
from lrtui.sweep.layout import AttemptLayout, Layout
from lrtui.sweep.state import fold
from lrtui.train import precision
from lrtui.train.options import parse as options
from lrtui.train.prepare import main as prepare
from tests.supervisor.test_preparation import FILE, Sweeping

AUTO = 'precision = "auto"\n'


def training(prepared, *more):
    words = ["--lr=1e-3", "--epochs=1", "--threads=1", "--batch-size=16", "--model=mlp"]
    return options([f"--prepared={prepared}", *words, *more])


@pytest.mark.parametrize(("least", "chosen"), [(0.0, "bf16"), (1e9, "fp32")])
def test_bf16_is_chosen_where_it_is_clearly_faster(prepared, monkeypatch, least, chosen):
    monkeypatch.setattr(precision, "CLEARLY", least)
    answer, said = precision.faster(training(prepared))
    assert answer == chosen
    assert "times as fast as fp32 on this CPU" in said


@pytest.mark.parametrize("speed", [0.02, 0.3, 1.0, 8.0])
def test_no_step_is_measured_where_products_are_slow(prepared, monkeypatch, speed):
    """On a CPU without bf16 a step may take 10 s."""
    measured = []
    monkeypatch.setattr(precision, "bf16_speed", lambda: speed)
    monkeypatch.setattr(precision, "take_step", measured.append)
    answer, said = precision.faster(training(prepared))
    assert bool(measured) == (speed >= 0.3)
    assert measured or (answer, said[:33]) == ("fp32", "bf16 multiplies matrices 0.02 tim")


def test_bf16_speed_is_a_ratio():
    assert 0 < precision.bf16_speed() < 1000


def test_the_preparation_answers_only_where_it_is_asked(tmp_path, capsys):
    words = ["--dataset=digits", f"--data-dir={tmp_path}"]
    assert prepare(words) == 0
    assert not {"precision", "bf16_speed"} & json.loads(capsys.readouterr().out).keys()
    assert prepare([*words, "--bf16"]) == 0
    assert json.loads(capsys.readouterr().out)["bf16_speed"] > 0
    assert prepare([*words, "--model=linear", "--batch-size=16"]) == 0
    out, err = capsys.readouterr()
    assert json.loads(out)["precision"] in {"fp32", "bf16"}
    assert err.startswith(f"precision {json.loads(out)['precision']}: bf16 ")


def test_where_nothing_can_be_measured_it_is_fp32_and_the_runs_say_why(
    tmp_path, capsys, monkeypatch
):
    monkeypatch.setattr(precision, "bf16_speed", lambda: 1.0)
    (tmp_path / "broken.py").write_text("def build(*a): raise OSError('no such luck')")
    words = ["--dataset=digits", f"--data-dir={tmp_path}", f"--beside={tmp_path}"]
    assert prepare([*words, "--model=broken:build"]) == 0
    out, err = capsys.readouterr()
    assert json.loads(out)["precision"] == "fp32"
    assert "precision fp32: could not be measured: " in err
    assert "no such luck" in err


def test_a_study_asks_with_its_first_data_set_alone(tmp_path):
    sweeping = Sweeping(tmp_path, text=AUTO + FILE)
    sweeping.run()
    layout = Layout(tmp_path)
    words = [
        json.loads(AttemptLayout(layout.root / "data" / f"a{number}").argv.read_text())["argv"]
        for number in (1, 2, 3)
    ]
    assert ["--model=linear" in each for each in words] == [True, False, False]


@pytest.mark.parametrize("answered", ["fp32", "bf16", "", "int4"])
def test_every_run_gets_what_the_first_preparation_answered(answered):
    events = [
        ev.DataPrepared(v=ev.VERSION, n=1, dataset="digits", precision=answered),
        ev.DataPrepared(v=ev.VERSION, n=2, dataset="mnist", precision="bf16"),
    ]
    sweep = fold([ev.decode_event(ev.encode(event)) for event in events])
    assert precision_of(parse(AUTO + FILE, "x.toml"), sweep) == (
        "bf16" if answered == "bf16" else "fp32"
    )
    assert precision_of(parse('precision = "bf16"\n' + FILE, "x.toml"), sweep) == "bf16"


def test_check_says_that_it_is_measured_and_once():
    lines = describe(parse(AUTO + FILE, "x.toml"))
    assert "fp32 or bf16, whichever measures faster before the first run" in lines[1]
    assert "--precision=PRECISION" in "\n".join(lines)
