"""The keeper's JSON, which it reads and writes without importing `json`."""

import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lrtui.workers.keeper import from_json, to_json

contents = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


@given(contents)
def test_it_is_what_json_writes_and_reads(content):
    text = json.dumps(content)
    assert to_json(content) == text
    assert from_json(text) == from_json(json.dumps(content, indent=1) + "\n") == content


def test_it_reads_nan_as_json_does():
    assert math.isnan(from_json('{"loss": NaN}')["loss"])


@pytest.mark.parametrize("text", ["", "{", '{"a": 1', '{"a": 1}}', "nothing", '{"a": "\n"}'])
def test_what_is_no_json_is_an_error(text):
    with pytest.raises(ValueError, match=r"."):
        from_json(text)
