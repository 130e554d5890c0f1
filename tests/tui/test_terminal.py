"""The monitor on a real pty: what comes over the wire, how it ends, what it imports and when."""

import fcntl
import os
import re
import signal
import struct
import termios
import time
from pathlib import Path

import pytest

from tests.benchmarks.monitor import record
from tests.tui.at_rest import MARK
from tests.tui.terminal import CHILD, Terminal
from tests.until import PATIENCE_SECONDS

IMPORTS = """
import sys; from pathlib import Path; from lrtui import tui
from lrtui.tui import snapshot_thread
real = snapshot_thread.Reader.start
def start(self):
    print(sorted({"torch", "numpy", "plotext"} & set(sys.modules)), file=open(sys.argv[1] + ".first", "w"))
    real(self)
snapshot_thread.Reader.start = start
code = tui.run(Path(sys.argv[1]), view_only=True)
print(sorted({"torch", "numpy", "plotext"} & set(sys.modules)), file=open(sys.argv[1] + ".last", "w"))
sys.exit(code)
"""


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return record(tmp_path_factory.mktemp("runs") / "benchmark", 2000)


def charted(terminal: Terminal) -> None:
    terminal.until(lambda: any("⠀" < c <= "⣿" for c in terminal.text))
    terminal.rest()


def test_numpy_and_plotext_come_after_the_first_paint_and_torch_never(recorded: Path) -> None:
    with Terminal(recorded, 80, 24, IMPORTS) as terminal:
        charted(terminal)
        terminal.press("q")
        terminal.until(lambda: terminal.child.poll() is not None)
    assert Path(f"{recorded}.first").read_text() == "[]\n"
    assert Path(f"{recorded}.last").read_text() == "['numpy', 'plotext']\n"


def test_keys_that_come_at_once_reach_the_question_that_the_first_of_them_asks(
    recorded: Path,
) -> None:
    filtered = "2 shown; Esc shows all"
    with Terminal(recorded, 80, 24) as terminal:
        charted(terminal)
        for keys, shown in (
            ("Tlight\r", "theme light"),
            ("/lr<1e-3\r", filtered),
            ("jjTcontrast\r", "theme contrast"),
            ("/\x1b[200~lr<1e-3\x1b[201~\r", filtered),
            ("/lr<1e-3\rTlight\rTcontrast\r", "theme contrast"),
            ("KnTlight\r/lr<1e-3\r", filtered),
        ):
            assert shown not in terminal.text
            terminal.press(keys)
            terminal.shows(shown)
            terminal.press("\x1b")  # ends a filter
            terminal.rest()


def test_keys_that_come_behind_the_last_one_are_nobodys(recorded: Path) -> None:
    with Terminal(recorded, 80, 24) as terminal:
        charted(terminal)
        terminal.press("qTlight\r/lr\r")
        assert terminal.ended() == 0
        assert "Traceback" not in terminal.text


def test_a_progress_bar_is_one_line_of_the_output(tmp_path: Path) -> None:
    directory = record(tmp_path / "bars", 50, 1)
    bars = [f"epoch {e}: {p:3}%|{'█' * (p // 10):10}| {p}/100 [00:01, 97it/s]" for e in (1, 2) for p in range(0, 101, 4)]  # fmt: skip
    (output,) = directory.glob("r01*/a1/output.log")
    output.write_text("\r" + "\r".join(bars[:26]) + "\nsaved\n\r" + "\r".join(bars[26:-1]))
    with Terminal(directory, 100, 30) as terminal:
        charted(terminal)
        terminal.press("l")
        terminal.shows("epoch 2:  96%")
        shown = [line.strip() for line in terminal.text.splitlines() if "epoch" in line]
        assert shown == [bars[25], bars[-2]]


@pytest.mark.parametrize("plain", ["", "1"])
def test_the_terminal_says_how_large_it_is_whatever_a_shell_exports(
    recorded: Path, plain: str
) -> None:
    with Terminal(recorded, 120, 40, COLUMNS="80", LINES="24", LRTUI_PLAIN=plain) as terminal:
        charted(terminal)
        assert terminal.screen.display[39].startswith(" ? help")
        assert max(len(line.rstrip()) for line in terminal.screen.display) > 100
        fcntl.ioctl(terminal.slave, termios.TIOCSWINSZ, struct.pack("HHHH", 30, 100, 0, 0))
        terminal.screen.resize(30, 100)
        terminal.child.send_signal(signal.SIGWINCH)
        terminal.until(lambda: terminal.screen.display[29].startswith(" ? help"))


def test_an_idle_monitor_writes_nothing(recorded: Path) -> None:
    with Terminal(recorded, 120, 40) as terminal:
        charted(terminal)
        written = len(terminal.raw)
        terminal.rest()
        terminal.rest()
        assert len(terminal.raw) == written + 2 * len(MARK)
        assert terminal.idle() == 0  # no timer writes


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGTERM, 143), (signal.SIGHUP, 129), (signal.SIGINT, 130)]
)
def test_a_signal_restores_the_terminal(recorded: Path, number: int, code: int) -> None:
    with Terminal(recorded, 80, 24) as terminal:
        charted(terminal)
        assert termios.tcgetattr(terminal.slave)[3] != terminal.before[3]
        terminal.child.send_signal(number)
        assert terminal.ended() == code
        assert termios.tcgetattr(terminal.slave)[3] == terminal.before[3]
        assert b"\x1b[?1049l" in terminal.raw
        assert b"\x1b[?25h" in terminal.raw


def test_ctrl_c_leaves_at_once_and_prints_nothing(recorded: Path) -> None:
    with Terminal(recorded, 80, 24) as terminal:
        charted(terminal)
        terminal.press("\x03")
        assert terminal.ended() == 130
        assert (
            terminal.raw.rpartition(b"\x1b[?1049l")[2]
            .replace(b"\x1b[?25h", b"")
            .replace(b"\x1b[?1004l", b"")
            == b""
        )


def test_a_vanished_terminal_ends_the_monitor(recorded: Path) -> None:
    terminal = Terminal(recorded, 80, 24)
    charted(terminal)
    os.close(terminal.slave)
    os.close(terminal.master)
    terminal.child.send_signal(signal.SIGHUP)
    assert terminal.child.wait(PATIENCE_SECONDS) in (129, -signal.SIGHUP)


DEAF = "import signal; signal.signal(signal.SIGHUP, signal.SIG_IGN)\n" + CHILD


@pytest.mark.parametrize("shown", ["first byte", "charts"])
def test_a_vanished_terminal_ends_a_monitor_that_no_signal_reaches(
    recorded: Path, shown: str
) -> None:
    with Terminal(recorded, 80, 24, DEAF) as terminal:
        if shown == "charts":
            charted(terminal)
        else:
            terminal.until(lambda: bool(terminal.raw))
        os.close(terminal.master)
        os.close(terminal.slave)
        terminal.master, terminal.slave = os.open(os.devnull, 0), os.open(os.devnull, 0)
        assert terminal.child.wait(PATIENCE_SECONDS) == 129


def test_keys_of_another_encoding_are_no_keys(recorded: Path) -> None:
    with Terminal(recorded, 80, 24) as terminal:
        charted(terminal)
        os.write(terminal.master, b"\xe9\xff\xc3y\xa4")
        terminal.shows("y log")
        terminal.press("q")
        assert terminal.ended() == 0


@pytest.mark.parametrize("env", [{"NO_COLOR": "1"}, {"TERM": "dumb"}, {"COLORTERM": ""}])
def test_every_key_works_without_colours(recorded: Path, env: dict[str, str]) -> None:
    with Terminal(recorded, 120, 40, **env) as terminal:
        charted(terminal)
        for key in "jkyasmolKnAp?qcl":
            terminal.press(key)
            terminal.rest()
        terminal.press("\x1b")
        terminal.rest()
        assert terminal.child.poll() is None
        if "NO_COLOR" in env:
            assert not re.search(rb"\x1b\[[0-9;]*[34]8;[25];", terminal.raw)
        assert "C 1e-03" in terminal.text


def test_the_mouse_is_the_terminals_until_it_is_switched_on(recorded: Path) -> None:
    with Terminal(recorded, 80, 24) as terminal:
        charted(terminal)
        assert b"\x1b[?1000h" not in terminal.raw
        terminal.press("M")
        terminal.shows("mouse on")
        assert b"\x1b[?1000h\x1b[?1006h" in terminal.raw
        assert b"\x1b[?1003h" not in terminal.raw
        lines = enumerate(terminal.screen.display, 1)
        row = next(y for y, line in lines if re.match(r" +\d+ +C ", line))
        terminal.press(f"\x1b[<0;9;{row}M\x1b[<0;9;{row}m")
        terminal.until(lambda: "▌" in terminal.screen.display[row - 1])
        terminal.press("M")
        terminal.shows("mouse off")
        assert b"\x1b[?1000l" in terminal.raw
        terminal.press("M")
        terminal.shows("mouse on")
        terminal.press("\x03")
        terminal.ended()
        assert b"\x1b[?1000l" in terminal.raw.rpartition(b"\x1b[?1000h")[2]


def test_only_changed_cells_are_sent_and_the_screen_is_the_same(recorded: Path) -> None:
    seen = {}
    for plain in ("", "1"):
        with Terminal(recorded, 120, 40, LRTUI_PLAIN=plain) as terminal:
            charted(terminal)
            screens = []
            sent = 0
            for key in ("j", "j", "K", "n", "e", "\x1b", "y", "?", "x", "l", "G", "\x1b", "m", "o"):
                terminal.press(key)
                terminal.rest()
                if key == "\x1b":  # the terminal waits whether more of a sequence follows
                    terminal.rest()
                screens.append(
                    [
                        [(c.data, c.fg, c.bg, c.bold, c.reverse) for c in row.values()]
                        for row in (
                            {x: terminal.screen.buffer[y][x] for x in range(120)} for y in range(40)
                        )
                    ]
                )
            sent = len(terminal.raw)
            seen[plain] = (screens, sent)
    for step, (ours, theirs) in enumerate(zip(seen[""][0], seen["1"][0], strict=True)):
        for y, (mine, other) in enumerate(zip(ours, theirs, strict=True)):
            assert mine == other, (
                step,
                y,
                "".join(c[0] for c in mine),
                "".join(c[0] for c in other),
            )
    assert seen[""][1] * 2 < seen["1"][1]


def test_a_terminal_that_is_not_read_does_not_freeze_the_keys(recorded: Path) -> None:
    with Terminal(recorded, 120, 40) as terminal:
        charted(terminal)
        for key in "jkjkyjkyjkmjkmljkl" * 30:
            terminal.press(key)
            time.sleep(0.01)  # as if typed: frames are made meanwhile
        terminal.press("\x1b")
        before = len(terminal.raw)
        terminal.rest()
        assert len(terminal.raw) - before < 120_000
        terminal.press("q")
        terminal.ended()


@pytest.mark.parametrize("size", [(40, 10), (20, 5), (10, 3), (60, 16), (240, 70)])
def test_odd_sizes_open_and_close(recorded: Path, size: tuple[int, int]) -> None:
    with Terminal(recorded, *size) as terminal:
        terminal.until(lambda: b"\x1b[?1049h" in terminal.raw)
        terminal.rest()
        assert terminal.child.poll() is None
        terminal.press("q")
        assert terminal.ended() == 0


def test_without_a_terminal_it_refuses(recorded: Path) -> None:
    import subprocess
    import sys

    done = subprocess.run(
        [sys.executable, "-c", CHILD, str(recorded)],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    assert "UserError" in done.stderr
    assert "is not a terminal" in done.stderr
