"""The charts of the report: sensitivity, curves, range tests, studies. The only package that imports matplotlib.

Figures are drawn straight onto the SVG and Agg canvases, never through pyplot, so no window system is asked for and nothing
global is changed. Same content, same bytes: settings are matplotlib's defaults and ours whatever the user's matplotlibrc says,
ids come from a fixed salt, and no date is written. Text is never read as mathematics ("$" in a name).

The report's `write` calls `draw`, and `png`, `svg` or `inline` with what that returned, inside of `style`.
"""

from __future__ import annotations

from matplotlib.figure import Figure

from lrtui.report.figures.heat_maps import heat_map_chart
from lrtui.report.figures.lr_sensitivity import sensitivity_chart
from lrtui.report.figures.range_tests import ranges_chart
from lrtui.report.figures.saving import inline, png, svg
from lrtui.report.figures.study_levels import study_chart
from lrtui.report.figures.style import style
from lrtui.report.figures.training_curves import curves_chart
from lrtui.report.model import Report

__all__ = ["draw", "inline", "png", "style", "svg"]


def draw(made: Report) -> dict[str, Figure]:
    """Return the charts by name, from what `content` returned: sensitivity (of a search with axes its heat maps) and curves always, study and ranges where there are any."""
    answer = heat_map_chart(made) if made.maps else sensitivity_chart(made)
    found = {"sensitivity": answer, "curves": curves_chart(made)}
    tests = [each for each in made.ranges if len(each.curve) > 1]
    if tests:
        found["ranges"] = ranges_chart(made, tests)
    factors = [each for each in made.study if any(level.lr for level in each.levels)]
    return found | ({"study": study_chart(factors)} if factors else {})
