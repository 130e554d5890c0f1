"""[search]: which axes a file may name, what is wrong with the others, and how a run gets its value."""

import pytest

from lrtui.config import parse
from lrtui.config.describe import describe, planned
from lrtui.config.worker_command import argv
from lrtui.errors import ExperimentError
from lrtui.search import Surface

BUILTIN = 'dataset = "digits"\noptimizer = "adamw"\n'
SCRIPT = (
    'command = ["python", "train.py", "--lr={lr}", "--wd={wd}", "--ema={ema_beta}"]\n'
    'epochs = 9\nmetric = "max val_acc"\n'
)
AUTO = 'lr = "auto"\n'
BOUNDED = "lr = { auto = 7, from = 1e-4, to = 1e-1 }\n"


def faults(text):
    with pytest.raises(ExperimentError) as error:
        parse(text, "file.toml")
    return str(error.value)


def axes(text):
    return parse(text, "file.toml").axes


def test_the_usual_scales():
    found = axes(
        SCRIPT
        + BOUNDED
        + "[search]\nwd = { from = 1e-3, to = 0.3 }\nema_beta = { from = 0, to = 0.99 }"
    )
    assert [(axis.name, axis.scale) for axis in found] == [
        ("wd", "log"),
        ("ema_beta", "complement"),
    ]
    (found,) = axes(BUILTIN + AUTO + "[search]\nwarmup = { from = 0, to = 0.3 }")
    assert found.scale == "linear"


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        ("weight_decy = { from = 1e-3, to = 1 }", "Did you mean weight_decay?"),
        ("lr = { from = 1e-3, to = 1 }", "lr is no axis of [search]"),
        ("weight_decay = 0.1", "must be a range (found 0.1)"),
        ("weight_decay = { from = 0.1 }", "lacks to"),
        ("weight_decay = { form = 0.1, to = 1 }", "Did you mean from?"),
        ('weight_decay = { from = "a", to = 1 }', "from must be a number"),
        ("weight_decay = { from = nan, to = 1 }", "from must be a number"),
        ("weight_decay = { from = 1, to = 1 }", "from and to are the same"),
        (
            "weight_decay = { from = 1, to = 0.1 }",
            "Swap them: weight_decay = { from = 0.1, to = 1 }",
        ),
        ("weight_decay = { from = 1, to = 1.0000001 }", "too narrow"),
        ("weight_decay = { from = 0, to = 1 }", 'write scale = "linear"'),
        ('weight_decay = { from = -1, to = 1, scale = "linear" }', "must be at least 0"),
        ('weight_decay = { from = 0, to = 1, scale = "complement" }', "from 0 to below 1"),
        ('weight_decay = { from = 0, to = 1, scale = "lin" }', "scale must be one of"),
        (
            "weight_decay = { from = 0.1, to = 1 }\neps = { from = 1e-9, to = 1e-7 }\nwarmup = { from = 0, to = 0.3 }",
            "at most 2",
        ),
        ("", "names no axis"),
    ],
)
def test_a_wrong_axis_is_explained(lines, said):
    assert said in faults(f"{BUILTIN}{AUTO}[search]\n{lines}\n")


def test_an_axis_is_not_set_twice():
    fixed = 'dataset = "digits"\noptimizer = { adamw = { weight_decay = 0.1 } }\n'
    axis = "[search]\nweight_decay = { from = 0.1, to = 1 }\n"
    assert "adamw sets it to 0.1" in faults(fixed + AUTO + axis)
    wd = "[search]\nwd = { from = 0.1, to = 1 }\n[values]\nwd = [0.1, 1]\nema_beta = 0.9\n"
    assert "wd is in [search] and in [values]" in faults(SCRIPT + BOUNDED + wd)


def test_a_script_needs_the_placeholder():
    said = faults(
        SCRIPT
        + BOUNDED
        + "[search]\nema = { from = 0.1, to = 1 }\n[values]\nema_beta = 0.9\nwd = 1\n"
    )
    assert "no placeholder {ema}" in said
    assert "--ema={ema}" in said


@pytest.mark.parametrize(
    "lr", ["lr = [1e-3]", "lr = { grid = 3, from = 1e-3, to = 1 }", 'lr = "range"']
)
def test_the_lr_must_be_searched_too(lr):
    assert "[search] needs lr to be searched" in faults(
        f"{BUILTIN}{lr}\n[search]\nweight_decay = {{ from = 0.1, to = 1 }}\n"
    )


def test_a_study_has_no_axes():
    both = "[search]\nweight_decay = { from = 0.1, to = 1 }\n[study]\nbatch_size = [32]\n"
    assert "[search] and [study]" in faults(BUILTIN + AUTO + both)


def test_a_budget_below_the_first_rung_is_said():
    axis = "[search]\nweight_decay = { from = 0.1, to = 1 }\n"
    assert "budget is too small" in faults(
        f'{BUILTIN}epochs = 18\nbudget = "20 epochs"\n{AUTO}{axis}'
    )


def test_a_run_of_the_trainer_gets_its_options():
    text = f"{BUILTIN}{BOUNDED}[search]\nweight_decay = {{ from = 0.1, to = 1 }}\nwarmup = {{ from = 0, to = 0.3 }}\n"
    experiment = parse(text, "file.toml")
    assert isinstance(experiment.strategy, Surface)
    assert experiment.keep == "1/3"
    setting = planned(experiment)[0].setting
    context = {
        "lr": 1e-3, "optimizer": setting.optimizer, "schedule": setting.schedule, "seed": 0, "until": 1,
        "run": "r01", "checkpoint": "", "prepared": "", "threads": 1, **setting.named,
    }  # fmt: skip
    words = argv(experiment, context)
    decay, warmup = setting.axes["weight_decay"], setting.axes["warmup"]
    assert f'--optimizer={{"adamw":{{"weight_decay":{decay}}}}}' in words
    assert f'--schedule={{"constant":{{"warmup":{warmup}}}}}' in words


@pytest.mark.parametrize(("more", "seeds"), [("", 2), ("seeds = 1\n", 1), ("seeds = 3\n", 3)])
def test_finalists_have_a_second_seed(more, seeds):
    axis = "[search]\nweight_decay = { from = 0.1, to = 1 }\n"
    assert parse(BUILTIN + AUTO + more + axis, "file.toml").seeds == seeds
    assert parse(BUILTIN + AUTO, "file.toml").seeds == 1


def test_check_shows_the_axes_and_a_scripts_command():
    text = SCRIPT + BOUNDED + "[search]\nwd = { from = 1e-3, to = 0.3 }\n[values]\nema_beta = 0.9\n"
    experiment = parse(text, "file.toml")
    lines = "\n".join(describe(experiment))
    wd = planned(experiment)[0].setting.axes["wd"]
    assert f"wd={wd:g}" in lines
    assert f"--wd={wd}" in lines
    assert "from 0.001 to 0.3, searched beside the LR (log)" in lines
