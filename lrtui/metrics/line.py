"""One measurement: what a record of an attempt's files says, and at which length."""

from __future__ import annotations

import msgspec

MOST_NAMES = 256
"""Metrics that one run may have; further names are ignored, so that a script cannot fill our memory with them."""
AXES = ("step", "epoch", "tokens", "time")
"""Fields of a metric line that say where it stands; every other number is a metric."""


class Measurement(msgspec.Struct, frozen=True, gc=False):
    """One metric line. A msgspec.Struct since it is made in 0.2 us, a frozen dataclass in 1.3."""

    level: float
    """The length that it belongs to, in the plan's unit; finite, not negative."""
    step: float | None
    epoch: float | None
    tokens: float | None
    time: float | None
    """Seconds since the attempt began."""
    values: dict[str, float]
    """Every other number by its name; nan and infinities are data."""
