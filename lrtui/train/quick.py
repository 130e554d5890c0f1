"""Saves half of the start: torch's optimizers without torch's compiler.

Constructing or stepping any optimizer of torch imports `torch._dynamo`, and with it sympy and the inductor: 0.9 s of
a start of 2 s (measured with torch 2.15 on one core), only to say "do not compile this function", which nobody asked
for. A light module in its place answers the two calls that eager training makes, `disable` and `graph_break`.
Whatever else is asked of it, an attribute or a submodule, makes it step aside for the real one, so nothing that
torch or a model can do is lost.
"""

from __future__ import annotations

import importlib
import importlib.util
import sys
from importlib.abc import Loader, MetaPathFinder
from types import ModuleType
from typing import TYPE_CHECKING, Any

import torch

if TYPE_CHECKING:
    from importlib.machinery import ModuleSpec

NAME = "torch._dynamo"


class _Light(ModuleType):
    """Stands for `torch._dynamo` until something asks for more than eager training needs."""

    def __init__(self) -> None:
        super().__init__(NAME)
        self.__path__: list[str] = []

    @staticmethod
    def disable(function: Any, recursive: bool = True, *, wrapping: bool = True) -> Any:
        """Return the function: without a compiler there is nothing to disable."""
        del recursive, wrapping
        return function

    @staticmethod
    def graph_break() -> None:
        """Do nothing: there is no graph."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        _step_aside()
        return getattr(sys.modules[NAME], name)


class _Submodules(MetaPathFinder):
    """Makes the light module step aside when one of `torch._dynamo`'s submodules is imported."""

    def find_spec(self, name: str, path: object, target: object = None) -> ModuleSpec | None:
        del path, target
        if not name.startswith(NAME + ".") or not _step_aside():
            return None
        if name in sys.modules:  # loaded by the real one just now: not a second time
            return importlib.util.spec_from_loader(name, _Loaded(sys.modules[name]))
        return importlib.util.find_spec(name)


class _Loaded(Loader):
    """Gives back a module that is loaded already, as it is."""

    def __init__(self, module: ModuleType) -> None:
        self.module, self.spec = module, module.__spec__

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        """Return the module instead of a new one."""
        del spec
        return self.module

    def exec_module(self, module: ModuleType) -> None:
        """Put back what importlib has just overwritten."""
        module.__spec__ = self.spec


def skip_compiler() -> None:
    """Put the light module in place, unless the real one is loaded already."""
    if NAME not in sys.modules:
        _set(_Light())
        sys.meta_path.insert(0, _Submodules())


def _step_aside() -> bool:
    """Load the real module in the light one's place; False if it is there already."""
    if not isinstance(sys.modules.get(NAME), _Light):
        return False
    del sys.modules[NAME]
    _set(importlib.import_module(NAME))
    return True


def _set(module: ModuleType) -> None:
    sys.modules[NAME] = module
    setattr(torch, NAME.rpartition(".")[2], module)
