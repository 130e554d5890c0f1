"""The source of a script and of the local modules that it imports, parsed; nothing is imported or run."""

from __future__ import annotations

import ast
import sys
import warnings
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from lrtui.sweep.files import read_untrusted

MOST_BYTES = 1 << 20
_MOST_MODULES = 20
Function = ast.FunctionDef | ast.AsyncFunctionDef
FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
_LARGEST = 1e30

Constant = int | float | str | bool | None


@dataclass(frozen=True, slots=True)
class Module:
    """One file."""

    path: Path
    text: str
    tree: ast.Module
    constants: Mapping[str, Constant] = field(default_factory=dict)
    """The names that are assigned once outside of functions, with their values."""

    def segment(self, node: ast.AST) -> str:
        """Return the text of a node."""
        return ast.get_source_segment(self.text, node) or ""


def parsed(path: Path, text: str) -> Module | None:
    """Return a module; None if the text is not Python."""
    try:
        tree = _tree(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None
    constants: dict[str, Constant] = {}
    for name, value in assigned(tree.body):
        known = value_of(value, constants)
        if known is not None:
            constants.setdefault(name, known)
    return Module(path, text, tree, constants)


def _tree(text: str) -> ast.Module:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return ast.parse(text)


def unreadable(script: Path) -> str:
    """Return why a script's source cannot be read as Python; "" if it can."""
    text = read_untrusted(script, MOST_BYTES).decode("utf-8-sig", "replace")
    try:
        _tree(text)
    except SyntaxError as error:
        version = f"{sys.version_info.major}.{sys.version_info.minor}"
        return f"nothing was read from it, since it is not Python {version}: line {error.lineno}: {error.msg}"
    except (ValueError, RecursionError, MemoryError):
        return "nothing was read from it, since it is not Python source"
    return ""


def modules(script: Path) -> list[Module]:
    """Return the script and the local modules that it imports, the nearest first; [] if it cannot be read as Python."""
    found: dict[Path, Module] = {}
    waiting = [script]
    while waiting and len(found) < _MOST_MODULES:
        path = waiting.pop(0)
        if path.resolve() in found:
            continue
        text = read_untrusted(path, MOST_BYTES).decode("utf-8-sig", "replace")
        module = parsed(path, text) if text else None
        if module is not None:
            found[path.resolve()] = module
            waiting += _imported(module, script.parent)
        elif path == script:
            return []
    return list(found.values())


def _imported(module: Module, root: Path) -> Iterator[Path]:
    """Yield the files of the modules that one imports, as far as they lie beside it or in its folders."""
    for node in ast.walk(module.tree):
        names: Iterable[str] = ()
        above = 0
        if isinstance(node, ast.Import):
            names = [each.name for each in node.names]
        elif isinstance(node, ast.ImportFrom):
            above = node.level
            base = node.module or ""
            names = [base, *(f"{base}.{each.name}".strip(".") for each in node.names)]
        places = (
            [module.path.parents[above - 1]]
            if 0 < above <= len(module.path.parents)
            else [root, root.parent, Path()]
        )
        for name in filter(None, names):
            for place in places:
                file = place.joinpath(*name.split("."))
                yield from (
                    each
                    for each in (file.with_suffix(".py"), file / "__init__.py")
                    if each.is_file()
                )


def assigned(body: Iterable[ast.stmt]) -> Iterator[tuple[str, ast.expr]]:
    """Yield the names that statements assign, with their values; bodies of `if` are looked into, functions are not."""
    for statement in body:
        if isinstance(statement, ast.If):
            yield from assigned([*statement.body, *statement.orelse])
        elif isinstance(statement, ast.AnnAssign) and statement.value:
            if isinstance(statement.target, ast.Name):
                yield statement.target.id, statement.value
        elif isinstance(statement, ast.Assign):
            for target in statement.targets:
                if isinstance(target, ast.Name):
                    yield target.id, statement.value
                elif isinstance(target, ast.Tuple) and isinstance(statement.value, ast.Tuple):
                    pairs = zip(target.elts, statement.value.elts, strict=False)
                    yield from (
                        (each.id, value) for each, value in pairs if isinstance(each, ast.Name)
                    )


def value_of(node: ast.expr | None, constants: Mapping[str, Constant]) -> Constant:
    """Return the value of an expression of literals and known names; None if unknown."""
    match node:
        case ast.Constant(value=bool() | int() | float() | str() as value):
            return value
        case ast.Name(id=name):
            return constants.get(name)
        case ast.UnaryOp(op=ast.USub(), operand=operand):
            number = value_of(operand, constants)
            return -number if isinstance(number, (int, float)) else None
        case ast.Call(func=ast.Name(id="float" | "int" as name), args=[only]):
            inner = value_of(only, constants)
            try:
                return (float if name == "float" else int)(inner) if inner is not None else None
            except (ValueError, OverflowError):
                return None
        case ast.BinOp(left=left, op=operator, right=right):
            return _computed(value_of(left, constants), operator, value_of(right, constants))
    return None


def _computed(left: Constant, operator: ast.operator, right: Constant) -> Constant:
    if not isinstance(left, (int, float)) or not isinstance(right, (int, float)):
        return None
    if max(abs(left), abs(right)) > _LARGEST or (isinstance(operator, ast.Pow) and abs(right) > 64):
        return None  # a script may compute anything; this one only reads
    try:
        match operator:
            case ast.Add():
                return left + right
            case ast.Sub():
                return left - right
            case ast.Mult():
                return left * right
            case ast.Div():
                return left / right
            case ast.FloorDiv():
                return left // right
            case ast.Pow():
                power = float(left) ** right
                whole = isinstance(left, int) and isinstance(right, int) and right >= 0
                return int(power) if whole else power
    except (ArithmeticError, ValueError, TypeError):
        return None
    return None


def calls(tree: ast.AST) -> Iterator[tuple[str, ast.Call]]:
    """Yield each call with the dotted name of what it calls."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            yield dotted(node.func), node


def dotted(node: ast.AST) -> str:
    """Return a.b.c for an expression of names and attributes; any other part becomes ""."""
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute):
        return f"{dotted(node.value)}.{node.attr}"
    return ""


def last(name: str) -> str:
    """Return the part after the last dot."""
    return name.rpartition(".")[2]


def keyword(call: ast.Call, *names: str) -> ast.expr | None:
    """Return the argument of one of these names."""
    return next((each.value for each in call.keywords if each.arg in names), None)


def functions(tree: ast.AST) -> Iterator[Function]:
    """Yield all functions."""
    for node in ast.walk(tree):
        if isinstance(node, FUNCTIONS):
            yield node


def within(body: Iterable[ast.AST]) -> Iterator[ast.AST]:
    """Yield nodes in the order of the source, without those of functions inside."""
    for node in body:
        if not isinstance(node, (*FUNCTIONS, ast.Lambda, ast.ClassDef)):
            yield node
            yield from within(ast.iter_child_nodes(node))
        elif isinstance(node, ast.ClassDef):
            yield from within(each for each in node.body if not isinstance(each, FUNCTIONS))


def parameters_of(function: Function) -> Iterator[tuple[ast.arg, ast.expr | None]]:
    """Yield the parameters of a function other than self, with their defaults."""
    given = function.args
    unfilled: list[ast.expr | None] = [None] * (len(given.args) - len(given.defaults))
    pairs = zip(
        [*given.args, *given.kwonlyargs],
        [*unfilled, *given.defaults, *given.kw_defaults],
        strict=True,
    )
    yield from (
        (parameter, default)
        for parameter, default in pairs
        if parameter.arg not in {"self", "cls", "ctx"}
    )


def imports(found: Iterable[Module]) -> set[str]:
    """Return the names of the top modules that are imported."""
    names: set[str] = set()
    for module in found:
        for node in ast.walk(module.tree):
            if isinstance(node, ast.Import):
                names |= {each.name.partition(".")[0] for each in node.names}
            elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
                names.add(node.module.partition(".")[0])
    return names
