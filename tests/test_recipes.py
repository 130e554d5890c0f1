"""The recipes of docs/own-scripts.md: each is in the docs as it is in its file, and its script is read with its settings.

The scripts run by themselves; one recipe goes through a whole sweep. Recipes that need another library run where it is installed,
those that take seconds to import it in the campaign only.
"""

import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest

from lrtui.config import argv, describe, load, own_files, planned
from lrtui.config.directory import open_experiment
from lrtui.metrics.capture import Capture, Reading
from lrtui.metrics.capture.patterns import first_of
from lrtui.metrics.line import one_by_one
from lrtui.sweep.mailbox import ensure_supervisor

ROOT = Path(__file__).parents[1]
RECIPES = {file.stem: file for file in sorted((ROOT / "experiments/recipes").glob("*.toml"))}
NEEDS = {"torchrun": "torch", "hydra": "hydra", "xgboost": "xgboost"}
PURE = [name for name in RECIPES if name not in NEEDS]


def measured(name: str, lr: float, folder: Path) -> tuple[list[float], float]:
    """Run a recipe's script to its end; return the values of its metric, and how far training is known to have come."""
    experiment = load(RECIPES[name])
    context = {
        "lr": lr,
        "seed": 0,
        "until": experiment.horizon,
        "run_dir": str(folder),
        "port": 29511,
    }
    for path, text in own_files(experiment, context):
        Path(path).write_text(text)
    words = argv(experiment, context)
    if words[0] == "torchrun":
        words = [sys.executable, "-m", "torch.distributed.run", *words[1:]]
    words = [sys.executable if word == "python3" else word for word in words]
    done = subprocess.run(words, capture_output=True, cwd=ROOT, timeout=300, check=True)
    first = first_of(experiment.parse) if experiment.first is None else experiment.first
    reading = Reading(
        unit=experiment.unit,
        parse=experiment.parse,
        horizon=experiment.horizon,
        metric=experiment.metric,
        loss=experiment.loss,
        first=first,
    )
    capture, found = Capture(reading), []
    capture.text(done.stdout + done.stderr, found)
    capture.end(found, experiment.horizon, ok=True)
    return [
        m.values[experiment.metric] for m in one_by_one(found) if experiment.metric in m.values
    ], capture.complete


def is_read(name: str, folder: Path) -> None:
    """Every evaluation of a recipe is read, to its end, and its LRs differ."""
    experiment = load(RECIPES[name])
    lrs = [start.setting.lr for start in planned(experiment)]
    values, complete = measured(name, lrs[-2], folder)
    assert len(values) == complete == experiment.horizon
    better = max if experiment.goal == "max" else min
    assert better(values) == values[-1] != values[0]


@pytest.mark.parametrize("name", PURE)
def test_what_its_script_prints_is_read(name, tmp_path) -> None:
    is_read(name, tmp_path)


@pytest.mark.campaign
@pytest.mark.parametrize("name", NEEDS)
def test_what_a_library_prints_is_read(name, tmp_path, campaign) -> None:
    if not campaign or importlib.util.find_spec(NEEDS[name]) is None:
        pytest.skip(f"needs {NEEDS[name]}, and seconds to import it")
    is_read(name, tmp_path)


@pytest.mark.parametrize("name", RECIPES)
def test_the_docs_show_it_as_it_is(name) -> None:
    experiment = load(RECIPES[name])
    assert experiment.notes == ()
    assert describe(experiment)
    text = experiment.text.split("\n\n", 1)[1].strip()
    assert text in (ROOT / "docs/own-scripts.md").read_text()
    assert f"lrtui experiments/recipes/{name}.toml" in experiment.text


def test_a_recipe_gives_an_answer(lab) -> None:
    """Two lines, live, in a whole sweep: the middle one of three learning rates."""
    lab.folder.joinpath("experiments").symlink_to(ROOT / "experiments")
    open_experiment(RECIPES["two_lines"], {}, under=lab.directory, new=False)
    ensure_supervisor(lab.directory)
    assert lab.closed().code == 0
    assert lab.sweep.verdict.lr == 0.1
