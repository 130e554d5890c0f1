"""One reader of the text of a model, optimizer or schedule."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lrtui.sweep.choice import Choice, choice_of
from lrtui.train.optimizers import OPTIMIZERS
from lrtui.train.options import choose

JSON = st.recursive(
    st.booleans() | st.integers(-9, 9) | st.text(max_size=5) | st.floats(allow_nan=False),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=4,
)
NAMES = st.text(min_size=1, max_size=9).filter(lambda name: not name.startswith("{"))


@given(NAMES, st.dictionaries(st.text(min_size=1, max_size=5), JSON, max_size=3))
def test_a_choice_is_read_from_its_text(name, options):
    chosen = Choice(name, options)
    assert choice_of(chosen.text) == chosen


@given(st.text() | st.text().map("{{{}".format))
def test_no_text_of_a_journal_raises(text):
    assert isinstance(choice_of(text), Choice)


@pytest.mark.parametrize("text", ["sgd", '{"sgd":{"momentum":0.9,"nesterov":true}}'])
def test_the_trainer_reads_the_same_choice(text):
    """The trainer imports nothing of the journal's room and so has a reader of its own."""
    theirs = choose("optimizer", text, OPTIMIZERS)
    assert (theirs.name, theirs.options) == (choice_of(text).name, choice_of(text).options)
