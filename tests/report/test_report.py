"""The report: complete, strict, safe to publish, and no recommendation that was not earned."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys

import pytest

from lrtui import report
from lrtui.analysis.verdict import verdict
from lrtui.cli import main
from lrtui.errors import MachineError
from lrtui.frontend.snapshot import DirectoryReader, Snapshot
from lrtui.sweep import events as ev
from lrtui.sweep.layout import Layout
from tests import recorded
from tests.recorded import STATES


def snapshot_of(directory) -> Snapshot:
    return DirectoryReader(directory).snapshot(10)


def make(directory, states, **kwargs):
    """Return a recorded directory whose finished runs have journalled their last value, as a supervisor does."""
    recorded.make(directory, states, **kwargs)
    runs = snapshot_of(directory).sweep.runs
    journal, told = directory / "journal.jsonl", []
    for line in journal.read_bytes().splitlines():
        event = ev.decode_event(line)
        if isinstance(event, ev.RunEnded) and event.kind == "finished":
            told += _reached(directory / runs[event.run].folder / f"a{event.attempt}", event)
        told.append(event)
    lines = []
    for n, event in enumerate(told, 1):
        fields = {name: getattr(event, name) for name in event.__struct_fields__}
        lines.append(ev.encode(type(event)(**fields | {"v": ev.VERSION, "n": n})) + b"\n")
    journal.write_bytes(b"".join(lines))
    return directory


def _reached(folder, ended):
    lines = (folder / "metrics.jsonl").read_bytes().splitlines()
    last = json.loads(next(line for line in reversed(lines) if b"val_loss" in line))
    metric = json.loads((folder.parents[1] / "journal.jsonl").read_bytes().splitlines()[0])["plan"][
        "metric"
    ]
    if metric not in last:
        return []
    return [
        ev.RunReached(
            run=ended.run, attempt=ended.attempt, level=last["epoch"], value=last[metric],
            val_loss=last["val_loss"], at=ended.at,
        )
    ]  # fmt: skip


def judge(tmp_path, states, **kwargs):
    return verdict(snapshot_of(make(tmp_path / "sweep", states, **kwargs)).sweep)


def refuse(word):
    raise AssertionError(word)


def test_the_report_holds_board_verdict_and_how_to_do_it_again(tmp_path):
    directory = make(tmp_path / "sweep", ["finished", "finished", "pruned", "diverged"], closed=0)
    written = report.write(directory, snapshot_of(directory))
    names = [path.name for path in written.paths]
    assert names == ["report.md", "report.json", "report.csv", "curves.csv", "report.html"]
    assert not written.missing
    assert all(stat.S_IMODE(path.stat().st_mode) == 0o600 for path in written.paths)
    assert not list(directory.glob("*.tmp"))
    made = json.loads((directory / "report.json").read_text(), parse_constant=refuse)
    assert (made["version"], made["experiment"]) == (2, "sweep")
    first, *_, last = made["leaderboard"]
    assert (first["rank"], first["run"], first["kind"], first["epoch"]) == (
        1,
        "r02",
        "finished",
        20,
    )
    assert first["test"]["test_acc"] == pytest.approx(first["value"] - 0.01)
    assert first["at"] == 20
    assert last["kind"] == "diverged"
    assert last["why"].startswith("train_loss was not finite")
    assert made["verdict"]["lr"] == 3.2e-05
    assert made["verdict"]["noise"] == "assumed"
    assert any("1 seed: noise assumed" in reason for reason in made["verdict"]["reasons"])
    assert {"python", "lrtui"} <= set(made["versions"])
    assert made["experiment_file"][0] == 'dataset = "cifar100"'
    text = (directory / "report.md").read_text()
    assert "**use lr = 3.2e-05**" in text
    assert "| **1** | r02 | 3.2e-05 | finished | 0.3823 | 20 |" in text, (
        "no column for ± se: one seed"
    )
    assert report.write(directory, snapshot_of(directory)) == written  # again, over the old one


def test_the_command_starts_from_the_copy_of_the_file_that_the_runs_used(tmp_path):
    directory = make(tmp_path / "a sweep", ["finished"])
    assert report.content(snapshot_of(directory)).reproduce == (
        "cd /",
        f"lrtui '{str(directory)[1:]}/experiment.toml' --new",
    )
    layout = Layout(directory)
    layout.origin.write_text(json.dumps({"source": "x", "cwd": "/usr/lib", "python": "p"}))
    assert report.content(snapshot_of(directory)).reproduce == (
        "cd /usr/lib",
        f"lrtui '{directory}/experiment.toml' --new",
    )


def test_an_experiment_file_that_is_a_link_is_not_followed(tmp_path):
    directory = make(tmp_path / "sweep", ["finished"])
    secret = tmp_path / "secret"
    secret.write_text("my key")
    (directory / "experiment.toml").unlink()
    (directory / "experiment.toml").symlink_to(secret)
    assert report.content(snapshot_of(directory)).experiment_file == ()


def test_what_the_runs_used_is_read_from_the_first_attempt(tmp_path):
    directory = make(tmp_path / "sweep", ["finished"])
    argv = next(directory.glob("r01-*/a1/argv.json"))
    argv.write_text(json.dumps({"program": "/usr/bin/python3.11", "git": "c0ffee", "argv": ["x"]}))
    assert report.content(snapshot_of(directory)).ran_with == {
        "program": "/usr/bin/python3.11",
        "git": "c0ffee",
    }
    argv.write_text("[" * 100_000)
    assert report.content(snapshot_of(directory)).ran_with == {}


@pytest.mark.parametrize(
    ("words", "names"),
    [
        ([], {"report.md", "report.json", "report.html", "report.csv", "curves.csv"}),
        (["--json"], {"report.json"}),
        (["--html", "--md"], {"report.html", "report.md"}),
        (["--csv"], {"report.csv", "curves.csv"}),
        (["--svg"], {"sensitivity.svg", "curves.svg"}),
        (["--png"], {"sensitivity.png", "curves.png"}),
    ],
)
def test_the_verb_writes_what_is_asked_for_and_names_it(tmp_path, capsys, words, names):
    directory = make(tmp_path / "sweep", ["finished", "diverged"])
    before = set(os.listdir(directory))
    assert main.main(["report", str(directory), *words]) == 0
    assert set(os.listdir(directory)) - before == names
    assert {line.rpartition("/")[2] for line in capsys.readouterr().out.splitlines()} == names


def test_without_matplotlib_the_rest_is_written_and_what_to_install_is_said(tmp_path):
    directory = make(tmp_path / "sweep", ["finished"])
    code = (
        "import sys; sys.modules['matplotlib'] = None\n"
        "from lrtui.cli.main import main; sys.exit(main(['report', *sys.argv[1:]]))"
    )
    command = [sys.executable, "-c", code, str(directory)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0
    assert "pip install 'lrtui[report]'" in done.stderr
    assert (directory / "report.csv").exists()
    assert not (directory / "report.html").exists()
    asked = subprocess.run([*command, "--svg"], capture_output=True, text=True, check=False)
    assert asked.returncode == 5, "what was asked for was not done"
    assert "no charts, so no svg: matplotlib is not installed" in asked.stderr


def test_only_charts_need_matplotlib(tmp_path):
    directory = make(tmp_path / "sweep", ["finished"])
    code = (
        "import sys; from lrtui.cli.main import main; main(['report', sys.argv[1], '--md', '--json', '--csv'])\n"
        "print({'matplotlib', 'torch', 'textual', 'plotext'} & set(sys.modules))"
    )
    command = [sys.executable, "-c", code, str(directory)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "set()"


def test_charts_ask_for_no_window_and_leave_pyplot_alone(tmp_path):
    directory = make(tmp_path / "sweep", ["finished"])
    code = "import sys; from lrtui.cli.main import main; main(['report', *sys.argv[1:]])\nprint('matplotlib.pyplot' in sys.modules)"
    command = [sys.executable, "-c", code, str(directory), "--html", "--svg", "--png"]
    environment = {**os.environ, "MPLBACKEND": "TkAgg", "DISPLAY": ""}
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=environment)
    assert done.stdout.splitlines()[-1] == "False"
    assert not done.stderr


def test_hostile_names_make_no_markup_and_no_escapes(tmp_path):
    name = "x](http://evil)<script>|a`b`*c* # www.evil.com https://evil _u_"
    directory = make(tmp_path / "sweep", STATES, hostile=True, name=name)
    for path in report.write(
        directory, snapshot_of(directory), set(report.FORMATS) - {"png"}
    ).paths:
        text = path.read_text()
        assert not any(char in text for char in "\x1b\x07\u202e\x00"), path
        if path.suffix == ".md":
            name = r"x\](http:\//evil)\<script>|a\`b\`\*c* # www\.evil.com https:\//evil \_u\_"
            assert f"- experiment: {name}\n" in text
            tables = text.split("\n\n")
            for table in (part.splitlines() for part in tables if part.startswith("|")):
                assert len({line.replace("\\|", "").count("|") for line in table}) == 1
        elif path.suffix == ".json":
            json.loads(text, parse_constant=refuse)
        elif path.suffix == ".html":
            assert "<script" not in text


def test_a_directory_without_a_plan_has_a_report_too(tmp_path):
    report.write(tmp_path, snapshot_of(tmp_path))
    assert json.loads((tmp_path / "report.json").read_text())["verdict"]["lr"] is None


def test_a_report_that_cannot_be_written_says_so(tmp_path):
    directory = make(tmp_path / "sweep", ["finished"])
    snapshot = snapshot_of(directory)
    with pytest.raises(MachineError, match="the report cannot be written"):
        report.write(directory / "gone", snapshot)


def test_a_link_in_the_reports_place_is_replaced_not_followed(tmp_path):
    directory = make(tmp_path / "sweep", ["finished"])
    victim = tmp_path / "victim"
    victim.write_text("mine")
    os.symlink(victim, directory / "report.md")
    report.write(directory, snapshot_of(directory))
    assert victim.read_text() == "mine"
    assert not (directory / "report.md").is_symlink()


# ---------------------------------------------------------------- verdict


def texts(found):
    return [reason.text for reason in found.reasons]


def test_only_what_was_trained_to_the_end_is_recommended(tmp_path):
    found = judge(tmp_path, ["finished", "running", "pruned"])
    assert found.lr == 1e-05
    assert found.provisional
    assert "nothing to compare it with: no other learning rate was trained to the end" in texts(
        found
    )
    assert "provisional: 1 run not ended" in texts(found)
    assert found.not_tested == ("< 1e-05", "> 1e-04", "3.2e-05 (running)")


def test_an_edge_is_told_and_dead_neighbours_are_no_edge(tmp_path):
    up = judge(tmp_path / "a", ["finished", "finished"])
    assert "best at the edge of the search: try higher than 3.2e-05" in texts(up)
    bounded = judge(tmp_path / "b", ["finished", "finished", "diverged"])
    assert not any("edge" in text for text in texts(bounded))
    assert "diverged, not to be recommended: 1e-04" in texts(bounded)


def test_runner_up_gap_and_what_counts_as_equal(tmp_path):
    found = judge(tmp_path, ["finished", "finished"], within=0.5)
    assert texts(found)[1] == "next best: 1e-05 with 0.2145, behind by 0.1678 (equal within 0.5)"


def test_seeds_give_the_noise(tmp_path):
    found = judge(tmp_path, ["finished", "finished"], seeds=3)
    assert any(reason.text.startswith("3 seeds: 0.") for reason in found.reasons)
    assert not any("1 seed" in text for text in texts(found))


@pytest.mark.parametrize(
    ("states", "said"),
    [
        (
            ["diverged", "diverged"],
            "every learning rate diverged: try lower than 1e-05 (1e-05 to 3.2e-05 were tried)",
        ),
        (["failed", "failed"], "r01 1e-05 failed: exit code 1; fix that first"),
        (["killed"], "restart a run that was killed"),
        (["running", "queued"], "wait: 2 runs not ended"),
    ],
)
def test_nothing_finished_says_what_to_try(tmp_path, states, said):
    found = judge(tmp_path, states)
    assert found.lr is None
    assert said in texts(found)


def test_a_metric_that_no_run_prints(tmp_path):
    found = judge(tmp_path, ["finished"], metric="accuracy")
    assert "no run printed accuracy: does the script emit it?" in texts(found)


def test_a_test_metric_as_objective_is_marked(tmp_path):
    found = judge(tmp_path, ["finished"], metric="test_acc")
    assert any(reason.text.startswith("selected on test data") for reason in found.reasons)


def test_a_report_imports_no_torch():
    code = "import sys, lrtui.report; print({'torch', 'textual', 'plotext', 'numpy', 'matplotlib'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
