"""The tables that an experiment file is checked against: they import nothing, and agree with torch."""

from __future__ import annotations

import dataclasses
import inspect
import subprocess
import sys

import pytest
import torch

from lrtui.train.datasets import DATASETS
from lrtui.train.models import MODELS
from lrtui.train.optimizers import OPTIMIZERS
from lrtui.train.schedules import SCHEDULES
from lrtui.train.table import mismatch

TABLES = {"datasets": DATASETS, "models": MODELS, "optimizers": OPTIMIZERS, "schedules": SCHEDULES}
ENTRIES = [
    (f"{table}/{name}", entry) for table, names in TABLES.items() for name, entry in names.items()
]
PLUMBING = {
    "optimizers": {"params", "lr", "foreach", "maximize", "capturable", "differentiable", "fused"},
    "models": {"channels", "size", "classes"},
    "schedules": {"optimizer", "steps"},
    "datasets": {"data_dir"},
}


def test_the_tables_import_neither_torch_nor_numpy():
    code = (
        "import sys, lrtui.train.datasets, lrtui.train.models, lrtui.train.optimizers, lrtui.train.schedules;"
        "import lrtui.train.options;"
        "print(*sorted({'torch', 'numpy', 'torchvision', 'sklearn'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []


@pytest.mark.parametrize(("name", "entry"), ENTRIES, ids=[name for name, _ in ENTRIES])
def test_an_entry_leads_to_code_that_takes_exactly_its_options(name, entry):
    kind = name.split("/")[0]
    parameters = set(inspect.signature(entry.load()).parameters) - PLUMBING[kind]
    # AdamW's amsgrad etc. are options; what torch alone decides is left out. `decoupled_weight_decay` is AdamW.
    parameters -= {"decoupled_weight_decay"}
    fields = set(entry.fields) - ({"warmup"} if kind == "schedules" else set())
    assert fields == parameters
    assert entry.what
    assert dataclasses.is_dataclass(entry)


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_torch_takes_every_option_in_the_stated_type(name):
    entry = OPTIMIZERS[name]
    weight = torch.nn.Parameter(torch.zeros(1))
    defaults = entry.load()([weight], lr=entry.usual_lr[0]).defaults
    for option, types in entry.fields.items():
        value = defaults[option]
        assert isinstance(list(value) if isinstance(value, tuple) else value, types), option
    assert entry.usual_lr[0] < entry.usual_lr[1]


@pytest.mark.parametrize(
    ("entry", "options", "said"),
    [
        (OPTIMIZERS["sgd"], {"momentum": 0.9, "nesterov": True}, ""),
        (OPTIMIZERS["sgd"], {"momentum": 1}, ""),
        (OPTIMIZERS["sgd"], {"momentun": 0.9}, "has no option 'momentun' (known: momentum, "),
        (OPTIMIZERS["sgd"], {"momentum": "high"}, "takes momentum as int or float (found 'high')"),
        (OPTIMIZERS["sgd"], {"momentum": True}, "takes momentum as int or float (found True)"),
        (MODELS["cnn7"], {"width": 3}, "has no option 'width' (known: none)"),
    ],
)
def test_a_wrong_option_is_named(entry, options, said):
    assert mismatch(entry, options).startswith(said)
    assert bool(mismatch(entry, options)) == bool(said)
