"""The options of a script without a parser: words of `sys.argv`, environment variables, and numbers in its source."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import replace

from lrtui.config.proposal.flag import Flag
from lrtui.config.proposal.python_source import (
    Constant,
    Module,
    assigned,
    calls,
    dotted,
    keyword,
    last,
    value_of,
)
from lrtui.config.proposal.roles import is_rate_or_length

_FIRST_IS_RATE = ("optax",)
"""The libraries whose optimizers take the learning rate as their first argument."""
_KERAS = {
    name.lower(): name for name in ("Adam", "AdamW", "Nadam", "RMSprop", "SGD", "Adagrad", "Lion")
}
_QUOTED = '"{}"'


def words_of(module: Module) -> list[Flag]:
    """Return the words that a script takes from `sys.argv` by their place, in their order; [] if a place has no name."""
    by_place: dict[int, Flag] = {}
    for name, value in _named(module.tree):
        for node in ast.walk(value):
            if isinstance(node, ast.Subscript) and dotted(node.value) in {"sys.argv", "argv"}:
                place = value_of(node.slice, {})
                optional = isinstance(value, ast.IfExp)
                default = value_of(value.orelse, module.constants) if optional else None  # type: ignore[attr-defined]
                if isinstance(place, int) and place > 0:
                    by_place[place] = Flag(name, "{}", default, required=not optional)
    places = range(1, len(by_place) + 1)
    return [by_place[place] for place in places] if set(by_place) == set(places) else []


def variables_of(module: Module) -> list[Flag]:
    """Return the variables of the environment that a script reads."""
    found: dict[str, Flag] = {}
    for name, call in calls(module.tree):
        if name in {"os.environ.get", "os.getenv", "environ.get", "getenv"} and call.args:
            key = value_of(call.args[0], {})
            default = value_of(call.args[1], {}) if len(call.args) > 1 else None
            if isinstance(key, str):
                found.setdefault(key, Flag(key, "{}", _number(default), variable=True))
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Subscript) and dotted(node.value) in {"os.environ", "environ"}:
            key = value_of(node.slice, {})
            if isinstance(key, str):
                found.setdefault(key, Flag(key, "{}", required=True, variable=True))
    return list(found.values())


def is_launched(module: Module) -> bool:
    """Return whether a script needs a launcher such as torchrun to set its rank."""
    variables = {flag.name: flag.required for flag in variables_of(module)}
    ranks = [variables[name] for name in ("RANK", "LOCAL_RANK", "WORLD_SIZE") if name in variables]
    return (
        all(ranks)
        and "LOCAL_RANK" in variables
        and not re.search(r"[\"'](?:LOCAL_)?(?:RANK|WORLD_SIZE)[\"'] (?:not )?in ", module.text)
    )


def constants_of(module: Module) -> list[Flag]:
    """Return the constants outside of a script's functions; each can be replaced in its text."""
    plain = ((name, value) for name, value in assigned(module.tree.body) if _is_plain(value))
    return [flag for name, node in plain if (flag := _replaced(module, name, node))]


def keras_optimizers_of(module: Module) -> list[Flag]:
    """Return the optimizer that `model.compile` names by a string: the proposal replaces it by one with a learning rate."""
    found: list[Flag] = []
    for name, call in calls(module.tree):
        chosen = keyword(call, "optimizer")
        text = value_of(chosen, {})
        if last(name) != "compile" or chosen is None or not isinstance(text, str):
            continue
        flag = _replaced(module, "optimizer", chosen)
        if flag and text.lower() in _KERAS:
            own = re.search(r"^\s*(?:import|from [\w.]+ import) keras\b", module.text, re.MULTILINE)
            of = "keras" if own else "tf.keras"
            made = f"{of}.optimizers.{_KERAS[text.lower()]}({{}})"
            found.append(
                replace(
                    flag,
                    name="learning_rate",
                    form=flag.form.replace(_QUOTED, made),
                    default=0.01 if text.lower() == "sgd" else 1e-3,
                )
            )
    return found


def literals_of(module: Module) -> list[Flag]:
    """Return the learning rates and lengths that a script's calls, tables and functions give a name; each can be replaced in its text."""
    numbers = (
        (name, value)
        for name, value in _literals(module)
        if is_rate_or_length(name) and isinstance(value_of(value, {}), (int, float))
    )
    return [flag for name, node in numbers if (flag := _replaced(module, name, node))]


def _literals(module: Module) -> Iterator[tuple[str, ast.expr]]:
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Call):
            called = dotted(node.func)
            if called.partition(".")[0] in _FIRST_IS_RATE and node.args:
                yield "learning_rate", node.args[0]
            for each in node.keywords:
                if each.arg and last(called) != "add_argument":
                    yield each.arg, each.value
        elif isinstance(node, ast.Dict):
            for key, value in zip(node.keys, node.values, strict=True):
                if isinstance(key, ast.Constant) and isinstance(key.value, str):
                    yield key.value, value
        elif isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            defaults = node.args.defaults
            named = node.args.args[len(node.args.args) - len(defaults) :]
            yield from ((each.arg, value) for each, value in zip(named, defaults, strict=True))
            yield from assigned(node.body)


def _is_plain(node: ast.expr) -> bool:
    return isinstance(value_of(node, {}), (int, float, str)) and not isinstance(node, ast.Name)


def _replaced(module: Module, name: str, node: ast.expr) -> Flag | None:
    """Return a flag whose value replaces a literal; None if no text of its line is unique in the source."""
    lines = module.text.splitlines(keepends=True)
    if node.end_lineno != node.lineno or not 0 < node.lineno <= len(lines):
        return None
    line = lines[node.lineno - 1].encode()
    left, old, right = (
        part.decode("utf-8", "replace")
        for part in (
            line[: node.col_offset],
            line[node.col_offset : node.end_col_offset],
            line[node.end_col_offset :],
        )
    )
    begin = left.rfind(name)
    for before, after in (
        (left[begin:] if begin >= 0 else left.lstrip(), ""),
        (left.lstrip(), ""),
        (left.lstrip(), right.split("#")[0].rstrip()),
        (left.lstrip(), right.rstrip()),
    ):
        if module.text.count(before + old + after) == 1 and "{" not in before + after:
            value = value_of(node, {})
            form = f"{before}{_QUOTED if isinstance(value, str) else '{}'}{after}"
            return Flag(name, form, value, source=before + old + after)
    return None


def _named(tree: ast.AST) -> Iterator[tuple[str, ast.expr]]:
    for node in ast.walk(tree):
        if isinstance(node, (ast.Module, ast.FunctionDef)):
            yield from assigned(node.body)


def _number(value: Constant) -> Constant:
    try:
        return float(value) if isinstance(value, str) else value
    except ValueError:
        return value
