"""A model of the user's own: found without being imported, imported by the worker, and refused with its line."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from lrtui.config import argv, parse
from lrtui.errors import ExperimentError
from lrtui.train.options import Choice, UsageError, choose_model

ROOT = Path(__file__).parents[2]
GOOD = """\
from torch import nn

import shapes


def build(channels, size, classes, width=8):
    return nn.Sequential(
        nn.Flatten(),
        nn.Linear(shapes.inputs(channels, size), width),
        nn.ReLU(),
        nn.Dropout(0.5),
        nn.Linear(width, classes),
    )
"""


def experiment(model, beside=None):
    return parse(f'dataset = "digits"\nmodel = {model}\nlr = [1e-3]\n', "x.toml", beside)


@pytest.fixture
def folder(tmp_path):
    """The experiment file's folder, with a model of the user's own."""
    (tmp_path / "my_model.py").write_text(GOOD)
    (tmp_path / "shapes.py").write_text("def inputs(channels, size): return channels * size**2\n")
    return tmp_path


# ---------------------------------------------------------------- in lrtui's process


@pytest.mark.parametrize(
    ("model", "text"),
    [
        ('"my_model:build"', "my_model:build"),
        ('{ "my_model:build" = { width = 4 } }', '{"my_model:build":{"width":4}}'),
        ('{ "my_model:build" = {}, width = 4 }', '{"my_model:build":{"width":4}}'),
    ],
)
def test_the_name_reaches_the_trainer_with_its_folder(folder, model, text):
    read = experiment(model, folder)
    assert read.model == text
    context = {
        **dict.fromkeys(("lr", "seed", "until", "threads"), 1),
        **dict.fromkeys(("optimizer", "schedule", "prepared", "checkpoint"), "x"),
    }
    words = argv(read, {**context, "beside": "/there"})
    assert "--beside=/there" in words
    chosen = next(word for word in words if word.startswith("--model=")).removeprefix("--model=")
    width = {} if text == "my_model:build" else {"width": 4}
    assert choose_model(chosen) == Choice("my_model:build", width)


SIGNATURE = "def build(channels, size, classes"


@pytest.mark.parametrize(
    ("model", "content", "said"),
    [
        ('"my_model"', GOOD, 'unknown model "my_model"'),
        ('"my_model:"', GOOD, 'is written "module:function"'),
        ('"../my_model:build"', GOOD, 'is written "module:function"'),
        ('"mymodel:build"', GOOD, 'model "mymodel:build": no such module'),
        ('"my_model:built"', GOOD, "Did you mean build?"),
        ('"my_model:build"', "def build():\n  x = = 3", "my_model.py:2: invalid syntax"),
        ('"my_model:build"', "def build(channels):\n  pass", "my_model.py:1: build takes 1 arg"),
        ('{ "my_model:build" = { widht = 4 } }', GOOD, "Did you mean width?"),
        ('"my_model:build"', f"{SIGNATURE}, depth): pass", "build needs depth"),
        ('"my_model:build"', f"{SIGNATURE}, *, depth): pass", "build needs depth"),
        ('{ "my_model:build" = 4 }', GOOD, "takes a table of options"),
        ('{ "my_model:build" = { x = nan } }', GOOD, "takes a table of options"),
        ('["my_model:build"]', GOOD, "model must be one model"),
    ],
)
def test_what_can_be_seen_without_importing_is_a_fault_at_its_place(folder, model, content, said):
    (folder / "my_model.py").write_text(content)
    with pytest.raises(ExperimentError) as raised:
        experiment(model, folder)
    (fault,) = raised.value.faults
    assert said in f"{fault.what} {fault.hint}"
    assert fault.line == 2


@pytest.mark.parametrize(
    "content",
    [
        "from shapes import inputs as build",
        "from shapes import *",
        "import functools\nbuild = functools.partial(print)",
        f"try:\n    import torch\nfinally:\n    {SIGNATURE}, **options): pass",
        "class build:\n    def __init__(self, *sizes): pass",
        "def build(*sizes, **options): pass",
    ],
)
def test_a_function_may_come_to_be_in_many_ways(folder, content):
    (folder / "my_model.py").write_text(content)
    assert experiment('"my_model:build"', folder).model == "my_model:build"


def test_a_module_may_lie_deeper_and_a_study_may_name_it(folder):
    (folder / "nets" / "small").mkdir(parents=True)
    (folder / "nets" / "small" / "__init__.py").write_text(GOOD)
    text = '[study]\nmodel = ["nets.small:build", "nets.smal:build"]'
    with pytest.raises(ExperimentError) as raised:
        parse(f'dataset = "digits"\nmodel = "mlp"\nlr = [1e-3]\n{text}', "x.toml", folder)
    (fault,) = raised.value.faults
    assert 'model "nets.smal:build": no such module' in fault.what


def test_a_frozen_copy_is_read_without_the_users_files():
    assert experiment('"my_model:build"').model == "my_model:build"


def test_check_does_not_import_the_users_module(folder):
    (folder / "my_model.py").write_text(f"raise SystemExit('imported')\n{GOOD}")
    (folder / "x.toml").write_text('dataset = "digits"\nmodel = "my_model:build"\nlr = [1e-3]\n')
    done = subprocess.run(
        [sys.executable, "-m", "lrtui", "check", "x.toml"],
        cwd=folder,
        env={"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert "my_model:build on digits" in done.stdout


# ---------------------------------------------------------------- in the worker


def test_it_trains_like_any_other_and_goes_on_bit_identically(trainer, folder, same):
    own = {"model": '{"my_model:build": {"width": 6}}', "beside": folder}
    whole = trainer.run("whole.jsonl", checkpoint=None, **own)
    assert (whole.returncode, whole.stderr) == (0, "")
    assert "my_model:build (width 6): 460 parameters" in whole.stdout
    assert trainer.run("parts.jsonl", until=1, **own).returncode == 0
    assert trainer.run("parts.jsonl", **own).returncode == 0
    assert same(trainer.lines("parts.jsonl")) == same(trainer.lines("whole.jsonl"))


def test_trying_it_out_leaves_no_trace(trainer, folder, same):
    """The same numbers as the built-in mlp of the same layers gives, batch for batch."""
    (folder / "my_model.py").write_text("from lrtui.train.models.mlp import mlp as build\n")
    assert (
        trainer.run("own.jsonl", checkpoint=None, model="my_model:build", beside=folder).returncode
        == 0
    )
    assert trainer.run("mlp.jsonl", checkpoint=None).returncode == 0
    ours = {line["step"]: line for line in same(trainer.lines("own.jsonl"))}
    theirs = {line["step"]: line for line in same(trainer.lines("mlp.jsonl"))}
    both = set(ours) & set(theirs)  # their lines may be spaced differently
    evaluated = [step for step in both if "val_loss" in ours[step]]
    assert len(evaluated) == 3
    for step in evaluated:
        for name in ("val_loss", "val_acc", "test_loss", "lr"):
            assert ours[step][name] == theirs[step][name]


def body(text):
    return f"import torch\nfrom torch import nn\n\n\n{SIGNATURE}):\n    {text}\n"


MODULE = """\
import torch
from torch import nn


class Net(nn.Module):
    def __init__(self, inputs, classes):
        super().__init__()
        self.layer = nn.Linear(inputs, classes)

    def forward(self, images):
        BODY


def build(channels, size, classes):
    return Net(channels * size * size, classes)
"""


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("import nothing_of_the_kind", "my_model.py:1: ModuleNotFoundError: No module named"),
        ("x = 1\nif x\n", "my_model.py:2: SyntaxError"),
        ("built = 1", "build is not there in"),
        ("build = 1", "build is no function in"),
        (body("return undefined"), "my_model.py:6 in build: NameError: name 'undefined'"),
        (body("raise SystemExit(3)"), "my_model.py:6 in build: SystemExit: 3"),
        (body("return None"), "must return a torch.nn.Module (found NoneType)"),
        (body("return nn.Linear(1, classes)"), "mat1 and mat2 shapes cannot"),
        (
            body("return nn.Sequential(nn.Flatten(), nn.Linear(64, 7))"),
            "from images (2, 1, 8, 8) it must make logits (2, 10), one for each of the 10 classes (found (2, 7))",
        ),
        (
            MODULE.replace("BODY", "return images.relu()"),
            "must make logits (2, 10), one for each of the 10 classes (found (2, 1, 8, 8))",
        ),
        (
            MODULE.replace("BODY", "return self.layer(images)"),
            "my_model.py:11 in forward: RuntimeError: ",
        ),
        (
            MODULE.replace("BODY", "return {'logits': images}"),
            "its output must be one tensor (2, 10) (found dict)",
        ),
        (
            MODULE.replace("BODY", "return self.layer(images.flatten(1)).argmax(1)"),
            "(found (2,) of torch.int64)",
        ),
        (
            MODULE.replace(
                "BODY", "return self.layer(images.flatten(1)) if not self.training else oops"
            ),
            "my_model.py:11 in forward: NameError: name 'oops'",
        ),
        (
            body(
                "m = nn.Sequential(nn.Flatten(), nn.Linear(64, classes)).requires_grad_(False)\n    return m"
            ),
            "no parameters that could be trained",
        ),
    ],
)
def test_what_is_wrong_with_it_is_one_line_with_the_users_line(prepared, folder, content, said):
    (folder / "my_model.py").write_text(content)
    with pytest.raises(UsageError) as raised:
        _set_up(prepared, folder)
    assert said in str(raised.value)
    assert "\n" not in str(raised.value)
    assert str(raised.value).startswith("model my_model:build: ")


def _set_up(prepared, folder):
    from lrtui.train.options import parse as parse_options
    from lrtui.train.run_state import set_up

    for name in ("my_model", "shapes"):
        sys.modules.pop(name, None)
    words = [f"--prepared={prepared}", "--lr=1e-3", "--epochs=1", "--batch-size=16"]
    return set_up(parse_options([*words, "--model=my_model:build", f"--beside={folder}"]))


def test_a_worker_says_it_and_ends_with_2(trainer, folder):
    (folder / "my_model.py").write_text(body("return undefined"))
    done = trainer.run(model="my_model:build", beside=folder)
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert f"{folder / 'my_model.py'}:6 in build: NameError" in done.stderr


def test_a_module_that_python_has_already_is_not_taken_for_the_users(prepared, folder):
    (folder / "json.py").write_text(GOOD)
    from lrtui.train.models import custom as own

    with pytest.raises(UsageError, match=r"another module is called json .*; rename json\.py"):
        own.build(Choice("json:build", {}), folder, (1, 8, 10))
