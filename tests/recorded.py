"""Writes experiment directories as a sweep would have left them: for tests, screens and benchmarks.

    directory = make(tmp_path / "cifar", ["running", "finished", "queued"])

The journal is made of real events, the metric files of real lines; the same arguments give the same bytes (the clock stands
at CLOCK, host and inode apart, which must be this directory's or it would be a copy).
"""

from __future__ import annotations

import argparse
import json
import math
import os
import random
import socket
from dataclasses import dataclass, field
from pathlib import Path

from lrtui.sweep import events as ev
from lrtui.sweep.layout import FORMAT, AttemptLayout, Layout
from lrtui.sweep.state import Run, Sweep, apply

CLOCK = 1_700_000_000.0
STATES = (
    "running", "finished", "diverged", "killed", "failed", "pruned", "queued", "paused",
    "lost", "frozen", "starting", "waiting", "stopping", "pausing",
)  # fmt: skip
_ENDED = {
    "finished": ("", 0),
    "diverged": ("train_loss was not finite three times in a row", None),
    "killed": ("killed by you", None),
    "failed": ("exit code 1", 1),
    "pruned": ("rung 1: 7th of 8", None),
}
HOSTILE = "\x1b[31m[/]\x1b]52;c;aGk=\x07[@click=app.quit]\u202e\t$(rm)"
HOSTILE_LINES = (
    b"\x1b[2J\x1b]0;owned\x07\xff\xfe\x00 not json\n"
    b'{"epoch": 1, "\\u001b[2J": 3, "[/bold]": 4}\n'
    b'{"epoch": NaN}\n{"epoch"\n\n' + b"[" * 5000 + b"\n"
)


@dataclass
class Recording:
    """A journal in the making, kept equal to its fold."""

    directory: Path
    plan: ev.Plan
    sweep: Sweep = field(default_factory=Sweep)
    lines: list[bytes] = field(default_factory=list)
    at: float = CLOCK

    def add(self, event: ev.AnyEvent, seconds: float = 1.0) -> None:
        self.at += seconds
        filled = {f: getattr(event, f) for f in event.__struct_fields__}
        numbered = type(event)(
            **filled | {"v": ev.VERSION, "n": len(self.lines) + 1, "at": self.at}
        )
        self.lines.append(ev.encode(numbered) + b"\n")
        self.sweep = apply(self.sweep, numbered)
        assert self.sweep.strange == 0, f"{event} does not fit"


def make(
    directory: Path,
    states: list[str] | tuple[str, ...] = STATES[:9],
    *,
    epochs: int = 20,
    lines_per_epoch: int = 5,
    seeds: int = 1,
    attempts: int = 1,
    most: float = math.inf,
    hostile: bool = False,
    closed: int | None = None,
    beat: bool = False,
    elsewhere: str = "",
    **plan: object,
) -> Path:
    """Write a directory with one setting for each of `states` (each with `seeds` runs) and return it.

    Args:
        directory: it is made.
        states: of the settings' runs, from the lowest LR on; see STATES.
        epochs: the horizon.
        lines_per_epoch: metric lines with a train_loss; one with val_loss, val_acc and test_acc ends each epoch.
        seeds: runs per setting.
        attempts: processes that each run needed; every one goes on two epochs before where the last one stopped.
        most: epochs that are written of each run at most.
        hostile: names, lines and reasons hold escape sequences and markup.
        closed: exit code of a sweep that has been closed.
        beat: whether a supervisor seems to live (its beat is the present time).
        elsewhere: "host" or "copy": the directory seems to come from there.
        plan: fields of Plan that differ.

    """
    layout = Layout(directory)
    for folder in (directory, layout.inbox, layout.done):
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    recording = Recording(directory, _plan(directory.name, epochs, hostile, plan))
    recording.add(_opened(recording.plan, directory, elsewhere))
    lrs = _lrs(len(states))
    number = 0
    for lr, state in zip(lrs, states, strict=True):
        for seed in range(seeds):
            number += 1
            setting = ev.Setting(lr=lr, optimizer="adam", schedule="constant")
            _queue(recording, f"r{number:02}", setting, seed, epochs * _UNTIL.get(state, 1.0))
    for index, run in enumerate(list(recording.sweep.runs.values())):
        state = states[index // seeds]
        last: dict[str, float] = {}
        if state != "queued":
            last = _measure(
                recording,
                run.id,
                state,
                index,
                per_epoch=lines_per_epoch,
                attempts=attempts,
                most=most,
                hostile=hostile,
            )
        _live(recording, run, state, attempts=attempts, hostile=hostile, last=last)
    if hostile:
        recording.add(ev.Warned(text=f"warning {HOSTILE}"))
    if closed is not None:
        recording.add(ev.SweepClosed(code=closed, why="every run has ended"))
    _files(recording, layout, beat)
    return directory


def _plan(name: str, epochs: int, hostile: bool, changes: dict[str, object]) -> ev.Plan:
    fields: dict[str, object] = {
        "name": f"{name}{HOSTILE}" if hostile else name,
        "source": f"experiments/{name}.toml",
        "metric": "val_acc",
        "goal": "max",
        "loss": "train_loss",
        "unit": "epoch",
        "horizon": float(epochs),
        "strategy": "a list of learning rates",
        "dataset": "cifar100",
        "model": "cnn7",
        "parallel": 2,
    }
    return ev.Plan(**fields | changes)


def _opened(plan: ev.Plan, directory: Path, elsewhere: str) -> ev.SweepOpened:
    host = "another-host" if elsewhere == "host" else socket.gethostname()
    inode = os.stat(directory).st_ino + (elsewhere == "copy")
    return ev.SweepOpened(plan=plan, host=host, inode=inode, version="0.1.0", pid=4242)


def _lrs(count: int) -> list[float]:
    """Return `count` LRs from 1e-05 on, two a decade, closer where they are many."""
    if count <= 13:
        return [float(f"{10 ** (-5 + n / 2):.2g}") for n in range(count)]
    return [float(f"{10 ** (-5 + 6 * n / count):.4g}") for n in range(count)]


def _queue(
    recording: Recording, run: str, setting: ev.Setting, seed: int, until: float, **more: object
) -> None:
    recording.add(ev.RunQueued(run=run, setting=setting, seed=seed, until=until, **more))


def _live(
    recording: Recording, run: Run, state: str, *, attempts: int, hostile: bool, last: dict[str, float]
) -> None:  # fmt: skip
    """Add the events that bring a queued run into `state`."""
    if state == "queued":
        return
    add, name = recording.add, run.id
    for number in range(1, attempts + 1):
        if number > 1:
            add(ev.RunLost(run=name, attempt=number - 1, why="the machine was restarted"))
            _queue(recording, name, run.setting, run.seed, run.until, resume=True)
        add(ev.RunLaunched(run=name, attempt=number, token=f"{number:032x}", until=run.until))
        if number < attempts or state != "starting":
            add(ev.RunStarted(run=name, attempt=number, pid=10_000 + number))
    why = HOSTILE if hostile else ""
    match state:
        case "frozen":
            add(ev.RunFrozen(run=name, attempt=attempts))
        case "paused" | "pausing":
            add(ev.RunPausing(run=name, attempt=attempts, why="paused by you" + why))
            if state == "paused":
                add(ev.RunPaused(run=name, attempt=attempts), 9)
        case "waiting":
            add(ev.RunReached(run=name, attempt=attempts, level=run.until, value=0.4))
            add(ev.RunWaiting(run=name))
        case "lost":
            add(ev.RunLost(run=name, attempt=attempts, why="no process and no exit.json" + why))
        case "stopping":
            add(ev.RunStopping(run=name, attempt=attempts, kind="killed", why="killed by you"))
        case _ if state in _ENDED:
            _end(recording, name, state, attempts, hostile=why, last=last)


def _end(
    recording: Recording, run: str, kind: str, attempt: int, *, hostile: str, last: dict[str, float]
) -> None:
    why, code = _ENDED[kind]
    metric = recording.plan.metric
    if kind == "finished" and metric in last:
        recording.add(
            ev.RunReached(
                run=run, attempt=attempt, level=last["epoch"], value=last[metric], val_loss=last["val_loss"]
            ), 0
        )  # fmt: skip
    if kind == "pruned":
        until = recording.sweep.runs[run].until
        recording.add(ev.RunReached(run=run, attempt=attempt, level=until, value=0.2, val_loss=2.0))
    if code is None:
        recording.add(ev.RunStopping(run=run, attempt=attempt, kind=kind, why=why + hostile))
    signal = 15 if code is None else None
    recording.add(
        ev.RunEnded(run=run, attempt=attempt, kind=kind, why=why + hostile, code=code, signal=signal), 60
    )  # fmt: skip


# ---------------------------------------------------------------- files of a run

_UNTIL = {"pruned": 0.25, "waiting": 0.5}
"""Share of the horizon at which these runs' attempts stop: their rung."""
_SHARE = {
    "finished": 1.0, "running": 0.6, "diverged": 0.3, "failed": 0.2, "killed": 0.5, "pruned": 0.25,
    "paused": 0.45, "lost": 0.35, "frozen": 0.5, "starting": 0.0, "waiting": 0.5,
}  # fmt: skip


def _measure(
    recording: Recording, name: str, state: str, index: int, *, per_epoch: int, attempts: int, most: float, hostile: bool
) -> dict[str, float]:  # fmt: skip
    """Write run.json and each attempt's files; return its last evaluation."""
    plan, run = recording.plan, recording.sweep.runs[name]
    folder = recording.directory / run.folder
    share = max(0.0, _SHARE.get(state, 0.4) - (0.04 * (index % 3) if state == "running" else 0.0))
    last = int(min(share * plan.horizon, most))
    first = 1
    lines: list[bytes] = []
    for number in range(1, attempts + 1):
        files = AttemptLayout(folder / f"a{number}")
        files.root.mkdir(parents=True, mode=0o700)
        until = last * number // attempts
        lines = _lines(run, state, range(first, until + 1), per_epoch)
        files.metrics.write_bytes(b"".join(lines) + (HOSTILE_LINES if hostile else b""))
        files.output.write_bytes(_output(run, until, state, hostile))
        files.argv.write_text(
            json.dumps({"argv": ["python", "-m", "lrtui.train", f"--lr={run.setting.lr}"]})
        )
        first = max(1, until - 1)
    setting = {"run": name, "lr": run.setting.lr, "optimizer": "adam", "seed": run.seed}
    setting |= {"schedule": "constant", "note": HOSTILE} if hostile else {}
    (folder / "run.json").write_text(json.dumps(setting))
    return json.loads(lines[-1]) if lines else {}


def _lines(run: Run, state: str, epochs: range, per_epoch: int) -> list[bytes]:
    """Return metric lines whose curves depend on LR and seed: best around 1e-03, noisy above, dead at the end if diverged."""
    rng = random.Random(f"{run.id}/{run.seed}/{epochs.start}")
    decades = abs(math.log10(run.setting.lr) + 3)
    top = 0.75 * math.exp(-0.3 * decades**2)
    noise = 0.004 + 0.01 * max(0.0, math.log10(run.setting.lr) + 3)
    lines = []
    for epoch in epochs:
        for part in range(per_epoch):
            at = epoch - 1 + (part + 1) / per_epoch
            loss = 0.5 + 4.1 * math.exp(-at / (2 + 2 * decades)) + rng.gauss(0, noise)
            dead = state == "diverged" and epoch == epochs.stop - 1
            lines.append(_line(
                step=round(at * 391), epoch=round(at, 6), time=round((at - epochs.start + 1) * 12.5, 3),
                lr=run.setting.lr, train_loss="NaN" if dead else round(loss, 6),
            ))  # fmt: skip
        acc = max(0.01, top * (1 - math.exp(-epoch / (3 + decades))) + rng.gauss(0, noise))
        lines.append(_line(
            step=epoch * 391, epoch=epoch, time=round((epoch - epochs.start + 1) * 12.5, 3),
            val_loss=round(4.6 * (1 - acc), 6), val_acc=round(acc, 6), test_acc=round(acc - 0.01, 6),
        ))  # fmt: skip
    return lines


def _line(**fields: object) -> bytes:
    return json.dumps(fields, separators=(",", ":")).encode() + b"\n"


def _output(run: Run, until: int, state: str, hostile: bool) -> bytes:
    text = f"training with lr {run.setting.lr}, seed {run.seed}\n"
    text += "".join(f"epoch {epoch}\n" for epoch in range(1, until + 1))
    if state == "failed":
        text += "Traceback (most recent call last):\nRuntimeError: shapes do not match\n"
    return text.encode() + (HOSTILE_LINES if hostile else b"")


def _files(recording: Recording, layout: Layout, beat: bool) -> None:
    layout.journal.write_bytes(b"".join(recording.lines))
    layout.format.write_text(f"{FORMAT}\n")
    layout.experiment.write_text('dataset = "cifar100"\nmodel = "cnn7"\nepochs = 20\nlr = [1e-3]\n')
    layout.origin.write_text(
        json.dumps({"source": "cifar100.toml", "cwd": "/", "python": "python"})
    )
    if beat:
        layout.beat.touch()


def dense(directory: Path, runs: int, points: int) -> Path:
    """Write finished runs of `points` lines with two metrics in each line, of about 100 bytes: for benchmarks."""
    make(directory, ["finished"] * runs, epochs=1, most=1, unit="step", horizon=float(points))
    for run_dir in sorted(directory.glob("r*-lr*")):
        rng = random.Random(run_dir.name)
        with open(run_dir / "a1" / "metrics.jsonl", "w", encoding="ascii") as file:
            for step in range(1, points + 1):
                share = step / points
                loss = 4.6 - 3 * share + rng.random() * 0.1
                file.write(
                    f'{{"step":{step},"epoch":{step / 391:.5f},"time":{step * 0.032:.3f},'
                    f'"train_loss":{loss:.6f},"val_acc":{0.7 * share:.6f}}}\n'
                )
    return directory


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("directory", type=Path)
    parser.add_argument("--states", nargs="+", default=STATES[:9], choices=STATES)
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--hostile", action="store_true")
    options = parser.parse_args()
    make(
        options.directory,
        options.states,
        epochs=options.epochs,
        seeds=options.seeds,
        hostile=options.hostile,
    )


if __name__ == "__main__":
    main()
