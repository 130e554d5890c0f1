"""Runs that share a process: each is one process to everybody else, and learns what it learns alone."""

import contextlib
import json
import os
import resource
import secrets
import signal
import sys
from pathlib import Path

import pytest

from lrtui.train import ABANDONED, HOST, IMPORTS, prepared_arrays
from lrtui.train.multiplex import client
from lrtui.workers import forkserver, keeper
from lrtui.workers.launcher import Exited, Job
from lrtui.workers.local import Local, read_pid
from tests.train.running import Trainer, timeless, tiny_source
from tests.until import until

NAME = f"{HOST} cpu"
SHARED = {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""}
LONG = 100_000
"""Epochs that no test sees the end of, however late it looks."""


@pytest.fixture(scope="module")
def prepared(tmp_path_factory):
    folder = tmp_path_factory.mktemp("prepared")
    source = tiny_source()
    return prepared_arrays.write(
        folder, "tiny", source, classes=10, validation=60, flip=True, synthetic=True
    )[0]


@pytest.fixture(scope="module")
def launcher():
    """A launcher whose preloaded process serves all tests: importing torch takes longer than any of them."""
    made = Local()
    made.preload(IMPORTS, SHARED)
    yield made
    made._preloaded.end()


class Den:
    """A launcher, its preloaded process, and the jobs that a test gives it."""

    def __init__(self, folder: Path, prepared: Path, launcher: Local) -> None:
        self.folder, self.prepared, self.launcher = folder, prepared, launcher
        launcher.preload(IMPORTS, SHARED)  # where the last test has ended it
        until(lambda: launcher._preloaded.poll() or not launcher._preloaded._asked, 60)
        self.jobs: list[Job] = []

    def launch(self, *, host: str = NAME, **options) -> Job:
        root = self.folder / f"a{len(self.jobs) + 1}"
        root.mkdir()
        words = Trainer(self.prepared, root).argv(**options)
        (root / "argv.json").write_text(json.dumps({"argv": words, "cwd": str(self.folder)}))
        metrics = {"LRTUI_METRICS": str(root / "metrics.jsonl"), "LRTUI_LR": "1"}
        job = Job(root, secrets.token_hex(16), {**SHARED, **metrics}, preloaded=True, host=host)
        self.launcher.launch(job)
        self.jobs.append(job)
        return job

    def over(self, job: Job, seconds: float = 60) -> Exited:
        def ended():
            found = self.launcher.condition(job.root, job.token)
            return isinstance(found, Exited) and found

        return until(ended, seconds)

    def lines(self, job: Job) -> list[dict]:
        return Trainer(self.prepared, job.root).lines()

    def wait_for(self, job: Job, step: int) -> None:
        until(lambda: any(line["step"] >= step for line in self.lines(job)), 60)

    def step(self, job: Job) -> int:
        """Return the last step a run has written, 0 where it has written none yet."""
        lines = self.lines(job)
        return lines[-1]["step"] if lines else 0

    def output(self, job: Job) -> str:
        return (job.root / "output.log").read_text()

    def send(self, job: Job, number: int) -> None:
        assert self.launcher.send(job.root, job.token, number) == 1

    def hosts(self) -> list[int]:
        """The hosts that this test's preloaded process forked."""
        process = self.launcher._preloaded._process
        living = keeper.children(process.pid) if process else []
        return [pid for pid in living if HOST.encode() in _words(pid)]

    def end(self) -> None:
        hosts = self.hosts()
        for job in self.jobs:
            self.launcher.send(job.root, job.token, signal.SIGKILL)
        for job in self.jobs:
            self.over(job)
        for pid in hosts:  # they would wait for another run while the preloaded process lives
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        until(lambda: all(keeper.is_zombie(pid) for pid in hosts))


def stat_letter(pid: int) -> str:
    """Return the state of a process: "T" once it is stopped."""
    return keeper.stat_fields(pid)[0]


def _words(pid: int) -> bytes:
    """Return a process's command line, nothing where it has just ended."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""


@pytest.fixture
def den(tmp_path, prepared, launcher):
    yield (made := Den(tmp_path, prepared, launcher))
    made.end()


def test_runs_of_one_process_write_what_each_writes_alone(den):
    settings = [
        {"lr": "1e-1", "optimizer": "sgd"},
        {"lr": "1e-2"},
        {"lr": "1e-3", "seed": 4, "schedule": "cosine"},
        {"lr": "1e-3", "model": '{"vit":{"dropout":0.2,"width":16,"depth":1}}'},
    ]
    first = den.launch(epochs=LONG)  # so that the host lives, and nobody is alone
    den.wait_for(first, 1)
    together = [den.launch(**each) for each in settings]
    assert [den.over(job) for job in together] == [Exited(0, None)] * len(settings)
    alone = [den.launch(host="", **each) for each in settings]
    assert [den.over(job) for job in alone] == [Exited(0, None)] * len(settings)
    assert len(den.hosts()) == 1
    for one, other in zip(together, alone, strict=True):
        assert timeless(den.lines(one)) == timeless(den.lines(other))
        assert f"in process {den.hosts()[0]}\n" in den.output(one)
        # the output is the same but for the line that says where it was trained
        assert den.output(one).split("\n", 1)[1] == den.output(other)


def test_a_worker_that_is_killed_ends_its_run_and_no_other(den):
    victim, other = den.launch(epochs=LONG), den.launch(lr="1e-2", epochs=LONG)
    den.wait_for(victim, 5)
    den.send(victim, signal.SIGKILL)
    assert den.over(victim) == Exited(None, signal.SIGKILL)
    seen = len(den.lines(victim))
    den.wait_for(other, den.step(other) + 200)
    assert len(den.lines(victim)) == seen
    assert not (victim.root / "checkpoint").exists() or den.lines(victim)


def test_a_worker_that_is_told_to_stop_leaves_a_checkpoint_to_go_on_from(den):
    stopped = den.launch(lr="1e-2", epochs=LONG)
    den.wait_for(stopped, 40)
    den.send(stopped, signal.SIGTERM)
    assert den.over(stopped) == Exited(0, None)
    until = den.step(stopped) // 15 + 2  # epochs, of 15 steps
    assert den.output(stopped).splitlines()[-1].startswith("stopped at step ")
    whole = den.launch(lr="1e-2", epochs=LONG, until=until)
    kept = stopped.root / "checkpoint"
    again = den.launch(lr="1e-2", epochs=LONG, until=until, checkpoint=kept)
    assert den.over(again) == den.over(whole) == Exited(0, None)
    assert "resumed at step" in den.output(again)
    begun = den.lines(again)[0]["step"]
    both = [line for line in den.lines(stopped) if line["step"] < begun] + den.lines(again)
    assert timeless(both) == timeless(den.lines(whole))


def test_a_frozen_worker_holds_its_run_and_no_other(den):
    frozen, other = den.launch(epochs=LONG), den.launch(lr="1e-2", epochs=LONG)
    den.wait_for(frozen, 5)
    den.send(frozen, signal.SIGSTOP)
    worker = read_pid(frozen.root / "pid.json", frozen.token).worker
    until(lambda: stat_letter(worker) == "T")
    held = den.step(frozen)
    den.wait_for(other, den.step(other) + 300)
    assert den.step(frozen) == held
    den.send(frozen, signal.SIGCONT)
    den.wait_for(frozen, held + 1)
    behind = den.step(other) - den.step(frozen)
    assert behind > 100  # it had truly stood still, not only its lines


def test_a_run_that_cannot_be_trained_ends_alone_with_its_own_words(den):
    other = den.launch(epochs=LONG)
    den.wait_for(other, 1)
    bad = den.launch(lr="1e-2", batch_size=100_000)
    assert den.over(bad) == Exited(2, None)
    assert "lrtui.train: a batch of 100,000 is more than the 240" in den.output(bad)
    den.wait_for(other, den.step(other) + 50)


def test_a_run_that_does_not_fit_into_memory_beside_others_ends_alone_and_says_so(den):
    other = den.launch(epochs=LONG)
    den.wait_for(other, 1)
    (host,) = den.hosts()
    size = int(Path(f"/proc/{host}/statm").read_text().split()[0]) * os.sysconf("SC_PAGE_SIZE")
    resource.prlimit(host, resource.RLIMIT_AS, (size + (512 << 20), resource.RLIM_INFINITY))
    bad = den.launch(lr="1e-2", model='{"mlp":{"width":16384}}')
    assert den.over(bad) == Exited(5, None)
    assert "with batches of 16 does not fit into memory" in den.output(bad)
    den.wait_for(other, den.step(other) + 50)


def test_a_damaged_checkpoint_ends_its_run_alone(den):
    other = den.launch(epochs=LONG)
    den.wait_for(other, 1)
    damaged = den.folder / "damaged"
    damaged.write_bytes(b"PK\x03\x04 no checkpoint")
    bad = den.launch(lr="1e-2", checkpoint=damaged)
    assert den.over(bad) == Exited(1, None)
    assert "damaged" in den.output(bad)
    den.wait_for(other, den.step(other) + 50)


def test_when_the_host_is_killed_every_worker_says_so_with_an_exit_code_of_its_own(den):
    runs = [den.launch(lr=lr, epochs=LONG) for lr in ("1e-2", "1e-3")]
    for run in runs:
        den.wait_for(run, 5)
    (host,) = den.hosts()
    os.kill(host, signal.SIGKILL)
    assert [den.over(run) for run in runs] == [Exited(ABANDONED, None)] * 2
    assert "the process that this run shared" in den.output(runs[0])
    newcomer = den.launch(lr="1e-2", epochs=1)
    assert den.over(newcomer) == Exited(0, None)


def test_a_stopped_host_keeps_nobody_who_comes_from_training(den):
    first = den.launch(epochs=LONG)
    den.wait_for(first, 1)
    (host,) = den.hosts()
    late = []
    os.kill(host, signal.SIGSTOP)
    try:
        late.append(den.launch(lr="1e-2", epochs=1))
        until((late[0].root / "pid.json").exists)
        assert not den.lines(late[0])
    finally:
        os.kill(host, signal.SIGKILL)
    assert den.over(late[0]) == Exited(0, None)
    assert "beside" not in den.output(late[0])


def test_the_host_outlives_the_preloaded_process_and_ends_with_its_last_run(den):
    run = den.launch(lr="1e-2", epochs=LONG)
    den.wait_for(run, 1)
    (host,) = den.hosts()
    den.send(run, signal.SIGSTOP)
    den.launcher._preloaded.end()
    assert not keeper.is_zombie(host)
    den.send(run, signal.SIGCONT)
    den.send(run, signal.SIGTERM)
    assert den.over(run) == Exited(0, None)
    until(lambda: keeper.is_zombie(host), 5)


def test_a_host_carries_no_lock_no_token_and_no_session_of_a_run(den):
    run = den.launch(epochs=LONG)
    den.wait_for(run, 1)
    (host,) = den.hosts()
    worker = read_pid(run.root / "pid.json", run.token).worker
    assert not keeper.bears(host, b"LRTUI_TOKEN=" + run.token.encode())
    held = [os.readlink(f"/proc/{host}/fd/{n}") for n in os.listdir(f"/proc/{host}/fd")]
    assert str(run.root) not in held
    assert os.getsid(host) == host != os.getsid(worker)
    shown = Path(f"/proc/{host}/cmdline").read_bytes().split(b"\0")
    assert shown[:3] == [os.fsencode(sys.executable), b"-m", HOST.encode()]


def test_both_sides_call_the_link_by_the_same_name():
    assert forkserver.HOST_FD == client.LINK
