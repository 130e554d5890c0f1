"""Warns about nearly full GPU memory before a run dies of it. (Disk space: `launch_queue`.)

The loop passes in GPU readings; the journal records the warning, so another supervisor does not repeat it.
"""

from __future__ import annotations

from collections.abc import Sequence

from lrtui.hardware.gpu import Gpu
from lrtui.sweep import events as ev
from lrtui.sweep.state import Sweep
from lrtui.text.format import gib

EVERY_SECONDS = 5.0
"""Seconds between two readings: a missed peak is not a shortage yet."""
FULL = 0.95
"""Share of a GPU's memory that counts as nearly full."""
IN_A_ROW = 6
"""Readings in a row: half a minute, longer than the extra memory of an evaluation or a checkpoint lasts."""


class GpuMemoryWatch:
    """Counts the readings in a row in which a GPU was nearly full."""

    def __init__(self) -> None:
        self._full: dict[int, int] = {}

    def tick(self, sweep: Sweep, gpus: Sequence[Gpu]) -> list[ev.AnyEvent]:
        """Return a warning for each GPU of the sweep that is nearly full, once per sweep."""
        runs = {
            gpu.index: sum(gpu.index in run.attempts[-1].devices for run in sweep.alive())
            for gpu in gpus
        }
        self._full = {
            gpu.index: self._full.get(gpu.index, 0) + 1
            for gpu in gpus
            if runs[gpu.index] and gpu.memory_used_mib >= FULL * gpu.memory_total_mib > 0
        }
        return [
            ev.Warned(
                text=_text(gpu, runs[gpu.index], sweep.parallel), kind="gpu memory", gpu=gpu.index
            )
            for gpu in gpus
            if self._full.get(gpu.index) == IN_A_ROW and not _was_said(sweep, gpu)
        ]


def _was_said(sweep: Sweep, gpu: Gpu) -> bool:
    return any(warned.kind == "gpu memory" and warned.gpu == gpu.index for warned in sweep.warnings)


def _text(gpu: Gpu, runs: int, parallel: int) -> str:
    used, total = gib(gpu.memory_used_mib), gib(gpu.memory_total_mib)
    if runs > 1:
        hint = f"lower parallel ({parallel} now): the key <, or lrtui parallel DIR {parallel - 1}"
    else:
        hint = "a single run fills it: use a smaller batch_size or model"
    return f"memory of GPU {gpu.index} is nearly full ({used} of {total} GiB, {IN_A_ROW} readings in a row); {hint}"
