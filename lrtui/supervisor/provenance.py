"""What an attempt ran with, recorded in its argv.json: a change in mid-sweep would make runs unlike each other.

Checksums are CRC-32: they tell a change, not a forgery, and hashlib would bring 3.7 MB of OpenSSL into every supervisor.
"""

from __future__ import annotations

import os
import zlib
from pathlib import Path

_CHOOSING = ("PATH", "VIRTUAL_ENV", "CONDA_PREFIX")
"""Environment variables that decide which programs run; only a hash of them is kept."""


def provenance(argv: list[str], cwd: Path) -> dict[str, str]:
    """Return interpreter or program, git commit, hash of the script and hash of the environment that chooses programs."""
    chosen = "\0".join(os.environ.get(name, "") for name in _CHOOSING)
    return {
        "program": _program(argv[0]),
        "git": _git_commit(cwd),
        "script_crc32": _script_checksum(argv, cwd),
        "environment_crc32": _checksum(os.fsencode(chosen)),
    }


def changes(before: dict[str, str], after: dict[str, str]) -> list[str]:
    """Return what differs, in words."""
    words = {
        "program": "the program",
        "git": "the git commit",
        "script_crc32": "the script",
        "environment_crc32": "PATH, VIRTUAL_ENV or CONDA_PREFIX",
    }
    return [word for key, word in words.items() if before.get(key) != after.get(key)]


def _program(word: str) -> str:
    """Return which program it is: python and python3 of one folder are one, those of two folders are not."""
    folder, name = os.path.split(word)
    return os.path.join(folder, os.path.basename(os.path.realpath(word))) if folder else name


def _checksum(content: bytes) -> str:
    return f"{zlib.crc32(content):08x}"


def _script_checksum(argv: list[str], cwd: Path) -> str:
    for word in argv:
        path = cwd / word
        if word.endswith((".py", ".sh", ".R", ".jl")) and path.is_file():
            return _checksum(path.read_bytes())
    return ""


def _git_commit(cwd: Path) -> str:
    """Return the commit that is checked out around `cwd`, read from its files; "" where there is none."""
    for folder in (cwd, *cwd.parents):
        head = folder / ".git" / "HEAD"
        try:
            text = head.read_text(errors="replace").strip()
        except OSError:
            continue
        if not text.startswith("ref: "):
            return text[:40]
        return _resolve(folder / ".git", text[5:])
    return ""


def _resolve(git: Path, ref: str) -> str:
    try:
        return (git / ref).read_text(errors="replace").strip()[:40]
    except OSError:
        pass
    try:
        packed = (git / "packed-refs").read_text(errors="replace").splitlines()
    except OSError:
        return ""
    return next((line[:40] for line in packed if line.endswith(f" {ref}")), "")
