"""What [launcher] becomes: words of sbatch, a script, and sentences. What sbatch says is recorded from 22.05.8."""

import subprocess
import sys
from pathlib import Path

import pytest

from lrtui.workers.slurm.job_options import (
    Options,
    is_passing,
    job_name,
    options_of,
    refusal,
    sbatch_words,
    script,
    seconds_of,
    shown,
    throttles,
    time_text,
)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        *(("4h", 14400), ("90m", 5400), ("90min", 5400), ("1d12h", 129600), ("30s", 30)),
        *(("90", 5400), ("2:30", 150), ("1:00:00", 3600), ("1-12", 129600), ("1-0:30", 88200)),
        *(("", None), ("soon", None), ("0", None), ("0h", None), ("-5m", None), ("4 h", None)),
    ],
)
def test_times_in_hours_or_as_slurm_writes_them(text, seconds):
    assert seconds_of(text) == seconds
    if seconds:
        assert seconds_of(time_text(seconds)) == seconds


def test_the_words_of_sbatch():
    options = options_of(
        {
            "kind": "slurm",
            "partition": "gpu",
            "account": "lab",
            "time": "4h",
            "gres": "gpu:2",
            "cpus": 4,
            "extra": ["--constraint=a100"],
        }
    )
    words = sbatch_words(options, "lrtui-x-w1-0", 8, 3, Path("/home/me/50%/slurm/w1"))
    assert words[0] == "sbatch"
    assert words[-1] == "/home/me/50%/slurm/w1/job.sh"
    assert {
        *("--array=0-7%3", "--no-requeue", "--signal=B:USR2@120", "--time=0-04:00:00"),
        *("--partition=gpu", "--account=lab", "--gres=gpu:2", "--cpus-per-task=4"),
        *("--output=/home/me/50%%/slurm/w1/%a.log", "--constraint=a100"),
    } <= set(words)
    assert options.gpus == 2
    assert not any("account" in word for word in sbatch_words(Options(), "n", 1, 1, Path("/w")))


def test_a_short_job_is_warned_late():
    words = sbatch_words(Options(time="2m"), "n", 1, 1, Path("/w"))
    assert "--signal=B:USR2@30" in words


def test_packed_runs_need_fewer_tasks():
    line = shown(Options(pack=4, at_most=16), "digits", 10)
    assert "--array=0-2%3" in line
    assert "%4" in shown(Options(pack=4, at_most=16), "digits", 64)


def test_a_job_name_needs_no_quotes():
    assert job_name("a b|c,d'", 3, "00ff") == "lrtui-a-b-c-d--w3-00ff"


@pytest.mark.parametrize(
    ("said", "options", "sentence"),
    [
        (
            "allocation failure: Required partition not available (inactive or drain)\n",
            Options(partition="gpu"),
            'Slurm refuses partition = "gpu" of [launcher]: Required partition not available (inactive or drain)',
        ),
        (
            "sbatch: error: invalid partition specified: nope\nsbatch: error: Batch job submission failed: Invalid partition name specified\n",
            Options(partition="nope"),
            'Slurm refuses partition = "nope" of [launcher]: Invalid partition name specified',
        ),
        (
            "allocation failure: Requested node configuration is not available\n",
            Options(gres="gpu:9", extra=("--mem=9T",)),
            'Slurm refuses the job: no node has what [launcher] asks for (gres = "gpu:9", cpus = 1, --mem=9T): Requested node configuration is not available',
        ),
        (
            "sbatch: error: Invalid generic resource (gres) specification\n",
            Options(gres="foo:1"),
            'Slurm refuses gres = "foo:1" of [launcher]: Invalid generic resource (gres) specification',
        ),
        (
            "sbatch: unrecognized option '--bogus'\nTry \"sbatch --help\" for more information\n",
            Options(),
            "Slurm refuses the job: unrecognized option '--bogus'",
        ),
        (
            "sbatch: error: Batch job submission failed: Invalid account or account/partition combination specified",
            Options(),
            "Slurm refuses a job without account of [launcher]: Invalid account or account/partition combination specified",
        ),
        (
            "sbatch: error: Give an account: https://hpc.example.org/accounts\nsbatch: error: Batch job submission failed: Invalid account or account/partition combination specified\n",
            Options(account="lab"),
            'Slurm refuses account = "lab" of [launcher]: Invalid account or account/partition combination specified (Give an account: https://hpc.example.org/accounts)',
        ),
    ],
)
def test_a_refusal_is_one_sentence(said, options, sentence):
    assert refusal(said, options) == sentence
    assert not is_passing(said)


@pytest.mark.parametrize(
    "said",
    [
        "",
        "sbatch: error: Batch job submission failed: Unable to contact slurm controller (connect failure)",
        "sbatch: error: Batch job submission failed: Socket timed out on send/recv operation",
        "sbatch: error: Batch job submission failed: Job violates accounting/QOS policy (job submit limit, user's size and/or time limits)",
        "sbatch: error: Slurm temporarily unable to accept job, sleeping and retrying",
    ],
)
def test_what_passes_is_tried_again(said):
    assert is_passing(said)


def test_a_node_without_python_says_so(tmp_path):
    text = script(Options(setup=("export SET_UP=1",)), "/no/such/python", Path("/a.py"), tmp_path)
    done = subprocess.run(
        ["bash", "-c", text], env={"SLURM_ARRAY_TASK_ID": "3", "PATH": "/bin"}, check=False
    )
    assert done.returncode == 127
    assert "has no /no/such/python" in (tmp_path / "3.trouble").read_text()


def test_setup_comes_before_the_agent(tmp_path):
    agent = tmp_path / "agent.py"
    agent.write_text(
        "import os\ndef main(wave): print(os.environ['SET_UP'], wave, flush=True); return 0"
    )
    text = script(Options(setup=("export SET_UP=1",)), sys.executable, agent, tmp_path)
    done = subprocess.run(["bash", "-c", text], capture_output=True, text=True, check=True)
    assert done.stdout == f"1 {tmp_path}\n"


def test_the_oldest_wave_has_what_may_run():
    assert throttles([(1, 10)], 4) == {1: 4}
    assert throttles([(2, 3), (1, 10)], 12) == {1: 10, 2: 2}
    assert throttles([(1, 10), (2, 3)], 4) == {1: 4, 2: 1}  # 0 would be no limit at all
