"""A copied directory full of hostile text: no verb lets one character of it act on the terminal."""

from __future__ import annotations

import os
import subprocess
import sys
import unicodedata
from pathlib import Path

import pytest

from tests.hostile import sweep

ROOT = Path(__file__).parents[2]
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
    return sweep.make(tmp_path_factory.mktemp("hostile") / "sweep", elsewhere="host")


def acting(text: str) -> set[str]:
    """Return the characters that do something to a terminal, but the line's end."""
    kinds = ("Cc", "Cf", "Cs", "Zl", "Zp")
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
        timeout=300,
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
