"""A sweep in which runs failed, opened again: what is said, what is asked, and which runs run again."""

import io
import json
import sys

import pytest

from lrtui.cli import attach, retry, sending
from lrtui.cli.main import main
from lrtui.errors import UserError
from lrtui.frontend import requests
from lrtui.supervisor.commands import effects
from lrtui.supervisor.provenance import checksum
from lrtui.sweep import events as ev
from lrtui.sweep.allowed import Refusal
from lrtui.sweep.journal_writer import Journal
from lrtui.sweep.layout import AttemptLayout, Layout
from lrtui.sweep.state import State, fold
from tests.tui import recordings

OPENED = "experiment.toml"


def failed_sweep(*, stopped: bool = False) -> list:
    """Return a journal in which r01 failed at once and r02 finished, closed with exit code 1."""
    opened = next(e for e in recordings.journal() if isinstance(e, ev.SweepOpened))
    made = [opened]
    for number, kind in ((1, "failed"), (2, "finished")):
        run = f"r{number:02}"
        setting = ev.Setting(lr=10.0**-number, optimizer="", schedule="", values={})
        made += [
            ev.RunQueued(run=run, setting=setting, seed=0, until=5),
            ev.RunLaunched(run=run, attempt=1, token="t", until=5),
            ev.RunEnded(run=run, attempt=1, kind=kind, why="exit code 1"),
        ]
    if stopped:
        made.append(ev.BrakeSet(on=True, why="stopped by you", stop=True))
    return [*made, ev.SweepClosed(code=1, why="1 of 2 runs failed or were lost")]


@pytest.fixture
def failed(tmp_path):
    """Return a directory with that journal, in whose folder the script changed since r01 ran."""
    layout = Layout(tmp_path / "runs")
    layout.root.mkdir()
    layout.experiment.write_text("")
    Journal(layout.journal).append(*failed_sweep())
    script = tmp_path / "train.py"
    script.write_text("fails")
    files = AttemptLayout(layout.root / "r01-lr1e-01" / "a1")
    files.root.mkdir(parents=True)
    ran = {"argv": ["python", "train.py"], "cwd": str(tmp_path), "script_crc32": checksum([script])}
    files.argv.write_text(json.dumps(ran))
    script.write_text("works")
    return layout.root


@pytest.fixture
def sent(monkeypatch):
    """Return the commands that were sent; none leaves the process."""
    commands = []

    def send(_directory, command):
        commands.append(command)
        return ev.Answer(ok=True, answer="queued")

    monkeypatch.setattr(retry, "send", send)
    return commands


@pytest.mark.parametrize("change", [True, False])
def test_the_log_says_how(failed, sent, capsys, change) -> None:
    if not change:
        (failed.parent / "train.py").write_text("fails")
    retry.retry_failed(failed, OPENED, wanted=False, asks=False)
    since = "train.py changed since " if change else ""
    expected = f"{since}1 of 2 runs failed; to run them again: lrtui {OPENED} --retry\n"
    assert capsys.readouterr().err == expected
    assert sent == []


def test_retry_runs_only_what_failed(failed, sent, capsys) -> None:
    retry.retry_failed(failed, OPENED, wanted=True, asks=False)
    assert [(command.run, command.attempt) for command in sent] == [("r01", 1)]
    assert "running them again" in capsys.readouterr().err


@pytest.mark.parametrize(("typed", "runs"), [("\n", 1), ("y\n", 1), ("n\n", 0)])
def test_a_terminal_is_asked(failed, sent, monkeypatch, typed, runs) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO(typed))
    retry.retry_failed(failed, OPENED, wanted=False, asks=True)
    assert len(sent) == runs


def test_nothing_is_asked_if_nothing_changed(failed, sent, capsys) -> None:
    (failed.parent / "train.py").write_text("fails")
    retry.retry_failed(failed, OPENED, wanted=False, asks=True)
    assert (sent, capsys.readouterr().err) == ([], "")


def test_a_stopped_sweep_is_continued_first(failed, sent) -> None:
    journal = Layout(failed).journal
    journal.unlink()
    Journal(journal).append(*failed_sweep(stopped=True))
    with pytest.raises(UserError, match="the sweep was stopped"):
        retry.retry_failed(failed, OPENED, wanted=True, asks=False)
    assert sent == []


def test_a_failed_run_takes_part_again() -> None:
    """A run that failed at a rung trains to that rung and is compared there; one that finished trains to the end."""
    sweep = fold(failed_sweep())
    commands = requests.restart_failed(sweep)
    assert not isinstance(commands, Refusal)
    (again,) = effects(commands[0], sweep)
    assert (again.run, again.until, again.origin) == ("r01", 5, "strategy")
    assert fold([again], sweep).runs["r01"].state is State.QUEUED
    (whole,) = effects(ev.RestartRun(run="r02"), sweep)
    assert (whole.until, whole.origin) == (sweep.plan.horizon, "user")


@pytest.mark.parametrize("words", [[], ["r01", "--failed"]])
def test_restart_takes_runs_or_failed(words, capsys) -> None:
    assert main(["restart", "DIR", *words]) == 2
    assert "restart takes either runs or --failed" in capsys.readouterr().err


def test_restart_failed_sends_them_all(failed, monkeypatch, capsys) -> None:
    sent = []
    monkeypatch.setattr(
        sending, "send", lambda _, command: sent.append(command) or ev.Answer(True, "queued")
    )
    monkeypatch.setattr(attach, "foreign", lambda *_: "")
    assert main(["restart", str(failed), "--failed"]) == 0
    assert [command.run for command in sent] == ["r01"]


def test_a_view_restarts_nothing(failed, capsys) -> None:
    assert main([str(failed), "--headless", "--view", "--retry"]) == 2
    assert "no run can be restarted: opened with --view" in capsys.readouterr().err


def test_nothing_failed() -> None:
    sweep = fold(recordings.journal())
    assert requests.restart_failed(sweep) == Refusal("no run has failed")
