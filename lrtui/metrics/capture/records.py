"""From the bytes of a log to records: what a script meant as one line.

A record ends at a newline or a carriage return. Escape sequences, backspaces and byte order marks are removed.
"""

from __future__ import annotations

import re

_ESCAPES = re.compile(
    rb"\x1b\[[0-?]*[ -/]*[@-~]?"  # CSI
    rb"|\x1b[\]P_^X][^\x07\x1b\n\r]*(?:\x07|\x1b\\)?"  # OSC, DCS, APC, PM, SOS
    rb"|\x1b[ -/]*[0-~]?"  # any other escape
    rb"|\x08"
)
_BOM = b"\xef\xbb\xbf"
_UTF16 = re.compile(rb"\0|\xff\xfe|\xfe\xff")


def narrow(block: bytes) -> bytes:
    """Return text without NULs: UTF-16 is then readable as far as it is ASCII."""
    return _UTF16.sub(b"", block) if b"\0" in block else block


def records(block: bytes) -> list[bytes]:
    """Return the records of a block of whole lines, empty ones left out."""
    if b"\x1b" in block or b"\x08" in block:
        block = _ESCAPES.sub(b"", block)
    if _BOM in block:
        block = block.replace(_BOM, b"")
    if b"\r" in block:
        block = block.replace(b"\r", b"\n")
    return [line for line in block.split(b"\n") if line]
