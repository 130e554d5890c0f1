"""What other programs' loggers write to files, read record by record: one module per format, each follows one file.

`source_of` chooses the reader. Nothing here raises for what a file holds.
"""

from lrtui.metrics.sources.growing import Seen, seen
from lrtui.metrics.sources.kinds import source_of
from lrtui.metrics.sources.source import Row, Source, Start, Values

__all__ = ["Row", "Seen", "Source", "Start", "Values", "seen", "source_of"]
