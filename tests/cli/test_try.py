"""`lrtui try`: what is read from a script, without a sweep."""

import os
import shutil
from pathlib import Path

import pytest

from lrtui.cli import try_out
from lrtui.cli.main import main
from lrtui.metrics import MetricLog
from lrtui.workers.local import Local
from tests.until import PATIENCE_SECONDS

FILE = """\
command = ["sh", "train.sh", "{lr}"]
epochs  = 4
metric  = "max val_acc"
lr      = [0.01, 0.1, 1.0]
"""


@pytest.fixture
def tried(tmp_path, monkeypatch, capsys):
    """Run `lrtui try` on a script, with keys added to the experiment file; return (exit code, what it said)."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(try_out, "_SECONDS", PATIENCE_SECONDS)

    def run(script: str, keys: str = "", *words: str) -> tuple[int, str]:
        (tmp_path / "train.sh").write_text(script)
        text = FILE.partition("\n")[2] if "command =" in keys else FILE
        (tmp_path / "a.toml").write_text(text + keys)
        code = main(["try", "a.toml", *words])
        return code, capsys.readouterr().out

    return run


def test_a_script_that_is_read_is_stopped_when_the_metric_came_twice(tried, capsys):
    script = 'echo lr $1 $$ > pid; for e in 1 2; do echo "{\\"epoch\\": $e, \\"val_acc\\": 0.$e}"; done; exec sleep 600'
    code, said = tried(script)
    assert code == 0
    assert "sh train.sh 1e-01\n" in said, "the learning rate in the middle"
    assert f"sh is {shutil.which('sh')}\n" in said
    assert main(["check", "a.toml"]) == 0
    assert f"  sh is {shutil.which('sh')}\n" in capsys.readouterr().out
    assert "val_acc was read twice\n" in said
    assert "      2 x  {" in said
    assert "epoch 1, val_acc 0.1000\n" in said
    assert "lengths: epoch 1 to 2\n" in said
    _, lr, pid = Path("pid").read_text().split()
    assert float(lr) == 0.1
    with pytest.raises(ProcessLookupError):
        os.kill(int(pid), 0)


def test_lines_that_are_not_read_are_shown_with_a_parse_that_reads_them(tried):
    script = "\n".join(
        f"echo 'Train Epoch: {e} [0/60 (0%)]  Loss: 2.3'; echo 'Test set: Average loss: 0.1, Accuracy: 40/60 (67%)'"
        for e in (1, 2)
    )
    code, said = tried(script + "; echo bye")
    assert code == 1
    assert "it ended after" in said
    assert "not read, although there are numbers in it:\n      2 x  Train Epoch: 1" in said
    assert "1 other line without measurements" in said
    assert said.endswith("this reads more:\n  parse = 'mnist'\n")
    code, said = tried(script, 'parse = "mnist"\n')
    assert code == 0
    assert "val_acc, which decides, was read 2 times" in said


def test_a_metric_that_may_come_later_needs_more_time(tried):
    code, said = tried("exec sleep 600", "", "--seconds", "0.2")
    assert code == 1
    assert "time is up; if val_acc comes later, give it more: --seconds 10\n" in said
    assert "this reads more" not in said


def test_no_other_pattern_is_proposed_while_the_own_one_may_match(tried):
    said = []
    for end, seconds in (("exec sleep 600", "1"), ("exit 0", "240")):
        script = f"for e in 1 2 3; do echo epoch $e acc 0.$e; done; {end}"
        keys = "parse = 'epoch (?P<epoch>\\d+) test (?P<val_acc>\\S+)'\n"
        said.append(tried(script, keys, "--seconds", seconds)[1])
    assert ["this reads more" in each for each in said] == [False, True]


def test_ctrl_c_is_not_called_the_end_of_the_time(tried, monkeypatch):
    def interrupt(_self):
        raise KeyboardInterrupt

    monkeypatch.setattr(MetricLog, "poll", interrupt)
    code, said = tried("exec sleep 600")
    assert code == 1
    assert "by Ctrl-C\n" in said
    assert "--seconds" not in said


def test_a_script_that_fails_shows_its_last_lines(tried):
    code, said = tried("echo 'no such flag: \033[31m--lr' >&2; exit 3")
    assert code == 1
    assert "with exit code 3; its last lines:\n  no such flag: --lr\n" in said
    code, said = tried("", "workdir = 'nowhere'\n")
    assert code == 1
    assert "nowhere: No such file or directory" in said


def test_an_attempt_that_cannot_be_started_is_said_and_given_up(tried, monkeypatch):
    def refuse(*_):
        raise OSError(11, "Resource temporarily unavailable")

    monkeypatch.setattr(Local, "launch", refuse)
    code, said = tried("echo ran")
    assert code == 1
    assert "could not be started: Resource temporarily unavailable" in said


def test_rows_of_files_are_shown_as_they_are_read(tried):
    script = "mkdir $2; (echo epoch,val_acc; echo 1,0.5; echo 2,0.6) > $2/a.csv"
    command = (
        'command = ["sh", "train.sh", "{lr}", "{run_dir}/logs"]\nread = "{run_dir}/logs/*.csv"\n'
    )
    code, said = tried(script, command)
    assert code == 0
    assert "read from the files that `read` names:\n      2 x  {" in said
    assert "epoch 1, val_acc 0.5000\n" in said


def test_a_saved_log_is_read_without_running_anything(tried, tmp_path):
    lines = [f'INFO {{"epoch": {e}, "val_accuracy": 0.5}}' for e in range(3)]
    (tmp_path / "saved.log").write_text("\n".join(lines))
    code, said = tried("touch ran", "", "--log", "saved.log")
    assert code == 1
    assert not (tmp_path / "ran").exists()
    assert "no value of val_acc was read; did you mean val_accuracy?" in said
    assert main(["try", "a.toml", "--log", "gone.log"]) == 2


def test_the_built_in_trainer_is_not_tried(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a.toml").write_text('dataset = "synthetic"\nepochs = 1\nlr = [0.1]\n')
    assert main(["try", "a.toml"]) == 2
    assert "lrtui check a.toml" in capsys.readouterr().err
