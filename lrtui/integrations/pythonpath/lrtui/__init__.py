"""lrtui as workers see it: the supervisor's `emit` and `integrations`; everything else is what their environment has installed, if anything.

The metric file is read by the supervisor, so its `emit` writes it, whatever version is installed beside the training code.
"""

from __future__ import annotations

import os.path
import sys
from importlib.machinery import ModuleSpec

_ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))

# Imported while the package's path is the supervisor's; both stay in sys.modules.
__path__ = [os.path.dirname(os.path.dirname(_ROOT))]

import lrtui.integrations  # noqa: E402, F401
from lrtui.emit import emit  # noqa: E402

__all__ = ["emit"]


def _installed() -> ModuleSpec | None:
    """Return the spec of the lrtui that would be imported if this one were not there."""
    path = [entry for entry in sys.path if os.path.realpath(entry) != os.path.realpath(_ROOT)]
    for finder in sys.meta_path:
        spec = finder.find_spec("lrtui", path) if hasattr(finder, "find_spec") else None
        if spec is not None and spec.origin and spec.loader and spec.submodule_search_locations:
            return spec
    return None


__path__ = []
_spec = _installed()
if _spec is not None and _spec.loader is not None:
    __path__ += _spec.submodule_search_locations or ()
    __spec__, __file__ = _spec, str(_spec.origin)
    _spec.loader.exec_module(sys.modules["lrtui"])
