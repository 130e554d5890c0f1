"""Killing at each system call: supervisor, keeper and preloaded process, in launch, adoption and stop.

    python -m tests.faults.each_call [--every N]

A first trial counts the calls that change something or tell somebody (not reads). Then, for each of them, strace kills the process as
it enters that call; afterwards the supervisor is revived and the oracle is asked.
"""

from __future__ import annotations

import argparse
import json
import os
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from lrtui.config.directory import open_experiment
from lrtui.sweep import events as ev
from lrtui.sweep import locks
from lrtui.sweep.layout import Layout
from lrtui.sweep.mailbox import _drop
from lrtui.workers import keeper
from lrtui.workers.launcher import Exited, Job, Unclaimed, Vanished
from lrtui.workers.local import KEEPER, Local
from tests.faults.labs import careful
from tests.faults.oracle import sound
from tests.supervisor.chaos import supervisor_pid
from tests.supervisor.lab import STUB, Lab
from tests.until import PATIENCE_SECONDS, until

Point = tuple[str, int]
"""A call by its name, and which of that name: strace counts each name apart."""

CALLS = (
    "mkdir,write,fsync,rename,flock,vfork,clone,clone3,fork,ftruncate,unlink,utimensat,"
    "pidfd_open,pidfd_send_signal,setsid,kill,exit_group,sendto,sendmsg"
)


def needs_strace() -> None:
    """Skip where no process may be traced."""
    words = ["strace", "-qq", "-o", "/dev/null", "true"]
    if not shutil.which("strace") or subprocess.run(words, check=False).returncode:
        pytest.skip("needs strace, and the right to trace")


def traced(point: Point | None, log: Path) -> list[str]:
    """Return the words before a command that is to die at a point; None: its calls are only counted."""
    inject = ["-e", f"inject={point[0]}:signal=KILL:when={point[1]}"] if point else []
    return ["strace", "-qq", "-o", str(log), "-e", f"trace={CALLS}", *inject]


def points_in(log: Path) -> list[Point]:
    """Return the calls that were made, in order."""
    counts: Counter[tuple[str, str]] = Counter()
    found = []
    for line in log.read_text().splitlines():
        pid, _, call = line.partition(" ") if line[:1].isdigit() else ("", "", line)
        name, opened, _ = call.strip().partition("(")
        if opened and name.isidentifier():
            counts[pid, name] += 1
            found.append((name, counts[pid, name]))
    return list(dict.fromkeys(found))


def supervisor_dies(
    folder: Path, point: Point | None, scene: Callable[[Lab], None]
) -> tuple[list[Point], bool]:
    """Let a supervisor die at a point within a scene; return the calls that it made, and whether it was killed."""
    lab = Lab(folder)
    try:
        scene(lab)
        log = folder / "calls"
        child = subprocess.Popen(
            [*traced(point, log), sys.executable, "-m", "lrtui.supervisor", str(lab.directory)],
            start_new_session=True,
            cwd="/",
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        until(lambda: child.poll() is not None or lab.sweep.closed, 60)
        killed = child.poll() is not None
        if killed:
            until(lambda: supervisor_pid(lab.directory) is None)
            lab.revive()
        lab.closed()
        sound(lab, kinds=("finished", "killed"))
        answers = [
            json.loads(path.read_text()) for path in Layout(lab.directory).done.glob("*.json")
        ]
        killed_runs = {run for run, each in lab.sweep.runs.items() if each.ending.kind == "killed"}
        obeyed = any(answer["ok"] for answer in answers)  # refused where the run was sooner
        assert killed_runs == ({"r01"} if obeyed else set()), answers
        assert not [p for p in Layout(lab.directory).inbox.iterdir() if p.suffix == ".json"]
        return points_in(log), killed
    finally:
        lab.clean_up()
        _end_strace(lab)


def launching(lab: Lab) -> None:
    """A new directory: opening, two launches, two endings, the end of the sweep."""
    file = lab.toml(words=careful(lab), lrs="1e-3, 3e-4", steps=3)
    open_experiment(file, {}, under=lab.directory, new=False)


def adopting(lab: Lab) -> None:
    """Two living runs whose supervisor is dead, and an order to kill the first: adoption and a stop."""
    lab.hold(2)
    lab.start(words=careful(lab), lrs="1e-3, 3e-4", steps=60)
    lab.running("r01")
    lab.running("r02")
    lab.kill_supervisor()
    lab.release()
    _drop(Layout(lab.directory), ev.KillRun(run="r01"))


def keeper_dies(folder: Path, point: Point | None) -> tuple[list[Point], bool]:
    """Let a keeper die at a point; launch, look and launch again as a supervisor does."""
    root, oracle = folder / "a1", folder / "oracle"
    root.mkdir()
    oracle.mkdir()
    words = [sys.executable, str(STUB), str(oracle), "r01", "1e-3", "3", f"{root}/checkpoint"]
    (root / "argv.json").write_text(json.dumps({"argv": [*words, "--setsid"], "cwd": str(folder)}))
    job = Job(root, secrets.token_hex(16), {"LRTUI_METRICS": str(root / "metrics.jsonl")})
    log = folder / "calls"
    fd = locks.take(root)
    inherited = {**os.environ, **job.environment}
    token = f"LRTUI_TOKEN={job.token}"  # the keeper's alone: its sweep would end the tracer
    command = [
        *traced(point, log),
        "-E",
        token,
        sys.executable,
        "-I",
        "-S",
        KEEPER,
        str(fd),
        str(root),
    ]
    child = subprocess.Popen(
        command, env=inherited, pass_fds=(fd,), start_new_session=True, stderr=subprocess.DEVNULL
    )
    os.close(fd)
    child.wait(PATIENCE_SECONDS)
    _to_its_end(Local(), job, oracle)
    return points_in(log), child.returncode != 0


def preloaded_dies(folder: Path, point: Point | None) -> tuple[list[Point], bool]:
    """Let the preloaded process, or a keeper or worker that it has forked, die at a point of a launch."""
    root, oracle = folder / "a1", folder / "oracle"
    root.mkdir()
    oracle.mkdir()
    shutil.copy(STUB, folder / "worker.py")
    words = [sys.executable, "-m", "worker", str(oracle), "r01", "1e-3", "3", f"{root}/checkpoint"]
    (root / "argv.json").write_text(json.dumps({"argv": words, "cwd": str(folder)}))
    environment = {"LRTUI_METRICS": str(root / "metrics.jsonl")}
    job = Job(root, secrets.token_hex(16), environment, preloaded=True)
    launcher, log = Local(), folder / "calls"
    launcher.preload(("decimal",), {})
    until(lambda: launcher._preloaded.poll() or not launcher._preloaded._asked)
    pid = launcher._preloaded._process.pid
    tracer = subprocess.Popen(
        [*traced(point, log), "-f", "-p", str(pid)], stderr=subprocess.DEVNULL
    )
    try:
        until(lambda: "TracerPid:\t0" not in Path(f"/proc/{pid}/status").read_text())

        def one_death_is_enough() -> None:
            if point and "killed by SIGKILL" in log.read_text():
                tracer.terminate()  # it lets go of all others

        launcher.launch(job)
        _to_its_end(launcher, job, oracle, one_death_is_enough)
    finally:
        launcher._preloaded.end()
        tracer.kill()
        tracer.wait()
    return points_in(log), "killed by SIGKILL" in log.read_text()


def _to_its_end(
    launcher: Local, job: Job, oracle: Path, each_time: Callable[[], None] = lambda: None
) -> None:
    """Look and launch again as a supervisor does, and ask the oracle."""
    root, deadline = job.root, time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < deadline:
        each_time()
        condition = launcher.condition(root, job.token)
        match condition:
            case Unclaimed():
                launcher.launch(job)
            case Exited() | Vanished():
                break
            case living if living.orphans:
                launcher.send(root, job.token, signal.SIGKILL)
        time.sleep(0.02)
    else:
        raise AssertionError("never over")
    assert not (oracle / "r01.doubled").exists()
    until(lambda: not keeper.bearers(job.token), 5)
    told = (oracle / "r01.steps").read_text().split() if (oracle / "r01.steps").exists() else []
    written = (root / "metrics.jsonl").read_text() if told else ""
    assert written.count("\n") >= len(told) // 2
    if isinstance(condition, Exited) and condition != Exited(None, signal.SIGKILL):  # its worker's
        assert (condition, len(told) // 2) == (Exited(0, None), 3)


def _end_strace(lab: Lab) -> None:
    """End the tracers that a failed trial left: those of this lab alone."""
    wanted = os.fsencode(str(lab.directory))
    for name in filter(str.isdigit, os.listdir("/proc")):
        try:
            words = Path(f"/proc/{name}/cmdline").read_bytes().split(b"\0")
        except OSError:
            continue
        if words[0].endswith(b"strace") and wanted in words:
            os.kill(int(name), signal.SIGKILL)


TRIALS: dict[str, Callable[[Path, Point | None], tuple[list[Point], bool]]] = {
    "launch": lambda folder, point: supervisor_dies(folder, point, launching),
    "adopt and stop": lambda folder, point: supervisor_dies(folder, point, adopting),
    "keeper": keeper_dies,
    "preloaded": preloaded_dies,
}


def _in_a_folder(
    trial: Callable[[Path, Point | None], tuple[list[Point], bool]], point: Point | None
) -> tuple[list[Point], bool]:
    with tempfile.TemporaryDirectory(prefix="lrtui-calls-", ignore_cleanup_errors=True) as name:
        return trial(Path(name), point)


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--every", type=int, default=1)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--only", choices=list(TRIALS))
    options = parser.parse_args()
    faults = 0
    for name in [options.only] if options.only else list(TRIALS):
        points, _ = _in_a_folder(TRIALS[name], None)
        killed = 0
        for point in points[options.first :: options.every]:
            try:
                killed += _in_a_folder(TRIALS[name], point)[1]
            except AssertionError as error:
                faults += 1
                print(f"{name}: {point}: {error}", flush=True)
        print(f"{name}: {len(points)} calls, {killed} deaths, {faults} faults", flush=True)
    return 1 if faults else 0


if __name__ == "__main__":
    raise SystemExit(main())
