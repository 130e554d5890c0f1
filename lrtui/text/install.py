"""How an optional extra is installed here: by pip, or by the tool that made this environment."""

from __future__ import annotations

import os
import shlex
import shutil
import sys
from pathlib import Path

_TOOLS = {
    "uv-receipt.toml": "uv tool install 'lrtui[{extra}]'",
    "pipx_metadata.json": "pipx install --force 'lrtui[{extra}]'",
}
"""The file that a tool leaves in the environments it makes, and its command: their environments have no pip."""


def install(extra: str) -> str:
    """Return the command that brings an extra of lrtui: pip install 'lrtui[report]'."""
    made_by = (how for file, how in _TOOLS.items() if (Path(sys.prefix) / file).exists())
    return next(made_by, f"{_pip()} install 'lrtui[{{extra}}]'").format(extra=extra)


def _pip() -> str:
    """Return what a shell calls the pip of this environment: by its path if the environment is not active."""
    pip = Path(sys.prefix, "bin", "pip")
    active = shutil.which("pip")
    if not pip.exists() or (active and os.path.samefile(active, pip)):
        return "pip"
    near = pip.is_relative_to(Path.cwd())
    return (
        shlex.quote(str(pip.relative_to(Path.cwd()) if near else pip))
        .replace("{", "{{")
        .replace("}", "}}")
    )
