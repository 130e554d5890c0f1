"""The supervisor as a job: what its herald on the login node asks of Slurm, whose commands are scripts here."""

import dataclasses

import pytest

from lrtui.supervisor import own_job
from lrtui.supervisor.own_job import IN_JOB, Herald, is_wanted
from lrtui.sweep.layout import Layout

SETTINGS = {"kind": "slurm", "supervisor": "job", "supervisor_extra": ["--partition=cpu"]}


@pytest.fixture
def slurm(tmp_path, monkeypatch):
    """Call it with the bodies of sbatch and squeue; it returns the layout of a directory and the calls."""
    layout = Layout(tmp_path / "run")
    layout.lease.mkdir(parents=True)
    monkeypatch.setattr(own_job, "TIMING", dataclasses.replace(own_job.TIMING, queue=0.01))

    def make(sbatch, squeue):
        for name, body in {"sbatch": sbatch, "squeue": squeue}.items():
            script = tmp_path / name
            begun = f"begun() {{ echo '{{}}' > {layout.lease}/1; }}"
            script.write_text(
                f'#!/bin/bash\necho {name} "$@" >> {tmp_path}/calls\n{begun}\n{body}\n'
            )
            script.chmod(0o755)
        monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
        return layout, tmp_path / "calls"

    return make


def calls(file, name):
    return [line for line in file.read_text().splitlines() if line.startswith(name)]


def test_it_submits_one_job_and_ends_when_that_has_begun(slurm):
    layout, called = slurm("begun; echo 17", "true")
    assert Herald(layout, SETTINGS, []).speak() == ""
    (words,) = calls(called, "sbatch")
    assert "--dependency=singleton" in words
    assert "--partition=cpu" in words
    assert words.endswith(f"-m lrtui.supervisor {layout.root} {IN_JOB}")


def test_a_job_that_waits_is_not_submitted_again(slurm):
    layout, called = slurm("exit 1", "begun; echo 17")
    assert Herald(layout, SETTINGS, []).speak() == ""
    assert calls(called, "sbatch") == []


def test_a_submission_that_was_reported_lost_is_looked_up(slurm):
    """The job is in the queue although sbatch said otherwise."""
    squeue = f'[ "$(grep -c ^squeue {"$(dirname $0)"}/calls)" -gt 1 ] && begun && echo 17; true'
    layout, called = slurm("echo 'sbatch: error: Socket timed out' >&2; exit 1", squeue)
    assert Herald(layout, SETTINGS, []).speak() == ""
    assert len(calls(called, "sbatch")) == 1


def test_a_refusal_is_returned_in_words(slurm):
    said = "sbatch: error: Batch job submission failed: Invalid partition name specified"
    layout, _ = slurm(f"echo '{said}' >&2; exit 1", "true")
    assert "Invalid partition name" in Herald(layout, SETTINGS, []).speak()


def test_the_job_itself_submits_nothing():
    assert is_wanted(SETTINGS, ["DIR"])
    assert not is_wanted(SETTINGS, ["DIR", IN_JOB])
    assert not is_wanted({"kind": "slurm"}, ["DIR"])
