"""The hostile texts in every panel and screen of the monitor, on a real terminal: none of them sends it one control sequence."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from lrtui.text.clean import clean
from tests import recorded
from tests.hostile import sweep
from tests.hostile.texts import TEXTS
from tests.tui.terminal import CHILD, Terminal

STEERING = CHILD.replace("view_only=True", "view_only=False")
"""So that the questions are asked; none of them is answered."""
SEQUENCE = re.compile(
    r"\x1b[\]P_^X][^\x07\x1b\x9c]*(?:\x07|\x1b\\|\x9c)?"  # strings: OSC, DCS, APC, PM, SOS
    r"|\x1b\[[0-?]*[ -/]*[@-~]?"
    r"|\x1b[ -/]*[0-~]?"
    r"|[\x00-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u206f]"
)
DRAWING = re.compile(
    r"\x1b\[(?:[0-9]+;[0-9]+H|[0-9]+G)"
    r"|\x1b\[(?:0|(?:0;)?(?:[1-47];)*(?:[34]8;2;[0-9]+;[0-9]+;[0-9]+;?){0,2})m"
)
"""Where to write, and in which true colours; the colours of a text would be 31 or 38 without the rest."""
PAGE_UP = "\x1b[5~"
KEYS = (
    *"jjkl", *[PAGE_UP] * 8, "G", "g", "f", "\r", "G", "\x1b", "J", "G", "g", "\x1b", "m", "m", "M", "S", "r", "G", "g",
    "t", "t", "t", "\x1b", "v", "c", "c", "c", "y", "s", "1", "2", "4", "p", "O", "o", "o", "o", "o",
    "G", "\r", "l", "?", "\x1b", "\x10", "\x1b", "K", "\x1b", "e", "\x1b", "n", "\x1b", "/", "a\r", "\x1b",
)  # fmt: skip
SIZES = [(160, 45), (80, 24)]


def sent_through_all(directory: Path, size: tuple[int, int]) -> tuple[set[str], str]:
    """Return the control sequences that the monitor sent in all of its panels, and all that could be read on its screens."""
    screens = []
    with Terminal(directory, *size, STEERING) as terminal:
        terminal.shows("val_acc")
        for key in KEYS:
            terminal.press(key)
            terminal.rest()
            screens.append(terminal.text)
        assert terminal.child.poll() is None, "it ended"
        terminal.press("qd")
        assert terminal.ended() == 0, terminal.text
        sent = terminal.raw.decode()
    return {found[0] for found in SEQUENCE.finditer(sent)}, "\n".join(screens)


@pytest.fixture(scope="module")
def usual(tmp_path_factory) -> set[str]:
    """What the monitor sends for a sweep without a hostile text in it, but drawing."""
    made = recorded.make(tmp_path_factory.mktemp("usual") / "sweep", closed=0)
    return {each for each in sent_through_all(made, (80, 24))[0] if not DRAWING.fullmatch(each)}


@pytest.mark.parametrize("size", SIZES, ids=str)
def test_the_terminal_gets_no_control_sequence_from_any_text(tmp_path, usual, size) -> None:
    assert len(TEXTS) >= 60
    sent, shown = sent_through_all(sweep.make(tmp_path / "sweep"), size)
    assert {each for each in sent if not DRAWING.fullmatch(each)} - usual == set()
    texts = {clean(text).strip()[:9] for text in TEXTS}
    assert sum(bool(text) and text in shown for text in texts) > 30, "they are not there at all"
