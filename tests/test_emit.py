"""A training script may rely on emit: one strict line per call, and no trouble of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import lrtui.emit

emit_module = sys.modules["lrtui.emit"]
emit = emit_module.emit


@pytest.fixture(autouse=True)
def output(monkeypatch, tmp_path):
    """A metric file, and an output that knows nothing of earlier tests."""
    monkeypatch.delenv("RANK", raising=False)
    monkeypatch.setenv("LRTUI_METRICS", str(tmp_path / "metrics.jsonl"))
    monkeypatch.setattr(emit_module, "_OUTPUT", emit_module._Output())
    return tmp_path / "metrics.jsonl"


def strict(text):
    def refuse(word):
        raise AssertionError(f"{word} is not JSON")

    return [json.loads(line, parse_constant=refuse) for line in text.splitlines()]


def test_a_call_is_one_line_with_time(output):
    emit(step=1, train_loss=0.5, val_acc=None)
    emit(step=2, time=7)
    first, second = strict(output.read_text())
    assert first["step"] == 1
    assert first["train_loss"] == 0.5
    assert first["val_acc"] is None
    assert first["time"] >= 0
    assert second["time"] == 7


def test_each_line_is_one_write(output, monkeypatch):
    writes = []
    real = os.write
    monkeypatch.setattr(os, "write", lambda fd, data: writes.append(data) or real(fd, data))
    emit(step=1, loss=1.0)
    emit(step=2, loss=1.0)
    assert [data.count(b"\n") for data in writes] == [1, 1]
    assert all(data.endswith(b"\n") for data in writes)


def test_non_finite_values_are_words(output):
    emit(step=1, a=float("nan"), b=float("inf"), c=-float("inf"))
    (line,) = strict(output.read_text())
    assert (line["a"], line["b"], line["c"]) == ("NaN", "Infinity", "-Infinity")


@given(
    st.dictionaries(
        st.from_regex(r"[A-Za-z0-9_./-]{1,9}", fullmatch=True), st.floats() | st.integers()
    )
)
def test_whatever_the_numbers_are_the_line_is_strict_json(metrics):
    path = Path(os.environ["LRTUI_METRICS"])
    path.unlink(missing_ok=True)
    emit_module._OUTPUT = emit_module._Output()
    emit(**{**metrics, "step": 1})
    (line,) = strict(path.read_text())
    assert set(line) == {*metrics, "step", "time"}


def test_scalars_of_numpy_and_torch_are_taken(output):
    import numpy as np
    import torch

    emit(step=np.int64(4), a=np.float32(0.5), b=torch.tensor(0.25), c=torch.tensor([2.0]))
    (line,) = strict(output.read_text())
    assert (line["step"], line["a"], line["b"], line["c"]) == (4, 0.5, 0.25, 2.0)
    for several in (np.zeros(3), torch.zeros(3)):
        with pytest.raises(TypeError, match=r"loss=.*one number"):
            emit(step=1, loss=several)


@pytest.mark.parametrize("value", ["0.5", [1], True, 1j, {}])
def test_what_is_no_number_is_said_at_once(value):
    with pytest.raises(TypeError, match=r"emit\(loss=...\) needs a number"):
        emit(step=1, loss=value)


def test_a_key_that_is_no_string_is_a_type_error():
    with pytest.raises(TypeError):
        emit(**{1: 2})


@pytest.mark.parametrize("name", ["", "a\n", "\x1b[31m", "a" * 129])
def test_a_name_that_could_not_be_read_is_refused(name):
    with pytest.raises(ValueError, match="printable"):
        emit(step=1, **{name: 1.0})


@pytest.mark.parametrize("name", ["eval loss", "metrics/mAP50-95(B)", "Acc@1", "ä", '"'])
def test_any_printable_name_is_a_metric(output, name):
    emit(step=1, **{name: 1.0})
    assert strict(output.read_text())[0][name] == 1.0


@pytest.mark.parametrize("place", [{}, {"step": None}])
def test_a_line_without_a_place_is_refused_with_the_remedy(place):
    with pytest.raises(ValueError, match=r"epoch, step or tokens: emit\(step="):
        emit(loss=1.0, **place)


@pytest.mark.parametrize(("rank", "written"), [(None, 1), ("", 1), ("0", 1), ("1", 0), ("7", 0)])
def test_only_rank_0_writes(output, monkeypatch, rank, written):
    if rank is not None:
        monkeypatch.setenv("RANK", rank)
    emit(epoch=1, loss=0.1)
    assert (len(strict(output.read_text())) if output.exists() else 0) == written


def test_without_lrtui_the_line_is_printed(monkeypatch, capsys):
    monkeypatch.delenv("LRTUI_METRICS")
    emit(tokens=1000, loss=0.1)
    assert strict(capsys.readouterr().out)[0]["tokens"] == 1000


def test_a_closed_or_missing_stdout_does_not_end_a_training(monkeypatch):
    monkeypatch.delenv("LRTUI_METRICS")
    monkeypatch.setattr(sys, "stdout", None)
    emit(step=1)
    assert emit_module.dropped() == 1


def test_a_full_disk_drops_the_line_and_the_next_call_tries_anew(output, monkeypatch):
    emit(step=1)
    real = os.write
    monkeypatch.setattr(os, "write", lambda fd, data: real(fd, data[:5]))
    emit(step=2)
    emit(step=3)

    def full(fd, data):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "write", full)
    emit(step=4)
    monkeypatch.setattr(os, "write", real)
    emit(step=5)
    assert [line["step"] for line in strict(output.read_text())] == [1, 5]
    assert emit_module.dropped() == 3


def test_a_half_line_that_cannot_be_cut_off_spoils_only_itself(output, monkeypatch):
    emit(step=1)
    real = os.write
    monkeypatch.setattr(os, "write", lambda fd, data: real(fd, data[:5]))
    monkeypatch.setattr(os, "ftruncate", lambda fd, size: (_ for _ in ()).throw(OSError()))
    emit(step=2)
    monkeypatch.setattr(os, "write", real)
    emit(step=3)
    first, torn, third = output.read_text().splitlines()
    assert (json.loads(first)["step"], torn, json.loads(third)["step"]) == (1, '{"ste', 3)


def test_a_half_line_of_an_earlier_process_is_ended_first(output):
    output.write_bytes(b'{"step":1}\n{"st')
    emit(step=2)
    assert output.read_bytes().startswith(b'{"step":1}\n{"st\n{"step":2')


def test_an_unwritable_place_never_raises(monkeypatch, tmp_path, capsys):
    monkeypatch.setenv("LRTUI_METRICS", str(tmp_path / "gone" / "metrics.jsonl"))
    emit(step=1)
    emit(step=2)
    assert emit_module.dropped() == 2
    assert capsys.readouterr().err.count("could not be written") == 1


def test_durability_strict_syncs_each_line(output, monkeypatch):
    synced = []
    monkeypatch.setattr(os, "fsync", synced.append)
    emit(step=1)
    monkeypatch.setenv("LRTUI_DURABILITY", "strict")
    emit(step=2)
    assert len(synced) == 1


def test_importing_it_is_cheap_and_brings_nothing_else():
    code = (
        "import sys; before = set(sys.modules); import lrtui; print(*(set(sys.modules) - before))"
    )
    done = subprocess.run(
        [
            sys.executable,
            "-I",
            "-c",
            f"import sys; sys.path.insert(0, {str(Path(lrtui.__file__).parents[1])!r}); {code}",
        ],
        capture_output=True,
        text=True,
        check=True,
    )
    heavy = {"torch", "numpy", "asyncio", "logging", "msgspec", "textual", "subprocess", "typing"}
    assert heavy.isdisjoint(done.stdout.split())
