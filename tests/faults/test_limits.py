"""Few descriptors, little memory, many runs, many supervisors at once."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from lrtui.config.directory import open_experiment
from lrtui.sweep import events as ev
from tests.faults.labs import careful
from tests.faults.oracle import sound
from tests.supervisor.chaos import supervisor_pid
from tests.until import until

LIMITED = """
import os, resource, sys
kind, most = getattr(resource, sys.argv[1]), int(sys.argv[2])
resource.setrlimit(kind, (most, most))
os.execv(sys.executable, [sys.executable, "-B", "-m", "lrtui.supervisor", sys.argv[3]])
"""
MANY = """
import os, sys
from lrtui.supervisor.__main__ import main
ready, gate = os.pipe()
children = []
for _ in range(int(sys.argv[2])):
    pid = os.fork()
    if pid == 0:
        os.close(gate)
        os.read(ready, 1)
        os._exit(main([sys.argv[1]]))
    children.append(pid)
os.close(gate)
for _ in children:
    pid, status = os.wait()
    print(pid, os.waitstatus_to_exitcode(status), flush=True)
"""


def limited(lab, kind: str, most: int) -> subprocess.Popen:
    """Start a supervisor under a limit; its workers inherit it."""
    return subprocess.Popen(
        [sys.executable, "-c", LIMITED, kind, str(most), str(lab.directory)],
        start_new_session=True,
        cwd="/",
        stderr=subprocess.DEVNULL,
    )


def opened(lab, **kw):
    open_experiment(lab.toml(**kw), {}, under=lab.directory, new=False)


def rss_mib(pid: int) -> float:
    """Return what a process holds in memory now."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * 4096 / 2**20


def test_thirty_two_descriptors_are_enough_for_twelve_runs_at_once(lab):
    lrs = ", ".join(f"{i}e-4" for i in range(1, 13))
    file = lab.toml(words=careful(lab), steps=6, lrs=lrs)
    file.write_text(file.read_text().replace("parallel = 2", "parallel = 12"))
    open_experiment(file, {}, under=lab.directory, new=False)
    child = limited(lab, "RLIMIT_NOFILE", 32)
    try:
        assert lab.closed().code == 0
        assert child.poll() is None
        sound(lab)
    finally:
        child.kill()
        child.wait()


def test_a_supervisor_lives_in_little_memory(lab):
    opened(lab, words=careful(lab), steps=5, lrs="1e-3, 3e-4")
    child = limited(lab, "RLIMIT_AS", 192 << 20)
    try:
        assert lab.closed().code == 0
        sound(lab)
    finally:
        child.kill()
        child.wait()


def test_a_worker_beyond_its_memory_limit_has_failed_and_says_of_what(lab):
    code = "import resource; resource.setrlimit(resource.RLIMIT_AS, (1 << 28,) * 2); x = bytearray(1 << 29)"
    script = lab.folder / "greedy.py"
    script.write_text(code)
    lab.start(words=[sys.executable, str(script)], steps=3)
    assert lab.closed().code == 1
    assert "MemoryError" in lab.run().ending.why
    sound(lab, kinds=("failed",))


def test_a_worker_that_the_kernel_kills_for_its_memory_has_failed_and_others_go_on(lab):
    group = Path(f"/sys/fs/cgroup/memory/lrtui-test-{os.getpid()}")
    try:
        group.mkdir()
        (group / "memory.limit_in_bytes").write_text(str(48 << 20))
    except OSError as error:
        pytest.skip(f"needs a memory cgroup that may be written: {error}")
    code = (
        f"import os, sys; sys.argv[1] == 'r01' and open('{group}/cgroup.procs', 'w').write(str(os.getpid())); "
        "x = [bytearray(b'x' * (1 << 20)) for _ in range(200 if sys.argv[1] == 'r01' else 1)]; "
        'print(\'{"step": 3, "val_acc": 0.5, "train_loss": 1}\')'
    )
    script = lab.folder / "greedy.py"
    script.write_text(code)
    try:
        lab.start(words=[sys.executable, str(script), "{run}"], steps=3, lrs="1e-3, 3e-4")
        assert lab.closed().code == 1
        assert (lab.run("r01").ending.kind, lab.run("r02").ending.kind) == ("failed", "finished")
        assert "SIGKILL" in lab.run("r01").ending.why
        assert "memory" in lab.run("r01").ending.why
        sound(lab, kinds=("failed", "finished"), lines=False)
    finally:
        lab.clean_up()
        group.rmdir()


def test_a_hundred_supervisors_at_once_are_one(lab):
    lab.hold(2)
    opened(lab, words=careful(lab), steps=60)
    child = subprocess.Popen(
        [sys.executable, "-c", MANY, str(lab.directory), "100"], stdout=subprocess.PIPE, text=True
    )
    try:
        ended = [child.stdout.readline().split() for _ in range(99)]
        assert {code for _, code in ended} == {"75"}
        lab.running(steps=2)
    finally:
        for pid in Path(f"/proc/{child.pid}/task/{child.pid}/children").read_text().split():
            os.kill(int(pid), signal.SIGKILL)
        child.wait()
    lab.release()
    lab.revive()
    assert lab.closed().code == 0
    assert len(lab.events("SweepOpened")) == 1
    assert len(lab.events("RunLaunched")) == 1
    sound(lab)


@pytest.mark.campaign
@pytest.mark.timeout(3600)
def test_a_thousand_runs_wait_in_little_room(lab, campaign):
    lab.start(
        words=careful(lab, 0.001),
        steps=2,
        lrs=", ".join(f"{i}e-6" for i in range(1, 1001)),
    )
    pid = until(lambda: supervisor_pid(lab.directory))
    until(lambda: len(lab.events("RunEnded")) >= 6, 60)
    assert len(list(Path(f"/proc/{pid}/fd").iterdir())) < 32
    assert rss_mib(pid) < 40
    lab.kill_supervisor()
    lab.revive()
    seen = len(lab.events("RunEnded"))
    until(lambda: len(lab.events("RunEnded")) > seen + 3, 60)
    if campaign:
        until(lambda: len(lab.events("RunEnded")) == 1000, 1800, every=1)
    else:
        assert lab.send(ev.StopSweep(), 60).ok
        assert lab.closed().code == 4
    queued = [event.run for event in lab.events("RunQueued") if not event.why.startswith("lost")]
    assert len(set(queued)) == 1000
    ended = [event.run for event in lab.events("RunEnded")]
    assert len(ended) == len(set(ended))
    assert lab.doubled() == []
    assert lab.left() == []


def test_a_journal_of_gigabytes_is_read_in_bounded_pieces(tmp_path):
    """Hostile: 4 GiB that are a hole; a look costs what one piece costs."""
    from lrtui.sweep.journal import PER_POLL, JournalTail

    journal = tmp_path / "journal.jsonl"
    with journal.open("wb") as file:
        file.truncate(4 << 30)
    tail = JournalTail(journal)
    assert tail.poll() == []
    assert tail.offset <= PER_POLL + (1 << 20)
    assert tail.poll() == []
    assert tail.offset <= 2 * (PER_POLL + (1 << 20))
    tail.poll()
    assert tail.offset <= 3 * (PER_POLL + (1 << 20))
    line = b'{"v":1,"n":1,"at":1.0,"event":"Warned","text":"%s"}\n' % (b"x" * 4000)
    lines = 2 * PER_POLL // len(line)
    journal.write_bytes(line * lines)
    tail = JournalTail(journal)
    first = len(tail.poll())
    assert 0 < first < lines
    assert first + sum(1 for _ in tail.rest()) == lines
