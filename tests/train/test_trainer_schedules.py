"""The learning rate over the horizon."""

from __future__ import annotations

import dataclasses
import json
import math
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from torch.optim import lr_scheduler as of_torch

from lrtui.config import parse as parse_experiment
from lrtui.config.rungs import decays, warmup
from lrtui.config.schedule_charts import draw
from lrtui.errors import ExperimentError
from lrtui.train.options import parse
from lrtui.train.run_state import resume, save, set_up
from lrtui.train.schedules import SCHEDULES
from lrtui.train.schedules.warmup import advance, build_schedule, observe
from lrtui.train.step import take_step
from tests.train.running import ROOT


def rates(name, steps, **options):
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=0.2)
    schedule = build_schedule(SCHEDULES[name], optimizer, steps, options)
    found = []
    for _ in range(steps):
        found.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        advance(schedule)
    return found


def test_constant_stays():
    assert rates("constant", 10) == [0.2] * 10


@pytest.mark.parametrize("end", [0.0, 0.1])
def test_cosine_is_the_papers_formula(end):
    expected = [
        0.2 * (end + (1 - end) * (1 + math.cos(math.pi * step / 50)) / 2) for step in range(50)
    ]
    assert rates("cosine", 50, end=end) == pytest.approx(expected, rel=1e-9)


def test_step_falls_at_thirds_by_ten():
    expected = [0.2] * 10 + [0.02] * 10 + [0.002] * 10
    assert rates("step", 30) == pytest.approx(expected)


@pytest.mark.parametrize("steps", [10, 16, 22, 100, 1000])
def test_step_decays_twice_whatever_the_length(steps):
    assert rates("step", steps)[-1] == pytest.approx(0.2 * 0.01)


def torchs(make, steps):
    """The LRs of torch's own scheduler at a plain LR of 0.2."""
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=0.2)
    scheduler, found = make(optimizer), []
    for _ in range(steps):
        found.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        scheduler.step()
    return found


@pytest.mark.parametrize(
    ("name", "options", "make"),
    [
        ("step", {"gamma": 0.5, "every": 0.2}, lambda o: of_torch.StepLR(o, 12, 0.5)),
        ("multi_step", {"at": [0.9, 0.5]}, lambda o: of_torch.MultiStepLR(o, [30, 54])),
        ("exponential", {"end": 0.1}, lambda o: of_torch.ExponentialLR(o, 0.1 ** (1 / 60))),
        ("polynomial", {"power": 3}, lambda o: of_torch.PolynomialLR(o, 60, 3)),
        ("linear", {"end": 0.1}, lambda o: of_torch.LinearLR(o, 1, 0.1, 60)),
        ("cosine", {"end": 0.1}, lambda o: of_torch.CosineAnnealingLR(o, 60, 0.02)),
        (
            "cosine_restarts",
            {"cycles": 2, "longer": 2, "end": 0.1},
            lambda o: of_torch.CosineAnnealingWarmRestarts(o, 20, 2, 0.02),
        ),
        (
            "one_cycle",
            {"warmup": 0.25, "shape": "linear"},
            lambda o: of_torch.OneCycleLR(
                o, 0.2, 60, pct_start=0.25, anneal_strategy="linear", cycle_momentum=False
            ),
        ),
        (
            "cyclical",
            {"cycles": 3, "halve": True},
            lambda o: of_torch.CyclicLR(o, 0.02, 0.2, 10, mode="triangular2", cycle_momentum=False),
        ),
    ],
)
def test_each_step_is_torchs(name, options, make):
    expected = torchs(make, 60)
    assert rates(name, 60, **options) == pytest.approx(expected, rel=1e-12)
    assert len(set(expected)) > 1


@pytest.mark.parametrize(
    ("name", "options", "formula"),
    [
        ("exponential", {}, lambda x: 0.01**x),
        ("polynomial", {}, lambda x: (1 - x) ** 2),
        ("linear", {}, lambda x: 1 - x),
        ("wsd", {}, lambda x: min(1, (1 - x) / 0.2)),
        ("wsd", {"decay": 0.5, "end": 0.1}, lambda x: 1 - 0.9 * max(0, x - 0.5) / 0.5),
        ("cosine_restarts", {"cycles": 4}, lambda x: (1 + math.cos(math.pi * (4 * x % 1))) / 2),
        ("cyclical", {"cycles": 2, "low": 0.2}, lambda x: 0.2 + 0.8 * (1 - abs(4 * x % 2 - 1))),
    ],
)
def test_the_closed_form_over_the_share_of_the_horizon(name, options, formula):
    expected = [0.2 * formula(step / 100) for step in range(100)]
    assert rates(name, 100, **options) == pytest.approx(expected, rel=1e-9)


def test_one_cycle_rises_to_the_lr_and_ends_far_below():
    found = rates("one_cycle", 100)
    assert found[0] == pytest.approx(0.2 * 0.04)
    assert (found.index(max(found)), max(found)) == (29, pytest.approx(0.2))
    assert found[-1] == pytest.approx(0.2 * 4e-6)


def test_plateau_is_torchs_reduce_on_plateau_fed_with_the_same_losses():
    losses = [3, 2, 2.1, 2.2, 2.0, 2.3, math.nan, 1.0, 1.1, 1.2, 1.3, 1.4, 1.5, 1.6, 1.7]
    options = {"factor": 0.5, "patience": 2, "cooldown": 1, "end": 0.2}
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=0.2)
    reference = of_torch.ReduceLROnPlateau(
        optimizer, factor=0.5, patience=2, cooldown=1, min_lr=0.04
    )
    expected = []
    for loss in losses:
        reference.step(loss)
        expected.append(optimizer.param_groups[0]["lr"])
    for interrupted in (None, 4, 9):
        assert plateau(options, losses, interrupted) == pytest.approx(expected)
    assert len(set(expected)) == 4


def plateau(options, losses, interrupted=None):
    """The LR after each evaluation, of which one comes every third step, after a warm-up of 10 of 100 steps."""

    def make():
        optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=0.2)
        built = build_schedule(SCHEDULES["plateau"], optimizer, 100, {**options, "warmup": 0.1})
        return optimizer, built

    optimizer, schedule = make()
    observe(schedule, 0.001)  # in the warm-up: does not count
    for _ in range(10):
        optimizer.step()
        advance(schedule)
    found = []
    for number, loss in enumerate(losses):
        if number == interrupted:
            states = optimizer.state_dict(), schedule.state_dict()
            optimizer, schedule = make()
            optimizer.load_state_dict(states[0])
            schedule.load_state_dict(states[1])
        for _ in range(3):
            optimizer.step()
            advance(schedule)
        observe(schedule, loss)
        found.append(optimizer.param_groups[0]["lr"])
    return found


LINEAR_BEFORE = [name for name, entry in SCHEDULES.items() if not entry.own_warmup]


@pytest.mark.parametrize("name", LINEAR_BEFORE)
def test_a_warm_up_rises_linearly_and_the_schedule_spans_the_rest(name):
    found, rest = rates(name, 100, warmup=0.2), rates(name, 80)
    assert found[:20] == pytest.approx([rest[0] * (step + 1) / 21 for step in range(20)])
    assert found[20:] == pytest.approx(rest)


@pytest.mark.parametrize("name", SCHEDULES)
def test_all_groups_of_an_optimizer_follow(name):
    groups = [{"params": [torch.nn.Parameter(torch.zeros(1))]} for _ in range(2)]
    optimizer = torch.optim.SGD(groups, lr=0.2)
    schedule = build_schedule(SCHEDULES[name], optimizer, 20, {"warmup": 0.2})
    for _ in range(20):
        optimizer.step()
        advance(schedule)
        assert len({group["lr"] for group in optimizer.param_groups}) == 1


@pytest.mark.parametrize("name", SCHEDULES)
def test_the_table_says_which_schedules_lower_the_lr(name):
    falls = min(rates(name, 90)[30:]) < 0.2
    assert SCHEDULES[name].decays == (falls or name == "plateau")


@pytest.mark.parametrize("name", SCHEDULES)
def test_an_interrupted_runs_rates_are_those_of_a_whole_one(name, prepared, tmp_path):
    """Paused at two steps, one of them in the warm-up, and gone on from the checkpoint; the horizon stays."""
    schedule = json.dumps({name: {"warmup": 0.2}})
    argv = ["--prepared", str(prepared), "--model", "linear", "--lr", "0.01", "--steps", "60"]
    argv += ["--schedule", schedule, "--batch-size", "40"]

    def run(until, *more):
        training = set_up(parse([*argv, "--until", str(until), *more]))
        resume(training)
        found = []
        while training.step < training.until:
            take_step(training)
            found.append(training.lr)
        save(training)
        return found

    kept = ("--checkpoint", str(tmp_path / "checkpoint"))
    assert run(7, *kept) + run(31, *kept) + run(60, *kept) == run(60)


def test_a_plateau_is_judged_alike_wherever_a_run_pauses(trainer, same):
    """One more evaluation where a run pauses, within an epoch, must not count: real processes, and their metric lines."""
    options = {"plateau": {"patience": 0, "threshold": 0.5, "warmup": 0.1}}
    common = {"schedule": json.dumps(options), "epochs": 9, "lr": "0.01"}
    assert trainer.run("whole", checkpoint=None, **common).returncode == 0
    for until in (4, 6.5, 9):
        assert trainer.run("parts", until=until, **common).returncode == 0
    whole = same(trainer.lines("whole"))
    places = {line["step"] for line in whole}
    assert [line for line in same(trainer.lines("parts")) if line["step"] in places] == whole
    assert len({line["lr"] for line in whole}) > 3


@pytest.mark.parametrize("name", SCHEDULES)
def test_a_schedule_goes_on_from_its_state(name):
    def make():
        optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=0.2)
        return optimizer, build_schedule(SCHEDULES[name], optimizer, 40, {"warmup": 0.1})

    def run(optimizer, schedule, count):
        found = []
        for _ in range(count):
            optimizer.step()
            advance(schedule)
            found.append(optimizer.param_groups[0]["lr"])
        return found

    optimizer, schedule = make()
    whole = run(optimizer, schedule, 40)
    for at in (2, 4, 17):
        first, its = make()
        run(first, its, at)
        second, resumed = make()
        second.load_state_dict(first.state_dict())
        resumed.load_state_dict(its.state_dict())
        assert run(second, resumed, 40 - at) == whole[at:]


FILE = """
dataset = "digits"
metric = "max val_acc"
lr = [1e-2]
"""


def drawn(tmp_path, text):
    path = tmp_path / "drawn.toml"
    path.write_text(FILE + text)
    argv = [sys.executable, "-m", "lrtui", "check", str(path)]
    return subprocess.run(argv, capture_output=True, text=True, check=False, cwd=ROOT)


def test_check_draws_each_schedule(tmp_path):
    done = drawn(tmp_path, 'schedule = ["constant", { linear = 0.5 }, { wsd = 0.5, warmup = 0.5 }]')
    assert (done.returncode, done.stderr) == (0, "")
    chart = done.stdout[done.stdout.index('\n\n{"linear"') + 2 :].splitlines()
    assert chart == [
        '{"linear":{"end":0.5}}',
        "    lr │██▇▇▇▆▆▆▅▅▅▄▄▄▃▃▃▂▂▂▁▁▁",
        "       │██████████████████████████▇▇▇▆▆▆▅▅▅▄▄▄▃▃▃▂▂▂▁▁▁",
        "       │██████████████████████████████████████████████████▇▇▇▆▆▆▅▅▅▄",
        "       │████████████████████████████████████████████████████████████",
        "     0 │████████████████████████████████████████████████████████████",
        "       └────────────────────────────────────────────────────────────",
        "        0                             50 %                     100 %",
        "",
        '{"wsd":{"decay":0.5,"warmup":0.5}}',
        "    lr │                        ▁▃▄▅▇█████████████████▅▃",
        "       │                  ▁▃▄▅▇██████████████████████████▅▃",
        "       │            ▁▃▄▅▇███████████████████████████████████▅▃",
        "       │      ▁▃▄▅▇████████████████████████████████████████████▅▃",
        "     0 │▁▃▄▅▇█████████████████████████████████████████████████████▅▃",
        "       └────────────────────────────────────────────────────────────",
        "        0                             50 %                     100 %",
    ]


def test_check_asks_no_trainer_where_there_is_nothing_to_draw(tmp_path):
    done = drawn(tmp_path, 'schedule = "constant"')
    assert done.returncode == 0
    assert "│" not in done.stdout


def test_what_the_trainer_refuses_is_said_in_place_of_the_chart():
    experiment = parse_experiment(FILE + 'schedule = "cosine"', "x.toml")
    refused = dataclasses.replace(experiment, schedules=('{"cosine":{"end":7}}',))
    _, said = draw(refused)
    assert said == (
        "the schedule cannot be drawn: lrtui.train: schedule cosine refuses end = 7: it must be at least 0 and at most 1"
    )
    assert draw(dataclasses.replace(experiment, command=("train",))) == []


@pytest.mark.parametrize(
    ("line", "place", "said"),
    [
        ("schedule = { cosine = 7 }", "5:23", "end of cosine must be at least 0 and at most 1"),
        ('schedule = { multi_step = "a" }', "5:27", "at of multi_step must be a list of numbers"),
        ("schedule = { wsd = 0 }", "5:20", "decay of wsd must be above 0 and at most 1"),
        ("schedule = { one_cycle = 0 }", "5:26", "warmup is a share of the horizon"),
        ("schedule = { cyclical = 2.5 }", "5:25", "cycles of cyclical must be a whole number"),
        ("optimizer = { adam = { betas = [2, 3] } }", "5:32", "betas of adam must hold numbers"),
        ("optimizer = { sgd = { nesterov = true } }", "5:34", "nesterov of sgd needs a momentum"),
        (
            'optimizer = { muon = { adjust_lr_fn = "x" } }',
            "5:39",
            "adjust_lr_fn of muon must be one of match_rms_adamw, original",
        ),
    ],
)
def test_what_torch_would_refuse_is_found_before_anything_runs(line, place, said):
    with pytest.raises(ExperimentError) as raised:
        parse_experiment(FILE + line, "x.toml")
    assert f"x.toml:{place}: {said}" in str(raised.value)


def test_an_optimizer_whose_package_is_missing_is_found_before_anything_runs(monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    for line in ('optimizer = "prodigy"', "optimizer = { sgd_schedulefree = { momentum = 0.8 } }"):
        with pytest.raises(ExperimentError) as raised:
            parse_experiment(FILE + line, "x.toml", Path())
        assert "not installed here" in str(raised.value)
        assert "pip install 'lrtui[optimizers]'" in str(raised.value)


def test_decays_and_warm_up_are_what_the_table_says():
    assert not decays("constant")
    assert not decays('{"constant":{"warmup":0.1}}')
    assert all(decays(name) for name in SCHEDULES if name != "constant")
    assert decays("my_own")
    assert warmup("one_cycle") == pytest.approx(0.3)
    assert warmup('{"one_cycle":{"warmup":0.1}}') == pytest.approx(0.1)
    assert warmup("cosine") == 0
