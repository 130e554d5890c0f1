"""The base install: no torch, scikit-learn, matplotlib; what needs them says so in a sentence, the rest works."""

import ast
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
HIDE = """
from importlib.machinery import PathFinder
shown = PathFinder.find_spec
hidden = {"torch", "torchvision", "sklearn", "PIL", "matplotlib", "textual_serve", "schedulefree", "tensorboard", "pyarrow", "mlflow", "wandb"}
PathFinder.find_spec = lambda name, *rest: None if name.partition(".")[0] in hidden else shown(name, *rest)
"""
IMPORTED_AS = {"nvidia-ml-py": "pynvml", "textual": "textual rich typing_extensions"}
"""The modules of a package whose name is another, or that brings others along."""
OF_EXTRAS = {
    "torch": {"train", "cli/doctor/torch_probe.py", "integrations"},
    "torchvision": {"train", "cli/doctor/torch_probe.py"},
    "sklearn": {"train"},
    "PIL": {"train"},
    "schedulefree": {"train"},
    "matplotlib": {"report/figures"},
    "textual_serve": {"cli/web"},
    "aiohttp": {"cli/web"},
    "lightning": {"integrations/lightning.py"},
    "keras": {"integrations/keras.py"},
    "transformers": {"integrations/transformers.py"},
    "jinja2": {"cli/web"},
    "tensorboard": {"export/to_tensorboard.py"},
    "pyarrow": {"export/to_parquet.py"},
    "mlflow": {"export/to_mlflow.py"},
    "wandb": {"export/to_wandb.py"},
}
"""The modules that extras bring, and the only places that may import them."""


def lrtui(tmp_path, *commands: str) -> str:
    """Run commands in one process that has only the base install; return what they print, with their exit codes."""
    (tmp_path / "sitecustomize.py").write_text(HIDE)
    (tmp_path / "own.toml").write_text(
        'command = ["true", "{lr}"]\nsteps = 9\nmetric = "min loss"\nlr = [1e-3, 1e-2]\n'
    )
    code = "import sys; from lrtui.cli.main import main\nfor each in sys.argv[1:]: print('code', main(each.split()), flush=True)"
    done = subprocess.run(
        [sys.executable, "-c", code, *commands],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": f"{tmp_path}:{ROOT}"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=True,
        timeout=300,
    )
    assert "Traceback" not in done.stdout
    return done.stdout


def test_the_trainer_says_what_to_install(tmp_path):
    """Before anything is made, at the key that needs it."""
    for name, line in (("digits", '"digits"'), ("folder", '{ folder = "." }')):
        (tmp_path / f"{name}.toml").write_text(f"lr = [1e-3]\ndataset = {line}\n")
    said = lrtui(tmp_path, "digits.toml", "check digits.toml", "check folder.toml")
    line = "digits.toml:2:11: dataset digits needs PyTorch and scikit-learn, not installed here"
    assert said.count(line) == 2
    assert "dataset folder needs PyTorch and Pillow, not installed here" in said
    assert said.count("Install it: pip install 'lrtui[train]'") == 3
    assert said.count("code 2") == 3
    assert not (tmp_path / "runs").exists()


def test_own_scripts_and_doctor_need_no_extra(tmp_path):
    sweep = ROOT / "tests/data/format1/killed"
    (tmp_path / "sweep").symlink_to(sweep)
    exported = [f"export sweep --to {tool}" for tool in ("csv", "tensorboard")]
    said = lrtui(tmp_path, "check own.toml", *exported, "doctor", "serve own.toml")
    checked, rest = said.split("code 0\n", 1)
    assert "your own script" in checked
    assert "killed-csv: 3 runs" in rest
    assert "export to tensorboard needs tensorboard, which is not installed here\n  pip install 'lrtui[tensorboard]'\ncode 2\n" in rest  # fmt: skip
    assert "warn  torch        PyTorch is not installed: your own scripts run" in rest
    assert "without matplotlib: reports and exports have no charts: pip install 'lrtui[report]'" in rest  # fmt: skip
    assert "digits: needs PyTorch and scikit-learn" in rest
    assert "FAIL  torch" not in rest
    assert rest.endswith("not installed\n  pip install 'lrtui[web]'\ncode 5\n")


def test_a_preparation_without_its_packages_fails_in_words(tmp_path):
    """As after a directory was copied to a machine with the base install."""
    (tmp_path / "sitecustomize.py").write_text(HIDE)
    done = subprocess.run(
        [sys.executable, "-m", "lrtui.train.prepare", "--dataset=digits", "--data-dir=data"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": f"{tmp_path}:{ROOT}"},
        capture_output=True,
        text=True,
        check=False,
    )
    said = "digits needs PyTorch and scikit-learn, not installed here: pip install 'lrtui[train]'\n"
    assert (done.returncode, done.stderr) == (5, said)


def test_the_core_imports_only_base_dependencies():
    base = {re.split(r"[<>=; ]", line)[0] for line in PROJECT["dependencies"]}
    known = {name for each in base for name in IMPORTED_AS.get(each, each).split()}
    strange = []
    for file in (ROOT / "lrtui").rglob("*.py"):
        place = file.relative_to(ROOT / "lrtui").as_posix()
        for node in ast.walk(ast.parse(file.read_bytes())):
            names = (
                [alias.name for alias in node.names]
                if isinstance(node, ast.Import)
                else [node.module or ""]
                if isinstance(node, ast.ImportFrom) and not node.level
                else []
            )
            for name in {each.partition(".")[0] for each in names}:
                allowed = name in known | sys.stdlib_module_names | {"lrtui"}
                if not allowed and not any(place.startswith(at) for at in OF_EXTRAS.get(name, ())):
                    strange.append((place, name))
    assert strange == []


def test_the_test_extra_holds_all_other_extras():
    extras = PROJECT["optional-dependencies"]
    assert "lrtui[all]" in extras["test"]
    everything = "".join([*extras["all"], *extras["test"]])
    names = extras.keys() - {"all", "serve", "test", "bench", "docs"}
    assert [name for name in names if name not in everything] == []
