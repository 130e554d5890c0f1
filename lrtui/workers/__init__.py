"""How a process comes to run. To add an engine: one file here and one line in LAUNCHERS."""

from lrtui.workers.launcher import (
    Alive,
    Condition,
    Exited,
    Job,
    Launcher,
    Unclaimed,
    Vanished,
    new_token,
)
from lrtui.workers.local import Local

LAUNCHERS: dict[str, type[Launcher]] = {"local": Local}

__all__ = [
    "LAUNCHERS",
    "Alive",
    "Condition",
    "Exited",
    "Job",
    "Launcher",
    "Local",
    "Unclaimed",
    "Vanished",
    "new_token",
]
