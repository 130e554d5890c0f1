"""Turns the output of training scripts and loggers into measurements: records, values, objects, patterns, positions, near misses.

Other rooms use only `Capture`; `Reading` says how an experiment's output is read.
"""

from lrtui.metrics.capture.capture import Capture
from lrtui.metrics.capture.misses import likely, missing
from lrtui.metrics.capture.reading import Reading

__all__ = ["Capture", "Reading", "likely", "missing"]
