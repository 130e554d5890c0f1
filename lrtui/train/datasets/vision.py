"""MNIST, Fashion-MNIST, CIFAR-10 and CIFAR-100 through `torchvision.datasets`: download, checksum, unpickling.

Called only in the preparation's process. The addresses, the MD5 sums and the reading are torchvision's; the
download is `download.py`, which continues where it was cut off. torchvision checks the archives' md5 before it unpickles;
nothing is unpickled elsewhere. Whether the servers answer is tried first, with a deadline, so that a machine without
network gets an answer in seconds. Unpacked files that cannot be read are unpacked again from an archive that is whole.
"""

from __future__ import annotations

import contextlib
import gzip
import http.client
import os
import pickle
import shutil
import socket
import sys
import threading
import time
import urllib.request
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from lrtui.train.datasets.download import DownloadError, fetch
from lrtui.train.prepared_arrays import FULL, Source

if TYPE_CHECKING:
    from collections.abc import Callable

CONNECT_SECONDS = 10.0
DEBIAN_FASHION_MNIST = Path("/usr/share/datasets/fashion-mnist")
"""Debian's package dataset-fashion-mnist; LRTUI_FASHION_MNIST names another folder with the same four files."""


class NoDataError(Exception):
    """A data set is neither present nor downloadable; the text says which file to put where."""


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
    """The addresses of a data set's files and their paths on disk."""

    def __init__(self, mirrors: list[str], files: list[tuple[str, str]], folder: Path) -> None:
        self.mirrors, self.files, self.folder = mirrors, files, folder

    def missing(self) -> list[tuple[str, str]]:
        """Return (name, md5) of each archive that is not there, or not with the checksum of the original."""
        from torchvision.datasets.utils import check_integrity  # see _grey

        return [
            (file, md5)
            for file, md5 in self.files
            if not check_integrity(str(self.folder / file), md5)
        ]

    def told(self) -> str:
        """Return a line for each archive that is missing: what belongs where."""
        lines = []
        for file, md5 in self.missing():
            path = self.folder / file
            found = "another md5 there now" if path.exists() else "not there"
            lines.append(f"  {path}   md5 {md5}   ({found})")
        return "\n".join(lines) or f"  the files under {self.folder} are damaged: remove them"


_UNREADABLE = (RuntimeError, OSError, ValueError, AssertionError, EOFError, pickle.UnpicklingError)
"""The exceptions that torchvision raises for missing, truncated or wrong files."""


def _load(kind: Callable[..., Any], data_dir: Path, remote: _Remote) -> tuple[Any, Any]:
    """Return torchvision's (train, test): from the disk, else after a download.

    Raises:
        NoDataError: neither is possible.
        OSError: the disk takes no more.

    """
    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(CONNECT_SECONDS)
    try:
        with contextlib.redirect_stdout(sys.stderr):  # stdout is for the result
            try:
                return kind(data_dir, train=True), kind(data_dir, train=False)
            except _UNREADABLE:
                _bring(remote)
                _remove_unpacked(remote)
                kind(data_dir, train=True, download=True)
                return kind(data_dir, train=True), kind(data_dir, train=False)
    except (*_UNREADABLE, DownloadError) as error:
        if isinstance(error, OSError) and error.errno in FULL:
            raise
        reason = " ".join(str(error).split())[:200] or type(error).__name__
        raise NoDataError(f"{reason}\nput the original here:\n{remote.told()}") from error
    finally:
        socket.setdefaulttimeout(before)


def _bring(remote: _Remote) -> None:
    """Download each archive that is missing, from the first mirror that has it."""
    if not (missing := remote.missing()):
        return
    mirrors = _answering(remote, missing[0][0])
    for file, md5 in missing:
        for number, mirror in enumerate(mirrors, 1):
            try:
                fetch(mirror + file, remote.folder / file, md5, timeout=CONNECT_SECONDS)
                break
            except DownloadError:
                if number == len(mirrors):
                    raise


def _answering(remote: _Remote, file: str) -> list[str]:
    """Return the mirrors that answer in time; name resolution itself has no timeout.

    Raises:
        DownloadError: none does.

    """
    answers: dict[str, str] = {}

    def ask(mirror: str) -> None:
        try:
            with urllib.request.urlopen(mirror + file, timeout=CONNECT_SECONDS):  # noqa: S310 - torchvision's
                answers[mirror] = ""
        except (OSError, ValueError, http.client.HTTPException) as error:
            answers[mirror] = str(error) or type(error).__name__

    threads = [
        threading.Thread(target=ask, args=(mirror,), daemon=True) for mirror in remote.mirrors
    ]
    for thread in threads:
        thread.start()
    until = time.monotonic() + CONNECT_SECONDS + 2
    for thread in threads:
        thread.join(max(0.0, until - time.monotonic()))
    good = [mirror for mirror in remote.mirrors if answers.get(mirror) == ""]
    if not good:
        first = remote.mirrors[0]
        raise DownloadError(f"{first} does not answer ({answers.get(first, 'nothing in time')})")
    return good


def _remove_unpacked(remote: _Remote) -> None:
    """Remove what was unpacked from MNIST's archives: torchvision takes it as it is, however damaged."""
    for file, _ in remote.files:
        if file.endswith("-ubyte.gz"):
            (remote.folder / file).with_suffix("").unlink(missing_ok=True)


def _unpack(archive: Path, target: Path) -> None:
    """Write what the gzip archive holds to `target`, by rename."""
    temporary = target.with_name(target.name + f".{os.getpid()}")
    with gzip.open(archive) as packed, temporary.open("wb") as file:
        shutil.copyfileobj(packed, file)
    temporary.rename(target)
