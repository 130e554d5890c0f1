"""`lrtui completion SHELL`: what a shell is told may stand at the cursor."""

import os
import subprocess
import sys

import pytest

from lrtui.cli.main import main
from tests.recorded import make

PROBE = """
source <("$PYTHON" -m lrtui completion bash)
lrtui() { "$PYTHON" -m lrtui "$@"; }
while read -r COMP_LINE; do
    COMP_LINE=${COMP_LINE%|} COMP_POINT=${#COMP_LINE} COMP_TYPE=9 COMPREPLY=()
    _python_argcomplete lrtui
    echo "${COMPREPLY[*]}"
done
"""


def test_bash_is_told_verbs_files_options_runs_and_examples(tmp_path):
    make(tmp_path / "runs/a", ["finished", "running"])
    (tmp_path / "stop.toml").touch()
    lines = {
        "lrtui st|": "status stop stop.toml",
        "lrtui ch|": "check",
        "lrtui stop.toml --vi|": "--view",
        "lrtui status r|": "runs/",
        "lrtui kill runs/a |": "r01 r02",
        "lrtui kill runs |": "",
        "lrtui example recipes/o|": "recipes/one_line",
        "lrtui completion |": "bash zsh fish",
        "lrtui help sto|": "stop stop.toml",
    }
    told = subprocess.run(
        ["bash", "--norc", "-c", PROBE],
        input="\n".join(lines) + "\n",
        cwd=tmp_path,
        env=os.environ | {"PYTHON": sys.executable},
        capture_output=True,
        text=True,
        check=True,
    )
    assert told.stderr == ""
    assert [line.rstrip() for line in told.stdout.splitlines()] == [*lines.values()]


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_each_shell_has_a_script(shell, capsys):
    assert main(["completion", shell]) == 0
    assert "lrtui" in capsys.readouterr().out
