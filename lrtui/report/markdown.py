"""report.md: the blocks of the report in Markdown that reads as plain text too."""

from __future__ import annotations

import re
from typing import Any

from lrtui.report.blocks import (
    Answer,
    Block,
    Bullets,
    Chart,
    Code,
    Heading,
    Paragraph,
    Table,
    document,
)
from lrtui.text.clean import clean


def markdown(made: dict[str, Any]) -> str:
    """Return the report for people, from what `content` returned."""
    lines = [f"# {_escape(made['experiment'])}", ""]
    for block in document(made):
        lines += _lines(block)
    return "\n".join(lines)


def _lines(block: Block) -> list[str]:
    match block:
        case Heading(text, level):
            return [f"{'#' * level} {_escape(text)}", ""]
        case Answer(headline, facts, _):
            told = [f"- {_escape(name)}: {_escape(value)}" for name, value in facts]
            return [f"**{_escape(headline)}**", "", *told, *([""] if told else [])]
        case Paragraph(text):
            return [_escape(text), ""]
        case Bullets(items):
            return [*(f"- {_escape(item)}" for item in items), ""] if items else []
        case Code(label, lines):
            return [
                f"{_escape(label)}:",
                "",
                *(f"    {clean(line)}".rstrip() for line in lines),
                "",
            ]
        case Table():
            return _table(block)
        case Chart():
            return []


def _table(table: Table) -> list[str]:
    if not any(table.head):
        return [*(f"- {_escape(name)}: {_escape(value)}" for name, value in table.rows), ""]
    rule = "|" + "".join(" ---: |" if name in table.figures else " --- |" for name in table.head)
    rows = [
        _cells([f"**{cell}**" if i in table.marked and n == 0 and cell else cell for n, cell in enumerate(map(_escape, row))])
        for i, row in enumerate(table.rows)
    ]  # fmt: skip
    return [_cells([_escape(name) for name in table.head]), rule, *rows, ""]


def _cells(cells: list[str]) -> str:
    return "| " + " | ".join(cells) + " |"


_SPECIAL = re.compile(
    r"([\\`*\[\]<>|~#&!$])|(?<![A-Za-z0-9])_|_(?![A-Za-z0-9])|(?<=:)(?=//)|(?<=www)(?=\.)"
)


def _escape(value: Any) -> str:
    """Return text that Markdown shows as it is: no link, image, HTML, heading or further cell comes of it."""
    return _SPECIAL.sub(lambda match: "\\" + match[0], clean(str(value), 1000))
