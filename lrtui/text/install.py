"""How an optional extra is installed here: by pip, or by the tool that made this environment."""

from __future__ import annotations

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
    return next(made_by, "pip install 'lrtui[{extra}]'").format(extra=extra)
