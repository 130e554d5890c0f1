"""A directory that a stranger made: links, fifos and files without end hold nobody and show nothing."""

import os
from pathlib import Path

import pytest

import lrtui
from lrtui.config.directory import open_experiment, read_experiment, read_origin
from lrtui.errors import UserError
from lrtui.frontend.snapshot import DirectoryReader
from lrtui.sweep.files import (
    open_regular,
    read_end,
    read_last_lines,
    read_untrusted,
    write_atomic,
)
from lrtui.sweep.journal import JournalTail
from lrtui.sweep.layout import Layout


@pytest.fixture
def secret(tmp_path):
    file = tmp_path / "secret"
    file.write_text('{"source":"secret","cwd":"/","python":"secret"}\n')
    return file


def spoil(path, how, secret):
    path.unlink(missing_ok=True)
    if how == "fifo":
        os.mkfifo(path)
    elif how == "link":
        path.symlink_to(secret)
    elif how == "folder":
        path.mkdir()
    else:
        with path.open("wb") as file:
            file.truncate(1 << 26)


@pytest.mark.parametrize("how", ["fifo", "link", "folder", "endless"])
def test_nothing_but_a_small_regular_file_is_read(tmp_path, secret, how):
    path = tmp_path / "file"
    spoil(path, how, secret)
    assert read_untrusted(path) == b""
    if how == "endless":
        assert read_end(path, 10) == b"\0" * 10
    else:
        assert read_end(path, 10) == b""
        with pytest.raises(OSError, match=r"regular file|symbolic links"):
            os.close(open_regular(path))


def test_the_end_of_a_file_is_read(secret):
    assert read_end(secret, 4) == b't"}\n'
    assert read_end(secret, 1000) == secret.read_bytes() == read_untrusted(secret)
    assert read_untrusted(secret, 10) == b""


@pytest.mark.parametrize("how", ["fifo", "link", "folder", "endless"])
@pytest.mark.parametrize(
    "name",
    ["format", "origin.json", "owner.json", "journal.jsonl", "experiment.toml", "beat", "inbox"],
)
def test_a_directory_whose_files_are_none_is_opened_or_refused_at_once(tmp_path, secret, how, name):
    file = tmp_path / "x.toml"
    file.write_text('dataset = "digits"\nmodel = "linear"\nepochs = 1\nlr = [1e-3]\n')
    directory, _ = open_experiment(file, {}, under=tmp_path / "run", new=False)
    if name == "inbox":
        (directory / name).rmdir()
    spoil(directory / name, how, secret)
    assert "secret" not in read_origin(directory).source
    if name == "experiment.toml":
        with pytest.raises(UserError):
            read_experiment(directory)
    else:
        assert read_experiment(directory).dataset == "digits"
    assert JournalTail(Layout(directory).journal).poll() == []
    DirectoryReader(directory).snapshot()


def test_a_failed_write_leaves_what_was_there(tmp_path):
    path = tmp_path / "file"
    write_atomic(path, b"old")
    write_atomic(path, b"new")
    assert path.read_bytes() == b"new"
    with pytest.raises(OSError, match=r"directory"):
        write_atomic(tmp_path / "nowhere" / "file", b"x")
    assert [each.name for each in tmp_path.iterdir()] == ["file"]


def test_the_last_lines_are_whole(tmp_path):
    """Supervisor, monitor and log mode all read the end of an output through it."""
    output = tmp_path / "output.log"
    output.write_bytes(b"\0\0first\nsecond\nthird")
    assert read_last_lines(output, 1000) == b"first\nsecond\nthird"
    assert read_last_lines(output, 14) == b"second\nthird"
    assert read_last_lines(output, 10) == b"third"
    assert read_last_lines(output, 3) == b"ird", "a line that is longer has no beginning"
    assert read_last_lines(tmp_path / "none", 9) == b""


def test_no_other_module_reads_the_end_of_an_output():
    root = Path(lrtui.__file__).parent
    found = [file.name for file in root.rglob("*.py") if "read_end(" in file.read_text()]
    assert sorted(found) == [
        "files.py",
        "log.py",
        "snapshot.py",
        "try_out.py",
    ]  # exit.json; FORMAT and other small files; all that a trial wrote
