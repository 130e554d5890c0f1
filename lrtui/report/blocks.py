"""The blocks of the report for people; `document` makes them, `markdown` and `html` render them.

Text in blocks is plain: each renderer escapes it.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Heading:
    """Begins a section."""

    text: str
    level: int = 2


@dataclass(frozen=True, slots=True)
class Answer:
    """The verdict, at the top of the page."""

    headline: str
    facts: tuple[tuple[str, str], ...]
    """(name, value), such as ("interval, 90 %", "2.6e-03..1.1e-02")."""
    provisional: bool
    failed: bool = False


@dataclass(frozen=True, slots=True)
class Paragraph:
    """A line of prose."""

    text: str


@dataclass(frozen=True, slots=True)
class Bullets:
    """A list of statements."""

    items: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Table:
    """Rows of cells; `marked` are the numbers of the rows that stand out."""

    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    figures: frozenset[str] = frozenset()
    """Columns of numbers, by their heads."""
    marked: frozenset[int] = frozenset()
    below: str = ""
    """The column of sentences; a page has them below their rows, in full at every width."""


@dataclass(frozen=True, slots=True)
class Code:
    """Lines to copy."""

    label: str
    lines: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Chart:
    """A place for one of `figures`' charts, by name; Markdown has none."""

    name: str
    caption: str


Block = Heading | Answer | Paragraph | Bullets | Table | Code | Chart
