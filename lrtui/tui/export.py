"""What `w` writes: the screen as picture and as text, and the runs that are listed as a table.

Into `exports/` of the experiment directory; where that cannot be written, below the present folder.
"""

from __future__ import annotations

import csv
import io
import os
import time
from pathlib import Path
from typing import TYPE_CHECKING

from lrtui.keeper import write_whole
from lrtui.sweep import lr_text
from lrtui.tui.panels.leaderboard import ordered

if TYPE_CHECKING:
    from lrtui.tui.scene import Scene

_COLUMNS = ("rank", "runs", "lr", "optimizer", "schedule", "values", "state", "level")
_MEASURED = ("value", "value_at", "se", "best", "best_at", "val_loss", "latest", "why")


def write(directory: Path, scene: Scene, text: str, picture: str) -> Path:
    """Write all of it into a new folder, and return that.

    Raises:
        OSError: neither place can be written.

    """
    folder = _folder(directory)
    write_whole(str(folder / "screen.txt"), text.encode())
    write_whole(str(folder / "screen.svg"), picture.encode())
    write_whole(str(folder / "runs.csv"), table(scene).encode())
    return folder


def table(scene: Scene) -> str:
    """Return the runs that the leaderboard lists, in its order, as CSV."""
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow([*_COLUMNS, *_MEASURED])
    for row in ordered(scene):
        setting = row.setting
        values = " ".join(f"{name}={value}" for name, value in setting.values.items())
        known = (row.rank, " ".join(row.runs), lr_text(row.lr), setting.optimizer, setting.schedule)
        measured = (getattr(row, name) for name in _MEASURED)
        cells = (*known, values, row.state, row.level, *measured)
        writer.writerow(["" if cell is None else _harmless(cell) for cell in cells])
    return out.getvalue()


def _harmless(cell: object) -> object:
    """Return text that no spreadsheet takes for a formula."""
    return f"'{cell}" if isinstance(cell, str) and cell[:1] in ("=", "+", "-", "@") else cell


def _folder(directory: Path) -> Path:
    name = time.strftime("%Y%m%d-%H%M%S")
    for place in (directory / "exports", Path("lrtui-exports")):
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
