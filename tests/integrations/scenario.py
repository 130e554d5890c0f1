"""One training as a whole, the same training in three attempts, and a range test: python -m tests.integrations.scenario MODULE FOLDER.

MODULE is a script beside this file with `main(lr, folder)`, which returns its final weights. The second of the three attempts gets a SIGTERM. Prints JSON.
"""

import contextlib
import importlib
import json
import os
import signal
import sys
from pathlib import Path


def attempts(script, folder, integration, *, unit, whole, rung, told_at):
    """Run all four; return what the first three come to: weights, and metric lines without their times."""

    def attempt(name, run, until, **more):
        os.environ.update(
            LRTUI_METRICS=f"{folder}/{name}.jsonl",
            LRTUI_CHECKPOINT=f"{folder}/{run}",
            LRTUI_UNTIL=str(until),
            LRTUI_LR="0.01",
            **{f"LRTUI_{unit}": str(whole), **more},
        )
        with contextlib.redirect_stdout(sys.stderr):
            try:
                weights = script.main(0.01, f"{folder}/out-{run}")
            except SystemExit:  # of a callback, on SIGTERM
                weights = None
        lines = map(json.loads, Path(folder, f"{name}.jsonl").read_text().splitlines())
        return weights, [{k: v for k, v in line.items() if is_lasting(k)} for line in lines]

    emit = integration.emit

    def told(**line):
        emit(**line)
        if line["step"] == told_at:
            os.kill(os.getpid(), signal.SIGTERM)

    whole_weights, lines = attempt("whole", "w", whole)
    _, first = attempt("first", "p", rung)
    integration.emit = told
    _, second = attempt("second", "p", whole)
    integration.emit = emit
    weights, third = attempt("third", "p", whole)
    _, tested = attempt("range", "r", whole, LRTUI_LR_STEPS="3", LRTUI_LR_TO="1")
    return {
        "equal": weights == whole_weights,
        "lines": lines,
        "parts": [first, second, third],
        "range": tested,
        "left": sorted(each.name for each in Path(folder).iterdir() if each.suffix != ".jsonl"),
    }


def is_lasting(name):
    return not any(word in name for word in ("time", "per_second"))


if __name__ == "__main__":
    name, folder, integration, *rest = sys.argv[1:]
    script = importlib.import_module(f"tests.integrations.{name}")
    module = importlib.import_module(f"lrtui.integrations.{integration}")
    lengths = dict(zip(("whole", "rung", "told_at"), map(int, rest[1:]), strict=True))
    made = attempts(script, folder, module, unit=rest[0], **lengths)
    print(json.dumps(made))
