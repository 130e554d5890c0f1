"""The measurements of the training processes: metric lines read from an attempt's files, kept as columns of one run.

The supervisor follows living attempts with a `MetricLog` each; the watcher fills a `RunSeries` per run, from which ranking,
charts and report read. Reading never raises and never holds more than a few MiB: the files are a worker's, and a worker may
write anything. Nothing here imports numpy until a chart is thinned.

A *level* is a length of training in the plan's unit (epochs, steps or tokens).
"""

from lrtui.metrics.capture import Reading
from lrtui.metrics.downsample import thin
from lrtui.metrics.line import AXES, Measurement
from lrtui.metrics.log import MetricLog
from lrtui.metrics.series import Axis, Goal, RunSeries, Series

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
