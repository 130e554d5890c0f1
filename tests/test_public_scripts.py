"""The files for public scripts: each loads, and docs/own-scripts.md lists each with its length."""

import re
from pathlib import Path

import pytest

from lrtui.config import describe, load, planned

ROOT = Path(__file__).parents[1]
FILES = {file.name: file for file in sorted((ROOT / "experiments/public").glob("*.toml"))}
ROW = re.compile(r"^\|.*\| `(\w+\.toml)` \| (\d+) \|", re.MULTILINE)
MOST_LINES = 8
"""The goal of each file."""


@pytest.mark.parametrize("name", FILES)
def test_a_public_scripts_file_loads_and_varies_the_lr(name) -> None:
    experiment = load(FILES[name])
    assert describe(experiment)
    assert len({start.setting.lr for start in planned(experiment)}) > 2
    assert "{lr}" in " ".join(experiment.command)
    assert f"lrtui experiments/public/{name}" in experiment.text


def test_the_docs_list_each_with_its_length() -> None:
    listed = dict(ROW.findall((ROOT / "docs/own-scripts.md").read_text()))
    lengths = {
        name: len([line for line in file.read_text().splitlines() if line and line[0] != "#"])
        for name, file in FILES.items()
    }
    assert {name: int(lines) for name, lines in listed.items()} == lengths
    assert max(lengths.values()) <= MOST_LINES
