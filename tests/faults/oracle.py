"""What must hold after every fault, whatever it was: nothing lost, nothing doubled, each run ended once, nobody left."""

from collections import Counter

from lrtui.metrics import MetricLog, Reading
from lrtui.sweep.layout import Layout
from tests.supervisor.lab import Lab


def acknowledged(lab: Lab) -> set[tuple[str, int]]:
    """Return (beginning of the attempt's token, step) of every step whose line a worker was told is written."""
    lines = [line for file in lab.oracle.glob("*.steps") for line in file.read_text().splitlines()]
    return {(line.split()[0], int(line.split()[1])) for line in lines}


def seen(lab: Lab) -> set[tuple[str, int]]:
    """Return the same of every metric line that a reader finds."""
    found = set()
    for run in lab.sweep.runs.values():
        for attempt in run.attempts:
            log = MetricLog(
                Layout(lab.directory).attempt(run.folder, attempt.number), Reading("step")
            )
            found |= {(attempt.token[:6], int(m.level)) for m in log.poll(1 << 30)}
    return found


def sound(lab: Lab, *, kinds: tuple[str, ...] = ("finished",), lines: bool = True) -> None:
    """Fail unless every run has ended once, in one of these ways, with all of its lines and nobody left."""
    endings = Counter(event.run for event in lab.events("RunEnded"))
    assert {run.ending.kind if run.ending else run.state for run in lab.sweep.runs.values()} <= set(
        kinds
    ), {run.id: run.ending for run in lab.sweep.runs.values()}
    assert set(endings) == set(lab.sweep.runs)
    assert max(endings.values()) == 1, endings
    assert lab.doubled() == []
    if lines:
        assert acknowledged(lab) - seen(lab) == set()
    assert lab.left() == []
