"""Chooses the reader of a file by its name, else by its first bytes."""

from __future__ import annotations

import os
from pathlib import Path

from lrtui.metrics.sources.csv_file import CsvFile
from lrtui.metrics.sources.json_lines import JsonLines
from lrtui.metrics.sources.source import Source, Start
from lrtui.metrics.sources.tensorboard import EventFile
from lrtui.metrics.sources.trainer_state import TrainerState
from lrtui.metrics.sources.wandb_file import WandbFile
from lrtui.sweep.files import open_regular

_CSV = (".csv", ".tsv")
_JSON = (".jsonl", ".ndjson")


def source_of(path: Path, start: Start | None = None) -> Source | None:
    """Return the reader of a file; None if neither its name nor its first bytes identify the format, or it is still empty."""
    name = path.name.lower()
    if name == "trainer_state.json":
        return TrainerState(path, start)
    if "tfevents" in name:
        return EventFile(path, start)
    if name.endswith(".wandb"):
        return WandbFile(path, start)
    if name.endswith(_CSV):
        return CsvFile(path, start)
    if name.endswith(_JSON):
        return JsonLines(path, start)
    head = _first_bytes(path)
    if head.lstrip()[:1] == b"{":
        return JsonLines(path, start)
    names, end, _ = head.decode("utf-8", "replace").removeprefix("\ufeff").partition("\n")
    is_text = names.rstrip().replace("\t", "").isprintable() and "\ufffd" not in names
    if end and is_text and any(separator in names for separator in ",;\t"):
        return CsvFile(path, start)
    return None


def _first_bytes(path: Path) -> bytes:
    try:
        fd = open_regular(path)
    except OSError:
        return b""
    try:
        return os.pread(fd, 4096, 0)
    except OSError:
        return b""
    finally:
        os.close(fd)
