"""Slurm's reasons in the words of lrtui: which of them stay, and what to do."""

import pytest

from lrtui.workers.slurm.job_options import Options
from lrtui.workers.slurm.queue_reasons import in_words, lasting


@pytest.mark.parametrize(
    ("reason", "words"),
    [
        ("None", ""),
        ("Resources", "Resources"),
        ("JobArrayTaskLimit", "at_most is reached"),
        ("JobHeldUser", "JobHeldUser: the job is held: `scontrol release 7_0` lets it start"),
        (
            "launch failed requeued held",
            "launch failed requeued held: the site holds the job: ask its administrators",
        ),
        (
            "QOSMaxWallDurationPerJobLimit",
            "QOSMaxWallDurationPerJobLimit: the time limit is above what the site allows: set a lower time in [launcher], and run lrtui FILE again",
        ),
        (
            "AssocMaxCpuPerJobLimit",
            "AssocMaxCpuPerJobLimit: a job may not ask for so much: lower cpus, gres or time in [launcher], and run lrtui FILE again",
        ),
    ],
)
def test_a_reason_that_stays_says_what_to_do(reason, words):
    assert in_words(reason, "7_0", Options()) == words


@pytest.mark.parametrize(
    "reason",
    [
        *("Resources", "Priority", "BeginTime", "QOSMaxJobsPerUserLimit", "AssocGrpCpuLimit"),
        "Nodes required for job are DOWN, DRAINED or reserved for jobs in higher priority partitions",
    ],
)
def test_what_passes_by_itself_needs_no_advice(reason):
    assert not lasting(reason, "7_0", Options())
