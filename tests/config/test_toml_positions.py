"""Positions of keys and values: what a user sees underlined."""

import tomllib

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from lrtui.config.toml_positions import DEPTH, locate
from lrtui.text import toml


def spelled(text, path):
    places = locate(text)
    span = places.values.get(path) or places.keys[path]
    return text[span.start : span.end]


def at(text, path):
    span = locate(text).values[path]
    return span.line, span.column, span.length


def test_a_value_is_found_behind_its_key():
    assert at("a = 1\nlr  = 1e-3 # why\n", ("lr",)) == (2, 7, 4)


def test_each_element_of_an_array_over_several_lines_has_its_own_place():
    text = "lr = [ # four\n  1e-1, 625e-5,\n\t1e-3, # 3e-4\n]\n"
    assert at(text, ("lr", 1)) == (2, 9, 6)
    assert at(text, ("lr", 2)) == (3, 2, 4)
    assert at(text, ("lr",)) == (1, 6, 8)  # the carets underline its first line alone


def test_options_have_places_however_they_are_written():
    path = ("optimizer", "sgd", "momentum")
    assert at("optimizer = { sgd = { momentum = 0.9 } }", path) == (1, 34, 3)
    assert at("optimizer.sgd.momentum = 0.9", path) == (1, 26, 3)
    assert at("[optimizer.sgd]\nmomentum = 0.9", path) == (2, 12, 3)
    assert at("[optimizer]\nsgd.'momentum' = 0.9", path) == (2, 18, 3)


def test_a_key_is_underlined_with_its_quotes():
    span = locate('"l\\u0072" = 1').keys["lr",]
    assert (span.line, span.column, span.length) == (1, 1, 9)


def test_arrays_of_tables_count_their_headers():
    text = "[[run]]\na = 1\n[[run]]\na = 2\n[run.sub]\nb = 3\n"
    assert at(text, ("run", 1, "a")) == (4, 5, 1)
    assert at(text, ("run", 1, "sub", "b")) == (6, 5, 1)


def test_strings_may_hold_anything_that_looks_like_toml():
    text = 'a = "x = [1] # \\" y"\nb = \'\'\'\n[b]\nc = 1\n\'\'\'\'\nd = """\\""""""\ne = 5\n'
    assert tomllib.loads(text)["e"] == 5
    assert at(text, ("e",)) == (7, 5, 1)
    assert ("c",) not in locate(text).values


TOML_11 = """
lr = {
  grid = 8,  # with a comment
  from = 1e-5,
  to = 1e-1,
}
"\\x61\\e" = 07:32
"""


def test_tables_over_several_lines_have_places():
    """TOML 1.1: line breaks and a last comma in a table, \\x and \\e in a string, times without seconds."""
    assert at(TOML_11, ("lr",)) == (2, 6, 1)
    assert at(TOML_11, ("lr", "from")) == (4, 10, 4)
    assert at(TOML_11, ("a\x1b",)) == (7, 12, 5)
    pytest.importorskip("tomli")
    assert toml.loads(TOML_11)["lr"] == {"grid": 8, "from": 1e-5, "to": 1e-1}


def test_a_missing_path_is_shown_at_the_nearest_thing_around_it():
    places = locate("lr = { grid = 8 }")
    assert places.value(("lr", "from")) == places.values["lr",]
    assert places.key(("lr", "grid")) == places.keys["lr", "grid"]
    assert places.key(("seeds",)) is None
    assert places.value(()) is None


def test_columns_count_characters_not_bytes():
    assert at('"ä" = 1\n"ö" = { "ü" = 2 }', ("ö", "ü")) == (2, 15, 1)


def test_windows_line_ends_do_not_move_anything():
    assert at("a = 1\r\nlr = [\r\n1e-3,\r\n2]\r\n", ("lr", 1)) == (4, 1, 1)


def test_depth_is_bounded_and_its_surroundings_keep_their_places():
    text = "a = " + "[" * 200 + "1" + "]" * 200 + "\nb = 2\n"
    places = locate(text)
    assert at(text, ("b",)) == (2, 5, 1)
    assert max(map(len, places.values)) == DEPTH


# Documents with known positions: the text is written piece by piece, and what was written where is kept.

PLAIN = st.sampled_from(
    [
        *("1", "-1e-3", "+0.5", "inf", "nan", "0x1f", "true", "''", "'x = 1'"),
        *("1979-05-27", "1979-05-27 07:32:00", "07:32:00", '""', '"a # b"', '"\\"]"'),
        *("'''\n'''", '"""a\n"b" \\""""', '""""""', "''''a''''"),
    ]
)
BARE = st.text("abcXYZ019_-", min_size=1, max_size=4)
QUOTED = st.one_of(
    st.text("ab .#='[]é", max_size=4).map(lambda s: f'"{s}"'),
    st.text('ab .#="[]é', max_size=4).map(lambda s: f"'{s}'"),
    st.just('"\\u0041\\n"'),
)
BLANKS = st.sampled_from(["", " ", "  ", "\t"])
LINES = st.sampled_from(["", " ", "\n", "\r\n", " # ] } x = 1\n", "\n\n"])


class Writer:
    """Builds a document and remembers where each path was written."""

    def __init__(self, draw):
        self.draw = draw
        self.text = ""
        self.keys = {}
        self.values = {}

    def write(self, text):
        start = len(self.text)
        self.text += text
        return start, len(self.text)

    def key(self, path, taken):
        """Write a key that is not taken; return its path."""
        raw = self.draw(st.one_of(BARE, QUOTED))
        name = next(iter(tomllib.loads(f"{raw} = 1")))
        if name in taken:
            return None
        taken.add(name)
        self.write(self.draw(BLANKS))
        self.keys[*path, name] = self.write(raw)
        self.write(self.draw(BLANKS))
        return (*path, name)

    def dotted(self, path, taken):
        """Write a key of one part, or of two under a name of its own; return the path."""
        path = self.key(path, taken)
        if path and self.draw(st.booleans()):
            self.write(".")
            path = self.key(path, set())
        return path

    def value(self, path, depth):
        kind = (
            self.draw(st.sampled_from(["plain", "plain", "array", "table"])) if depth else "plain"
        )
        start = len(self.text)
        if kind == "plain":
            self.write(self.draw(PLAIN))
        elif kind == "array":
            self.array(path, depth)
        else:
            self.table(path, depth)
        self.values[path] = (start, len(self.text))

    def array(self, path, depth):
        self.write("[")
        count = self.draw(st.integers(0, 3))
        for i in range(count):
            self.write(self.draw(LINES))
            self.value((*path, i), depth - 1)
            self.write(self.draw(LINES))
            if i < count - 1 or self.draw(st.booleans()):
                self.write(",")
        self.write(self.draw(LINES) + "]")

    def table(self, path, depth):
        self.write("{")
        taken = set()
        for i in range(self.draw(st.integers(0, 3))):
            mark = len(self.text)
            self.write("," if i else "")
            inner = self.dotted(path, taken)
            if inner is None:
                self.text = self.text[:mark]
                continue
            self.write("=" + self.draw(BLANKS))
            self.value(inner, depth - 1)
            self.write(self.draw(BLANKS))
        self.write("}")

    def statements(self, path, taken):
        for _ in range(self.draw(st.integers(0, 3))):
            self.write(self.draw(st.sampled_from(["", "\n", "# c = 1\n", "  "])))
            mark = len(self.text)
            inner = self.dotted(path, taken)
            if inner is None:
                self.text = self.text[:mark] + "\n"
                continue
            self.write("=" + self.draw(BLANKS))
            self.value(inner, 2)
            self.write(self.draw(st.sampled_from(["\n", " # x\n", "\r\n"])))


@st.composite
def documents(draw):
    writer = Writer(draw)
    taken = set()
    writer.statements((), taken)
    writer.text += "\n"
    for _ in range(draw(st.integers(0, 3))):
        many = draw(st.booleans())
        mark = len(writer.text)
        writer.write("[[" if many else "[")
        path = writer.dotted((), taken)
        if path is None:
            writer.text = writer.text[:mark]
            continue
        writer.write(("]]" if many else "]") + "\n")
        if many:
            writer.keys[*path, 0] = writer.keys[path]
            path = (*path, 0)
        writer.statements(path, set())
        writer.text += "\n"
    return writer


def place(text, start, end):
    """Line, column and first-line length of a piece, counted the slow way."""
    before = text[:start].split("\n")
    return len(before), len(before[-1]) + 1, max(1, len(text[start:end].split("\n")[0]))


@settings(max_examples=200, deadline=None)
@given(documents())
def test_every_key_and_value_of_any_document_is_where_it_was_written(writer):
    tomllib.loads(writer.text)
    places = locate(writer.text)
    for expected, found in ((writer.keys, places.keys), (writer.values, places.values)):
        got = {path: (at.start, at.end) for path, at in found.items()}
        assert got == expected
        for path, at in found.items():
            assert (at.line, at.column, at.length) == place(writer.text, *expected[path])


@settings(max_examples=300, deadline=None)
@given(st.text("a1=.\"'[]{}#, \n\r\\é-e", max_size=40))
@example('a = "\\')
@example("[[")
@example("a = '''")
@example("a.")
def test_no_text_makes_it_raise(text):
    locate(text)
