"""Checks the user's own files that an experiment names: images, arrays, and the module of a model.

Paths are relative to the experiment file. Their existence is checked when the file is read, not when a frozen
copy is read. Nothing is imported or decoded: a module is only parsed, so that a missing file, a syntax error or a
wrong function name is found before anything runs.
"""

from __future__ import annotations

import ast
import re
from pathlib import Path
from typing import Any

from lrtui.config.fault_text import did_you_mean, names, show
from lrtui.config.toml_positions import Path as KeyPath
from lrtui.config.toml_reader import Reader
from lrtui.train.models import ARGUMENTS, module_file

_MODEL = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*:[A-Za-z_]\w*", re.ASCII)
_MOST_BYTES = 1 << 20

_Function = ast.FunctionDef | ast.AsyncFunctionDef


def check_data(reader: Reader, path: KeyPath, kind: str, given: str) -> None:
    """Record a fault if the user's own data do not exist; `kind` is "folder" or "npz"."""
    if reader.beside is None:
        return
    target = reader.beside / Path(given).expanduser()
    if target.is_dir() if kind == "folder" else target.is_file():
        return
    what = "folder" if kind == "folder" else "file"
    trouble = f"not a {what}" if target.exists() else f"no such {what}"
    hint = f"The path is relative to the experiment file: {target}"
    reader.fault(path, f"{kind} {show(given)}: {trouble}", hint)


def check_model(reader: Reader, path: KeyPath, name: str, options: dict[str, Any]) -> bool:
    """Return whether "module:function" passes all checks; record a fault for each that fails."""
    faults = reader.count()
    if not _MODEL.fullmatch(name):
        what = f'a custom model is written "module:function" (found {show(name)})'
        reader.fault(path, what, 'For the function build in my_model.py: model = "my_model:build"')
    elif reader.beside is not None:
        _check_file(reader, path, name, options)
    return reader.count() == faults


def _check_file(reader: Reader, path: KeyPath, name: str, options: dict[str, Any]) -> None:
    module, _, function = name.partition(":")
    assert reader.beside is not None  # noqa: S101 - the caller has looked
    file = module_file(reader.beside, module)
    if file is None:
        wanted = reader.beside / f"{module.replace('.', '/')}.py"
        hint = f"The module is relative to the experiment file: {wanted}"
        reader.fault(path, f"model {show(name)}: no such module", hint)
        return
    tree = _parse(reader, path, file)
    if tree is None:
        return
    defined = _names(tree)
    if function not in defined and "*" not in defined:
        hint = did_you_mean(
            function, [each for each in defined if not each.startswith("_")], "names there"
        )
        reader.fault(path, f"{file.name} has no {show(function)}", hint)
    elif isinstance(found := defined.get(function), _Function):
        _check_signature(reader, path, found, file, options)


def _parse(reader: Reader, path: KeyPath, file: Path) -> ast.Module | None:
    try:
        if file.stat().st_size > _MOST_BYTES:
            return None
        return ast.parse(file.read_bytes(), str(file))
    except SyntaxError as error:
        what = f"{file.name}:{error.lineno or 1}: {error.msg}"
        reader.fault(path, what, f"Fix the line in {file}")
    except (OSError, ValueError, RecursionError, MemoryError) as error:
        reader.fault(path, f"{file.name} cannot be read ({error})", f"Check {file}")
    return None


def _names(tree: ast.Module) -> dict[str, ast.AST]:
    """Return the names that a module's top level may define, including inside if and try; "*" after a star import."""
    defined: dict[str, ast.AST] = {}
    blocks: list[ast.AST] = list(tree.body)
    while blocks:
        node = blocks.pop()
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            defined[node.name] = node
        elif isinstance(node, (ast.Import, ast.ImportFrom)):
            defined |= {
                (alias.asname or alias.name).partition(".")[0]: node for alias in node.names
            }
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            defined.setdefault(node.id, node)
        else:
            blocks += ast.iter_child_nodes(node)
    return defined


def _check_signature(
    reader: Reader, path: KeyPath, node: _Function, file: Path, options: dict[str, Any]
) -> None:
    """Record a fault if a function cannot be called as build(channels, size, classes, **options)."""
    positional = [each.arg for each in (*node.args.posonlyargs, *node.args.args)]
    needed = positional[: len(positional) - len(node.args.defaults)]
    where = f"{file.name}:{node.lineno}"
    call = f"{node.name}({', '.join([*ARGUMENTS, *(f'{key}=..' for key in options)])})"
    if len(positional) < len(ARGUMENTS) and not node.args.vararg:
        what = f"{where}: {node.name} takes {len(positional)} arguments, but is called as {call}"
        reader.fault(path, what, f"Define it as: def {node.name}({', '.join(ARGUMENTS)}):")
        return
    optional = positional[len(ARGUMENTS) :]
    keywords = [each.arg for each in node.args.kwonlyargs]
    known = [*optional, *keywords]
    unknown = [key for key in options if key not in known]
    if unknown and not node.args.kwarg:
        what = f"{where}: {node.name} has no option {names(unknown)}"
        reader.fault(path, what, did_you_mean(unknown[0], known, "options"))
    without = [
        key for key, default in zip(keywords, node.args.kw_defaults, strict=True) if default is None
    ]
    if missing := [key for key in (*needed[len(ARGUMENTS) :], *without) if key not in options]:
        what = f"{where}: {node.name} needs {names(missing)}"
        reader.fault(
            path,
            what,
            f'Add it: model = {{ "{file.stem}:{node.name}" = {{ {missing[0]} = .. }} }}',
        )
