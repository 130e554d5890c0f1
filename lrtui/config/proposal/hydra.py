"""The options of a Hydra application: the keys of its configuration, as overrides such as `model.optimizer.lr={}`.

Nested YAML keys with plain values are read, since these can be overridden; lists and anchors are skipped.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from lrtui.config.proposal.flag import Flag
from lrtui.config.proposal.python_source import (
    MOST_BYTES,
    Constant,
    Module,
    dotted,
    functions,
    keyword,
    parsed,
    value_of,
)
from lrtui.sweep.files import read_untrusted

_LINE = re.compile(r"^(?P<indent> *)(?P<key>[A-Za-z_][\w-]*):(?:\s+(?P<value>.*))?$")
_ITEM = re.compile(
    r"^\s*- +(?:(?:override|optional)\s+)?(?P<group>[\w/@.-]+)(?:\s*:\s*(?P<option>[\w./-]+))?"
)
_DEPTH = 4


def overrides(module: Module, _: Sequence[Module]) -> Iterator[Flag]:
    """Yield the keys of the configuration that `@hydra.main` names."""
    for function in functions(module.tree):
        for decorator in function.decorator_list:
            if not isinstance(decorator, ast.Call) or dotted(decorator.func) not in {
                "hydra.main",
                "main",
            }:
                continue
            path = value_of(keyword(decorator, "config_path"), module.constants)
            name = value_of(keyword(decorator, "config_name"), module.constants)
            if isinstance(name, str):
                folder = module.path.parent / (path if isinstance(path, str) else "")
                known: dict[str, Constant] = {}
                _read(folder, name.removesuffix(".yaml"), "", known, 0)
                yield Flag("hydra.run.dir", "hydra.run.dir={}")
                for key, value in known.items():
                    yield Flag(key, f"{key}={{}}", value)


def targets(flags: Sequence[Flag]) -> list[Module]:
    """Return the local modules of the classes that a configuration names as `_target_`."""
    names = [str(flag.default) for flag in flags if flag.name.endswith("._target_")]
    files = dict.fromkeys(
        Path(*name.split(".")[:-1]).with_suffix(".py") for name in names if "." in name
    )
    texts = ((file, read_untrusted(file, MOST_BYTES).decode("utf-8", "replace")) for file in files)
    return [module for file, text in texts if text and (module := parsed(file, text))]


def _read(folder: Path, name: str, before: str, known: dict[str, Constant], depth: int) -> None:
    """Add the keys of one file and of those that its defaults name."""
    text = read_untrusted(folder / f"{name}.yaml", MOST_BYTES).decode("utf-8", "replace")
    if not text or depth > _DEPTH:
        return
    if re.match(r"#\s*@package\s+_global_", text):
        before = ""
    for key, value in _keys(text):
        if not key.startswith(("defaults", "hydra.")):
            known.setdefault(before + key, value)
    own = Path(name).parent
    for group, option in _defaults(text):
        place, _, package = group.partition("@")
        inside = f"{package or place.strip('/').replace('/', '.')}."
        _read(
            folder,
            str(own / place.strip("/") / option),
            inside if not own.name else before + inside,
            known,
            depth + 1,
        )


def _defaults(text: str) -> Iterator[tuple[str, str]]:
    block = re.search(
        r"^defaults:[^\n]*\n((?:[ \t]*(?:-|#)[^\n]*\n|\s*\n)*)", text + "\n", re.MULTILINE
    )
    for line in block[1].splitlines() if block else ():
        item = _ITEM.match(line)
        if item and item["option"] and item["option"] != "null":
            yield item["group"], item["option"]


def _keys(text: str) -> Iterator[tuple[str, Constant]]:
    """Yield the nested keys of a YAML file that have plain values."""
    parents: list[tuple[int, str]] = []
    for line in text.splitlines():
        match = _LINE.match(line.split(" #")[0].rstrip())
        if match is None:
            continue
        indent = len(match["indent"])
        while parents and parents[-1][0] >= indent:
            parents.pop()
        full = ".".join([*(key for _, key in parents), match["key"]])
        if match["value"]:
            yield full, _plain(match["value"].strip())
        else:
            parents.append((indent, match["key"]))


def _plain(text: str) -> Constant:
    if text in {"null", "~"} or text.startswith(("$", "[", "{", "&", "*")):
        return None
    if text.lower() in {"true", "false"}:
        return text.lower() == "true"
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text.strip("'\"")
