"""The report: the verdict, its evidence, and how to reproduce it, as Markdown, JSON, HTML, CSV, SVG and PNG.

The verb and the ending supervisor call `write`. `content` gathers everything once, as a `Report` (`model`); each format is made
from that: `json_form` makes report.json, `document` lays it out for people, `markdown` and `html` render it, `csv_tables` makes the
CSV files, `figures` draws. Every file is written whole or not at all.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from lrtui.errors import MachineError
from lrtui.report import csv_tables
from lrtui.report.content import content
from lrtui.report.json_form import as_json
from lrtui.report.markdown import markdown
from lrtui.report.model import VERSION, Report
from lrtui.sweep.files import write_atomic
from lrtui.sweep.layout import Layout
from lrtui.text.install import install

if TYPE_CHECKING:
    from pathlib import Path

    from lrtui.frontend.snapshot import Snapshot

__all__ = [
    "DRAWN",
    "FORMATS",
    "USUAL",
    "VERSION",
    "Report",
    "Written",
    "content",
    "markdown",
    "write",
]

USUAL = ("md", "json", "html", "csv")
"""The formats written by default."""
FORMATS = (*USUAL, "svg", "png")
DRAWN = frozenset({"html", "svg", "png"})
"""The formats with charts."""
_TITLES = {
    "sensitivity": "final value against the learning rate",
    "curves": "value over the training",
    "study": "the best learning rate of each level",
    "ranges": "range test: loss against the learning rate",
}


@dataclass(frozen=True, slots=True)
class Written:
    """The result of `write`."""

    paths: tuple[Path, ...]
    missing: str = ""
    """Why the formats with charts were left out, and what to do; "" if they were not."""


def write(directory: Path, snapshot: Snapshot, formats: Collection[str] = USUAL) -> Written:
    """Write the report into an experiment directory, in the given formats.

    Without matplotlib the formats with charts are left out, and `missing` says so.

    Raises:
        MachineError: the directory cannot be written.

    """
    made = content(snapshot)
    layout = Layout(directory)
    plain: dict[str, Callable[[], dict[Path, str]]] = {
        "md": lambda: {layout.report_md: markdown(made)},
        "json": lambda: {layout.report_json: as_json(made)},
        "csv": lambda: {
            layout.report_csv: csv_tables.runs(made),
            layout.curves_csv: csv_tables.curves(made),
        },
    }
    paths: list[Path] = []
    missing = ""
    try:
        for form in FORMATS:
            if form in plain and form in formats:
                for path, text in plain[form]().items():
                    write_atomic(path, text.encode())
                    paths.append(path)
        drawn = DRAWN & set(formats)
        try:
            for path, data in _charted(layout, made, drawn) if drawn else ():
                write_atomic(path, data)
                paths.append(path)
        except ModuleNotFoundError as error:
            if not (error.name or "").startswith("matplotlib"):
                raise
            names = ", ".join(form for form in FORMATS if form in drawn)
            missing = (
                f"no charts, so no {names}: matplotlib is not installed here; {install('report')}"
            )
    except OSError as error:
        raise MachineError(
            f"the report cannot be written ({error.strerror})",
            str(directory),
            "copy the directory to a place that you may write, and report there",
        ) from error
    return Written(tuple(paths), missing)


def _charted(layout: Layout, made: Report, forms: Collection[str]) -> Iterator[tuple[Path, bytes]]:
    """Yield the files with charts.

    Raises:
        ModuleNotFoundError: matplotlib is not installed.

    """
    logging.getLogger("matplotlib").setLevel(
        logging.ERROR
    )  # it prints a message about its cache during the import
    from lrtui.report import figures  # half a second, most of it matplotlib
    from lrtui.report.html import html

    with figures.style():
        charts = figures.draw(made)
        for name, figure in charts.items():
            if "svg" in forms:
                yield (
                    layout.chart(name, "svg"),
                    figures.svg(figure, name, _title(made, name)).encode(),
                )
            if "png" in forms:
                yield layout.chart(name, "png"), figures.png(figure)
        if "html" in forms:
            shown = {
                name: figures.inline(figure, name, _title(made, name))
                for name, figure in charts.items()
            }
            yield layout.report_html, html(made, shown).encode()


def _title(made: Report, name: str) -> str:
    return f"{made.experiment}, {made.metric}: {_TITLES[name]}"
