"""SYNTHETIC data of CIFAR's shape, for machines without data and for benchmarks: learnable, never a stand-in.

Each class has a few smooth colour patterns. An image is one of them, shifted and scaled in contrast, over a pattern
that belongs to no class, with noise. A linear model learns a part, a convolutional one more; chance is 10 %.
Integers decide everything (PCG64 draws of integers, tables of integers), so the bytes are the same everywhere.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from lrtui.train.prepared_arrays import Images, Labels, Source

if TYPE_CHECKING:
    from pathlib import Path

CLASSES = 10
PATTERNS = 3
TRAIN, TEST = 20_000, 4_000
_SEED = 7


def synthetic(data_dir: Path) -> Source:
    """Return 20,000 training (before the validation split) and 4,000 test images, (N, 3, 32, 32)."""
    del data_dir
    rng = np.random.default_rng(_SEED)
    patterns = _smooth(rng, CLASSES * PATTERNS)
    clutter = _smooth(rng, 64)
    train = _draw(rng, patterns, clutter, TRAIN)
    test = _draw(rng, patterns, clutter, TEST)
    return Source(*train, *test, "computed: SYNTHETIC, it says nothing about real images")


def _smooth(rng: np.random.Generator, count: int) -> npt.NDArray[np.int32]:
    """Return (count, 3, 32, 32) patterns within -128..128: 5x5 random knots, interpolated linearly."""
    knots = rng.integers(-128, 129, (count, 3, 5, 5), dtype=np.int32)
    place = np.arange(32)
    low, share = place // 8, place % 8
    rows = (knots[:, :, low] * (8 - share)[:, None] + knots[:, :, low + 1] * share[:, None]) // 8
    columns = rows[..., low] * (8 - share) + rows[..., low + 1] * share
    return (columns // 8).astype(np.int32)


def _draw(
    rng: np.random.Generator,
    patterns: npt.NDArray[np.int32],
    clutter: npt.NDArray[np.int32],
    count: int,
) -> tuple[Images, Labels]:
    labels = rng.permutation(np.arange(count, dtype=np.int64) % CLASSES)
    images = np.empty((count, 3, 32, 32), np.uint8)
    for start in range(0, count, 500):  # by parts: as one array it would take 700 MB
        images[start : start + 500] = _compose(rng, patterns, clutter, labels[start : start + 500])
    return images, labels


def _compose(
    rng: np.random.Generator,
    patterns: npt.NDArray[np.int32],
    clutter: npt.NDArray[np.int32],
    labels: Labels,
) -> Images:
    count = len(labels)
    which = labels * PATTERNS + rng.integers(0, PATTERNS, count)
    contrast = rng.integers(20, 90, (count, 1, 1, 1), dtype=np.int32)
    rows = (np.arange(32) + rng.integers(-5, 6, (count, 1))) % 32
    columns = (np.arange(32) + rng.integers(-5, 6, (count, 1))) % 32
    channel = np.arange(3)[None, :, None, None]
    shifted = patterns[
        which[:, None, None, None], channel, rows[:, None, :, None], columns[:, None, None, :]
    ]
    behind = clutter[rng.integers(0, len(clutter), count)] * 60 // 100
    noise = rng.integers(-70, 71, (count, 3, 32, 32), dtype=np.int32)
    pixels = 128 + shifted * contrast // 100 + behind + noise
    return np.asarray(np.clip(pixels, 0, 255), np.uint8)
