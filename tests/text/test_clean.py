"""Nothing that a worker writes may reach the terminal as anything but visible text."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from lrtui.text.clean import clean, clean_lines


def _forbidden(char: str) -> bool:
    return unicodedata.category(char) in {"Cc", "Cs", "Zl", "Zp"} or (
        unicodedata.bidirectional(char)
        in {"LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI"}
        or char in "\u00ad\u061c\u180e\u200b\u200c\u200d\u200e\u200f\u2060\ufe0f\ufeff"
    )


HOSTILE = [
    "\x1b]52;c;aGk=\x07",
    "\x1b]8;;http://evil\x1b\\link\x1b]8;;\x1b\\",
    "\x1b[2J",
    "\x9b31m",
    "\u202egnp.exe",
    "\ud800",
    "a\rb",
    "\x1bP$q\x1b\\",
    "\x1b",
    "\x1b[",
    "\t" * 9000,
    "\x7f",
]


@given(
    st.text(st.characters(codec=None, categories=None) | st.sampled_from("\x1b[]\x07\x9b\r\n\t;m"))
)
@example("".join(HOSTILE))
def test_no_forbidden_character_ever_comes_out(text):
    out = clean(text)
    assert not [char for char in out if _forbidden(char)]
    assert len(out) <= 4096
    assert clean(out) == out


@given(st.binary())
def test_any_bytes_come_out_as_safe_text(data):
    assert not [char for char in clean(data) if _forbidden(char)]
    for line in clean_lines(data):
        assert not [char for char in line if _forbidden(char)]


@pytest.mark.parametrize(
    ("dirty", "shown"),
    [
        ("plain", "plain"),
        ("zwölf µs 学习率", "zwölf µs 学习率"),
        ("\x1b[31mred\x1b[0m", "red"),
        ("a\x1b]0;title\x07b", "ab"),
        ("a\x1b]52;c;aGVsbG8=\x1b\\b", "ab"),
        ("a\x1b]never ended", "a"),
        ("a\x1bP+q\x1b\\b\x1b_x\x1b\\c", "abc"),
        (b" 10%|#   |\r 20%|##  |", " 20%|##  |"),
        ("r01 failed: \rall is well", "r01 failed:  all is well"),
        ("dos line\r\n", "dos line"),
        ("two\nlines", "two lines"),
        ("a\tb", "a       b"),
        ("bell\x07 null\x00", "bell\ufffd null\ufffd"),
        ("safe\u202eexe", "safe\ufffdexe"),
        ("[/] [@click=app.quit]x", "[/] [@click=app.quit]x"),
        (b"\xff\xfe", "\ufffd\ufffd"),
        (b"x\x9b31m", "x\ufffd31m"),
    ],
)
def test_clean_shows(dirty, shown):
    assert clean(dirty) == shown


def test_a_megabyte_is_cut_and_fast():
    assert len(clean(b"x" * (1 << 20))) == 4096
    assert clean("\x1b[" * 500_000) == ""
    assert len(clean("\t" * (1 << 20), 100)) == 100


def test_clean_lines_keeps_a_half_last_line_and_folds_progress_bars():
    assert clean_lines(b"one\n\r 1%\r 2%\nhalf") == ["one", " 2%", "half"]
    assert clean_lines(b"") == []
    assert clean_lines(b"a\n\n") == ["a", ""]
