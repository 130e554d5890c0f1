"""What the callbacks share: the checkpoint is whole at every moment."""

import os

import pytest

from lrtui.integrations import attempt


@pytest.fixture
def ours(monkeypatch, tmp_path):
    monkeypatch.setenv("LRTUI_METRICS", str(tmp_path / "metrics.jsonl"))
    monkeypatch.setenv("LRTUI_CHECKPOINT", str(tmp_path / "checkpoint"))
    return attempt.Attempt()


def made(tmp_path, text) -> str:
    folder = tmp_path / "checkpoint.saving" / "step"
    folder.mkdir(parents=True)
    (folder / "weights").write_text(text)
    return str(folder)


def test_a_folder_takes_the_place_of_another_at_once(ours, monkeypatch, tmp_path):
    """A kill behind the exchange, before anything is removed, leaves the new one."""
    ours.put(made(tmp_path, "old"))
    with monkeypatch.context() as killed:
        killed.setattr(attempt.shutil, "rmtree", lambda *_, **__: 1 / 0)
        killed.setattr(os, "rename", lambda *_: pytest.skip("no exchange of names here"))
        with pytest.raises(ZeroDivisionError):
            ours.put(made(tmp_path, "new"))
    assert (tmp_path / "checkpoint" / "weights").read_text() == "new"


def test_a_file_system_without_exchange_gets_two_renames(ours, monkeypatch, tmp_path):
    monkeypatch.setattr("ctypes.CDLL", lambda _: None)
    for text in ("old", "new"):
        ours.put(made(tmp_path, text))
        assert (tmp_path / "checkpoint" / "weights").read_text() == text
    assert [each.name for each in tmp_path.iterdir()] == ["checkpoint"]
