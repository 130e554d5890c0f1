"""JSON lines: one object a line, nested ones flattened by "/", as in a script's output."""

from __future__ import annotations

from lrtui.metrics.capture.objects import objects
from lrtui.metrics.capture.records import records
from lrtui.metrics.sources.source import Lines, Values


class JsonLines(Lines):
    """Follows a file of JSON lines."""

    def _measured(self, line: bytes) -> Values | None:
        found = [fields for record in records(line) for fields in objects(record, set())]
        values: Values = {name: value for fields in found for name, value in fields.items()}
        if b"0.0" not in line:  # a position written as 0, not 0.0, counts from 0
            values = {name: value or 0 for name, value in values.items()}
        return values or (None if found else {})
