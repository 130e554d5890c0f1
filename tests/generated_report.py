"""docs/report.md and docs/report.schema.json from the types of the report, whose docstrings say what each field means."""

import ast
import dataclasses
import enum
import inspect
import json
import textwrap
import types
import typing
from collections.abc import Iterator
from pathlib import Path

import msgspec

from lrtui.report.model import VERSION, Report

PAGE = Path(__file__).parent.parent / "docs" / "report.md"
_WORDS = {type(None): "null", bool: "boolean", float: "number", int: "integer", str: "string"}
_HEAD = f"""## report.json, version {VERSION}

Strict JSON. A number that is not finite is written as `"NaN"`, `"Infinity"` or `"-Infinity"`; `null` means that there is no value. Lengths of
training (`level`, `at`, `epochs_spent`, ...) are in `unit`. Fields may be added under the same `version`; a renamed field or a changed
meaning raises the version. [report.schema.json](report.schema.json) says the same as a JSON Schema.
"""


def report_page() -> str:
    """Return docs/report.md: its first and its last part as they are, between them a table for each type."""
    text = PAGE.read_text()
    first, last = text.split("\n## report.json")[0], text[text.index("\n## report.csv") :]
    return "\n".join([first, _HEAD, *_tables(), last.lstrip("\n")])


def report_schema() -> str:
    """Return docs/report.schema.json."""
    schema = msgspec.json.schema(Report)
    kinds = {_name(kind): kind for kind in _kinds()}
    for name, part in schema["$defs"].items():
        if name not in kinds:  # an enumeration
            continue
        kind = kinds[name]
        part["description"] = _plain(_described(kind))
        part["required"] = [key for key, hint, _ in _fields(kind) if not _may_be_absent(hint)]
        meanings = _meanings(kind)
        for key, field in part["properties"].items():
            field.pop("default", None)
            field["description"] = _plain(meanings[key])
    head = {"$schema": "https://json-schema.org/draft/2020-12/schema"}
    return json.dumps(head | _with_words(schema), indent=1)


def _with_words(part: typing.Any) -> typing.Any:
    """Return a part of the schema in which a number that has a pattern may be a word of that pattern."""
    if isinstance(part, list):
        return [_with_words(each) for each in part]
    if not isinstance(part, dict):
        return part
    words = {"type": ["number", "string"]} if part.get("pattern") and "type" in part else {}
    return {key: _with_words(each) for key, each in part.items()} | words


def _tables() -> Iterator[str]:
    places: dict[type, list[str]] = {}
    for kind, place in _places(Report, ""):
        places.setdefault(kind, []).append(f"`{place}`")
    for kind, where in places.items():
        if kind is not Report:
            yield f"### {_name(kind)}\n"
            what = _escaped(_described(kind))
            yield f"{', '.join(where)}: {what[:1].lower()}{what[1:]}.\n"
        yield "| field | type | |\n| --- | --- | --- |"
        for names, hints, meaning in _rows(kind):
            shown = list(dict.fromkeys(f"`{_type(hint)}`" for hint in hints))
            yield f"| {', '.join(f'`{name}`' for name in names)} | {', '.join(shown)} | {meaning} |"
        yield ""


def _rows(kind: type) -> Iterator[tuple[list[str], list[typing.Any], str]]:
    """Yield names, types and meaning; a field without a docstring shares that of the next."""
    names, hints = [], []
    for name, hint, meaning in _fields(kind):
        names.append(name)
        hints.append(hint)
        if meaning:
            yield names, hints, _escaped(_sentence(meaning).replace("None", "`null`"))
            names, hints = [], []
    assert not names, f"{kind.__name__}: what are {names}?"


def _meanings(kind: type) -> dict[str, str]:
    return {name: meaning for names, _, meaning in _rows(kind) for name in names}


def _fields(kind: type) -> list[tuple[str, typing.Any, str]]:
    """Return (name in JSON, type, docstring) of each field; "" where it has no docstring."""
    docs: dict[str, str] = {}
    for each in reversed(kind.__mro__):
        if issubclass(each, msgspec.Struct) or dataclasses.is_dataclass(each):
            docs |= _docstrings(each) if each is not msgspec.Struct else {}
    hints = typing.get_type_hints(kind, include_extras=True)
    if issubclass(kind, msgspec.Struct):
        names = {each.name: each.encode_name for each in msgspec.structs.fields(kind)}
    else:
        names = {each.name: each.name for each in dataclasses.fields(kind)}
    return [(shown, hints[name], docs.get(name, "")) for name, shown in names.items()]


def _docstrings(kind: type) -> dict[str, str]:
    (node,) = ast.parse(textwrap.dedent(inspect.getsource(kind))).body
    assert isinstance(node, ast.ClassDef)
    found = {}
    for field, below in zip(node.body, node.body[1:], strict=False):
        if isinstance(field, ast.AnnAssign) and isinstance(below, ast.Expr):
            assert isinstance(field.target, ast.Name)
            found[field.target.id] = str(ast.literal_eval(below.value))
    return found


def _places(kind: type, place: str) -> Iterator[tuple[type, str]]:
    """Yield each type of the report with where it occurs, the report itself first."""
    yield kind, place
    for name, hint, _ in _fields(kind):
        for inner, depth in _parts(hint):
            yield from _places(inner, f"{place}.{name}".lstrip(".") + depth)


def _parts(hint: typing.Any) -> Iterator[tuple[type, str]]:
    """Yield the types of the report in a type, each with [] if it holds several."""
    if isinstance(hint, type) and (issubclass(hint, msgspec.Struct) or dataclasses.is_dataclass(hint)):  # fmt: skip
        yield hint, ""
    several = "[]" if typing.get_origin(hint) is tuple else ""
    for inner in typing.get_args(hint):
        for kind, depth in _parts(inner):
            yield kind, several + depth


def _kinds() -> list[type]:
    return list(dict.fromkeys(kind for kind, _ in _places(Report, "")))


def _name(kind: type) -> str:
    return kind.__name__


def _type(hint: typing.Any) -> str:
    """Return a type in words: number, string[], [number, number], {name: number}."""
    origin, inner = typing.get_origin(hint), typing.get_args(hint)
    if origin is typing.Annotated:
        return _type(inner[0])
    if origin is typing.Literal:
        return " or ".join(f'"{each}"' for each in inner)
    if origin in {typing.Union, types.UnionType}:
        each = {_type(part): None for part in inner if part is not msgspec.UnsetType}
        return " or ".join(word for word in each if word != "integer" or "number" not in each)
    if origin is tuple and inner[-1] is ...:
        several = typing.get_origin(inner[0]) in {typing.Literal, typing.Union, types.UnionType}
        return f"({_type(inner[0])})[]" if several else f"{_type(inner[0])}[]"
    if origin is tuple:
        return f"[{', '.join(map(_type, inner))}]"
    if origin is dict:
        return f"{{name: {_type(inner[1])}}}"
    if issubclass(hint, enum.Enum):
        return " or ".join(f'"{each.value}"' for each in hint)
    return _WORDS.get(hint) or _name(hint)


def _may_be_absent(hint: typing.Any) -> bool:
    return msgspec.UnsetType in typing.get_args(hint)


def _described(kind: type) -> str:
    return _sentence(inspect.getdoc(kind) or "")


def _sentence(text: str) -> str:
    """Return a docstring without its full stop."""
    return text if text.endswith("...") else text.removesuffix(".")


def _escaped(text: str) -> str:
    """Return text in which Markdown takes no asterisk for emphasis, except inside of code."""
    parts = text.replace("|", "\\|").split("`")
    return "`".join(p.replace("*", "\\*") if i % 2 == 0 else p for i, p in enumerate(parts))


def _plain(text: str) -> str:
    return text.replace("\\", "").replace("`", "")
