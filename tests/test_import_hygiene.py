"""What import-linter cannot see: which modules are really loaded when a front end or the supervisor starts."""

import subprocess
import sys

import pytest


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
            {"torch", "textual", "numpy", "plotext", "_hashlib", "lrtui.tui", "lrtui.report"},
        ),
        ("lrtui.config", {"torch", "textual", "numpy", "plotext"}),
        ("lrtui.frontend.log_mode", {"torch", "textual", "plotext"}),
        ("lrtui.frontend.snapshot", {"torch", "textual", "plotext", "numpy"}),
        ("lrtui.tui", {"torch", "plotext", "numpy", "textual"}),
        ("lrtui.cli.web", {"aiohttp", "textual_serve", "textual"}),
        ("lrtui.cli.web.server", {"textual", "rich", "jinja2", "numpy", "torch"}),
        ("lrtui.workers.keeper", {"torch", "msgspec", "subprocess"}),
    ],
)
def test_starting_costs_only_what_is_needed(module, never):
    assert not loaded(f"import {module}") & never


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
