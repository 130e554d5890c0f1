"""To Parquet: the tables of the CSV export with types, and in each file's metadata the experiment with its verdict."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq

from lrtui.export import tables
from lrtui.report.json_form import plain

if TYPE_CHECKING:
    from lrtui.export.subject import Subject

_BATCH = 1 << 16
_WORD = pa.dictionary(pa.int32(), pa.string())
_TIME = pa.timestamp("us", "UTC")
_METRICS = {str: _WORD, int: pa.int32(), float: pa.float64()}


def write(subject: Subject, folder: Path) -> int:
    """Write the tables; return the number of values."""
    about = _about(subject)
    _whole(folder / "runs.parquet", *tables.runs(subject), about)
    _whole(folder / "verdict.parquet", *tables.verdict(subject), about)
    types = {name: _METRICS[kind] for name, kind in tables.METRICS.items()}
    types["wall_time"] = _TIME
    schema = pa.schema(types, about)
    return _write(folder / "metrics.parquet", schema, tables.metrics(subject))


def _about(subject: Subject) -> dict[str, str]:
    keys = ("experiment", "metric", "goal", "unit", "horizon", "verdict")
    told = plain(subject.report)
    return {"lrtui": json.dumps({key: told[key] for key in keys})}


def _whole(path: Path, head: list[str], rows: list[list[Any]], about: dict[str, str]) -> None:
    columns = [[row[at] for row in rows] for at in range(len(head))]
    types = [_type(name, column) for name, column in zip(head, columns, strict=True)]
    _write(path, pa.schema(list(zip(head, types, strict=True)), about), iter(rows))


def _type(name: str, column: list[Any]) -> pa.DataType:
    """Return the type that holds all values of a column."""
    if name in tables.TIMES:
        return _TIME
    kinds = {type(value) for value in column if value is not None}
    if kinds == {bool}:
        return pa.bool_()
    if kinds == {int}:
        return pa.int64()
    return pa.float64() if kinds and kinds <= {int, float} else pa.string()


def _write(path: Path, schema: pa.Schema, rows: Iterator[list[Any]]) -> int:
    """Write rows as a stream; return their number."""
    count = 0
    with path.open("xb") as file, pq.ParquetWriter(file, schema, compression="zstd") as writer:
        while batch := list(itertools.islice(rows, _BATCH)):
            columns = zip(schema.types, zip(*batch, strict=True), strict=True)
            arrays = [pa.array(_fitting(kind, column), kind) for kind, column in columns]
            writer.write_batch(pa.record_batch(arrays, schema))
            count += len(batch)
    return count


def _fitting(kind: pa.DataType, column: Iterable[Any]) -> list[Any]:
    """Return values that Arrow accepts for a type."""
    if kind == pa.float64():
        return [None if value is None else float(value) for value in column]
    if kind == _TIME:
        return [None if value is None else round(value * 1e6) for value in column]
    if kind == pa.string():
        return [None if value is None else str(value) for value in column]
    return list(column)
