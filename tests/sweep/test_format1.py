"""Directories of format 1 say today what they said then (with other words: tests/sweep/test_other_words.py)."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import msgspec
import pytest

from lrtui.config.directory import read_experiment
from lrtui.errors import NoAnswerError
from lrtui.frontend.explain import explanation
from lrtui.frontend.snapshot import DirectoryReader
from lrtui.report import Report, content
from lrtui.report.json_form import as_json
from lrtui.sweep import events as ev
from lrtui.sweep.format1 import EventReader, decode_answer
from lrtui.sweep.journal import JournalTail
from lrtui.sweep.journal_writer import Journal
from lrtui.sweep.layout import FORMAT, Layout
from lrtui.sweep.mailbox import send
from lrtui.sweep.state import fold, group_of, group_text

RECORDED = Path(__file__).parent.parent / "data" / "format1"
NAMES = ("killed", "range", "search", "stopped", "study")
SENTENCES = {"headline", "said", "held", "not_tested", "paste", "settings", "version"}
"""Keys of the report that are worded anew each time; the reasons that the journal holds are not among them."""
JUDGED = {"low", "high", "by_noise", "optimum", "equal", "decades"}
"""Keys of an answer that follow from what is thought of noise today; of a study also what is computed from them."""


@pytest.fixture(params=NAMES)
def directory(request, tmp_path) -> Path:
    return Path(shutil.copytree(RECORDED / request.param, tmp_path / request.param))


def said(directory: Path) -> dict[str, Any]:
    return json.loads((RECORDED / "said" / f"{directory.name}.json").read_text())


def facts(value: Any, without: set[str]) -> Any:
    """Return what a report says, without the keys in `without`."""
    if isinstance(value, dict):
        return {k: facts(inner, without) for k, inner in value.items() if k not in without}
    return [facts(inner, without) for inner in value] if isinstance(value, list) else value


def close(now: Any, then: Any) -> bool:
    """Compare two reports; what was added since is no difference, and the last digits of a number are none."""
    if isinstance(then, dict):
        return isinstance(now, dict) and all(
            key in now and close(now[key], then[key]) for key in then
        )
    if isinstance(then, list):
        return isinstance(now, list) and len(now) == len(then) and all(map(close, now, then))
    if isinstance(then, float) and isinstance(now, (int, float)):
        return now == pytest.approx(then, rel=1e-9)
    return now == then


def test_states_leaderboard_and_report_are_as_then(directory):
    then = said(directory)
    snapshot = DirectoryReader(directory).snapshot(60.0)
    assert snapshot.problem == ""
    assert {run.id: str(run.state) for run in snapshot.sweep.runs.values()} == then["status"][
        "runs"
    ]
    rows = json.loads(msgspec.json.encode(snapshot.standings))
    told = then["status"]["leaderboard"]
    assert close(facts(rows, {"setting", "why"}), facts(told, {"setting", "why"}))
    for row, old in zip(rows, told, strict=True):
        reasons = {reason.removeprefix("nan: ") for reason in old["why"].split("; ")}
        assert all(reason in row["why"] for reason in reasons)  # each is said once now
    made = json.loads(as_json(content(snapshot)))
    assert json.loads(as_json(msgspec.convert(made, Report))) == made
    without = SENTENCES | JUDGED | {"reasons", "why", "study"}
    assert close(facts(made, without), facts(then["report"], without))
    for each in (made["verdict"], *made["groups"]):
        assert each["low"] is None or each["low"] < each["lr"] < each["high"]
    levels = [level for factor in made.get("study") or [] for level in factor["levels"]]
    named = [level for factor in then["report"].get("study") or [] for level in factor["levels"]]
    assert [each["level"] for each in levels] == [each["level"] for each in named]


def test_why_runs_ended_is_said_in_the_words_of_the_journal(directory):
    sweep = fold(JournalTail(Layout(directory).journal).rest())
    now = [explanation(sweep, run, Path(directory.name))[0] for run in sweep.runs.values()]
    then = [line for line in said(directory)["explain"] if not line.startswith("  ")]
    assert len(now) == len(then)
    for run, line, old in zip(sweep.runs.values(), now, then, strict=True):
        assert run.why in line, line
        assert run.why in old, old


def test_the_rules_of_old_endings_are_known():
    sweep = fold(JournalTail(RECORDED / "search" / "journal.jsonl").rest())
    rules = {run.setting.lr: run.ending.rule for run in sweep.trained()}
    assert rules == {
        1e-4: "beaten", 1e-3: "beaten", 1e-2: None, 3e-2: None, 0.1: "collapsed", 0.3: None, 1.0: "nan", 3.0: "chance",
    }  # fmt: skip
    killed = fold(JournalTail(RECORDED / "killed" / "journal.jsonl").rest())
    assert [(run.ending.kind, run.ending.early) for run in killed.trained()] == [
        ("finished", True),
        ("finished", True),
        ("killed", False),
    ]


def test_old_warnings_and_answers_keep_what_they_meant():
    read = EventReader().event
    text = "memory of GPU 3 is nearly full (75.8 of 78.1 GiB, 6 readings in a row)"
    line = json.dumps({"event": "Warned", "v": 1, "n": 1, "text": text}).encode()
    assert read(line) == ev.Warned(v=1, n=1, text=text, kind="gpu memory", gpu=3)
    line = b'{"event":"CommandDone","v":1,"n":2,"command":"KillRun","ok":false,"answer":"no","mend":"so"}'
    assert read(line).hint == "so"
    assert decode_answer(b'{"ok":false,"answer":"no","mend":"so"}') == ev.Answer(False, "no", "so")
    assert decode_answer(b'{"ok":false,"answer":"no","hint":"so"}') == ev.Answer(False, "no", "so")


@pytest.mark.parametrize("rule", ["crowded", "apart", None])
def test_old_losses_keep_what_is_forgiven(rule):
    line = {"event": "RunLost", "v": 1, "run": "r01", "attempt": 1, "why": "x"}
    lost = EventReader().event(json.dumps(line | ({rule: True} if rule else {})).encode())
    assert lost == ev.RunLost(v=1, run="r01", attempt=1, why="x", rule=rule)


@pytest.mark.parametrize(
    "line", [b"[" * 200_000, b'{"v":1}', b'{"v":1,"event":"RunEnded","run":3}', b'{"v":3,"event":"Warned","text":""}']
)  # fmt: skip
def test_what_is_no_event_is_refused(line):
    with pytest.raises(ValueError, match=r"\w"):
        EventReader().event(line)


def test_a_directory_is_of_the_new_format_before_its_first_new_line(tmp_path):
    directory = Path(shutil.copytree(RECORDED / "stopped", tmp_path / "stopped"))
    layout = Layout(directory)
    before = layout.journal.read_bytes()
    read_experiment(directory)
    journal = Journal(layout.journal)
    assert layout.format.read_text() == "1\n", "opening changes nothing"
    journal.append(ev.Warned(text="x"))
    assert layout.format.read_text() == f"{FORMAT}\n"
    assert layout.journal.read_bytes().startswith(before)
    again = fold(JournalTail(layout.journal).rest())
    assert again == journal.sweep
    assert again.strange == 0


def test_a_command_is_understood_by_supervisors_of_either_format(tmp_path):
    (tmp_path / "inbox").mkdir()
    (tmp_path / "done").mkdir()
    (tmp_path / "beat").touch()
    with pytest.raises(NoAnswerError):
        send(tmp_path, ev.KillRun(run="r01", attempt=1), timeout=0.0)
    (command,) = (tmp_path / "inbox").glob("*.json")
    assert json.loads(command.read_bytes()).get("v", 1) == 1


def test_old_groups_are_those_of_their_runs():
    def key(lr, **setting):
        return ev.Setting(lr=lr, **setting)

    own = {"optimizer": '{"sgd":{"momentum":0.9}}', "schedule": "cosine", "values": {"on": True}}
    one = own | {"values": {"on": 1}}
    lines = [
        ev.RunQueued(v=1, run="r01", setting=key(1e-3, **own), seed=0, until=9.0),
        ev.RunQueued(v=1, run="r02", setting=key(1e-3, **one), seed=0, until=9.0),
    ]
    read = EventReader().event
    queued = [read(ev.encode(line)) for line in lines]
    rung = {"event": "RungClosed", "v": 1, "level": 3.0, "kept": ["r01"]}
    words = "sgd momentum=0.9, cosine, on=True"
    closed = read(json.dumps(rung | {"group": words}).encode())
    assert closed.group == group_of(queued[0].setting)
    assert not closed.group != group_of(queued[0].setting)  # noqa: SIM202  # both operators
    assert closed.group != group_of(queued[1].setting), "true and 1 are two values"
    assert group_text(closed.group) == words
    unknown = read(json.dumps(rung | {"group": "who knows"}).encode())
    assert group_text(unknown.group) == "who knows"
