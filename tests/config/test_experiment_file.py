"""Experiment files on the disk: whatever a path may name."""

import os

import pytest

from lrtui.config import load
from lrtui.errors import ExperimentError, UserError

TEXT = 'dataset = "digits"\nlr = 1e-3\n'


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def refused(path, match):
    with pytest.raises(UserError, match=match) as caught:
        load(path)
    assert caught.value.exit_code == 2
    assert caught.value.hint
    return caught.value


def test_a_file_is_read_with_overrides_written_into_its_text(folder):
    path = folder / "first.toml"
    path.write_text(TEXT + "# why\n")
    experiment = load(path, {"epochs": "3", "lr": "[1e-2]"})
    assert (experiment.path, experiment.name, experiment.horizon) == (str(path), "first", 3)
    assert experiment.text == 'dataset = "digits"\nlr = [1e-2]\nepochs = 3\n# why\n'


def test_a_missing_file_names_the_one_that_was_meant(folder):
    (folder / "cifar100.toml").write_text(TEXT)
    (folder / "mnist.toml").write_text(TEXT)
    error = refused(folder / "cifar10.toml", "there is no such file")
    assert error.hint == f"did you mean {folder / 'cifar100.toml'}?"
    assert error.where == str(folder / "cifar10.toml")


def test_a_missing_file_in_a_missing_folder_looks_here(folder):
    (folder / "experiments").mkdir()
    (folder / "experiments" / "digits.toml").write_text(TEXT)
    assert (
        refused(folder / "nowhere" / "digit.toml", "no such").hint
        == "did you mean experiments/digits.toml?"
    )


def test_without_any_experiment_the_examples_are_named(folder):
    assert "lrtui example" in refused(folder / "x.toml", "no such").hint


def test_a_folder_is_no_experiment(folder):
    (folder / "one.toml").write_text(TEXT)
    assert "one.toml" in refused(folder, "is a directory").hint


def test_a_pipe_is_refused_instead_of_waited_for(folder):
    os.mkfifo(folder / "pipe.toml")
    refused(folder / "pipe.toml", "is not a regular file")


def test_a_huge_file_is_refused_unread(folder):
    with (folder / "big.toml").open("wb") as file:
        file.truncate(10 << 20)
    refused(folder / "big.toml", "has 10.0 MiB; an experiment file has at most 1.0 MiB")


def test_a_file_that_is_not_utf8_names_the_line(folder):
    (folder / "latin.toml").write_bytes(b"# ok\n# \xe4\n")
    error = refused(folder / "latin.toml", "is not UTF-8: byte 0xe4")
    assert error.where.endswith("latin.toml:2")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_an_unreadable_file_says_why(folder):
    (folder / "x.toml").write_text(TEXT)
    (folder / "x.toml").chmod(0)
    refused(folder / "x.toml", "cannot be read: Permission denied")


def test_a_path_with_a_nul_is_refused(folder):
    refused(folder / "a\0b.toml", "cannot be read")


def test_a_byte_order_mark_is_no_fault(folder):
    (folder / "bom.toml").write_bytes(b"\xef\xbb\xbf" + TEXT.encode())
    assert load(folder / "bom.toml").dataset == "digits"


def test_faults_name_the_file_as_the_user_did(folder):
    (folder / "x.toml").write_text("lr = 0")
    with pytest.raises(ExperimentError, match=r"x\.toml:1:6: a learning rate must be"):
        load(folder / "x.toml")
