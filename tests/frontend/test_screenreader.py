"""The text mode for screen readers: sentences on stdout, words on stdin, real runs behind them."""

import queue
import subprocess
import sys
import threading
import time

import pytest

from lrtui.frontend.screenreader.spoken_commands import VERBS
from lrtui.sweep.state import State
from tests.until import PATIENCE_SECONDS, until


class Spoken:
    """`lrtui DIR --plain` in a child: say words, wait for sentences."""

    def __init__(self, lab, *words: str) -> None:
        self.child = subprocess.Popen(
            [sys.executable, "-m", "lrtui", *words, "--plain"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            cwd=lab.folder,
        )
        self.heard: list[str] = []
        self._lines: queue.Queue[str] = queue.Queue()
        threading.Thread(target=self._listen, daemon=True).start()

    def _listen(self) -> None:
        for line in self.child.stdout:
            self._lines.put(line.rstrip("\n"))

    def type(self, words: str) -> None:
        self.child.stdin.write(f"{words}\n")
        self.child.stdin.flush()

    def hears(self, text: str, seconds: float = PATIENCE_SECONDS) -> str:
        """Return the next line with a text in it."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            try:
                line = self._lines.get(timeout=0.1)
            except queue.Empty:
                continue
            self.heard.append(line)
            if text in line:
                return line
        raise AssertionError(f"{text!r} was not said; heard:\n" + "\n".join(self.heard))


@pytest.fixture
def spoken(lab):
    lab.start(lrs="1e-3, 3e-4", steps=100_000, flags="--sleep 0.05")
    lab.running("r01", 3)
    made = Spoken(lab, str(lab.directory))
    yield made
    made.child.kill()
    made.child.wait()


def test_a_run_is_killed_by_its_letter_after_a_yes_and_comes_back_by_undo(lab, spoken) -> None:
    spoken.hears("leads: val_acc")
    spoken.type("kill a")
    assert "Kill A 1e-03, step " in spoken.hears("Type yes or no")
    spoken.type("no")
    spoken.hears("Not done.")
    assert lab.run("r01").alive
    spoken.type("kill 1e-3")
    spoken.hears("Type yes or no")
    spoken.type("yes")
    spoken.hears("Done: r01 1e-03 is")
    assert lab.run("r01").ending.kind == "killed"
    spoken.type("explain A")
    spoken.hears("killed by you")
    spoken.type("undo")
    spoken.hears("Undo the kill: A 1e-03 continues from its checkpoint.")
    until(lambda: lab.run("r01").state is State.RUNNING)
    assert lab.run("r01").attempts[-1].resumed_from == 1


def test_runs_are_held_added_and_counted_by_words(lab, spoken) -> None:
    spoken.type("freeze r02")
    spoken.hears("Done: r02 is frozen")
    spoken.type("resume B")
    spoken.hears("Done: r02")
    spoken.type("parallel 3")
    spoken.hears("Done: 3 at a time.")
    spoken.type("add 2e-3 like B")
    spoken.hears("Done: r03 2e-03")
    lab.running("r03")
    assert lab.run("r03").parent == "r02"
    spoken.type("status")
    spoken.hears("3 running.")
    spoken.type("list")
    spoken.hears("Rank 1: ")
    spoken.type("restart C")
    spoken.hears("start it again from scratch? Type yes or no.")
    spoken.type("y")
    spoken.hears("Done: r03")
    until(lambda: len(lab.run("r03").attempts) == 2)


def test_what_is_not_understood_is_said_and_quit_leaves_the_runs_alone(lab, spoken) -> None:
    spoken.type("hello")
    spoken.hears("hello is not a command. The commands are: help, status")
    spoken.type("kill Z")
    spoken.hears("There is no run Z. The runs are: A 1e-03, B 3e-04.")
    spoken.type("add fast")
    spoken.hears("fast is not a number")
    spoken.type("help")
    for name in VERBS:
        spoken.hears(f"{name}")
    spoken.type("quit")
    spoken.hears("The runs continue.")
    assert spoken.child.wait(300) == 130
    assert lab.run("r01").alive


def test_a_directory_that_can_only_be_viewed_takes_no_orders(lab) -> None:
    lab.start(lrs="1e-3", steps=100_000, flags="--sleep 0.05")
    lab.running()
    spoken = Spoken(lab, str(lab.directory), "--view")
    spoken.type("kill A")
    spoken.hears("This can only be viewed: opened with --view.")
    spoken.type("explain A")
    spoken.hears("running")
    spoken.type("quit")
    assert spoken.child.wait(300) == 130


def test_it_ends_with_the_sweep_nothing_is_redrawn_and_no_control_character_comes_through(
    lab,
) -> None:
    done = lab.lrtui(str(lab.toml(lrs="1e-3, 3e-4", steps=5)), "--plain", input="")
    assert done.returncode == 0, done.stdout + done.stderr
    lab.directory = lab.folder / "runs/lab"
    assert "A 1e-03 finished" in done.stdout
    assert "use lr = " in done.stdout
    assert not any(ord(char) < 32 and char != "\n" for char in done.stdout)
    until((lab.directory / "report.md").exists)
