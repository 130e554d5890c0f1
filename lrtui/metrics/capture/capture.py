"""From the output of one attempt to its measurements: blocks of bytes in, Measurements out.

Supervisor and front ends read with the same class, so they cannot disagree. It keeps two streams apart, metrics.jsonl and the
output, so that the order in which the two files are read does not matter.
"""

from __future__ import annotations

import functools
import math
import re
from array import array
from collections import deque
from collections.abc import Callable, Iterable
from itertools import chain, repeat
from typing import Any

import msgspec

from lrtui.metrics.capture.misses import Misses
from lrtui.metrics.capture.objects import Fields, objects
from lrtui.metrics.capture.patterns import Patterns
from lrtui.metrics.capture.positions import NAMES, Memory, Positions
from lrtui.metrics.capture.reading import Reading
from lrtui.metrics.capture.records import narrow, records
from lrtui.metrics.capture.tracebacks import Tracebacks
from lrtui.metrics.line import AXES, LONG, MOST_NAMES, Column, Columns, Found, Measurement, Sparse

_LONGEST_NAME = 128
_LOOKED = 200
"""The number of text records searched for numbers while nothing was measured."""
_NULLS = 3
_KEPT = 16
"""The number of measurements kept at the end of a stream: the last evaluation and those beside it."""
_BRACE = ord("{")
_NEWLINE = ord("\n")
_SAYING_WHERE = {*AXES, "batch", "batches"}
_MOST_COLUMNS = 64
"""The maximum number of names in lines that are read by column."""
_numbers = msgspec.json.Decoder(dict[str, float])
_msgpack = msgspec.msgpack.Encoder()
_HAS_NUMBER = re.compile(rb"[A-Za-z]\S*[ :=\t]+[-+]?\d*\.?\d")


class _Stream:
    """The state of one file of an attempt."""

    def __init__(self, reading: Reading) -> None:
        self.positions = Positions(reading)
        self.latest: deque[Measurement] = deque(maxlen=_KEPT)

    def accepts(self, levels: list[float] | array[float]) -> bool:
        """Return whether consecutive lines are all at plain positions; if so, remember the last and the furthest."""
        least, furthest = _bounds(levels)
        if not (least > 0.0 and furthest <= self.positions.limit):
            return False
        self.positions.came_to(levels[-1], furthest)
        return True


class Capture:
    """Reads the output of one attempt."""

    def __init__(self, reading: Reading, *, by_column: bool = False) -> None:
        """Read as `reading` says; `by_column` for a caller that wants columns: single measurements are made faster line by line."""
        self._reading = reading
        self._by_column = by_column
        self._unit = reading.unit
        self._patterns = Patterns(reading.parse)
        self._metrics = _Stream(reading)
        self._output = _Stream(reading)
        self._files: dict[int, _Stream] = {}
        """Streams of the files that loggers wrote, by the file's number: each has its own positions."""
        self._earlier: Positions | None = None
        """The memory of an earlier attempt, whose files counted positions in the same way."""
        self._known: set[str] = set()
        """Accepted names that were seen before: checking a record against them costs 0.1 us."""
        self._aliases: dict[str, tuple[str, int]] = {}
        """The names among them that are positions: (unit, rank)."""
        self._names: dict[str, None] = {}
        self._kept = {name for name in (reading.metric, reading.loss) if name}
        """Names that are accepted however many others there are."""
        self.misses = Misses()
        self._nulls: dict[str, int] = {}
        self._taken = 0
        self._tracebacks = Tracebacks()
        self._looked = 0

    @property
    def names(self) -> list[str]:
        """The metrics that were read, in the order in which they first appeared."""
        return list(self._names)

    @property
    def complete(self) -> float:
        """How far training is known to have come, in the horizon's unit."""
        return max(each.positions.memory.complete for each in self._streams)

    @property
    def memories(self) -> list[Memory]:
        """The memories of positions: of metrics.jsonl, of the output, and of each logger's file."""
        return [each.positions.memory for each in self._streams]

    @property
    def _streams(self) -> list[_Stream]:
        return [self._metrics, self._output, *self._files.values()]

    @property
    def plain(self) -> bool:
        """Whether a position above 0 is its record's length, whatever the records before."""
        return self._metrics.positions.plain

    def go_on_from(self, earlier: Capture) -> None:
        """Count positions as the earlier attempt did, whose checkpoint this one may continue from."""
        self._metrics.positions.go_on_from(earlier._metrics.positions)
        self._output.positions.go_on_from(earlier._output.positions)
        self._earlier = next((each.positions for each in earlier._files.values()), None)

    # ── reading ───────────────────────────────────────────────────────────────────────────────────

    def metric_lines(self, block: bytes, found: list[Found]) -> int:
        """Append what the lines of metrics.jsonl measured; return the number of invalid lines."""
        none = 0
        if not self._is_quick(self._metrics.positions):  # the first line settles it
            first = block.find(b"\n") + 1
            none = self._lines([block[: max(0, first - 1)]], self._metrics, found, self._untidy)
            block = block[first:]
        if self._plain_lines(block, self._metrics, found):
            return none
        return none + self._lines(block.split(b"\n"), self._metrics, found, self._untidy)

    def samples(self, blocks: list[bytes], found: list[Found]) -> None:
        """Append what lines from several places of metrics.jsonl measured; after a gap, no line takes its position from the one before."""
        self.metric_lines(blocks[0], found)
        if self._plain_lines(b"".join(blocks[1:]), self._metrics, found):
            return
        for block in blocks[1:]:
            self._metrics.positions.memory.last = None
            self.metric_lines(block, found)

    def _plain_lines(self, block: bytes, stream: _Stream, found: list[Found]) -> bool:
        """Append what lines measured if all are objects of known names at plain positions; return False if any is not.

        Nearly every block is like this: its lines are decoded in one call.
        """
        if block[:1] != b"{" or not self._is_quick(stream.positions):
            return False
        if self._by_column:
            return self._plain_columns(block, stream, found)
        try:
            lines = _numbers.decode_lines(block)
        except (ValueError, RecursionError):
            return False
        known = self._known
        one_each = block.count(b"\n") == block.count(b"\n{") + 1 == len(lines)
        levels = [fields.get(self._unit, 0.0) for fields in lines]
        if not (one_each and all(map(known.issuperset, lines)) and stream.accepts(levels)):
            return False
        axes = (
            [fields.pop(axis, None) for fields in lines] if axis in known else repeat(None)
            for axis in AXES
        )
        measured = list(map(Measurement, levels, *axes, lines))
        stream.latest.extend(measured[-_KEPT:])
        found += measured
        return True

    def _plain_columns(self, block: bytes, stream: _Stream, found: list[Found]) -> bool:
        """Do the same by column, in 0.25 us per line of five fields instead of 1.4."""
        names = (*(axis for axis in AXES if axis in self._known), *self._names)
        columns = _by_column(block, names) if self._unit in names else None
        if columns is None:
            return False
        levels = columns[self._unit]
        if not isinstance(levels, array) or not stream.accepts(levels):
            return False
        axes = {axis: columns.pop(axis) for axis in AXES if axis in columns}
        measured = Columns(levels, axes, columns)
        stream.latest.extend(measured.part(max(0, len(levels) - _KEPT), len(levels)))
        found.append(measured)
        return True

    def _lines(
        self,
        lines: list[bytes],
        stream: _Stream,
        found: list[Found],
        otherwise: Callable[[bytes, list[Measurement]], bool],
    ) -> int:
        """Take lines; pass those that are not an object of numbers to `otherwise`. Return the number of invalid lines.

        Known names at a plain position are handled here: 1.8 us per line of five fields.
        """
        measured: list[Measurement] = []
        none, decode, append = 0, _numbers.decode, measured.append
        positions, known, unit = stream.positions, self._known, self._unit
        limit, quick = positions.limit, self._is_quick(positions)
        last = complete = (
            0.0  # of the lines taken here: noted in the memory before anything else sees it
        )
        for line in lines:
            if not line:
                continue
            try:
                fields = decode(line) if line[0] == _BRACE else None
            except (ValueError, RecursionError):
                fields = None
            if quick and fields is not None and known.issuperset(fields):
                position = fields.get(unit)
                if position is not None and 0.0 < position <= limit:
                    last = position
                    if position > complete:  # noqa: PLR1730  # max() costs 60 ns more
                        complete = position
                    pop = fields.pop
                    step, epoch = pop("step", None), pop("epoch", None)
                    tokens, time = pop("tokens", None), pop("time", None)
                    append(Measurement(position, step, epoch, tokens, time, fields))
                    continue
            positions.came_to(last, complete)
            if fields is None:
                none += otherwise(line, measured)
            else:
                self._count_nulls(set(), fields, line)
                none += not self._take(stream, fields, measured, line)
            last, quick = 0.0, self._is_quick(positions)
        positions.came_to(last, complete)
        stream.latest.extend(measured[-_KEPT:])
        found += measured
        return none

    def _is_quick(self, positions: Positions) -> bool:
        """Return whether records of known names at plain positions can skip the general path."""
        began = positions.memory.began is not None
        return positions.plain and began and not self._aliases and not self._nulls

    def _untidy(self, line: bytes, found: list[Measurement]) -> bool:
        """Take a line of metrics.jsonl that has more than numbers; return whether it has text but no measurement."""
        taken, some = False, False
        for record in records(line):
            some = some or bool(record.strip())
            for fields in self._objects(record):
                taken = self._take(self._metrics, fields, found, record) or taken
        return some and not taken

    def text(self, block: bytes, found: list[Found]) -> None:
        """Append the measurements in a script's output: objects, and what the patterns match."""
        if not self._patterns and b"{" not in block and (self._taken or self._looked >= _LOOKED):
            return
        if not self._plain_lines(block, self._output, found):
            self._lines(records(narrow(block)), self._output, found, self._untidy_text)

    def _untidy_text(self, record: bytes, found: list[Measurement]) -> bool:
        """Take a record of text, first by the user's patterns; return whether it has no measurement."""
        taken = bool(self._patterns) and self._match(record, found)
        if not taken and b"{" in record:
            taken = self._take_objects(record, found)
        if not taken and not self._taken and self._looked < _LOOKED:
            self._look(record)
        return not taken

    def row(self, file: int, fields: Fields, found: list[Found], record: bytes) -> None:
        """Append what a row of a logger's file measured; `record` is quoted if the row is not taken."""
        stream = self._files.get(file)
        if stream is None:
            stream = self._files[file] = _Stream(self._reading)
            if self._earlier is not None:
                stream.positions.go_on_from(self._earlier)
        measured: list[Measurement] = []
        self._take(stream, fields, measured, record)
        stream.latest.extend(measured)
        found += measured

    def end(self, found: list[Found], until: float, *, ok: bool) -> None:
        """Append the records that were held back, after the end of a process that trained to `until` (`ok`: exit code 0)."""
        for stream in self._streams:
            positions = stream.positions
            last = positions.memory.last
            latest: dict[str, float] = {}
            for each in stream.latest:
                if each.level == last:
                    latest.update(each.values)
            placed = positions.end(until) if ok else positions.flush()
            found += [self._measured(each.label, each.fields or latest) for each in placed]

    # ── one record ────────────────────────────────────────────────────────────────────────────────

    def _take_objects(self, record: bytes, found: list[Measurement]) -> bool:
        taken = False
        for fields in self._objects(record):
            taken = self._take(self._output, fields, found, record) or taken
        return taken

    def _objects(self, record: bytes) -> Iterable[Fields]:
        nulls: set[str] = set()
        for fields in objects(record, nulls):
            if nulls or self._nulls:
                self._count_nulls(nulls, fields, record)
                nulls.clear()
            yield fields

    def _count_nulls(self, nulls: set[str], fields: Fields, record: bytes) -> None:
        for name in self._kept:
            if name in fields:
                self._nulls.pop(name, None)
            elif name in nulls and name in self._names:
                many = self._nulls[name] = self._nulls.get(name, 0) + 1
                if many >= _NULLS:
                    why = f"in a row have null for {name}, which was a number before"
                    times = many if many == _NULLS else 1
                    self.misses.note(why, record, said=True, times=times)

    def _match(self, record: bytes, found: list[Measurement]) -> bool:
        matched = self._patterns.match(record)
        if matched is None:
            return False
        for name in matched.refused:
            self.misses.note(f"have text for {name} that is no number", record, said=True)
        if not matched.numbers or any(map(self._says_where, matched.refused)):
            return bool(matched.refused)
        return self._take(self._output, matched.numbers, found, record, text=True)

    def _look(self, record: bytes) -> None:
        """Remember a record with numbers while nothing was measured yet."""
        start = record[:1000]
        traced = self._tracebacks.holds(start.decode(errors="replace"))
        if traced or b"{" in record or not _HAS_NUMBER.search(start):
            return
        self._looked += 1
        why = "match no pattern of parse" if self._patterns else "are text, and there is no parse"
        self.misses.note(why, record)

    def _take(
        self,
        stream: _Stream,
        fields: Fields,
        found: list[Measurement],
        record: bytes,
        *,
        text: bool = False,
    ) -> bool:
        """Append named numbers as a measurement; return whether they were taken."""
        if not self._kept.isdisjoint(fields) and self._kept.isdisjoint(self._names):
            stream.positions.forget_settings(fields.get(self._unit))
        if not self._known.issuperset(fields):
            fields = self._learn(fields, record)
        if self._aliases:
            self._rename(fields)
        positions = stream.positions
        position = fields.get(self._unit)
        memory = positions.memory
        if (
            positions.plain
            and position is not None
            and 0.0 < position <= positions.limit
            and "batch" not in fields
            and "batches" not in fields
        ):
            memory.last = position
            memory.complete = max(memory.complete, position)
            if memory.began is None:
                memory.began = position
            found.append(self._measured(position, fields))
            self._taken += 1
            return True
        if (position is None or position < 0) and fields.keys() <= _SAYING_WHERE:
            return False
        whole = position != 0 or _written_whole(record)
        empty = text and fields.keys() <= _SAYING_WHERE
        placed, why = positions.place(position, fields, whole=whole)
        if why:
            if len(fields) > (position is not None):
                self.misses.note(why, record, said=position is None and bool(NAMES.keys() & fields))
            return False
        found += [
            self._measured(each.label, each.fields)
            for each in placed
            if not (empty and each.fields is fields)
        ]
        self._taken += 1
        return True

    def _measured(self, label: float, fields: Fields) -> Measurement:
        step = fields.pop("step", None)
        epoch = fields.pop("epoch", None)
        tokens = fields.pop("tokens", None)
        time = fields.pop("time", None)
        return Measurement(label, step, epoch, tokens, time, fields)

    # ── names ─────────────────────────────────────────────────────────────────────────────────────

    def _learn(self, fields: Fields, record: bytes) -> Fields:
        """Return the fields with accepted names; remember new names."""
        learned = {
            name: value
            for name, value in fields.items()
            if name in self._known or self._learn_name(name)
        }
        if len(learned) < len(fields) and self._is_full():
            why = f"have further names; a run keeps {MOST_NAMES}"
            self.misses.note(why, record, said=True)
        return learned

    def _is_full(self) -> bool:
        return len(self._names) >= MOST_NAMES - len(self._kept)

    def _learn_name(self, name: str) -> bool:
        named = name == self._reading.position != self._unit
        axis = self._axis(name) if named or name not in AXES else None
        if axis is not None:
            self._aliases[name] = axis
        elif name in AXES:
            pass
        elif name in _SAYING_WHERE:
            return True
        elif (name in self._kept or not self._is_full()) and (
            0 < len(name) <= _LONGEST_NAME and name.isprintable()
        ):
            self._names[name] = None
        else:
            return False
        self._known.add(name)
        return True

    def _axis(self, name: str) -> tuple[str, int] | None:
        """Return the unit of a position's name and its rank among such names; None for a metric."""
        if name == self._reading.position:
            return self._unit, -2
        if name == "position":
            return self._unit, len(NAMES[self._unit])  # ambiguous: the unit's own names come first
        folded = name.lower()
        for unit, names in NAMES.items():
            if folded in names:
                return unit, names.index(folded)
        return None

    def _says_where(self, name: str) -> bool:
        """Return whether a name is the position: without it the rest of a record cannot be placed."""
        axis = self._axis(name)
        return name == self._unit or (axis is not None and axis[0] == self._unit)

    def _rename(self, fields: Fields) -> None:
        """Rename positions to their units; the most trusted name of each unit counts."""
        best: dict[str, tuple[int, float]] = {
            unit: (NAMES[unit].index(unit), fields[unit])
            for unit in NAMES
            if unit in fields and unit not in self._aliases
        }
        for name in self._aliases.keys() & fields.keys():
            unit, rank = self._aliases[name]
            value = fields.pop(name)
            if unit not in best or rank < best[unit][0]:
                best[unit] = (rank, value)
        for unit, (_, value) in best.items():
            fields[unit] = value


def _by_column(block: bytes, names: tuple[str, ...]) -> dict[str, Column] | None:
    """Return the numbers of each line by name, as arrays if no line lacks one; None unless every line is an object of only these."""
    decoder = _decoder(names)
    if decoder is None:
        return None
    try:
        lines = decoder.decode_lines(block)
    except (ValueError, RecursionError):
        return None
    if len(lines) >= LONG:
        return _packed(lines, names) if _begins_each(block, len(lines)) else None
    if not block.count(b"\n") == block.count(b"\n{") + 1 == len(lines):
        return None
    numbers = array("d", chain.from_iterable(map(msgspec.structs.astuple, lines)))
    return {name: _without_nan(numbers[at :: len(names)]) for at, name in enumerate(names)}


def _begins_each(block: bytes, count: int) -> bool:
    """Return whether a block is `count` lines that each begin with an object and end with a newline; if it holds as many objects, each line is one."""
    import numpy as np  # only for files of this length

    characters = np.frombuffer(block, dtype=np.uint8)
    ends = np.flatnonzero(characters == _NEWLINE)
    if len(ends) != count or ends[-1] != len(block) - 1:
        return False
    return bool((characters[ends[:-1] + 1] == _BRACE).all())


def _packed(lines: list[msgspec.Struct], names: tuple[str, ...]) -> dict[str, Column]:
    """Return the numbers of each line by name, through MessagePack, which gives each line the same length: a fifth of the time of one by one."""
    import numpy as np  # see _begins_each

    packed = _msgpack.encode(lines)
    layout = _layout(names)
    table = np.frombuffer(packed, layout, offset=len(packed) - len(lines) * layout.itemsize)
    columns: dict[str, Column] = {}
    for field, name in enumerate(names):
        values = table[f"f{field}"].astype(np.float64)
        absent = np.isnan(values)
        if not absent.any():
            columns[name] = array("d", values.tobytes())
            continue
        at = np.flatnonzero(~absent)
        named = array("I", at.astype(np.uintc).tobytes())
        columns[name] = Sparse(named, array("d", values[at].tobytes()), len(values))
    return columns


@functools.lru_cache(maxsize=_MOST_COLUMNS)
def _layout(names: tuple[str, ...]) -> Any:
    """Return the dtype of a line in MessagePack: the numbers follow the map's head, each name and the head of each number."""
    import numpy as np  # see _begins_each

    at = len(_msgpack.encode(dict.fromkeys(names, 0))) - sum(
        len(_msgpack.encode(name)) + 1 for name in names
    )
    offsets = []
    for name in names:
        at += len(_msgpack.encode(name)) + 1
        offsets.append(at)
        at += 8
    return np.dtype({
        "names": [f"f{number}" for number in range(len(names))], "formats": [">f8"] * len(names),
        "offsets": offsets, "itemsize": at,
    })  # fmt: skip


def _without_nan(values: array[float]) -> Column:
    """Return the numbers of a field, with None for nan, which marks a line without it (JSON has no nan)."""
    if not any(map(math.isnan, values)):
        return values
    return [None if math.isnan(value) else value for value in values]


def _bounds(values: list[float] | array[float]) -> tuple[float, float]:
    """Return the least and the greatest number."""
    if len(values) < LONG or isinstance(values, list):
        return min(values), max(values)
    import numpy as np  # see _begins_each

    numbers = np.frombuffer(values)
    return float(numbers.min()), float(numbers.max())


@functools.lru_cache(maxsize=_MOST_COLUMNS)
def _decoder(names: tuple[str, ...]) -> msgspec.json.Decoder[msgspec.Struct] | None:
    """Return a decoder of objects that have numbers of these names and nothing else; None if there cannot be one.

    An absent name reads as nan, which JSON cannot contain; a null is refused.
    """
    fields = [(f"f{at}", float, math.nan) for at in range(len(names))]
    if len(names) > _MOST_COLUMNS:
        return None
    try:
        line = msgspec.defstruct(
            "Line",
            fields,
            rename={f"f{at}": name for at, name in enumerate(names)},
            forbid_unknown_fields=True,
            gc=False,
        )
    except ValueError:  # a name with a quote or a backslash
        return None
    return msgspec.json.Decoder(line)


def _written_whole(record: bytes) -> bool:
    """Return whether a record writes its position 0 as 0, not as 0.0."""
    return re.search(rb"(?<![\d.])0\.0+(?![\d])", record) is None
