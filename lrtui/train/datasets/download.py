"""One file from the network, whole: with progress, resumed where it was cut off, and its checksum compared.

Called by `vision.py` with the addresses and MD5 sums that torchvision has. Received data is in FILE.part until its checksum is
right, so that a later attempt continues from there and a part is never taken for the whole.
"""

from __future__ import annotations

import hashlib
import http.client
import os
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import TYPE_CHECKING

from lrtui.train.datasets.custom_data import say

if TYPE_CHECKING:
    from http.client import HTTPResponse

ATTEMPTS = 5
"""The download is given up after this many connections in a row without data."""
PAUSE_SECONDS = 1.0
PROGRESS_SECONDS = 2.0
_BLOCK = 1 << 18


class DownloadError(Exception):
    """The file did not arrive; the text says why."""


def fetch(url: str, target: Path, md5: str, *, timeout: float) -> None:
    """Download `url` to `target`.

    Raises:
        DownloadError: no answer within `timeout` seconds, an answer that refuses, or another checksum.
        OSError: the disk takes no more.

    """
    part = target.with_name(target.name + ".part")
    target.parent.mkdir(parents=True, exist_ok=True)
    resumed = _size(part) > 0
    _receive_all(url, part, timeout)
    found = _md5(part)
    if found != md5 and resumed:  # the part may have been another file's
        say(f"{target.name}: what was resumed has another checksum; from the beginning")
        part.unlink()
        _receive_all(url, part, timeout)
        found = _md5(part)
    if found != md5:
        part.unlink()
        raise DownloadError(f"{url} has md5 {found} instead of {md5}")
    part.rename(target)


def _receive_all(url: str, part: Path, timeout: float) -> None:
    """Download until everything has arrived; reconnect if the connection is cut."""
    idle = 0
    while True:
        before = _size(part)
        try:
            if _receive(url, part, timeout):
                return
            reason = "the connection was cut"
        except urllib.error.HTTPError as error:
            raise DownloadError(f"{url} answers {error.code} {error.reason}") from None
        except (
            http.client.HTTPException,
            urllib.error.URLError,
            TimeoutError,
            ConnectionError,
        ) as error:
            reason = str(getattr(error, "reason", error)) or type(error).__name__
        idle = 0 if _size(part) > before else idle + 1
        if idle == ATTEMPTS:
            raise DownloadError(f"{url}: {reason}")
        say(f"{part.stem}: {reason} at {_size(part) / 1e6:,.1f} MB; going on")
        time.sleep(PAUSE_SECONDS if idle else 0)


def _receive(url: str, part: Path, timeout: float) -> bool:
    """Append the data of one connection; return whether the file is complete."""
    have = _size(part)
    request = urllib.request.Request(url, headers={"User-Agent": "lrtui"})  # noqa: S310 - torchvision's addresses
    if have:
        request.add_header("Range", f"bytes={have}-")
    try:
        answer: HTTPResponse = urllib.request.urlopen(request, timeout=timeout)  # noqa: S310
    except urllib.error.HTTPError as error:
        if error.code == 416:  # nothing is left: all is there, or too much, which the checksum says
            return True
        raise
    with answer:
        if answer.status != 206:  # all of it again: this server does not resume
            have = 0
        length = answer.headers.get("Content-Length")
        total = have + int(length) if length else None
        with part.open("r+b" if have else "wb") as file:
            file.seek(have)
            _copy(answer, file.fileno(), part.stem, have, total)
    return total is None or _size(part) == total


def _copy(answer: HTTPResponse, fd: int, name: str, have: int, total: int | None) -> None:
    """Write blocks as they arrive, and report the progress now and then."""
    began = told = time.monotonic()
    start = have
    _tell(name, have, total, 0.0)
    while block := answer.read1(_BLOCK):
        view = memoryview(block)
        while view:
            view = view[os.write(fd, view) :]
        have += len(block)
        if (now := time.monotonic()) - told > PROGRESS_SECONDS:
            told = now
            _tell(name, have, total, (have - start) / (now - began))
    _tell(name, have, total, (have - start) / max(time.monotonic() - began, 1e-3))


def _tell(name: str, have: int, total: int | None, speed: float) -> None:
    of = f" of {total / 1e6:,.1f} MB ({have / max(total, 1):.0%})" if total else " MB"
    at = f", {speed / 1e6:.1f} MB/s" if speed else ""
    say(f"downloading {name}: {have / 1e6:,.1f}{of}{at}")


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def _md5(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()
