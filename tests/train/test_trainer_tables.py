"""The tables that an experiment file is checked against: they import nothing, and agree with torch."""

from __future__ import annotations

import dataclasses
import inspect
import math
import random
import subprocess
import sys

import pytest
import torch

from lrtui.train.datasets import DATASETS
from lrtui.train.models import MODELS
from lrtui.train.optimizers import OPTIMIZERS
from lrtui.train.optimizers.build import build_optimizer
from lrtui.train.options import Choice
from lrtui.train.registry import Optimizer, mismatch
from lrtui.train.schedules import SCHEDULES
from lrtui.train.schedules.warmup import advance, build_schedule

TABLES = {"datasets": DATASETS, "models": MODELS, "optimizers": OPTIMIZERS, "schedules": SCHEDULES}
ENTRIES = [
    (f"{table}/{name}", entry) for table, names in TABLES.items() for name, entry in names.items()
]
PLUMBING = {
    "optimizers": {
        *("params", "lr", "foreach", "maximize", "capturable", "differentiable", "fused"),
        "fsdp_in_use",
    },
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


def there(entry):
    """Skip what an optional package that is not installed would bring."""
    if isinstance(entry, Optimizer) and entry.missing():
        pytest.skip(entry.missing().how)
    return entry.load()


@pytest.mark.parametrize(("name", "entry"), ENTRIES, ids=[name for name, _ in ENTRIES])
def test_an_entry_leads_to_code_that_takes_exactly_its_options(name, entry):
    kind = name.split("/")[0]
    parameters = set(inspect.signature(there(entry)).parameters) - PLUMBING[kind]
    if name in {"optimizers/adam", "optimizers/adamw"}:
        parameters -= {"decoupled_weight_decay"}  # Adam with it is AdamW
    put_before = {"warmup"} if kind == "schedules" and not entry.own_warmup else set()
    assert set(entry.fields) - put_before == parameters
    assert entry.what
    assert dataclasses.is_dataclass(entry)
    assert set(entry.words) <= set(entry.fields)


def test_every_optimizer_of_torch_that_takes_dense_gradients_is_in_the_table():
    of_torch = {
        name
        for name, kind in vars(torch.optim).items()
        if isinstance(kind, type) and issubclass(kind, torch.optim.Optimizer)
    } - {"Optimizer", "SparseAdam"}
    assert {name.lower() for name in of_torch} <= set(OPTIMIZERS)


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_the_packages_default_of_every_option_would_pass_the_check(name):
    entry = OPTIMIZERS[name]
    signature = inspect.signature(there(entry)).parameters
    for option in entry.fields:
        value = signature[option].default
        if value is None or value == math.inf:
            continue  # "unset", which TOML cannot say
        given = [each or 0.0 for each in value] if isinstance(value, tuple) else value
        assert mismatch(entry, {option: given}) == "", option
    assert 0 < entry.usual_lr[0] < entry.usual_lr[1]


def draws(entry):
    """Options at the ends of what the table allows, and in its midst, each alone."""
    rng = random.Random(0)
    for name, types in entry.fields.items():
        for one in (0, 1, -1, 2, 1e-9, 0.5, 0.999, 3, 50, 120, 1e6):
            shapes = [one, [one, one], [one, 1.5], [one] * 3, [one, 1, 2], rng.random() < 0.5]
            for value in (*shapes, *entry.words.get(name, ())):
                if mismatch(entry, {name: value}) == "":
                    yield {name: value}
        assert types


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_no_optimizer_refuses_what_the_table_lets_through(name):
    entry = OPTIMIZERS[name]
    there(entry)
    count = 0
    for options in draws(entry):
        model = torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.Linear(4, 2))
        optimizer = build_optimizer(Choice(name, options), model, 1e-3)
        model(torch.ones(2, 3)).sum().backward()
        optimizer.step(lambda: 0.0) if entry.closure else optimizer.step()
        count += 1
    assert count >= len(entry.fields)


@pytest.mark.parametrize("steps", [1, 2, 3, 7, 100])
@pytest.mark.parametrize("name", SCHEDULES)
def test_no_schedule_refuses_what_the_table_lets_through(name, steps):
    entry = SCHEDULES[name]
    for options in ({}, *draws(entry)):
        for warmup in ({}, {"warmup": 0.01}, {"warmup": 0.3}, {"warmup": 0.99}):
            both = {**options, **warmup}
            if mismatch(entry, both):
                continue
            optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=0.2)
            schedule = build_schedule(entry, optimizer, steps, both)
            for _ in range(steps):
                lr = optimizer.param_groups[0]["lr"]
                assert 0 <= lr <= 0.2 * (1 + 1e-9), both
                optimizer.step()
                advance(schedule)


@pytest.mark.parametrize(
    ("entry", "options", "said"),
    [
        (OPTIMIZERS["sgd"], {"momentum": 0.9, "nesterov": True}, ""),
        (OPTIMIZERS["sgd"], {"momentum": 1}, ""),
        (OPTIMIZERS["sgd"], {"momentun": 0.9}, "has no option 'momentun' (known: momentum, "),
        (OPTIMIZERS["sgd"], {"momentum": "high"}, "refuses momentum = 'high': it must be a number"),
        (OPTIMIZERS["sgd"], {"momentum": True}, "refuses momentum = True: it must be a number"),
        (
            OPTIMIZERS["adam"],
            {"betas": [2, 3]},
            "refuses betas = [2, 3]: it must hold numbers at least 0",
        ),
        (OPTIMIZERS["adam"], {"betas": [0.9]}, "refuses betas = [0.9]: it must be a list of two"),
        (OPTIMIZERS["adam"], {"eps": math.nan}, "refuses eps = nan: it must be a number"),
        (OPTIMIZERS["sgd"], {"nesterov": True}, "refuses nesterov = True: it needs a momentum"),
        (
            OPTIMIZERS["muon"],
            {"ns_steps": 5.0},
            "refuses ns_steps = 5.0: it must be a whole number",
        ),
        (
            OPTIMIZERS["muon"],
            {"adjust_lr_fn": "x"},
            "refuses adjust_lr_fn = 'x': it must be one of",
        ),
        (SCHEDULES["multi_step"], {"at": [0.5, 2]}, "refuses at = [0.5, 2]: it must hold numbers"),
        (SCHEDULES["cosine"], {"end": 7}, "refuses end = 7: it must be at least 0 and at most 1"),
        (SCHEDULES["one_cycle"], {"start": 1e-9}, "refuses start = 1e-09: it must leave the end"),
        (MODELS["linear"], {"width": 3}, "has no option 'width' (known: none)"),
    ],
)
def test_a_wrong_option_is_named(entry, options, said):
    assert mismatch(entry, options).startswith(said)
    assert bool(mismatch(entry, options)) == bool(said)
