"""lrtui doctor: what it says of a machine and of a directory is true, changes nothing unasked, and names the next step."""

from __future__ import annotations

import json
import os
import pty
import re
import select
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from lrtui.cli.doctor import machine, pytorch, terminal
from lrtui.cli.doctor.pytorch import Answer, has_kernels
from lrtui.hardware.gpu import DriverVersion, Gpu
from lrtui.sweep import events as ev
from lrtui.sweep import locks
from lrtui.sweep.journal import JournalTail
from lrtui.sweep.layout import Layout
from lrtui.sweep.state import fold
from lrtui.workers import keeper
from tests.recorded import make
from tests.until import PATIENCE_SECONDS, until

ROOT = Path(__file__).parents[2]
LRTUI = [sys.executable, "-m", "lrtui", "doctor"]


def doctor(*words, cwd=None, **env) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*LRTUI, *map(str, words)],
        capture_output=True,
        text=True,
        check=False,
        stdin=subprocess.DEVNULL,
        cwd=cwd or ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)} | env,
        timeout=120,
    )


def asked(*words, **kw) -> dict:
    done = doctor(*words, "--json", **kw)
    assert done.stderr == ""
    content = json.loads(done.stdout)
    assert content["code"] == done.returncode
    for line in content["findings"]:
        assert line["hint"] or line["mark"] == "ok", line
    return content


def lines(content: dict, check: str, mark: str | None = None) -> list[dict]:
    return [x for x in content["findings"] if x["check"] == check and mark in (None, x["mark"])]


def one(content: dict, check: str, mark: str) -> dict:
    (found,) = lines(content, check, mark)
    return found


def state_of(directory: Path) -> dict:
    """Everything that a look could have changed."""
    found = {}
    for path in [directory, *directory.rglob("*")]:
        status = path.lstat()
        plain = path.is_file() and not path.is_symlink()
        content = path.read_bytes() if plain else b""
        found[str(path)] = (status.st_mode, status.st_mtime_ns, status.st_nlink, content)
    return found


@pytest.fixture
def recorded(tmp_path) -> Path:
    """A finished sweep, with the modes that lrtui gives."""
    directory = make(tmp_path / "sweep", ["finished", "killed", "queued"], closed=0)
    for path in directory.rglob("*"):
        path.chmod(0o700 if path.is_dir() else 0o600)
    return directory


# ── a directory ───────────────────────────────────────────────────────────────────────────────────


def test_a_look_changes_nothing_and_a_sound_directory_has_nothing_to_mend(recorded):
    before = state_of(recorded)
    content = asked(recorded)
    assert content["code"] == 0
    assert not [x for x in content["findings"] if x["mark"] == "FAIL"]
    assert "events on" in one(content, "journal", "ok")["what"]
    assert state_of(recorded) == before


def test_a_torn_end_is_named_and_cut_only_on_demand(recorded):
    journal = recorded / "journal.jsonl"
    whole = journal.read_bytes()
    journal.write_bytes(whole + b'{"v":1,"n":99,"event":"RunEn')
    found = one(asked(recorded), "journal", "warn")
    assert "28 bytes" in found["what"]
    assert found["file"] == f"{journal}:{len(whole.splitlines()) + 1}"
    assert journal.read_bytes() != whole
    content = asked(recorded, "--repair")
    assert one(content, "journal", "warn")["repaired"]
    assert journal.read_bytes() == whole
    assert (recorded / "journal.bad").read_bytes() == b'{"v":1,"n":99,"event":"RunEn\n'


def test_damaged_lines_are_named_by_their_number_and_left_alone(recorded):
    journal = recorded / "journal.jsonl"
    rows = journal.read_bytes().splitlines(keepends=True)
    rows[3] = b"\xff\x1b[2Jgarbled\x00\n"
    rows[5] = rows[5].replace(b'"v":1', b'"v":0')
    rows.insert(6, b"\n")
    journal.write_bytes(b"".join(rows))
    content = asked(recorded)
    assert content["code"] == 1
    first, second = lines(content, "journal", "FAIL")
    assert "line 4 " in first["what"]
    assert first["file"] == f"{journal}:4"
    assert "sed -n 4l" in first["hint"]  # l, not p: the line may hold control sequences
    assert "line 6 " in second["what"]
    assert "journal version 0" in second["what"]
    assert "open the directory with the lrtui that wrote it" in second["hint"]
    assert "before number" in lines(content, "events", "FAIL")[0]["what"]
    before = journal.read_bytes()
    asked(recorded, "--repair")
    assert journal.read_bytes() == before


def test_a_line_number_stays_right_across_blocks_and_looks(tmp_path):
    path = tmp_path / "journal.jsonl"
    good = ev.encode(ev.Warned(v=1, n=1, text="x" * 1000)) + b"\n"
    path.write_bytes(good * 3000)
    tail = JournalTail(path)
    assert len(tail.poll()) == tail.lines == 3000
    with path.open("ab") as file:
        file.write(good + b"bad\n" + good)
    assert len(tail.poll()) == 2
    assert [line for line, _ in tail.faults] == [3002]


def test_another_format_is_red(recorded):
    (recorded / "format").write_text("7\n")
    content = asked(recorded)
    assert "format '7'" in one(content, "format", "FAIL")["what"]
    assert content["code"] == 1


def test_wrong_modes_are_closed_on_demand_and_nothing_beyond_the_directory(recorded, tmp_path):
    outside = tmp_path / "mine.txt"
    outside.write_text("mine")
    outside.chmod(0o644)
    shared = tmp_path / "shared.txt"
    shared.write_text("shared")
    shared.chmod(0o644)
    (recorded / "link").symlink_to(outside)
    os.link(shared, recorded / "hard")
    script = next(recorded.glob("r01*/a1")) / "hook.sh"
    script.write_text("#!/bin/sh\n")
    script.chmod(0o755)
    (recorded / "journal.jsonl").chmod(0o644)
    (recorded / "inbox").chmod(0o755)
    found = one(asked(recorded), "modes", "warn")
    assert found["what"].startswith("3 with a mode")
    asked(recorded, "--repair")
    assert (recorded / "journal.jsonl").stat().st_mode & 0o777 == 0o600
    assert (recorded / "inbox").stat().st_mode & 0o777 == 0o700
    assert script.stat().st_mode & 0o777 == 0o700
    assert outside.stat().st_mode & 0o777 == 0o644
    assert shared.stat().st_mode & 0o777 == 0o644


def test_only_temporary_files_that_nobody_writes_are_removed(recorded):
    attempt = next(recorded.glob("r01*/a1"))
    dead = subprocess.Popen(["true"])
    dead.wait()
    old = [
        attempt / f"exit.json.{dead.pid}.tmp",
        attempt / "checkpoint.tmp",
        recorded / "inbox/.00001-abcd",
    ]
    kept = [
        attempt / f"pid.json.{os.getpid()}.tmp",  # its writer lives
        recorded / f"report.md.{dead.pid}.tmp",  # of this moment
        attempt / "checkpoint",
        attempt / "notes.tmp",
    ]
    for path in old + kept:
        path.write_text("x")
        path.chmod(0o600)
        os.utime(path, (1, 1))
    os.utime(kept[1])
    (attempt / "checkpoint.previous.tmp").mkdir(0o700)
    (attempt / "checkpoint.previous.tmp/weights").symlink_to(kept[3])
    os.utime(attempt / "checkpoint.previous.tmp", (1, 1))
    assert one(asked(recorded), "leftovers", "warn")["what"].startswith("4 temporary")
    asked(recorded, "--repair")
    assert not any(path.exists() for path in [*old, attempt / "checkpoint.previous.tmp"])
    assert all(path.exists() for path in kept)


def test_a_link_out_of_the_directory_is_named_and_never_followed(recorded, tmp_path):
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "secret").write_text("secret")
    run = next(recorded.glob("r02*"))
    for path in sorted(run.rglob("*"), reverse=True):
        path.rmdir() if path.is_dir() else path.unlink()
    run.rmdir()
    run.symlink_to(elsewhere)
    os.mkfifo(recorded / "origin2.json")
    (recorded / "report.json").symlink_to("report.md")
    content = asked(recorded)
    assert f"to {elsewhere}: not followed" in one(content, "links", "FAIL")["what"]
    assert {x["file"] for x in lines(content, "links", "warn")} == {
        str(recorded / "origin2.json"),
        str(recorded / "report.json"),
    }
    assert "secret" not in json.dumps(content)


@pytest.mark.parametrize("name", ["journal.jsonl", "format", "experiment.toml", "origin.json", "owner.json", "beat"])  # fmt: skip
def test_a_fifo_or_link_in_the_place_of_a_file_holds_nobody_up(recorded, tmp_path, name):
    path = recorded / name
    path.unlink(missing_ok=True)
    os.mkfifo(path)
    assert asked(recorded)["findings"]
    path.unlink()
    (tmp_path / "target").write_text("1\n")
    path.symlink_to(tmp_path / "target")
    assert lines(asked(recorded), "links", "FAIL")


def test_names_and_contents_reach_the_terminal_clean(tmp_path):
    directory = make(tmp_path / "evil\x1b[31m", ["finished", "running"], hostile=True)
    name = "r77\x1b]52;c;aGk=\x07-\u202e\x1b[2J"
    (directory / name / "a1").mkdir(parents=True)
    (directory / f"x\n{name}").symlink_to("/etc/\x1b[5mpasswd")
    (directory / "inbox" / f"{name}.json").write_text("{}")
    done = doctor(directory)
    shown = done.stdout + done.stderr
    assert "r77" in shown
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u202e]", shown)
    assert not re.search(r"[\x1b\x07\u202e]|\\u001b|\\u202e", doctor(directory, "--json").stdout)


def test_a_foreign_pid_file_is_named_and_nobody_in_it_is_signalled(recorded):
    attempt = next(recorded.glob("r01*/a1"))
    bystander = subprocess.Popen(["sleep", "60"])
    who = {"worker": bystander.pid, "keeper": bystander.pid, "boot_id": keeper.boot_id()}
    who |= {"token": "f" * 32, "start": keeper.start_time(bystander.pid)}
    (attempt / "pid.json").write_text(json.dumps(who))
    other = next(recorded.glob("r02*/a1"))
    (other / "pid.json").write_text("[" * 5000)
    try:
        content = asked(recorded, "--repair")
        foreign, damaged = sorted(lines(content, "identities", "warn"), key=lambda x: x["file"])
        assert "names processes of something else" in foreign["what"]
        assert "damaged" in damaged["what"]
        assert bystander.poll() is None
    finally:
        bystander.kill()
        bystander.wait()


def test_garbled_metric_lines_are_counted(recorded):
    metrics = next(recorded.glob("r01*/a1")) / "metrics.jsonl"
    with metrics.open("ab") as file:
        file.write(b'{"epoch":\n\xff\xfe\n[1]\n')
    found = one(asked(recorded), "metrics", "warn")
    assert ": 3 line(s)" in found["what"]
    assert found["file"] == str(metrics)


def test_what_the_journal_does_not_know_and_what_is_gone_is_said(recorded):
    (recorded / "r55-lr1e+00" / "a1").mkdir(parents=True, mode=0o700)
    run = next(recorded.glob("r02*"))
    run.rename(recorded.parent / "gone")
    content = asked(recorded)
    assert "r55-lr1e+00/a1" in one(content, "folders", "warn")["what"]
    assert any(
        f"without a folder (deleted?): {run.name}/a1" in x["what"]
        for x in lines(content, "attempts")
    )


def test_the_inbox_is_read_and_left_as_it_is(recorded):
    inbox = recorded / "inbox"
    now = time.time()
    (inbox / "0001-a.json").write_bytes(ev.encode(ev.Ping(sent=now)))
    (inbox / "0002-a.json").write_bytes(ev.encode(ev.Ping(sent=now - 900)))
    (inbox / "0003-a.json").write_text("rm -rf")
    os.mkfifo(inbox / "0004-a.json")
    content = asked(recorded)
    said = " ".join(x["what"] for x in lines(content, "inbox", "warn"))
    assert "1 command(s) came too late: 0002-a.json" in said
    assert "2 in inbox/ that are no commands: 0003-a.json, 0004-a.json" in said
    assert "1 command(s) wait and nobody reads them: 0001-a.json" in said
    assert len(os.listdir(inbox)) == 4


def test_missing_folders_are_made_and_a_stale_beat_is_removed_on_demand(recorded):
    (recorded / "inbox").rmdir()
    beat = recorded / "beat"
    beat.touch(0o600)
    os.utime(beat, (1, 1))
    assert asked(recorded)["code"] == 1
    assert beat.exists()
    content = asked(recorded, "--repair")
    assert content["code"] == 0
    assert (recorded / "inbox").stat().st_mode & 0o777 == 0o700
    assert not beat.exists()


def test_the_report_of_an_ended_sweep_is_looked_at(recorded):
    (recorded / "report.md").write_text("report")
    (recorded / "report.json").write_text('{"leader')
    assert "damaged" in one(asked(recorded), "report", "warn")["what"]
    done = subprocess.run(
        [sys.executable, "-m", "lrtui", "report", str(recorded), "--md", "--json"], check=False
    )
    assert done.returncode == 0
    assert lines(asked(recorded), "report", "warn") == []


def test_prepared_data_that_went_away_are_red(tmp_path):
    directory = make(tmp_path / "sweep", ["queued"])
    journal = Layout(directory).journal
    prepared = ev.DataPrepared(
        v=1, n=3, at=1.0, path=str(tmp_path / "no/prepared/x"), dataset="digits"
    )
    journal.write_bytes(journal.read_bytes() + ev.encode(prepared) + b"\n")
    assert fold(JournalTail(journal).poll()).strange == 0
    found = one(asked(directory), "data", "FAIL")
    assert "--dataset digits" in found["hint"]


def test_a_copy_and_a_directory_of_another_host_are_not_repaired(tmp_path):
    for where in ("copy", "host"):
        directory = make(tmp_path / where, ["queued"], elsewhere=where)
        assert "--takeover" in one(asked(directory), "owner", "warn")["hint"]
        before = state_of(directory)
        done = doctor(directory, "--repair")
        assert done.returncode == 6
        assert "--takeover" in done.stderr
        assert state_of(directory) == before


def test_what_is_no_experiment_is_a_users_mistake(tmp_path):
    for words in ([tmp_path], [tmp_path / "none"], ["--repair"]):
        done = doctor(*words)
        assert done.returncode == 2
        assert done.stderr.startswith("lrtui: ")
        assert "Traceback" not in done.stderr


# ── a living sweep ────────────────────────────────────────────────────────────────────────────────


def test_a_living_sweep_is_told_from_a_forsaken_one(lab):
    lab.start(lrs="1e-3, 3e-4", steps=2000)
    lab.running("r01")
    lab.running("r02")
    content = asked(lab.directory)
    assert content["code"] == 0
    assert "alive, pid " in one(content, "supervisor", "ok")["what"]
    assert lines(content, "attempts", "warn") == lines(content, "modes", "warn") == []
    refused = doctor(lab.directory, "--repair")
    assert refused.returncode == 2
    assert "lrtui stop" in refused.stderr

    lab.kill_supervisor()
    content = asked(lab.directory)
    assert (
        "none, and the sweep is not over (2 begun"
        in lines(content, "supervisor", "warn")[-1]["what"]
    )
    assert "2 alive without a supervisor" in one(content, "attempts", "warn")["what"]
    told = lab.told("r01")
    asked(lab.directory, "--repair")
    until(lambda: lab.told("r01") > told + 2)  # the runs go on
    assert lab.doubled() == []


def test_processes_that_outlived_their_worker_are_named_and_not_signalled(lab):
    lab.start(steps=2000, flags="--setsid")
    run = lab.running("r01")
    attempt = run.attempts[0]
    root = Layout(lab.directory).attempt(run.folder, 1)
    lab.kill_supervisor()
    who = json.loads((root / "pid.json").read_text())
    (left,) = [
        pid for pid in keeper.bearers(attempt.token) if pid not in (who["keeper"], who["worker"])
    ]
    for pid in (who["keeper"], who["worker"]):
        os.kill(pid, signal.SIGKILL)
    until(lambda: keeper.bearers(attempt.token) == [left])
    content = asked(lab.directory, "--repair")
    found = one(content, "processes", "FAIL")
    assert content["code"] == 1
    assert str(left) in found["hint"]
    assert keeper.bearers(attempt.token) == [left]
    os.kill(left, signal.SIGKILL)
    until(lambda: not keeper.bearers(attempt.token))
    content = asked(lab.directory)
    assert lines(content, "processes", "FAIL") == []
    assert "1 ended without anybody to say how" in one(content, "attempts", "warn")["what"]


def test_a_lock_that_is_held_without_a_beat_is_said(recorded):
    fd = locks.take(recorded)
    try:
        found = one(asked(recorded), "supervisor", "warn")
        assert "held and nobody beats" in found["what"]
        assert "fuser" in found["hint"]
    finally:
        os.close(fd)


# ── the machine ───────────────────────────────────────────────────────────────────────────────────

STUB = """
import warnings
__version__ = "2.15.0+stub"
float32, bfloat16 = "float32", "bfloat16"
def ones(*shape, **how): return how.get("dtype")
def mm(a, b): return a
def get_num_threads(): return 2
class version: cuda = {cuda!r}; hip = None
class cuda:
    @staticmethod
    def is_available():
        if {said!r}: warnings.warn({said!r})
        return False
"""
NVML = """
class O:
    def __init__(self, **k): self.__dict__.update(k)
def nvmlInit(): pass
def nvmlDeviceGetCount(): return 1
def nvmlDeviceGetHandleByIndex(i): return i
def nvmlDeviceGetMemoryInfo(h): return O(used=0, total=80 << 30)
def nvmlDeviceGetName(h): return "NVIDIA H100"
def nvmlSystemGetDriverVersion(): return "470.82.01"
def nvmlSystemGetCudaDriverVersion_v2(): return 11040
"""


@pytest.fixture
def stub(tmp_path):
    """Return the environment of a machine with a GPU, an old driver, and a torch of our making."""

    def make_stub(cuda, said="", *, gpu=True, torch=None):
        (tmp_path / "torch").mkdir()
        (tmp_path / "torch/__init__.py").write_text(torch or STUB.format(cuda=cuda, said=said))
        (tmp_path / "torchvision.py").write_text('__version__ = "0.30.0"')
        if gpu:
            (tmp_path / "pynvml.py").write_text(NVML)
            import _ctypes  # any shared object stands for the driver's library

            (tmp_path / "libnvidia-ml.so.1").symlink_to(_ctypes.__file__)
        path = os.pathsep.join([str(tmp_path), str(ROOT)])
        return {"PYTHONPATH": path, "LD_LIBRARY_PATH": str(tmp_path)}

    return make_stub


def test_a_driver_too_old_for_the_build_is_red_with_its_remedy(stub, tmp_path):
    said = "The NVIDIA driver on your system is too old (found version 11040)"
    content = asked(cwd=tmp_path, **stub("12.8", said))
    assert content["code"] == 5
    found = one(content, "torch", "FAIL")
    assert "driver 470.82.01 is too old" in found["what"]
    assert "offers CUDA 11.4, the build needs 12.8" in found["what"]
    assert "CUDA 11.4 or older" in found["hint"]
    assert any("NVIDIA H100" in x["what"] for x in lines(content, "gpu", "ok"))


def test_a_build_for_the_cpu_beside_a_gpu_is_red(stub, tmp_path):
    content = asked(cwd=tmp_path, **stub(None))
    assert content["code"] == 5
    assert "build for the CPU, and there are 1 GPU(s)" in one(content, "torch", "FAIL")["what"]


def test_a_build_for_the_cpu_without_a_gpu_is_fine(stub, tmp_path):
    content = asked(cwd=tmp_path, **stub(None, gpu=False))
    assert lines(content, "torch", "FAIL") == []


def test_a_gpu_that_torch_cannot_use_is_red_with_torchs_own_words(stub, tmp_path):
    content = asked(cwd=tmp_path, **stub("11.4", "CUDA unknown error"))
    assert "CUDA unknown error" in one(content, "torch", "FAIL")["what"]


@pytest.mark.parametrize(
    ("torch", "words"),
    [
        ("raise ImportError('libcudart.so.12: \\x1b[31m not found')", "libcudart.so.12"),
        ("import os; os.abort()", "signal 6"),
        ("import os; os._exit(9)", "exit code 9"),
        ("print('{}'); raise SystemExit('\\x1b[2Jgone')", "exit code 1"),
        (
            STUB.format(cuda=None, said="") + "import atexit, os; atexit.register(os._exit, 3)",
            "exit code 3",
        ),
    ],
)
def test_a_torch_that_breaks_is_told_in_words(stub, tmp_path, torch, words):
    done = doctor(cwd=tmp_path, **stub(None, torch=torch))
    assert done.returncode == 5
    assert "FAIL" in done.stdout
    assert words in done.stdout
    assert "\x1b" not in done.stdout


def test_a_torch_that_hangs_is_given_up(stub, tmp_path, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", stub(None, torch="import time; time.sleep(60)")["PYTHONPATH"])
    with pytorch.Probe(limit_seconds=1) as probe:
        answer = probe.answer()
        child = probe._child.pid
    assert "took longer than 1 s" in answer.error
    assert keeper.is_zombie(child)


def test_the_real_torch_answers():
    with pytorch.Probe() as probe:
        answer = probe.answer()
    assert answer.error == ""
    assert isinstance(answer.cpu, float)
    assert answer.torchvision[0].isdigit()


def test_what_torch_answers_is_judged():
    gpus = (Gpu(0, "H100", 0, 80_000, 0, 40, "GPU-0", ()),)
    good = Answer(
        version="2.15", cuda="12.8", available=True, kernels=["sm_80", "sm_90"], cpu=0.4, torchvision="0.30",
        devices=[
            pytorch.Device("H100", (9, 0), bf16=True, fault=""),
            pytorch.Device("P100", (6, 0), bf16=False, fault=""),
            pytorch.Device("A100", (8, 0), bf16=True, fault="RuntimeError: CUDA error"),
        ],
    )  # fmt: skip
    found = pytorch.judge(good, gpus, DriverVersion("580.65", (13, 0)))
    marks = {finding.what.partition(",")[0]: str(finding.mark) for finding in found}
    assert marks["cuda:0 H100"] == "ok"
    assert marks["cuda:1 P100"] == "FAIL"
    assert marks["cuda:2 A100"] == "FAIL"
    assert [f.hint for f in found if f.what.startswith("bf16")] == [
        'on this CPU keep precision = "fp32"'
    ]


@pytest.mark.parametrize(
    ("capability", "kernels", "runs"),
    [
        ((9, 0), ["sm_80", "sm_90"], True),
        ((8, 6), ["sm_80"], True),
        ((8, 0), ["sm_86"], False),
        ((12, 0), ["sm_90"], False),
        ((12, 0), ["sm_90", "compute_90"], True),
        ((7, 0), ["sm_75", "compute_90"], False),
        ((9, 0), ["sm_90a"], True),
        ((10, 0), ["sm_90a"], False),
        ((12, 0), ["sm_100", "sm_120"], True),
        ((8, 0), [], True),
    ],
)
def test_whether_a_build_runs_on_a_gpu(capability, kernels, runs):
    assert has_kernels(capability, kernels) is runs


@pytest.mark.parametrize(
    ("version", "bounds", "fits"),
    [
        ("2.15.0+cu132", "<3,>=2.6", True),
        ("3.0.0rc1", "<3,>=2.6", False),
        ("8.2.8", "==8.2.8", True),
        ("8.2.9", "==8.2.8", False),
        ("2.6", ">=2.6.0", True),
        ("2.10", ">=2.9", True),
        ("1.4.9", "~=1.4.2", True),
        ("1.5", "~=1.4.2", False),
        ("1.5", "!=1.5", False),
        ("anything", "", True),
    ],
)
def test_versions_are_compared_as_numbers(version, bounds, fits):
    assert machine.within(version, bounds) is fits


def test_the_other_lines_come_before_torch_and_nothing_heavy_is_imported_here(tmp_path):
    code = (
        "import sys\nfrom lrtui.cli.doctor import visit\nvisit.machine_visit(as_json=False)\n"
        "print(sorted({'torch', 'torchvision', 'textual', 'plotext', 'matplotlib'} & set(sys.modules)))"
    )
    run = [sys.executable, "-c", code]
    env = {**os.environ, "PYTHONPATH": str(ROOT), "LRTUI_FASHION_MNIST": str(tmp_path)}
    done = subprocess.run(run, capture_output=True, text=True, check=True, cwd=tmp_path, env=env)
    *found, modules = done.stdout.splitlines()
    chapters = [line for line in found if not line.startswith(" ")]
    assert chapters[:5] == ["machine", "files", "data", "terminal", "torch"]
    assert modules == "[]"
    assert "fashion_mnist: not on this machine" in done.stdout
    assert os.listdir(tmp_path) == []  # the scratch folder is taken away


def test_few_descriptors_and_a_folder_that_cannot_be_written_are_red(stub, tmp_path):
    env = {**os.environ, **stub(None, gpu=False)}
    shell = f'ulimit -n 20; exec "{sys.executable}" -m lrtui doctor --json'
    done = subprocess.run(["sh", "-c", shell], capture_output=True, text=True, env=env, cwd="/proc", check=False)  # fmt: skip
    content = json.loads(done.stdout)
    assert done.returncode == content["code"] == 5
    assert "ulimit -n" in one(content, "open files", "FAIL")["hint"]
    assert one(content, "writing", "FAIL")["hint"]


def test_a_limit_that_ends_long_runs_is_said(tmp_path, stub):
    env = {**os.environ, **stub(None, gpu=False)}
    shell = f'ulimit -t 3600; exec "{sys.executable}" -m lrtui doctor --json'
    done = subprocess.run(["sh", "-c", shell], capture_output=True, text=True, env=env, cwd=tmp_path, check=False)  # fmt: skip
    assert "3600 s" in one(json.loads(done.stdout), "limits", "warn")["what"]


def test_data_sets_are_found_where_they_lie(tmp_path, stub):
    env = stub(None, gpu=False) | {"LRTUI_FASHION_MNIST": str(tmp_path / "none")}
    (tmp_path / "data/cifar-100-python").mkdir(parents=True)
    command = [sys.executable, "-m", "lrtui.train.prepare", "--dataset=digits", "--data-dir=data"]
    env_prepare = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    subprocess.run(command, check=True, cwd=tmp_path, env=env_prepare, capture_output=True)

    def marks():
        found = lines(asked(cwd=tmp_path, **env), "data sets")
        return {x["what"].partition(":")[0]: x for x in found}

    found = marks()
    assert "prepared (1000 + 400 + 397 images)" in found["digits"]["what"]
    assert "cifar-100-python" in found["cifar100"]["what"]
    for name in ("cifar10", "mnist", "fashion_mnist"):
        assert found[name]["mark"] == "warn"
        assert "not on this machine" in found[name]["what"]
    images = next((tmp_path / "data/prepared").glob("digits-*/train_images.npy"))
    content = bytearray(images.read_bytes())
    content[-1] ^= 1
    images.write_bytes(content)
    assert "do not bear its checksum" in marks()["digits"]["what"]
    images.unlink()
    os.mkfifo(images)
    assert "is no file" in marks()["digits"]["what"]


# ── the terminal ──────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("environment", "mark", "words"),
    [
        ({"TERM": "xterm-256color"}, "ok", "256 colours"),
        ({"TERM": "xterm-256color", "COLORTERM": "truecolor"}, "ok", "true colours"),
        ({"TERM": "xterm-256color", "NO_COLOR": "1"}, "ok", "NO_COLOR"),
        ({"TERM": "vt100"}, "warn", "0 colours"),
        ({"TERM": "no-such-terminal"}, "warn", "not known"),
        ({"TERM": "dumb"}, "warn", "no monitor"),
        ({}, "warn", "not set"),
    ],
)
def test_a_terminal_is_known_by_its_name(environment, mark, words):
    code = f"from lrtui.cli.doctor.terminal import _term; print(_term({environment!r}))"
    run = [sys.executable, "-c", code]  # of its own: terminfo is read once a process
    found = subprocess.run(run, capture_output=True, text=True, check=True, cwd=ROOT).stdout
    assert f": '{mark}'>" in found
    assert words in found
    assert "mend=''" not in found or mark == "ok"


@pytest.mark.parametrize(
    ("environment", "mark"),
    [
        ({"LANG": "de_DE.UTF-8"}, "ok"),
        ({"LC_ALL": "C.utf8", "LANG": "POSIX"}, "ok"),
        ({"LC_ALL": "POSIX", "LANG": "C.UTF-8"}, "warn"),
        ({}, "warn"),
    ],
)
def test_the_character_set_is_read_as_the_c_library_does(environment, mark):
    assert terminal._encoding(environment).mark == mark


def on_a_pty(env: dict, answer: bytes, size=(80, 24), **kw) -> str:
    """Run doctor on a terminal that answers as ours does; return what it showed."""
    import fcntl
    import struct
    import termios

    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", size[1], size[0], 0, 0))
    before = termios.tcgetattr(slave)
    child = subprocess.Popen(
        [sys.executable, "-c", "import os,sys,fcntl,termios; fcntl.ioctl(0, termios.TIOCSCTTY, 0); os.execv(sys.argv[1], sys.argv[1:])", *LRTUI],
        stdin=slave, stdout=slave, stderr=slave, start_new_session=True, cwd=kw.get("cwd", ROOT), env=env,
    )  # fmt: skip
    raw, answered, deadline = b"", False, time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < deadline:
        if select.select([master], [], [], 0.05)[0]:
            raw += os.read(master, 65536)
        elif child.poll() is not None:
            break
        if b"\x1b[?2026$p" in raw and not answered:
            answered = True
            os.write(master, answer)
    assert child.wait(PATIENCE_SECONDS) in (0, 5)
    assert termios.tcgetattr(slave) == before
    os.close(master)
    os.close(slave)
    return raw.decode()


def test_a_terminal_is_asked_and_left_as_it_was(stub, tmp_path):
    env = {k: v for k, v in os.environ.items() if k not in ("NO_COLOR", "TMUX", "STY", "COLORTERM")}
    env |= {**stub(None, gpu=False), "TERM": "xterm-256color"}
    shown = on_a_pty(env, b"\x1b[?2026;2$y\x1b[?62;c", cwd=tmp_path)
    assert "synchronized output: yes" in shown
    assert "80 x 24" in shown
    assert "\x1b[32mok" in shown
    shown = on_a_pty(env | {"NO_COLOR": "1", "TMUX": "x"}, b"\x1b[?1;2c", (40, 10), cwd=tmp_path)
    assert "does not say whether" in shown
    assert "40 x 10: the leaderboard stands alone" in shown
    assert "tmux-256color" in shown
    assert "\x1b[32m" not in shown
