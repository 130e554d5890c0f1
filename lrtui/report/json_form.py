"""The report as strict JSON: non-finite numbers are written as "NaN", "Infinity" and "-Infinity", as in a metric line."""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Any

import msgspec

if TYPE_CHECKING:
    from lrtui.report.model import Report


def as_json(report: Report) -> str:
    """Return report.json."""
    return json.dumps(plain(report), indent=1, allow_nan=False) + "\n"


def plain(part: Any) -> Any:
    """Return the report or a part of it as dicts and lists that strict JSON can hold."""
    return _worded(msgspec.to_builtins(part))


def word(value: float) -> float | str:
    """Return a number; a word if it is not finite."""
    if math.isfinite(value):
        return value
    return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"


def _worded(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _worded(inner) for key, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [_worded(inner) for inner in value]
    return word(value) if isinstance(value, float) else value
