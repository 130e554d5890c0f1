"""A copied directory full of hostile text: no verb lets one character of it act on the terminal."""

from __future__ import annotations

import os
import subprocess
import sys
import unicodedata
from pathlib import Path

import pytest

from lrtui import events as ev
from lrtui.journal import JournalTail
from lrtui.layout import Layout
from tests import recorded

ROOT = Path(__file__).parents[2]
TEXTS = (
    "\x1b[2J\x1b[31mred",
    "\x1b]52;c;aGk=\x07",
    "\x1b]0;title\x1b\\\\",
    "\x1b]8;;http://evil\x1b\\\\link\x1b]8;;\x1b\\\\",
    "\x1bP1$r\x1b\\\\",
    "\x1b_apc\x1b\\\\",
    "\x9b31m\x9d0;c1\x9c",
    "\x00\x08\x7f",
    "over\rwritten",
    "two\nlines\x0b\x0c",
    "\u202egnp.exe\u2066",
    "in\u200bvisible\u2060\ufeff",
    "\u2028line\u2029",
    "\U000e0041tag",
    "[@click=app.quit]x[/]",
    "[/][/foo][bold]",
    "<script>alert(1)</script><img src=x onerror=alert(1)>",
    "| a | b |\n|---|---|",
    "[link](javascript:alert(1))",
    "../../etc/passwd",
    "$(touch /tmp/owned)`id`;id",
    "%s%n{0}{run.__class__}",
    "=cmd|' /C calc'!A0",
    "e" + "\u0301" * 200,
    "\u65e5\u672c\u8a9e" * 300,
    "a" * 100_000,
)
VERBS = (
    ("status",),
    ("status", "--json"),
    ("explain",),
    ("report",),
    ("doctor",),
    ("--view", "--headless"),
    ("--view", "--json"),
    ("kill", "r01"),
    ("parallel", "3"),
)


@pytest.fixture(scope="module")
def directory(tmp_path_factory) -> Path:
    made = recorded.make(
        tmp_path_factory.mktemp("hostile") / "sweep", hostile=True, elsewhere="host"
    )
    journal = Layout(made).journal
    n = sum(1 for _ in JournalTail(journal).rest())
    setting = {"lr": 1e-3}
    hostile: list[ev.AnyEvent] = []
    for place, text in enumerate(TEXTS):
        own = ev.Setting(**setting, optimizer=text, schedule=text, values={"note": text})
        run = f"x{place}{text[:300]}"
        hostile += [
            ev.RunQueued(run=run, setting=own, seed=place, until=20.0, why=text),
            ev.RunFlagged(run="r01", attempt=1, rule=text, why=text),
            ev.RunEnded(run=run, attempt=0, kind="killed", why=text),
            ev.Warned(text=text, run=run),
        ]
    hostile += [
        ev.BrakeSet(on=True, why="".join(TEXTS)),
        ev.SweepClosed(code=1, why="".join(TEXTS[:20])),
    ]
    with journal.open("ab") as file:
        for event in hostile:
            n += 1
            fields = {name: getattr(event, name) for name in event.__struct_fields__}
            numbered = type(event)(**fields | {"v": 1, "n": n, "at": recorded.CLOCK + n})
            file.write(ev.encode(numbered) + b"\n")
    return made


def acting(text: str) -> set[str]:
    """Return the characters that do something to a terminal, but the line's end."""
    kinds = ("Cc", "Cf", "Cs", "Co", "Zl", "Zp")
    return {each for each in text if each != "\n" and unicodedata.category(each) in kinds}


@pytest.mark.parametrize("verb", VERBS, ids=" ".join)
def test_no_verb_prints_a_character_that_acts(directory, verb, tmp_path) -> None:
    named = (str(directory),)
    words = named + verb if verb[0].startswith("-") else (verb[0], *named, *verb[1:])
    done = subprocess.run(
        [sys.executable, "-m", "lrtui", *words],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(ROOT), "NO_COLOR": "1"},
        capture_output=True,
        check=False,
        timeout=120,
        stdin=subprocess.DEVNULL,
    )
    said = (done.stdout + done.stderr).decode()
    assert said.strip()
    assert acting(said) == set()
    assert "Traceback" not in said
    assert not Path("/tmp/owned").exists()
    assert not list(tmp_path.iterdir())


def test_the_report_has_neither_script_nor_control_characters(directory) -> None:
    for kind in ("md", "json", "html", "csv"):
        file = directory / f"report.{kind}"
        if file.exists():
            text = file.read_text()
            assert acting(text) - {"\t", "\r"} == set(), kind
            if kind == "html":
                assert "<script>alert" not in text
                assert "<img src=x" not in text
                assert 'href="javascript:' not in text
    assert (directory / "report.md").exists()
