"""What a real sweep, on images and with a model of the user's own, leaves on the disk: the runs that were asked for; nobody else
can read it, and no value of the environment stands in it."""

from __future__ import annotations

import json
import os
import shutil
import stat
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from tests.train.test_own_experiment import lrtui, write_mine

ROOT = Path(__file__).parents[2]
CANARY = "k3y-of-the-canary-7f1d"
FILE = """\
dataset = "digits"
model = "linear"
epochs = 1
lr = [1e-3, 1e-2]
"""
NOBODY = 65534


@pytest.fixture(scope="module")
def swept():
    """A finished sweep with a report, made under a umask that hides nothing, in a folder that all may enter."""
    folder = Path(tempfile.mkdtemp(prefix="lrtui-on-disk-"))
    folder.chmod(0o755)
    mine = write_mine(folder / "mine")
    with (mine / "x.toml").open("a") as file:
        file.write('precision = "auto"\n[alerts]\ncommand = ["true"]\n')
    secret = {"API_KEY": CANARY, "LRTUI_OF_ANOTHER": CANARY, "WANDB_API_KEY": CANARY}
    done = lrtui(folder, "../mine/x.toml", "--headless", umask=0, **secret)
    assert done.returncode == 0, done.stdout + done.stderr
    (folder / "said.txt").write_text(done.stdout)
    shutil.rmtree(mine)  # looking at what has ended needs none of the user's files
    yield folder / "elsewhere" / "runs" / "x"
    shutil.rmtree(folder)


def test_images_and_model_are_found_beside_the_file(swept) -> None:
    """Every run trains in the one precision that the preparation chose."""
    events = [json.loads(line) for line in (swept / "journal.jsonl").read_text().splitlines()]
    (ready,) = (event for event in events if event["event"] == "DataPrepared")
    assert json.loads(ready["dataset"]) == {"folder": {"path": "images", "size": 8, "val": 0.2}}
    assert (ready["classes"], ready["train"], ready["val"], ready["test"]) == (2, 36, 12, 12)
    endings = [event["kind"] for event in events if event["event"] == "RunEnded"]
    assert endings == ["finished", "finished"]
    chosen = json.loads((swept / "data" / "a1" / "prepared.json").read_text())["precision"]
    assert f"every run trains in {chosen}" in (swept.parents[2] / "said.txt").read_text()
    commands = [json.loads(file.read_text())["argv"] for file in swept.glob("r*/a1/argv.json")]
    assert [f"--precision={chosen}" in words for words in commands] == [True, True]
    looked = lrtui(swept.parents[2], "status", "runs/x")
    assert looked.returncode == 0, looked.stderr


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
