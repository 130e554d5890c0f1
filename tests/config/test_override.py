"""Keys from the command line, written into the file's text."""

import json
import tomllib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lrtui.config import override, parse
from lrtui.errors import UserError

FILE = """\
# a lesson
dataset = "cifar100"    # big
epochs  = 20            # long
lr      = [
  1e-1,  # high
  1e-3,
]
[health]
nan = false             # off
"""


def test_a_value_is_replaced_and_comments_elsewhere_stay():
    text = override(FILE, {"dataset": "synthetic", "lr": "[1e-3]"})
    assert text == FILE.replace('"cifar100"', '"synthetic"').replace(
        "lr      = [\n  1e-1,  # high\n  1e-3,\n]", "lr = [1e-3]"
    ).replace("dataset = ", "dataset = ")


def test_a_new_key_goes_above_the_first_table():
    text = override(FILE, {"seeds": "3"})
    assert "]\nseeds = 3\n[health]" in text
    assert tomllib.loads(text) == {**tomllib.loads(FILE), "seeds": 3}


def test_a_file_of_tables_alone_gets_its_key_in_front():
    assert (
        override("# why\n[values]\nwd = 1\n", {"seeds": "3"})
        == "# why\nseeds = 3\n[values]\nwd = 1\n"
    )


def test_an_empty_file_and_one_without_a_last_newline_can_be_added_to():
    assert tomllib.loads(override("", {"lr": "1e-3", "dataset": "digits"})) == {
        "lr": 1e-3,
        "dataset": "digits",
    }
    assert tomllib.loads(override("lr = 1 # x", {"seeds": "2"})) == {"lr": 1, "seeds": 2}


def test_another_horizon_takes_the_place_of_the_old_one():
    text = override(FILE, {"steps": "100"})
    assert tomllib.loads(text)["steps"] == 100
    assert "epochs" not in tomllib.loads(text)
    assert parse(text, "x.toml").unit == "step"


@pytest.mark.parametrize(
    ("value", "read"),
    [
        ("3", 3),
        ("1e-3", 1e-3),
        ("true", True),
        ('"a"', "a"),
        ("[1, 2]", [1, 2]),
        ("{ grid = 3 }", {"grid": 3}),
        ("synthetic", "synthetic"),
        ("max val_acc", "max val_acc"),
        ("1/3", "1/3"),
        ("a # b", "a # b"),
        ("3 # b", "3 # b"),
        ("", ""),
        ("1\n[study]\nx = 1", "1\n[study]\nx = 1"),
        ('say "hi" \\ \x7f é', 'say "hi" \\ \x7f é'),
    ],
)
def test_a_value_is_toml_or_else_a_string(value, read):
    assert tomllib.loads(override(FILE, {"name": value}))["name"] == read
    assert tomllib.loads(override(FILE, {"epochs": value}))["epochs"] == read


def test_dotted_tables_are_refused_with_the_remedy():
    with pytest.raises(UserError, match="is a table"):
        override(FILE, {"health": "{ nan = true }"})
    with pytest.raises(UserError, match="is a table"):
        override("lr.grid = 3", {"lr": "1e-3"})


def test_a_key_that_is_none_is_refused():
    with pytest.raises(UserError, match="not a key"):
        override(FILE, {"a b": "1"})


def test_overriding_twice_changes_nothing_more():
    values = {"dataset": "synthetic", "seeds": "3", "steps": "7"}
    once = override(FILE, values)
    assert override(once, values) == once


@given(
    st.dictionaries(st.sampled_from(["lr", "dataset", "name", "seeds"]), st.text(max_size=12)),
    st.lists(
        st.sampled_from(["lr = 1", 'dataset = "a" # x', "# note", "[values]\nwd = [1]", ""]),
        unique=True,
    ),
)
def test_every_other_key_stays_as_it_was(values, lines):
    text = "\n".join(sorted(lines, key=lambda line: line.startswith("[")))
    before, after = tomllib.loads(text), tomllib.loads(override(text, values))
    assert after.keys() == before.keys() | values.keys()
    assert {k: v for k, v in after.items() if k not in values} == {
        k: v for k, v in before.items() if k not in values
    }
    for key, value in values.items():
        assert after[key] == value or json.dumps(after[key], default=str)
