"""A command without an answer in time is not refused."""

import pytest

from lrtui.cli.main import main
from lrtui.errors import NoAnswerError
from lrtui.sweep import events as ev
from lrtui.sweep import mailbox
from lrtui.sweep.journal_writer import Journal
from lrtui.sweep.layout import Layout
from tests.tui import recordings


@pytest.fixture
def directory(tmp_path):
    """An experiment directory whose supervisor beats and never answers."""
    layout = Layout(tmp_path)
    layout.experiment.write_text("")
    layout.inbox.mkdir()
    layout.done.mkdir()
    layout.beat.touch()
    journal = Journal(layout.journal)
    journal.append(*recordings.journal())
    return tmp_path


@pytest.fixture(autouse=True)
def impatient(monkeypatch):
    monkeypatch.setattr(mailbox, "ANSWER_SECONDS", 0.1)
    monkeypatch.setattr(mailbox, "_beats", lambda _: True)


def test_no_answer_leaves_the_command_queued(directory) -> None:
    with pytest.raises(NoAnswerError, match="no answer yet; the command stays queued for 59s"):
        mailbox.send(directory, ev.KillRun(run="r04", attempt=1))
    (file,) = Layout(directory).inbox.iterdir()
    assert isinstance(ev.decode_command(file.read_bytes()), ev.KillRun)


def test_a_verb_without_an_answer_exits_with_5(directory, monkeypatch, capsys) -> None:
    monkeypatch.setattr("lrtui.cli.attach.foreign", lambda *_: "")
    assert main(["kill", str(directory), "r04", "r03"]) == 5
    said = capsys.readouterr().err
    assert said.count("no answer yet; the command stays queued for 59s") == 2
    assert "refused" not in said
    assert len(list(Layout(directory).inbox.iterdir())) == 2
