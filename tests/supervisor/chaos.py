"""Random kills with an outside oracle: nothing lost, nothing doubled, every run ended once.

    python -m tests.supervisor.chaos --kills 10000 [--seed N] [--trainer | --shared]

Each trial starts an experiment of six runs of tests/stub.py, three at a time, and kills supervisor, keepers, workers or all of
them at random moments, reviving the supervisor as `lrtui` does, until every run has finished. Then it compares what the
stub was told with what the readers see. With --trainer the workers are the built-in trainer's, with the oracle in their
model (tests/oracle_model.py), and the preloaded process that forks them is among the victims. With --shared they are trained in one
process (isolation = "shared"), which is a victim too; the oracle stands where the lines are written (witness/).
"""

from __future__ import annotations

import argparse
import contextlib
import os
import random
import shutil
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from lrtui.config.directory import open_experiment
from lrtui.metrics import MetricLog, Reading
from lrtui.sweep.journal import JournalTail
from lrtui.sweep.layout import AttemptLayout, Layout
from lrtui.sweep.mailbox import ensure_supervisor
from lrtui.sweep.state import State, Sweep, fold
from lrtui.train import HOST
from lrtui.workers import forkserver, keeper
from lrtui.workers.local import read_pid

STUB = Path(__file__).parent.parent / "stub.py"
MODEL = Path(__file__).parent.parent / "oracle_model.py"
WITNESS = Path(__file__).parent / "witness"
RUNS = 6
STEPS = 12


@dataclass(frozen=True)
class Workload:
    """What is killed, and how fast: nothing that is killed sooner than it starts ever ends."""

    write: Callable[[Path], Path]
    pause_seconds: float
    """The longest time between two kills."""
    seconds: float
    """After so long without an end a trial has failed."""


@dataclass
class Outcome:
    """What the trials add up to."""

    trials: int = 0
    kills: Counter[str] = field(default_factory=Counter)
    told: int = 0
    """Steps that a worker was told are written."""
    lost: int = 0
    doubled: int = 0
    ended_twice: int = 0
    unfinished: int = 0
    strange: int = 0
    revivals: list[float] = field(default_factory=list)
    """Seconds from the start of a new supervisor to its first adoption or idle tick."""

    def faults(self) -> int:
        return self.lost + self.doubled + self.ended_twice + self.unfinished + self.strange

    def text(self) -> str:
        slow = sorted(self.revivals)
        p95 = f"{slow[int(0.95 * (len(slow) - 1))] * 1000:.0f} ms" if slow else "none"
        return (
            f"{self.trials} trials, {sum(self.kills.values())} kills {dict(self.kills)}, {self.told} acknowledged steps: "
            f"{self.lost} lost, {self.doubled} doubled, {self.ended_twice} ended twice, {self.unfinished} unfinished, "
            f"{self.strange} odd events; beat again after a kill p95 {p95} (n={len(slow)})"
        )


def write_experiment(
    folder: Path, *, steps: int = STEPS, runs: int = RUNS, flags: str = ""
) -> Path:
    lrs = ", ".join(f"{i + 1}e-3" for i in range(runs))
    words = ["{run}", "{lr}", "{until}", "{checkpoint}", *flags.split()]
    command = ", ".join(
        f'"{word}"' for word in [sys.executable, str(STUB), str(folder / "oracle"), *words]
    )
    file = folder / "chaos.toml"
    file.write_text(
        f'command = [{command}]\nsteps = {steps}\nmetric = "max val_acc"\nlr = [{lrs}]\nparallel = 3\n'
    )
    (folder / "oracle").mkdir(exist_ok=True)
    return file


def write_training(folder: Path) -> Path:
    """Write an experiment of the built-in trainer whose model holds the oracle."""
    lrs = ", ".join(f"{i + 1}e-3" for i in range(RUNS))
    (folder / "oracle").mkdir()
    shutil.copy(MODEL, folder)
    file = folder / "chaos.toml"
    model = f"'oracle_model:build' = {{ folder = '{folder / 'oracle'}', sleep = 0.1 }}"
    file.write_text(
        f"dataset = 'digits'\nmodel = {{ {model} }}\nbatch_size = 32\nsteps = {STEPS}\nlr = [{lrs}]\nparallel = 3\n"
    )
    return file


def write_shared(folder: Path) -> Path:
    """Write an experiment of the built-in trainer whose runs share a process; put the oracle into the environment."""
    lrs = ", ".join(f"{i + 1}e-3" for i in range(RUNS))
    (folder / "oracle").mkdir()
    path = [str(WITNESS), *filter(None, [os.environ.get("PYTHONPATH")])]
    if str(WITNESS) not in os.environ.get("PYTHONPATH", ""):
        os.environ["PYTHONPATH"] = os.pathsep.join(path)
    os.environ["ORACLE_FOLDER"] = str(folder / "oracle")
    file = folder / "chaos.toml"
    file.write_text(
        "dataset = 'digits'\nmodel = 'linear'\nisolation = 'shared'\nbatch_size = 32\ndata = 0.3\n"
        f"epochs = {STEPS}\nlr = [{lrs}]\nparallel = 3\n"
    )
    return file


def trial(
    rng: random.Random,
    outcome: Outcome,
    workload: Workload,
    wanted: Callable[[], bool],
    victim: str = "",
) -> None:
    """Kill at random while more kills are wanted, then let the sweep come to its end.

    Before anything else `victim` is hit: on a slow machine it would never live to be chosen.
    """
    with tempfile.TemporaryDirectory(prefix="lrtui-chaos-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        directory, _ = open_experiment(workload.write(folder), {}, under=folder / "run", new=False)
        supervise(directory, outcome)
        began = time.monotonic()
        while (sweep := present(directory)).closed is None:
            took = time.monotonic() - began
            if took > workload.seconds:
                break
            time.sleep(rng.uniform(0.0, workload.pause_seconds))
            # a slow machine is left alone for the rest: it may need it to get anywhere
            if took < workload.seconds / 2 and wanted():
                strike(rng, directory, sweep, outcome, "" if outcome.kills[victim] else victim)
            supervise(directory, outcome)
        judge(folder, directory, outcome)
        end(directory)
    outcome.trials += 1


def supervise(directory: Path, outcome: Outcome) -> None:
    """See that a supervisor lives, as any `lrtui` on the directory does."""
    beat = Layout(directory).beat
    if supervisor_pid(directory) is not None:
        return
    beat.unlink(
        missing_ok=True
    )  # as old as a dead supervisor's beat becomes: the trial does not wait 6 s
    began = time.monotonic()
    ensure_supervisor(directory)
    while not beat.exists() and time.monotonic() - began < 10:
        time.sleep(0.005)
    outcome.revivals.append(time.monotonic() - began)


def supervisor_pid(directory: Path) -> int | None:
    wanted = os.fsencode(str(directory.resolve()))
    for name in os.listdir("/proc"):
        if name.isdigit():
            try:
                words = Path(f"/proc/{name}/cmdline").read_bytes().split(b"\0")
            except OSError:
                continue
            if b"lrtui.supervisor" in words and wanted in words and not keeper.is_zombie(int(name)):
                return int(name)
    return None


def strike(
    rng: random.Random, directory: Path, sweep: Sweep, outcome: Outcome, only: str = ""
) -> None:
    """Kill the supervisor (half of the time), a keeper, a worker, the preloaded process or a host if there is one, or everybody.

    With `only` it is that one, or nobody while there is none.
    """
    forker, hosts = preloaded_pid(directory), host_pids()
    who = rng.choices(
        ["supervisor", "keeper", "worker", "preloaded", "host", "all"],
        [5, 2, 2, 3 if forker else 0, 2 if hosts else 0, 1],
    )[0]
    who = only or who
    victims: list[int] = hosts if who in ("host", "all") else []
    pids = [p for run in sweep.alive() if (p := pid_file(directory, run.folder, run.attempts[-1]))]
    if who in ("supervisor", "all") and (pid := supervisor_pid(directory)):
        victims.append(pid)
    if who in ("preloaded", "all") and forker:
        victims.append(forker)
    if who == "keeper" and pids:
        victims.append(rng.choice(pids).keeper)
    if who == "worker" and pids:
        victims.append(rng.choice(pids).worker)
    if who == "all":
        victims += [pid for found in pids for pid in (found.keeper, found.worker)]
    for victim in victims:
        try:
            os.kill(victim, signal.SIGKILL)
            outcome.kills[who] += 1
        except ProcessLookupError:
            continue


def host_pids() -> list[int]:
    """Return the processes that train several runs of the experiment whose oracle is in the environment."""
    mine = f"ORACLE_FOLDER={os.environ.get('ORACLE_FOLDER')}".encode()
    found = []
    for name in filter(str.isdigit, os.listdir("/proc")):
        try:
            words = Path(f"/proc/{name}/cmdline").read_bytes().split(b"\0")
        except OSError:
            continue
        if HOST.encode() in words and keeper.bears(int(name), mine):
            found.append(int(name))
    return found


def preloaded_pid(directory: Path) -> int | None:
    """Return the process that forks the supervisor's workers."""
    supervisor = supervisor_pid(directory)
    if supervisor is None:
        return None
    for pid in keeper.children(supervisor):
        try:
            words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
        except OSError:
            continue
        if os.fsencode(str(forkserver.__file__)) in words:
            return pid
    return None


def pid_file(directory: Path, folder: str, attempt):
    return read_pid(
        AttemptLayout(Layout(directory).attempt(folder, attempt.number)).pid, attempt.token
    )


def present(directory: Path) -> Sweep:
    return fold(JournalTail(Layout(directory).journal).poll())


def judge(folder: Path, directory: Path, outcome: Outcome, runs: int = RUNS) -> None:
    """Compare the oracle with the directory, which has so many runs."""
    tail = JournalTail(Layout(directory).journal)
    events = tail.poll()
    sweep = fold(events)
    endings = Counter(event.run for event in events if type(event).__name__ == "RunEnded")
    outcome.strange += sweep.strange + tail.bad
    outcome.ended_twice += sum(count - 1 for count in endings.values() if count > 1)
    for run in sweep.runs.values():
        braked = sweep.brake is not None and run.state is State.QUEUED
        kind = run.ending.kind if run.ending else ""
        acceptable = braked or kind in ("finished", "lost", "failed")
        outcome.unfinished += not acceptable
        oracle = folder / "oracle" / f"{run.id}.steps"
        told = oracle.read_text().split("\n")[:-1] if oracle.exists() else []
        seen: set[tuple[str, int]] = set()
        for attempt in run.attempts:
            log = MetricLog(Layout(directory).attempt(run.folder, attempt.number), Reading("step"))
            seen |= {(attempt.token[:6], int(m.level)) for m in log.poll(1 << 30)}
        said = {(line.split()[0], int(line.split()[1])) for line in told}
        outcome.told += len(said)
        outcome.lost += len(said - seen)
        outcome.doubled += (folder / "oracle" / f"{run.id}.doubled").exists()
    outcome.unfinished += runs - len(sweep.runs)


def end(directory: Path) -> None:
    """End what a trial left, by identity: the supervisor with the report that it has written, and what a failed one left."""
    if pid := supervisor_pid(directory):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(pid, signal.SIGKILL)
    for run in present(directory).runs.values():
        for attempt in run.attempts:
            for pid in keeper.bearers(attempt.token):
                with contextlib.suppress(
                    ProcessLookupError
                ):  # a keeper ends a moment after its run
                    os.kill(pid, signal.SIGKILL)


STUBS = Workload(write_experiment, pause_seconds=0.25, seconds=240)
TRAINER = Workload(write_training, pause_seconds=2.5, seconds=600)
SHARED = Workload(write_shared, pause_seconds=2.5, seconds=600)


def campaign(kills: int, seed: int, workload: Workload = STUBS, victim: str = "") -> Outcome:
    """Return what came of at least so many kills, of which one at least hit `victim`, unless none can be hit."""
    rng = random.Random(seed)
    outcome = Outcome()

    def wanted() -> bool:
        return sum(outcome.kills.values()) < kills or outcome.kills[victim] < bool(victim)

    while wanted() and outcome.trials < max(kills, 20):
        trial(rng, outcome, workload, wanted, victim)
    return outcome


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--kills", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=None)
    parser.add_argument("--trainer", action="store_true")
    parser.add_argument("--shared", action="store_true")
    options = parser.parse_args()
    options.seed = random.SystemRandom().randrange(10**6) if options.seed is None else options.seed
    print(f"seed {options.seed}", flush=True)
    workload = SHARED if options.shared else TRAINER if options.trainer else STUBS
    result = campaign(options.kills, options.seed, workload)
    print(result.text())
    raise SystemExit(1 if result.faults() else 0)
