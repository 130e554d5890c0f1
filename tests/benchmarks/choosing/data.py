"""The data that the bank trains on, all of it offline. For `bank.py`.

A task is one line: `digits`, `fashion 4000`, `cancer`, `wine`, `diabetes`, `friedman`, `letters 8`, `pieces 32`; a number is that of the training
examples (of letters: how many are seen); `noise 0.3` gives that share of the training labels another class at random,
`random` draws all labels of all parts, `squares` has the squared distance to the class as loss instead of the cross entropy.
"""

from __future__ import annotations

import functools
import gzip
import os
import sysconfig
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from lrtui.train.datasets.vision import DEBIAN_FASHION_MNIST

TEXT = "argparse ast calendar configparser csv datetime difflib doctest enum fractions inspect ipaddress logging/__init__"
"""Modules of Python's library, as in experiments/char_lm.py."""
Part = tuple[Tensor, Tensor]


@dataclass(frozen=True, slots=True)
class Data:
    """Three parts, each inputs and targets, standardised with the mean and spread of the first."""

    train: Part
    val: Part
    test: Part
    classes: int
    """0: a regression; for text the letters."""
    kind: str
    """ "classes", "numbers" or "letters"."""

    @property
    def inputs(self) -> int:
        return self.train[0].shape[1]


def load(line: str) -> Data:
    """Return the data of a task."""
    name, *words = line.split()
    count = next((int(word) for word in words if word.isdigit()), 0)
    data = _TASKS[name](count)
    if "squares" in words:
        data = replace(data, kind="squares")
    draw = np.random.default_rng(7)
    if "noise" in words:
        share = float(words[words.index("noise") + 1])
        x, y = data.train
        wrong = torch.tensor(draw.random(len(y)) < share)
        other = torch.tensor(draw.integers(1, data.classes, len(y)))
        data = replace(data, train=(x, torch.where(wrong, (y + other) % data.classes, y)))
    if "random" in words:
        parts = [
            (x, torch.tensor(draw.integers(0, data.classes, len(y))))
            for x, y in (data.train, data.val, data.test)
        ]
        data = Data(*parts, data.classes, data.kind)
    return data


def _split(
    x: np.ndarray, y: np.ndarray, sizes: tuple[int, int, int], classes: int, *, axis: int | None = 0
) -> Data:
    """Return the data in three parts; axis None: one mean and one spread for all inputs."""
    order = np.random.default_rng(2026).permutation(len(x))
    a, b, c = sizes
    places = order[:a], order[-b - c : -c], order[-c:]
    mean, spread = x[places[0]].mean(axis), x[places[0]].std(axis)
    if not classes:
        y = (y - y[places[0]].mean()) / y[places[0]].std()
    made = torch.tensor((x - mean) / spread, dtype=torch.float32)
    target = torch.tensor(y, dtype=torch.int64 if classes else torch.float32)
    train, val, test = ((made[p], target[p]) for p in places)
    return Data(train, val, test, classes, "classes" if classes else "numbers")


def _digits(count: int) -> Data:
    from sklearn.datasets import load_digits

    x, y = load_digits(return_X_y=True)
    return _split(x, y, (count or 1000, 400, 397), 10, axis=None)  # some pixels are always 0


def _cancer(count: int) -> Data:
    from sklearn.datasets import load_breast_cancer

    return _split(*load_breast_cancer(return_X_y=True), (count or 249, 150, 170), 2)


def _wine(count: int) -> Data:
    from sklearn.datasets import load_wine

    return _split(*load_wine(return_X_y=True), (count or 80, 48, 50), 3)


def _diabetes(count: int) -> Data:
    from sklearn.datasets import load_diabetes

    return _split(*load_diabetes(return_X_y=True), (count or 242, 100, 100), 0)


def _friedman(count: int) -> Data:
    """Made, not measured: Friedman's first function of 10 numbers, with noise."""
    from sklearn.datasets import make_friedman1

    x, y = make_friedman1(n_samples=6000, n_features=10, noise=1.0, random_state=1)
    return _split(x, y, (count or 1000, 1000, 2000), 0)


def _fashion(count: int) -> Data:
    """Fashion-MNIST with pixels averaged two by two: 14x14. Validated on 2,000 of its training images, tested on 4,000 of its test ones."""
    known, tested = _images("train"), _images("t10k")
    order = np.random.default_rng(2026).permutation(len(known[0]))

    def part(pair: tuple[np.ndarray, np.ndarray], places: np.ndarray) -> Part:
        x, y = pair
        return torch.tensor(x[places], dtype=torch.float32), torch.tensor(y[places])

    train, val = order[: count or 6000], order[-2000:]
    return Data(part(known, train), part(known, val), part(tested, np.arange(4000)), 10, "classes")


@functools.cache
def _images(part: str) -> tuple[np.ndarray, np.ndarray]:
    """Return the images (N, 196) and labels of a part."""
    folder = Path(os.environ.get("LRTUI_FASHION_MNIST", DEBIAN_FASHION_MNIST))
    images = gzip.decompress((folder / f"{part}-images-idx3-ubyte.gz").read_bytes())
    labels = gzip.decompress((folder / f"{part}-labels-idx1-ubyte.gz").read_bytes())
    pixels = np.frombuffer(images, np.uint8, offset=16).reshape(-1, 14, 2, 14, 2)
    small = pixels.mean((2, 4), dtype=np.float32).reshape(-1, 196)
    return (small - 73) / 85, np.frombuffer(labels, np.uint8, offset=8).astype(int)


def _pages() -> tuple[Tensor, Tensor, Tensor]:
    """Return the text in three parts: of each ten pages one validates and one tests."""
    folder = Path(sysconfig.get_paths()["stdlib"])
    text = "".join((folder / f"{name}.py").read_text(errors="ignore") for name in TEXT.split())
    pages = torch.tensor([ord(c) - 31 if " " <= c <= "~" else 0 for c in text]).split(4000)
    train = torch.cat([page for number, page in enumerate(pages) if number % 10 not in {4, 9}])
    return train, torch.cat(pages[4::10]), torch.cat(pages[9::10])


def _letters(count: int) -> Data:
    """The next character after `count` of them."""
    texts = [text.unfold(0, count + 1, 1) for text in _pages()]
    cut = (texts[0], _spread(texts[1], 1000), _spread(texts[2], 4000))
    parts = [(w[:, :-1].contiguous(), w[:, -1].contiguous()) for w in cut]
    return Data(*parts, 96, "letters")


def _pieces(count: int) -> Data:
    """Each next character in pieces of `count`."""
    texts = [text.unfold(0, count + 1, 1) for text in _pages()]
    cut = (texts[0], _spread(texts[1], 64), _spread(texts[2], 128))
    return Data(*((w[:, :-1], w[:, 1:]) for w in cut), 96, "letters")


def _spread(windows: Tensor, count: int) -> Tensor:
    """Return so many of the windows, evenly spread."""
    return windows[:: len(windows) // count][:count]


_TASKS: dict[str, Callable[[int], Data]] = {
    "digits": _digits,
    "cancer": _cancer,
    "wine": _wine,
    "diabetes": _diabetes,
    "friedman": _friedman,
    "fashion": _fashion,
    "letters": _letters,
    "pieces": _pieces,
}
