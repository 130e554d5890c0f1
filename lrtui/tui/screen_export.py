"""The export of key `w`: the charts as PNG, the screen as SVG and text, and the listed runs as CSV.

The files go to `exports/` in the experiment directory or, if that is not writable, below the current folder. Called in a thread. The PNG
is drawn by a separate process, to keep matplotlib out of the monitor (`lrtui/report/figures/screen_charts.py`).
"""

from __future__ import annotations

import csv
import html
import io
import os
import re
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
from rich.cells import cell_len

from lrtui.sweep.files import write_atomic
from lrtui.text.clean import clean
from lrtui.text.format import lr_text
from lrtui.text.install import install
from lrtui.tui import styled_text
from lrtui.tui.panels.leaderboard import ordered

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lrtui.tui.charts.plot import Picture
    from lrtui.tui.themes import Theme
    from lrtui.tui.view_model import ViewModel

_COLUMNS = ("rank", "runs", "lr", "optimizer", "schedule", "values", "state", "level")
DRAW_SECONDS = 60.0
"""Timeout of the drawing, which usually takes one or two seconds."""
_MEASURED = ("value", "value_at", "se", "best", "best_at", "val_loss", "latest", "why")


_TEXT = re.compile(
    r'<text ([^>]*?)x="([\d.]+)"([^>]*?) textLength="([\d.]+)"([^>]*)>([^<]*)</text>'
)
_WORD = re.compile(r"[\u2800-\u28ff]|[^\s\xa0\u2800-\u28ff]+")


@dataclass(frozen=True, slots=True)
class Written:
    """The result of an export."""

    folder: Path
    missing: str = ""
    """Why there is no PNG of the charts; "" if there is one."""

    def __str__(self) -> str:
        shown = min(str(self.folder), os.path.relpath(self.folder), key=len)
        if self.missing:
            return f"exported: {shown}/screen.svg; no PNG: {self.missing}"
        return f"exported: {shown}/charts.png, and SVG, text, CSV beside it"


def write(
    directory: Path | None,
    model: ViewModel,
    screen: tuple[str, str],
    pictures: Sequence[Picture],
    theme: Theme,
) -> Written:
    """Write the screen as (text, SVG), the pictures as one PNG, and the runs into a new folder, for a directory of None below the current folder.

    Raises:
        OSError: neither place is writable.

    """
    folder = _folder(directory)
    text, svg = screen
    write_atomic(folder / "screen.txt", text.encode())
    write_atomic(folder / "screen.svg", placed(svg).encode())
    write_atomic(folder / "runs.csv", table(model).encode())
    png, missing = _drawn(model, pictures, theme) if pictures else (b"", "there is no chart")
    if png:
        write_atomic(folder / "charts.png", png)
    return Written(folder, missing)


def placed(svg: str) -> str:
    """Return the SVG of a screen with a place for each word and each braille cell: few programs but browsers obey `textLength`."""

    def words(text: re.Match[str]) -> str:
        before, x, between, length, after, content = text.groups()
        content = html.unescape(content)
        cell = float(length) / max(1, cell_len(content))
        return "".join(
            f'<text {before}x="{float(x) + cell * cell_len(content[: word.start()]):.1f}"{between} '
            f'textLength="{cell * cell_len(word[0]):.1f}"{after}>{html.escape(word[0])}</text>'
            for word in _WORD.finditer(content)
        )

    return _TEXT.sub(words, svg)


def _drawn(model: ViewModel, pictures: Sequence[Picture], theme: Theme) -> tuple[bytes, str]:
    """Return the charts as PNG, or b"" and the reason."""
    names = {"ink": styled_text.TEXT, "faint": styled_text.FAINT, "rule": styled_text.RULE}
    seen = {
        "title": _title(model),
        "ground": theme.ground,
        **{name: theme.colour(colour) for name, colour in names.items()},
        "pictures": [
            _worn(msgspec.to_builtins(picture, enc_hook=list), theme) for picture in pictures
        ],
    }
    content = msgspec.json.encode(seen, enc_hook=list)  # NaN becomes null, an array a list
    command = [sys.executable, "-m", "lrtui.report.figures.screen_charts"]
    try:
        done = subprocess.run(
            command, input=content, capture_output=True, check=False, timeout=DRAW_SECONDS
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return b"", clean(str(error), 200)
    if done.returncode == 0 and done.stdout:
        return done.stdout, ""
    lines = done.stderr.decode(errors="replace").strip().splitlines() or ["it ended without output"]
    if "No module named 'matplotlib" in lines[-1]:
        return b"", f"matplotlib is not installed; run: {install('report')}"
    return b"", clean(lines[-1], 200)


def _title(model: ViewModel) -> str:
    plan = model.snapshot.sweep.plan if model.snapshot else None
    smoothed = f", smoothed {model.view.weight:g}" if model.view.smooth else ""
    return f"{clean(plan.name, 80)}{smoothed}" if plan else ""


def _worn(picture: Any, theme: Theme) -> Any:
    """Return a picture in a theme's colours."""
    if isinstance(picture, dict):
        return {
            name: theme.colour(value) if name == "colour" else _worn(value, theme)
            for name, value in picture.items()
            if name != "legend"
        } | (
            {"legend": [(text, theme.colour(colour)) for text, colour in picture["legend"]]}
            if "legend" in picture
            else {}
        )
    if isinstance(picture, tuple) and picture and isinstance(picture[0], dict):
        return [_worn(each, theme) for each in picture]
    return picture


def table(model: ViewModel) -> str:
    """Return the runs of the leaderboard as CSV, in its order."""
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow([*_COLUMNS, *_MEASURED])
    for row in ordered(model):
        setting = row.setting
        values = " ".join(f"{name}={value}" for name, value in setting.named.items())
        known = (row.rank, " ".join(row.runs), lr_text(row.lr), setting.optimizer, setting.schedule)
        measured = (getattr(row, name) for name in _MEASURED)
        cells = (*known, values, row.state, row.level, *measured)
        writer.writerow(["" if cell is None else _harmless(cell) for cell in cells])
    return out.getvalue()


def _harmless(cell: object) -> object:
    """Return text that a spreadsheet does not take for a formula."""
    return f"'{cell}" if isinstance(cell, str) and cell[:1] in ("=", "+", "-", "@") else cell


def _folder(directory: Path | None) -> Path:
    name = time.strftime("%Y%m%d-%H%M%S")
    inside = [directory / "exports"] if directory is not None else []
    for place in (*inside, Path("lrtui-exports")):
        try:
            place.mkdir(mode=0o700, exist_ok=True)
            return _new(place / name)
        except OSError as error:
            trouble = error
    raise trouble


def _new(folder: Path) -> Path:
    number = 1
    while True:
        try:
            made = folder if number == 1 else folder.with_name(f"{folder.name}-{number}")
            os.mkdir(made, 0o700)
        except FileExistsError:
            number += 1
        else:
            return made
