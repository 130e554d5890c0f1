"""The style of all charts: colours, fonts and matplotlib's other settings, the same on every machine.

`write` draws and saves inside of `style`; the charts take their colours from here.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import matplotlib as mpl

from lrtui.report.palette import INKS

INK = INKS["ink"][0]
MUTED = INKS["muted"][0]
GRID = INKS["grid"][0]
GROUND = INKS["ground"][0]
ACCENT = INKS["accent"][0]
BAND = INKS["band"][0]
_RC: dict[Any, Any] = {
    "svg.fonttype": "none",
    "svg.hashsalt": "lrtui",
    "text.parse_math": False,
    "font.family": "DejaVu Sans",
    "font.size": 9.0,
    "axes.unicode_minus": False,
    "axes.edgecolor": MUTED,
    "axes.labelcolor": INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.linewidth": 0.8,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": GRID,
    "grid.linewidth": 0.8,
    "text.color": INK,
    "xtick.color": MUTED,
    "ytick.color": MUTED,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "figure.facecolor": GROUND,
    "axes.facecolor": "none",
    "legend.frameon": False,
    "legend.fontsize": 8.0,
    "path.simplify": True,
}


@contextmanager
def style() -> Iterator[None]:
    """Draw and save inside of this: the same settings on every machine, and no warning about a glyph that a font lacks."""
    with mpl.rc_context(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        mpl.rcdefaults()
        mpl.rcParams.update(_RC)
        yield
