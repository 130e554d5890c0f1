"""Samples of a long run's files, which charts show until the run is read.

The points of a sketch are exact but few: ranking, numbers and reports never use it.
"""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

from lrtui.metrics.capture import Capture, Reading
from lrtui.metrics.line import Columns, Found
from lrtui.metrics.series import ROOM, RunSeries
from lrtui.metrics.tail import Tail

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path


WORTH = 1 << 20
"""From this many bytes of metric lines on, samples are drawn first."""
PARTS = 128
"""The number of places at which a run is sampled: about one per column of a chart."""
SIZES = (1 << 9, 1 << 12, 1 << 14)
"""Bytes read at each place, by successive sketch: rare measurements, such as evaluations, are only in the larger ones."""
_ROOM = ROOM // 4
"""The numbers that a sketch may hold: a chart shows a few hundred points, and each long run has one while all of them are read."""


def sizes(left: int) -> list[int]:
    """Return the sizes of the sketches worth drawing of a run with `left` bytes to read; larger ones cost at most a sixteenth of reading it."""
    return [size for size in SIZES if size == SIZES[0] or PARTS * size <= left >> 4]


def sketch(attempts: Sequence[tuple[int, Path]], reading: Reading, size: int) -> RunSeries | None:
    """Return what the metrics.jsonl of a run's attempts measured at PARTS places, `size` bytes at each.

    None if lengths depend on lines between the samples: whole numbers that count epochs, or positions of an attempt that go back.
    """
    series = RunSeries(_ROOM)
    for number, path in attempts:
        capture = Capture(reading, by_column=True)
        if not capture.plain:
            return None
        found: list[Found] = []
        blocks = list(Tail(path).sample(max(2, PARTS // len(attempts)), size))
        if blocks:
            capture.samples(blocks, found)
        if not _ascending(found):
            return None
        series.extend(number, found)
    series.version = -size  # never that of the run itself
    return series


def _ascending(found: Sequence[Found]) -> bool:
    levels = [
        level
        for each in found
        for level in (each.levels if isinstance(each, Columns) else (each.level,))
    ]
    return all(before <= after for before, after in pairwise(levels))
