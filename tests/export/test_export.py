"""`lrtui export`: what is written, for which directories, and into which folders. The tools' own readers: test_tools.py."""

import csv
import json
import math
import os
import shutil
from pathlib import Path

import pytest

from lrtui.cli.main import main
from lrtui.frontend.snapshot import DirectoryReader
from lrtui.report import content
from lrtui.sweep.state import State
from tests.recorded import make

FORMAT1 = Path(__file__).parent.parent / "data" / "format1"


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def table(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def measured(folder: Path) -> dict[tuple[str, str], list[tuple[float, float]]]:
    """Return (epoch, value) of metrics.csv, by run and metric."""
    found: dict[tuple[str, str], list[tuple[float, float]]] = {}
    for row in table(folder / "metrics.csv"):
        at = (float(row["epoch"]), float(row["value"]))
        found.setdefault((row["run"], row["metric"]), []).append(at)
    return found


def listing(directory: Path) -> list[tuple[str, int, int]]:
    every = sorted(directory.rglob("*"))
    return [(str(each), each.stat().st_mtime_ns, each.stat().st_size) for each in every]


def same(one, other) -> bool:
    """Compare points, nan being equal to nan."""
    return repr(one) == repr(other)


def test_csv_has_every_value_of_every_run(here):
    """As the monitor merges the attempts, of which each goes on two epochs before the end of the last."""
    directory = make(here / "sweep", ["finished", "diverged", "pruned", "running"], attempts=3)
    before = listing(directory)
    assert main(["export", "sweep", "--to", "csv"]) == 0
    assert listing(directory) == before
    snapshot = DirectoryReader(directory).snapshot(60)
    wanted = {
        (run, name): list(zip(series.get(name).x, series.get(name).y, strict=True))
        for run, series in snapshot.series.items()
        for name in series.names()
    }
    found = measured(here / "sweep-csv")
    assert found.keys() == wanted.keys()
    assert all(same(found[key], wanted[key]) for key in wanted)
    rows = table(here / "sweep-csv/metrics.csv")
    times = [float(row["time"]) for row in rows if row["run"] == "r01"]
    assert times == sorted(times)
    assert {row["attempt"] for row in rows} == {"1", "2", "3"}


def test_csv_says_settings_states_and_the_verdict(here):
    make(here / "sweep", ["finished", "finished", "failed", "queued"], seeds=2, closed=0)
    main(["export", "sweep", "--to", "csv", "-o", "out/tables"])
    runs = table(here / "out/tables/runs.csv")
    assert len(runs) == 8
    best = [row for row in runs if row["recommended"] == "yes"]
    assert {row["lr"] for row in best} == {"3.2e-05"}
    assert {row["seed"] for row in best} == {"0", "1"}
    assert best[0]["dataset"] == "cifar100"
    assert best[0]["started"] < best[0]["ended"]
    assert runs[4]["state"] == "failed"
    assert runs[-1]["started"] == ""
    (verdict,) = table(here / "out/tables/verdict.csv")
    snapshot = DirectoryReader(here / "sweep").snapshot(60)
    assert verdict["headline"] == content(snapshot).verdict.headline
    assert "failed" in verdict["reasons"]


@pytest.mark.parametrize("name", ["search", "stopped", "study", "range", "killed"])
def test_directories_of_format_1(name, here):
    """A search with rungs, a study and a range test among them; copies, so that nothing can be commanded."""
    shutil.copytree(FORMAT1 / name, here / name)
    assert main(["export", name, "--to", "csv"]) == 0
    runs = {row["run"] for row in table(here / f"{name}-csv/metrics.csv")}
    began = [
        each
        for each in DirectoryReader(here / name).snapshot(60).sweep.runs.values()
        if each.attempts and each.state is not State.QUEUED
    ]
    assert runs <= {run.id for run in began}
    assert runs


def test_nothing_started_is_said(here, capsys):
    (here / "new").mkdir()
    (here / "new/experiment.toml").touch()
    assert main(["export", "new", "--to", "csv"]) == 2
    assert "there is nothing to export" in capsys.readouterr().err
    assert not (here / "new-csv").exists()


def test_a_second_export_never_doubles(here, capsys):
    make(here / "sweep", ["finished", "running"])
    assert main(["export", "sweep", "--to", "tensorboard"]) == 0
    assert main(["export", "sweep", "--to", "tensorboard"]) == 2
    said = capsys.readouterr().err
    assert "already" in said
    assert "--force" in said
    shutil.rmtree(here / "sweep")
    make(here / "sweep", ["finished"])
    (here / "sweep-tensorboard/r01-lr1e-05/mine.txt").write_text("kept")
    assert main(["export", "sweep", "--to", "tensorboard", "--force"]) == 0
    left = {each.parent.name for each in (here / "sweep-tensorboard").rglob("events*")}
    assert left == {"sweep-tensorboard", "r01-lr1e-05"}
    assert (here / "sweep-tensorboard/r01-lr1e-05/mine.txt").read_text() == "kept"


def test_an_interrupted_export_is_replaced(here):
    make(here / "sweep", ["finished"])
    main(["export", "sweep", "--to", "csv"])
    record = here / "sweep-csv/.lrtui-export.json"
    told = json.loads(record.read_text())
    record.write_text(json.dumps({**told, "files": None}))
    (here / "sweep-csv/metrics.csv.tmp").touch()
    assert main(["export", "sweep", "--to", "csv", "--force"]) == 0
    assert sorted(os.listdir(here / "sweep-csv")) == sorted([record.name, *told["files"]])


def test_other_files_are_never_touched(here, capsys):
    """Without a record of lrtui's, --force changes nothing; a record that names files outside removes none."""
    make(here / "sweep", ["finished"])
    (here / "full").mkdir()
    (here / "full/runs.csv").write_text("mine")
    for folder in ("full", "sweep", "full/runs.csv"):
        assert main(["export", "sweep", "--to", "csv", "-o", folder, "--force"]) == 2
    assert (here / "full/runs.csv").read_text() == "mine"
    capsys.readouterr()
    (here / "forged").mkdir()
    record = {"source": "", "target": "csv", "kept": [], "files": ["../full/runs.csv", "x"]}
    (here / "forged/.lrtui-export.json").write_text(json.dumps(record))
    assert main(["export", "sweep", "--to", "csv", "-o", "forged", "--force"]) == 0
    assert (here / "full/runs.csv").read_text() == "mine"


HOSTILE_NAMES = (
    "../../x",
    "/etc/x",
    "=1+1",
    "a\x1b[2Jb",
    "..",
    "a/../b",
    "_step",
    "x" * 900,
    "_hparams_/y",
)


def write_hostile(directory: Path) -> None:
    """Write a sweep whose text and metrics' names are hostile; its first run has 10,000 names."""
    make(directory, ["finished", "failed"], hostile=True)
    first = next(directory.glob("r01-*/a1/metrics.jsonl"))
    lines = [{"epoch": 20, name: 1.0} for name in HOSTILE_NAMES]
    lines += [{"epoch": 20, **{f"m{n}": n for n in range(10_000)}}]
    with first.open("a") as file:
        file.writelines(json.dumps(line) + "\n" for line in lines)


@pytest.mark.parametrize("target", ["csv", "parquet", "tensorboard"])
def test_hostile_names_stay_inside(target, here):
    write_hostile(here / "a" / "sweep")
    before = listing(here / "a")
    assert main(["export", "a/sweep", "--to", target, "-o", "a/out/deep"]) == 0
    after = [each for each in listing(here / "a") if "/a/out" not in each[0]]
    assert [each for each in after if each[0] != str(here / "a")] == before
    if target == "csv":
        text = (here / "a/out/deep/metrics.csv").read_text()
        assert "\x1b" not in text
        assert "'=1+1" in text
        assert ",../../x," in text  # a name, not a path


def write_lines(directory: Path, run: str, lines: list[dict[str, float]]) -> None:
    """Replace what a run of a recorded sweep measured."""
    file = next(directory.glob(f"{run}-*/a1/metrics.jsonl"))
    file.write_text("".join(json.dumps(line) + "\n" for line in lines))


def walk(directory: Path):
    from lrtui.export.subject import subject

    made = subject(DirectoryReader(directory).snapshot(60))
    return made.walk.steps, {run.run.id: list(made.rows(run)) for run in made.runs}


@pytest.mark.parametrize(
    ("lines", "words", "steps"),
    [
        ([{"epoch": 1, "a": 1}, {"epoch": 2, "a": 2}], "epoch", [1, 2]),
        ([{"epoch": 0.5, "a": 1}, {"epoch": 1.25, "a": 2}], "epoch times 1,000", [500, 1250]),
        ([{"epoch": 0.002, "a": 1}, {"epoch": 0.003, "a": 2}], "epoch times 1,000", [2, 3]),
        ([{"epoch": 1, "a": 1}, {"epoch": 1.00001, "a": 2}], "epoch times 100,000", [100000, 100001]),
        ([{"epoch": 0.1, "step": 7, "a": 1}, {"epoch": 0.2, "step": 9, "a": 2}], "the script's step", [7, 9]),
        ([{"epoch": 0.1, "step": 9, "a": 1}, {"epoch": 0.2, "step": 2, "a": 2}], "epoch times 1,000", [100, 200]),
        ([{"epoch": 1, "step": 5, "a": 1}, {"epoch": 2, "b": 2}], "epoch", [1, 2]),
        ([{"epoch": 1, "a": 1}, {"epoch": 1 + 2**-50, "a": 2}], "epoch times 1,000,000,000", [10**9, 10**9 + 1]),
    ],
)  # fmt: skip
def test_positions_become_whole_steps(lines, words, steps, here):
    """Ascending, none lost, and the same for all runs."""
    directory = make(here / "sweep", ["finished", "finished"])
    for run in ("r01", "r02"):
        write_lines(directory, run, lines)
    found, rows = walk(directory)
    assert found.words("epoch") == words
    assert [row.at for row in rows["r01"]] == steps


def test_lines_of_one_position_are_one_row(here):
    """Of a value that was written twice the last one; a late line takes its place."""
    directory = make(here / "sweep", ["finished"])
    write_lines(
        directory,
        "r01",
        [
            {"epoch": 1, "a": 1},
            {"epoch": 3, "a": 3},
            {"epoch": 1, "b": 5},
            {"epoch": 3, "a": 4, "c": math.inf},
            {"epoch": 2, "a": 2},
        ],
    )
    _, rows = walk(directory)
    values = [(row.level, row.values) for row in rows["r01"]]
    assert values == [(1, {"a": 1, "b": 5}), (2, {"a": 2}), (3, {"a": 4, "c": math.inf})]


def test_lines_without_a_time_get_an_estimate(here):
    directory = make(here / "sweep", ["finished"])
    write_lines(directory, "r01", [{"epoch": n, "a": n} for n in (1, 2, 3)])
    _, rows = walk(directory)
    attempt = DirectoryReader(directory).snapshot(60).sweep.runs["r01"].attempts[0]
    walls = [row.wall for row in rows["r01"]]
    middle = (attempt.started_at + attempt.ended_at) / 2
    assert walls == [attempt.started_at, middle, attempt.ended_at]
    assert {row.time for row in rows["r01"]} == {None}
