"""MNIST, Fashion-MNIST, CIFAR-10 and CIFAR-100 through `torchvision.datasets`: download, checksum, unpickling.

Called in the preparation's own process alone. torchvision checks the archives' md5 before it unpickles; nothing is
unpickled elsewhere. Whether the servers answer is tried first, with a deadline, so that a machine without network
gets an answer in seconds.
"""

from __future__ import annotations

import contextlib
import gzip
import os
import shutil
import socket
import sys
import threading
import urllib.error
import urllib.request
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from lrtui.train.store import Source

if TYPE_CHECKING:
    from collections.abc import Callable

CONNECT_SECONDS = 10.0
DEBIAN_FASHION_MNIST = Path("/usr/share/datasets/fashion-mnist")
"""Debian's package dataset-fashion-mnist; LRTUI_FASHION_MNIST names another folder with the same four files."""


class NoDataError(Exception):
    """A data set is neither here nor to be had; the text says which file to put where."""


def mnist(data_dir: Path) -> Source:
    """Return 60,000 training and 10,000 test images, (N, 1, 28, 28)."""
    return _grey("MNIST", data_dir)


def fashion_mnist(data_dir: Path) -> Source:
    """Return 60,000 training and 10,000 test images, (N, 1, 28, 28); from Debian's files where installed."""
    packaged = Path(os.environ.get("LRTUI_FASHION_MNIST", DEBIAN_FASHION_MNIST))
    raw = data_dir / "FashionMNIST" / "raw"
    files = sorted(packaged.glob("*-ubyte.gz"))
    if len(files) == 4 and len(list(raw.glob("*-ubyte"))) < 4:
        raw.mkdir(parents=True, exist_ok=True)
        for file in files:
            _unpack(file, raw / file.stem)
    return _grey("FashionMNIST", data_dir)


def cifar10(data_dir: Path) -> Source:
    """Return 50,000 training and 10,000 test images, (N, 3, 32, 32)."""
    return _colour("CIFAR10", data_dir)


def cifar100(data_dir: Path) -> Source:
    """Return 50,000 training and 10,000 test images, (N, 3, 32, 32); the 100 fine labels."""
    return _colour("CIFAR100", data_dir)


def _grey(name: str, data_dir: Path) -> Source:
    from torchvision import datasets  # 3 s; the digits and synthetic do without

    kind = getattr(datasets, name)
    folder = data_dir / name / "raw"
    files = [(file, md5) for file, md5 in kind.resources]
    train, test = _load(kind, data_dir, _Remote(list(kind.mirrors), files, folder))
    return Source(
        train.data.numpy()[:, None],
        train.targets.numpy().astype(np.int64),
        test.data.numpy()[:, None],
        test.targets.numpy().astype(np.int64),
        f"torchvision.datasets.{name}",
    )


def _colour(name: str, data_dir: Path) -> Source:
    from torchvision import datasets  # see _grey

    kind = getattr(datasets, name)
    base = kind.url.rsplit("/", 1)[0] + "/"
    train, test = _load(kind, data_dir, _Remote([base], [(kind.filename, kind.tgz_md5)], data_dir))
    return Source(
        train.data.transpose(0, 3, 1, 2),
        np.asarray(train.targets, np.int64),
        test.data.transpose(0, 3, 1, 2),
        np.asarray(test.targets, np.int64),
        f"torchvision.datasets.{name}",
    )


class _Remote:
    """Where a data set's files lie on the network and where they belong on the disk."""

    def __init__(self, mirrors: list[str], files: list[tuple[str, str]], folder: Path) -> None:
        self.mirrors, self.files, self.folder = mirrors, files, folder

    def missing(self) -> list[str]:
        """Return a line for each archive that is not there, or not with the checksum of the original."""
        from torchvision.datasets.utils import check_integrity  # see _grey

        lines = []
        for file, md5 in self.files:
            path = self.folder / file
            if not check_integrity(str(path), md5):
                found = "another md5 there now" if path.exists() else "not there"
                lines.append(f"  {path}   md5 {md5}   ({found})")
        return lines


def _load(kind: Callable[..., Any], data_dir: Path, remote: _Remote) -> tuple[Any, Any]:
    """Return torchvision's (train, test): from the disk, else after a download.

    Raises:
        NoDataError: neither is possible.

    """
    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(CONNECT_SECONDS)
    try:
        with contextlib.redirect_stdout(sys.stderr):  # stdout is for the result
            try:
                return kind(data_dir, train=True), kind(data_dir, train=False)
            except RuntimeError:  # torchvision: "not found or corrupted"
                if remote.missing():
                    _require_server(remote)
                kind(data_dir, train=True, download=True)
                return kind(data_dir, train=True), kind(data_dir, train=False)
    except (RuntimeError, urllib.error.URLError, OSError, ValueError, EOFError) as error:
        reason = " ".join(str(error).split())[:200]
        lines = (
            "\n".join(remote.missing())
            or f"  the files under {remote.folder} are damaged: remove them"
        )
        raise NoDataError(f"{reason}\nput the original here:\n{lines}") from error
    finally:
        socket.setdefaulttimeout(before)


def _require_server(remote: _Remote) -> None:
    """Raise OSError unless some mirror answers in time; name resolution has no timeout of its own."""
    answers: list[bool] = []
    reasons: list[str] = []

    def ask(mirror: str) -> None:
        try:
            url = mirror + remote.files[0][0]
            with urllib.request.urlopen(url, timeout=CONNECT_SECONDS):  # noqa: S310 - torchvision's
                answers.append(True)
        except (OSError, ValueError) as error:
            reasons.append(str(error))

    threads = [
        threading.Thread(target=ask, args=(mirror,), daemon=True) for mirror in remote.mirrors
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(CONNECT_SECONDS + 2)
    if not answers:
        reason = reasons[0] if reasons else "no answer"
        raise OSError(f"{remote.mirrors[0]} does not answer ({reason})")
    print(f"downloading {', '.join(file for file, _ in remote.files)}", file=sys.stderr, flush=True)


def _unpack(archive: Path, target: Path) -> None:
    """Write what the gzip archive holds to `target`, by rename."""
    temporary = target.with_name(target.name + f".{os.getpid()}")
    with gzip.open(archive) as packed, temporary.open("wb") as file:
        shutil.copyfileobj(packed, file)
    temporary.rename(target)
