"""Stores what the monitor remembers between visits: the view of each experiment, and the user's preferences.

It is under $XDG_STATE_HOME/lrtui (usually ~/.local/state/lrtui), never in the experiment directory, which may belong to another
user. Files are small, few and private (0600); an unreadable or invalid one counts as missing, and an unwritable home is ignored.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec
import platformdirs
from msgspec import Meta, Struct

from lrtui.sweep.files import read_untrusted, write_atomic
from lrtui.sweep.layout import Layout
from lrtui.tui.view_model import Pane, View

MOST_VIEWS = 200
"""The number of stored views; the oldest are deleted."""
_OF_RUNS = ("hidden", "pinned", "filter", "pane", "chosen", "test")
"""The fields that only apply to the same runs; a recreated directory has different ones."""
_Name = Annotated[str, Meta(max_length=200)]
_Run = Annotated[str, Meta(max_length=40)]


class Kept(Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """The view of one experiment; the field names are those of `View`."""

    born: int
    """The creation time of the experiment's frozen file: nanoseconds since 1970."""
    theme: _Name = ""
    metric: _Name = ""
    axis: Annotated[int, Meta(ge=0, le=1000)] = 0
    smooth: bool = False
    weight: Annotated[float, Meta(ge=0, lt=1)] = 0.6
    log_y: bool = False
    sort: Literal["rank", "lr", "progress", "state"] = "rank"
    reverse: bool = False
    hidden: Annotated[list[_Run], Meta(max_length=1000)] = []
    pinned: _Run = ""
    pane: Pane = "charts"
    chosen: bool = False
    charts: Literal[1, 2, 4] = 2
    filter: _Name = ""
    test: _Run = ""


class Preferences(Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """The preferences for all experiments."""

    hinted: bool = False
    """Whether the first-use hint was shown."""
    theme: _Name = ""
    """The last chosen theme, used for experiments without a stored view."""


class ViewStore:
    """The stored view and preferences for one experiment."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        key = hashlib.sha256(os.fsencode(os.path.realpath(directory))).hexdigest()[:24]
        self._file = folder() / "views" / f"{key}.json"
        self._preferences_file = folder() / "monitor.json"
        self.preferences: Preferences = _read(self._preferences_file, Preferences) or Preferences()

    def view(self) -> tuple[View, str]:
        """Return the stored view and theme; the defaults if nothing is stored."""
        kept: Kept | None = _read(self._file, Kept)
        if kept is None:
            return View(), self.preferences.theme
        same = kept.born == self._born()
        names = set(View.__struct_fields__) & set(Kept.__struct_fields__)
        found: dict[str, Any] = {
            name: getattr(kept, name) for name in names if same or name not in _OF_RUNS
        }
        if "hidden" in found:
            found["hidden"] = frozenset(found["hidden"])
        return View(**found), kept.theme

    def keep(self, view: View, theme: str) -> None:
        """Store a view without the fields that `Kept` does not allow (such as a very long filter)."""
        kept: dict[str, Any] = {"born": self._born(), "theme": theme}
        for name in Kept.__struct_fields__[2:]:
            value = getattr(view, name)
            kept[name] = sorted(value) if name == "hidden" else value
            with contextlib.suppress(msgspec.ValidationError):
                msgspec.convert(kept, Kept)
                continue
            del kept[name]
        _write(self._file, msgspec.json.encode(msgspec.convert(kept, Kept)))
        if theme != self.preferences.theme:
            self.prefer(theme=theme)
        self._forget()

    def prefer(self, **changes: Any) -> None:
        """Store a preference."""
        self.preferences = msgspec.structs.replace(self.preferences, **changes)
        _write(self._preferences_file, msgspec.json.encode(self.preferences))

    def _born(self) -> int:
        try:
            return Layout(self._directory).experiment.stat().st_mtime_ns
        except OSError:
            return 0

    def _forget(self) -> None:
        with contextlib.suppress(OSError):
            files = [(entry.stat().st_mtime_ns, entry.path) for entry in os.scandir(self._file.parent)]  # fmt: skip
            for _, path in sorted(files)[:-MOST_VIEWS]:
                os.unlink(path)


def folder() -> Path:
    """Return where the user's state is kept."""
    return platformdirs.user_state_path("lrtui")


def _read(file: Path, kind: Any) -> Any:
    try:
        return msgspec.json.decode(read_untrusted(file), type=kind)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None


def _write(file: Path, content: bytes) -> None:
    with contextlib.suppress(OSError):
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        write_atomic(file, content)
