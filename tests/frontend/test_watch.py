"""Runs that lrtui did not start: found, grouped, named, followed and ordered; nothing that lies in a tree of logs breaks the reader."""

import io
import json
import os
import shutil
import struct
from pathlib import Path, PurePath

import pytest

from lrtui.errors import UserError
from lrtui.frontend.watch import board
from lrtui.frontend.watch.grouping import Place, is_log, place_of
from lrtui.frontend.watch.reader import WatchReader
from lrtui.frontend.watch.run_settings import learning_rate, settings_in, varying
from lrtui.metrics.deciding import deciding
from lrtui.metrics.sources.tensorboard import EventFile
from tests.until import until

LOGGERS = Path(__file__).parents[1] / "data" / "loggers"
EVENTS = "events.out.tfevents.1700000000.host.1.0"


def log(path: Path, *rows: dict[str, float], **settings: object) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    if settings:
        (path.parent / "config.json").write_text(json.dumps(settings))
    return path


def read(reader: WatchReader):
    snapshot = reader.snapshot()
    while snapshot.reading:
        snapshot = reader.snapshot()
    return snapshot


def names(snapshot) -> list[str]:
    return [row.runs[0] for row in snapshot.standings]


# ---------------------------------------------------------------- which run a file belongs to


@pytest.mark.parametrize(
    ("path", "beside", "place"),
    [
        (f"a/v0/{EVENTS}", (), Place("a/v0", "a/v0")),
        (EVENTS, (), Place("", "")),
        (f"a/train/{EVENTS}", ("plugins",), Place("a", "a", "train/")),
        (f"a/validation/{EVENTS}", (EVENTS + ".1",), Place("a", "a", "validation/")),
        (f"detect/train/{EVENTS}", ("results.csv",), Place("detect/train", "detect/train")),
        ("out/checkpoint-20/trainer_state.json", (), Place("out", "out", progress=20)),
        ("out/trainer_state.json", (), Place("out", "out")),
        ("w/wandb/offline-run-1-a/run-a.wandb", (), Place("w/wandb/offline-run-1-a", "w/wandb/offline-run-1-a")),
        ("a/version_0/metrics.csv", ("hparams.yaml",), Place("a/version_0", "a/version_0")),
        ("a/training_log.csv", (), Place("a", "a")),
        ("a/val.csv", ("train.csv",), Place("a", "a", "val/")),
        ("a/lr0.1.csv", ("lr0.2.csv",), Place("a/lr0.1.csv", "a")),
        ("metrics.jsonl", (), Place("", "")),
    ],
)  # fmt: skip
def test_a_file_belongs_to_a_run(path: str, beside: tuple[str, ...], place: Place) -> None:
    assert is_log(PurePath(path).name)
    assert place_of(PurePath(path), beside) == place


def test_other_files_are_no_logs() -> None:
    assert not any(
        map(is_log, ("config.json", "model.pt", "train.py", "notes.txt", "wandb-summary.json"))
    )


# ---------------------------------------------------------------- settings


def test_settings_are_read_from_what_loggers_write(tmp_path: Path) -> None:
    (tmp_path / "hparams.yaml").write_text(
        "!!python/object:argparse.Namespace\nlr: 0.001  # peak\nmodel:\n  width: 64\n  act: 'relu'\nlayers: [1, 2]\nempty:\n"
    )
    (tmp_path / ".hydra").mkdir()
    (tmp_path / ".hydra" / "overrides.yaml").write_text("- optim.lr=3e-4\n- +seed=2\n")
    (tmp_path / "files").mkdir()
    (tmp_path / "files" / "config.yaml").write_text(
        "wandb_version: 1\n_wandb:\n  desc: null\n  value:\n    python: 3.11\nwd:\n  desc: null\n  value: 0.1\n"
    )
    assert settings_in(tmp_path) == {
        "lr": 0.001, "model.width": 64, "model.act": "relu", "layers": "[1, 2]",
        "optim.lr": 3e-4, "seed": 2, "wd": 0.1,
    }  # fmt: skip


@pytest.mark.parametrize(
    "content", ["[" * 10_000, "{", '{"a": ' * 5000, ": : :\n" * 1000, "\0\0", "a: " + "x" * 10**6]
)
def test_spoiled_settings_are_no_settings(tmp_path: Path, content: str) -> None:
    for name in ("config.json", "config.yaml"):
        (tmp_path / name).write_text(content)
    settings_in(tmp_path)


def test_only_what_varies_gets_a_column() -> None:
    runs = [
        {"lr": 0.1, "wd": 0.0, "out_dir": "x/1", "net": "a" * 50, "epochs": 3},
        {"lr": 0.2, "wd": 0.0, "out_dir": "x/2", "net": "b" * 50, "epochs": 3, "aug": True},
        {},
    ]
    assert varying(runs) == ["lr"]
    assert learning_rate({"optim.learning_rate": 0.1, "base_lr": 0.2}) == (
        "optim.learning_rate",
        0.1,
    )
    assert learning_rate({"lr": "cosine", "flr": 0.1}) is None


def test_the_metric_is_an_evaluation_if_there_is_one() -> None:
    assert deciding({"train_loss": 3, "val_loss": 3, "lr": 3}, 3) == ("val_loss", "min")
    assert deciding({"eval/accuracy": 3, "eval/loss": 3}, 3) == ("eval/accuracy", "max")
    assert deciding({"val_acc": 1, "loss": 9}, 9) == ("loss", "min")
    assert deciding({"step_time": 2, "reward": 2}, 2) == ("reward", "max")
    assert deciding({}, 0) is None


# ---------------------------------------------------------------- reading


def test_runs_are_ordered_by_their_best_value(tmp_path: Path) -> None:
    log(
        tmp_path / "a" / "metrics.jsonl",
        {"step": 1, "val_loss": 0.5},
        {"step": 2, "val_loss": 0.7},
        lr=1e-3,
        wd=0.1,
    )
    log(tmp_path / "b" / "metrics.jsonl", {"step": 9, "val_loss": 0.6}, lr=1e-2, wd=0.1)
    (tmp_path / "c.csv").write_text("epoch,val_loss\n1,0.9\n2,0.4\n")
    snapshot = read(WatchReader([tmp_path]))
    assert names(snapshot) == ["c.csv", "a", "b"]
    row = snapshot.standings[1]
    assert (row.value, row.value_at, row.latest, row.level, row.lr) == (0.5, 1, 0.7, 2, 1e-3)
    assert set(row.setting.values) == {"name"}
    assert snapshot.standings[0].why == "its length is in epochs"
    assert snapshot.sweep.plan.metric == "val_loss"
    assert not snapshot.reading
    assert snapshot.view_only


def test_a_named_metric_ranks(tmp_path: Path) -> None:
    log(tmp_path / "a" / "log.jsonl", {"step": 1, "val_loss": 0.5, "speed": 1})
    log(tmp_path / "b" / "log.jsonl", {"step": 1, "val_loss": 0.6, "speed": 2})
    assert names(read(WatchReader([tmp_path], "speed", "max"))) == ["b", "a"]
    missing = read(WatchReader([tmp_path], "acc"))
    assert "no run has acc" in missing.problem
    assert "val_loss" in missing.problem


def test_what_appears_later_is_followed(tmp_path: Path) -> None:
    first = log(tmp_path / "a" / "metrics.jsonl", {"step": 1, "loss": 3.0})
    reader = WatchReader([tmp_path])
    read(reader)
    with first.open("a") as file:
        file.write('{"step": 2, "loss": 2.5}\n')
    log(tmp_path / "deep" / "er" / "b" / "metrics.jsonl", {"step": 1, "loss": 1.0})
    until(lambda: names(reader.snapshot()) == ["deep/er/b", "a"])
    assert until(lambda: reader.snapshot().series["a"].last("loss")) == (2.0, 2.5)


def test_a_file_written_anew_is_another_history(tmp_path: Path) -> None:
    path = log(
        tmp_path / "a" / "metrics.jsonl", *({"step": n, "loss": 1 / n} for n in range(1, 50))
    )
    reader = WatchReader([tmp_path])
    assert read(reader).standings[0].level == 49
    log(path, {"step": 1, "loss": 7.0})
    until(lambda: reader.snapshot().standings[0].level == 1)
    assert reader.snapshot().standings[0].value == 7.0
    path.unlink()
    until(lambda: any("deleted" in note for note in reader.snapshot().watched.notes))
    assert reader.snapshot().standings[0].value == 7.0


def test_parts_of_a_run_are_one_run(tmp_path: Path) -> None:
    (tmp_path / "train.csv").write_text("epoch,loss\n1,3\n2,2\n")
    (tmp_path / "val.csv").write_text("epoch,loss\n1,4\n2,3\n")
    snapshot = read(WatchReader([tmp_path]))
    assert names(snapshot) == [tmp_path.name]
    series = snapshot.series[tmp_path.name]
    assert list(series.get("train/loss").y) == [3, 2]
    assert list(series.get("val/loss").y) == [4, 3]
    assert snapshot.sweep.plan.metric == "val/loss"


def test_whatever_lies_in_a_tree_is_passed_over(tmp_path: Path) -> None:
    log(tmp_path / "good" / "metrics.jsonl", {"step": 1, "loss": 1.0})
    (tmp_path / "table.csv").write_text("id,price,town\n1,2,x\n2,3,y\n")
    (tmp_path / "noise.jsonl").write_bytes(os.urandom(5000))
    (tmp_path / "empty.csv").touch()
    (tmp_path / "run-1.wandb").write_bytes(b":W&B\xe1\xbe\x07" + b"x" * 100)
    os.mkfifo(tmp_path / "pipe.jsonl")
    (tmp_path / "out.jsonl").symlink_to("/etc/passwd")
    (tmp_path / "loop").symlink_to(tmp_path)
    log(tmp_path / "runs" / "own" / "metrics.jsonl", {"step": 1, "loss": 0.1})
    for name in ("experiment.toml", "format"):
        (tmp_path / "runs" / "own" / name).touch()
    snapshot = read(WatchReader([tmp_path]))
    assert names(snapshot) == ["good"]
    notes = "; ".join(snapshot.watched.notes)
    assert "1 linked folder not followed" in notes
    assert "runs/own" in notes
    assert "1 file not read to the end (run-1.wandb: is no W&B file of version 0" in notes


def test_files_of_other_tools_bring_their_settings(tmp_path: Path) -> None:
    """Event files and a W&B file as the real tools wrote them (tests/data/loggers/make.py)."""
    for name, folder in (
        ("run-0.wandb", "wandb/offline-run-1-a"),
        ("events.out.tfevents.0", "tb/x"),
    ):
        (tmp_path / folder).mkdir(parents=True)
        shutil.copy(LOGGERS / name, tmp_path / folder / name)
    for part in ("train", "validation"):
        (tmp_path / "keras" / part).mkdir(parents=True)
        shutil.copy(LOGGERS / "events.out.tfevents.0", tmp_path / "keras" / part)
    snapshot = read(WatchReader([tmp_path]))
    assert sorted(names(snapshot)) == ["keras", "tb/x", "wandb/offline-run-1-a"]
    assert snapshot.sweep.runs["wandb/offline-run-1-a"].finished
    assert "validation/val/acc" in snapshot.series["keras"].names()


def test_settings_inside_files_are_read(tmp_path: Path) -> None:
    events = EventFile(tmp_path / "none")
    entry = b"\x0a\x02lr\x12\x09\x11" + struct.pack("<d", 0.01)
    info = b"\x0a" + bytes([len(entry)]) + entry
    content = b"\x1a" + bytes([len(info)]) + info
    plugin = b"\x12" + bytes([len(content)]) + content
    metadata = b"\x0a" + bytes([len(plugin)]) + plugin
    tag = b"_hparams_/session_start_info"
    value = b"\x0a" + bytes([len(tag)]) + tag + b"\x4a" + bytes([len(metadata)]) + metadata
    summary = b"\x0a" + bytes([len(value)]) + value
    assert events._measured(b"\x2a" + bytes([len(summary)]) + summary) is None
    assert events.settings == {"lr": 0.01}


def test_hostile_names_are_safe_to_show(tmp_path: Path) -> None:
    for name in ("\x1b]52;c;eA==\x07x", "[red]y", "\u202eevil", "x"):
        log(
            tmp_path / name / "metrics.jsonl",
            {"step": 1, "\x1b[2Jloss": 1.0},
            **{"a\x1b[31m": name},
        )
    snapshot = read(WatchReader([tmp_path]))
    assert len(set(names(snapshot))) == 4
    assert all(line.isprintable() for line in board.lines_of(snapshot))
    assert all(name.isprintable() for series in snapshot.series.values() for name in series.names())


def test_an_unreadable_folder_is_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    log(tmp_path / "good" / "metrics.jsonl", {"step": 1, "loss": 1.0})
    (tmp_path / "secret").mkdir()
    scandir = os.scandir

    def refusing(path):
        if str(path).endswith("secret"):
            raise PermissionError(13, "Permission denied")
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refusing)
    notes = read(WatchReader([tmp_path])).watched.notes
    assert any("1 folder not readable" in note and "Permission denied" in note for note in notes)


def test_many_folders_are_found_in_slices(tmp_path: Path) -> None:
    for number in range(300):
        log(tmp_path / f"r{number}" / "metrics.jsonl", {"step": 1, "loss": float(number)})
    reader = WatchReader([tmp_path])
    first = reader.snapshot(0.0)
    assert first.reading
    whole = read(reader)
    assert names(whole)[:3] == ["r0", "r1", "r2"]
    assert len(whole.standings) == 300


def test_the_board_is_printed_for_a_pipe(tmp_path: Path) -> None:
    log(tmp_path / "a" / "metrics.jsonl", {"step": 1, "val_loss": 0.5}, lr=1e-3)
    log(tmp_path / "b" / "metrics.jsonl", {"step": 1, "val_loss": 0.4}, lr=1e-2)
    out = io.StringIO()
    assert board.run(WatchReader([tmp_path]), out) == 0
    said = out.getvalue()
    assert "2 runs, ranked by min val_loss" in said
    assert said.index("1e-02") < said.index("1e-03")
    assert board.run(WatchReader([tmp_path / "a" / ".."], "acc"), io.StringIO()) == 1


def test_what_cannot_be_watched_is_refused(tmp_path: Path) -> None:
    from lrtui.cli.main import _parsers
    from lrtui.cli.watch import run

    (tmp_path / "own").mkdir()
    (tmp_path / "own" / "experiment.toml").touch()
    (tmp_path / "file.csv").touch()
    for name, said in (("own", "lrtui's own"), ("file.csv", "not a folder"), ("none", "not exist")):
        options = _parsers()[0].parse_args(["watch", str(tmp_path / name)])
        with pytest.raises(UserError, match=said):
            run(options)


def test_a_folder_of_logs_names_the_verb(tmp_path: Path) -> None:
    from lrtui.cli.attach import existing

    log(tmp_path / "a" / "metrics.jsonl", {"step": 1, "val_loss": 0.5})
    with pytest.raises(UserError) as refused:
        existing(tmp_path)
    assert f"lrtui watch {tmp_path}" in str(refused.value)
