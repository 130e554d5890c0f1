"""The user's file of keys: what it may say, and what it is told when it says something else."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from lrtui.errors import UserError
from lrtui.tui import user_keys
from lrtui.tui.keymap import KEYMAP
from tests import recorded
from tests.tui.terminal import ROOT, Terminal


def keys(table) -> dict[str, str]:
    return {key.action: key.keys for key in table}


def test_keys_move_and_the_others_stay() -> None:
    found = user_keys.with_keys(
        KEYMAP, {"kill": ["X", "f5"], "pause": "+", "new": "ctrl+n", "move(1)": "n"}, "keys.toml"
    )
    before, after = keys(KEYMAP), keys(found)
    assert after["kill"] == "X,f5"
    assert after["pause"] == "plus"
    assert after["new"] == "ctrl+n"
    assert after["weight(1)"] == "equals_sign"  # it lost +, which pauses now
    assert {a for a in before if before[a] != after[a]} == {"kill", "pause", "new", "move(1)", "weight(1)"}  # fmt: skip
    names = [name for table in after.values() for name in table.split(",")]
    assert len(names) == len(set(names))
    assert next(key.shown for key in found if key.action == "kill").startswith("X")


@pytest.mark.parametrize(
    ("wishes", "told"),
    [
        ({"kil": "X"}, "did you mean kill?"),
        ({"kill": "ctrl"}, "is no key"),
        ({"kill": ""}, "is no key"),
        ({"kill": 3}, "is no key"),
        ({"kill": "\x1b[2J"}, "is no key"),
        ({"kill": "X", "new": "X"}, "two actions: kill and new"),
        ({"kill": "ctrl+c"}, "two actions: interrupt and kill"),
        ({"interrupt": "X"}, "no action"),
        ({"\x1b[2J": "X"}, "no action"),
    ],
)
def test_a_file_that_is_wrong_is_told_so(wishes: dict[str, object], told: str) -> None:
    with pytest.raises(UserError, match=re.escape(told)) as error:
        user_keys.with_keys(KEYMAP, wishes, "keys.toml")
    assert "\x1b" not in str(error.value)
    assert "keys.toml" in str(error.value)


def test_the_monitor_takes_the_keys_of_the_file(tmp_path: Path) -> None:
    sweep = recorded.make(tmp_path / "sweep", ["finished", "finished"])
    (tmp_path / "keys.toml").write_text('help = "f2"\n')
    with Terminal(sweep, 100, 40, LRTUI_KEYS=str(tmp_path / "keys.toml")) as terminal:
        terminal.shows("f2 help", 20)
        terminal.press("\x1bOQ")
        terminal.shows("Runs")
        terminal.shows("Leaderboard")


def test_the_documentation_names_every_action() -> None:
    text = (ROOT / "docs" / "keys.md").read_text()
    assert [key.action for key in KEYMAP if f"`{key.action}`" not in text] == []
