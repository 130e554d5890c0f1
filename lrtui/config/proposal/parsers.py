"""The options of a script's parser: argparse, click, typer, absl, fire, and parsers that are made of dataclasses or functions.

Each family is a function from a module to flags; FAMILIES is their table.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterator, Sequence

from lrtui.config.proposal import attributes, hydra, made_of
from lrtui.config.proposal.flag import Flag
from lrtui.config.proposal.python_source import (
    MOST_BYTES,
    Constant,
    Module,
    assigned,
    calls,
    dotted,
    functions,
    keyword,
    last,
    parameters_of,
    parsed,
    value_of,
)
from lrtui.sweep.files import read_untrusted


def flags_of(modules: Sequence[Module]) -> list[Flag]:
    """Return the options of the first module with a parser: the script's own, then its imports."""
    families = (list(family(module, modules)) for module in modules for family in FAMILIES)
    return attributes.with_fields(next(filter(None, families), []), modules)


def _argparse(module: Module, modules: Sequence[Module]) -> Iterator[Flag]:
    own = module is modules[0]
    verbs = {
        dotted(node.targets[0]): value_of(node.value.args[0], {})
        for node in ast.walk(module.tree)
        if isinstance(node, ast.Assign)
        and isinstance(node.value, ast.Call)
        and last(dotted(node.value.func)) == "add_parser"
        and node.value.args
    }
    hidden = set() if own else set(map(id, _main_only(module.tree)))
    for name, call in calls(module.tree):
        if last(name) != "add_argument" or id(call) in hidden:
            continue
        spellings = [value for each in call.args if isinstance(value := value_of(each, {}), str)]
        if not spellings or spellings[0].startswith("-h"):
            continue
        verb = verbs.get(name.rpartition(".")[0])
        inner = call.func.value if isinstance(call.func, ast.Attribute) else None
        if isinstance(inner, ast.Call) and last(dotted(inner.func)) == "add_parser" and inner.args:
            verb = value_of(inner.args[0], {})
        yield _argument(spellings, call, module, verb if isinstance(verb, str) else "")


def _main_only(tree: ast.Module) -> Iterator[ast.AST]:
    """Yield the statements under `if __name__ == "__main__"`."""
    for node in tree.body:
        if isinstance(node, ast.If) and "__name__" in ast.dump(node.test):
            yield from ast.walk(node)


def _argument(spellings: list[str], call: ast.Call, module: Module, verb: str) -> Flag:
    """Return one argument of argparse or click."""
    long = next((each for each in spellings if each.startswith("--")), spellings[0])
    optional = long.startswith("-")
    action = value_of(keyword(call, "action"), {}) or ""
    switch = str(action).startswith("store_") and action != "store_const"
    switch = switch or value_of(keyword(call, "is_flag"), {}) is True
    several = value_of(keyword(call, "nargs"), {})
    default = value_of(keyword(call, "default"), module.constants)
    return Flag(
        name=long.lstrip("-"),
        form=long if switch else f"{long}={{}}" if optional else "{}",
        default=default,
        required=value_of(keyword(call, "required"), {}) is True
        or (not optional and several not in {"?", "*"} and default is None),
        switch=switch,
        verb=verb,
    )


def _click(module: Module, _: Sequence[Module]) -> Iterator[Flag]:
    for function in functions(module.tree):
        decorators = [each for each in function.decorator_list if isinstance(each, ast.Call)]
        verb = next(
            (
                str(value_of(each.args[0], {}) if each.args else function.name.replace("_", "-"))
                for each in decorators
                if last(dotted(each.func)) == "command"
                and dotted(each.func).partition(".")[0] not in {"click", "rich_click", "command"}
            ),
            "",
        )
        for each in decorators:
            kind = last(dotted(each.func))
            spellings = [
                part
                for value in each.args
                if isinstance(spelling := value_of(value, {}), str)
                for part in spelling.split("/")[:1]
            ]
            if kind in {"option", "argument"} and spellings:
                if kind == "option":
                    spellings = [part for part in spellings if part.startswith("-")] or spellings
                yield _argument(spellings, each, module, verb)


def _typer(module: Module, _: Sequence[Module]) -> Iterator[Flag]:
    if not any(name.partition(".")[0] == "typer" for name, _ in calls(module.tree)):
        return
    given = {
        dotted(call.args[0])
        for name, call in calls(module.tree)
        if name == "typer.run" and call.args
    }
    commands = [
        function
        for function in functions(module.tree)
        if function.name in given
        or any(last(dotted(_called(each))) == "command" for each in function.decorator_list)
    ]
    for function in commands:
        verb = function.name.replace("_", "-") if len(commands) > 1 else ""
        for parameter, default in parameters_of(function):
            yield _typed(parameter, default, module, verb)


def _called(node: ast.expr) -> ast.expr:
    return node.func if isinstance(node, ast.Call) else node


def _typed(parameter: ast.arg, default: ast.expr | None, module: Module, verb: str) -> Flag:
    """Return what typer makes of a parameter: an argument where it has no default, else an option."""
    noted = (default, *ast.walk(parameter.annotation or ast.Constant(None)))
    about = next(
        (
            node
            for node in noted
            if isinstance(node, ast.Call) and last(dotted(node.func)) in {"Option", "Argument"}
        ),
        None,
    )
    texts = [value_of(each, {}) for each in about.args] if about else []
    long = [
        each.partition("/")[0] for each in texts if isinstance(each, str) and each.startswith("--")
    ]
    option = long[0] if long else f"--{parameter.arg.replace('_', '-')}"
    if about is not None and default is about:
        default = about.args[0] if about.args else keyword(about, "default")
    required = default is None or (isinstance(default, ast.Constant) and default.value is ...)
    kind = last(dotted(about.func)) if about else "Argument" if required else "Option"
    value = value_of(default, module.constants)
    switch = isinstance(value, bool)
    form = "{}" if kind == "Argument" else option if switch else f"{option}={{}}"
    return Flag(parameter.arg, form, value, required=required, switch=switch, verb=verb)


def _absl(module: Module, _: Sequence[Module]) -> Iterator[Flag]:
    """Yield flags of absl or gflags, and the fields of a configuration file of ml_collections."""
    for name, call in calls(module.tree):
        kind = last(name)
        key = value_of(call.args[0], {}) if call.args else None
        if not kind.startswith("DEFINE_") or not isinstance(key, str):
            continue
        default = call.args[1] if len(call.args) > 1 else keyword(call, "default")
        value = value_of(default, module.constants)
        if kind == "DEFINE_config_file":
            yield from _config_file(key, value, module)
        else:
            required = (
                f"'{key}'" in _required(module) or value_of(keyword(call, "required"), {}) is True
            )
            form = f"--{key}" if kind in {"DEFINE_bool", "DEFINE_boolean"} else f"--{key}={{}}"
            yield Flag(key, form, value, required=required, switch=not form.endswith("}"))


def _required(module: Module) -> str:
    marks = [
        ast.dump(call)
        for name, call in calls(module.tree)
        if last(name) == "mark_flags_as_required"
    ]
    return " ".join(marks)


def _config_file(key: str, value: Constant, module: Module) -> Iterator[Flag]:
    """Yield the fields that a configuration file sets, and the flag that names it."""
    folder = module.path.parent
    named = [folder / str(value)] if value else sorted((folder / "configs").glob("*.py"))[:20]
    best = sorted(
        (path for path in named if path.is_file()), key=lambda path: path.stem != "default"
    )
    text = read_untrusted(best[0], MOST_BYTES).decode("utf-8", "replace") if best else ""
    config = parsed(best[0], text) if text else None
    if config is None:
        return
    if not value:
        file = best[0].relative_to(folder)
        yield Flag(key, f"--{key}={file}", str(file), required=True, switch=True)
    for node in ast.walk(config.tree):
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Attribute):
            field = dotted(node.targets[0]).partition(".")[2]
            yield Flag(
                f"{key}.{field}", f"--{key}.{field}={{}}", value_of(node.value, config.constants)
            )


def _configurator(module: Module, _: Sequence[Module]) -> Iterator[Flag]:
    """Yield the globals of a script that runs a configurator, as nanoGPT does: each can be overridden by --name=value."""
    if not re.search(r"exec\(open\([^)]*configurator[^)]*\)", module.text):
        return
    for name, value in assigned(module.tree.body):
        known = value_of(value, module.constants)
        if known is not None and not name.startswith("_"):
            yield Flag(name, f"--{name}={{}}", known)


FAMILIES: tuple[Callable[[Module, Sequence[Module]], Iterator[Flag]], ...] = (
    _argparse,
    _click,
    _typer,
    _absl,
    _configurator,
    hydra.overrides,
    made_of.dataclasses,
    made_of.lightning,
    made_of.fire,
)
