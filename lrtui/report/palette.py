"""The colours of the report, for a light and for a dark ground.

Charts are drawn in the light ones; where a chart stands inside report.html each becomes a CSS variable, so that it follows
the reader's `prefers-color-scheme`. Learning rates go from cold to hot on a diverging scale that people with any of the three
colour-vision deficiencies tell apart (after ColorBrewer's RdYlBu, with a middle that shows on the ground). Nothing rests on
colour alone: lines have styles and labels, points have shapes.
"""

from __future__ import annotations

from lrtui.frontend import run_colors
from lrtui.frontend.run_colors import Stop

INKS = {
    "ink": ("#1f2329", "#e6e9ed"),
    "muted": ("#5f6873", "#9aa4b0"),
    "grid": ("#e2e5e9", "#2c323a"),
    "ground": ("#fefefe", "#14171b"),
    "card": ("#f5f7f9", "#1c2026"),
    "accent": ("#0b5cad", "#6cb2ff"),
    "band": ("#3d84c6", "#4f8fd0"),
}
"""Name -> (on a light ground, on a dark one)."""

_LIGHT: tuple[Stop, ...] = (
    (0x1B, 0x4F, 0x9C),
    (0x2E, 0x86, 0xC8),
    (0x3F, 0x9A, 0xA0),
    (0x8A, 0x85, 0x35),
    (0xB9, 0x79, 0x1A),
    (0xD9, 0x60, 0x1F),
    (0xA8, 0x12, 0x3E),
)
"""On a dark ground the scale is the monitor's."""
HEATS = 16
"""Steps of the scale from cold to hot, besides the coldest."""


def heat(place: float) -> str:
    """Return the colour on a light ground at a place of the scale: 0 cold, 1 hot."""
    return run_colors.heat(_step(place) / HEATS, _LIGHT)


def variables(*, dark: bool) -> dict[str, str]:
    """Return all colours by the names that they have in CSS: --ink, --h0 (cold) .. --h16 (hot)."""
    found = {f"--{name}": pair[dark] for name, pair in INKS.items()}
    stops = run_colors.STOPS if dark else _LIGHT
    return found | {f"--h{step}": run_colors.heat(step / HEATS, stops) for step in range(HEATS + 1)}


def _step(place: float) -> int:
    return round(min(max(place, 0.0), 1.0) * HEATS)
