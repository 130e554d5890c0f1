"""What import-linter cannot see: which modules are really loaded when a front end or the supervisor starts."""

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

import lrtui

PACKAGE = Path(lrtui.__file__).parent


def loaded(statement: str) -> set[str]:
    code = f"{statement}\nimport sys; print('\\n'.join(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return {name.partition(".")[0] for name in done.stdout.split()} | set(done.stdout.split())


@pytest.mark.parametrize(
    ("module", "never"),
    [
        ("lrtui", {"torch", "textual", "numpy", "plotext", "msgspec", "argparse"}),
        ("lrtui.cli.main", {"torch", "textual", "numpy", "plotext", "msgspec"}),
        (
            "lrtui.supervisor.__main__",
            {
                "torch",
                "textual",
                "numpy",
                "plotext",
                "_hashlib",
                "pickle",
                "lrtui.tui",
                "lrtui.report",
            },
        ),
        ("lrtui.config", {"torch", "textual", "numpy", "plotext"}),
        ("lrtui.frontend.log_mode", {"torch", "textual", "plotext"}),
        ("lrtui.frontend.snapshot", {"torch", "textual", "plotext", "numpy"}),
        ("lrtui.tui", {"torch", "plotext", "numpy", "textual"}),
        ("lrtui.cli.web", {"aiohttp", "textual_serve", "textual"}),
        ("lrtui.cli.web.http_server", {"textual", "rich", "jinja2", "numpy", "torch"}),
        ("lrtui.workers.keeper", {"torch", "msgspec", "subprocess"}),
    ],
)
def test_starting_costs_only_what_is_needed(module, never):
    assert not loaded(f"import {module}") & never


def test_the_monitor_makes_few_dataclasses_before_it_paints():
    """Each takes 0.8 ms of every start, a msgspec Struct 0.02 ms; there were 36."""
    code = (
        "import sys, lrtui.tui.app; print([name for key, module in list(sys.modules.items())"
        " if key.startswith('lrtui') for name, each in vars(module).items()"
        " if '__dataclass_fields__' in getattr(each, '__dict__', ()) and each.__module__ == key])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    known = {"Attempt", "Ending", "GroupKey", "Reached", "Run", "Sweep"}
    assert set(ast.literal_eval(done.stdout)) == known


def test_the_keeper_starts_with_the_standard_library_alone():
    from lrtui.workers import keeper

    command = [
        sys.executable,
        "-I",
        "-S",
        "-c",
        f"import runpy; runpy.run_path({keeper.__file__!r})",
    ]
    assert subprocess.run(command, check=False).returncode == 0


@pytest.mark.parametrize("room", sorted(path.name for path in PACKAGE.iterdir()))
def test_no_room_imports_private_names_of_another(room):
    """A name or module with an underscore belongs to its file, or to the package that the file lies in."""
    taken = []
    for file in (PACKAGE / room).rglob("*.py") if (PACKAGE / room).is_dir() else ():
        for node in ast.walk(ast.parse(file.read_bytes())):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("lrtui"):
                names = [*(node.module or "").split("."), *(alias.name for alias in node.names)]
                private = [name for name in names if name[0] == "_" and name[:2] != "__"]
                if private and not (node.module or "").startswith(f"lrtui.{room}"):
                    taken.append(f"{file}:{node.lineno} {private}")
    assert not taken


def test_few_rooms_stand_at_the_root():
    """What a newcomer sees first: 16 rooms, emit and errors. __init__, __main__ and py.typed are Python's."""
    pythons = {"__init__.py", "__main__.py", "__pycache__", "py.typed"}
    assert len({path.name for path in PACKAGE.iterdir()} - pythons) <= 18


def test_few_file_names_occur_twice():
    """A file is found by its name; a schedule and a model are called linear, a schedule step."""
    names = [
        file.name
        for file in PACKAGE.rglob("*.py")
        if file.name not in {"__init__.py", "__main__.py"}
    ]
    twice = {name for name in names if names.count(name) > 1}
    assert twice <= {"explain.py", "linear.py", "loop.py", "range_test.py", "step.py"}


FOREIGN_WORDS = {
    "sweep/format1.py": "of the lrtui that wrote format 1",
    "config/toml_reader.py": "of the TOML parser",
    "tui/screen_export.py": "of Python in another process",
}
"""The files that read sentences, and whose they are."""
RULES = {"not resolvable", "gpu memory"}
"""Of `study.Trend` and `events.WarningKind`: two words, but typed."""
SEARCHES = {"startswith", "endswith", "partition", "rpartition", "removeprefix", "find", "index"}


def test_no_decision_reads_prose():
    """Nothing of lrtui is compared with or searched for words of a sentence: they change, and mean different things."""
    found = []
    for file in PACKAGE.rglob("*.py"):
        name = file.relative_to(PACKAGE).as_posix()
        for node in ast.walk(ast.parse(file.read_bytes())):
            read: list[ast.expr] = []
            if isinstance(node, ast.Compare):
                read = [node.left, *node.comparators]
            elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
                read = node.args if node.func.attr in SEARCHES else []
            texts = [each.value for part in read for each in ast.walk(part) if isinstance(each, ast.Constant)]  # fmt: skip
            prose = [t for t in texts if isinstance(t, str) and re.search(r"\w{2},?:? \w{2}", t)]
            if set(prose) - RULES and name not in FOREIGN_WORDS:
                found.append(f"{name}:{node.lineno} {prose}")
    assert found == []
