"""Samples of long runs: what charts show of a run before it is read."""

import json
import math
import random
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lrtui.frontend.snapshot import DirectoryReader
from lrtui.metrics import MetricLog, Reading, RunSeries
from lrtui.metrics.sketch import SIZES, sketch
from lrtui.metrics.tail import Tail
from tests import recorded

STEPS = Reading("step", horizon=1e6, metric="val_loss", loss="loss")


def line(**fields: float) -> str:
    return json.dumps(fields) + "\n"


def write(folder, number: int, *lines: str) -> tuple[int, object]:
    path = folder / f"a{number}" / "metrics.jsonl"
    path.parent.mkdir(exist_ok=True)
    path.write_text("".join(lines))
    return number, path


def read(attempts, reading: Reading = STEPS) -> RunSeries:
    series = RunSeries()
    for number, path in attempts:
        series.extend(number, MetricLog(path.parent, reading).read(1 << 30))
    return series


def points(series: RunSeries, name: str) -> set[tuple[float, float]]:
    found = series.get(name)
    return set(zip(found.x, found.y, strict=True))


@given(data=st.binary(max_size=3000), parts=st.integers(2, 9), size=st.integers(1, 400))
def test_samples_are_whole_lines_from_start_to_end(tmp_path_factory, data, parts, size) -> None:
    path = tmp_path_factory.getbasetemp() / "sampled"
    path.write_bytes(data)
    whole = data[: data.rfind(b"\n") + 1].split(b"\n")
    tail = Tail(path)
    for block in tail.sample(parts, size):
        assert block.endswith(b"\n")
        assert all(each in whole for each in block.split(b"\n"))
    assert tail.offset == 0


def test_a_small_file_is_sampled_whole(tmp_path) -> None:
    _, path = write(tmp_path, 1, *(line(step=step, loss=1.0) for step in range(1, 50)))
    assert list(Tail(path).sample(128, 512)) == [path.read_bytes()]


@pytest.mark.parametrize("size", SIZES[:2])
def test_a_sketch_has_points_of_the_run_over_all_its_length(tmp_path, size: int) -> None:
    """Evaluations are rare and say no position of their own; a name appears late."""
    lines = []
    measured = {"loss": set(), "val_loss": set(), "late": set()}
    for step in range(1, 20_001):
        values = {"loss": 1 / step} | ({"late": math.sin(step)} if step > 10_000 else {})
        evaluated = {"val_loss": 2 / step} if step % 10 == 0 else {}
        lines += [line(step=step, **values), *([line(**evaluated)] if evaluated else [])]
        for name, value in {**values, **evaluated}.items():
            measured[name].add((step, value))
    run = [write(tmp_path, 1, *lines)]
    drawn, whole = sketch(run, STEPS, size), read(run)
    assert drawn is not None
    for name, known in measured.items():
        assert points(drawn, name) <= known
    assert len(drawn.get("loss")) >= 200
    assert drawn.level == whole.level == 20_000
    x = drawn.get("loss").x
    assert x[0] == 1
    assert max(after - before for before, after in pairwise(x)) < 20_000 / 50
    assert drawn.names() == whole.names()


def test_a_sketch_is_small(tmp_path) -> None:
    """Each of the long runs has one until all are read: 32 of 20,000 lines were 25 MB."""
    rng = random.Random(1)
    lines = [line(step=step, loss=rng.random(), acc=rng.random()) for step in range(1, 60_001)]
    run = [write(tmp_path, 1, *lines)]
    drawn = sketch(run, STEPS, SIZES[-1])
    assert drawn is not None
    assert 1000 < len(drawn) < 8000
    x = drawn.get("loss").x
    assert (x[0], x[-1]) == (1, 60_000)
    assert max(after - before for before, after in pairwise(x)) < 60_000 / 100


def test_a_later_attempt_hides_what_it_repeats(tmp_path) -> None:
    first = write(tmp_path, 1, *(line(step=step, loss=1.0) for step in range(1, 20_001)))
    second = write(tmp_path, 2, *(line(step=step, loss=2.0) for step in range(10_001, 15_001)))
    drawn = sketch([first, second], STEPS, SIZES[0])
    assert drawn is not None
    assert drawn.level == 15_000
    found = drawn.get("loss")
    assert all((y == 2.0) == (x > 10_000) for x, y in zip(found.x, found.y, strict=True))


@pytest.mark.parametrize(
    ("reading", "steps"),
    [
        (STEPS, [*range(1, 5000), *range(2000, 4000)]),
        (Reading("epoch", horizon=1e6), list(range(1, 5000))),
        (Reading("step", horizon=1e6, first=0), list(range(5000))),
    ],
    ids=["positions go back", "epochs are counted", "steps count from 0"],
)
def test_what_depends_on_lines_between_is_not_sketched(tmp_path, reading, steps) -> None:
    run = [write(tmp_path, 1, *(line(**{reading.unit: s}, loss=1.0) for s in steps))]
    assert sketch(run, reading, SIZES[0]) is None


def test_a_sketch_covers_long_runs_until_they_are_read(tmp_path) -> None:
    directory = recorded.dense(tmp_path / "sweep", 2, 16_000)
    snapshot = DirectoryReader(directory).snapshot(0.0)
    assert not snapshot.sketches
    watcher = DirectoryReader(directory, sketches=True)
    snapshot = watcher.snapshot(1.0)
    assert snapshot.reading
    assert {run: drawn.level for run, drawn in snapshot.sketches.items()} == {
        "r01": 16_000,
        "r02": 16_000,
    }
    assert snapshot.read == 0.0
    assert all(standing.value is None for standing in snapshot.standings)
    assert all(series.level == 0.0 for series in snapshot.series.values())
    shares = [snapshot.read]
    while snapshot.reading:
        snapshot = watcher.snapshot()
        shares.append(snapshot.read)
    assert shares == sorted(shares)
    assert snapshot.read == 1.0
    assert not snapshot.sketches
    assert all(series.level == 16_000 for series in snapshot.series.values())


def test_short_runs_are_not_sketched(tmp_path) -> None:
    directory = recorded.dense(tmp_path / "sweep", 2, 2_000)
    watcher = DirectoryReader(directory, sketches=True)
    assert not watcher.snapshot(0.0).sketches
    assert not watcher.snapshot(0.0).sketches
