"""What one attempt is given: its argv and its environment."""

import json
import string
import sys

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from lrtui.config import argv, environment, parse

BUILTIN = 'dataset = "digits"\nlr = 1e-3\n'
ATTEMPT = {
    "lr": 6.25e-3,
    "seed": 3,
    "run": "r01",
    "run_dir": "/runs/x/r01",
    "optimizer": "adam",
    "schedule": "constant",
    "until": 10.0,
    "checkpoint": "/runs/x/r01/a1/checkpoint",
    "gpus": 0,
    "port": 29500,
}
TRAINER = {**ATTEMPT, "prepared": "/data/p", "threads": 1}


def rendered(word, horizon="epochs = 10", more="", **context):
    text = f'command = ["t", {json.dumps(word)}]\n{horizon}\nmetric = "max val_acc"\nlr = 1e-3\nbatch_size = 64\n{more}'
    return argv(parse(text, "x.toml"), {**ATTEMPT, **context})[1]


def test_the_built_in_trainer_is_a_command_like_any_other():
    experiment = parse(
        f"{BUILTIN}augment = true\ndata = 0.1\nmodel = 'cnn3'\nbatch_size = 32", "x.toml"
    )
    assert argv(experiment, {**TRAINER, "optimizer": '{"sgd":{"momentum":0.9}}'}) == [
        *(sys.executable, "-m", "lrtui.train"),
        *("--prepared=/data/p", "--model=cnn3", '--optimizer={"sgd":{"momentum":0.9}}', "--schedule=constant"),
        *("--lr=6.25e-03", "--batch-size=32", "--epochs=20", "--until=10", "--seed=3"),
        *("--checkpoint=/runs/x/r01/a1/checkpoint", "--threads=1", "--precision=fp32", "--data=0.1"),
        *("--lr-to=6.25e-03", "--lr-steps=0", "--augment"),
    ]  # fmt: skip


def test_the_built_in_trainer_accepts_its_command():
    options = pytest.importorskip("lrtui.train.options")
    experiment = parse(f"{BUILTIN}steps = 500\nschedule = {{ step = 0.5 }}", "x.toml")
    context = {**TRAINER, "schedule": experiment.schedules[0], "until": 100.0}
    read = options.parse(argv(experiment, context)[3:])
    assert (read.unit, read.horizon, read.until, read.lr) == ("steps", 500, 100, 6.25e-3)
    assert (read.schedule.name, read.schedule.options) == ("step", {"gamma": 0.5})


@pytest.mark.parametrize(
    ("word", "expected"),
    [
        ("--lr={lr}", "--lr=6.25e-03"),
        ("{ lr }", "6.25e-03"),
        ("{lr*0.1}", "6.25e-04"),
        ("{lr * 1e1}", "6.25e-02"),
        ("{seed}{run}", "3r01"),
        ("{horizon}/{epochs}/{until}", "10/10/10"),
        ("{epochs*0.25}", "2.5"),
        ("{epochs*0.5}", "5"),
        ("{batch_size*2}", "128"),
        ("{data}", "1"),
        ("{port}", "29500"),
        ("{lr_to}/{lr_steps}", "6.25e-03/0"),
        ("{checkpoint}", "/runs/x/r01/a1/checkpoint"),
    ],
)
def test_placeholders_become_values(word, expected):
    assert rendered(word) == expected


@pytest.mark.parametrize(
    "word",
    [
        '{"a": {"b": [1, {"c": {}}]}}',
        "{}",
        "{0}",
        "${HOME:-x}{",
        "{lr:0.1,seed:3}",
        "a{1,3}b",
        "%(lr)s $lr",
        "{{}}",
        "\\{\\}",
        "{a b}",
        "{x-y}",
    ],
)
def test_other_braces_are_left_alone(word):
    expected = word
    assert rendered(word) == expected


def test_doubled_braces_keep_a_placeholder_for_the_script():
    assert rendered("{{lr}} {{unknown}} {{lr*0.1}} {lr}") == "{lr} {unknown} {lr*0.1} 6.25e-03"


def test_values_are_never_read_as_placeholders():
    assert rendered("{x}", more='[values]\nx = "{lr}"', x="{lr}") == "{lr}"


def test_own_values_keep_their_spelling():
    more = '[values]\nwd = 0.1\nn = 3\non = true\nname_ = "a b"\none = 1.0'
    word = "{wd} {n} {on} {name_} {one} {wd*0.1} {n*2} {n*0.5}"
    assert rendered(word, more=more) == "0.1 3 true a b 1.0 0.01 6 1.5"


def test_the_attempts_values_come_before_the_files():
    assert rendered("{wd}", more="[values]\nwd = [0.1, 0.2]", wd=0.2) == "0.2"


def test_scaling_is_exact_in_decimal():
    assert rendered("{lr*0.1}", lr=3e-4) == "3e-05"
    assert rendered("{lr*3}", lr=0.1) == "3e-01"


def test_a_long_horizon_is_a_whole_number():
    assert (
        rendered("{tokens} {until}", horizon="tokens = 1e12", until=1e12)
        == "1000000000000 1000000000000"
    )


def test_the_environment_has_the_same_values():
    experiment = parse(f"{BUILTIN}[health]\nnan = false", "x.toml")
    assert environment({"lr": 3e-4, "seed": 1, "until": 2.5, "wd": 0.1, "on": False}) == {
        "LRTUI_LR": "3e-04",
        "LRTUI_SEED": "1",
        "LRTUI_UNTIL": "2.5",
        "LRTUI_WD": "0.1",
        "LRTUI_ON": "false",
    }
    whole = environment(ATTEMPT, experiment)
    assert (whole["LRTUI_HORIZON"], whole["LRTUI_EPOCHS"], whole["LRTUI_MODEL"]) == (
        "20",
        "20",
        "cnn7",
    )


@given(st.floats(min_value=1e-300, max_value=1e300))
def test_an_lr_reaches_the_script_exactly(lr):
    assert float(rendered("{lr}", lr=lr)) == lr


@given(st.text(string.ascii_letters + '{}"*:,.0 \\', max_size=30))
@example('{"lr": {lr}}')
def test_text_without_a_name_in_braces_is_never_changed(word):
    if "{" in word.replace("{lr}", "") and any(c.isalpha() for c in word):
        return
    assert rendered(word or "-") == (word or "-").replace("{lr}", "6.25e-03")
