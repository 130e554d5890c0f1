"""Who may own a directory, and what is advised to everybody else."""

import os

import pytest

from lrtui.cli import attach
from lrtui.errors import OwnedElsewhereError
from lrtui.sweep.journal_writer import Journal
from lrtui.sweep.layout import Layout
from tests.tui import recordings


@pytest.fixture
def directory(tmp_path):
    layout = Layout(tmp_path)
    layout.experiment.write_text("")
    Journal(layout.journal).append(*recordings.journal())
    return tmp_path


def test_another_users_directory_is_never_taken_over(directory, monkeypatch) -> None:
    monkeypatch.setattr(os, "getuid", lambda: 12345)
    with pytest.raises(OwnedElsewhereError, match="belongs to another user") as refused:
        attach.ours(directory)
    assert f"{directory} --takeover" not in str(refused.value)
    assert f"view it: lrtui {directory}" in str(refused.value)
    for wanted in ({"resume": True, "takeover": False}, {"resume": False, "takeover": True}):
        with pytest.raises(OwnedElsewhereError):
            attach.prepare(directory, view=False, **wanted)


def test_a_copy_can_be_taken_over(directory, monkeypatch) -> None:
    monkeypatch.setattr(attach, "foreign", lambda *_: "it is a copy")
    with pytest.raises(OwnedElsewhereError, match=f"lrtui {directory} --takeover"):
        attach.ours(directory)
