"""The command line as a person meets it: its words, what it prints, its exit codes."""

import argparse
import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from lrtui.cli import add
from lrtui.sweep import events as ev
from tests.conftest import SHORT
from tests.supervisor.chaos import preloaded_pid, supervisor_pid
from tests.until import until

EXPERIMENTS = Path(__file__).parent.parent.parent / "experiments"


def test_one_command_trains_ranks_and_reports(lab):
    file = lab.toml(lrs="1e-3, 3e-4, 1e-1", steps=5)
    done = lab.lrtui(str(file), "--headless")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "3e-04" in done.stdout
    report = json.loads((lab.folder / "runs/lab/report.json").read_text())
    assert [row["rank"] for row in report["leaderboard"]] == [1, 2, 3]
    assert report["leaderboard"][0]["lr"] == 0.1
    assert "1e-01" in (lab.folder / "runs/lab/report.md").read_text()
    lab.directory = lab.folder / "runs/lab"


def test_where_stdout_is_no_terminal_the_log_mode_runs_and_json_is_json(in_process):
    lab = in_process
    done = lab.lrtui(str(lab.toml(steps=3)), "--json")
    assert done.returncode == 0
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert {"SweepOpened", "RunEnded", "SweepClosed"} <= {line.get("event") for line in lines}
    lab.directory = lab.folder / "runs/lab"


def test_the_second_lrtui_attaches_to_the_first(lab):
    lab.hold(2)
    file = lab.toml()
    first = subprocess.Popen(
        [sys.executable, "-m", "lrtui", str(file), "--headless"],
        cwd=lab.folder,
        stdout=subprocess.PIPE,
    )
    lab.directory = lab.folder / "runs/lab"
    lab.running()
    words = [sys.executable, "-m", "lrtui", str(file), "--headless"]
    with subprocess.Popen(words, cwd=lab.folder, stdout=subprocess.PIPE, text=True) as second:
        assert second.stdout.readline()  # it follows the sweep
        lab.release()
        second.communicate()
    assert second.returncode == 0
    assert first.wait(300) == 0
    assert len(lab.events("SweepOpened")) == 1
    assert lab.doubled() == []


def test_ctrl_c_detaches_and_says_how_to_come_back(lab):
    lab.hold(2)
    file = lab.toml()
    first = subprocess.Popen(
        [sys.executable, "-m", "lrtui", str(file), "--headless"],
        cwd=lab.folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    lab.directory = lab.folder / "runs/lab"
    lab.running()
    first.send_signal(signal.SIGINT)
    out, _ = first.communicate(timeout=300)
    lab.release()
    assert first.returncode == 130
    assert "lrtui stop" in out
    assert lab.closed().code == 0


def test_every_interactive_act_has_its_verb(in_process):
    lab = in_process
    lab.start(lrs="1e-3, 3e-4", steps=100_000)
    lab.running("r01", 2)
    lab.running("r02", 2)
    directory = str(in_process.directory)

    def ok(*words):
        done = lab.lrtui(*words)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    ok("freeze", directory, "r01")
    assert "frozen" in ok("explain", directory, "r01")
    ok("resume", directory, "r01")
    ok("pause", directory, "3e-4")
    assert "paused" in ok("status", directory)
    ok("parallel", directory, "3")
    ok("resume", directory, "r02")
    ok("add", directory, "--lr", "7e-4", "--lr", "8e-4")
    ok("kill", directory, "r01")
    assert "killed by you" in ok("explain", directory, "r01")
    ok("restart", directory, "r01", "--from-checkpoint")
    runs = json.loads(ok("status", directory, "--json"))["runs"]
    assert runs["r03"] and runs["r04"]  # noqa: PT018
    assert "to continue" in ok("stop", directory)
    assert lab.closed().code == 4
    assert lab.left() == []


def test_looking_never_revives_a_supervisor(in_process):
    lab = in_process
    lab.start(steps=400)
    lab.running()
    lab.kill_supervisor()
    directory = str(lab.directory)
    for words in (
        ["status", directory],
        ["explain", directory],
        ["report", directory],
        ["ls", str(lab.folder)],
    ):
        assert lab.lrtui(*words).returncode == 0
    assert supervisor_pid(lab.directory) is None
    lab.revive()
    assert lab.send(ev.StopSweep()).ok


def test_lrtui_on_a_directory_with_a_dead_supervisor_revives_it(lab):
    lab.hold(2)
    lab.start(lrs="1e-3, 1e-2, 1e-1")
    lab.running()
    lab.kill_supervisor()
    lab.release()
    (lab.directory / "beat").unlink(missing_ok=True)
    assert lab.lrtui(str(lab.directory), "--headless").returncode == 0
    assert lab.doubled() == []
    assert len(lab.sweep.runs) == 3


def test_stopped_sweeps_are_viewed_and_resume_goes_on(in_process, monkeypatch):
    lab = in_process
    monkeypatch.setenv("LRTUI_TIMING", f"{SHORT},linger=0.1")
    lab.start(lrs="1e-3, 1e-2, 1e-1", steps=60)
    lab.running()
    assert lab.lrtui("stop", str(lab.directory)).returncode == 0
    until(lambda: supervisor_pid(lab.directory) is None)
    assert lab.lrtui(str(lab.directory), "--headless").returncode == 4
    assert lab.lrtui(str(lab.directory), "--headless", "--resume").returncode == 0
    assert {run.ending.kind for run in lab.sweep.runs.values()} == {"finished"}


def test_an_edited_file_is_said_and_nothing_is_lost(in_process):
    lab = in_process
    file = lab.toml(steps=3)
    assert lab.lrtui(str(file), "--headless").returncode == 0
    text = file.read_text()
    file.write_text("# only a comment\n" + text)
    assert lab.lrtui(str(file), "--headless").returncode == 0
    file.write_text(text.replace("steps = 3", "steps = 4"))
    done = lab.lrtui(str(file), "--headless")
    assert done.returncode == 2
    assert "edited" in done.stderr
    assert "--new" in done.stderr
    assert lab.lrtui(str(file), "--headless", "--new").returncode == 0
    assert (lab.folder / "runs/lab-2/report.json").exists()


def test_a_directory_of_another_experiment_is_not_touched(in_process):
    lab = in_process
    assert lab.lrtui(str(lab.toml(steps=3)), "--headless", "--dir", "here").returncode == 0
    other = lab.folder / "other.toml"
    other.write_text(lab.toml(steps=7).read_text())
    done = lab.lrtui(str(other), "--headless", "--dir", "here")
    assert done.returncode == 2
    assert "another experiment" in done.stderr


def test_a_copy_is_view_only_and_its_original_is_left_alone(in_process):
    lab = in_process
    lab.start(steps=300)
    lab.running()
    copy = lab.folder / "copy"
    shutil.copytree(lab.directory, copy)
    done = lab.lrtui("kill", str(copy), "r01")
    assert done.returncode == 6, done.stdout + done.stderr
    assert "copy" in done.stderr
    assert lab.left()
    assert lab.lrtui("status", str(copy)).returncode == 0
    assert lab.send(ev.StopSweep()).ok


@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        (["nosuch.toml"], 2, "no such file"),
        (["check", "nosuch.toml"], 2, "no such file"),
        (["status", "."], 2, "not an experiment directory"),
        (["kill", ".", "r01"], 2, "not an experiment directory"),
        (["kill"], 2, "required"),
        (["frobnicate"], 2, "no such file"),
    ],
)
def test_mistakes_end_with_a_remedy_and_no_traceback(in_process, words, code, says):
    lab = in_process
    done = lab.lrtui(*words)
    assert done.returncode == code
    assert says in done.stderr
    assert "Traceback" not in done.stderr


def test_a_command_that_fails_at_once_brakes_the_queue_with_its_own_words(lab):
    file = lab.toml(lrs="1e-3, 2e-3, 3e-3, 4e-3, 5e-3", words=["no-such-program", "{lr}"])
    done = lab.lrtui(str(file), "--headless")
    assert done.returncode == 1
    assert "no-such-program" in done.stdout
    lab.directory = lab.folder / "runs/lab"


def test_a_sweep_without_its_data_ends_with_5_and_says_where_to_put_it(lab):
    proxy = "http://127.0.0.1:9"  # nobody listens: whatever network there is cannot be reached
    words = [str(EXPERIMENTS / "cifar100.toml"), "--headless", "--set", "data_dir=nothing-here"]
    done = lab.lrtui(*words, env={**os.environ, "http_proxy": proxy, "https_proxy": proxy})
    assert done.returncode == 5
    assert "cifar-100-python.tar.gz" in done.stdout + done.stderr
    assert "\nno answer: cifar100 is not on this machine" in done.stdout
    assert "\nor try without it: --dataset synthetic" in done.stdout
    assert preloaded_pid(lab.folder / "runs/cifar100") is None  # no run will need it


@pytest.mark.parametrize(
    "words",
    ["DIR --lr 1e-3 --lr 2e-3 --seed 3", "--lr 1e-3 --lr 2e-3 DIR --seed 3"],
)
def test_add_takes_its_directory_before_and_after_the_rates(words):
    parser = argparse.ArgumentParser()
    add.add_arguments(parser)
    options = parser.parse_args(words.split())
    assert (options.directory, options.lr, options.seed) == (Path("DIR"), [1e-3, 2e-3], 3)
