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
)
from lrtui.report.document import document, title
from lrtui.report.model import Report
from lrtui.text.clean import clean


def markdown(made: Report) -> str:
    """Return the report for people, from what `content` returned."""
    lines = [f"# {_escape(title(made))}", ""]
    for block in document(made):
        lines += _lines(block)
    return "\n".join(lines)


def _lines(block: Block) -> list[str]:
    match block:
        case Heading(text, level):
            return [f"{'#' * level} {_escape(text)}", ""]
        case Answer(headline, facts):
            told = [f"- {_escape_block(name)}: {_escape(value)}" for name, value in facts]
            return [_bold(_escape(headline)), "", *told, *([""] if told else [])]
        case Paragraph(text):
            return [_escape_block(text), ""]
        case Bullets(items):
            return [*(f"- {_escape_block(item)}" for item in items), ""] if items else []
        case Code(label, lines):
            return [
                f"{_escape_block(label)}:",
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
        return [*(f"- {_escape_block(name)}: {_escape(value)}" for name, value in table.rows), ""]
    rule = "|" + "".join(" ---: |" if name in table.figures else " --- |" for name in table.head)
    rows = [
        _cells([_bold(cell) if i in table.marked and n == 0 and cell else cell for n, cell in enumerate(map(_escape, row))])
        for i, row in enumerate(table.rows)
    ]  # fmt: skip
    return [_cells([_escape(name) for name in table.head]), rule, *rows, ""]


def _cells(cells: list[str]) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


_SPECIAL = re.compile(
    r"\\(?=[!-/:-@\[-`{-~]|$)|[`$]"  # a backslash that would escape; code; mathematics
    r"|[*~](?=\S)|(?<![A-Za-z0-9])_|_(?![A-Za-z0-9])"  # where emphasis may begin, and for _ also end
    r"|\](?=[(\[:])|<(?=[A-Za-z/!?])|&(?=#?\w+;)"  # links and images, HTML, entities
    r"|(?<=:)(?=//)|(?<=www)(?=\.)"  # addresses
)
_BLOCK = re.compile(r"^(?=[-+*=>#\[])|^\d{1,9}(?=[.)](?:\s|$))")
"""What would begin a block inside a block: a list, a quotation, a heading, a definition."""


def _escape(value: Any) -> str:
    """Return text that Markdown shows literally within a line, without links, images or HTML; escaped only where needed."""
    return _SPECIAL.sub(lambda match: "\\" + match[0], clean(str(value), 1000).strip())


def _escape_block(value: Any) -> str:
    """Return text that Markdown shows as it is where it begins a paragraph or an item of a list."""
    return _BLOCK.sub(r"\g<0>\\", _escape(value))


def _bold(escaped: str) -> str:
    """Return text in bold; an asterisk at its end is kept apart from the marks."""
    return f"**{escaped[:-1]}\\***" if escaped.endswith("*") else f"**{escaped}**"
