"""Parsers that are made of functions, classes and dataclasses: fire, jsonargparse, tyro, simple-parsing, HfArgumentParser, LightningCLI."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping, Sequence

from lrtui.config.proposal.flag import Flag
from lrtui.config.proposal.python_source import (
    FUNCTIONS,
    Constant,
    Function,
    Module,
    calls,
    dotted,
    functions,
    keyword,
    last,
    parameters_of,
    value_of,
)

_TRAINING_ARGUMENTS: Mapping[str, int | float | str | None] = {
    "learning_rate": 5e-5,
    "num_train_epochs": 3,
    "max_steps": -1,
    "seed": 42,
    "optim": "adamw_torch",
    "output_dir": None,
}
"""The fields of transformers.TrainingArguments that matter here, with their defaults."""
_EVALUATING = ("--do_train", "--do_eval", "--eval_strategy=epoch")
"""Options that make such a script train, and evaluate the deciding metric."""
_TRAINER = {"trainer.max_epochs": None, "trainer.max_steps": -1, "seed_everything": None}
"""What LightningCLI adds."""
_LOGGED = ("--trainer.logger=CSVLogger", "--trainer.logger.save_dir={run_dir}")
"""What makes it log to a file of its run."""
_DASHED = frozenset({"tyro"})
_DEPTH = 4


def fire(module: Module, _: Sequence[Module]) -> Iterator[Flag]:
    """Yield what `fire.Fire(function)` and jsonargparse's `CLI(function)` take."""
    by_name = {function.name: function for function in functions(module.tree)}
    for name, call in calls(module.tree):
        if name not in {
            "fire.Fire",
            "Fire",
            "CLI",
            "jsonargparse.CLI",
            "auto_cli",
            "jsonargparse.auto_cli",
        }:
            continue
        if call.args and dotted(call.args[0]) in by_name:
            yield from parameters(by_name[dotted(call.args[0])], module)
        elif not call.args:
            for function in by_name.values():
                yield from parameters(function, module, verb=function.name)


def dataclasses(module: Module, modules: Sequence[Module]) -> Iterator[Flag]:
    """Yield the fields of the dataclasses that a parser is made of."""
    for name, call in calls(module.tree):
        parts = name.split(".")
        if name in {
            "tyro.cli",
            "draccus.parse",
            "pyrallis.parse",
            "simple_parsing.parse",
            "chz.entrypoint",
            "chz.nested_entrypoint",
        }:
            given = call.args[:1] or [each for each in [keyword(call, "config_class", "f")] if each]
        elif parts[-1] == "HfArgumentParser" or parts[-1] == "TrlParser":
            given = [call.args[0]] if call.args else []
        elif parts[-1] == "add_arguments" and call.args:
            given = call.args[:1]
        else:
            continue
        for each in given:
            for one in each.elts if isinstance(each, (ast.Tuple, ast.List)) else [each]:
                wanted = dotted(one.value if isinstance(one, ast.Subscript) else one)
                yield from _fields(wanted, modules, "", parts[0])
    for node in module.tree.body:
        if isinstance(node, ast.ClassDef) and any(
            last(dotted(base)) == "Tap" for base in node.bases
        ):
            yield from _fields(node.name, modules, "", "tap")


def lightning(module: Module, modules: Sequence[Module]) -> Iterator[Flag]:
    """Yield what `LightningCLI(Model, Data)` takes."""
    for name, call in calls(module.tree):
        if last(name) != "LightningCLI":
            continue
        verb = "" if value_of(keyword(call, "run"), {}) is False else "fit"
        seed = value_of(keyword(call, "seed_everything_default"), {})
        for place, role in enumerate(("model", "data")):
            given = (
                call.args[place]
                if place < len(call.args)
                else keyword(call, f"{role}_class", "datamodule_class"[: 16 * place])
            )
            found = _class(dotted(given), modules) if given is not None else None
            if found:
                for function in found[0].body:
                    if isinstance(function, FUNCTIONS) and function.name == "__init__":
                        yield from parameters(function, found[1], before=f"{role}.", verb=verb)
        for option, default in _TRAINER.items():
            known = seed if option == "seed_everything" else default
            yield Flag(option, f"--{option}={{}}", known, verb=verb)
        for word in _LOGGED:
            yield Flag(
                word.strip("-").partition("=")[0], word, required=True, switch=True, verb=verb
            )


def parameters(
    function: Function, module: Module, *, before: str = "", verb: str = ""
) -> Iterator[Flag]:
    """Yield an option for each parameter of a function."""
    for parameter, default in parameters_of(function):
        value = value_of(default, module.constants)
        yield _option(before + parameter.arg, value, required=default is None, verb=verb)


def _option(
    name: str, default: Constant, *, required: bool, dashes: bool = False, verb: str = ""
) -> Flag:
    spelling = name.replace("_", "-") if dashes else name
    return Flag(name, f"--{spelling}={{}}", default, required=required, verb=verb)


def _fields(
    name: str, modules: Sequence[Module], before: str, parser: str, depth: int = 0
) -> Iterator[Flag]:
    """Yield the fields of a dataclass, those of its bases and of dataclasses in it included."""
    found = _class(name, modules)
    if last(name).endswith(("TrainingArguments", "SFTConfig", "TrainingArgs")) and depth < _DEPTH:
        for argument, known in _TRAINING_ARGUMENTS.items():
            yield Flag(argument, f"--{argument}={{}}", known)
        for word in _EVALUATING:
            yield Flag(word.strip("-").partition("=")[0], word, required=True, switch=True)
    if found is None or depth >= _DEPTH:
        return
    node, module = found
    for base in node.bases:
        yield from _fields(dotted(base), modules, before, parser, depth + 1)
    for statement in node.body:
        if not isinstance(statement, ast.AnnAssign) or not isinstance(statement.target, ast.Name):
            continue
        field, default = statement.target.id, statement.value
        inner = dotted(statement.annotation)
        if inner and _class(inner, modules):
            yield from _fields(inner, modules, f"{before}{field}.", parser, depth + 1)
            continue
        is_required = default is None
        if isinstance(default, ast.Call):
            is_required = last(dotted(default.func)) == "field" and not keyword(
                default, "default", "default_factory"
            )
            default = keyword(default, "default")
        value = value_of(default, module.constants)
        yield _option(before + field, value, dashes=parser in _DASHED, required=is_required)


def _class(name: str, modules: Sequence[Module]) -> tuple[ast.ClassDef, Module] | None:
    for module in modules:
        for node in ast.walk(module.tree):
            if isinstance(node, ast.ClassDef) and node.name == last(name):
                return node, module
    return None
