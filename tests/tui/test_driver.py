"""What reaches the terminal: whatever was painted, in whatever parts, over a line of any kind, ends as a full repaint would."""

from __future__ import annotations

import os
import pty
import random
import re
import select
from collections.abc import Iterator

import pyte
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.cells import cell_len
from rich.color import ColorSystem
from rich.segment import Segment
from rich.style import Style
from textual.drivers import headless_driver
from textual.drivers.headless_driver import HeadlessDriver
from typing_extensions import override

from lrtui.frontend.state_style import LOOKS
from lrtui.tui.app import Monitor
from lrtui.tui.terminal import ascii_fallback
from lrtui.tui.terminal.diff_renderer import Grid
from lrtui.tui.terminal.driver import PROBE, TerminalWriter
from lrtui.tui.terminal.pacing import Pace
from tests.tui.conftest import settled
from tests.until import until

STYLES = [Style(color="red"), Style(color="#00ff80", bold=True), Style(bgcolor="blue"), Style()]
PRIVATE = re.compile(r"\x1b\[[<>=?][0-9;]*[a-zA-Z]")


def cells(screen: pyte.Screen) -> list[list[tuple]]:
    return [
        [
            (c.data, c.fg, c.bg, c.bold, c.reverse)
            for c in (screen.buffer[y][x] for x in range(screen.columns))
        ]
        for y in range(screen.lines)
    ]


def emulated(width: int, height: int, text: str) -> pyte.Screen:
    screen = pyte.Screen(width, height)
    pyte.Stream(screen).feed(PRIVATE.sub("", text))
    return screen


# ------------------------------------------------ the grid

LETTERS = st.text(alphabet="ab ─⣿◽漢字🚀e\u0301\x1b\x07", max_size=12)
PUT = st.tuples(
    st.just("put"), st.integers(0, 19), st.integers(0, 4), LETTERS, st.sampled_from(STYLES)
)
SEND = st.tuples(st.just("send"), st.integers(1, 120))
ACTS = st.lists(PUT | SEND | st.tuples(st.just("forget")), min_size=1, max_size=40)


@given(acts=ACTS, size=st.tuples(st.integers(3, 20), st.integers(1, 5)))
@settings(max_examples=settings.default.max_examples // 2)  # 50, and 1,000 in a campaign
def test_after_any_updates_the_screen_equals_a_full_repaint(
    acts: list[tuple], size: tuple[int, int]
) -> None:
    grid = Grid(*size)
    for y in range(size[1]):
        grid.put(0, y, [Segment(" " * size[0], Style())])
    screen = pyte.Screen(*size)
    stream = pyte.Stream(screen)
    for act, *rest in acts:
        if act == "put":
            x, y, text, style = rest
            if x + cell_len(text) >= size[0]:  # pyte wraps before it combines
                text = text.replace("\u0301", "")
            grid.put(x, y, [Segment(text, style)])
        elif act == "send":
            stream.feed(grid.difference(ColorSystem.TRUECOLOR, *rest))
        else:
            grid.forget()
    while part := grid.difference(ColorSystem.TRUECOLOR, 50):
        stream.feed(part)
    grid.forget()
    whole = grid.difference(ColorSystem.TRUECOLOR)
    assert cells(screen) == cells(emulated(*size, whole))
    assert "\x07" not in whole
    assert "\x1b\x1b" not in whole


@given(st.lists(st.tuples(st.integers(-3, 13), st.text("a ─⣿漢\u0301", max_size=6)), max_size=6))
def test_a_text_is_painted_as_its_characters_are(texts) -> None:
    """Texts of narrow characters are painted at once, which is faster; wide ones beside them lose their other half."""
    whole, single = Grid(12, 1), Grid(12, 1)
    for x, text in texts:
        whole.put(x, 0, [Segment(text)])
        row, at = single._wanted[0], x
        for char in text:
            at = single._put(row, at, char, None)
    assert whole._wanted == single._wanted


def test_parts_keep_to_their_room_and_small_changes_come_first() -> None:
    grid = Grid(100, 30)
    for y in range(30):
        grid.put(0, y, [Segment("·" * 100, STYLES[y % 2])])
    assert grid.difference(ColorSystem.TRUECOLOR)
    for y in range(29):
        grid.put(0, y, [Segment("abcd" * 25, STYLES[0])])
    grid.put(3, 29, [Segment("key", STYLES[0])])
    first = grid.difference(ColorSystem.TRUECOLOR, 500)
    assert len(first) < 650
    assert "key" in first
    parts = [first]
    while part := grid.difference(ColorSystem.TRUECOLOR, 500):
        assert len(part) < 650
        parts.append(part)
    assert 6 <= len(parts) <= 12


def test_every_character_has_as_many_ascii_ones_as_cells() -> None:
    assert ascii_fallback.plain("漢") == "??"
    assert ascii_fallback.plain("●") == "*"
    for code in (*range(0x2500, 0x25A0), *range(0x2800, 0x2900), *map(ord, "…±●αé")):
        assert len(ascii_fallback.plain(chr(code))) == 1
        assert ascii_fallback.plain(chr(code)).isascii()
    symbols = {look.symbol for look in LOOKS.values()} - {"?"} | set("◆▲▼┊↑↓")
    assert not [symbol for symbol in symbols if ascii_fallback.plain(symbol) == "?"]
    grid = Grid(8, 1, plain=True)
    grid.put(0, 0, [Segment("─⣿漢é\u0301x", None)])
    assert "-#???x" in grid.difference(None)


# ------------------------------------------------ the app


class Captured(HeadlessDriver):
    """Takes what the app sends, as a driver of a terminal would."""

    sent: list[str] = []  # noqa: RUF012  # emptied by the test

    @property
    @override
    def is_headless(self) -> bool:
        return False

    @override
    def write(self, data: str) -> None:
        type(self).sent.append(data)


KEYS = ["j", "k", "K", "n", "escape", "question_mark", "l", "enter", "S", "r", "y", "1", "2", "4", "m", "o", "s", "x"]  # fmt: skip


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.asyncio
async def test_keys_overlays_and_resizes_leave_the_screen_of_a_full_repaint(
    monitor: Monitor, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    monkeypatch.setattr(headless_driver, "HeadlessDriver", Captured)
    chance = random.Random(seed)
    Captured.sent = []
    async with monitor.run_test(size=(120, 40)) as pilot:
        await settled(pilot)
        size = (120, 40)
        stream, screen = _terminal(*size)
        stream.feed(_taken())
        for _ in range(12):
            if chance.random() < 0.3:
                stream.feed(_taken())  # what came before belongs to the old size
                size = chance.choice([(80, 24), (160, 45), (60, 16), (120, 40), (37, 11)])
                screen.resize(size[1], size[0])
                await pilot.resize_terminal(*size)
                await pilot.pause(0.15)
            await pilot.press(chance.choice(KEYS))
            await pilot.pause(0.05)
        await pilot.press("escape", "escape")
        await settled(pilot)
        await pilot.pause(0.2)
        stream.feed(_taken())
        monitor.repaint_all()
        monitor._send_frame(monitor)
        assert cells(screen) == cells(emulated(*size, _taken()))


def _terminal(width: int, height: int) -> tuple[pyte.Stream, pyte.Screen]:
    screen = pyte.Screen(width, height)
    return pyte.Stream(screen), screen


def _taken() -> str:
    text = PRIVATE.sub("", "".join(Captured.sent))
    Captured.sent.clear()
    return text


# ------------------------------------------------ the line


@pytest.fixture
def line() -> Iterator[tuple[int, object]]:
    master, slave = pty.openpty()
    file = os.fdopen(slave, "w")
    yield master, file
    file.close()
    os.close(master)


def drained(master: int, wanted: bytes = b"") -> bytes:
    """Read what is there; wait for what is wanted."""
    found = b""
    while wanted not in found or select.select([master], [], [], 0)[0]:
        found += os.read(master, 65536)
    return found


def test_a_line_that_nobody_reads_holds_up_neither_the_app_nor_its_end(line) -> None:
    master, file = line
    writer = TerminalWriter(file)
    frames = iter(range(10**9))
    writer.source = lambda room: f"<{next(frames)}>".ljust(room, ".")
    writer.start()
    for _ in range(2000):  # the stock writer would wait here for ever
        writer.wake()
        writer.write("")
    until(lambda: not select.select([], [file], [], 0)[1])  # full: the end has to make room
    writer.write("\x1b[?1049l the end")
    writer.stop()
    writer.join()
    assert drained(master).endswith(b"\x1b[?1049l the end")


def test_of_many_frames_the_latest_is_sent(line) -> None:
    master, file = line
    writer = TerminalWriter(file)
    newest = {"frame": "first"}

    def source(_room: int) -> str:
        return newest.pop("frame", "")

    writer.source = source
    writer.start()
    writer.wake()
    assert b"first" in drained(master, b"first")
    until(lambda: not writer._wanted)  # it has asked for more, and there was none
    for number in range(500):
        newest["frame"] = f"<{number}>"
    writer.wake()
    assert drained(master, b"<499>").replace(PROBE.encode(), b"") == b"<499>"
    writer.stop()


def test_the_cap_holds_in_every_second() -> None:
    pace = Pace(most_bytes=2000)
    sent: list[tuple[float, int]] = []
    for now in (tick / 100 for tick in range(100, 350)):
        room, _ = pace.room(now)
        if room > 0:
            pace.sends(room, now)
            pace.answered(now)
            sent.append((now, room))
    assert 2500 < sum(n for _, n in sent) < 6000
    for at, _ in sent:
        assert sum(n for t, n in sent if at <= t < at + 0.9) <= 2000


def test_a_slow_terminal_gets_smaller_parts_and_a_quick_one_larger_ones() -> None:
    slow = _over(9600, seconds=30)  # ssh takes all at once; what the terminal gets is another thing
    assert _all_that_fits(slow, 30.0) <= 3000
    quick = _all_that_fits(_over(10_000_000, seconds=3), 3.0)
    # 80 KB/s over 0.05 s, and no second's worth where the line turns slow
    assert 4096 <= quick < 9600


def _over(rate: int, seconds: float) -> Pace:
    """Return the pace after as much as fits was sent over a line of so many bytes a second for a while; all is answered."""
    pace = Pace()
    now = free = 0.0
    answers: list[float] = []
    while now < seconds:
        while room := pace.room(now)[0]:
            pace.sends(room, now)
            free = max(free, now) + room / rate
            answers.append(free + 0.05)
            if len(answers) > 200:
                break
        now = max(now, answers.pop(0))
        pace.answered(now)
    for at in answers:
        pace.answered(at)
    return pace


def _all_that_fits(pace: Pace, now: float) -> int:
    under_way = 0
    while room := pace.room(now)[0]:
        pace.sends(room, now)
        under_way += room
    return under_way


def test_a_terminal_that_never_answers_is_not_waited_for() -> None:
    pace = Pace()
    pace.sends(1000, 0.0)
    assert pace.room(0.1)[0] > 0
    assert pace.room(5.0)[0] > 0
    assert not pace.probes
