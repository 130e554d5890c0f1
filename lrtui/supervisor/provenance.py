"""Records what an attempt ran with in its argv.json: a change in the middle of a sweep would make its runs differ.

Checksums are CRC-32: they detect changes, not forgeries, and hashlib would load 3.7 MB of OpenSSL into every supervisor.
"""

from __future__ import annotations

import json
import os
import zlib
from collections.abc import Iterable, Sequence
from itertools import pairwise
from pathlib import Path

from lrtui.sweep.files import read_untrusted
from lrtui.sweep.layout import AttemptLayout

_ARGV_BYTES = 1 << 20
_CHOOSING = ("PATH", "VIRTUAL_ENV", "CONDA_PREFIX")
"""Environment variables that decide which programs run; only a hash of them is kept."""
_SUFFIXES = (".py", ".sh", ".R", ".jl")


def provenance(argv: Sequence[str], cwd: Path) -> dict[str, str]:
    """Return interpreter or program, git commit, hash of the scripts and hash of the environment that chooses programs."""
    chosen = "\0".join(os.environ.get(name, "") for name in _CHOOSING)
    return {
        "program": _program(argv[0]),
        "git": _git_commit(cwd),
        "script_crc32": checksum(script_files(argv, cwd)),
        "environment_crc32": _checksum(os.fsencode(chosen)),
    }


def script_files(argv: Sequence[str], cwd: Path) -> list[Path]:
    """Return the scripts that a command names, `train.py` and `-m pkg.train` alike; the same ones with or without its placeholders."""
    modules = [f"{name.replace('.', '/')}.py" for flag, name in pairwise(argv) if flag == "-m"]
    paths = [cwd / word for word in (*argv, *modules) if word.endswith(_SUFFIXES)]
    return [path for path in paths if path.is_file()]


def checksum(files: Iterable[Path]) -> str:
    """Return the checksum of all these files together; "" if there are none, or one cannot be read."""
    try:
        content = b"".join(file.read_bytes() for file in files)
    except OSError:
        return ""
    return _checksum(content) if content else ""


def changed_scripts(attempt: Path) -> list[str]:
    """Return the names of the scripts that an attempt ran with, if they changed since; [] if they are the same or unknown."""
    try:
        ran = json.loads(read_untrusted(AttemptLayout(attempt).argv, _ARGV_BYTES))
        files = script_files([str(word) for word in ran["argv"]], Path(str(ran["cwd"])))
        before = str(ran["script_crc32"])
    except (ValueError, TypeError, KeyError, RecursionError):
        return []
    return [file.name for file in files] if before and checksum(files) != before else []


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
    """Return the program's identity: python and python3 of one folder are the same, those of two folders are not."""
    folder, name = os.path.split(word)
    return os.path.join(folder, os.path.basename(os.path.realpath(word))) if folder else name


def _checksum(content: bytes) -> str:
    return f"{zlib.crc32(content):08x}"


def _git_commit(cwd: Path) -> str:
    """Return the commit that is checked out around `cwd`, read from its files; "" if there is none."""
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
