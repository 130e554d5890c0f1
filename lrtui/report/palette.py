"""The colours of the report, for a light and for a dark ground.

Charts are drawn in the light ones; where a chart stands inside report.html each becomes a CSS variable, so that it follows
the reader's `prefers-color-scheme`. Learning rates go from cold to hot on a diverging scale that people with any of the three
colour-vision deficiencies tell apart (after ColorBrewer's RdYlBu, with a middle that shows on the ground). Nothing rests on
colour alone: lines have styles and labels, points have shapes.
"""

from __future__ import annotations

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

_LIGHT = ("1b4f9c", "2e86c8", "3f9aa0", "8a8535", "b9791a", "d9601f", "a8123e")
_DARK = ("5b8ff9", "4fc3f7", "a5e3e8", "f2f2c8", "ffd566", "ffa245", "ff6e4a", "e83f6f")
"""The dark ones are the monitor's."""
HEATS = 16
"""Steps of the scale from cold to hot, besides the coldest."""


def heat(place: float) -> str:
    """Return the colour on a light ground at a place of the scale: 0 cold, 1 hot."""
    return _mixed(_LIGHT, _step(place) / HEATS)


def variables(*, dark: bool) -> dict[str, str]:
    """Return all colours by the names that they have in CSS: --ink, --h0 (cold) .. --h16 (hot)."""
    found = {f"--{name}": pair[dark] for name, pair in INKS.items()}
    stops = _DARK if dark else _LIGHT
    return found | {f"--h{step}": _mixed(stops, step / HEATS) for step in range(HEATS + 1)}


def _step(place: float) -> int:
    return round(min(max(place, 0.0), 1.0) * HEATS)


def _mixed(stops: tuple[str, ...], place: float) -> str:
    at = place * (len(stops) - 1)
    low = min(int(at), len(stops) - 2)
    pairs = zip(bytes.fromhex(stops[low]), bytes.fromhex(stops[low + 1]), strict=True)
    return "#" + "".join(f"{round(a + (b - a) * (at - low)):02x}" for a, b in pairs)
