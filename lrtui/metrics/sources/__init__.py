"""Readers of the files that other programs' loggers write: one module per format, each follows one file record by record.

`source_of` chooses the reader. None raises because of a file's content.
"""

from lrtui.metrics.sources.growing import Seen, seen
from lrtui.metrics.sources.kinds import source_of
from lrtui.metrics.sources.source import Row, Source, Start, Values

__all__ = ["Row", "Seen", "Source", "Start", "Values", "seen", "source_of"]
