"""The settings of a run, from the files that loggers and scripts write beside their metrics, and which of them vary among runs."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping
from pathlib import Path

import msgspec

from lrtui.sweep.events import Scalar
from lrtui.sweep.files import read_untrusted
from lrtui.sweep.state import is_lr
from lrtui.text.clean import clean

FILES = (
    *("hparams.yaml", "config.yaml", "args.yaml", "params.yaml", "hparams.json", "config.json", "args.json", "params.json"),
    *(".hydra/config.yaml", ".hydra/overrides.yaml", "files/config.yaml", "training_args.json"),
)  # fmt: skip
"""Files with settings; later ones override earlier ones."""
_LEVELS_UP = 2
"""A run's settings may lie in a folder above its logs (Hydra's output folder holds the logger's)."""
_MOST_BYTES = 1 << 17
MOST_SETTINGS = 300
MOST_VARYING = 8
"""The maximum number of settings with a column."""
_LEVELS = 8
_LONGEST_LINE = 1000
_LONGEST = 40
"""The longest text, in characters, that counts as a setting's level; a longer one is a path or a description."""
_LR = ("lr", "learning_rate", "lr0", "base_lr", "max_lr", "peak_lr", "init_lr", "initial_lr")
_NO_SETTING = re.compile(
    r"(?:^|[._])(?:name|id|host|hostname|date|time|timestamp|version|port|pid)$|dir(?:ectory)?$|path|folder|file|^hydra\.|^_"
)
"""Names whose values say where or when a run was, not what it is."""
_LINE = re.compile(r"( *)(?:- +)?(['\"]?)([^\s'\"#:{}\[\],&*!|>%@`][^:'\"]*?)\2 *:(?: +(.*))?")
_OVERRIDE = re.compile(r"- *['\"]?\+{0,2}([\w./@]+)=(.*?)['\"]?")


def above(folder: Path, root: Path) -> list[Path]:
    """Return the folders whose settings apply to a run in `folder`, the outermost first."""
    folders = [folder]
    while folders[-1] != root and len(folders) <= _LEVELS_UP and folders[-1] != folders[-1].parent:
        folders.append(folders[-1].parent)
    return folders[::-1]


def settings_in(folder: Path) -> dict[str, Scalar]:
    """Return the settings in a folder's files; never raises."""
    found: dict[str, Scalar] = {}
    for name in FILES:
        path = folder / name
        if path.parent == folder or not os.path.islink(path.parent):
            found.update(_read(path))
    return found


def learning_rate(settings: Mapping[str, Scalar]) -> tuple[str, float] | None:
    """Return the setting that is the run's learning rate, with its value; None if no setting has such a name."""
    for wanted in _LR:
        for name, value in settings.items():
            if name.rpartition(".")[2].lower() == wanted and _number(value) and is_lr(float(value)):
                return name, float(value)
    return None


def varying(runs: Iterable[Mapping[str, Scalar]]) -> list[str]:
    """Return the settings that have different values in different runs, at most MOST_VARYING, in the order of their names' first appearance."""
    first: dict[str, Scalar] = {}
    found: dict[str, None] = {}
    for settings in runs:
        for name, value in settings.items():
            if (
                first.setdefault(name, value) != value
                and name not in found
                and _is_level(name, value)
            ):
                found[name] = None
    return list(found)[:MOST_VARYING]


def _is_level(name: str, value: Scalar) -> bool:
    if _NO_SETTING.search(name.lower()):
        return False
    return not isinstance(value, str) or (len(value) <= _LONGEST and "/" not in value)


def _number(value: Scalar) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


# ---------------------------------------------------------------- files


def _read(path: Path) -> dict[str, Scalar]:
    data = read_untrusted(path, _MOST_BYTES)
    if not data:
        return {}
    found: dict[str, Scalar] = {}
    if path.suffix == ".json":
        try:
            flatten("", msgspec.json.decode(data), found)
        except (ValueError, RecursionError):
            return {}
        return found
    text = data.decode("utf-8", "replace")
    return _overrides(text) if path.name == "overrides.yaml" else _yaml(text)


def flatten(name: str, value: object, into: dict[str, Scalar]) -> None:
    """Add a decoded value as settings, nested names joined by dots; `{"desc": .., "value": x}`, as W&B writes it, is x."""
    if isinstance(value, dict):
        if "value" in value and value.keys() <= {"value", "desc"}:
            flatten(name, value["value"], into)
        elif name.count(".") < _LEVELS:
            for key, inner in value.items():
                flatten(f"{name}.{key}" if name else str(key), inner, into)
    elif isinstance(value, list):
        flatten(name, " ".join(map(str, value[:20])), into)
    elif name and value is not None and len(into) < MOST_SETTINGS:
        into[clean(name, 100)] = _scalar(value) if isinstance(value, str) else _plain(value)


def _plain(value: object) -> Scalar:
    return value if isinstance(value, (bool, int, float)) else clean(str(value), 200)


def _scalar(text: str) -> Scalar:
    """Return the value of a text: a number, a bool, or the text itself."""
    text = text.strip()
    if len(text) >= 2 and text[0] == text[-1] and text[0] in "'\"":
        return clean(text[1:-1], 200)
    if text.lower() in {"true", "false"}:
        return text.lower() == "true"
    for kind in (int, float):
        try:
            return kind(text) if len(text) < _LONGEST and "_" not in text else clean(text, 200)
        except ValueError:
            continue
    return clean(text, 200)


def _overrides(text: str) -> dict[str, Scalar]:
    """Return Hydra's overrides: a list of NAME=VALUE."""
    found = (_OVERRIDE.fullmatch(line.strip()) for line in text.splitlines()[:MOST_SETTINGS])
    return {clean(each[1], 100): _scalar(each[2]) for each in found if each}


def _yaml(text: str) -> dict[str, Scalar]:
    """Return the nested NAME: VALUE lines of a YAML file as settings; anything else in it is skipped.

    Loggers write such lines, also with Python tags that a YAML library rightly refuses. Anchors are not expanded, so a file cannot grow.
    """
    levels: list[tuple[int, str]] = []
    nested: dict[str, object] = {}
    for line in text.splitlines()[: 20 * MOST_SETTINGS]:
        match = _LINE.fullmatch(line.rstrip()) if len(line) < _LONGEST_LINE else None
        if match is None:
            continue
        indent, name, value = len(match[1]), match[3].strip(), (match[4] or "").strip()
        while levels and levels[-1][0] >= indent:
            levels.pop()
        if len(levels) >= _LEVELS:
            continue
        at = nested
        for _, above in levels:
            inner = at.setdefault(above, {})
            if not isinstance(inner, dict):
                at[above] = inner = {}
            at = inner
        value = re.sub(r"(?:^| )#.*$", "", value) if value[:1] not in {"'", '"'} else value
        if value and not value.startswith(("!", "&", "*", "|", ">")):
            at[name] = None if value in {"null", "~"} else value
        levels.append((indent, name))
    found: dict[str, Scalar] = {}
    flatten("", {k: v for k, v in nested.items() if k not in {"_wandb", "wandb_version"}}, found)
    return found
