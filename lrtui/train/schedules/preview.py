"""The course of schedules without a run: `python -m lrtui.train.schedules.preview SCHEDULE...`, for `lrtui check`.

Each SCHEDULE is what `--schedule` takes. The answer is one JSON object on stdout, from each SCHEDULE to its LRs as shares of
the LR, at evenly spaced places of the horizon: those with which the trainer would train, from the same code.

Exit codes: 0 done; 2 a schedule is refused (the text on stderr says why).
"""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING

from lrtui.train.options import UsageError, choose
from lrtui.train.schedules import SCHEDULES

if TYPE_CHECKING:
    from lrtui.train.options import Choice

STEPS = 600
"""Of the horizon that is drawn: shares of a real one fall on the same places to a column's width."""
COLUMNS = 60


def main() -> int:
    """Print the courses of the schedules on the command line; return the exit code."""
    try:
        chosen = {text: choose("schedule", text, SCHEDULES) for text in sys.argv[1:]}
        print(json.dumps({text: loop(choice) for text, choice in chosen.items()}))
    except (UsageError, ValueError) as error:
        print(f"lrtui.train: {error}", file=sys.stderr)
        return 2
    return 0


def loop(choice: Choice) -> list[float]:
    """Return the highest share of the LR in each of `COLUMNS` parts of the horizon."""
    import torch  # takes over a second: a mistake is answered before

    from lrtui.train.schedules.warmup import advance, build_schedule

    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=1.0)
    schedule = build_schedule(SCHEDULES[choice.name], optimizer, STEPS, choice.options)
    found = []
    for _ in range(STEPS):
        found.append(float(optimizer.param_groups[0]["lr"]))
        optimizer.step()
        advance(schedule)
    width = STEPS // COLUMNS
    return [max(found[i : i + width]) for i in range(0, STEPS, width)]


if __name__ == "__main__":
    raise SystemExit(main())
