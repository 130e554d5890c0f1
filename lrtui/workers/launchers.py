"""The launchers that `kind` in [launcher] of an experiment file can name."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from lrtui.workers.launcher import LOCAL, Launcher
from lrtui.workers.local import Local


def launcher_for(root: Path, settings: Mapping[str, Any]) -> Launcher:
    """Return the launcher that the [launcher] section names, for the experiment directory `root`."""
    return LAUNCHERS[str(settings.get("kind", LOCAL))](root, settings)


def _slurm(root: Path, settings: Mapping[str, Any]) -> Launcher:
    from lrtui.workers.slurm.engine import Slurm  # imported only if an experiment names it

    return Slurm(root, settings)


LAUNCHERS: dict[str, Callable[[Path, Mapping[str, Any]], Launcher]] = {
    LOCAL: lambda _root, _settings: Local(),
    "slurm": _slurm,
}
