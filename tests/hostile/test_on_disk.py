"""What a real sweep leaves on the disk: nobody else can read it, and no value of the environment stands in it."""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
CANARY = "k3y-of-the-canary-7f1d"
FILE = """\
dataset = "digits"
model = "linear"
epochs = 1
lr = [1e-3, 1e-2]
[alerts]
command = ["true"]
"""
NOBODY = 65534


@pytest.fixture(scope="module")
def swept():
    """A finished sweep with a report, made under a umask that hides nothing, in a folder that all may enter."""
    folder = Path(tempfile.mkdtemp(prefix="lrtui-on-disk-"))
    folder.chmod(0o755)
    (folder / "x.toml").write_text(FILE)
    secret = {"API_KEY": CANARY, "LRTUI_OF_ANOTHER": CANARY, "WANDB_API_KEY": CANARY}
    done = subprocess.run(
        [sys.executable, "-m", "lrtui", "x.toml", "--headless"],
        cwd=folder,
        env=os.environ | secret | {"PYTHONPATH": str(ROOT), "CUDA_VISIBLE_DEVICES": ""},
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
        umask=0,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    (directory,) = (folder / "runs").iterdir()
    yield directory
    shutil.rmtree(folder)


def test_only_the_owner_has_rights_whatever_the_umask_says(swept) -> None:
    everything = [swept, *swept.rglob("*")]
    assert len(everything) > 20
    modes = {path: stat.S_IMODE(path.lstat().st_mode) for path in everything}
    odd = {str(p): oct(m) for p, m in modes.items() if m != (0o700 if p.is_dir() else 0o600)}
    assert odd == {}


def test_no_value_of_the_environment_stands_in_any_file(swept) -> None:
    for path in [p for p in swept.rglob("*") if p.is_file()]:
        assert CANARY.encode() not in path.read_bytes(), path


def test_no_temporary_file_is_left(swept) -> None:
    assert [path for path in swept.rglob("*") if "tmp" in path.suffix] == []


@pytest.mark.skipif(os.getuid() != 0, reason="only root can become somebody else")
@pytest.mark.parametrize(
    "words",
    [
        ("ls", "{d}"),
        ("cat", "{d}/journal.jsonl"),
        ("cat", "{d}/origin.json"),
        ("touch", "{d}/inbox/1.json"),
        ("touch", "{d}/beat"),
        ("mkdir", "{d}/x"),
        ("rm", "{d}/beat"),
    ],
    ids=" ".join,
)
def test_another_user_can_neither_read_nor_steer(swept, words) -> None:
    said = subprocess.run(
        [word.format(d=swept) for word in words],
        user=NOBODY,
        group=NOBODY,
        extra_groups=[],
        capture_output=True,
        text=True,
        check=False,
        cwd="/",
    )
    assert said.returncode != 0
    assert "ermission denied" in said.stderr


@pytest.mark.parametrize("words", [("x.toml",), ("x.toml", "--dir", os.fsdecode(b"d\xfe"))])
def test_a_folder_whose_name_is_no_text_is_refused_with_a_remedy(tmp_path, words) -> None:
    folder = tmp_path if "--dir" in words else tmp_path / os.fsdecode(b"\xff")
    folder.mkdir(exist_ok=True)
    (folder / "x.toml").write_text(FILE)
    done = subprocess.run(
        [sys.executable, "-m", "lrtui", *words, "--headless"],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert done.returncode == 2, done.stderr
    assert "not UTF-8" in done.stderr
    assert "rename the folder" in done.stderr
    assert [path.name for path in folder.iterdir()] == ["x.toml"]
