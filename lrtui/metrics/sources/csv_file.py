"""CSV files of loggers: Lightning's and Keras' CSVLogger, pandas, R, and any other with one line of names above lines of numbers."""

from __future__ import annotations

import csv

from lrtui.metrics.capture.positions import NAMES
from lrtui.metrics.sources.source import Lines, Values, number_of

_SEPARATORS = ",;\t|"
_POSITIONS = {name for names in NAMES.values() for name in names}
csv.field_size_limit(1 << 20)


class CsvFile(Lines):
    """Follows a CSV file. The header may be repeated with other columns; it then applies to the lines after it."""

    _columns: tuple[str, ...] = ()
    _separator = ","

    def _anew(self) -> None:
        self._columns = ()

    def _measured(self, line: bytes) -> Values | None:
        text = line.decode("utf-8", "replace").removeprefix("\ufeff")
        if not self._columns:
            self._separator = max(_SEPARATORS, key=text.count)
            names = tuple(name.strip() for name in self._cells(text))
            if all(number_of(name) is not None for name in names if name):
                return {}  # not a header
            self._columns = names
            return None
        cells = self._cells(text)
        values: Values = {}
        for name, cell in zip(self._columns, cells, strict=False):
            if name and cell and (value := number_of(cell)) is not None:
                values[name] = value
        if not values and any(cell.strip().lower() in _POSITIONS for cell in cells):
            self._columns = tuple(name.strip() for name in cells)
            return None
        return values if len(cells) <= len(self._columns) else {}

    def _cells(self, text: str) -> list[str]:
        try:
            return next(csv.reader([text], delimiter=self._separator), [])
        except csv.Error:
            return []
