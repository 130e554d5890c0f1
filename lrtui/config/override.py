"""Writes keys from the command line into the text of the file, so that the frozen copy records what ran."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping

from lrtui.config.toml_positions import Places, locate
from lrtui.errors import UserError
from lrtui.text import toml

_BARE = re.compile(r"[A-Za-z0-9_-]+")
_HORIZONS = ("epochs", "steps", "tokens")


def override(text: str, values: Mapping[str, str]) -> str:
    """Return `text` with top-level keys replaced or added; the rest, including comments, is unchanged.

    A value is TOML, or a string if it does not parse as TOML: `3`, `[1e-3]`, `synthetic`. A new one of epochs, steps
    and tokens replaces an existing one.

    Raises:
        UserError: a key cannot be set this way.

    """
    for key, value in values.items():
        text = _put(text, key, _toml(key, value))
    return text


def _put(text: str, key: str, value: str) -> str:
    if not _BARE.fullmatch(key):
        raise UserError(
            "is not a key of an experiment file", f"--{key}", "lrtui check FILE.toml lists the keys"
        )
    places = locate(text)
    old = _horizon_in(places) if key in _HORIZONS and (key,) not in places.values else key
    path = (old or key,)
    name, found = places.keys.get(path), places.values.get(path)
    if name and found:
        return text[: name.start] + f"{key} = {value}" + text[found.end :]
    if name:
        what = f"{key} is a table in the file, which the command line cannot replace"
        raise UserError(
            what, f"--{key}", f"write it as {key} = {{ .. }} in the file, or edit the file"
        )
    return _insert(text, places.top, f"{key} = {value}")


def _horizon_in(places: Places) -> str | None:
    return next((other for other in _HORIZONS if (other,) in places.values), None)


def _insert(text: str, top: int, line: str) -> str:
    """Add a line after the last statement above all headers."""
    end = text.find("\n", top)
    if top == 0:
        end = _comment_end(text)
        return f"{text[:end]}{line}\n{text[end:]}"
    if end < 0:
        return f"{text}\n{line}\n"
    return f"{text[:end]}\n{line}{text[end:]}"


def _comment_end(text: str) -> int:
    """Return the offset after the comments at the start of the text."""
    match = re.match(r"(?:#[^\n]*\n)*", text)
    return match.end() if match else 0


def _toml(key: str, value: str) -> str:
    try:
        parsed = toml.loads(f"x = {value}")
    except (ValueError, RecursionError):
        return _string(key, value)
    return value.strip() if list(parsed) == ["x"] and "#" not in value else _string(key, value)


def _string(key: str, value: str) -> str:
    try:
        value.encode()
    except UnicodeEncodeError:
        raise UserError("is not UTF-8", f"--{key}", "write it in UTF-8") from None
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
