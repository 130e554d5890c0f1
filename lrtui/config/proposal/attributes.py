"""The fields of attribute configurations: yacs takes them as words after an option, minGPT as options.

`_C.SOLVER.BASE_LR = 0.1` is said as `SOLVER.BASE_LR 0.1` or `--SOLVER.BASE_LR=0.1`.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping, Sequence

from lrtui.config.proposal.flag import Flag, plain
from lrtui.config.proposal.python_source import (
    Constant,
    Function,
    Module,
    calls,
    dotted,
    functions,
    last,
    value_of,
    within,
)

_NODES = frozenset({"CfgNode", "CN"})
_TAKERS = frozenset({"opts", "options", "modify_config"})

Makers = Mapping[str, Function]
"""Functions that return a configuration, by the class and the name under which they are called."""


def with_fields(flags: Sequence[Flag], modules: Sequence[Module]) -> list[Flag]:
    """Return flags and the fields of the configuration that a script fills in from its command line."""
    called = {last(name) for module in modules for name, _ in calls(module.tree)}
    if "merge_from_args" in called:
        return [*flags, *(_option(key, value) for key, value in _fields(modules))]
    taker = next((flag for flag in flags if plain(flag.name) in _TAKERS), None)
    if "merge_from_list" not in called or taker is None:
        return list(flags)
    behind = "" if taker.argument else taker.form.partition("=")[0]
    fields = [Flag(key, key, value, apart=True, behind=behind) for key, value in _fields(modules)]
    return [*(flag for flag in flags if flag is not taker), *fields]


def _option(key: str, value: Constant) -> Flag:
    """Return the option of a field: minGPT evaluates the value, so text is quoted."""
    return Flag(key, f"--{key}='{{}}'" if isinstance(value, str) else f"--{key}={{}}", value)


def _fields(modules: Sequence[Module]) -> Iterator[tuple[str, Constant]]:
    """Yield the fields of the configurations that modules make, with their values."""
    makers = {
        f"{node.name}.{function.name}": function
        for module in modules
        for node in ast.walk(module.tree)
        if isinstance(node, ast.ClassDef)
        for function in functions(node)
    }
    inner = {
        id(makers[name]) for module in modules for name, _ in calls(module.tree) if name in makers
    }
    known: dict[str, Constant] = {}
    for module in modules:
        for scope in (module.tree, *functions(module.tree)):
            if id(scope) not in inner:
                for key, value in _of(scope, module.constants, makers):
                    known.setdefault(key, value)
    yield from known.items()


def _of(
    scope: ast.Module | Function, constants: Mapping[str, Constant], makers: Makers, depth: int = 4
) -> Iterator[tuple[str, Constant]]:
    """Yield what a body assigns to the attributes of a configuration; the last of a name counts."""
    assignments = [
        (target, node.value)
        for node in within(scope.body)
        if isinstance(node, ast.Assign)
        for target in node.targets
    ]
    roots = {
        target.id
        for target, value in assignments
        if isinstance(target, ast.Name)
        and isinstance(value, ast.Call)
        and last(dotted(value.func)) in _NODES
    }
    known: dict[str, Constant] = {}
    for target, value in assignments:
        root, _, key = dotted(target).partition(".")
        if not isinstance(target, ast.Attribute) or root not in roots:
            continue
        if isinstance(value, ast.Call):
            made = makers.get(dotted(value.func))
            fields = _of(made, constants, makers, depth - 1) if made and depth else ()
            known |= {f"{key}.{name}": each for name, each in fields}
        elif isinstance(value, ast.Constant) or value_of(value, constants) is not None:
            known[key] = value_of(value, constants)
    yield from known.items()
