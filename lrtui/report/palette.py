"""The colours of the report, for a light and for a dark ground.

Charts are drawn in the light ones; where a chart stands inside report.html each becomes a CSS variable, so that it follows
the reader's `prefers-color-scheme`. Learning rates go from cold to hot on the monitor's scales, which people with any of the three
colour-vision deficiencies can distinguish. No information is only in colour: lines have styles and labels, points have shapes.
"""

from __future__ import annotations

from lrtui.frontend import run_colors

INKS = {
    "ink": ("#1f2329", "#e6e9ed"),
    "muted": ("#5f6873", "#9aa4b0"),
    "grid": ("#e2e5e9", "#2c323a"),
    "ground": ("#fefefe", "#14171b"),
    "card": ("#f5f7f9", "#1c2026"),
    "accent": ("#0b5cad", "#6cb2ff"),
    "bad": ("#b3261e", "#ff7b72"),
    "band": ("#3d84c6", "#4f8fd0"),
}
"""Name -> (on a light ground, on a dark one)."""

HEATS = 16
"""Steps of the scale from cold to hot, besides the coldest."""


def heat(place: float) -> str:
    """Return the colour on a light ground at a place of the scale: 0 cold, 1 hot."""
    return run_colors.heat(_step(place) / HEATS, run_colors.LIGHT_STOPS)


def variables(*, dark: bool) -> dict[str, str]:
    """Return all colours by the names that they have in CSS: --ink, --h0 (cold) .. --h16 (hot)."""
    found = {f"--{name}": pair[dark] for name, pair in INKS.items()}
    stops = run_colors.STOPS if dark else run_colors.LIGHT_STOPS
    return found | {f"--h{step}": run_colors.heat(step / HEATS, stops) for step in range(HEATS + 1)}


def _step(place: float) -> int:
    return round(min(max(place, 0.0), 1.0) * HEATS)
