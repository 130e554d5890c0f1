"""Whatever a worker writes, the supervisor lives, stays small, and tells the truth."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import SHORT
from tests.supervisor.chaos import supervisor_pid
from tests.until import until

GARBAGE = r"""
import json, os, sys, time
out = sys.stdout.buffer
out.write(b"\xff\xfe{\x00s\x00t\x00e\x00p\x00\n\x00")          # UTF-16
out.write(b"{" * 100_000 + b"\n" + b"[1,2\n" + b"\x00" * 5000 + b"\n")
out.write(b"\x1b]52;c;aGVsbG8=\x07\x1b[2J[@click=app.quit]x[/]\n")
out.write(b'{"step": 1, "val_acc": NaN, "train_loss": "NaN"}\n')
out.write(b'{"step": 1e999, "val_acc": 3}\n{"step": true}\n{"step": -4, "val_acc": 9}\n')
for _ in range(100):                                             # 100 MB without a newline
    out.write(b"x" * (1 << 20))
out.write(b"\n")
out.write(b'{"step": 2, "val_acc": 0.5, "\x1b[31mname": 1}\n{"step": 3, "val_acc": 0.')
out.flush()
time.sleep(0.5)
out.write(b'75}\n')
out.flush()
"""


def test_garbage_half_lines_nan_utf16_and_a_line_of_100_mb_do_no_harm(lab):
    script = lab.folder / "garbage.py"
    script.write_text(GARBAGE)
    lab.start(words=[sys.executable, str(script)], steps=3)
    pid = until(lambda: supervisor_pid(lab.directory))
    closed = lab.closed()
    peak = int(re.search(r"VmHWM:\s+(\d+)", Path(f"/proc/{pid}/status").read_text())[1]) / 1024
    assert closed.code == 0, closed
    assert lab.run().reached[-1].value == 0.75
    assert lab.run().reached[-1].level == 3
    assert peak < 40, f"{peak:.0f} MiB"
    for words in (
        ["status", str(lab.directory)],
        ["report", str(lab.directory)],
        [str(lab.directory), "--headless"],
    ):
        done = lab.lrtui(*words)
        assert done.returncode == 0
        assert "\x1b" not in done.stdout
    assert "\x1b" not in (lab.directory / "report.md").read_text()


def test_a_script_that_prints_nothing_useful_has_failed_and_says_so(lab):
    lab.start(words=[sys.executable, "-c", "print(1)"], steps=3)
    assert lab.closed().code == 1
    assert "without a metric line" in lab.run().ending.why


def test_scripts_that_print_text_are_read_by_their_pattern(lab):
    code = "for i in range(1, 4): print(f'step {i}: loss {1 / i}, acc {i / 4}')"
    parse = r"parse = 'step (?P<step>\d+): loss (?P<train_loss>\S+), acc (?P<val_acc>\S+)'"
    script = lab.folder / "text.py"
    script.write_text(code)
    lab.start(words=[sys.executable, str(script)], steps=3, extra=parse)
    assert lab.closed().code == 0
    assert lab.run().reached[-1].value == 0.75


def test_a_read_only_directory_can_be_looked_at_and_says_why_it_cannot_be_steered(lab, monkeypatch):
    monkeypatch.setenv("LRTUI_TIMING", f"{SHORT},linger=0.1")
    lab.start(steps=3)
    lab.closed()
    until(lambda: supervisor_pid(lab.directory) is None)
    place = lab.folder / "readonly"
    place.mkdir()
    mount = ["mount", "--bind", str(lab.directory), str(place)]
    if not shutil.which("mount") or os.getuid() or subprocess.run(mount, check=False).returncode:
        pytest.skip("needs to mount a directory read-only")
    try:
        if subprocess.run(["mount", "-o", "remount,bind,ro", str(place)], check=False).returncode:
            pytest.skip("needs to mount a directory read-only")
        assert lab.lrtui("status", str(place)).returncode == 0
        assert lab.lrtui(str(place), "--headless").returncode == 0
        refused = lab.lrtui("restart", str(place), "r01")
        assert refused.returncode == 6
        assert "read-only" in refused.stderr
    finally:
        subprocess.run(["umount", str(place)], check=True)


def test_ten_thousand_learning_rates_are_refused_before_anything_runs(lab):
    file = lab.toml(lrs=", ".join(f"{i}e-6" for i in range(1, 10_001)))
    done = lab.lrtui(str(file), "--headless")
    assert done.returncode == 2
    assert "1000" in done.stderr or "1,000" in done.stderr
    assert not (lab.folder / "runs").exists()
