"""Who may own a directory, and what is advised to everybody else."""

import os

import pytest

from lrtui.cli import attach
from lrtui.cli.main import main
from lrtui.errors import OwnedElsewhereError, UserError
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


def test_a_directory_of_a_newer_version_can_only_be_viewed(directory, capsys) -> None:
    Layout(directory).format.write_text("3\n")
    with pytest.raises(UserError, match="of a newer lrtui") as refused:
        attach.ours(directory)
    assert "update lrtui" in refused.value.hint
    why = attach.prepare(directory, resume=False, view=False, takeover=False)
    assert why == "it has format '3', of a newer lrtui; this one reads 1 to 2"
    for wanted in ({"resume": True, "takeover": False}, {"resume": False, "takeover": True}):
        with pytest.raises(UserError, match="newer"):
            attach.prepare(directory, view=False, **wanted)
    assert main([str(directory), "--headless"]) == 1
    assert why in capsys.readouterr().out
    assert main(["status", str(directory)]) == 0
    assert f"warning: {why}" in capsys.readouterr().out
