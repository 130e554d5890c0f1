"""What loggers write to files is read once each, however the files are cut, rewritten or torn."""

import csv
import io
import math
import os
import random
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lrtui.metrics.sources import Start, seen, source_of
from lrtui.metrics.sources.source import Source
from lrtui.metrics.sources.tensorboard import _masked_crc32c


def read(source: Source, *, last: bool = False) -> list[dict[str, float]]:
    """Return all that there is."""
    rows = [row.values for row in source.read(64, last=last)]
    while source.more:
        rows += [row.values for row in source.read(64, last=last)]
    return rows


def following(path: Path, start: Start | None = None) -> Source:
    """Return the reader of a file."""
    source = source_of(path, start)
    assert source is not None
    return source


def test_csv_rows_as_they_come(tmp_path: Path) -> None:
    """A torn row waits for its end; a last one without an end counts when nothing comes any more."""
    path = tmp_path / "log.csv"
    path.write_text("epoch,acc,loss,val_acc\n0,0.5,1.25,N")
    source = following(path)
    assert read(source) == []
    with path.open("a") as file:
        file.write("A\n1,0.75,0.5,0.6\n2,0.8,,0.7")
    assert read(source) == [
        {"epoch": 0, "acc": 0.5, "loss": 1.25},
        {"epoch": 1, "acc": 0.75, "loss": 0.5, "val_acc": 0.6},
    ]
    assert read(source, last=True) == [{"epoch": 2, "acc": 0.8, "val_acc": 0.7}]
    assert (source.at, source.bad) == (3, 0)


def lightning(rows: list[dict[str, float]]) -> str:
    """Return the file that Lightning's CSVLogger writes anew when a name comes."""
    text = io.StringIO()
    writer = csv.DictWriter(text, sorted({name for row in rows for name in row}))
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def test_a_rewrite_with_more_columns(tmp_path: Path) -> None:
    """Lightning's CSVLogger writes the file anew when a name comes; its rows are the same."""
    path = tmp_path / "metrics.csv"
    rows: list[dict[str, float]] = [{"step": 1, "loss": 2.5}, {"step": 2, "loss": 1.5}]
    path.write_text(lightning(rows))
    source = following(path)
    assert read(source) == rows
    rows += [{"step": 2, "val_loss": 1.0}, {"step": 3, "loss": 0.5}]
    path.write_text("")
    assert read(source) == []
    text = lightning(rows)
    path.write_text(text[:30])
    assert read(source) == []
    path.write_text(text)
    assert read(source) == rows[2:]


def test_other_content_is_read_from_its_start(tmp_path: Path) -> None:
    """A file that begins with another row has another history."""
    path = tmp_path / "metrics.csv"
    path.write_text("step,loss\n1,2.5\n2,1.5\n")
    source = following(path)
    assert len(read(source)) == 2
    path.write_text("step,loss\n1,9.5\n")
    assert read(source) == [{"step": 1, "loss": 9.5}]


def test_what_was_there_before_is_older(tmp_path: Path) -> None:
    """Rows of an earlier attempt are passed over where its file goes on, and not where it is written anew."""
    path = tmp_path / "metrics.csv"
    path.write_text("step,loss\n1,2.5\n2,1.5")  # without its end
    before = seen(path)
    with path.open("a") as file:
        file.write("\n3,0.5\n")
    appended = following(path, Start(before=before))
    assert read(appended) == [{"step": 3, "loss": 0.5}]
    path.write_text("step,loss\n1,2.5\n")
    os.utime(path, ns=(1, 1))
    assert read(following(path, Start(before=before))) == [{"step": 1, "loss": 2.5}]


def test_json_lines(tmp_path: Path) -> None:
    """Nested objects are flattened; what is no object is counted, an object without numbers is not."""
    path = tmp_path / "log.jsonl"
    path.write_text(
        '{"step": 1, "val": {"acc": 0.5}}\noops\n{"note": "x"}\n{"step": 2, "loss": NaN'
    )
    source = following(path)
    assert read(source) == [{"step": 1, "val/acc": 0.5}]
    with path.open("a") as file:
        file.write("}\n")
    assert [*read(source)[0]] == ["step", "loss"]
    assert source.bad == 1


@pytest.mark.parametrize("name", ["training.log", "history", "log.jsonl", "x.csv"])
def test_the_format_is_recognised(tmp_path: Path, name: str) -> None:
    """By the name, else by the first bytes."""
    path = tmp_path / name
    path.write_text('{"step": 1}\n' if "json" in name else "\ufeffepoch;loss\n0;0.5\n")
    rows = read(following(path))
    assert rows in ([{"step": 1}], [{"epoch": 0, "loss": 0.5}])


def test_hostile_files(tmp_path: Path) -> None:
    """A folder, a fifo and a link named x.csv are not read; long lines and a headless file are counted."""
    (tmp_path / "folder.csv").mkdir()
    os.mkfifo(tmp_path / "fifo.csv")
    (tmp_path / "secret").write_text("a,b\n1,2\n")
    (tmp_path / "link.csv").symlink_to(tmp_path / "secret")
    for name in ("folder.csv", "fifo.csv", "link.csv"):
        source = following(tmp_path / name)
        assert (read(source), source.why != "") == ([], True)
        assert seen(tmp_path / name) is None
    path = tmp_path / "long.csv"
    path.write_bytes(b"step,loss\n" + b"1" * (3 << 20) + b"\n2,0.5\n1,2,3\n\0\0\n")
    source = following(path)
    assert [row.values for row in source.read(1 << 20)] == []
    assert [row.values for _ in range(4) for row in source.read(1 << 20)] == [
        {"step": 2, "loss": 0.5}
    ]
    assert source.bad == 2
    headless = tmp_path / "headless.csv"
    headless.write_text("1,0.5\n2,0.4\n")
    source = following(headless)
    assert (read(source), source.bad) == ([], 2)


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 1 << 32), cuts=st.lists(st.integers(0, 400), max_size=6))
def test_a_reader_goes_on(
    tmp_path_factory: pytest.TempPathFactory, seed: int, cuts: list[int]
) -> None:
    """However a file grows, and whenever its reader is replaced by another one, each row comes once."""
    draw = random.Random(seed)
    rows = [{"step": n, "loss": draw.randrange(100) / 4} for n in range(1, 30)]
    text = lightning(rows)
    path = tmp_path_factory.mktemp("grows") / "metrics.csv"
    path.touch()
    source, got = following(path), []
    for cut in [*sorted(cuts), len(text)]:
        path.write_text(text[:cut])
        got += read(source)
        if draw.random() < 0.5:
            source = following(path, Start(at=source.at, first=source.first))
    assert got == rows


# ---------------------------------------------------------------- files of the real loggers (tests/data/loggers/make.py)

LOGGERS = Path(__file__).parent.parent / "data" / "loggers"


def test_tensorboard_scalars() -> None:
    """Both encodings of a scalar; consecutive ones of a step are one row; a histogram is none."""
    rows = read(following(LOGGERS / "events.out.tfevents.0"))
    assert all(1.7e9 < row.pop("wall_time") < 2e9 for row in rows)
    merged: dict[float, dict[str, float]] = {}
    for row in rows:  # read in pieces of 64 bytes
        merged.setdefault(row["step"], {}).update(row)
    assert [*merged.values()][:4] == [
        {
            "step": step,
            "train/loss": pytest.approx(1 / (step + 1)),
            "val/acc": step / 4,
            "epoch": step // 2,
        }
        for step in range(4)
    ]
    assert math.isnan(merged[4]["train/loss"])


def test_wandb_history() -> None:
    """History over several blocks; the position is _step, nested names are joined."""
    rows = read(following(LOGGERS / "run-0.wandb"))
    assert all(1.7e9 < row.pop("wall_time") < 2e9 for row in rows)
    assert rows[:60] == [
        {"_step": step, "loss": pytest.approx(1 / (step + 1)), "val/acc": step / 64}
        for step in range(60)
    ]
    assert math.isnan(rows[60]["loss"])


def test_framework_csv() -> None:
    """Keras and Lightning."""
    keras = read(following(LOGGERS / "keras.log"))
    assert [sorted(row) for row in keras] == [["epoch", "loss", "val_loss"]] * 3
    lightning = read(following(LOGGERS / "lightning.csv"))
    assert [row["val_loss"] for row in lightning if "val_loss" in row] == [
        0.7352099418640137,
        0.11914414167404175,
        0.021459512412548065,
    ]


def test_trainer_state_grows(tmp_path: Path) -> None:
    """The file is written anew with each save; what a torn one holds is read when it is whole."""
    path = tmp_path / "trainer_state.json"
    early = (LOGGERS / "checkpoint-2" / path.name).read_bytes()
    late = (LOGGERS / "end" / path.name).read_bytes()
    path.write_bytes(early)
    source = following(path)
    assert [row["step"] for row in read(source)] == [1, 2, 2]
    path.write_bytes(late[:-50])
    assert read(source) == []
    path.write_bytes(late)
    assert [row["step"] for row in read(source)] == [3, 4, 4, 5, 6, 6, 6]


@pytest.mark.parametrize("name", ["events.out.tfevents.0", "run-0.wandb"])
def test_binary_files_are_taken_once(tmp_path: Path, name: str) -> None:
    """Wherever a file is cut while it is written, and whoever goes on, each row's values come once."""
    data, path = (LOGGERS / name).read_bytes(), tmp_path / name
    draw = random.Random(0)
    whole = [item for row in read(following(LOGGERS / name)) for item in row.items()]
    for _ in range(20):
        path.write_bytes(b"")
        source, start = following(path), Start()
        got: list[tuple[str, float]] = []
        for cut in [*sorted(draw.choices(range(len(data)), k=4)), len(data)]:
            path.write_bytes(data[:cut])
            while True:
                for row in source.read(1 << 12):
                    start = Start(at=row.at, first=source.first)
                    got += row.values.items()
                if not source.more:
                    break
            if draw.random() < 0.5:
                source = following(path, start)
        names = [name for name, _ in got if name not in {"step", "_step", "wall_time"}]
        assert names == [name for name, _ in whole if name not in {"step", "_step", "wall_time"}]


def test_damaged_binary_files(tmp_path: Path) -> None:
    """What cannot be read is said, and what came before it counts; a record of 1 GiB is passed over."""
    events = (LOGGERS / "events.out.tfevents.0").read_bytes()
    path = tmp_path / "events.out.tfevents.1"
    path.write_bytes(events + b"\0" * 40)
    source = following(path)
    assert len(read(source)) > 4
    assert "damaged" in source.why
    length = (1 << 30).to_bytes(8, "little")
    head = length + _masked_crc32c(length).to_bytes(4, "little")
    path = tmp_path / "events.out.tfevents.2"
    with path.open("wb") as file:
        file.write(events + head)
    source = following(path)
    before = len(read(source))
    os.truncate(path, len(events) + (1 << 29))
    assert read(source) == []
    os.truncate(path, len(events) + 12 + (1 << 30) + 4)
    with path.open("ab") as file:
        file.write(events)
    assert len(read(source)) == before
    future = tmp_path / "run-1.wandb"
    future.write_bytes(b":W&B\xe1\xbe\x01" + b"x" * 100)
    source = following(future)
    assert (read(source), "version" in source.why) == ([], True)


@settings(max_examples=200, deadline=None)
@given(
    data=st.binary(max_size=200), name=st.sampled_from(["a.wandb", "tfevents", "a.csv", "a.jsonl"])
)
def test_no_file_crashes_a_reader(
    tmp_path_factory: pytest.TempPathFactory, data: bytes, name: str
) -> None:
    """Whatever stands in it, also behind a right beginning."""
    path = tmp_path_factory.mktemp("any") / name
    length = len(data).to_bytes(8, "little")
    framed = length + _masked_crc32c(length).to_bytes(4, "little") + data + b"0000"
    inside = b"0000" + len(data).to_bytes(2, "little") + b"\1" + data
    for content in (data, framed, b":W&B\xe1\xbe\0" + inside):
        path.write_bytes(content)
        read(following(path), last=True)
