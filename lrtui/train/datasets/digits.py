"""The 8x8 digits that come with scikit-learn (Alpaydin and Kaynak 1998): needs no network."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from lrtui.train.prepared_arrays import SPLIT_SEED, Source, balanced

if TYPE_CHECKING:
    from pathlib import Path

TEST = 397
"""The share held out for test, stratified; the set has no predefined split."""


def digits(data_dir: Path) -> Source:
    """Return 1,400 training and 397 test images, (N, 1, 8, 8); the 17 grey levels are stretched to 0..255."""
    del data_dir
    from sklearn.datasets import load_digits  # 1 s, and only this data set needs it

    bunch = load_digits()
    images = np.rint(bunch.images * (255 / 16)).astype(np.uint8)[:, None]
    labels = bunch.target.astype(np.int64)
    test = balanced(labels, TEST, 10, np.random.default_rng(SPLIT_SEED + 1))
    train = np.setdiff1d(np.arange(len(labels)), test)
    return Source(images[train], labels[train], images[test], labels[test], "scikit-learn")
