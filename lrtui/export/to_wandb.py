"""To Weights & Biases: an offline run per run, as `wandb sync` uploads them; nothing is sent and no account is needed.

wandb's own offline mode starts a service, takes about a millisecond for a row, stamps everything with the present time and writes a
log to the home folder. So its records (wandb's protobuf classes) are written here, into the file that it would have made: a log in
the format of LevelDB, as `.wandb` files have been since 2020.
"""

from __future__ import annotations

import json
import math
import os
import re
import struct
import time
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

os.environ["WANDB_ERROR_REPORTING"] = "false"  # read while wandb is imported

import wandb
from wandb.proto import wandb_internal_pb2 as pb

from lrtui.export.names import Names

if TYPE_CHECKING:
    from lrtui.export.subject import ExportedRun, Subject

_HEAD = b":W&B" + struct.pack("<HB", 0xBEE1, 0)
_BLOCK = 1 << 15
_FRAME = struct.Struct("<IHB")
_FULL, _FIRST, _MIDDLE, _LAST = 1, 2, 3, 4
_MIN_CONSUMER = "0.70.0"
_FORBIDDEN = re.compile(r"[/\\#?%:]")
_LONGEST = 128
"""The longest name of a project or a group, in characters."""
_FAILED = frozenset({"failed", "diverged", "lost"})


class _Names(Names):
    """Keys that do not begin like wandb's own."""

    def shape(self, name: str) -> str:
        return f"metric{name}" if name.startswith("_") else name


def write(subject: Subject, folder: Path) -> int:
    """Write the runs; return the number of values."""
    names = _Names()
    value = names.of("lrtui/value")
    return sum(_run(subject, run, folder, names, value) for run in subject.runs)


def _run(subject: Subject, run: ExportedRun, folder: Path, names: Names, value: str) -> int:
    made = f"{zlib.crc32(f'{subject.name}{subject.opened}'.encode()):08x}-{run.run.id}"
    clock = time.strftime("%Y%m%d_%H%M%S", time.gmtime(run.started))
    path = folder / "wandb" / f"offline-run-{clock}-{made}" / f"run-{made}.wandb"
    path.parent.mkdir(parents=True, exist_ok=True)
    count = 0
    summary: dict[str, Any] = {}
    with path.open("xb") as file:
        log = _Log(file)
        version = pb.VersionInfo(producer=wandb.__version__, min_consumer=_MIN_CONSUMER)
        log.add(header=pb.HeaderRecord(version_info=version))
        log.add(run=_about(subject, run, made))
        for metric in _axes(subject):
            log.add(metric=metric)
        for row in subject.rows(run):
            values = {names.of(name): each for name, each in row.values.items()}
            values |= dict(subject.walk.beside(row))
            values |= {"_timestamp": row.wall, "_runtime": row.wall - run.started, "_step": row.at}
            items = [
                pb.HistoryItem(nested_key=[key], value_json=_json(each))
                for key, each in values.items()
            ]
            log.add(history=pb.HistoryRecord(item=items, step=pb.HistoryStep(num=row.at)))
            summary |= values
            count += len(row.values)
        summary |= {f"lrtui/{key}": fact for key, fact in run.facts().items()}
        summary[value] = run.told.value
        updates = [pb.SummaryItem(key=key, value_json=_json(each)) for key, each in summary.items()]
        log.add(summary=pb.SummaryRecord(update=updates))
        seconds = int((run.ended or run.started) - run.started)
        log.add(exit=pb.RunExitRecord(exit_code=int(run.state in _FAILED), runtime=seconds))
    return count


def _about(subject: Subject, run: ExportedRun, made: str) -> pb.RunRecord:
    config = {**run.settings, "lrtui": {"verdict": subject.verdict_facts()}}
    tags = [run.state]
    tags += ["recommended"] if run.recommended else []
    tags += ["range test"] if run.told.range_test else []
    sweep = _FORBIDDEN.sub("-", subject.name)[:_LONGEST] or "lrtui"
    record = pb.RunRecord(
        run_id=made,
        project=sweep,
        run_group=sweep,
        display_name=run.name,
        notes=subject.verdict_text(),
        tags=tags,
        config=pb.ConfigRecord(
            update=[pb.ConfigItem(key=key, value_json=_json(each)) for key, each in config.items()]
        ),
    )
    record.start_time.FromMilliseconds(int(run.started * 1000))
    return record


def _axes(subject: Subject) -> Iterator[pb.MetricRecord]:
    """Yield the records that make the experiment's unit the charts' axis, if steps are lengths times a factor."""
    steps, unit = subject.walk.steps, subject.plan.unit
    if not steps.own and steps.per_unit > 1:
        yield pb.MetricRecord(name=unit, options=pb.MetricOptions(defined=True))
        options = pb.MetricOptions(defined=True, step_sync=True)
        yield pb.MetricRecord(glob_name="*", step_metric=unit, options=options)


def _json(value: Any) -> str:
    """Return a value as wandb writes it, with bare NaN and Infinity."""
    if isinstance(value, float) and math.isfinite(value):
        return repr(value)
    return json.dumps(value)


class _Log:
    """Appends records to a `.wandb` file: in blocks of 32 KiB, each part with its checksum, length and kind."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self._at = len(_HEAD)
        self._num = 0
        file.write(_HEAD)

    def add(self, **what: Any) -> None:
        """Append one record, given by the name of its kind."""
        self._num += 1
        left: bytes = pb.Record(num=self._num, **what).SerializeToString()
        first = True
        while left or first:
            room = _BLOCK - self._at % _BLOCK
            if room < _FRAME.size:
                self._write(b"\0" * room)
                continue
            part, left = left[: room - _FRAME.size], left[room - _FRAME.size :]
            kind = (_FIRST if left else _FULL) if first else (_MIDDLE if left else _LAST)
            checksum = zlib.crc32(part, zlib.crc32(bytes([kind])))
            self._write(_FRAME.pack(checksum, len(part), kind) + part)
            first = False

    def _write(self, data: bytes) -> None:
        self._file.write(data)
        self._at += len(data)
