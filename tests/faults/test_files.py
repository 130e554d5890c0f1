"""Files that are damaged, old, edited, replaced or deleted under a living sweep."""

import json
import re
import sys
from pathlib import Path

import pytest

from lrtui.sweep import events as ev
from lrtui.sweep.layout import Layout
from tests.faults.labs import careful
from tests.faults.oracle import sound
from tests.until import until


@pytest.mark.parametrize("damaged", ["SweepOpened", "RunQueued", "RunLaunched", "RunStarted"])
def test_a_damaged_line_in_the_middle_doubles_nothing(lab, damaged):
    """The line is skipped; what it said is found again from locks, claims and exit.json."""
    lab.hold(2)
    lab.start(words=careful(lab), steps=10, lrs="1e-3, 3e-4")
    lab.running("r01")
    lab.running("r02")
    lab.kill_supervisor()
    _damage(Layout(lab.directory).journal, damaged)
    lab.release()
    lab.revive()
    closed = lab.closed()
    assert closed.code in (0, 1)
    assert lab.doubled() == []
    assert lab.left() == []
    assert [event.text for event in lab.events("Warned") if "damaged line" in event.text]
    assert set(lab.sweep.runs) == {"r01", "r02"}
    assert all(run.ending for run in lab.sweep.runs.values())
    assert "Traceback" not in lab.lrtui("status", str(lab.directory)).stderr


def test_a_damaged_ending_is_read_again_and_nothing_runs_twice(lab):
    lab.start(words=careful(lab), steps=5, lrs="1e-3, 3e-4")
    lab.closed()
    lab.kill_supervisor()
    _damage(Layout(lab.directory).journal, "RunEnded")
    _damage(Layout(lab.directory).journal, "SweepClosed")
    lab.revive()
    assert lab.closed().code == 0
    sound(lab)
    assert lab.told("r01") == lab.told("r02") == 5
    assert len(lab.events("RunLaunched")) == 2


def test_a_journal_of_an_older_lrtui_is_gone_on_with(lab):
    """Older events have fewer fields, some that are gone, and there are kinds that nobody knows any more."""
    lab.hold(2)
    lab.start(words=careful(lab), steps=10, lrs="1e-3, 3e-4")
    lab.running("r01")
    lab.kill_supervisor()
    lab.release()
    journal = Layout(lab.directory).journal
    lines = [json.loads(line) for line in journal.read_bytes().splitlines()]
    for line in lines:
        line.pop("why", None)
        line["colour"] = "green"
    lines.insert(3, {"v": 1, "n": lines[2]["n"], "at": 1.0, "event": "RunPolished", "run": "r01"})
    journal.write_text("".join(json.dumps(line) + "\n" for line in lines))
    lab.revive()
    assert lab.closed().code == 0
    sound(lab)


@pytest.mark.parametrize("fault", ["edited", "replaced", "deleted"])
def test_runs_use_the_copy_of_the_experiment_file_not_the_file(lab, fault):
    lab.hold(2)
    lab.start(words=careful(lab), steps=10, lrs="1e-3, 3e-4, 1e-4")
    lab.running()
    file = lab.folder / "lab.toml"
    if fault == "edited":
        file.write_text(file.read_text().replace("steps = 10", "steps = 3"))
    elif fault == "replaced":
        other = lab.folder / "other"
        other.write_bytes(b"\xff\xfe nonsense [")
        other.rename(file)
    else:
        file.unlink()
    lab.kill_supervisor()
    lab.release()
    lab.revive()
    assert lab.closed().code == 0
    assert [lab.told(run) for run in lab.sweep.runs] == [10, 10, 10]
    sound(lab)


@pytest.mark.parametrize("content", ["", "not a number", "\0" * 64])
def test_a_damaged_checkpoint_of_a_script_is_its_failure_and_said(lab, content):
    """The built-in trainer falls back on the one before (tests/train); what another script does with its own is its own."""
    lab.hold(3)
    lab.start(words=careful(lab))
    run = lab.running(steps=3)
    assert lab.send(ev.PauseRun(run="r01")).ok
    (lab.directory / run.folder / "a1" / "checkpoint").write_text(content)
    lab.send(ev.ResumeRun(run="r01"))
    assert lab.closed().code == 1
    assert "ValueError" in lab.run().ending.why
    sound(lab, kinds=("failed",))


def test_metric_lines_of_every_wrong_kind_hide_no_good_one(lab):
    good = '{"step": %d, "val_acc": 0.5, "train_loss": 1}'
    code = f"""
import sys
out = sys.stdout.buffer
bad = [b'\\xff\\xfe{{\\x00', b'\\x00' * 999, b'{{' * 5000, b'[' * 100000, b'{{"step": 1e999}}', '{good % 2}'.encode('utf-16'),
       b'{{"step": NaN, "val_acc": NaN}}', b'{{"step": "1"}}', b'{{"step": 1', b'x' * 3_000_000, b'null', b'{{"step": -1, "val_acc": []}}']
for step in (1, 3, 2, 3, 4):
    for line in bad:
        out.write(line + b'\\n')
    out.write(b'{{"step": %d, "val_acc": 0.5, "train_loss": 1}}\\n' % step)
    out.flush()
"""
    script = lab.folder / "garbled.py"
    script.write_text(code)

    lab.start(words=[sys.executable, str(script)], steps=4)
    assert lab.closed().code == 0
    assert lab.run().reached[-1].level == 4
    assert lab.run().reached[-1].value == 0.5
    sound(lab, lines=False)


def _damage(journal: Path, event: str) -> None:
    """Overwrite the first line of a kind with bytes of the same length."""
    content = journal.read_bytes()
    line = re.search(rb'[^\n]*"event":"%s"[^\n]*' % event.encode(), content)
    assert line
    start, end = line.span()
    journal.write_bytes(content[:start] + b"\xff" * (end - start) + content[end:])


def test_what_the_supervisor_says_of_itself_is_never_believed(lab):
    """owner.json, beat and the log are information: garbage in them changes nothing."""
    lab.hold(2)
    lab.start(words=careful(lab))
    lab.running()
    lab.kill_supervisor()
    layout = Layout(lab.directory)
    layout.owner.write_bytes(b"\xff{")
    layout.log.write_bytes(b"\x1b]0;pwned\x07" * 100)
    lab.revive()
    until(lambda: lab.events("RunAdopted"))
    lab.release()
    assert lab.closed().code == 0
    sound(lab)
