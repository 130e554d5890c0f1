"""Saves half of the start: torch's optimizers without torch's compiler.

Constructing or stepping any optimizer of torch imports `torch._dynamo`, and with it sympy and the inductor: 0.9 s of
a start of 2 s (measured with torch 2.15 on one core), only to say "do not compile this function", which nobody asked
for. A light module in its place answers the two calls that eager training makes, `disable` and `graph_break`.
Whatever else is asked of it makes it step aside for the real one, so nothing that torch can do is lost.
"""

from __future__ import annotations

import importlib
import sys
from types import ModuleType
from typing import Any

import torch

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
        return getattr(_step_aside(self), name)


def skip_compiler() -> None:
    """Put the light module in place, unless the real one is loaded already."""
    if NAME not in sys.modules:
        light = _Light()
        sys.modules[NAME] = light
        setattr(torch, NAME.rpartition(".")[2], light)


def _step_aside(light: ModuleType) -> ModuleType:
    if sys.modules.get(NAME) is light:
        del sys.modules[NAME]
        setattr(torch, NAME.rpartition(".")[2], importlib.import_module(NAME))
    return sys.modules[NAME]
