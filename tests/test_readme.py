"""The README says what is: every key, every verb, every lesson."""

import re
from pathlib import Path

from lrtui.cli.verbs import VERBS
from lrtui.tui.keymap import KEYMAP

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()


def test_every_key_of_the_keymap_stands_in_the_table():
    for key in KEYMAP:
        assert f"| `{key.shown}` | {key.help} |" in README


def test_every_verb_is_named():
    for verb in VERBS:
        if verb != "open":
            assert re.search(rf"\b{verb}\b", README), verb


def test_every_lesson_is_in_the_table():
    for file in (ROOT / "experiments").glob("*.toml"):
        assert f"experiments/{file.name}" in README


def test_every_link_leads_somewhere():
    for target in re.findall(r"\]\(([^)#]+)\)", README):
        assert target.startswith("http") or (ROOT / target).exists(), target


def test_ci_runs_the_tests_as_the_readme_does():
    (command,) = re.findall(r"^\.venv/bin/(python -m pytest.*)$", README, re.MULTILINE)
    assert (ROOT / ".ci" / "run").read_text().splitlines()[-1] == command
