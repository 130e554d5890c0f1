"""`from lrtui import emit` works in a worker of any environment, and hides nothing of an installed lrtui but emit."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from lrtui.integrations import PYTHONPATH

PYTHONS = [sys.executable, *filter(None, (shutil.which(f"python3.{n}") for n in range(8, 15)))]


def run(python, code, *arguments, path=(), **env):
    """Run `code` in an environment that has lrtui's folder and `path`, and no installed lrtui."""
    path = os.pathsep.join([PYTHONPATH, *map(str, path)])
    return subprocess.run(
        [python, "-S", *arguments, "-c", code],
        env={"PATH": "/usr/bin:/bin", "PYTHONPATH": path, "PYTHONDONTWRITEBYTECODE": "1", **env},
        cwd="/",
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize("python", PYTHONS)
def test_emit_works_in_each_python(python, tmp_path):
    """Only the standard library is there. Shims of Pythons that are not installed are passed over."""
    if run(python, "pass").returncode:
        pytest.skip("does not start")
    code = "from lrtui import emit; emit(step=1, loss=float('nan')); import lrtui.integrations, lrtui.train"
    done = run(python, code, LRTUI_METRICS=str(tmp_path / "m"))
    assert done.stderr.endswith("No module named 'lrtui.train'\n")
    line = json.loads((tmp_path / "m").read_text())
    assert (line["step"], line["loss"]) == (1, "NaN")


def test_an_installed_lrtui_keeps_all_but_emit(tmp_path):
    """The supervisor reads what emit writes, so emit is the supervisor's."""
    package = tmp_path / "lrtui"
    package.mkdir()
    for name, text in {
        "__init__": "from lrtui.emit import emit\n__version__ = '9.9'",
        "emit": "1 / 0",
        "integrations": "1 / 0",
        "train": "from lrtui import __version__\ndone = __version__ + ' trains'",
    }.items():
        (package / f"{name}.py").write_text(text)
    (tmp_path / "other" / "lrtui").mkdir(parents=True)  # a folder of results is no package
    code = "import lrtui, lrtui.train; from lrtui.emit import dropped; print(lrtui.__file__, lrtui.train.done, lrtui.integrations.PYTHONPATH, lrtui.emit.__module__)"
    done = run(sys.executable, code, path=[tmp_path / "other", tmp_path])
    expected = [f"{package}/__init__.py", "9.9", "trains", PYTHONPATH, "lrtui.emit"]
    assert done.stdout.split() == expected, done.stderr


def test_the_supervisors_own_version_stays_whole():
    root = Path(PYTHONPATH).parents[2]
    code = "import lrtui.text.format, lrtui; print(lrtui.__version__, lrtui.__file__)"
    done = run(sys.executable, code, path=[root])
    assert done.stdout.split()[1:] == [f"{root}/lrtui/__init__.py"], done.stderr
