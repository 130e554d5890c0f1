"""Labs in other places than tmp_path, with the careful worker; whatever a test leaves is ended by identity."""

import sys
from pathlib import Path

from tests.supervisor.lab import Lab

WORKER = Path(__file__).parent / "worker.py"


def careful(lab: Lab, sleep: float = 0.02) -> list[str]:
    """Return the argv of the worker that keeps its promises on disk."""
    return [
        *(sys.executable, str(WORKER), str(lab.oracle)),
        *("{run}", "{until}", "{checkpoint}", str(sleep)),
    ]
