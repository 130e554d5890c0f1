"""Spoils good text: what a torn disk, another program or an enemy makes of it. Random, but the same for the same seed."""

from __future__ import annotations

import random

PIECES = (
    *(
        b"NaN",
        b"Infinity",
        b"-Infinity",
        b"1e999",
        b"-1e999",
        b"1e-999",
        b"9" * 400,
        b"-0",
        b"0x1f",
        b"1_000",
    ),
    *(
        b"null",
        b"true",
        b"[]",
        b"{}",
        b'""',
        b"[" * 2000,
        b'{"a":' * 2000,
        b'"' + b"x" * 70_000 + b'"',
    ),
    *(
        b"\0",
        b"\xff\xfe",
        b"\xef\xbb\xbf",
        b"\xed\xa0\x80",
        b"\x1b]0;t\x07",
        b"\x1b[2J",
        b"\r",
        b"\n",
        b"\x85",
        b"\xe2\x80\xae",
    ),
    *(
        b"../../etc/passwd",
        b"/etc/passwd",
        b"$(id)",
        b"`id`",
        b"[red]x[/]",
        b"[@click=app.bell]x[/]",
        b"<script>",
        b"=1+1",
    ),
    *(
        b"{lr}",
        b"{}",
        b"%s%n",
        b"\\u0000",
        b"\\ud800",
        b'\\"',
        b",",
        b":",
        b"}",
        b"]",
        b"=",
        b"#",
        b"'''",
    ),
)


def mutated(rng: random.Random, good: bytes, others: list[bytes]) -> bytes:
    """Return a text that differs from a good one in a few places."""
    text = bytearray(good)
    for _ in range(rng.choice((1, 1, 1, 2, 3, 8))):
        at = rng.randrange(len(text) + 1)
        match rng.randrange(9):
            case 0:  # cut off
                del text[at:]
            case 1:  # a bit turned
                if text:
                    text[at % len(text)] ^= 1 << rng.randrange(8)
            case 2:  # something put in
                text[at:at] = rng.choice(PIECES)
            case 3:  # something instead of the rest of a word
                text[at : at + rng.randrange(12)] = rng.choice(PIECES)
            case 4:  # a part twice
                part = text[at : at + rng.randrange(60)]
                text[at:at] = part * rng.choice((1, 1, 2, 50))
            case 5:  # a part missing
                del text[at : at + rng.randrange(30)]
            case 6:  # another's part
                other = rng.choice(others)
                start = rng.randrange(len(other) + 1)
                text[at:at] = other[start : start + rng.randrange(80)]
            case 7:  # noise
                text[at:at] = rng.randbytes(rng.randrange(20))
            case _:  # another encoding
                return (
                    bytes(text).decode("latin-1").encode(rng.choice(("utf-16", "utf-32", "utf-8")))
                )
    return bytes(text)
