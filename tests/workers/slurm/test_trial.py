"""What Slurm says of a job that is not submitted, in `lrtui check` and before a sweep begins. The words are recorded from 22.05.8."""

import pytest

from lrtui.cli.main import main
from lrtui.workers.slurm.job_options import Options, partitions
from lrtui.workers.slurm.queue import NO_SBATCH, Done, tried

FILE = """\
command = ["python", "train.py", "{lr}", "{until}"]
epochs = 4
metric = "max val_acc"
lr = [1e-3]
[launcher]
kind = "slurm"
cpus = 99
"""


@pytest.fixture
def site(tmp_path, monkeypatch):
    """Return a function that puts an sbatch on PATH which says something and exits."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")

    def put(said, code):
        sbatch = tmp_path / "sbatch"
        sbatch.write_text(f"#!/bin/sh\necho '{said}' >&2\nexit {code}\n")
        sbatch.chmod(0o755)
        (tmp_path / "x.toml").write_text(FILE)

    return put


@pytest.mark.parametrize(
    ("said", "refused"),
    [
        ("sbatch: Job 1 to start at 2026-11-29T11:41:10 using 1 processors on nodes n0", False),
        ("sbatch: error: Unable to contact slurm controller (connect failure)", False),
        ("allocation failure: Requested node configuration is not available", False),
        ("allocation failure: Required partition not available (inactive or drain)", False),
        ("allocation failure: Invalid partition name specified", True),
    ],
)
def test_only_what_never_passes_keeps_a_sweep_from_starting(site, said, refused):
    """A trial calls it an unavailable configuration, too, when all nodes are drained for a day."""
    code = int("to start" not in said)
    site(said, code)
    assert tried(Options(), lambda _words, _seconds: Done(code, "", said)).refused is refused


def test_check_asks_slurm_and_fails_where_it_refuses(site, capsys):
    site("sbatch: Job 1 to start at 2026-11-29T11:41:10", 0)
    assert main(["check", "x.toml"]) == 0
    assert "note: Slurm would take the job" in capsys.readouterr().out
    site("allocation failure: Requested node configuration is not available", 1)
    assert main(["check", "x.toml"]) == 0
    assert "no node that is up can run the job (cpus = 99)" in capsys.readouterr().out
    site("sbatch: error: invalid partition specified: x", 1)
    assert main(["check", "x.toml"]) == 5
    assert "Slurm refuses a job without partition" in capsys.readouterr().err


SINFO = "main*|down\nhigh|inactive\nspare|up\n"
"""Recorded: `sinfo --noheader --all --format=%P|%a`."""


@pytest.mark.parametrize(
    ("partition", "told"),
    [
        ("", "partition main is DOWN; wait until"),
        ("main,high", "partition main is DOWN and partition high is INACTIVE; wait until"),
        ("main,spare", ""),
        ("spare", ""),
        ("other", ""),
    ],
)
def test_a_partition_that_is_down_starts_no_job(partition, told):
    """A trial says of it that the job would start at once."""

    def site(words, _seconds):
        return Done(0, SINFO if words[0] == "sinfo" else "", "")

    trial = tried(Options(partition=partition), site)
    assert not trial.refused
    before = "Slurm would take the job"
    assert trial.answer.startswith(f"{before} and not start it: {told}" if told else before)
    assert bool(told) == ("not start it" in trial.answer)


def test_without_sinfo_the_trial_is_believed():
    def site(words, _seconds):
        return Done(127, "", "sinfo: No such file") if words[0] == "sinfo" else Done(0, "", "")

    assert tried(Options(), site).answer == "Slurm would take the job"


@pytest.mark.parametrize("extra", ["--partition=b,c", "-pb,c"])
def test_the_last_partition_named_counts(extra):
    assert partitions(Options(partition="a", extra=(extra,))) == ["b", "c"]


def test_check_needs_no_cluster(site, monkeypatch, capsys):
    site("", 0)
    monkeypatch.setenv("PATH", "/nowhere")
    assert main(["check", "x.toml"]) == 0
    assert f"note: {NO_SBATCH}" in capsys.readouterr().out
