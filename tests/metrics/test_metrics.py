"""Metric lines are read whole, once, whatever a worker writes; runs keep them in order and small."""

from __future__ import annotations

import itertools
import json
import math
import os
import random
import subprocess
import sys
import threading

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lrtui.metrics import Measurement, MetricLog, Reading, RunSeries, Series, thin
from lrtui.metrics.downsample import thin_few
from lrtui.workers import keeper


def line(**fields) -> bytes:
    return json.dumps(fields).encode() + b"\n"


def poll_all(log: MetricLog, max_bytes: int = 1 << 22) -> list[Measurement]:
    found = log.poll(max_bytes)
    while log.more:
        found += log.poll(max_bytes)
    return found


def read(tmp_path, content: bytes, unit="step", **kwargs) -> tuple[list[Measurement], int]:
    (tmp_path / "metrics.jsonl").write_bytes(content)
    log = MetricLog(tmp_path, Reading(unit, **kwargs))
    return poll_all(log), log.bad


def m(level: float, time: float | None = None, **values: float) -> Measurement:
    return Measurement(level, level, None, None, time, values)


# ---------------------------------------------------------------- lines


def test_a_line_gives_its_place_and_its_metrics(tmp_path):
    content = line(step=120, epoch=2.5, time=31.2, lr=3e-4, train_loss=1.9, val_acc=0.41)
    (got,), bad = read(tmp_path, content)
    assert (got.level, got.step, got.epoch, got.tokens, got.time) == (120, 120, 2.5, None, 31.2)
    assert got.values == {"lr": 3e-4, "train_loss": 1.9, "val_acc": 0.41}
    assert bad == 0


def test_non_finite_values_are_data(tmp_path):
    content = (
        b'{"step":1,"a":"NaN","b":"Infinity","c":"-Infinity","d":null,"e":"text","f":true,"g":[1],"h":{}}\n'
        b'{"step":2,"a":NaN,"b":Infinity,"c":-Infinity,"text":"a NaN, here"}\n'
    )
    (one, two), bad = read(tmp_path, content)
    for got in (one, two):
        assert math.isnan(got.values.pop("a"))
        assert got.values == {"b": math.inf, "c": -math.inf}
    assert bad == 0


@pytest.mark.parametrize(
    "garbage",
    [
        '{"step":2}'.encode("utf-16"),
        b"\0" * 100,
        b'{"step":' + b"1" * 5000 + b"}",
        b'{"step":2,"a":' + b"9" * 5000 + b"}",
        b"[" * 200_000,
        b'{"a":' * 100_000,
        b'{"step":2',
        b'{"step":"NaN"}',
        b'{"step":Infinity}',
        b'{"step":-1}',
        b'{"step":true}',
        b"[1]",
        b"3",
        b"hello",
        b"x" * ((1 << 20) + 10),
        b'{"step":2,"a":"' + b"x" * (3 << 20) + b'"}',
    ],
)
def test_a_bad_line_is_counted_and_its_neighbours_are_read(tmp_path, garbage):
    got, bad = read(tmp_path, line(step=1, a=1) + garbage + b"\n" + line(step=3, a=3))
    assert [x.level for x in got] == [1, 3]
    assert bad >= 1


def test_any_printable_name_is_a_metric(tmp_path):
    fields = {"step": 1, "val/acc": 1, "mAP50-95(B)": 2, "eval loss": 3, "\x1b[2J": 4, "": 5}
    fields["x" * 129] = 6
    (got,), bad = read(tmp_path, line(**fields))
    assert got.values == {"val/acc": 1, "mAP50-95(B)": 2, "eval loss": 3}
    assert bad == 0


def test_a_script_cannot_flood_us_with_names(tmp_path):
    got, _ = read(tmp_path, b"".join(line(step=n, **{f"n{n}": 1}) for n in range(2000)))
    assert len(got) == 2000
    assert sum(bool(x.values) for x in got) == 256
    series = RunSeries()
    series.extend(1, [m(n, **{f"n{n}": 1}) for n in range(2000)])
    assert len(series.names()) == 256


def test_the_deciding_metric_comes_behind_any_names(tmp_path):
    """It and the loss are kept, and that others are not is said."""
    reading = Reading("step", metric="val_loss", loss="loss")
    names = {f"norm{n}": 1.0 for n in range(10_000)}
    content = b"".join(line(step=n, **names, val_loss=n, loss=n) for n in (1, 2, 3))
    (tmp_path / "metrics.jsonl").write_bytes(content)
    log = MetricLog(tmp_path, reading)
    assert [(x.values["val_loss"], x.values["loss"]) for x in log.poll()] == [
        (1, 1),
        (2, 2),
        (3, 3),
    ]
    assert len(log.capture.names) == 256
    (miss,) = log.capture.misses.state()
    assert (miss.why, miss.said) == ("have further names; a run keeps 256", True)


def test_half_a_line_waits_for_its_end(tmp_path):
    path = tmp_path / "metrics.jsonl"
    whole = line(step=12345, a=1)
    log = MetricLog(tmp_path, Reading("step"))
    got = []
    for cut in range(len(whole) + 1):
        path.write_bytes(line(step=1, a=0) + whole[:cut])
        got += log.poll()
    assert [x.level for x in got] == [1, 12345]


@given(
    parts=st.lists(
        st.sampled_from(
            [line(step=1, a=1), b"junk\n", b"\n", b"\r\n", b'{"step":2,"a":NaN}\n', b"\0\xff\n"]
        )
    ),
    cuts=st.lists(st.integers(0, 200), max_size=5),
)
@settings(max_examples=60, deadline=None)
def test_reading_in_pieces_equals_reading_at_once(tmp_path_factory, parts, cuts):
    whole = b"".join(parts)
    folder = tmp_path_factory.mktemp("pieces")
    at_once, bad = read(folder, whole)
    folder = tmp_path_factory.mktemp("pieces")
    log = MetricLog(folder, Reading("step"))
    pieces = []
    for cut in [*sorted(c for c in cuts if c < len(whole)), len(whole)]:
        (folder / "metrics.jsonl").write_bytes(whole[:cut])
        pieces += log.poll(10)
    pieces += poll_all(log)
    assert [x.level for x in pieces] == [x.level for x in at_once]
    assert log.bad == bad


@given(st.binary(max_size=3000))
@settings(max_examples=100, deadline=None)
def test_any_bytes_are_survived(tmp_path_factory, data):
    folder = tmp_path_factory.mktemp("bytes")
    (folder / "metrics.jsonl").write_bytes(data)
    (folder / "output.log").write_bytes(data)
    (folder / "printed.jsonl").write_bytes(data)
    poll_all(MetricLog(folder, Reading("step", r"(?P<step>\d+)")))


@pytest.mark.parametrize("kind", ["missing", "folder", "fifo", "symlink", "unreadable", "loop"])
def test_what_is_no_file_is_no_data(tmp_path, kind):
    path = tmp_path / "metrics.jsonl"
    match kind:
        case "folder":
            path.mkdir()
        case "fifo":
            os.mkfifo(path)
        case "symlink":
            (tmp_path / "other").write_bytes(line(step=1, a=1))
            path.symlink_to(tmp_path / "other")
        case "unreadable":
            path.write_bytes(b"")
            path.chmod(0)
        case "loop":
            path.symlink_to(path)
    assert MetricLog(tmp_path, Reading("step")).poll() == []
    assert MetricLog(tmp_path / "absent", Reading("step")).poll() == []


def test_a_vanished_file_and_one_written_anew(tmp_path):
    path = tmp_path / "metrics.jsonl"
    path.write_bytes(line(step=1, a=1) * 3)
    log = MetricLog(tmp_path, Reading("step"))
    assert len(log.poll()) == 3
    path.unlink()
    assert log.poll() == []
    path.write_bytes(line(step=2, a=1))
    assert [x.level for x in log.poll()] == [2]


# ---------------------------------------------------------------- output.log


def test_metric_lines_that_were_printed_count_and_text_is_not_bad(tmp_path):
    (tmp_path / "output.log").write_bytes(
        b"Loading data...\n" + line(step=1, a=1) + b'{"event":"x"}\n' + b"  " + line(step=2, a=2)
        + b'\r 10%\r 20%\r{"step":3,"a":3}\n' + b"a {brace}\n"
    )  # fmt: skip
    log = MetricLog(tmp_path, Reading("step"))
    assert [x.level for x in log.poll()] == [1, 2, 3]
    assert log.bad == 0


def test_a_pattern_reads_scripts_that_print_text(tmp_path):
    pattern = r"step (?P<step>\d+): train loss (?P<train_loss>\S+) val loss (?P<val_loss>\S+)"
    (tmp_path / "output.log").write_bytes(
        b"step 10: train loss 2.5, val loss 2.25\nnoise\n"
        b"step 20: train loss nan, val loss inf\rstep 30: train loss x val loss 1\n"
        + b"step 1" * (1 << 17)
        + b"\n"
    )
    got = MetricLog(tmp_path, Reading("step", pattern)).poll()
    assert [x.level for x in got] == [10, 20, 30]
    assert got[0].values == {"train_loss": 2.5, "val_loss": 2.25}
    assert math.isnan(got[1].values["train_loss"])
    assert got[1].values["val_loss"] == math.inf
    assert got[2].values == {"val_loss": 1}


def test_an_optional_group_may_be_absent(tmp_path):
    pattern = r"epoch (?P<epoch>\d+) (?:loss (?P<train_loss>\S+)|val (?P<val_loss>\S+))"
    (tmp_path / "output.log").write_bytes(b"epoch 1 loss 0.5\nepoch 1 val 0.6\n")
    got = MetricLog(tmp_path, Reading("epoch", pattern)).poll()
    assert [x.values for x in got] == [{"train_loss": 0.5}, {"val_loss": 0.6}]


def test_a_bad_pattern_matches_nothing(tmp_path):
    (tmp_path / "output.log").write_bytes(b"step 1\n")
    assert MetricLog(tmp_path, Reading("step", "(")).poll() == []


FLOOD = """
import os, resource, sys
from pathlib import Path
from lrtui.metrics import MetricLog, Reading
folder = Path(sys.argv[1])
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
log = MetricLog(folder, Reading("step"))
found = log.poll()
while log.more:
    found += log.poll()
after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
print([m.level for m in found], log.bad, (after - before) // 1024)
"""


@pytest.mark.parametrize("name", ["metrics.jsonl", "output.log"])
def test_a_hundred_megabytes_without_newline_are_not_held(tmp_path, name):
    with open(tmp_path / name, "wb") as file:
        file.write(line(step=1, a=1))
        file.writelines(b"y" * (1 << 20) for _ in range(100))
        file.write(b"\n" + line(step=2, a=1))
    command = [sys.executable, "-c", FLOOD, str(tmp_path)]
    out = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    levels, bad, mib = out.rsplit(maxsplit=2)
    assert levels == "[1.0, 2.0]"
    assert int(bad) == (1 if name == "metrics.jsonl" else 0)
    assert int(mib) < 16


# ---------------------------------------------------------------- capped logs


def punch(path, start: int, end: int) -> None:
    fd = os.open(path, os.O_RDWR)
    try:
        keeper._punch(fd, start, end - start)
    except OSError:
        pytest.skip("this file system cannot punch holes")
    finally:
        os.close(fd)


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("zeros", [False, True])
def test_a_capped_log_loses_no_line_and_doubles_none(tmp_path, seed, zeros):
    """The keeper's own capping, at random moments of a reader that keeps up or lags."""
    rng = random.Random(seed)
    path = tmp_path / "output.log"
    path.write_bytes(b"")
    output = keeper._Output(str(tmp_path), {"log_cap": 64 << 10})
    log, got, step = MetricLog(tmp_path, Reading("step")), [], 0
    for _ in range(60):
        with open(path, "ab") as file:
            for _ in range(rng.randrange(300)):
                if rng.random() < 0.5:
                    step += 1
                    file.write(line(step=step, a=rng.random()))
                else:
                    file.write(b"text " * rng.randrange(30) + b"\n")
        if rng.random() < 0.4:
            output.cap()
            if zeros:  # as a copy of the directory holds it: written zeros, no hole
                path.write_bytes(path.read_bytes())
                log._output._inode = 0 if not got else path.stat().st_ino
        if rng.random() < 0.3:
            got += [x.level for x in log.poll(1 << rng.randrange(12, 20))]
    got += [x.level for x in poll_all(log)]
    assert got == list(range(1, step + 1))
    assert (tmp_path / "printed.jsonl").exists()


def test_a_line_that_begins_right_behind_the_hole_is_read(tmp_path):
    path = tmp_path / "output.log"
    head = line(step=1, a=1).rjust(4096)
    middle = line(step=2, a=2).rjust(8192)
    path.write_bytes(head + middle + line(step=3, a=3))
    record = {"offset": 4096, "line": middle.decode().rstrip("\n")}
    (tmp_path / "printed.jsonl").write_text(json.dumps(record) + "\n")
    punch(path, 4096, 12288)
    assert [x.level for x in poll_all(MetricLog(tmp_path, Reading("step")))] == [1, 2, 3]


def test_a_hole_of_a_terabyte_is_passed_over(tmp_path):
    for name in ("metrics.jsonl", "output.log"):
        with open(tmp_path / name, "wb") as file:
            file.write(line(step=1, a=1))
            file.seek(1 << 40)
            file.write(b"rest\n" + line(step=2, a=1))
    log = MetricLog(tmp_path, Reading("step"))
    assert sorted(x.level for x in poll_all(log)) == [1, 1, 2, 2]
    assert log.bad == 1


# ---------------------------------------------------------------- series


def pairs(series: Series) -> list[tuple[float, float]]:
    return list(zip(series.x, series.y, strict=True))


def test_series_of_lines_that_measure_different_things():
    series = RunSeries()
    series.extend(1, [m(1, loss=3), m(2, loss=2), m(2, acc=0.5), m(3, loss=1), m(4, acc=0.7)])
    assert series.names() == ["loss", "acc"]
    assert pairs(series.get("loss")) == [(1, 3), (2, 2), (3, 1)]
    assert pairs(series.get("acc")) == [(2, 0.5), (4, 0.7)]
    assert series.last("acc") == (4, 0.7)
    assert series.at("acc", 3.9) == (2, 0.5)
    assert series.at("acc", 1.9) is None
    assert series.best("loss", "min") == (3, 1)
    assert series.best("loss", "min", upto=2) == (2, 2)
    assert series.last("nothing") is None
    assert pairs(series.get("nothing")) == []
    assert series.level == 4


def test_a_later_attempt_hides_earlier_lines_from_its_first_step_on():
    series = RunSeries()
    series.extend(1, [m(n, n * 1.0, loss=10 - n) for n in range(1, 8)])
    series.extend(2, [m(n, n - 4.0, loss=100 + n) for n in range(5, 7)])
    series.extend(1, [m(4.5, loss=1), m(9, loss=1)])  # read late
    assert pairs(series.get("loss")) == [(1, 9), (2, 8), (3, 7), (4, 6), (4.5, 1), (5, 105), (6, 106)]  # fmt: skip
    assert list(series.get("loss", "time").x)[:4] == [1, 2, 3, 4]
    assert series.level == 6
    series.extend(3, [m(1, loss=0)])
    assert pairs(series.get("loss")) == [(1, 0)]
    assert series.level == 1


def test_a_metric_that_no_later_attempt_has_measured_yet_is_no_obstacle():
    """A run that was restarted twice before its first evaluation."""
    series = RunSeries()
    series.extend(1, [m(1, loss=3, acc=0.5), m(2, loss=2)])
    series.extend(2, [m(1, loss=4)])
    series.extend(3, [m(1, loss=5)])
    assert series.names() == ["loss"]
    series.extend(3, [m(2, loss=6, acc=0.7)])
    assert pairs(series.get("acc")) == [(2, 0.7)]


def test_time_goes_on_over_attempts_and_rate_is_the_current_ones():
    series = RunSeries()
    series.extend(1, [m(1, 10.0, loss=1), m(2, 20.0, loss=1)])
    assert series.rate() == pytest.approx(0.1)
    series.extend(2, [m(3, 5.0, loss=1)])
    assert series.rate() is None
    series.extend(2, [m(5, 6.0, loss=1), m(6, 6.5, loss=1)])
    assert list(series.get("loss", "time").x) == [10, 20, 25, 26, 26.5]
    assert series.rate() == pytest.approx(2.0)
    assert series.rate(0.6) == pytest.approx(2.0)
    assert RunSeries().rate() is None


def test_epoch_axis_beside_steps():
    series = RunSeries()
    series.extend(1, [Measurement(10, 10, 0.1, None, None, {"a": 1}), m(20, a=2)])
    assert pairs(series.get("a", "epoch")) == [(0.1, 1)]
    assert pairs(series.get("a", "step")) == [(10, 1), (20, 2)]
    assert pairs(series.get("a", "time")) == []
    assert series.axes() == ["step", "epoch"]


@given(st.lists(st.tuples(st.integers(0, 20), st.integers(0, 100), st.booleans())))
def test_out_of_order_and_duplicate_steps_the_last_write_wins(points):
    series, latest = RunSeries(), {}
    for level, value, with_other in points:
        values = {"a": value, "b": 1} if with_other else {"a": value}
        series.extend(1, [m(level, **values)])
        latest[level] = value
        if value % 7 == 0:
            series.get("a")
    assert pairs(series.get("a")) == sorted(latest.items())
    if latest:
        top = max(latest)
        assert series.last("a") == (top, latest[top])
        assert series.best("a", "max")[1] == max(latest.values())
        assert series.best("a", "min", 10) == min(
            ((k, v) for k, v in sorted(latest.items()) if k <= 10), key=lambda p: p[1], default=None
        )
        for level in range(21):
            below = [k for k in latest if k <= level]
            assert (series.at("a", level) or (None,))[0] == max(below, default=None)


def test_best_is_finite():
    series = RunSeries()
    series.extend(1, [m(1, a=math.nan)])
    assert series.best("a", "max") is None
    series.extend(1, [m(2, a=math.inf), m(3, a=1.0), m(4, a=1.0), m(5, a=math.nan)])
    assert series.best("a", "max") == (3, 1.0)
    assert math.isnan(series.last("a")[1])


def test_a_reader_never_sees_half_of_an_extension():
    series = RunSeries()
    stop = threading.Event()

    def write():
        for start in range(0, 200_000, 500):
            series.extend(1, [m(n, n * 0.1, a=n, b=-n) for n in range(start, start + 500)])
        stop.set()

    writer = threading.Thread(target=write)
    writer.start()
    while not stop.is_set():
        got = series.get("a")
        assert len(got.x) == len(got.y)
        if len(got):
            assert got.x[-1] == got.y[-1]
            series.best("b", "min")
    writer.join()
    assert series.last("b") == (199_999, -199_999)
    assert len(series.get("b", "time")) == len(series.get("b")) > 1000


def test_importing_metrics_does_not_import_numpy():
    code = "import sys, lrtui.metrics, lrtui.text.clean; print('numpy' in sys.modules)"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "False"


# ---------------------------------------------------------------- thin


def as_series(points) -> Series:
    from array import array

    return Series("a", array("d", [p[0] for p in points]), array("d", [p[1] for p in points]))


@given(
    st.lists(st.floats(width=32) | st.integers(-5, 5), max_size=300),
    st.integers(1, 20),
    st.booleans(),
)
def test_thin_keeps_extremes_and_one_nan_per_gap(values, columns, bounded):
    points = [(float(n), float(v)) for n, v in enumerate(values)]
    lo, hi = (len(points) * 0.25, len(points) * 0.75) if bounded else (None, None)
    got = pairs(thin(as_series(points), columns, lo, hi))
    few = pairs(thin_few(as_series(points), columns, lo, hi))
    assert repr(got) == repr(few)  # which says that nan is nan
    inside = [p for p in points if (lo is None or p[0] >= lo) and (hi is None or p[0] <= hi)]
    finite = [p for p in inside if math.isfinite(p[1])]
    shown = [p for p in got if math.isfinite(p[1])]
    assert len(got) <= 3 * columns
    assert [p[0] for p in got] == sorted({p[0] for p in got})
    assert set(shown) <= set(finite)
    assert all(math.isnan(p[1]) for p in got if p not in shown)
    assert not any(math.isnan(a[1]) and math.isnan(b[1]) for a, b in itertools.pairwise(got))
    assert (len(finite) < len(inside)) == (len(shown) < len(got))
    if finite:
        assert max(p[1] for p in shown) == max(p[1] for p in finite)
        assert min(p[1] for p in shown) == min(p[1] for p in finite)
    else:
        assert not shown


@pytest.mark.parametrize("scale", [1.0, 1e-3, 3e5])
def test_thin_keeps_the_points_of_a_run_that_grows(scale):
    """Only its last column changes, so that a live chart sends few bytes; all columns change a few times until it is twice as long."""
    points = [(n * scale, float(n * 7919 % 97)) for n in range(2000)]
    before, changes = [], 0
    for length in range(1000, 2000, 10):
        got = pairs(thin(as_series(points[:length]), 50))
        settled = [p for p in before if p[0] < (length - 10) * scale * 49 / 50 - 2 * scale]
        changes += got[: len(settled)] != settled
        assert len(got) <= 100
        before = got
    assert 4 <= changes <= 8


def test_thin_draws_a_spike():
    points = [(float(n), 50.0 if n == 777 else 1.0) for n in range(10_000)]
    got = pairs(thin(as_series(points), 100))
    assert (777.0, 50.0) in got
    assert len(got) <= 200


@pytest.mark.parametrize("length", [300_000, 1_500_000])
@pytest.mark.parametrize("budget", [1, 100_000, 1 << 18])
def test_a_small_budget_gets_over_a_long_line(tmp_path, budget, length):
    with open(tmp_path / "output.log", "wb") as file:
        file.write(line(step=1, a=1) + b"x" * length + b"\n" + line(step=2, a=2))
    log, got = MetricLog(tmp_path, Reading("step")), []
    for _ in range(100):
        got += [x.level for x in log.poll(budget)]
    assert got == [1, 2]
