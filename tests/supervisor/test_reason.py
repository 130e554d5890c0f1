"""Why a run failed, in one line of its output: the exception, also where advice follows it."""

import pytest

from lrtui.supervisor.outcome import last_line
from lrtui.sweep.layout import AttemptLayout

HYDRA = """Traceback (most recent call last):
  File "train.py", line 3, in main
RuntimeError: Early stopping conditioned on metric `val/acc` which is not available.

Set the environment variable HYDRA_FULL_ERROR=1 for a complete stack trace.
"""


@pytest.mark.parametrize(
    ("output", "reason"),
    [
        (HYDRA, "RuntimeError: Early stopping conditioned on metric `val/acc` which is not available."),
        ("torch.OutOfMemoryError: CUDA out of memory.\n", "torch.OutOfMemoryError: CUDA out of memory."),
        ("ValueError: retried\n" + "working\n" * 8 + "no space left\n", "no space left"),
        ("train.py: error: unrecognized arguments: --sed\n", "train.py: error: unrecognized arguments: --sed"),
        ("", ""),
    ],
)  # fmt: skip
def test_the_exception_is_the_reason(tmp_path, output, reason) -> None:
    files = AttemptLayout(tmp_path)
    files.output.write_text(output)
    assert last_line(files) == reason
