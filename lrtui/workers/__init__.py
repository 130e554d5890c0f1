"""How a process comes to run. To add an engine: one file here and one line in LAUNCHERS."""

from lrtui.workers.launcher import (
    Condition,
    Gone,
    Job,
    Launcher,
    Living,
    Over,
    Unclaimed,
    new_token,
)
from lrtui.workers.local import Local

LAUNCHERS: dict[str, type[Launcher]] = {"local": Local}

__all__ = [
    "LAUNCHERS",
    "Condition",
    "Gone",
    "Job",
    "Launcher",
    "Living",
    "Local",
    "Over",
    "Unclaimed",
    "new_token",
]
