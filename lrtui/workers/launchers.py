"""The launchers that `launcher = ".."` of an experiment file can name."""

from __future__ import annotations

from lrtui.workers.launcher import Launcher
from lrtui.workers.local import Local

LAUNCHERS: dict[str, type[Launcher]] = {"local": Local}
