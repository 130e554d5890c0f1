"""lrtui doctor: what it says of a machine and of a directory is true, changes nothing unasked, and names the next step."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from importlib import metadata
from pathlib import Path

import pytest

from lrtui.cli.doctor import machine, pytorch, sweep_directory
from lrtui.cli.doctor.pytorch import Answer, has_kernels
from lrtui.hardware.gpu import DriverVersion, Gpu
from lrtui.supervisor import lease
from lrtui.sweep import events as ev
from lrtui.sweep import locks
from lrtui.sweep.journal import JournalTail
from lrtui.sweep.layout import Layout
from lrtui.sweep.state import fold
from lrtui.workers import keeper
from tests.recorded import make
from tests.supervisor.in_process import called
from tests.until import PATIENCE_SECONDS, until

ROOT = Path(__file__).parents[2]
LRTUI = [sys.executable, "-m", "lrtui", "doctor"]


def doctor(*words, cwd=None, **env) -> subprocess.CompletedProcess[str]:
    """Look at a directory within this process, at the machine in one of its own."""
    if cwd is None and not env:
        return called("doctor", *map(str, words))
    return subprocess.run(
        [*LRTUI, *map(str, words)],
        capture_output=True,
        text=True,
        check=False,
        stdin=subprocess.DEVNULL,
        cwd=cwd or ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)} | env,
        timeout=300,
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


def test_a_torn_end_is_named_and_left_alone(recorded):
    journal = recorded / "journal.jsonl"
    whole = journal.read_bytes()
    journal.write_bytes(whole + b'{"v":1,"n":99,"event":"RunEn')
    found = one(asked(recorded), "journal", "warn")
    assert "28 bytes" in found["what"]
    assert found["file"] == f"{journal}:{len(whole.splitlines()) + 1}"
    assert journal.stat().st_size == len(whole) + 28


def test_damaged_lines_are_named_by_number(recorded):
    journal = recorded / "journal.jsonl"
    rows = journal.read_bytes().splitlines(keepends=True)
    rows[3] = b"\xff\x1b[2Jgarbled\x00\n"
    rows[5] = rows[5].replace(b'"v":%d' % ev.VERSION, b'"v":0')
    rows.insert(6, b"\n")
    journal.write_bytes(b"".join(rows))
    content = asked(recorded)
    assert content["code"] == 1
    first, second, *_ = lines(content, "journal", "FAIL")
    assert "line 4 " in first["what"]
    assert first["file"] == f"{journal}:4"
    assert "sed -n 4l" in first["hint"]  # l, not p: the line may hold control sequences
    assert "line 6 " in second["what"]
    assert "journal version 0" in second["what"]
    assert "open the directory with the lrtui that wrote it" in second["hint"]


def test_a_line_number_stays_right_across_blocks_and_looks(tmp_path):
    path = tmp_path / "journal.jsonl"
    good = ev.encode(ev.Warned(v=ev.VERSION, n=1, text="x" * 1000)) + b"\n"
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
    assert "format '7'" in one(content, "experiment", "FAIL")["what"]
    assert content["code"] == 1


@pytest.mark.parametrize("name", ["journal.jsonl", "format", "experiment.toml", "origin.json", "owner.json", "beat"])  # fmt: skip
def test_a_fifo_or_link_in_the_place_of_a_file_holds_nobody_up(recorded, tmp_path, name):
    path = recorded / name
    path.unlink(missing_ok=True)
    os.mkfifo(path)
    assert asked(recorded)["findings"]
    path.unlink()
    (tmp_path / "target").write_text("1\n")
    path.symlink_to(tmp_path / "target")
    assert asked(recorded)["findings"]


def test_names_and_contents_reach_the_terminal_clean(tmp_path):
    directory = make(tmp_path / "evil\x1b[31m", ["finished", "running"], hostile=True)
    name = "r77\x1b]52;c;aGk=\x07-\u202e\x1b[2J"
    (directory / name / "a1").mkdir(parents=True)
    (directory / "inbox" / f"{name}.json").write_text("{}")
    with Layout(directory).journal.open("ab") as file:
        file.write(name.encode() + b"\n")
    done = doctor(directory)
    shown = done.stdout + done.stderr
    assert "is not an event" in shown
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u202e]", shown)
    assert not re.search(r"[\x1b\x07\u202e]|\\u001b|\\u202e", doctor(directory, "--json").stdout)


def test_prepared_data_that_went_away_are_red(tmp_path):
    directory = make(tmp_path / "sweep", ["queued"])
    journal = Layout(directory).journal
    prepared = ev.DataPrepared(
        v=ev.VERSION, n=3, at=1.0, path=str(tmp_path / "no/prepared/x"), dataset="digits"
    )
    journal.write_bytes(journal.read_bytes() + ev.encode(prepared) + b"\n")
    assert fold(JournalTail(journal).poll()).strange == 0
    found = one(asked(directory), "data", "FAIL")
    assert "--dataset digits" in found["hint"]


def test_a_copy_or_another_hosts_directory_is_named(tmp_path):
    for where in ("copy", "host"):
        directory = make(tmp_path / where, ["queued"], elsewhere=where)
        found = lines(asked(directory), "experiment", "warn")
        assert "--takeover" in found[0]["hint"]


def test_what_is_no_experiment_is_a_users_mistake(tmp_path):
    for words in ([tmp_path], [tmp_path / "none"], ["--repair", tmp_path]):
        done = doctor(*words)
        assert done.returncode == 2
        assert "lrtui" in done.stderr
        assert "Traceback" not in done.stderr


# ── a living sweep ────────────────────────────────────────────────────────────────────────────────


def test_a_living_sweep_is_told_from_a_forsaken_one(lab):
    lab.start(lrs="1e-3, 3e-4", steps=100_000)
    lab.running("r01")
    lab.running("r02")
    content = asked(lab.directory)
    assert content["code"] == 0
    assert one(content, "supervisor", "ok")["what"] == "alive"
    assert lines(content, "attempts", "warn") == []

    lab.kill_supervisor()
    content = asked(lab.directory)
    assert (
        "none, and the sweep is not over (2 begun"
        in lines(content, "supervisor", "warn")[-1]["what"]
    )
    assert "2 alive without a supervisor" in one(content, "attempts", "warn")["what"]
    told = lab.told("r01")
    until(lambda: lab.told("r01") > told + 2)  # the runs go on
    assert lab.doubled() == []


def test_processes_that_outlived_their_worker_are_named_and_not_signalled(lab):
    lab.start(steps=100_000, flags="--setsid")
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
    content = asked(lab.directory)
    found = one(content, "attempts", "FAIL")
    assert content["code"] == 1
    assert str(left) in found["hint"]
    assert keeper.bearers(attempt.token) == [left]
    os.kill(left, signal.SIGKILL)
    until(lambda: not keeper.bearers(attempt.token))
    content = asked(lab.directory)
    assert lines(content, "attempts", "FAIL") == []
    assert "1 ended without an exit.json" in one(content, "attempts", "warn")["what"]


def test_a_lock_that_is_held_without_a_beat_is_said(recorded):
    fd = locks.take(recorded)
    try:
        found = one(asked(recorded), "supervisor", "warn")
        assert "the lock is held" in found["what"]
        assert "fuser" in found["hint"]
    finally:
        os.close(fd)


def test_a_supervisor_on_another_host_is_named(recorded, monkeypatch):
    """Its lease lies beside the runs; the lock and the clock of that host say nothing here."""
    (recorded / "lease").mkdir()
    (recorded / "lease" / "1").write_text(
        '{"host": "login1", "boot_id": "x", "pid": 1, "count": 1}'
    )
    monkeypatch.setattr(lease, "lives", lambda folder: True)
    (found,) = sweep_directory.supervisor(sweep_directory.open_case(recorded))
    assert found.what == "alive on login1"
    said = called("status", str(recorded)).stdout
    assert "supervisor: alive on login1" in said


# ── the machine ───────────────────────────────────────────────────────────────────────────────────

STUB = """
import warnings
__version__ = "2.15.0+stub"
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
    assert "took longer than 1s" in answer.error
    assert keeper.is_zombie(child)


def test_the_real_torch_answers():
    with pytorch.Probe(PATIENCE_SECONDS) as probe:
        answer = probe.answer()
    assert answer.error == ""
    assert answer.torchvision[0].isdigit()


def test_what_torch_answers_is_judged():
    gpus = (Gpu(0, "H100", 0, 80_000, 0, "GPU-0", ()),)
    good = Answer(
        version="2.15", cuda="12.8", available=True, kernels=["sm_80", "sm_90"], torchvision="0.30",
        devices=[
            pytorch.Device("H100", (9, 0), fault=""),
            pytorch.Device("P100", (6, 0), fault=""),
            pytorch.Device("A100", (8, 0), fault="RuntimeError: CUDA error"),
        ],
    )  # fmt: skip
    found = pytorch.judge(good, gpus, DriverVersion("580.65", (13, 0)))
    marks = {finding.what.partition(",")[0]: str(finding.mark) for finding in found}
    assert marks["cuda:0 H100"] == "ok"
    assert marks["cuda:1 P100"] == "FAIL"
    assert marks["cuda:2 A100"] == "FAIL"


def test_a_torch_without_torchvision_is_not_replaced():
    """Its user's scripts may need just this version."""
    bare = Answer(version="2.4.1", torchvision="ModuleNotFoundError", without_torchvision=True)
    assert [str(finding.mark) for finding in pytorch.judge(bare, (), None)] == ["ok", "ok"]
    unfit = Answer(version="2.4.1", torchvision="ImportError: undefined symbol")
    assert "does not fit" in pytorch.judge(unfit, (), None)[-1].what


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


def test_the_other_lines_come_before_torch_and_nothing_heavy_is_imported_here(tmp_path, stub):
    here = tmp_path / "here"
    here.mkdir()
    code = (
        "import sys\nfrom lrtui.cli.doctor import visit\nvisit.machine_visit(as_json=False)\n"
        "print(sorted({'torch', 'torchvision', 'textual', 'plotext', 'matplotlib'} & set(sys.modules)))"
    )
    run = [sys.executable, "-c", code]
    env = {**os.environ, **stub(None, gpu=False), "LRTUI_FASHION_MNIST": str(here)}
    done = subprocess.run(run, capture_output=True, text=True, check=True, cwd=here, env=env)
    *found, modules = done.stdout.splitlines()
    chapters = [line for line in found if not line.startswith(" ")]
    assert chapters[:5] == ["machine", "files", "data", "terminal", "torch"]
    assert modules == "[]"
    assert "fashion_mnist: not on this machine" in done.stdout
    assert os.listdir(here) == []  # the scratch folder is taken away


def test_few_descriptors_and_a_folder_that_cannot_be_written_are_red(stub, tmp_path):
    env = {**os.environ, **stub(None, gpu=False)}
    shell = f'ulimit -n 20; exec "{sys.executable}" -m lrtui doctor --json'
    done = subprocess.run(["sh", "-c", shell], capture_output=True, text=True, env=env, cwd="/proc", check=False)  # fmt: skip
    content = json.loads(done.stdout)
    assert done.returncode == content["code"] == 5
    assert "ulimit -n" in one(content, "open files", "FAIL")["hint"]
    assert lines(content, "writing", "FAIL")[0]["hint"]


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
    assert "its checksum does not match" in marks()["digits"]["what"]
    images.unlink()
    os.mkfifo(images)
    assert "is no file" in marks()["digits"]["what"]


# ── the terminal ──────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("environment", "words"),
    [
        ({"TERM": "xterm-256color", "LANG": "de_DE.UTF-8"}, ""),
        ({"TERM": "vt100", "LANG": "C.utf8"}, "0 colours"),
        ({"TERM": "vt100", "LANG": "C.utf8", "NO_COLOR": "1"}, ""),
        ({"TERM": "no-such-terminal", "LANG": "C.utf8"}, "unknown"),
        ({"TERM": "dumb", "LANG": "C.utf8"}, "cannot open"),
        ({"LANG": "C.utf8"}, "not set"),
        ({"TERM": "xterm-256color", "LC_ALL": "POSIX", "LANG": "C.UTF-8"}, "not UTF-8"),
        ({"TERM": "xterm-256color"}, "not UTF-8"),
    ],
)
def test_a_terminal_is_judged_by_its_variables(environment, words):
    code = f"from lrtui.cli.doctor.terminal import judge; print(judge({environment!r}))"
    run = [sys.executable, "-c", code]  # of its own: terminfo is read once a process
    found = subprocess.run(run, capture_output=True, text=True, check=True, cwd=ROOT).stdout
    assert words in found
    assert (found == "[]\n") == (not words)


@pytest.mark.parametrize(("version", "mark"), [("8.2.8", None), ("8.2.9", "warn"), (None, "FAIL")])
def test_an_untested_or_missing_package_is_named(monkeypatch, version, mark):
    def installed(name):
        if name == "textual" and version is None:
            raise metadata.PackageNotFoundError
        return version if name == "textual" else VERSIONS[name]

    monkeypatch.setattr(metadata, "requires", lambda _: ["textual==8.2.8", "torch<3,>=2.6"])
    monkeypatch.setattr(metadata, "version", installed)
    found = [each for each in machine.python() if "textual" in each.what]
    assert [each.mark for each in found] == ([mark] if mark else [])


VERSIONS = {"torch": "2.15.0+cu132"}
