"""Spoiled files on every way in: `python -m tests.fuzz --lines 1000000 --files 100000 [--seed N]`.

    metric lines    metrics.jsonl and output.log, read by MetricLog into a RunSeries
    journals        read by JournalTail, folded, ranked, judged, told in words
    letters         decoded as commands, and what they would do
    experiments     parsed; the only error there may be is ExperimentError

An exception that is not the documented one ends the campaign with the input that raised it. What the readers let through is
looked at too: values are floats, and no control character is left in a text that is shown.
"""

from __future__ import annotations

import argparse
import random
import re
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

from lrtui.analysis.ranking import rank
from lrtui.analysis.verdict import verdict
from lrtui.config import parse
from lrtui.errors import ExperimentError
from lrtui.frontend.narration import event_text
from lrtui.metrics import MetricLog, Reading, RunSeries
from lrtui.supervisor import commands
from lrtui.sweep import events as ev
from lrtui.sweep.allowed import Refusal
from lrtui.sweep.journal import JournalTail
from lrtui.sweep.state import Sweep, fold
from tests.fuzz.mutate import mutated
from tests.sweep.test_state import PLAN, launched, numbered, queued

CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")
LINES = [
    b'{"step":120,"epoch":2.5,"lr":0.001,"train_loss":1.9,"val_acc":0.41,"time":3.25}',
    b'{"epoch":1,"val_loss":"NaN","grad_norm":Infinity}',
    b'{"step":1,"tokens":4096,"loss":2.3e0}',
    b"epoch 3/10: 100%|#####| 10/10 [00:01<00:00] loss=0.5 acc=0.9",
    b"Traceback (most recent call last):",
]
PATTERN = r"epoch (?P<epoch>\d+).*loss=(?P<train_loss>\S+) acc=(?P<val_acc>\S+)"
LETTERS = [
    ev.encode(command)
    for command in (
        ev.KillRun(run="r01", attempt=1),
        ev.RestartRun(run="r01", attempt=1),
        ev.AddRun(lr=1e-3),
        ev.SetParallel(parallel=3),
        ev.StopSweep(),
        ev.ReopenSweep(),
    )
]
EVENTS = [
    ev.encode(event)
    for event in numbered(
        [
            ev.SweepOpened(plan=PLAN),
            queued("r01"),
            queued("r02"),
            launched("r01"),
            ev.RunStarted(run="r01", attempt=1, pid=7),
            ev.RunReached(run="r01", attempt=1, level=3.0, value=0.7, val_loss=0.9),
            ev.RunEnded(run="r01", attempt=1, kind="finished", code=0),
            ev.RunFlagged(run="r02", attempt=1, rule="stalled", why="no line for 5 min"),
            ev.Warned(text="little room"),
            ev.RungClosed(
                group=ev.GroupKey(), level=1.0, kept=("r01",), pruned=("r02",), cut=0.5, why="third"
            ),
            ev.RangeTested(run="t01", valley=1e-3, points=100),
            ev.SweepClosed(code=0, why="done"),
        ]
    )
]


def experiments() -> list[bytes]:
    """Return the files of experiments/, which are good."""
    folder = Path(__file__).parent.parent.parent / "experiments"
    return [path.read_bytes() for path in sorted(folder.glob("*.toml"))]


def read_metrics(text: bytes, attempt: Path, name: str, unit: str) -> int:
    """Read a metric file or an output as the monitor does; return how many of its lines were taken."""
    for other in ("metrics.jsonl", "output.log"):
        (attempt / other).unlink(missing_ok=True)
    (attempt / name).write_bytes(text)
    log, series = MetricLog(attempt, Reading(unit, PATTERN)), RunSeries()
    measured = log.poll(1 << 30)
    while log.more:
        measured += log.poll(1 << 30)
    if measured:
        series.extend(1, measured)
    for each in measured:
        assert each.level >= 0, each
        assert all(type(value) is float for value in each.values.values()), each
    for metric in series.names():
        assert not CONTROL.search(metric), metric
        series.last(metric)
    return len(measured)


def read_journal(text: bytes, path: Path) -> tuple[int, int]:
    """Do with a journal what the monitor does; return how many lines were taken, and how many not."""
    path.write_bytes(text)
    tail = JournalTail(path)
    events = tail.poll()
    sweep = fold(events)
    rank(sweep, {})
    for event in events:
        assert not CONTROL.search(event_text(event, sweep)), event
    found = verdict(sweep)
    assert found.lr is None or 0 < found.lr < float("inf"), found
    return len(events), tail.bad


def read_letter(text: bytes, sweep: Sweep) -> str:
    """Decode a letter and ask what it would do; return what became of it."""
    try:
        effects = commands.effects(ev.decode_command(text), sweep)
    except ValueError:
        return "unreadable"
    return "refused" if isinstance(effects, Refusal) else "carried out"


def read_experiment(text: bytes) -> str:
    """Parse an experiment file; return what became of it."""
    said = ""
    try:
        parse(text.decode("utf-8", "replace"), "x.toml")
    except ExperimentError as error:
        said = str(error)
    assert not CONTROL.search(said.replace("\n", "")), said
    return "faulty" if said else "taken"


def metric_lines(rng: random.Random, count: int, folder: Path) -> Counter[str]:
    """Read `count` lines, 2,000 to a file."""
    tally: Counter[str] = Counter()
    attempt = folder / "a1"
    attempt.mkdir()
    while tally["lines"] < count:
        lines = [mutated(rng, rng.choice(LINES), LINES) for _ in range(2000)]
        name = rng.choice(("metrics.jsonl", "output.log"))
        unit = rng.choice(("epoch", "step", "tokens"))
        measured = read_metrics(b"\n".join(lines), attempt, name, unit)
        tally.update(lines=len(lines), measured=measured)
    return tally


def journals(rng: random.Random, count: int, folder: Path) -> Counter[str]:
    """Read `count` journals, each with some spoiled lines."""
    tally: Counter[str] = Counter()
    for _ in range(count):
        lines = [mutated(rng, line, EVENTS) if rng.random() < 0.3 else line for line in EVENTS]
        if rng.random() < 0.3:
            rng.shuffle(lines)
        text = b"\n".join(lines) + (b"\n" if rng.random() < 0.8 else b"")
        taken, bad = read_journal(text, folder / "journal.jsonl")
        tally.update(journals=1, events=taken, bad=bad)
    return tally


def letters(rng: random.Random, count: int) -> Counter[str]:
    """Read `count` letters."""
    sweep = sweep_of_letters()
    spoiled = (mutated(rng, rng.choice(LETTERS), LETTERS) for _ in range(count))
    return Counter(letters=count) + Counter(read_letter(text, sweep) for text in spoiled)


def sweep_of_letters() -> Sweep:
    """Return the sweep to which the letters go."""
    return fold(numbered([ev.SweepOpened(plan=PLAN), queued("r01"), launched("r01")]))


def files(rng: random.Random, count: int) -> Counter[str]:
    """Parse `count` experiment files."""
    good = experiments()
    spoiled = (mutated(rng, rng.choice(good), good) for _ in range(count))
    return Counter(files=count) + Counter(map(read_experiment, spoiled))


def campaign(lines: int, count: int, seed: int) -> Counter[str]:
    """Spoil `lines` metric lines and `count` files, a third each of journals, letters and experiments."""
    rng = random.Random(seed)
    tally: Counter[str] = Counter()
    with tempfile.TemporaryDirectory(prefix="lrtui-fuzz-") as name:
        tally += metric_lines(rng, lines, Path(name))
        tally += journals(rng, count // 3, Path(name))
        tally += letters(rng, count // 3)
        tally += files(rng, count - 2 * (count // 3))
    return tally


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--lines", type=int, default=100_000)
    parser.add_argument("--files", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(10**6))
    options = parser.parse_args()
    print(f"seed {options.seed}", flush=True)
    began = time.monotonic()
    print(dict(campaign(options.lines, options.files, options.seed)), file=sys.stderr)
    print(f"0 exceptions in {time.monotonic() - began:.0f} s")
