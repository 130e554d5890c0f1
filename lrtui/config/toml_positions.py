"""Finds the position of each key and value in a TOML text, so that a fault can be shown there.

The parser (`text/toml.py`) parses; this module only locates, and only in text that it accepts (for other text it returns the
positions found so far). `toml_reader` calls `locate(text)` once and then looks up paths, which are
tuples of keys and array positions: ("lr", 2) is the third value of lr, ("optimizer", "sgd", "momentum") an option,
whether it was written dotted, in an inline table or under a [header].
"""

from __future__ import annotations

import re
from bisect import bisect_right
from dataclasses import dataclass, field

Path = tuple[str | int, ...]

DEPTH = 32
"""Deeper values are not recorded: no key of an experiment is that deep, and their paths would take quadratic memory."""


@dataclass(frozen=True, slots=True)
class Span:
    """A piece of the text."""

    line: int
    """1-based."""
    column: int
    """1-based, in characters."""
    length: int
    """Characters on its first line: what a row of carets underlines."""
    start: int
    """Offset in the text."""
    end: int
    """Offset in the text after the last character, which may be on a later line."""


@dataclass(frozen=True, slots=True)
class Places:
    """The positions of all keys and values of one text."""

    keys: dict[Path, Span] = field(default_factory=dict)
    """The last part of the key where it is first written: b of `a.b = 1` for ("a", "b"). Array elements have none, but
    those of [[a]] have their header's."""
    values: dict[Path, Span] = field(default_factory=dict)
    """The value after the `=` or in the array. Tables of a [header] or of dotted keys have none."""
    top: int = 0
    """Offset after the last `key = value` above all headers; 0 if there is none."""

    def key(self, path: Path) -> Span | None:
        """Return the position of the key of `path`, else of its value, else of the nearest enclosing key."""
        return self._nearest(path, self.keys, self.values)

    def value(self, path: Path) -> Span | None:
        """Return the position of the value of `path`, else of its key, else of the nearest enclosing key."""
        return self._nearest(path, self.values, self.keys)

    @staticmethod
    def _nearest(path: Path, first: dict[Path, Span], second: dict[Path, Span]) -> Span | None:
        for length in range(min(len(path), DEPTH), 0, -1):
            found = first.get(path[:length]) or second.get(path[:length])
            if found:
                return found
        return None


def locate(text: str) -> Places:
    """Return the positions of all keys and values of `text`. Never raises on text that is TOML."""
    return _Scanner(text).scan()


_BASIC_LONG = re.compile(r'"""(?:[^"\\]++|\\.|"{1,2}(?!"))*+"{3,5}', re.DOTALL)
_LITERAL_LONG = re.compile(r"'''(?:[^']++|'{1,2}(?!'))*+'{3,5}")
_BASIC = re.compile(r'"(?:[^"\\\n]++|\\.)*+"')
_LITERAL = re.compile(r"'[^'\n]*+'")
_PLAIN = re.compile(r"\d{4}-\d\d-\d\d [\d:.]+(?:[Zz]|[+-][\d:]+)?|[^\s,\]}#]+")
_BARE = re.compile(r"[A-Za-z0-9_-]+")
_SPACE = re.compile(r"[ \t]*+")
_BLANK = re.compile(r"(?:[ \t\r\n]++|#[^\n]*+)*+")
_ESCAPE = re.compile(r'\\(?:x([0-9A-Fa-f]{2})|u([0-9A-Fa-f]{4})|U([0-9A-Fa-f]{8})|([btnfre"\\]))')
_ESCAPED = {
    "b": "\b",
    "t": "\t",
    "n": "\n",
    "f": "\f",
    "r": "\r",
    "e": "\x1b",
    '"': '"',
    "\\": "\\",
}


@dataclass(slots=True)
class _Open:
    """An array or inline table that is being read."""

    path: Path
    start: int
    items: int = -1
    """Elements so far; -1 for an inline table."""


class _Scanner:
    """Reads a text once, from start to end, without recursion."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0
        self.places = Places()
        self.top = 0
        self.tables: dict[Path, int] = {}
        """The number of [[headers]] of each array of tables so far."""
        self.starts = [0, *(match.end() for match in re.finditer("\n", text))]

    def scan(self) -> Places:
        table: Path = ()
        above = True
        try:
            while self._skip(_BLANK) < len(self.text):
                if self.text[self.at] == "[":
                    table, above = self._header(), False
                else:
                    self._statement(table)
                    if above:
                        self.top = self.at
        except _NotTomlError:
            pass
        return Places(self.places.keys, self.places.values, self.top)

    def _header(self) -> Path:
        array = self.text.startswith("[[", self.at)
        self.at += 2 if array else 1
        path: Path = ()
        parts = self._key_parts()
        for i, (part, start, end) in enumerate(parts):
            path = (*path, part)[: DEPTH + 1]
            self._note(self.places.keys, path, start, end)
            if array and i == len(parts) - 1:
                self.tables[path] = self.tables.get(path, -1) + 1
            if path in self.tables:
                path = (*path, self.tables[path])
                self._note(self.places.keys, path, start, end)
        self._expect("]]" if array else "]")
        return path

    def _statement(self, table: Path) -> None:
        """Read `key = value` and note every part of the key and all of the value."""
        self._value(self._key(table))

    def _key(self, table: Path) -> Path:
        path = table
        for part, start, end in self._key_parts():
            path = (*path, part)[: DEPTH + 1]
            self._note(self.places.keys, path, start, end)
        self._expect("=")
        return path

    def _key_parts(self) -> list[tuple[str, int, int]]:
        """Read a dotted key; return each part unquoted, with its offsets (quotes included)."""
        parts = []
        while True:
            start = self._skip(_SPACE)
            quote = self.text[start : start + 1]
            pattern = {'"': _BASIC, "'": _LITERAL}.get(quote, _BARE)
            end = self._skip(pattern)
            if end == start:
                raise _NotTomlError
            raw = self.text[start:end]
            name = _unescape(raw[1:-1]) if quote == '"' else raw.strip("'") if quote == "'" else raw
            parts.append((name, start, end))
            if not self.text.startswith(".", self._skip(_SPACE)):
                return parts
            self.at += 1

    def _value(self, path: Path) -> None:
        """Read a value; open arrays and inline tables are kept in a list, not on the call stack."""
        stack: list[_Open] = []
        while True:
            start = self._skip(_BLANK)
            mark = self.text[start : start + 1]
            if mark in ("[", "{") and mark:
                self.at += 1
                stack.append(_Open(path, start, 0 if mark == "[" else -1))
            else:
                self._scalar(path, start)
            path = self._next(stack)
            if not stack:
                return

    def _next(self, stack: list[_Open]) -> Path:
        """Close the arrays and tables that end here; return the path of the next value, () if none is open."""
        while stack:
            inner = stack[-1]
            self._skip(_BLANK)
            if self.text.startswith(",", self.at):
                self.at += 1
                self._skip(_BLANK)
            if self.text[self.at : self.at + 1] in ("]", "}"):
                self.at += 1
                self._note(self.places.values, inner.path, inner.start, self.at)
                stack.pop()
            elif inner.items < 0:
                return self._key(inner.path)
            else:
                inner.items += 1
                return (*inner.path, inner.items - 1)[: DEPTH + 1]
        return ()

    def _scalar(self, path: Path, start: int) -> None:
        strings = (p for quotes, p in _STRINGS if self.text.startswith(quotes, start))
        pattern = next(strings, _PLAIN)
        if self._skip(pattern) == start:
            raise _NotTomlError
        self._note(self.places.values, path, start, self.at)

    def _note(self, spans: dict[Path, Span], path: Path, start: int, end: int) -> None:
        if len(path) > DEPTH or path in spans:
            return
        line = bisect_right(self.starts, start)
        column = start - self.starts[line - 1] + 1
        stop = self.text.find("\n", start, end)
        length = (end if stop < 0 else stop) - start
        spans[path] = Span(line, column, max(1, length), start, end)

    def _skip(self, pattern: re.Pattern[str]) -> int:
        """Skip `pattern` if it matches here; return the new offset."""
        match = pattern.match(self.text, self.at)
        if match:
            self.at = match.end()
        return self.at

    def _expect(self, mark: str) -> None:
        if not self.text.startswith(mark, self._skip(_SPACE)):
            raise _NotTomlError
        self.at += len(mark)


class _NotTomlError(Exception):
    """The text is not TOML from here on."""


_STRINGS = (('"""', _BASIC_LONG), ("'''", _LITERAL_LONG), ('"', _BASIC), ("'", _LITERAL))


def _unescape(text: str) -> str:
    return _ESCAPE.sub(_character, text)


def _character(match: re.Match[str]) -> str:
    code = match[1] or match[2] or match[3]
    return chr(int(code, 16)) if code else _ESCAPED[match[4]]
