"""The measurements of the training processes: metric lines read from an attempt's files, kept as columns of one run.

The supervisor follows living attempts with a `MetricLog` each; the watcher fills a `RunSeries` per run, from which ranking,
charts and report read. Reading never raises and never holds more than a few MiB: the files are a worker's, and a worker may
write anything. Nothing here imports numpy before a chart is thinned.

A *level* is a length of training in the plan's unit (epochs, steps or tokens).
"""

from typing import TYPE_CHECKING

from lrtui.metrics.downsample import thin
from lrtui.metrics.line import AXES, Measurement
from lrtui.metrics.series import Axis, Goal, RunSeries, Series

if TYPE_CHECKING:
    from lrtui.metrics.capture import Reading
    from lrtui.metrics.log import MetricLog

__all__ = [
    "AXES",
    "Axis",
    "Goal",
    "Measurement",
    "MetricLog",
    "Reading",
    "RunSeries",
    "Series",
    "thin",
]


def __getattr__(name: str) -> object:
    """Import a file reader on first use: charts need only series, so the first paint does not wait for the rest.

    Raises:
        AttributeError: there is no such name.

    """
    if name == "Reading":
        from lrtui.metrics.capture import Reading

        return Reading
    if name == "MetricLog":
        from lrtui.metrics.log import MetricLog

        return MetricLog
    raise AttributeError(name)
