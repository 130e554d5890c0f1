"""What scripts print is read in every spelling, and how the bytes were divided among reads never matters."""

from __future__ import annotations

import json
import math
import random

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lrtui.metrics import Measurement, MetricLog, Reading
from lrtui.metrics.capture import Capture
from lrtui.metrics.capture.misses import likely, missing
from lrtui.metrics.capture.objects import objects
from lrtui.metrics.capture.records import records
from lrtui.metrics.capture.values import number
from lrtui.metrics.line import Columns, one_by_one
from lrtui.sweep.events import Plan


def read(folder, output: str | bytes, reading: Reading, code: int | None = None) -> MetricLog:
    content = output.encode() if isinstance(output, str) else output
    (folder / "output.log").write_bytes(content)
    if code is not None:
        (folder / "exit.json").write_text(json.dumps({"code": code}))
    return MetricLog(folder, reading)


def points(log: MetricLog, name: str) -> list[tuple[float, float]]:
    found = log.poll()
    while log.more:
        found += log.poll()
    return [(m.level, m.values[name]) for m in found if name in m.values]


def test_a_range_test_may_be_longer_than_the_horizon(tmp_path):
    lines = [f'{{"step": {n}, "loss": {n}}}\n' for n in range(1, 101)]
    (tmp_path / "metrics.jsonl").write_text("".join(lines))
    plan = Plan(name="x", source="", metric="loss", goal="min", loss="loss", unit="step", horizon=5)
    assert len(MetricLog(tmp_path, Reading.of(plan, range_test=True)).poll()) == 100
    assert len(MetricLog(tmp_path, Reading.of(plan)).poll()) == 11


STEPS = Reading("step", horizon=100, metric="val_loss", loss="loss")
EPOCHS = Reading("epoch", horizon=3, metric="val_acc", loss="train_loss")


# ---------------------------------------------------------------- values


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("0.5", 0.5),
        ("92.5%", 92.5),
        ("1,000", 1000),
        ("1,234,567.5", 1234567.5),
        ("0.7]", 0.7),
        ("'4.267',", 4.267),
        ("(0.25)", 0.25),
        ("5.46.", 5.46),
        ("-1e-3", -1e-3),
        ("tensor(0.5, device='cuda:0')", 0.5),
        ("np.float64(0.25)", 0.25),
        ("0.91(2)", 0.91),
        ("0.91 ± 0.02", 0.91),
        ("45.3(44.1)", 45.3),
        ("0.900*", 0.9),
        ("\N{MINUS SIGN}1.5", -1.5),
        ("Infinity", math.inf),
        ("-inf", -math.inf),
        ("+INF,", math.inf),
    ],
)
def test_numbers_as_programs_print_them(text, value):
    assert number(text) == value


@pytest.mark.parametrize("text", ["nan", "NaN", "-nan", "NAN,", "nan(ind)", "'nan'", "1.#QNAN"])
def test_every_spelling_of_nan(text):
    found = number(text)
    assert found is not None
    assert math.isnan(found)


@pytest.mark.parametrize(
    "text", ["", "x", "12ms", "0,5", "0,500", "3/4", "1.2.3", "9" * 100, "nano"]
)
def test_what_is_no_number(text):
    assert number(text) is None


# ---------------------------------------------------------------- objects


@pytest.mark.parametrize(
    ("record", "found"),
    [
        (b'INFO:root:{"step": 1, "a": 2}', [{"step": 1, "a": 2}]),
        (b'{"step": 1}{"step": 2}', [{"step": 1}, {"step": 2}]),
        (b"{'loss': np.float64(0.5), 'ok': True, 'x': None}", [{"loss": 0.5}]),
        (b'{"val": {"acc": {"top1": 3}}}', [{"val/acc/top1": 3}]),
        (b'{"a": "0.5", "b": "93.5%", "c": "text"}', [{"a": 0.5, "b": 93.5}]),
        (b'it\'s {odd} {"a": 1} }', [{"a": 1}]),
        (b'{"note": "a } b", "a": 1}', [{"a": 1}]),
        (b'{"a": inf}', [{"a": math.inf}]),
        (b"no object", []),
        (b'{"a": 1', []),
        (b"{" * 5000, []),
    ],
)
def test_objects_are_found_in_a_record(record, found):
    assert objects(record, set()) == found


def test_escapes_and_returns_are_no_part_of_a_record():
    block = b"\xef\xbb\xbf\x1b[32ma\x1b[0m\r\nb\x08\rc\x1b]0;title\x07d\n\n"
    assert records(block) == [b"a", b"b", b"cd"]


# ---------------------------------------------------------------- positions


def test_a_record_without_a_position_belongs_to_the_last(tmp_path):
    text = '{"step": 10, "loss": 1}\n{"val_loss": 2}\n{"step": 0, "val_loss": 3}\n'
    assert points(read(tmp_path, text, STEPS), "val_loss") == [(10, 2), (10, 3)]


@pytest.mark.parametrize(
    "name", ["global_step", "iteration", "iter", "_step", "trainer/global_step", "Step"]
)
def test_the_frameworks_names_of_a_step(tmp_path, name):
    text = json.dumps({name: 7, "val_loss": 1}) + "\n"
    assert points(read(tmp_path, text, STEPS), "val_loss") == [(7, 1)]


def test_the_global_step_counts_where_there_are_two(tmp_path):
    text = '{"step": 5, "global_step": 25, "val_loss": 1}\n'
    assert points(read(tmp_path, text, STEPS), "val_loss") == [(25, 1)]


def test_position_names_it_explicitly(tmp_path):
    reading = Reading("step", horizon=100, metric="val_loss", position="seen")
    text = '{"step": 5, "seen": 30, "val_loss": 1}\n'
    assert points(read(tmp_path, text, reading), "val_loss") == [(30, 1)]


def test_a_step_that_counts_epochs_is_named_or_said(tmp_path):
    """TensorBoard's add_scalar is often given the epoch as its step."""
    rows = [f'{{"step": {step}, "val_loss": {9 - step}}}' for step in range(3)]
    reading = Reading(unit="epoch", horizon=3, metric="val_loss")
    log = read(tmp_path, "\n".join([*rows, ""]), reading, 0)
    assert points(log, "val_loss") == []
    (said,) = log.capture.misses.told(said=True)
    assert said.startswith('3 records say step, and no epoch (position = "step" if that')
    assert missing("val_loss", log.capture.names) == "no value of val_loss has a place in training"
    named = read(
        tmp_path, "\n".join([*rows, ""]), msgspec.structs.replace(reading, position="step"), 0
    )
    assert points(named, "val_loss") == [(1, 9), (2, 8), (3, 7)]


@pytest.mark.parametrize(
    ("values", "told"), [("1 n n n n", 4), ("1 n n 1 n n 1", 0), ("n n n n 1", 0)]
)
@pytest.mark.parametrize("name", ["loss", "val_loss"])
def test_three_nulls_in_a_row_are_said(tmp_path, name, values, told):
    """Of the loss and the deciding metric, where there were numbers before; single ones are no measurement, and no fault."""
    words = {"n": "null"}
    rows = [
        f'{{"step": {n}, "other": 1, "{name}": {words.get(v, v)}}}\n'
        for n, v in enumerate(values.split(), 1)
    ]
    reading = Reading(unit="step", metric="val_loss", loss="loss", horizon=10)
    log = read(tmp_path, "".join(rows), reading)
    log.poll()
    misses = [miss for miss in log.capture.misses.state() if "null" in miss.why]
    assert [(miss.times, miss.said) for miss in misses] == ([(told, True)] if told else [])


def test_a_position_far_beyond_the_horizon_is_a_bad_record(tmp_path):
    log = read(tmp_path, '{"step": 1, "val_loss": 1}\n{"step": 5000, "val_loss": 2}\n', STEPS)
    assert points(log, "val_loss") == [(1, 1)]
    assert log.capture.complete == 1
    assert "far beyond the horizon" in log.capture.misses.told()[0]


@pytest.mark.parametrize("first", [0, 1])
def test_epochs_counted_from_0_and_from_1_are_the_same(tmp_path, first):
    lines = [{"epoch": e + first, "train_loss": 1, "val_acc": e} for e in range(3)]
    text = "".join(json.dumps(each) + "\n" for each in lines)
    log = read(tmp_path, text, EPOCHS, code=0)
    assert points(log, "val_acc") == [(1, 0), (2, 1), (3, 2)]
    assert log.capture.complete == 3


def test_an_evaluation_before_training_is_no_epoch(tmp_path):
    lines = [{"epoch": 0, "val_acc": 0.1}]
    lines += [{"epoch": e, "train_loss": 1, "val_acc": e} for e in (1, 2, 3)]
    text = "".join(json.dumps(each) + "\n" for each in lines)
    assert points(read(tmp_path, text, EPOCHS), "val_acc") == [(0, 0.1), (1, 1), (2, 2), (3, 3)]


def test_steps_counted_from_0_come_to_their_end(tmp_path):
    reading = Reading("step", horizon=5, metric="val_loss")
    text = "".join(f'{{"step": {s}, "val_loss": {s}}}\n' for s in range(5))
    log = read(tmp_path, text, reading, code=0)
    assert points(log, "val_loss")[-1] == (5, 4)
    assert log.capture.complete == 5


def test_an_epoch_is_complete_at_its_end_not_at_its_first_line(tmp_path):
    path = tmp_path / "output.log"
    reading = Reading("epoch", horizon=9, metric="train_loss", loss="train_loss")
    log, seen, text = MetricLog(tmp_path, reading), [], ""
    for epoch, batch in [(1, 0), (1, 1), (1, 2), (2, 0), (2, 1)]:
        text += json.dumps({"epoch": epoch, "train_loss": batch}) + "\n"
        path.write_text(text)
        log.poll()
        seen.append(log.capture.complete)
    assert seen == [0, 0, 0, 1, 1]


def test_the_evaluation_of_the_deciding_metric_completes_its_epoch(tmp_path):
    text = '{"epoch": 1, "train_loss": 1}\n{"epoch": 1, "train_loss": 1}\n{"val_acc": 0.5}\n'
    log = read(tmp_path, text, EPOCHS)
    log.poll()
    assert log.capture.complete == 1


def test_batches_refine_an_epoch(tmp_path):
    reading = Reading(
        "epoch", r"E (?P<epoch>\d+) (?P<batch>\d+)/(?P<batches>\d+) (?P<train_loss>\S+)", horizon=3
    )
    log = read(tmp_path, "E 0 2/4 1\nE 1 1/4 2\n", reading)
    assert points(log, "train_loss") == [(0.5, 1), (1.25, 2)]


@settings(max_examples=40, deadline=None)
@given(
    first=st.sampled_from([0, 1]),
    end=st.sampled_from(["\n", "\r", "\r\n"]),
    how=st.tuples(st.integers(1, 4), st.permutations(["train", "eval"])),
    cuts=st.lists(st.integers(0, 600), max_size=6),
)
def test_how_a_stream_is_divided_never_matters(tmp_path_factory, first, end, how, cuts):
    batches, order = how
    text = ""
    for epoch in range(first, first + 3):
        for kind in order:
            for _ in range(batches if kind == "train" else 1):
                metric = "train_loss" if kind == "train" else "val_acc"
                text += json.dumps({"epoch": epoch, metric: epoch - first}) + end
    folder = tmp_path_factory.mktemp("parts")
    log, got = MetricLog(folder, EPOCHS), []
    for cut in [*sorted(c for c in cuts if c < len(text)), len(text)]:
        (folder / "output.log").write_text(text[:cut], newline="")
        got += log.poll(20)
        while log.more:
            got += log.poll(20)
    (folder / "exit.json").write_text('{"code": 0}')
    got += log.poll()
    whole = tmp_path_factory.mktemp("whole")
    at_once = read(whole, text, EPOCHS, code=0).poll()
    assert got == at_once
    if order[0] == "train":
        assert {m.level for m in got} == {1, 2, 3}
        assert log.capture.complete == 3


# ---------------------------------------------------------------- patterns


@pytest.mark.parametrize(
    ("preset", "text", "name", "found"),
    [
        (
            "mnist",
            (
                "Train Epoch: 1 [0/60000 (0%)]\tLoss: 2.299825\n"
                "\nTest set: Average loss: 0.0504, Accuracy: 9827/10000 (98%)\n"
            ),
            "val_acc",
            [(1, 98.27)],
        ),
        (
            "imagenet",
            (
                "Epoch: [0][  10/5005]\tTime  0.3 (  0.4)\tData  0.0 (  0.1)\tLoss 6.9e+00 (7.0e+00)\tAcc@1   0.00 (  0.10)\n"
                " *   Acc@1 3.240 Acc@5 10.120\n"
            ),
            "Acc@1",
            [(1, 3.24)],
        ),
        (
            "keras",
            (
                "Epoch 1/3\n\x1b[1m10/20\x1b[0m \x1b[32m━━━━\x1b[0m 3s 2ms/step - accuracy: 0.5 - loss: 2.0\r"
                "\x1b[1m20/20\x1b[0m ━━━━ 5s 2ms/step - accuracy: 0.6 - loss: 1.0 - val_accuracy: 0.7 - val_loss: 0.9\n"
            ),
            "val_accuracy",
            [(1, 0.7)],
        ),
        ("xgboost", "[0]\ttrain-rmse:0.5\teval-rmse:0.6\n", "eval-rmse", [(1, 0.6)]),
        (
            "lightgbm",
            "[1]\ttraining's l2: 0.24\tvalid_1's l2: 0.25\n",
            "valid_1's l2",
            [(1, 0.25)],
        ),
        ("nanogpt", "step 10: train loss 1.97, val loss 2.05\n", "val_loss", [(10, 2.05)]),
        (
            "tqdm",
            "\r 12%|##  | 12/100 [00:01<00:10, 9.5it/s, loss=0.3, acc=0.7]\n",
            "acc",
            [(12, 0.7)],
        ),
        (
            "lightning",
            "Epoch 0: 100%|████| 938/938 [00:05<00:00, 170.00it/s, v_num=0, train_loss=0.100, val_acc=0.970]\n",
            "val_acc",
            [(1, 0.97)],
        ),
        (
            "timm",
            (
                "Train: 0 [  30/60 ( 51%)]  Loss: 6.95 (6.96)  Time: 1.2s\n"
                "Test: [  78/78]  Time: 0.06 (0.1)  Loss:  1.2 ( 1.3)  Acc@1: 60.0 ( 65.2)  Acc@5: 80.0 ( 85.1)\n"
            ),
            "Acc@1",
            [(1, 65.2)],
        ),
        (
            "ultralytics",
            (
                "      1/3      2.5G      1.245      2.101      1.102         12        640: 100%|###| 8/8\n"
                "                   all        128        929      0.640      0.537      0.605      0.446\n"
            ),
            "metrics/mAP50-95(B)",
            [(1, 0.446)],
        ),
        ("hf", "{'eval_loss': '0.5', 'epoch': '1.0'}\n", "eval_loss", [(1, 0.5)]),
    ],
)
def test_presets(tmp_path, preset, text, name, found):
    from lrtui.metrics.capture.patterns import first_of

    unit = "step" if preset in {"xgboost", "lightgbm", "nanogpt", "tqdm"} else "epoch"
    reading = Reading(unit, preset, horizon=100, metric=name, first=first_of(preset))
    assert points(read(tmp_path, text, reading), name) == found


def test_each_pattern_of_a_list_is_tried_on_each_record(tmp_path):
    reading = Reading(
        "epoch",
        (r"Epoch (?P<epoch>\d+) loss (?P<train_loss>\S+)", r"Accuracy: (?P<val_acc>\S+)"),
        horizon=3,
        metric="val_acc",
        loss="train_loss",
    )
    log = read(tmp_path, "Epoch 1 loss 0.5\nAccuracy: 97.5%\n", reading)
    assert points(log, "val_acc") == [(1, 97.5)]


# ---------------------------------------------------------------- near misses and bad input


def test_near_misses_are_counted_and_quoted(tmp_path):
    log = read(tmp_path, "accuracy 0.5\naccuracy 0.6\n", STEPS)
    assert log.poll() == []
    assert log.capture.misses.told() == ["2 records are text, and there is no parse: accuracy 0.5"]
    trace = (
        'Traceback (most recent call last):\n  File "a.py", line 1, in <module>\nValueError: 3\n'
    )
    log = read(tmp_path, trace, STEPS)
    assert log.poll() == []
    assert log.capture.misses.told() == []
    said = missing("val_acc", ["train_loss", "val_accuracy"])
    assert "did you mean val_accuracy?" in said


def test_the_deciding_metric_is_kept_among_thousands_of_names(tmp_path):
    fields = {"step": 1, **{f"norm/{i}": 1.0 for i in range(2000)}, "val_loss": 0.5}
    assert points(read(tmp_path, json.dumps(fields) + "\n", STEPS), "val_loss") == [(1, 0.5)]


@pytest.mark.parametrize(
    "junk",
    [
        b"\0" * 100,
        "step 3 é".encode("latin-1"),
        '{"step": 3}'.encode("utf-16"),
        bytes(range(256)) * 10,
        b"x" * (3 << 20),
        b'{"a":' * 10_000,
    ],
)
def test_bad_input_costs_only_itself(tmp_path, junk):
    one, two = b'{"step": 1, "val_loss": 1}\n', b'\n{"step": 2, "val_loss": 2}\n'
    log = read(tmp_path, one + junk + two, STEPS)
    assert points(log, "val_loss") == [(1, 1), (2, 2)]


BLOCKS = "lrtui.metrics.capture.capture.LONG"
"""From how many lines on a block is decoded as a whole through numpy."""
ODD = [
    b'{"step":2,"loss":1}{"step":3,"loss":2}\n',
    b'{"step":2,\n"loss":1}\n{"step":3,"loss":1}\n',
    b'{"step":2,\n"loss":1}{"step":3,"loss":1}\n',
    b'{"step":2,"loss":1}\n\n{"step":3,"loss":1}\n',
    b'{"step":2,"loss":1}\r\n{"step":3,"loss":1}\r\n',
    b' {"step":2,"loss":1}\n{"step":3,"loss":1}\n',
    b'{"step":2,"loss":"NaN"}\n{"step":3,"loss":1}\n',
    b'{"step":0,"loss":1}\n{"step":3,"loss":1}\n',
    b'{"step":1e9,"loss":1}\n{"step":3,"loss":1}\n',
    b'{"loss":1}\n{"step":3,"loss":1}\n',
    b'{"step":3,"loss":1,"new":2}\n{"step":2,"loss":1}\n',
    b'{"step":2,"loss":1,"time":0.5,"epoch":1}\n{"step":3,"loss":1}\n{}\n',
    b'{"step":2,"loss":1,"loss":2}\n{"step":3,"global_step":4,"loss":1}\n',
]


@pytest.mark.parametrize("lines", ODD)
@pytest.mark.parametrize("stream", ["metric_lines", "text"])
@pytest.mark.parametrize("by_column", [False, True])
@pytest.mark.parametrize("long", [False, True])
def test_a_block_is_read_as_its_lines_are(lines, stream, by_column, long, monkeypatch):
    """Blocks of plain lines are decoded in one call; nothing else may look like one."""
    if long:
        monkeypatch.setattr(BLOCKS, 1)
    taken = []
    for blocks in ([lines], [line + b"\n" for line in lines.split(b"\n")[:-1]]):
        capture, found = Capture(STEPS, by_column=by_column), []
        for block in [b'{"step":1,"loss":1,"time":0.1}\n' * 2, *blocks]:
            getattr(capture, stream)(block, found)
        taken.append((sorted_names(found), sorted_state(capture)))
    assert repr(taken[0]) == repr(taken[1])


def sorted_names(found):
    """Return measurements one by one, the names of each in order: a column's place is that of its first value."""
    lines = one_by_one(found)
    return [msgspec.structs.replace(m, values=dict(sorted(m.values.items()))) for m in lines]


def sorted_state(capture):
    """Return all that a capture remembers, in the same way."""
    latest = [sorted_names(stream.latest) for stream in capture._streams]
    noted = (capture._nulls, capture._taken, capture._looked, sorted(capture._aliases))
    return (
        capture.memories,
        latest,
        list(capture._files),
        capture.names,
        capture.misses.state(),
        noted,
    )


KEYS = st.sampled_from(
    [
        *("step", "loss", "acc", "time", "epoch", "tokens", "iter", "new", "batch", "val loss"),
        *('a"b', "é"),
    ]
)
NUMBERS = st.sampled_from(
    [
        *("null", "true", '"1"', "NaN", "1e999", "0.0", "-0", "01", "{}", "[]", "0", "-1"),
        *("1" * 400, "1e-400", "1E2", "9007199254740993", "0.1000000000000000055511151231257827"),
    ]
) | st.floats(allow_nan=False, allow_infinity=False).map(repr)
PAIRS = st.tuples(KEYS.map(json.dumps) | st.just('"l\\u006fss"'), NUMBERS)
USUAL = st.tuples(
    st.sampled_from(['"loss"', '"acc"', '"time"', '"val loss"']), NUMBERS | st.just("0.5")
)


def objects_of(pairs):
    """Return an object that begins with a step, as it usually does."""
    return st.builds(
        lambda step, pairs: "{" + ",".join([f'"step":{step}', *map(":".join, pairs)]) + "}",
        st.integers(1, 99),
        st.lists(pairs, max_size=4),
    )


ENDS = st.sampled_from(["\n"] * 30 + ["\n\n", "\r\n", "", " \n", "\r", "\0\n", "x\n"])
PLAIN = st.builds(
    '{{"step":{},{}:{}}}\n'.format,
    st.integers(1, 99),
    st.sampled_from(['"loss"', '"acc"', '"l\\u006fss"', '"time":1,"acc"', '"acc":1,"acc"']),
    st.floats(0, 9).map(repr) | st.integers(-9, 9).map(str),
)
ODD_LINE = st.builds(str.__add__, objects_of(USUAL) | objects_of(PAIRS), ENDS)


@settings(max_examples=300, deadline=None)
@given(st.lists(PLAIN, max_size=8) | st.lists(PLAIN | ODD_LINE, max_size=8))
def test_columns_say_what_the_lines_say(lines):
    """What is decoded by column is what the same lines give when each of them is taken by itself."""
    text = "".join([*lines, "\n" * (not lines or not lines[-1].endswith("\n"))]).encode()
    taken = []
    ways = ((True, True, True), (True, True, False), (False, True, False), (False, False, False))
    for by_column, at_once, long in ways:
        capture, found = Capture(STEPS, by_column=by_column), []
        capture.metric_lines(b'{"step":1,"loss":1,"time":0.1,"acc":1,"val loss":1}\n', found)
        with pytest.MonkeyPatch.context() as patch:
            if long:
                patch.setattr(BLOCKS, 1)
            if not at_once:
                patch.setattr(capture, "_plain_lines", lambda *_: False)
            bad = capture.metric_lines(text, found)
        taken.append((sorted_names(found), bad, sorted_state(capture)))
    assert repr(taken[0]) == repr(taken[1]) == repr(taken[2]) == repr(taken[3])


@pytest.mark.parametrize("by_column", [False, True])
def test_plain_blocks_are_decoded_in_one_call(monkeypatch, by_column):
    capture, found = Capture(STEPS, by_column=by_column), []
    capture.metric_lines(b'{"step":1,"loss":1,"time":0.1}\n', found)
    monkeypatch.setattr(capture, "_lines", None)
    block = b"".join(b'{"step":%d,"loss":0.5,"time":%d}\n' % (n, n) for n in range(2, 90))
    assert capture.metric_lines(block, found) == 0
    lines = one_by_one(found)
    assert [m.level for m in lines] == list(range(1, 90))
    assert lines[-1] == Measurement(89, 89, None, None, 89, {"loss": 0.5})
    assert capture.complete == 89


@pytest.mark.parametrize("many", [1, 14, 15, 40])
def test_long_blocks_keep_every_number_of_every_name(many):
    """The layout of what msgspec packs depends on the number of names and on their lengths."""
    names = ["é" * 20, "n" * 40, "m" * 128, *(f"m{k}" for k in range(many))]
    lines = [
        {"step": step, **{name: step / 7 + at for at, name in enumerate(names) if step % (at + 2)}}
        for step in range(1, 1500)
    ]
    capture, found = Capture(Reading("step", horizon=2000), by_column=True), []
    first = {"step": 0.5, **dict.fromkeys(names, 1.0)}
    for block in ([first], lines):
        capture.metric_lines(b"".join(msgspec.json.encode(line) + b"\n" for line in block), found)
    assert isinstance(found[-1], Columns)
    for line, measured in zip(lines, found[-1], strict=True):
        assert {"step": measured.step, **measured.values} == line


# ---------------------------------------------------------------- bad input


JSON = '{"step": 1, "val_loss": 0.5}\n{"step": 2, "val_loss": 0.4}\n'
TEXT = "step 1 précision val_loss 0.5\nstep 2 précision val_loss 0.4\n"
BY_TEXT = Reading(
    "step",
    parse=r"^step (?P<step>\d+) .* val_loss (?P<val_loss>\S+)$",
    horizon=9,
    metric="val_loss",
)


@pytest.mark.parametrize(
    "encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "latin-1"]
)
def test_every_encoding_is_read(tmp_path, encoding):
    assert points(read(tmp_path, JSON.encode(encoding), STEPS), "val_loss") == [(1, 0.5), (2, 0.4)]
    log = read(tmp_path, TEXT.encode(encoding), BY_TEXT)
    assert points(log, "val_loss") == [(1, 0.5), (2, 0.4)]


@pytest.mark.parametrize(
    "long",
    [b"x" * 100_000_000, b"{" * 3_000_000, b'{"a":' * 300_000],
    ids=["text", "braces", "objects"],
)
def test_a_record_of_100_mb_is_passed_over(tmp_path, long):
    first, second = JSON.encode().splitlines(keepends=True)
    log = read(tmp_path, first + long + b"\n" + second, STEPS)
    assert points(log, "val_loss") == [(1, 0.5), (2, 0.4)]


@pytest.mark.parametrize("reading", [STEPS, BY_TEXT])
def test_binary_output_hides_nothing(tmp_path, reading):
    noise = random.Random(1).randbytes(1_000_000)
    lines = JSON if reading is STEPS else TEXT
    log = read(tmp_path, noise + b"\n" + lines.encode() + noise, reading)
    assert points(log, "val_loss") == [(1, 0.5), (2, 0.4)]


def test_a_position_that_is_no_number_is_said(tmp_path):
    """A group that can match no number reads nothing: the reason names the group and quotes the text."""
    reading = Reading("epoch", parse=r"epoch (?P<epoch>[a-z]+) (?P<val_acc>\S+)", metric="val_acc")
    log = read(tmp_path, "epoch one 0.5\nepoch two 0.6\n", reading, code=0)
    assert points(log, "val_acc") == []
    assert log.capture.misses.told() == [
        "2 records have text for epoch that is no number: epoch one 0.5"
    ]


def test_text_in_the_place_of_a_value_is_counted_and_an_absent_value_is_not(tmp_path):
    reading = Reading("step", r"step (?P<step>\S+) loss (?P<loss>\S+) acc (?P<acc>\S+)", 9, "acc")
    lines = ["1 loss 2 acc n/a", "2 loss 1.5 acc 0.5", "3 loss 1 acc ***", "4 loss 1 acc 0.7!?"]
    log = read(tmp_path, "".join(f"step {line}\n" for line in lines), reading)
    found = log.poll()
    assert [(m.level, dict(m.values)) for m in found] == [
        (1, {"loss": 2}), (2, {"loss": 1.5, "acc": 0.5}), (3, {"loss": 1}), (4, {"loss": 1})
    ]  # fmt: skip
    assert log.capture.misses.told()[0].startswith("2 records have text for acc that is no number")


def test_a_record_whose_position_is_unreadable_belongs_nowhere(tmp_path):
    reading = Reading("step", r"step (?P<step>\S+) acc (?P<acc>\S+)", 9000, "acc")
    log = read(tmp_path, "step 500 acc 0.5\nstep 1.5k acc 0.9\n", reading)
    assert points(log, "acc") == [(500, 0.5)]


def test_the_units_own_name_comes_before_a_metric_called_position(tmp_path):
    log = read(tmp_path, '{"epoch": 2, "position": 0.7, "val_acc": 0.5}\n', EPOCHS)
    assert points(log, "val_acc") == [(2, 0.5)]


def test_a_pattern_that_never_matches_is_said(tmp_path):
    reading = Reading("epoch", parse=r"$(?P<epoch>\d+)\n(?P<val_acc>\S+)", metric="val_acc")
    log = read(tmp_path, "epoch 1 0.5\n", reading, code=0)
    assert points(log, "val_acc") == []
    assert log.capture.misses.told() == ["1 record matches no pattern of parse: epoch 1 0.5"]


def test_a_script_that_prints_only_nan_has_measured(tmp_path):
    log = read(
        tmp_path, '{"step": 1, "val_loss": NaN}\nstep 2\n{"step": 2, "val_loss": "nan"}\n', STEPS
    )
    assert [(x, math.isnan(y)) for x, y in points(log, "val_loss")] == [(1, True), (2, True)]


def test_a_metric_that_comes_once_at_the_end_has_its_length(tmp_path):
    reading = Reading(
        "epoch",
        parse=(r"epoch (?P<epoch>\d+)", r"accuracy: (?P<val_acc>\S+)"),
        horizon=3,
        metric="val_acc",
    )
    log = read(tmp_path, "epoch 1\nepoch 2\nepoch 3\naccuracy: 0.7", reading, code=0)
    assert points(log, "val_acc") == [(3, 0.7)]


def test_of_one_name_twice_json_takes_the_last_and_text_the_first(tmp_path):
    """As JSON's readers do, and as a regular expression does."""
    assert points(
        read(tmp_path, '{"step": 1, "val_loss": 1, "val_loss": 2}', STEPS, 0), "val_loss"
    ) == [(1, 2)]
    reading = Reading(
        "step", parse=r"step (?P<step>\d+) .*?val_loss (?P<val_loss>\S+)", metric="val_loss"
    )
    assert points(read(tmp_path, "step 1 val_loss 1 val_loss 2", reading, 0), "val_loss") == [
        (1, 1)
    ]


# ---------------------------------------------------------------- what stands beside a measurement


def test_the_users_patterns_come_before_objects_in_a_line(tmp_path):
    lines = "".join(
        f"epoch {e} opt {{'lr': 0.01, 'wd': 0.1}} val_acc {e / 10}\n"
        + json.dumps({"ts": "x", "pid": 42, "msg": f"epoch {e} val_acc {e / 10}"})
        + "\n"
        for e in (1, 2, 3)
    )
    reading = Reading("epoch", r"epoch (?P<epoch>\d+).* val_acc (?P<val_acc>[\d.]+)", 3, "val_acc")
    assert points(read(tmp_path, lines, reading), "val_acc")[::2] == [(1, 0.1), (2, 0.2), (3, 0.3)]


@pytest.mark.parametrize(
    ("reading", "setting"),
    [(STEPS, "{'name': 'StepLR', 'step': 60}"), (EPOCHS, '{"epoch": 3, "batch_size": 64}')],
)
def test_a_setting_before_the_first_measurement_is_no_progress(tmp_path, reading, setting):
    line = json.dumps({reading.unit: 1, reading.loss: 2.0, reading.metric: 0.5})
    log = read(tmp_path, f"{setting}\n{line}\n", reading)
    assert points(log, reading.metric) == [(1, 0.5)]
    assert log.capture.complete <= 1


def test_epoch_0_is_before_training_if_a_loss_comes_with_epoch_1(tmp_path):
    lines = [{"epoch": 0, "val_acc": 0.1}] + [
        {"epoch": e, "loss": 1, "val_acc": 0.5} for e in (1, 2)
    ]
    log = read(tmp_path, "".join(json.dumps(line) + "\n" for line in lines), EPOCHS)
    assert points(log, "val_acc") == [(0, 0.1), (1, 0.5), (2, 0.5)]


def test_a_history_in_one_list_is_read_whole(tmp_path):
    history = [{"step": s, "val_loss": 1 / s} for s in range(1, 101)]
    assert len(points(read(tmp_path, json.dumps(history * 3) + "\n", STEPS), "val_loss")) == 300


@pytest.mark.parametrize(
    ("metric", "names", "meant"),
    [
        ("val_acc", ["loss", "Acc@1", "Acc@5"], "Acc@1"),
        ("val_acc", ["eval_accuracy", "train_accuracy"], "eval_accuracy"),
        ("train_loss", ["val_loss", "loss"], "loss"),
        ("train_loss", ["val_loss", "val_acc"], "val_loss"),
        ("val_acc", ["lr", "seconds"], ""),
        ("val_acc", [], ""),
    ],
)
def test_the_metric_that_was_meant_is_the_nearest_of_the_same_data(metric, names, meant):
    assert likely(metric, names) == meant
