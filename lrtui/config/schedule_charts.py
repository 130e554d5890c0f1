"""Draws the schedules of an experiment as small charts, for `lrtui check`.

The values come from a trainer process, which builds the schedule as a run would: there is no second formula, and an error
that only torch detects shows up before anything runs. That imports torch, so a constant LR is not drawn.
"""

from __future__ import annotations

import json
import subprocess
import sys

from lrtui.config.experiment import Experiment
from lrtui.sweep.choice import choice_of
from lrtui.text.clean import clean

ROWS = 5
PATIENCE_SECONDS = 240
_EIGHTHS = " ▁▂▃▄▅▆▇█"
_LABEL = 6


def draw(experiment: Experiment) -> list[str]:
    """Return a chart of the LR over the horizon for each schedule except "constant"; [] for custom scripts.

    If the trainer rejects a schedule or does not answer, the lines say so.
    """
    texts = [text for text in experiment.schedules if text != "constant"]
    if not experiment.builtin or not texts:
        return []
    command = [sys.executable, "-m", "lrtui.train.schedules.preview", *texts]
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, check=False, timeout=PATIENCE_SECONDS
        )
        courses = json.loads(done.stdout) if done.returncode == 0 else {}
    except (OSError, ValueError, subprocess.TimeoutExpired) as error:
        return ["", f"the schedule cannot be drawn ({clean(str(error))})"]
    if not courses:
        why = clean(done.stderr.strip().rpartition("\n")[2]) or f"exit code {done.returncode}"
        return ["", f"the schedule cannot be drawn: {why}"]
    return [
        line for text in texts for line in ("", clean(text), *chart(courses[text]), *_note(text))
    ]


def chart(course: list[float]) -> list[str]:
    """Return the lines of a chart of shares from 0 to 1, with its axis."""
    levels = [max(share > 0, round(share * ROWS * 8)) for share in course]
    lines = []
    for row in range(ROWS - 1, -1, -1):
        cells = "".join(_EIGHTHS[min(8, max(0, level - row * 8))] for level in levels)
        label = {ROWS - 1: "lr", 0: "0"}.get(row, "")
        lines.append(f"{label:>{_LABEL}} │{cells}".rstrip())
    half = len(course) // 2
    axis = f"{'0':<{half}}{'50 %':<{len(course) - half - 5}}100 %"
    return [*lines, f"{'':>{_LABEL}} └{'─' * len(course)}", f"{'':>{_LABEL}}  {axis}"]


def _note(text: str) -> list[str]:
    if choice_of(text).name == "plateau":
        return ["  while the validation loss falls; the LR drops when the loss stops falling"]
    return []
