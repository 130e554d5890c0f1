"""Sweeps of scripts whose loggers write files: `read`."""

import sys

from tests.supervisor.lab import lab  # noqa: F401
from tests.until import until

SCRIPT = """
import csv, os, sys, time
lr, run_dir, steps, oracle = float(sys.argv[1]), sys.argv[2], int(sys.argv[3]), sys.argv[4]
folder = os.path.join(run_dir, "logs", "version_0")
os.makedirs(folder)
rows = []
for step in range(1, steps + 1):
    rows.append({"step": step, "train_loss": 1 / (step * lr)})
    if step % 2 == 0:
        rows.append({"step": step, "val_acc": lr * step / steps})
    names = sorted({name for row in rows for name in row})
    with open(os.path.join(folder, "metrics.csv" if lr < 1 else "other.txt"), "w", newline="") as file:
        writer = csv.DictWriter(file, names)
        writer.writeheader()
        writer.writerows(rows)
    while step == 2 and not os.path.exists(os.path.join(oracle, "go")):
        time.sleep(0.01)
"""


def test_a_sweep_that_reads_files(lab):  # noqa: F811
    """A file that comes late and is written anew each time is read live; a run whose files are elsewhere fails and says so."""
    (lab.folder / "train.py").write_text(SCRIPT)
    words = [
        sys.executable,
        str(lab.folder / "train.py"),
        "{lr}",
        "{run_dir}",
        "{steps}",
        str(lab.oracle),
    ]
    lab.start(
        lrs="0.25, 0.5, 2.0",
        steps=4,
        words=words,
        extra='read = "{run_dir}/**/metrics.csv"\nkeep = "all"',
    )
    until(lambda: _measured(lab))
    (lab.oracle / "go").touch()
    lab.closed()
    ended = {run.setting.lr: run.ending for run in lab.sweep.runs.values()}
    assert ended[0.25].kind == ended[0.5].kind == "finished"
    assert ended[2.0].kind == "failed"
    assert "no file matches **/metrics.csv" in ended[2.0].why
    best = max(
        lab.sweep.runs.values(), key=lambda run: max((r.value or 0 for r in run.reached), default=0)
    )
    assert (best.setting.lr, best.reached[-1].value) == (0.5, 0.5)


def _measured(lab) -> bool:  # noqa: F811
    """Tell whether a run that lives has rows."""
    return any(b'"val_acc"' in path.read_bytes() for path in lab.directory.glob("r*/a1/read.jsonl"))
